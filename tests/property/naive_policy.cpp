// Nothing here is clever on purpose: every question is a loop.
#include "tests/property/naive_policy.hpp"

#include <algorithm>
#include <tuple>

namespace weir::naive {

using control::AddressSet;
using control::Model;
using control::PortRange;
using control::Segment;
using control::ServiceSet;
using control::Statement;

namespace {

constexpr u128 every = ~u128{0};

bool contains(const AddressSet& set, bool is_ipv4, u128 address) {
  if (is_ipv4) {
    for (const auto& range : set.ipv4)
      if (range.first <= address && address <= range.last) return true;
  } else {
    for (const auto& range : set.ipv6)
      if (range.first <= address && address <= range.last) return true;
  }
  return false;
}

bool matches(const std::string& pattern, const std::string& port) {
  if (!pattern.empty() && pattern.back() == '*')
    return port.substr(0, pattern.size() - 1) == pattern.substr(0, pattern.size() - 1);
  return pattern == port;
}

bool attached(const Segment& segment, const std::string& port) {
  for (const auto& pattern : segment.attach)
    if (matches(pattern, port)) return true;
  return false;
}

const control::PortPin* pin_for(const Model& model, const std::string& port) {
  const control::PortPin* best = nullptr;
  for (const auto& pin : model.ports) {
    if (pin.name == port) return &pin;
    if (matches(pin.name, port) && (best == nullptr || pin.name.size() > best->name.size())) best = &pin;
  }
  return best;
}

bool in_ranges(const std::vector<PortRange>& ranges, u32 number) {
  for (const auto& range : ranges)
    if (range.first <= number && number <= range.last) return true;
  return false;
}

u64 points(const ServiceSet& set) {
  const auto total = [&](const std::vector<PortRange>& ranges, u8 protocol) {
    if (std::count(set.protocols.begin(), set.protocols.end(), protocol) > 0) return u64{65536};
    u64 sum = 0;
    for (const auto& range : ranges) sum += 1u + range.last - range.first;
    return sum;
  };
  u64 sum = total(set.tcp, 6) + total(set.udp, 17) + total(set.sctp, 132) + total(set.icmp4, 1) + total(set.icmp6, 58);
  for (const u8 protocol : set.protocols)
    if (protocol != 6 && protocol != 17 && protocol != 132) ++sum;
  for (const auto& range : set.rdma) sum += 1u + range.last - range.first;
  return sum;
}

// Addresses in a union of segments, by merging ranges; more than any set for attached ones without addresses.
template <class Range>
u128 merged_size(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  u128 sum = 0, next = 0;
  bool full = false;
  for (const Range& range : ranges) {
    const u128 first = std::max<u128>(range.first, next);
    if (full || first > range.last) continue;
    const u128 more = u128{range.last} - first;  // one less than the count
    if (more >= every - sum) return every;
    sum += more + 1;
    full = u128{range.last} == every;
    next = u128{range.last} + 1;
  }
  return sum;
}

u128 size_of(const Model& model, const std::vector<u32>& segments, bool any) {
  if (any) return every;
  std::vector<control::Ipv4Range> ipv4;
  std::vector<control::Ipv6Range> ipv6;
  for (const u32 index : segments) {
    const Segment& segment = model.segments[index];
    if (!segment.has_addresses) return every - 1;
    ipv4.insert(ipv4.end(), segment.addresses.ipv4.begin(), segment.addresses.ipv4.end());
    ipv6.insert(ipv6.end(), segment.addresses.ipv6.begin(), segment.addresses.ipv6.end());
  }
  const u128 four = merged_size(ipv4), six = merged_size(ipv6);
  return six > every - 2 - four ? every - 2 : four + six;
}

std::vector<u32> multiply(u128 a, u128 b) {
  std::vector<u32> result(8, 0);
  for (u32 i = 0; i < 4; ++i) {
    u64 carry = 0;
    for (u32 j = 0; j < 4; ++j) {
      carry += u64{static_cast<u32>(a >> 32 * i)} * static_cast<u32>(b >> 32 * j) + result[i + j];
      result[i + j] = static_cast<u32>(carry);
      carry >>= 32;
    }
    result[i + 4] = static_cast<u32>(carry);
  }
  return result;
}

}  // namespace

bool has_service(const ServiceSet& set, const Packet& packet) {
  if (packet.is_rdma) return in_ranges(set.rdma, packet.target_port);
  for (const u8 protocol : set.protocols)
    if (protocol == packet.protocol) return true;
  const u32 icmp = packet.icmp_type * 256u + packet.icmp_code;
  switch (packet.protocol) {
    case 6: return in_ranges(set.tcp, packet.target_port);
    case 17: return in_ranges(set.udp, packet.target_port);
    case 132: return in_ranges(set.sctp, packet.target_port);
    case 1: return packet.is_ipv4 && in_ranges(set.icmp4, icmp);
    case 58: return !packet.is_ipv4 && in_ranges(set.icmp6, icmp);
    default: return false;
  }
}

Policy::Policy(const Model& model) : model_(model) {
  for (const Statement& statement : model.statements)
    weights_.push_back(
        {multiply(size_of(model, statement.from, statement.from_any), size_of(model, statement.to, statement.to_any)),
         points(statement.services)});
  for (u32 i = 0; i < model.segments.size(); ++i) sizes_.push_back(size_of(model, {i}, false));
}

bool Policy::spoofed(const Packet& packet) const {
  const control::PortPin* own = pin_for(model_, packet.in_port);
  if (own != nullptr && own->has_addresses) {
    if (!contains(own->addresses, packet.is_ipv4, packet.source)) return true;
  } else {
    for (const auto& pin : model_.ports)
      if (pin.has_addresses && contains(pin.addresses, packet.is_ipv4, packet.source)) return true;
  }
  bool port_is_attached = false;
  for (const Segment& segment : model_.segments) port_is_attached |= attached(segment, packet.in_port);
  return port_is_attached && sources_by_port(packet).empty();
}

// Segments attached to the port that the packet came in by and that contain its source.
std::vector<u32> Policy::sources_by_port(const Packet& packet) const {
  std::vector<u32> result;
  for (u32 i = 0; i < model_.segments.size(); ++i) {
    const Segment& segment = model_.segments[i];
    const bool has = segment.has_addresses && contains(segment.addresses, packet.is_ipv4, packet.source);
    if (attached(segment, packet.in_port) && (has || !segment.has_addresses)) result.push_back(i);
  }
  return result;
}

std::vector<u32> Policy::sources(const Packet& packet) const {
  bool port_is_attached = false;
  for (const Segment& segment : model_.segments) port_is_attached |= attached(segment, packet.in_port);
  std::vector<u32> result;
  for (u32 i = 0; i < model_.segments.size(); ++i) {
    const Segment& segment = model_.segments[i];
    const bool has = segment.has_addresses && contains(segment.addresses, packet.is_ipv4, packet.source);
    // On an attached port: what is attached to it, and what is attached nowhere and known by address.
    const bool here = !port_is_attached || segment.attach.empty() || attached(segment, packet.in_port);
    const bool by_port_alone = port_is_attached && !segment.has_addresses && attached(segment, packet.in_port);
    if (by_port_alone || (here && has)) result.push_back(i);
  }
  return result;
}

std::vector<u32> Policy::targets(const Packet& packet) const {
  std::vector<u32> result;
  for (u32 i = 0; i < model_.segments.size(); ++i) {
    const Segment& segment = model_.segments[i];
    if (segment.has_addresses ? contains(segment.addresses, packet.is_ipv4, packet.target)
                              : attached(segment, packet.out_port))
      result.push_back(i);
  }
  return result;
}

std::vector<u32> Policy::known_by_port(const std::string& port) const {
  std::vector<u32> result;
  for (u32 i = 0; i < model_.segments.size(); ++i)
    if (!model_.segments[i].has_addresses && attached(model_.segments[i], port)) result.push_back(i);
  return result;
}

std::vector<u32> Policy::attached_to(const std::string& port) const {
  std::vector<u32> result;
  for (u32 i = 0; i < model_.segments.size(); ++i)
    if (attached(model_.segments[i], port)) result.push_back(i);
  return result;
}

u64 Policy::assets_among(const std::vector<u32>& segments) const {
  u64 held = 0;
  for (u32 i = 0; i < model_.assets.size(); ++i)
    for (const u32 segment : segments)
      if (std::count(model_.assets[i].held.begin(), model_.assets[i].held.end(), segment) > 0) held |= u64{1} << i % 64;
  return held;
}

u64 Policy::jobs_among(const std::vector<u32>& segments) const {
  u64 member = 0;
  for (u32 i = 0; i < model_.jobs.size(); ++i)
    for (const u32 segment : segments)
      if (std::count(model_.jobs[i].members.begin(), model_.jobs[i].members.end(), segment) > 0) member |= u64{1} << i;
  return member;
}

std::string Policy::reserve_among(const std::vector<u32>& segments) const {
  u32 most = 0;
  std::string whose;
  for (const u32 index : segments) {
    const Segment& segment = model_.segments[index];
    if (segment.reserve > most || (segment.reserve == most && most != 0 && segment.name < whose)) whose = segment.name;
    most = std::max(most, segment.reserve);
  }
  return whose;
}

Facts Policy::facts(const Packet& packet, const Answer& answer) const {
  if (answer.reason == Reason::spoofed) return {};
  Facts facts{reserve_among(sources(packet)), reserve_among(targets(packet)), false, false, 0, 0, 0, 0, {}};
  facts.source_assets = assets_among(sources(packet));
  facts.target_assets = assets_among(targets(packet));
  facts.source_jobs = jobs_among(sources(packet));
  facts.target_jobs = jobs_among(targets(packet));
  if (answer.rule == "policy.mode") facts.terms = {127, 0, 1024, u64{64} << 20, 1 << 20, 0};
  bool asks = false;
  for (const u32 index : sources(packet)) asks |= model_.segments[index].reject;
  for (const control::Statement& statement : model_.statements) {
    if (statement.name != answer.rule) continue;
    asks |= statement.reject;
    facts.syn_proxy = statement.syn_proxy;
    const control::RdmaTerms& terms = statement.rdma;
    if (!statement.is_forbid)
      facts.terms = {terms.operations ? *terms.operations : 0x7bu, !terms.operations, terms.read_mtu,
                     terms.read_credit, terms.first_use, terms.protocols};
  }
  facts.rejects = asks && answer.reason != Reason::flow_new;
  return facts;
}

std::string Policy::narrowest(const std::vector<u32>& segments) const {
  const u32* best = nullptr;
  for (const u32& segment : segments)
    if (best == nullptr || sizes_[segment] < sizes_[*best] ||
        (sizes_[segment] == sizes_[*best] && model_.segments[segment].name < model_.segments[*best].name))
      best = &segment;
  return best == nullptr ? std::string() : model_.segments[*best].name;
}

bool Policy::covers(const Statement& statement, const Packet& packet, const std::vector<u32>& from,
                    const std::vector<u32>& to) const {
  const auto meets = [](const std::vector<u32>& named, const std::vector<u32>& present) {
    for (const u32 segment : present)
      if (std::count(named.begin(), named.end(), segment) > 0) return true;
    return false;
  };
  return (statement.from_any || meets(statement.from, from)) && (statement.to_any || meets(statement.to, to)) &&
         has_service(statement.services, packet);
}

Answer Policy::judge(const Packet& packet, Tick now) const {
  const std::vector<u32> to = targets(packet);
  if (spoofed(packet)) return {Reason::spoofed, "", "", narrowest(to)};
  const std::vector<u32> from = sources(packet);
  // On an attached port the name shown is that of the identity by port.
  const std::vector<u32> by_port = sources_by_port(packet);
  Answer answer{Reason::no_allow, "", narrowest(by_port.empty() ? from : by_port), narrowest(to)};
  u32 best = 0;
  const auto rank = [](Reason reason) {
    return reason == Reason::forbidden ? 3 : reason == Reason::flow_new ? 2 : reason == Reason::expired ? 1 : 0;
  };
  for (u32 i = 0; i < model_.statements.size(); ++i) {
    const Statement& statement = model_.statements[i];
    if (!covers(statement, packet, from, to)) continue;
    const bool over = statement.expires_s && *statement.expires_s <= static_cast<std::int64_t>(now / tick_second);
    const Reason reason = statement.is_forbid ? Reason::forbidden : over ? Reason::expired : Reason::flow_new;
    if (rank(reason) < rank(answer.reason)) continue;
    if (rank(reason) == rank(answer.reason)) {
      const auto key = [&](u32 index) {
        std::vector<u32> most_first(weights_[index].pairs.rbegin(), weights_[index].pairs.rend());
        return std::tuple(most_first, weights_[index].points, model_.statements[index].name);
      };
      if (key(best) < key(i)) continue;
    }
    best = i;
    answer.reason = reason;
    answer.rule = statement.name;
  }
  if (answer.reason == Reason::flow_new || !model_.monitor) return answer;
  const bool over = model_.monitor_until_s && static_cast<std::int64_t>(now / tick_second) >= *model_.monitor_until_s;
  if (answer.reason == Reason::no_allow || (answer.reason == Reason::expired && !over)) answer.rule = "policy.mode";
  if (!over) answer.reason = Reason::flow_new;
  else if (answer.reason == Reason::no_allow) answer.reason = Reason::expired;
  return answer;
}

}  // namespace weir::naive
