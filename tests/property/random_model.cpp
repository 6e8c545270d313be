// Boundaries are where compiled tables go wrong: half of the packets sit on or beside the end of some range.
#include "tests/property/random_model.hpp"

#include <algorithm>
#include <string>

namespace weir::naive {

using control::AddressSet;
using control::Model;
using control::PortRange;
using control::ServiceSet;
using control::Statement;

namespace {

constexpr u32 ipv4_world = 0x0a000000;
constexpr u128 ipv6_world = u128{0x20010db8} << 96;
constexpr const char* patterns[] = {"pf0", "pf*", "vf0", "vf1", "vf*", "v*", "vf10", "*"};
constexpr const char* ports[] = {"pf0", "pf1", "vf0", "vf1", "vf10", "vf2", "uplink", "v"};
constexpr u16 port_numbers[] = {0, 1, 22, 53, 80, 443, 444, 1024, 8000, 8080, 65534, 65535};
constexpr u8 protocols[] = {1, 6, 17, 58, 132, 47, 50, 51, 0, 255};

u32 random_ipv4(Draw& draw) {
  if (draw.one_in(12)) return static_cast<u32>(draw.bits());
  return ipv4_world | static_cast<u32>(draw.below(draw.one_in(2) ? 256 : 65536));
}

u128 random_ipv6(Draw& draw) {
  if (draw.one_in(12)) return u128{draw.bits()} << 64 | draw.bits();
  if (draw.one_in(12)) return u128{0xffff} << 32 | random_ipv4(draw);  // v4-mapped is IPv6
  return ipv6_world | u128{draw.below(4)} << 64 | draw.below(draw.one_in(2) ? 64 : 4096);
}

template <class Range, class Number>
Range random_range(Draw& draw, Number at) {
  constexpr u32 bits = sizeof(Number) * 8;
  if (draw.one_in(3)) {
    const Number length = static_cast<Number>(draw.below(300));
    return {at, length > static_cast<Number>(~Number{0}) - at ? static_cast<Number>(~Number{0})
                                                              : static_cast<Number>(at + length)};
  }
  const u32 host_bits = draw.one_in(30) ? bits : static_cast<u32>(draw.below(bits == 32 ? 18 : 70));
  const Number mask =
      host_bits == bits ? static_cast<Number>(~Number{0}) : static_cast<Number>((Number{1} << host_bits) - 1);
  return {static_cast<Number>(at & ~mask), static_cast<Number>(at | mask)};
}

AddressSet random_addresses(Draw& draw) {
  AddressSet set;
  for (u64 i = draw.below(5); i > 0; --i) {
    if (draw.one_in(3)) set.ipv6.push_back(random_range<control::Ipv6Range, u128>(draw, random_ipv6(draw)));
    else set.ipv4.push_back(random_range<control::Ipv4Range, u32>(draw, random_ipv4(draw)));
  }
  normalise(set);
  return set;
}

template <class Range>
void normalise_ranges(std::vector<Range>& ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  std::vector<Range> merged;
  for (const Range& range : ranges) {
    if (!merged.empty() && (range.first <= merged.back().last || range.first - merged.back().last == 1))
      merged.back().last = std::max(merged.back().last, range.last);
    else merged.push_back(range);
  }
  ranges = std::move(merged);
}

std::vector<PortRange> random_ports(Draw& draw, u64 up_to) {
  std::vector<PortRange> ranges;
  for (u64 i = draw.below(up_to + 1); i > 0; --i) {
    const u16 first = port_numbers[draw.below(std::size(port_numbers))];
    ranges.push_back(
        {first, draw.one_in(2) ? first : std::max(first, port_numbers[draw.below(std::size(port_numbers))])});
  }
  normalise_ranges(ranges);
  return ranges;
}

std::vector<PortRange> random_icmp(Draw& draw) {
  std::vector<PortRange> ranges;
  if (draw.one_in(2)) return ranges;
  const u16 type = static_cast<u16>((draw.one_in(2) ? 8 : draw.below(256)) << 8);
  ranges.push_back(draw.one_in(2) ? PortRange{type, static_cast<u16>(type | 255)} : PortRange{type, type});
  return ranges;
}

ServiceSet random_services(Draw& draw) {
  if (draw.one_in(5)) {
    const std::vector<PortRange> all{{0, 65535}};
    ServiceSet everything{all, all, all, all, all, {}, draw.one_in(2) ? all : std::vector<PortRange>{}};
    for (u32 protocol = 0; protocol < 256; ++protocol) everything.protocols.push_back(static_cast<u8>(protocol));
    return everything;
  }
  ServiceSet set{random_ports(draw, 3), random_ports(draw, 2), random_ports(draw, 1),
                 random_icmp(draw),     random_icmp(draw),     {}};
  for (const u8 protocol : protocols)
    if (draw.one_in(9)) set.protocols.push_back(protocol);
  std::sort(set.protocols.begin(), set.protocols.end());
  if (draw.one_in(3)) set.rdma = random_ports(draw, 2);
  return set;
}

std::vector<u32> random_segments(Draw& draw, const Model& model, bool& any) {
  any = draw.one_in(6);
  std::vector<u32> chosen;
  if (any || model.segments.empty()) return chosen;
  for (u64 i = 1 + draw.below(3); i > 0; --i) chosen.push_back(static_cast<u32>(draw.below(model.segments.size())));
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return chosen;
}

std::string numbered(const char* stem, u64 number) { return stem + std::to_string(100 + number); }

void add_segments(Draw& draw, Model& model) {
  const bool use_ports = !draw.one_in(3);
  for (u64 i = draw.below(14); i > 0; --i) {
    control::Segment segment;
    segment.name = numbered("s", draw.one_in(2) ? 50 - i : 50 + i);
    for (u64 k = use_ports ? draw.below(3) : 0; k > 0; --k)
      segment.attach.push_back(patterns[draw.below(std::size(patterns) - (draw.one_in(8) ? 0 : 1))]);
    segment.has_addresses = segment.attach.empty() || draw.one_in(2);
    if (segment.has_addresses) segment.addresses = random_addresses(draw);
    model.segments.push_back(std::move(segment));
  }
  for (u64 i = 0; use_ports && i < std::size(patterns); ++i) {
    if (!draw.one_in(4)) continue;
    control::PortPin pin;
    pin.name = patterns[i];
    pin.has_addresses = !draw.one_in(4);
    if (pin.has_addresses) pin.addresses = random_addresses(draw);
    model.ports.push_back(std::move(pin));
  }
  std::sort(model.segments.begin(), model.segments.end(), [](auto& a, auto& b) { return a.name < b.name; });
  std::sort(model.ports.begin(), model.ports.end(), [](auto& a, auto& b) { return a.name < b.name; });
}

u128 near(Draw& draw, const Model& model, bool is_ipv4) {
  if (model.segments.empty() || draw.one_in(2)) return is_ipv4 ? random_ipv4(draw) : random_ipv6(draw);
  const u64 pick = draw.below(model.segments.size() + model.ports.size());
  const AddressSet& set = pick < model.segments.size() ? model.segments[pick].addresses
                                                       : model.ports[pick - model.segments.size()].addresses;
  u128 at = is_ipv4 ? random_ipv4(draw) : random_ipv6(draw);
  if (is_ipv4 && !set.ipv4.empty()) {
    const auto& range = set.ipv4[draw.below(set.ipv4.size())];
    at = draw.one_in(2) ? range.first : range.last;
  } else if (!is_ipv4 && !set.ipv6.empty()) {
    const auto& range = set.ipv6[draw.below(set.ipv6.size())];
    at = draw.one_in(2) ? range.first : range.last;
  }
  at = at + draw.below(3) - 1;
  return is_ipv4 ? static_cast<u32>(at) : at;
}

control::Frequency random_rate(Draw& draw) {
  if (draw.one_in(3)) return {};
  const u64 interval = 256 + draw.below(u64{1} << draw.below(40));
  return {interval, interval * draw.below(100)};
}

// Facts about zones, flags of decisions and the row of [state] and [flood].
void add_tracking(Draw& draw, Model& model) {
  u32 left = 10'000, reserves = 0;
  for (control::Segment& segment : model.segments) {
    segment.reject = draw.one_in(4);
    if (!draw.one_in(3) || left < 100 || ++reserves > 15) continue;
    segment.reserve = static_cast<u32>(1 + draw.below(3)) * (left / 4);
    left -= segment.reserve;
  }
  for (Statement& statement : model.statements) {
    statement.syn_proxy = !statement.is_forbid && draw.one_in(3);
    statement.reject = statement.is_forbid && draw.one_in(2);
  }
  control::Tracking& row = model.tracking;
  row.loose = draw.one_in(2), row.pick_up = draw.one_in(2);
  row.trust_checksums = draw.one_in(2), row.drop_fragments = draw.one_in(2);
  row.sweep_ms = static_cast<u32>(100 + draw.below(10'000));
  if (draw.one_in(2)) row.timeouts_ms.emplace("tcp_opening", 1000 + draw.below(9000));
  row.new_per_source = random_rate(draw), row.new_per_target = random_rate(draw);
  row.icmp = random_rate(draw), row.reject = random_rate(draw);
  row.half_open = static_cast<u32>(draw.below(3)), row.udp = static_cast<u32>(draw.below(3));
  row.scan_ports = static_cast<u32>(draw.below(401)), row.scan_block_ms = static_cast<u32>(draw.below(1000));
  row.syn_proxy = static_cast<control::Tracking::SynProxy>(draw.below(3));
}

// Terms of queue pairs, assets, jobs and declared pairs.
void add_rdma(Draw& draw, Model& model) {
  for (Statement& statement : model.statements) {
    if (statement.is_forbid || draw.one_in(2)) continue;
    if (draw.one_in(2)) statement.rdma.operations = static_cast<u8>(draw.below(128));
    statement.rdma.read_mtu = 256u << draw.below(5);
    statement.rdma.read_credit = 1 + draw.below(u64{1} << 32);
    statement.rdma.first_use = static_cast<u32>(draw.below(100));
    statement.rdma.protocols = static_cast<u16>(draw.one_in(4) ? draw.below(128) : 0);
  }
  bool any = false;
  for (u64 i = draw.below(6); i > 0 && !model.segments.empty(); --i) {
    control::Asset asset;
    asset.name = numbered("a", 100 - i);
    while (asset.held.empty()) asset.held = random_segments(draw, model, any);
    model.assets.push_back(std::move(asset));
  }
  for (u64 i = draw.below(6); i > 0 && !model.segments.empty(); --i) {
    control::Job job;
    job.name = numbered("j", 100 - i);
    job.span = {0, static_cast<u32>(draw.below(40)), 0};
    while (job.members.empty()) job.members = random_segments(draw, model, any);
    job.transports = static_cast<u8>(1 + draw.below(7));
    job.operations = static_cast<u8>(draw.below(128));
    job.seal_after_us = draw.below(1'000'000'000);
    if (draw.one_in(2)) job.tag = draw.bits();
    if (draw.one_in(2)) job.read_mtu = 4096, job.read_credit = 1 + draw.below(1'000'000);
    if (draw.one_in(2)) job.burst = 1 + draw.below(1'000'000'000), job.ratio = 2 + static_cast<u32>(draw.below(50));
    if (draw.one_in(2)) job.uet = static_cast<u32>(draw.below(1 << 24));
    model.jobs.push_back(std::move(job));
  }
  for (u64 i = draw.below(40); i > 0; --i) {
    control::QueuePair pair;
    const u32 host = ipv4_world | static_cast<u32>(draw.below(4));
    if (draw.one_in(4)) {
      pair.from.ipv6 = {{ipv6_world | host, ipv6_world | host}};
      pair.to.ipv6 = {{ipv6_world, ipv6_world}};
    } else {
      pair.from.ipv4 = {{host, host}};
      pair.to.ipv4 = {{ipv4_world + 9, ipv4_world + 9}};
    }
    if (!draw.one_in(3)) pair.from_qp = static_cast<u32>(draw.below(16));
    if (!pair.from_qp || draw.one_in(2)) pair.to_qp = static_cast<u32>(draw.below(16)) << 20;
    model.queue_pairs.push_back(std::move(pair));
  }
  model.rdma.check_icrc = draw.one_in(2);
  model.rdma.nak_penalty_ms = static_cast<u32>(1 + draw.below(10'000));
}

}  // namespace

void normalise(AddressSet& set) {
  normalise_ranges(set.ipv4);
  normalise_ranges(set.ipv6);
}

Model random_model(Draw& draw) {
  Model model;
  model.name = "random";
  model.files = {"random.toml"};
  model.line_starts = {{0, 10, 20, 30}};
  add_segments(draw, model);
  const bool some_expire = draw.one_in(2);  // without any, decisions take a shorter way
  // Mostly few, so that each one matters; sometimes more than one word, seldom more than one group of words.
  const u64 statements = draw.one_in(20)  ? 3000 + draw.below(3000)
                         : draw.one_in(8) ? 60 + draw.below(400)
                                          : draw.below(30);
  for (u64 i = 0; i < statements; ++i) {
    Statement statement;
    statement.name = numbered("r", 1000 - i);
    statement.span = {0, static_cast<u32>(draw.below(40)), 0};
    statement.is_forbid = draw.one_in(5);
    statement.from = random_segments(draw, model, statement.from_any);
    statement.to = random_segments(draw, model, statement.to_any);
    statement.services = random_services(draw);
    statement.log = static_cast<control::Log>(draw.below(3));
    if (some_expire && !statement.is_forbid && draw.one_in(3))
      statement.expires_s = 1000 + static_cast<std::int64_t>(draw.below(4));
    model.statements.push_back(std::move(statement));
  }
  std::sort(model.statements.begin(), model.statements.end(), [](auto& a, auto& b) { return a.name < b.name; });
  model.link = {draw.one_in(2), draw.one_in(2), draw.one_in(2), draw.one_in(2)};
  if (draw.one_in(2)) add_tracking(draw, model);
  if (draw.one_in(2)) add_rdma(draw, model);
  return model;
}

void add_budgets(Draw& draw, Model& model) {
  using control::Budget, control::Limit;
  const auto everything = [] {
    const std::vector<PortRange> all{{0, 65535}};
    ServiceSet set{all, all, all, all, all, {}, all};
    for (u32 protocol = 0; protocol < 256; ++protocol) set.protocols.push_back(static_cast<u8>(protocol));
    return set;
  };
  for (u64 i = draw.below(8); i > 0 && !model.segments.empty(); --i) {
    Budget budget;
    budget.name = numbered("b", 100 - i);
    budget.span = {0, static_cast<u32>(draw.below(40)), 0};
    bool any = false;
    while (budget.from.empty()) budget.from = random_segments(draw, model, any);
    budget.to = random_segments(draw, model, budget.to_any);
    budget.any_service = draw.one_in(2);
    budget.services = budget.any_service ? everything() : random_services(draw);
    for (u64 w = 1 + draw.below(3); w > 0; --w)
      budget.windows.push_back({1 + draw.below(u64{1} << 40), w == 1 && draw.one_in(4) ? 0 : 4000 - 1000 * w, {}});
    budget.on_exceed = static_cast<Budget::Exceed>(draw.below(3));
    if (budget.windows.back().length_s == 0) budget.on_exceed = Budget::Exceed::deny;
    if (budget.on_exceed == Budget::Exceed::throttle) budget.throttle_bits_per_s = 8 + draw.below(1'000'000'000);
    budget.scope = static_cast<Budget::Scope>(draw.below(3));
    budget.monitor = draw.one_in(5);
    budget.opens_empty = draw.one_in(2);
    budget.count = static_cast<Budget::Count>(draw.below(2));
    if (draw.one_in(2)) budget.max_share = static_cast<u32>(1 + draw.below(10'000));
    if (draw.one_in(2)) budget.alert_at = {50, 95};
    for (u64 r = draw.below(3); r > 0; --r) {
      Budget::Reserve reserve;
      if (draw.one_in(2)) reserve.segment = static_cast<u32>(draw.below(model.segments.size()));
      else reserve.services = random_services(draw);
      reserve.share = static_cast<u32>(1 + draw.below(5'000));
      budget.reserves.push_back(std::move(reserve));
    }
    model.budgets.push_back(std::move(budget));
  }
  for (u64 i = draw.below(6); i > 0; --i) {
    Limit limit;
    limit.name = numbered("l", 100 - i);
    limit.from = random_segments(draw, model, limit.from_any);
    limit.to = random_segments(draw, model, limit.to_any);
    limit.any_service = draw.one_in(2);
    limit.services = limit.any_service ? everything() : random_services(draw);
    limit.rate_bits_per_s = draw.below(1'000'000'000);
    if (limit.rate_bits_per_s != 0) limit.burst_bytes = 2048 + draw.below(1'000'000);
    limit.new_connections = random_rate(draw);
    limit.connections = static_cast<u32>(1 + draw.below(1000));
    limit.per = static_cast<Limit::Per>(draw.below(4));
    model.limits.push_back(std::move(limit));
  }
  for (control::Segment& segment : model.segments) segment.hosts = static_cast<u32>(1 + draw.below(1000));
  model.instances = draw.one_in(3) ? static_cast<u32>(2 + draw.below(4)) : 1;
}

Packet random_packet(Draw& draw, const Model& model) {
  const bool is_ipv4 = !draw.one_in(3);
  Packet packet{ports[draw.below(std::size(ports))],
                ports[draw.below(std::size(ports))],
                is_ipv4,
                near(draw, model, is_ipv4),
                near(draw, model, is_ipv4),
                protocols[draw.below(std::size(protocols))],
                static_cast<u8>(draw.one_in(2) ? 8 : draw.below(256)),
                static_cast<u8>(draw.below(2)),
                port_numbers[draw.below(std::size(port_numbers))]};
  if (draw.one_in(4)) packet.target_port = static_cast<u16>(draw.bits());
  if (draw.one_in(20)) packet.protocol = static_cast<u8>(draw.bits());
  if (draw.one_in(8)) packet.protocol = 17, packet.is_rdma = true;
  // The parser drops sources in ff00::/8 (RFC 4291), and Address relies on it.
  if (!is_ipv4 && static_cast<u32>(packet.source >> 120) == 0xff) packet.source >>= 8;
  if (!is_ipv4 && packet.target >> 64 == ~u64{0}) packet.target |= 1;  // Policy::target_segment cannot name it
  return packet;
}

Tick random_time(Draw& draw) { return (998 + draw.below(7)) * tick_second - draw.below(2); }

Address address_of(bool is_ipv4, u128 number) {
  if (is_ipv4) return Address::ipv4(swap(static_cast<u32>(number)));
  return {swap(static_cast<u64>(number >> 64)), swap(static_cast<u64>(number))};
}

Question question_of(const Packet& packet, const weir::Policy& policy) {
  return {address_of(packet.is_ipv4, packet.source),
          address_of(packet.is_ipv4, packet.target),
          policy.port_class(packet.in_port),
          policy.port_class(packet.out_port),
          packet.protocol,
          packet.icmp_type,
          packet.icmp_code,
          packet.target_port,
          packet.is_rdma};
}

}  // namespace weir::naive
