// Judging first packets by a verified image, and the questions around it: names, ports, pins, expiry.
#include "dataplane/policy/policy.hpp"

#include "dataplane/policy/decide.hpp"
#include "dataplane/policy/lookup.hpp"

namespace weir {

Judgement Policy::judge(const Question& question, Tick now) const {
  const bool is_ipv4 = question.source.is_ipv4();
  const u16 from = source_zone(checked(question.source_class), image::atom_of(view_, question.source, is_ipv4));
  if (from == image::zone_spoofed) return {Reason::spoofed, 0, no_rule, zone_unknown, zone_unknown};
  const u16 to = target_zone(checked(question.target_class), image::atom_of(view_, question.target, is_ipv4));
  return image::decide(view_, from, to, image::service_of(view_, question, is_ipv4), now);
}

namespace {

// The family of a target without its source. A multicast target may carry the mark of IPv4 (key.hpp); unless its last
// 32 bits are zero it is told apart here. Only for names: judge() goes by the source.
bool is_ipv4_alone(const Address& target) { return target.is_ipv4() && target.low >> 32 == 0; }

}  // namespace

bool Policy::source_allowed(u16 port_class, const Address& source) const {
  const u32 atom = image::atom_of(view_, source, source.is_ipv4());
  return source_zone(checked(port_class), atom) != image::zone_spoofed;
}

bool Policy::mac_allowed(u16 port_class, const u8* mac) const {
  const image::PortClass& entry = view_.port_classes[checked(port_class)];
  if (entry.macs_count == 0) return true;
  for (u32 i = 0; i < entry.macs_count; ++i)
    if (std::memcmp(view_.macs[entry.macs_first + i].bytes, mac, 6) == 0) return true;
  return false;
}

u16 Policy::port_class(std::string_view port_name) const {
  u16 best = 0;
  u32 best_bytes = 0;
  for (u32 index = 1; index < view_.port_classes_count; ++index) {
    const image::PortClass& entry = view_.port_classes[index];
    const std::string_view pattern = text(entry.pattern);
    const bool is_prefix = entry.kind == image::ClassKind::prefix;
    if (!is_prefix && pattern == port_name) return static_cast<u16>(index);
    if (!is_prefix || !port_name.starts_with(pattern)) continue;
    if (best != 0 && pattern.size() <= best_bytes) continue;
    best = static_cast<u16>(index);
    best_bytes = static_cast<u32>(pattern.size());
  }
  return best;
}

u16 Policy::network_class(u32 number) const {
  const u32 unbound = view_.port_classes_count;
  u32 low = unbound + 1, high = static_cast<u32>(view_.port_classes.size());
  while (low < high) {
    const u32 middle = low + (high - low) / 2;
    if (view_.port_classes[middle].network < number) low = middle + 1;
    else high = middle;
  }
  const bool found = low < view_.port_classes.size() && view_.port_classes[low].network == number;
  return static_cast<u16>(found ? low : unbound);
}

const image::StaticPair* Policy::static_pair(const Address& source, const Address& target, u32 qp) const {
  const image::StaticPair wanted{source.high, source.low, target.high, target.low, qp, 0, 0, 0};
  u64 low = 0, high = view_.static_pairs.size();
  while (low < high) {
    const u64 middle = low + (high - low) / 2;
    if (image::stands_before(view_.static_pairs[middle], wanted)) low = middle + 1;
    else high = middle;
  }
  const bool found = low < view_.static_pairs.size() && !image::stands_before(wanted, view_.static_pairs[low]);
  return found ? &view_.static_pairs[low] : nullptr;
}

bool Policy::has_holders() const {
  for (const image::ZoneFacts& facts : view_.source_facts)
    if (facts.assets != 0) return true;
  return false;
}

LinkRules Policy::link() const {
  const u32 link = view_.meta[0].link;
  return {(link & image::link_arp) != 0, (link & image::link_nd) != 0, (link & image::link_ra) != 0,
          (link & image::link_dhcp) != 0, u64{view_.meta[0].link_kib_a_day} * 1024};
}

Tick Policy::next_expiry(Tick now) const {
  u64 low = 0, high = view_.expiries.size();
  while (low < high) {
    const u64 middle = low + (high - low) / 2;
    if (view_.expiries[middle] > now) high = middle;
    else low = middle + 1;
  }
  return low < view_.expiries.size() ? view_.expiries[low] : ~Tick{0};
}

RuleView Policy::rule(u32 index) const {
  WEIR_CHECK(index < view_.rules.size());
  const image::Rule& rule = view_.rules[index];
  return {text(rule.name), text(rule.file), rule.line, rule.is_forbid != 0};
}

std::string_view Policy::segment_name(u16 segment) const {
  if (segment >= view_.segments.size()) return {};
  return text(view_.segments[segment].name);
}

// Of segments that contain an address. Inside a network those bound to it count, on an attached port those attached to
// it and on any other port all that are bound to no network.
bool Policy::is_in(u16 port_class, u16 segment) const {
  const image::PortClass& entry = view_.port_classes[port_class];
  if (entry.segments_count == 0) return entry.kind != image::ClassKind::network && !view_.segments[segment].is_bound;
  for (const u16 other : view_.class_segments.subspan(entry.segments_first, entry.segments_count))
    if (other == segment) return true;
  return false;
}

u16 Policy::source_segment(u16 port_class, const Address& source) const {
  const u32 atom = image::atom_of(view_, source, source.is_ipv4());
  if (source_zone(checked(port_class), atom) == image::zone_spoofed) return no_segment;
  for (u32 i = view_.atom_starts[atom]; i < view_.atom_starts[atom + 1]; ++i)
    if (is_in(port_class, view_.atom_segments[i])) return view_.atom_segments[i];
  return segment_without_addresses(port_class);
}

u16 Policy::segment_without_addresses(u16 port_class) const {
  const image::PortClass& entry = view_.port_classes[port_class];
  for (const u16 segment : view_.class_segments.subspan(entry.segments_first, entry.segments_count))
    if (!view_.segments[segment].has_addresses) return segment;
  return no_segment;
}

u16 Policy::target_segment(u16 port_class, const Address& target) const {
  const u32 atom = image::atom_of(view_, target, is_ipv4_alone(target));
  const bool is_network = view_.port_classes[checked(port_class)].kind == image::ClassKind::network;
  for (u32 i = view_.atom_starts[atom]; i < view_.atom_starts[atom + 1]; ++i) {
    const u16 segment = view_.atom_segments[i];
    if (is_network ? is_in(port_class, segment) : !view_.segments[segment].is_bound) return segment;
  }
  return segment_without_addresses(port_class);
}

}  // namespace weir
