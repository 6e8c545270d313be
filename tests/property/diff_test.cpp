// `weir diff` against brute force: random pairs of policies, and for each pair every source zone x target zone x
// service of both together, one random packet of each, asked of both compiled policies at every time that matters. A
// packet lies in an entry of a kind if and only if it changes that way. Beside it packets that no zone has chosen,
// judged by the naive twin. Default: 60 pairs; WEIR_DIFF_PAIRS sets them (1000 take minutes).
#include "control/diff/diff.hpp"

#include "control/compile/compile.hpp"
#include "control/diff/words.hpp"
#include "control/model/address.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/changed_model.hpp"
#include "tests/property/image_memory.hpp"
#include "tests/property/random_inspections.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>

using namespace weir;
using namespace weir::control;

namespace {

constexpr std::int64_t now_s = 1001;  // random expiry times are 1000 to 1003
constexpr std::int64_t times_s[] = {1001, 1002, 1003, 1004};

struct CompiledPolicy {
  explicit CompiledPolicy(const Model& model) : memory(compile(model, 1)->image), policy(*verify(memory.bytes())) {}
  ImageMemory memory;
  Policy policy;
};

struct Packet {
  bool is_ipv4;
  u32 source_class, target_class;  // of Diff::classes
  u128 source, target;
  u8 protocol, icmp_type, icmp_code;
  u16 target_port;
  bool is_rdma = false;
};

Address address_of(bool is_ipv4, u128 number) { return naive::address_of(is_ipv4, number); }

Question question_of(const Packet& packet, const std::vector<JointClass>& classes, u32 policy) {
  return {address_of(packet.is_ipv4, packet.source),
          address_of(packet.is_ipv4, packet.target),
          static_cast<u16>(classes[packet.source_class].plan[policy]),
          static_cast<u16>(classes[packet.target_class].plan[policy]),
          packet.protocol,
          packet.icmp_type,
          packet.icmp_code,
          packet.target_port,
          packet.is_rdma};
}

// What a packet meets at one time, all that a change may be about.
struct Treatment {
  bool allowed, syn_proxy, rejects;
  int log;
  std::array<u64, 6> terms;  // of queue pairs; the first alone of anything else
  std::string inspections;   // by name
  bool operator==(const Treatment&) const = default;
};

Treatment treatment_of(const Policy& policy, const Question& question, std::int64_t time_s) {
  const Judgement judgement = policy.judge(question, static_cast<Tick>(time_s) * tick_second);
  const bool allowed = judgement.reason == Reason::flow_new;
  const bool has_rule = allowed || judgement.reason == Reason::forbidden;
  std::array<u64, 6> terms{};
  std::string inspections;
  if (allowed) {
    for (std::size_t i = 0; i < policy.inspections().size(); ++i)
      if (policy.look(judgement.rule).inspections >> i & 1)
        inspections += std::string(policy.text(policy.inspections()[i].name)) + " ";
    const image::RdmaRule& one = policy.rdma_rule(judgement.rule);
    if (question.is_rdma)
      terms = {0, one.operations, one.read_unless_asset, one.read_mtu, one.read_credit, one.first_use};
    else terms[0] = policy.look(judgement.rule).protocols;
  }
  return {allowed, allowed && policy.wants_syn_proxy(judgement.decision), policy.wants_reject(judgement),
          has_rule ? static_cast<int>(policy.log_of(judgement.decision)) : 0, terms, inspections};
}

std::optional<ChangeKind> kind_of(const Policy& before, const Policy& after, const Packet& packet,
                                  const std::vector<JointClass>& classes) {
  const Question old_question = question_of(packet, classes, 0), new_question = question_of(packet, classes, 1);
  const Treatment old_now = treatment_of(before, old_question, now_s),
                  new_now = treatment_of(after, new_question, now_s);
  if (old_now.allowed != new_now.allowed) return new_now.allowed ? ChangeKind::newly_allowed : ChangeKind::newly_denied;
  for (const std::int64_t time_s : times_s)
    if (treatment_of(before, old_question, time_s) != treatment_of(after, new_question, time_s))
      return ChangeKind::treated_otherwise;
  return std::nullopt;
}

bool contains(const std::vector<DiffPlaces>& places, u32 port_class, bool is_ipv4, u128 address) {
  return std::ranges::any_of(places, [&](const DiffPlaces& one) {
    return std::ranges::find(one.classes, port_class) != one.classes.end() &&
           (is_ipv4 ? control::contains(one.addresses, static_cast<std::uint32_t>(address))
                    : control::contains(one.addresses, Ipv6Number{address}));
  });
}

bool contains(const ServicePoints& points, const Packet& packet) {
  const auto in = [&](std::size_t field, u32 number) {
    return std::ranges::any_of(points[field], [&](PortRange r) { return r.first <= number && number <= r.last; });
  };
  const u32 icmp = packet.icmp_type * 256u + packet.icmp_code;
  if (packet.is_rdma) return in(6, packet.target_port);
  switch (packet.protocol) {
    case 6: return in(0, packet.target_port);
    case 17: return in(1, packet.target_port);
    case 132: return in(2, packet.target_port);
    case 1: return packet.is_ipv4 ? in(3, icmp) : in(5, 1);
    case 58: return packet.is_ipv4 ? in(5, 58) : in(4, icmp);
    default: return in(5, packet.protocol);
  }
}

// By entry of one kind: a bit. So a packet's entries are three sets' meet.
using Bits = std::vector<u64>;
template <class Holds>
Bits bits_of(const std::vector<DiffEntry>& entries, Holds holds) {
  Bits bits((entries.size() + 63) / 64 + 1);
  for (std::size_t i = 0; i < entries.size(); ++i)
    if (holds(entries[i])) bits[i / 64] |= u64{1} << i % 64;
  return bits;
}

struct Representative {
  u32 zone, port_class;
  u128 address;
  Bits entries;
};

u128 random_address(naive::Draw& draw, const AddressSet& set, bool is_ipv4) {
  const u128 bits = u128{draw.bits()} << 64 | draw.bits();
  const auto pick = [&](u128 first, u128 last) {
    const u128 size = last - first;
    const u64 choice = draw.below(3);
    return choice == 0 ? first : choice == 1 ? last : size == ~u128{0} ? bits : first + bits % (size + 1);
  };
  if (is_ipv4) {
    const Ipv4Range range = set.ipv4[draw.below(set.ipv4.size())];
    return pick(range.first, range.last);
  }
  const Ipv6Range range = set.ipv6[draw.below(set.ipv6.size())];
  return pick(range.first, range.last);
}

std::vector<Representative> representatives(naive::Draw& draw, const JointSpace& space,
                                            const std::vector<JointZone>& zones, const Diff& diff, bool is_source) {
  std::vector<Representative> made;
  for (u32 zone = 0; zone < zones.size(); ++zone) {
    const Spot spot = zones[zone].places[draw.below(zones[zone].places.size())];
    const bool is_ipv4 = zones[zone].is_ipv4;
    Representative one{zone, spot.port_class, random_address(draw, space.addresses[spot.atom], is_ipv4), {}};
    one.entries = bits_of(diff.entries, [&](const DiffEntry& entry) {
      return contains(is_source ? entry.sources : entry.targets, one.port_class, is_ipv4, one.address);
    });
    made.push_back(std::move(one));
  }
  return made;
}

struct ServiceOf {
  Packet packet;  // its service alone
  Bits entries;
};

std::vector<ServiceOf> services_of(naive::Draw& draw, const JointSpace& space, const Diff& diff, bool is_ipv4) {
  constexpr u8 protocols[] = {6, 17, 132, 1, 58};
  std::vector<ServiceOf> made;
  for (const ServicePoints& all : space.points) {
    const ServicePoints points = points_in_family(all, is_ipv4);
    if (empty(points)) continue;
    std::size_t field = draw.below(points.size());
    while (points[field].empty()) field = (field + 1) % points.size();
    const PortRange range = points[field][draw.below(points[field].size())];
    const auto number = static_cast<u16>(range.first + draw.below(range.last - range.first + 1u));
    ServiceOf one{};
    one.packet.is_ipv4 = is_ipv4;
    one.packet.protocol = field < 5 ? protocols[field] : field == 6 ? u8{17} : static_cast<u8>(number);
    if (field < 3 || field == 6) one.packet.target_port = number;
    one.packet.is_rdma = field == 6;
    if (field == 3 || field == 4) {
      one.packet.icmp_type = static_cast<u8>(number >> 8);
      one.packet.icmp_code = static_cast<u8>(number);
    }
    one.entries = bits_of(diff.entries, [&](const DiffEntry& entry) { return contains(entry.points, one.packet); });
    made.push_back(std::move(one));
  }
  return made;
}

std::string shown(const Packet& packet) {
  std::string text = packet.is_ipv4 ? show(static_cast<std::uint32_t>(packet.source)) : show(Ipv6Number{packet.source});
  text += " > " + (packet.is_ipv4 ? show(static_cast<std::uint32_t>(packet.target)) : show(Ipv6Number{packet.target}));
  return text + " protocol " + std::to_string(packet.protocol) + " port " + std::to_string(packet.target_port) +
         " classes " + std::to_string(packet.source_class) + " " + std::to_string(packet.target_class);
}

struct Seen {
  u64 asked = 0, by_kind[3] = {}, entries = 0, same = 0;
};

void compare(u64 seed, const Diff& diff, const Packet& packet, std::optional<ChangeKind> kind, const Bits& entries) {
  bool met[3] = {};
  for (std::size_t i = 0; i < diff.entries.size(); ++i)
    if ((entries[i / 64] >> i % 64 & 1) != 0) met[static_cast<std::size_t>(diff.entries[i].kind)] = true;
  for (std::size_t i = 0; i < 3; ++i)
    if (met[i] != (kind && static_cast<std::size_t>(*kind) == i))
      FAIL("seed " << seed << ": " << shown(packet) << ": kind " << i << ": diff says " << met[i]);
}

void brute_force(u64 seed, naive::Draw& draw, const JointSpace& space, const Diff& diff, const Policy& before,
                 const Policy& after, Seen& seen) {
  const auto sources = representatives(draw, space, space.sources, diff, true);
  const auto targets = representatives(draw, space, space.targets, diff, false);
  const std::vector<ServiceOf> services[] = {services_of(draw, space, diff, false),
                                             services_of(draw, space, diff, true)};
  Bits both;
  for (const Representative& source : sources)
    for (const Representative& target : targets) {
      const JointZone &from = space.sources[source.zone], &to = space.targets[target.zone];
      const JointClass& port = space.classes[source.port_class];
      const bool same_port =
          source.port_class == target.port_class && source.port_class != 0 && port.kind == image::ClassKind::name;
      if (from.domain != to.domain || from.is_ipv4 != to.is_ipv4 || same_port || source.address == target.address)
        continue;
      for (const ServiceOf& service : services[from.is_ipv4]) {
        Packet packet = service.packet;
        packet.source_class = source.port_class, packet.target_class = target.port_class;
        packet.source = source.address, packet.target = target.address;
        both = service.entries;
        for (std::size_t i = 0; i < both.size(); ++i) both[i] &= source.entries[i] & target.entries[i];
        const auto kind = kind_of(before, after, packet, space.classes);
        ++seen.asked;
        if (kind) ++seen.by_kind[static_cast<std::size_t>(*kind)];
        if (kind || std::ranges::any_of(both, [](u64 word) { return word != 0; }))
          compare(seed, diff, packet, kind, both);
      }
    }
}

u32 class_named(const std::vector<JointClass>& classes, const std::string& name) {
  u32 best = 0;
  for (u32 i = 1; i < classes.size(); ++i) {
    const JointClass& one = classes[i];
    if (one.kind == image::ClassKind::name && one.pattern == name) return i;
    if (one.kind == image::ClassKind::prefix && name.starts_with(one.pattern) &&
        (best == 0 || classes[best].pattern.size() < one.pattern.size()))
      best = i;
  }
  return best;
}

// Packets of the twins' own world, with ports by name.
void ask_twins(u64 seed, naive::Draw& draw, const Model& before, const Model& after, const Diff& diff) {
  const naive::Policy old_twin(before), new_twin(after);
  for (int i = 0; i < 200; ++i) {
    const naive::Packet drawn = naive::random_packet(draw, i % 2 == 0 ? before : after);
    AddressSet one;
    if (drawn.is_ipv4) one.ipv4 = {{static_cast<u32>(drawn.source), static_cast<u32>(drawn.source)}};
    else one.ipv6 = {{drawn.source, drawn.source}};
    if (control::empty(subtract(one, impossible_sources())) || drawn.in_port == drawn.out_port) continue;
    const Packet packet{drawn.is_ipv4,
                        class_named(diff.classes, drawn.in_port),
                        class_named(diff.classes, drawn.out_port),
                        drawn.source,
                        drawn.target,
                        drawn.protocol,
                        drawn.icmp_type,
                        drawn.icmp_code,
                        drawn.target_port,
                        drawn.is_rdma};
    const u32 high = static_cast<u32>(drawn.target >> 24);
    if (drawn.is_ipv4 ? high == 0 || high == 127 : drawn.target >> 1 == 0 || drawn.target >> 64 == ~u64{0}) continue;
    const Tick now = static_cast<Tick>(now_s) * tick_second;
    const bool was = old_twin.judge(drawn, now).reason == Reason::flow_new;
    const bool is = new_twin.judge(drawn, now).reason == Reason::flow_new;
    for (const ChangeKind kind : {ChangeKind::newly_allowed, ChangeKind::newly_denied}) {
      const bool met = std::ranges::any_of(diff.entries, [&](const DiffEntry& entry) {
        return entry.kind == kind && contains(entry.sources, packet.source_class, packet.is_ipv4, packet.source) &&
               contains(entry.targets, packet.target_class, packet.is_ipv4, packet.target) &&
               contains(entry.points, packet);
      });
      const bool expected = was != is && is == (kind == ChangeKind::newly_allowed);
      if (met != expected && drawn.source != drawn.target)
        FAIL("seed " << seed << ": twins differ on " << shown(packet));
    }
  }
}

// Each example as a packet of its ports' names, judged again.
void check_examples(u64 seed, const Diff& diff, const Policy& before, const Policy& after) {
  const Policy* policies[] = {&before, &after};
  for (const DiffEntry& entry : diff.entries) {
    bool allowed[2];
    for (const u32 policy : {old_policy, new_policy}) {
      const Question& question = entry.example.questions[policy];
      if (!entry.example.port.empty())
        REQUIRE(policies[policy]->port_class(entry.example.port) == question.source_class);
      if (!entry.example.out_port.empty())
        REQUIRE(policies[policy]->port_class(entry.example.out_port) == question.target_class);
      if (entry.example.network) {
        REQUIRE(policies[policy]->network_class(*entry.example.network) == question.source_class);
        REQUIRE(question.source_class == question.target_class);
      }
      allowed[policy] = treatment_of(*policies[policy], question, now_s).allowed;
    }
    INFO("seed " << seed << ": " << entry.from << " > " << entry.to << " " << entry.services);
    if (entry.kind == ChangeKind::newly_allowed) REQUIRE((!allowed[0] && allowed[1]));
    else if (entry.kind == ChangeKind::newly_denied) REQUIRE((allowed[0] && !allowed[1]));
    else REQUIRE(allowed[0] == allowed[1]);
    REQUIRE((entry.example.port.empty() || entry.example.port != entry.example.out_port));
  }
}

}  // namespace

TEST_CASE("a diff holds what changes and nothing else") {
  const char* text = std::getenv("WEIR_DIFF_PAIRS");
  const u64 pairs = text == nullptr ? 60 : std::strtoull(text, nullptr, 10);
  Seen seen;
  for (u64 seed = 0; seed < pairs; ++seed) {
    naive::Draw draw(seed);
    Model before = naive::random_model(draw);
    if (seed % 2 == 0) naive::add_inspections(draw, before);
    Model after = naive::changed(draw, before);
    const bool networks = seed % 4 == 3;
    if (networks) naive::bind_to_networks(draw, before), naive::bind_to_networks(draw, after);
    const CompiledPolicy old_side(before), new_side(after);
    const auto made = diff({before, nullptr, old_side.policy}, {after, nullptr, new_side.policy}, now_s);
    if (!made) FAIL("seed " << seed << ": " << made.error());
    const auto space = joint_space(before, after);
    brute_force(seed, draw, *space, *made, old_side.policy, new_side.policy, seen);
    check_examples(seed, *made, old_side.policy, new_side.policy);
    if (!networks) ask_twins(seed, draw, before, after, *made);
    seen.entries += made->entries.size();
    seen.same += made->entries.empty();
  }
  WARN(pairs << " pairs, " << seen.asked << " packets asked, " << seen.entries << " entries, " << seen.same
             << " pairs without any; newly allowed " << seen.by_kind[0] << ", newly denied " << seen.by_kind[1]
             << ", treated otherwise " << seen.by_kind[2]);
  for (const u64 count : seen.by_kind) CHECK(count > seen.asked / 1000);
}

TEST_CASE("names make no difference") {
  for (u64 seed = 0; seed < 20; ++seed) {
    naive::Draw draw(seed);
    Model before = naive::random_model(draw);
    // Whose they are is told by names, and segments that are alike have only those.
    before.assets.clear();
    before.jobs.clear();
    Model after = before;
    for (Statement& one : after.statements) one.name += "x";
    for (Segment& one : after.segments) one.name += "x";
    const CompiledPolicy old_side(before), new_side(after);
    const auto made = diff({before, nullptr, old_side.policy}, {after, nullptr, new_side.policy}, now_s);
    REQUIRE(made);
    INFO("seed " << seed);
    for (const DiffSetting& one : made->settings) UNSCOPED_INFO(one.key << " " << one.before << " " << one.after);
    CHECK(made->same());
    CHECK(made->renamed.size() == before.statements.size());
  }
}

TEST_CASE("but where two allows are as specific as each other, the name says which one logs") {
  Model before;
  before.files = {"x.toml"};
  before.line_starts = {{0}};
  for (const u32 net : {0x0a000000u, 0x0a000100u}) {
    Segment& segment = before.segments.emplace_back();
    segment.name = net == 0x0a000000u ? "a" : "b";
    segment.has_addresses = true;
    segment.addresses.ipv4 = {{net, net + 255}};
  }
  for (const char* name : {"first", "second"}) {
    Statement& statement = before.statements.emplace_back();
    statement.name = name;
    statement.from = {0};
    statement.to = {1};
    statement.services.tcp = {{443, 443}};
  }
  before.statements[0].log = control::Log::all;
  Model after = before;
  std::swap(after.statements[0].log, after.statements[1].log);
  const CompiledPolicy old_side(before), new_side(after);
  const auto made = diff({before, nullptr, old_side.policy}, {after, nullptr, new_side.policy}, now_s);
  REQUIRE(made);
  REQUIRE(made->entries.size() == 1);
  CHECK(made->entries[0].kind == ChangeKind::treated_otherwise);
  CHECK(made->entries[0].fates[0].front().log == 2);
  CHECK(made->entries[0].fates[1].front().log == 0);
}
