// One function per lint.
#include "control/check/lints.hpp"

#include "dataplane/packet/parse.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <set>

namespace weir::control {
namespace {

constexpr std::int64_t day_s = 86400;
constexpr std::int64_t warning_days = 14;
constexpr std::uint64_t wide_addresses = std::uint64_t{1} << 24;

void unused(const Names& names, Diagnostics& out) {
  constexpr std::string_view codes[] = {"W0201", "W0203", "W0204"};
  constexpr std::string_view kinds[] = {"segment", "group", "list"};
  for (const auto& [name, noun] : names.nouns) {
    const auto kind = static_cast<std::size_t>(noun.kind);
    if (!noun.used)
      out.add(codes[kind], noun.span, fmt::format("{} `{}` is never named", kinds[kind], name), "no statement uses it");
  }
  for (const auto& [name, service] : names.services)
    if (!service.used)
      out.add("W0202", service.span, fmt::format("service `{}` is never named", name), "no statement uses it");
}

// W0406 behind the last valid day, W0405 when it is near; whether the latter.
bool tell_expiry(Span span, const std::string& what, std::string_view effect, std::int64_t left_s, Diagnostics& out) {
  const std::int64_t days = (left_s + day_s - 1) / day_s;  // 1 on the last valid day
  if (days <= 0)
    out.add("W0406", span, fmt::format("{} has expired and {}", what, effect), "expired")
        .helped("delete it, or give it a later `expires`");
  if (days <= 0 || days > warning_days + 1) return false;
  out.add("W0405", span, fmt::format("{} expires in {} day{}", what, days, days > 1 ? "s" : ""),
          fmt::format("{} then", effect));
  return true;
}

void expiring(const Resolved& resolved, std::int64_t now_s, Diagnostics& out) {
  for (const Statement& one : resolved.model.statements)
    if (one.expires_s &&
        tell_expiry(one.span, fmt::format("`{}`", one.name), "allows nothing", *one.expires_s - now_s, out))
      out.all.back().note("flows that are established then end as well");
  for (const Test& one : resolved.tests)
    if (one.expires_s)
      tell_expiry(one.span, one.name.empty() ? "this test" : fmt::format("the test `{}`", one.name), "is not run",
                  *one.expires_s - now_s, out);
}

bool pinned(const Model& model, std::string_view pattern) {
  return std::ranges::any_of(model.ports, [&](const PortPin& pin) {
    if (!pin.has_addresses) return false;
    return pattern.ends_with('*') ? pin.name.starts_with(pattern.substr(0, pattern.size() - 1)) : pin.name == pattern;
  });
}

void unpinned(const Model& model, Diagnostics& out) {
  for (const Segment& segment : model.segments)
    for (const std::string& pattern : segment.attach)
      if (!pinned(model, pattern))
        out.add("W0407", segment.span, fmt::format("port `{}` of segment `{}` has no pin", pattern, segment.name),
                "any address of the segment may be claimed there")
            .helped(fmt::format("[port.{}] with addresses = [\"...\"]", pattern.ends_with('*') ? "NAME" : pattern));
}

std::uint64_t ipv4_count(const AddressSet& set) {
  std::uint64_t count = 0;
  for (const auto [first, last] : set.ipv4) count += std::uint64_t{last} - first + 1;
  return count;
}

bool is_wide(const AddressSet& set) {
  if (ipv4_count(set) > wide_addresses) return true;
  return std::ranges::any_of(set.ipv6, [](const Ipv6Range& range) { return (range.last - range.first) >> 112 != 0; });
}

void too_wide(const Resolved& resolved, Diagnostics& out) {
  const Model& model = resolved.model;
  std::vector<bool> wide;
  for (const Segment& segment : model.segments) wide.push_back(!segment.is_list && is_wide(segment.addresses));
  for (std::size_t i = 0; i < model.statements.size(); ++i) {
    const Statement& statement = model.statements[i];
    if (statement.is_forbid || !resolved.facts[i].default_services) continue;
    for (const auto* side : {&statement.from, &statement.to})
      if (const auto at = std::ranges::find_if(*side, [&](auto one) { return wide[one]; }); at != side->end()) {
        out.add("W0404", statement.span,
                fmt::format("`{}` opens every TCP, UDP and SCTP port {} all of `{}`", statement.name,
                            side == &statement.to ? "toward" : "to", model.segments[*at].name),
                "no `with`")
            .helped("name the services: with = [\"...\"]");
        break;
      }
  }
}

void carriers(const Names& names, Diagnostics& out) {
  for (const auto& [name, service] : names.services)
    for (const std::uint16_t port : carrier_ports)
      if (port != 4791 && !is_tunnel(protocol_udp, port) && overlaps(service.set.udp, {{port, port}}))
        out.add("W0408", service.span,
                fmt::format("service `{}` opens udp/{}: nothing inside {} is looked at yet", name, port, carries(port)),
                "what it carries passes unjudged")
            .note("inner packets and queue pairs are judged by a later version; until then only the outer pair is");
}

// Whether an address can be in both: one network has both, or both are outside all.
bool live_together(const Segment& a, const Segment& b) {
  if (a.vnis.empty() || b.vnis.empty()) return a.vnis.empty() == b.vnis.empty();
  return std::ranges::find_first_of(a.vnis, b.vnis) != a.vnis.end();
}

void overlapping(const Model& model, const Cells& cells, Diagnostics& out) {
  std::set<std::pair<std::uint32_t, std::uint32_t>> told;
  for (const Cell& cell : cells.cells)
    for (std::size_t i = 0; i < cell.sets.size() && cell.sets.size() <= 64; ++i)
      for (std::size_t j = i + 1; j < cell.sets.size(); ++j) {
        const std::uint32_t a = cell.sets[i], b = cell.sets[j];
        if (!live_together(model.segments[a], model.segments[b])) continue;
        if (model.segments[a].is_list || model.segments[b].is_list || !told.emplace(a, b).second) continue;
        if (std::ranges::includes(cells.of_set[a], cells.of_set[b]) ||
            std::ranges::includes(cells.of_set[b], cells.of_set[a]))
          continue;
        const std::string example = cell.ipv4 ? show(*cell.ipv4) : show(*cell.ipv6);
        out.add("W0409", model.segments[b].span,
                fmt::format("segments `{}` and `{}` overlap in part", model.segments[a].name, model.segments[b].name),
                fmt::format("{} is in both", example))
            .with(model.segments[a].span, "the other")
            .note("an address in several segments has the rights of all of them");
      }
}

void empty_segments(const Model& model, Diagnostics& out) {
  for (const Segment& segment : model.segments)
    if (segment.has_addresses && empty(segment.addresses))
      out.add("W0410", segment.span,
              fmt::format("{} `{}` contains no address", segment.is_list ? "list" : "segment", segment.name),
              "statements that name it do nothing");
}

void watching(const Model& model, Diagnostics& out) {
  if (model.monitor)
    out.add("W0425", model.mode_span, "the policy only watches",
            model.monitor_until_s ? "denies nothing before `monitor_until` is over" : "denies nothing");
}

}  // namespace

void lint(const Resolved& resolved, const Cells& cells, std::int64_t now_s, Diagnostics& out) {
  watching(resolved.model, out);
  unused(resolved.names, out);
  expiring(resolved, now_s, out);
  unpinned(resolved.model, out);
  too_wide(resolved, out);
  carriers(resolved.names, out);
  overlapping(resolved.model, cells, out);
  empty_segments(resolved.model, out);
  lint_budgets(resolved.model, out);
  lint_rdma(resolved, cells, out);
  lint_inspections(resolved, cells, out);
  lint_cover(resolved, cells, out);
}

}  // namespace weir::control
