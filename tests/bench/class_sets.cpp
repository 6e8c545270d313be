// See class_sets.hpp.
#include "tests/bench/class_sets.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <string>

namespace weir::bench {

namespace {

struct Shape {
  u32 source_any, target_any;  // per cent
  u32 host, net24, net16;      // per cent of prefixes that are not any; the rest are 17 to 31 long
  u32 port_any, port_range;    // per cent; the rest are one port
  u32 protocol_any, udp, icmp; // per cent; the rest are TCP
};

constexpr Shape shapes[] = {
    {8, 3, 35, 25, 8, 30, 12, 6, 22, 4},     // access_list
    {15, 10, 45, 20, 8, 35, 15, 10, 25, 5},  // chain
    {30, 20, 35, 25, 10, 25, 25, 10, 25, 5}, // firewall
};

constexpr u16 well_known[] = {20, 21, 22, 23, 25, 53, 80, 110, 123, 135, 137, 139, 143, 161, 389, 443, 445, 514, 993,
                              1433, 1521, 1723, 2049, 3128, 3306, 3389, 5060, 5432, 6379, 8080, 8443, 9090, 11211};

class Maker {
 public:
  Maker(Style style, u32 statements) : shape_(shapes[static_cast<u32>(style)]), engine_(17) {
    for (u32 i = 0; i < 8 + statements / 60; ++i)
      networks_.push_back(static_cast<u32>((1 + below(222)) << 24 | below(1 << 24)) & 0xffff0000);
  }

  u64 below(u64 count) { return engine_() % count; }
  bool per_cent(u32 share) { return below(100) < share; }

  control::Ipv4Range prefix() {
    const u64 kind = below(100);
    const u32 bits = kind < shape_.host ? 32
                     : kind < shape_.host + shape_.net24 ? 24
                     : kind < shape_.host + shape_.net24 + shape_.net16 ? 16
                                                                       : static_cast<u32>(17 + below(15));
    // Squared: some networks are written about much more than others.
    const u64 pick = below(networks_.size()) * below(networks_.size()) / networks_.size();
    const u32 mask = static_cast<u32>(~u64{0} << (32 - bits));
    const u32 at = (networks_[pick] | static_cast<u32>(below(256) << 8 | below(256))) & mask;
    return {at, at | ~mask};
  }

  // Nothing means any.
  std::vector<u32> segment(control::Model& model, u32 any_share, bool groups, std::size_t& prefixes) {
    if (per_cent(any_share)) return {};
    control::Segment segment;
    segment.has_addresses = true;
    for (u64 count = groups ? 1 + below(3) : 1; count > 0; --count) segment.addresses.ipv4.push_back(prefix());
    auto& ranges = segment.addresses.ipv4;
    std::sort(ranges.begin(), ranges.end(),
              [](auto a, auto b) { return a.first != b.first ? a.first < b.first : a.last > b.last; });
    std::vector<control::Ipv4Range> apart;
    for (const auto& range : ranges)
      if (apart.empty() || u64{range.first} > u64{apart.back().last} + 1) apart.push_back(range);
    ranges = apart;
    std::vector<u64> name;
    for (const auto& range : ranges) name.push_back(u64{range.first} << 32 | range.last);
    const auto [place, is_new] = known_.try_emplace(name, static_cast<u32>(model.segments.size()));
    if (is_new) {
      prefixes += ranges.size();
      segment.name = std::string("s").append(std::to_string(100'000 + model.segments.size()));
      model.segments.push_back(std::move(segment));
    }
    return {place->second};
  }

  control::ServiceSet services() {
    const std::vector<control::PortRange> all{{0, 65535}};
    if (per_cent(shape_.protocol_any)) {
      control::ServiceSet everything{all, all, all, all, all, {}};
      for (u32 protocol = 0; protocol < 256; ++protocol) everything.protocols.push_back(static_cast<u8>(protocol));
      return everything;
    }
    if (per_cent(shape_.icmp)) return {{}, {}, {}, all, {}, {}};
    std::vector<control::PortRange> ports = all;
    if (!per_cent(shape_.port_any)) {
      const u16 port = well_known[below(std::size(well_known))];
      ports = {{port, port}};
      if (per_cent(shape_.port_range)) {
        constexpr control::PortRange usual[] = {{1024, 65535}, {0, 1023}, {6000, 6063}, {8000, 8100}, {137, 139}};
        ports = {usual[below(std::size(usual))]};
      }
    }
    return per_cent(shape_.udp) ? control::ServiceSet{{}, ports, {}, {}, {}, {}}
                                : control::ServiceSet{ports, {}, {}, {}, {}, {}};
  }

  const Shape& shape() const { return shape_; }

 private:
  const Shape& shape_;
  std::mt19937_64 engine_;
  std::vector<u32> networks_;
  std::map<std::vector<u64>, u32> known_;
};

struct PortsOf {
  u8 protocol, mask;
  control::PortRange ports;
};

PortsOf ports_of(const control::ServiceSet& set) {
  if (!set.protocols.empty()) return {0, 0, {0, 65535}};
  if (!set.tcp.empty()) return {6, 0xff, set.tcp[0]};
  if (!set.udp.empty()) return {17, 0xff, set.udp[0]};
  return {1, 0xff, {0, 65535}};
}

std::vector<control::Ipv4Range> ranges_of(const control::Model& model, const std::vector<u32>& segments) {
  if (segments.empty()) return {{0, ~u32{0}}};
  return model.segments[segments[0]].addresses.ipv4;
}

u32 prefix_bits(control::Ipv4Range range) { return 32 - static_cast<u32>(std::popcount(range.first ^ range.last)); }

}  // namespace

ClassSet make_set(Style style, u32 statements, bool groups) {
  Maker maker(style, statements);
  ClassSet set{};
  for (u32 i = 0; i < statements; ++i) {
    control::Statement statement;
    statement.name = std::string("r").append(std::to_string(100'000 + i));
    statement.is_forbid = maker.below(20) == 0;
    const bool forbid = statement.is_forbid;  // one that is too wide would hide the rest
    statement.from = maker.segment(set.model, forbid ? 0 : maker.shape().source_any, groups, set.prefixes);
    const bool from_any = forbid || statement.from.empty();
    statement.to = maker.segment(set.model, from_any ? 0 : maker.shape().target_any, groups, set.prefixes);
    statement.from_any = statement.from.empty();
    statement.to_any = statement.to.empty();
    statement.services = maker.services();
    set.model.statements.push_back(std::move(statement));
  }
  return set;
}

std::vector<AclRule> acl_rules(const control::Model& model, const Policy& policy) {
  std::map<std::string_view, const control::Statement*> by_name;
  for (const control::Statement& statement : model.statements) by_name[statement.name] = &statement;
  std::vector<AclRule> rules;
  for (u32 index = 0; index < policy.rules_count(); ++index) {
    const control::Statement& statement = *by_name.at(policy.rule(index).name);
    const PortsOf service = ports_of(statement.services);
    for (const auto& source : ranges_of(model, statement.from))
      for (const auto& target : ranges_of(model, statement.to))
        rules.push_back({service.protocol, service.mask, source.first, prefix_bits(source), target.first,
                         prefix_bits(target), service.ports.first, service.ports.last, index + 1,
                         static_cast<int>(policy.rules_count() - index)});
  }
  return rules;
}

std::vector<Question> make_headers(const control::Model& model, u32 count) {
  std::mt19937_64 engine(23);
  const auto inside = [&](control::Ipv4Range range) {
    return static_cast<u32>(range.first + engine() % (u64{range.last} - range.first + 1));
  };
  std::vector<Question> headers;
  for (u32 i = 0; i < count; ++i) {
    const control::Statement& rule = model.statements[engine() % model.statements.size()];
    const control::Statement& other = model.statements[engine() % model.statements.size()];
    const auto from = ranges_of(model, rule.from), to = ranges_of(model, engine() % 5 == 0 ? other.to : rule.to);
    const PortsOf service = ports_of(rule.services);
    const u8 protocol = service.mask ? service.protocol : engine() % 2 ? u8{6} : u8{17};
    const u32 ports = u32{service.ports.last} - service.ports.first + 1;
    const u16 port = protocol == 1 ? u16{0} : static_cast<u16>(service.ports.first + engine() % ports);
    headers.push_back({Address::ipv4(swap(inside(from[engine() % from.size()]))),
                       Address::ipv4(swap(inside(to[engine() % to.size()]))), 0, 0, protocol, 8, 0, port});
  }
  return headers;
}

}  // namespace weir::bench
