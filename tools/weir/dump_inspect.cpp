// One line an inspection, the terms of one DNS, a rule that looks at something.
#include "tools/weir/dump_inspect.hpp"

#include "dataplane/base/rate.hpp"
#include "dataplane/inspect/pattern_image.hpp"
#include "tools/weir/dump_rdma.hpp"

#include <fmt/format.h>

namespace weir {
namespace {

// The names of the sets whose bits are set; the image is verified, its patterns are only as long as they say.
std::string sets_text(const Policy& policy, u64 sets) {
  const auto bytes = policy.patterns();
  if (bytes.size() < sizeof(PatternImageHeader)) return "";
  const auto header = load<PatternImageHeader>(bytes.data());
  const u64 names_at = sizeof header + header.patterns * sizeof(PatternRow);
  const u64 texts_at = names_at + to_eight(header.sets * 4);
  const std::string_view texts(reinterpret_cast<const char*>(bytes.data()) + texts_at, header.names_bytes);
  std::string made;
  for (u64 set = 0; set < header.sets; ++set) {
    const u32 name = load<u32>(bytes.data() + names_at + set * 4);
    if ((sets >> set & 1) == 0 || name >= texts.size()) continue;
    made += fmt::format("{}{}", made.empty() ? "" : ", ", texts.substr(name, texts.find('\0', name) - name));
  }
  return made;
}

std::string mode(u64 monitor_until) {
  if (monitor_until == 0) return "";
  return monitor_until == ~u64{0} ? ", monitor" : fmt::format(", monitor until {} s", monitor_until / tick_second);
}

}  // namespace

std::string inspection_text(const Policy& policy, const image::Inspection& one) {
  constexpr std::string_view ways[] = {"", "what the opener sends", "what the replier sends", "both directions"};
  constexpr std::string_view matches[] = {"deny", "alert", "quarantine"}, opaques[] = {"allow", "alert", "deny"},
                             busies[] = {"wait", "deny"};
  std::string line = fmt::format("`{}`: first {} bytes of {}", policy.text(one.name), one.first_bytes, ways[one.ways]);
  if (one.sets != 0) line += fmt::format(", signatures {}", sets_text(policy, one.sets));
  if (one.tensors != 0) line += ", tensors";
  line += fmt::format(", on_match {}, opaque {}, busy {}", matches[static_cast<u32>(one.on_match)],
                      opaques[static_cast<u32>(one.opaque)], busies[static_cast<u32>(one.busy)]);
  if (one.on_match == image::OnMatch::quarantine)
    line += fmt::format(", at most {}.{:02} % of hosts", one.max_quarantined / 100, one.max_quarantined % 100);
  return line + mode(one.monitor_until);
}

std::vector<std::string> inspection_lines(const Policy& policy) {
  std::vector<std::string> out;
  for (u64 index = 0; index < policy.inspections().size(); ++index) {
    const image::Inspection& one = policy.inspections()[index];
    out.push_back(fmt::format("inspection {} at {}:{}: {}", index, policy.text(one.file), one.line,
                              inspection_text(policy, one)));
  }
  return out;
}

std::string dns_text(const Policy& policy, const image::DnsTerms& one) {
  std::vector<std::string> words;
  if (one.queries.limits())
    words.push_back(fmt::format("queries {:g}/s, burst {}",
                                static_cast<double>(rate_units_per_second) / static_cast<double>(one.queries.interval),
                                one.queries.tolerance / one.queries.interval + 1));
  if (one.name_bytes_max != 0) words.push_back(fmt::format("names of {} bytes", one.name_bytes_max));
  if (one.answer_bytes_max != 0) words.push_back(fmt::format("answers of {} bytes", one.answer_bytes_max));
  if (one.information_bytes_max != 0)
    words.push_back(fmt::format("{} bytes of names a domain in {} s", one.information_bytes_max, one.window_s));
  if (one.domains_max != 0) words.push_back(fmt::format("{} domains in {} s", one.domains_max, one.window_s));
  if (words.empty()) words.push_back("any message");
  return fmt::format("DNS by `{}`: {}{}", policy.text(one.name), fmt::join(words, ", "), mode(one.monitor_until));
}

std::vector<std::string> dns_lines(const Policy& policy) {
  std::vector<std::string> out;
  for (const image::DnsTerms& one : policy.dns_terms())
    out.push_back(fmt::format("{} at {}:{}", dns_text(policy, one), policy.text(one.file), one.line));
  return out;
}

std::vector<std::string> look_lines(const Policy& policy) {
  constexpr std::string_view payloads[] = {"pass", "normalise", "deny"};
  std::vector<std::string> out;
  for (u32 rule = 0; policy.has_looks() && rule < policy.rules_count(); ++rule) {
    const image::Look& look = policy.look(rule);
    if (look.is_empty()) continue;
    std::string line = fmt::format("rule {}:", rule);
    for (u64 index = 0; index < policy.inspections().size(); ++index)
      if (look.inspections >> index & 1) line += fmt::format(" inspection {}", index);
    if (look.protocols != 0) line += fmt::format(" spoken: {}", protocols_text(look.protocols));
    if (look.dns != 0) line += fmt::format(" dns `{}`", policy.text(policy.dns_terms()[look.dns - 1].name));
    if (look.icmp_payload != image::IcmpPayload::pass)
      line += fmt::format(" icmp_payload {}", payloads[static_cast<u32>(look.icmp_payload)]);
    if (look.scrub != 0) line += " scrub";
    out.push_back(line);
  }
  return out;
}

}  // namespace weir
