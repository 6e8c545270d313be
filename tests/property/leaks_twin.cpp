// Classes and budgets (E0301) against a naive twin: whoever can send and be sent to at every end of an address range on
// every port, and every service at which some set begins or ends. An allow leaks exactly when the twin finds a first
// packet of it, or an answer to one, that goes down in class without a budget.
// usage: leaks_twin [MODELS, default 800]
#include "control/check/leaks.hpp"
#include "tests/property/random_model.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

using namespace weir;
using control::Model;
using control::PortRange;
using control::ServiceSet;

namespace {

using Segments = std::vector<u32>;

// What a place is to the rules: who it is when it sends (nobody when spoofed) and when it is sent to.
struct Place {
  bool sends;
  Segments source, target;
  Segments by_port;  // attached to it, without addresses of their own
  auto operator<=>(const Place&) const = default;
};

void add_classes(naive::Draw& draw, Model& model) {
  for (control::Segment& segment : model.segments) {
    segment.is_list = draw.one_in(6) && segment.attach.empty();
    if (!segment.is_list || draw.one_in(2)) segment.security_class = static_cast<control::Class>(draw.below(4));
  }
  if (!model.segments.empty() && draw.one_in(2)) {
    control::Asset asset;
    asset.held = {static_cast<u32>(draw.below(model.segments.size()))};
    model.assets.push_back(asset);
  }
}

std::set<Place> places_of(const Model& model, const naive::Policy& twin) {
  std::set<Place> found;
  for (const char* port : {"pf0", "pf1", "vf0", "vf1", "vf10", "vf2", "uplink", "v"})
    for (const bool is_ipv4 : {true, false}) {
      std::set<u128> addresses{is_ipv4 ? u128{0x01020304} : u128{0x2a} << 120};
      const auto add = [&](const control::AddressSet& set) {
        const auto ends = [&](const auto& ranges) {
          for (const auto& range : ranges)
            for (const u128 at : {u128{range.first}, u128{range.last}, u128{range.first} - 1, u128{range.last} + 1})
              addresses.insert(is_ipv4 ? at & 0xffffffff : at);
        };
        if (is_ipv4) ends(set.ipv4);
        else ends(set.ipv6);
      };
      for (const auto& segment : model.segments) add(segment.addresses);
      for (const auto& pin : model.ports) add(pin.addresses);
      for (const u128 address : addresses) {
        const naive::Packet packet{port, port, is_ipv4, address, address, 6, 0, 0, 0};
        found.insert(
            {!twin.is_spoofed(packet), twin.source_of(packet), twin.target_of(packet), twin.known_by_port(port)});
      }
    }
  return found;
}

// One point of each stretch between two ends of sets, and each protocol that some set names.
std::vector<ServiceSet> services_of(const Model& model) {
  constexpr std::vector<PortRange> ServiceSet::* families[] = {
      &ServiceSet::tcp, &ServiceSet::udp, &ServiceSet::sctp, &ServiceSet::icmp4, &ServiceSet::icmp6, &ServiceSet::rdma};
  std::vector<ServiceSet> points;
  std::set<u8> protocols{200};
  for (const auto family : families) {
    std::set<u32> edges{0};
    const auto add = [&](const ServiceSet& set) {
      for (const auto& range : set.*family) edges.insert({range.first, range.last + 1u});
      protocols.insert(set.protocols.begin(), set.protocols.end());
    };
    for (const auto& statement : model.statements) add(statement.services);
    for (const auto& budget : model.budgets) add(budget.services);
    for (const u32 edge : edges)
      if (edge <= 65535) {
        ServiceSet point;
        point.*family = {{static_cast<u16>(edge), static_cast<u16>(edge)}};
        points.push_back(point);
      }
  }
  for (const u8 protocol : protocols) {
    ServiceSet point;
    point.protocols = {protocol};
    points.push_back(point);
  }
  return points;
}

bool has(const ServiceSet& set, const ServiceSet& point) {
  const auto in = [](const std::vector<PortRange>& ranges, const std::vector<PortRange>& one) {
    return !one.empty() && std::ranges::any_of(ranges, [&](const PortRange& range) {
      return range.first <= one[0].first && one[0].first <= range.last;
    });
  };
  return in(set.tcp, point.tcp) || in(set.udp, point.udp) || in(set.sctp, point.sctp) || in(set.icmp4, point.icmp4) ||
         in(set.icmp6, point.icmp6) || in(set.rdma, point.rdma) ||
         (!point.protocols.empty() && std::ranges::count(set.protocols, point.protocols[0]) > 0);
}

bool shares(const Segments& a, const Segments& b) {
  return std::ranges::any_of(a, [&](u32 one) { return std::ranges::count(b, one) > 0; });
}

enum class Covered { whole, watched, open };

Covered flow(const Model& model, const Place& from, const Place& to, const ServiceSet& point) {
  const Segments& who = from.by_port.empty() ? from.target.empty() ? from.source : from.target : from.by_port;
  const Segments& whom = to.by_port.empty() ? to.target.empty() ? to.source : to.target : to.by_port;
  int high = 0, low = 3;
  for (const u32 one : who) high = std::max(high, static_cast<int>(control::class_as_source(model.segments[one])));
  for (const u32 one : whom) low = std::min(low, static_cast<int>(control::class_as_target(model.segments[one])));
  if (high <= low) return Covered::whole;
  bool watched = false, asset = false;
  for (const auto& one : model.assets) asset |= shares(one.held, from.source) || shares(one.held, from.target);
  for (const auto& budget : model.budgets) {
    const bool there = budget.to_any ? !shares(budget.from, to.target) : shares(budget.to, to.target);
    if (budget.monitor || !shares(budget.from, from.source) || !there || !has(budget.services, point)) continue;
    if (budget.on_exceed != control::Budget::Exceed::alert) return Covered::whole;
    watched |= !asset;
  }
  return watched ? Covered::watched : Covered::open;
}

Covered judge(const Model& model, const control::Statement& allow, const std::set<Place>& places,
              const std::vector<ServiceSet>& points) {
  Covered worst = Covered::whole;
  for (const Place& a : places) {
    if (!a.sends || !shares(allow.from, a.source)) continue;
    for (const Place& b : places) {
      if (!shares(allow.to, b.target)) continue;
      for (const ServiceSet& point : points) {
        if (!has(allow.services, point)) continue;
        worst = std::max(worst, flow(model, a, b, point));
        if (b.sends) worst = std::max(worst, flow(model, b, a, point));
        if (worst == Covered::open) return worst;
      }
    }
  }
  return worst;
}

}  // namespace

int main(int count, char** arguments) {
  const u64 models = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 800;
  std::map<Covered, u64> seen;
  for (u64 seed = 0; seed < models; ++seed) {
    naive::Draw draw(seed);
    Model model = naive::random_model(draw);
    if (model.statements.size() > 40) continue;
    // An allow names both sides.
    std::erase_if(model.statements, [](const auto& one) { return !one.is_forbid && (one.from_any || one.to_any); });
    add_classes(draw, model);
    naive::add_budgets(draw, model);
    const naive::Policy twin(model);
    const auto places = places_of(model, twin);
    const auto points = services_of(model);
    const control::Leaks found = control::find_leaks(model);
    for (u32 i = 0; i < model.statements.size(); ++i) {
      if (model.statements[i].is_forbid) continue;
      const auto of = [&](const control::Leak& leak) { return leak.statement == i; };
      const Covered compiled = std::ranges::any_of(found.open, of)      ? Covered::open
                               : std::ranges::any_of(found.alerted, of) ? Covered::watched
                                                                        : Covered::whole;
      const Covered expected = judge(model, model.statements[i], places, points);
      ++seen[expected];
      if (compiled == expected) continue;
      std::printf("seed %llu, %s: expected %d, found %d\n", static_cast<unsigned long long>(seed),
                  model.statements[i].name.c_str(), static_cast<int>(expected), static_cast<int>(compiled));
      return 1;
    }
  }
  std::printf("%llu allows covered, %llu watched, %llu open: as the twin says\n",
              static_cast<unsigned long long>(seen[Covered::whole]),
              static_cast<unsigned long long>(seen[Covered::watched]),
              static_cast<unsigned long long>(seen[Covered::open]));
  return seen[Covered::whole] > 100 && seen[Covered::watched] > 20 && seen[Covered::open] > 100 ? 0 : 1;
}
