// Representatives: one address per cell and family, one port per stretch between the edges of services.
#include "control/ask/ask.hpp"

#include "dataplane/policy/lookup.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <set>
#include <tuple>

namespace weir::control {
namespace {

Address address_of(std::uint32_t ipv4) { return Address::ipv4(swap(ipv4)); }
Address address_of(Ipv6Number ipv6) { return {swap(static_cast<u64>(ipv6 >> 64)), swap(static_cast<u64>(ipv6))}; }

std::string address_text(const Address& address) {
  if (address.is_ipv4()) return show(swap(static_cast<u32>(address.low)));
  return show(Ipv6Number{swap(address.high)} << 64 | swap(address.low));
}

constexpr std::vector<PortRange> ServiceSet::* families[] = {&ServiceSet::tcp, &ServiceSet::udp, &ServiceSet::sctp,
                                                             &ServiceSet::icmp4, &ServiceSet::icmp6, &ServiceSet::rdma};
constexpr std::size_t rdma_family = 5;

}  // namespace

const Example* Answer::first(bool is_allowed) const {
  const auto found = std::ranges::find_if(examples, [&](const Example& one) { return one.allowed() == is_allowed; });
  return found == examples.end() ? nullptr : &*found;
}

Asker::Asker(const Checked& checked, const Policy& policy, const std::vector<Prefix>& prefixes)
    : checked_(checked), policy_(policy) {
  for (const Prefix& prefix : prefixes) {
    AddressSet set;
    add(set, prefix);
    prefix_sets_.push_back(std::move(set));
  }
  // Whatever is in no set: one address of each family that nobody names, if the rest leaves one.
  AddressSet everywhere;
  everywhere.ipv4 = {{0x01000000, 0xDFFFFFFF}};
  everywhere.ipv6 = {{Ipv6Number{1} << 125, (Ipv6Number{1} << 126) - 1}};
  prefix_sets_.push_back(std::move(everywhere));
  std::vector<const AddressSet*> sets;
  for (const Segment& segment : checked.model.segments) sets.push_back(&segment.addresses);
  for (const AddressSet& set : prefix_sets_) sets.push_back(&set);
  for (const PortPin& pin : checked.model.ports) sets.push_back(&pin.addresses);
  cells_ = split(sets);
  for (const auto* list : {&checked.model.statements, &checked.model.breakglass})
    for (const Statement& statement : *list) mark_edges(statement.services);
  for (auto& edges : edges_) {
    std::ranges::sort(edges);
    edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  }
}

void Asker::mark_edges(const ServiceSet& services) {
  for (std::size_t i = 0; i < std::size(families); ++i)
    for (const auto [first, last] : services.*families[i]) {
      edges_[i].push_back(first);
      edges_[i].push_back(last + 1u);
    }
}

bool Asker::attached(std::uint16_t port_class, std::uint32_t segment) const {
  const auto& entry = policy_.view().port_classes[port_class];
  const auto segments = policy_.view().class_segments.subspan(entry.segments_first, entry.segments_count);
  return std::ranges::find(segments, segment) != segments.end();
}

// Identity is the port where one is attached, the address elsewhere.
bool Asker::member(std::uint16_t port_class, std::uint32_t segment, const Cell& cell) const {
  const Segment& one = checked_.model.segments[segment];
  if (is_network(port_class) || !one.vnis.empty())
    return attached(port_class, segment) &&
           (!one.has_addresses || std::ranges::binary_search(cell.sets, segment));
  const bool by_port = policy_.view().port_classes[port_class].segments_count > 0;
  if (by_port && !one.attach.empty() && !attached(port_class, segment)) return false;
  if (!one.has_addresses) return by_port;
  return std::ranges::binary_search(cell.sets, segment);
}

bool Asker::is_network(std::uint16_t port_class) const {
  return policy_.view().port_classes[port_class].kind == image::ClassKind::network;
}

std::vector<Endpoint> Asker::endpoints(const Party& party, std::optional<std::uint16_t> only_class,
                                       bool in_networks) const {
  std::vector<Endpoint> found;
  AddressSet prefix;
  if (party.prefix) add(prefix, *party.prefix);
  const auto take = [&](std::uint16_t port_class, const Address& address, bool also_spoofed) {
    const bool right_family = !party.prefix || party.prefix->is_ipv4 == address.is_ipv4();
    if (right_family && (also_spoofed || policy_.source_allowed(port_class, address)))
      found.push_back({port_class, address});
  };
  const auto named = [&](std::uint16_t port_class, const Cell& cell, bool by_address) {
    if (party.prefix) return (cell.ipv4 && contains(prefix, *cell.ipv4)) || (cell.ipv6 && contains(prefix, *cell.ipv6));
    return std::ranges::any_of(party.segments, [&](std::uint32_t segment) {
      return by_address ? std::ranges::binary_search(cell.sets, segment) : member(port_class, segment, cell);
    });
  };
  const auto walk = [&](std::uint16_t port_class, bool by_address, bool also_spoofed) {
    for (const Cell& cell : cells_.cells) {
      if (!named(port_class, cell, by_address)) continue;
      if (cell.ipv4) take(port_class, address_of(*cell.ipv4), also_spoofed);
      if (cell.ipv6) take(port_class, address_of(*cell.ipv6), also_spoofed);
    }
  };
  const auto ports = static_cast<std::uint16_t>(policy_.view().port_classes_count);
  const auto classes = static_cast<std::uint16_t>(policy_.view().port_classes.size());
  for (std::uint32_t i = 1; i <= classes; ++i) {
    const auto port_class = static_cast<std::uint16_t>(i < ports ? i : i == ports ? 0 : i - 1);  // named ports first
    if (is_network(port_class) && !in_networks) continue;
    if (!only_class || *only_class == port_class) walk(port_class, false, only_class && party.prefix);
  }
  // Asked about a port where nobody of them can be: let the engine say so.
  if (only_class && found.empty()) walk(*only_class, true, true);
  return found;
}

std::vector<Asker::Probe> Asker::probes(const ServiceSet& services, bool is_ipv4) const {
  std::vector<Probe> made;
  constexpr std::uint8_t protocols[] = {6, 17, 132, 1, 58, 17};
  for (std::size_t i = 0; i < std::size(families); ++i) {
    if ((i == 3 && !is_ipv4) || (i == 4 && is_ipv4)) continue;
    for (const auto [first, last] : services.*families[i]) {
      const auto push = [&](std::uint32_t number) {
        const bool icmp = i == 3 || i == 4;
        made.push_back({protocols[i], static_cast<std::uint8_t>(icmp ? number >> 8 : 0),
                        static_cast<std::uint8_t>(icmp ? number & 255 : 0),
                        static_cast<std::uint16_t>(icmp ? 0 : number), i == rdma_family});
      };
      push(first);
      for (auto edge = std::ranges::upper_bound(edges_[i], first); edge != edges_[i].end() && *edge <= last; ++edge)
        push(*edge);
    }
  }
  for (const std::uint8_t protocol : services.protocols) made.push_back({protocol, 0, 0, 0, false});
  return made;
}

bool Asker::apart(const Endpoint& source, const Endpoint& target) const {
  const auto& entry = policy_.view().port_classes[source.port_class];
  // What never leaves a port never crosses this firewall.
  const bool same = source.port_class == target.port_class;
  const bool same_port = same && source.port_class != 0 && entry.kind == image::ClassKind::name;
  // What is inside one network never meets what is outside it.
  const bool other_network = !same && (is_network(source.port_class) || is_network(target.port_class));
  return source.address.is_ipv4() != target.address.is_ipv4() || same_port || other_network;
}

std::vector<Endpoint> Asker::places(const std::vector<std::uint32_t>& segments) const {
  std::vector<Endpoint> found;
  std::set<std::tuple<std::uint16_t, u32, u32, bool>> seen;
  for (const Endpoint& one : endpoints({"", segments, std::nullopt}, std::nullopt, true)) {
    const Judgement zones =
        policy_.judge({one.address, one.address, one.port_class, one.port_class, 255, 0, 0, 0}, Tick{0});
    if (seen.emplace(one.port_class, zones.source_zone, zones.target_zone, one.address.is_ipv4()).second)
      found.push_back(one);
  }
  return found;
}

Example Asker::judged(const Endpoint& source, const Endpoint& target, const Probe& probe, Tick now) const {
  const Question question{source.address, target.address,  source.port_class, target.port_class,
                          probe.protocol, probe.icmp_type, probe.icmp_code,   probe.port,
                          probe.is_rdma};
  return {question, policy_.judge(question, now)};
}

std::optional<Example> Asker::first_passing(const std::vector<Endpoint>& sources, const std::vector<Endpoint>& targets,
                                            const ServiceSet& services, Tick now) const {
  std::vector<Probe> probes_of[2];
  for (const bool is_ipv4 : {false, true}) {
    std::set<u16> seen;
    for (const Probe& probe : probes(services, is_ipv4)) {
      const Question question{{}, {}, 0, 0, probe.protocol, probe.icmp_type, probe.icmp_code, probe.port,
                              probe.is_rdma};
      if (seen.insert(image::service_of(policy_.view(), question, is_ipv4)).second) probes_of[is_ipv4].push_back(probe);
    }
  }
  for (const Endpoint& source : sources)
    for (const Endpoint& target : targets) {
      if (apart(source, target)) continue;
      for (const Probe& probe : probes_of[source.address.is_ipv4()]) {
        const Example one = judged(source, target, probe, now);
        if (one.allowed()) return one;
      }
    }
  return std::nullopt;
}

Answer Asker::ask(const Party& from, const Party& to, const ServiceSet& services, Tick now,
                  const Route& way) const {
  Answer answer;
  const auto class_of = [&](const std::optional<std::string_view>& port) -> std::optional<std::uint16_t> {
    if (way.network) return policy_.network_class(*way.network);
    return port ? std::optional<std::uint16_t>(policy_.port_class(*port)) : std::nullopt;
  };
  // Two addresses without a segment say nothing of a network: they are asked about on the wire.
  const bool in_networks = way.network || !from.prefix || !to.prefix;
  const auto sources = endpoints(from, class_of(way.port), in_networks),
             targets = endpoints(to, class_of(way.to_port), in_networks);
  const std::vector<Probe> probes_of[] = {probes(services, false), probes(services, true)};
  const std::uint64_t most = std::max(probes_of[0].size(), probes_of[1].size());
  answer.too_many = sources.size() * targets.size() * most > questions_max;
  if (answer.too_many) return answer;
  for (const Endpoint& source : sources) {
    for (const Endpoint& target : targets) {
      if (apart(source, target)) continue;
      for (const Probe& probe : probes_of[source.address.is_ipv4()]) {
        const Example one = judged(source, target, probe, now);
        ++answer.asked;
        answer.allowed += one.allowed() ? 1 : 0;
        const bool known = std::ranges::any_of(answer.examples, [&](const Example& other) {
          return other.judgement.reason == one.judgement.reason && other.judgement.rule == one.judgement.rule;
        });
        if (!known) answer.examples.push_back(one);
      }
    }
  }
  return answer;
}

std::string Asker::show(const Endpoint& endpoint) const {
  const std::uint16_t segment = policy_.source_segment(endpoint.port_class, endpoint.address);
  std::string facts = segment == no_segment ? "no segment" : std::string(policy_.segment_name(segment));
  const auto& entry = policy_.view().port_classes[endpoint.port_class];
  if (is_network(endpoint.port_class)) facts += fmt::format(", VNI {}", entry.network);
  else if (endpoint.port_class != 0)
    facts += fmt::format(", port {}{}", policy_.text(entry.pattern),
                         entry.kind == image::ClassKind::prefix ? "*" : "");
  return fmt::format("{} ({})", address_text(endpoint.address), facts);
}

std::string Asker::show_service(const Question& question) {
  if (question.is_rdma)
    return question.target_port == 0 ? "rdma/nccl" : fmt::format("rdma/{}", question.target_port);
  switch (question.protocol) {
    case 6: return fmt::format("tcp/{}", question.target_port);
    case 17: return fmt::format("udp/{}", question.target_port);
    case 132: return fmt::format("sctp/{}", question.target_port);
    case 1: return fmt::format("icmp4/{}/{}", question.icmp_type, question.icmp_code);
    case 58: return fmt::format("icmp6/{}/{}", question.icmp_type, question.icmp_code);
    default: return fmt::format("protocol/{}", question.protocol);
  }
}

std::string Asker::show(const Question& question) const {
  return fmt::format("{} > {} {}", show(Endpoint{question.source_class, question.source}),
                     show(Endpoint{question.target_class, question.target}), show_service(question));
}

std::string Asker::show(const Judgement& judgement) const {
  if (judgement.rule == no_rule) return std::string(row(judgement.reason).sentence);
  const RuleView rule = policy_.rule(judgement.rule);
  return fmt::format("{} `{}` at {}:{}", rule.is_forbid ? "forbid" : "allow", rule.name, rule.file, rule.line);
}

}  // namespace weir::control
