#include "control/diff/inspections.hpp"

#include "control/compile/sequences.hpp"
#include "control/diff/spoken.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {

namespace {

u64 mixed(u64 state, std::string_view text) {
  state = hash_step(state, text.size());
  for (const char one : text) state = hash_step(state, static_cast<unsigned char>(one));
  return state;
}

u64 digest_of(const PatternSet& set) {
  u64 state = 0;
  for (const Pattern& one : set.patterns) {
    for (const std::string* text : {&one.name, &one.bytes, &one.regex}) state = mixed(state, *text);
    const u64 flags = u64{one.base64} | u64{one.any_case} << 1 | u64{one.at.has_value()} << 2;
    state = hash_step(hash_step(state, flags), one.at.value_or(0));
  }
  return state;
}

std::string words_of(const PatternSet& set, std::string_view name) {
  return fmt::format("{} ({} pattern{}, {:08x})", name, set.patterns.size(), set.patterns.size() == 1 ? "" : "s",
                     digest_of(set) >> 32);
}

bool is_own(const Inspection& inspection, const PatternSet& set) {
  return set.name == fmt::format("inspect.{}", inspection.name);
}

std::string size_of(u32 bytes) {
  if (bytes % (1 << 20) == 0) return fmt::format("{} MiB", bytes >> 20);
  return bytes % 1024 == 0 ? fmt::format("{} KiB", bytes / 1024) : fmt::format("{} B", bytes);
}

std::string mode_of(const Inspection& one) {
  if (!one.monitor) return "enforce";
  return one.monitor_until_s ? fmt::format("monitor until {}", spoken_day(*one.monitor_until_s)) : "monitor";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> inspection_words(const Model& model, const Inspection& inspection) {
  constexpr const char *matches[] = {"deny", "alert", "quarantine"}, *opaques[] = {"allow", "alert", "deny"},
                       *busies[] = {"wait", "deny"};
  std::vector<std::string> sets;
  std::string own = "none";
  for (const std::uint32_t index : inspection.sets) {
    const PatternSet& set = model.pattern_sets[index];
    if (is_own(inspection, set)) own = words_of(set, "its own");
    else sets.push_back(words_of(set, set.name));
  }
  return {{"direction", !inspection.out ? "in" : !inspection.in ? "out" : "both"},
          {"first", size_of(inspection.first_bytes)},
          {"signatures", sets.empty() ? "none" : fmt::format("{}", fmt::join(sets, ", "))},
          {"pattern", own},
          {"tensors", inspection.tensors ? "on" : "off"},
          {"on_match", matches[static_cast<std::size_t>(inspection.on_match)]},
          {"opaque", opaques[static_cast<std::size_t>(inspection.opaque)]},
          {"busy", busies[static_cast<std::size_t>(inspection.busy)]},
          {"max_quarantined", inspection.on_match == Inspection::OnMatch::quarantine
                                  ? fmt::format("{:g} %", inspection.max_quarantined / 100.0)
                                  : "none"},
          {"mode", mode_of(inspection)}};
}

std::vector<std::string> inspection_names(const Model& model, const Model& other) {
  const auto has = [](const Model& one, const std::string& name) {
    return std::ranges::find(one.inspections, name, &Inspection::name) != one.inspections.end();
  };
  std::vector<std::string> names;
  for (const Inspection& one : model.inspections) {
    names.push_back(one.name);
    if (has(other, one.name)) continue;
    const auto like = std::ranges::find_if(other.inspections, [&](const Inspection& candidate) {
      return !has(model, candidate.name) && inspection_words(other, candidate) == inspection_words(model, one);
    });
    if (like != other.inspections.end()) names.back() = like->name;
  }
  return names;
}

std::string inspections_of(const Model& model, const Statement& statement, const std::vector<std::string>& names) {
  std::vector<std::string> found;
  for (const std::uint32_t index : statement.inspections) found.push_back(names[index]);
  std::ranges::sort(found);
  constexpr const char* payloads[] = {"", "normalising ICMP payloads", "refusing ICMP payloads"};
  if (statement.covert.dns) found.push_back(fmt::format("DNS terms {}", model.dns_terms[*statement.covert.dns].name));
  if (statement.covert.icmp_payload != CovertTerms::IcmpPayload::pass)
    found.push_back(payloads[static_cast<std::size_t>(statement.covert.icmp_payload)]);
  if (statement.covert.scrub) found.push_back("scrubbing");
  return fmt::format("{}", fmt::join(found, ", "));
}

}  // namespace weir::control
