// Tunnels through the engine and through a naive twin: packets in up to three packets, between few addresses, segments
// and networks, under policies drawn at random. The twin walks segments and statements for each layer, from the rule
// language and docs/tunnels.md; it shares the Model with the compiler and nothing else.
#include "control/compile/compile.hpp"
#include "dataplane/pipeline/burst.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/image_memory.hpp"
#include "tests/unit/parse_frame.hpp"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <map>
#include <random>
#include <set>
#include <tuple>

using namespace weir;

namespace {

using Random = std::mt19937;
u32 below(Random& random, std::size_t bound) { return static_cast<u32>(random() % bound); }

constexpr u32 addresses_first = 0x0a000001, addresses_count = 6;

struct Layer {
  u32 source, target;
  u8 protocol;
  u16 source_port, target_port;
  bool is_network;  // VXLAN: what is inside is in the network `number`
  u32 number;
};

struct Meant {
  std::vector<Layer> layers;  // from the wire inward; the last is the innermost
  bool from_inside;
};

Meant random_packet(Random& random) {
  Meant meant{{}, below(random, 2) == 0};
  for (u32 tunnels = below(random, 8) == 0 ? 3 : below(random, 3);; --tunnels) {
    Layer layer{};
    layer.source = addresses_first + below(random, addresses_count);
    do layer.target = addresses_first + below(random, addresses_count);
    while (layer.target == layer.source);
    const u32 kind = tunnels == 0 ? 3 : below(random, 3);
    layer.protocol = kind == 1 ? 47 : kind == 2 ? 4 : 17;
    layer.is_network = kind == 0;
    layer.number = layer.is_network ? 100 * below(random, 4) : 0;
    layer.source_port = kind == 3 ? static_cast<u16>(53 + below(random, 2)) : u16{9};
    layer.target_port = kind == 0 ? u16{4789} : kind == 3 ? static_cast<u16>(53 + below(random, 2)) : u16{0};
    meant.layers.push_back(layer);
    if (tunnels == 0) return meant;
  }
}

std::vector<u8> frame_of(const Meant& meant) {
  const auto dotted = [](u32 address) { return fmt::format("10.0.0.{}", address & 255); };
  std::string text;
  for (const Layer& layer : meant.layers) {
    text += fmt::format("{}ip4 {} {}", text.empty() ? "" : " / ", dotted(layer.source), dotted(layer.target));
    if (layer.protocol == 17) text += fmt::format(" / udp {} {}", layer.source_port, layer.target_port);
    if (layer.protocol == 47) text += " / gre";
    if (layer.is_network) text += fmt::format(" / vxlan {} / eth", layer.number);
  }
  return test::frame_of(text);
}

control::Model random_model(Random& random) {
  control::Model model;
  model.name = "tunnels";
  for (u32 index = 0; index < 5; ++index) {
    control::Segment segment;
    segment.name = fmt::format("s{}", index);
    segment.has_addresses = true;
    const u32 first = below(random, addresses_count), last = first + below(random, addresses_count - first);
    segment.addresses.ipv4 = {{addresses_first + first, addresses_first + last}};
    for (const u32 number : {0u, 100u, 200u})
      if (index >= 2 && below(random, 2) == 0) segment.vnis.push_back(number);
    model.segments.push_back(segment);
  }
  for (u32 index = 0; index < 8; ++index) {
    control::Statement statement;
    statement.name = fmt::format("r{}", index);
    statement.is_forbid = below(random, 6) == 0;
    statement.from_any = below(random, 3) == 0;
    statement.to_any = below(random, 3) == 0;
    if (!statement.from_any) statement.from = {below(random, 5)};
    if (!statement.to_any) statement.to = {below(random, 5)};
    const u32 which = below(random, 4);
    if (which != 0) statement.services.udp = {{4789, 4789}};
    if (which != 1) statement.services.protocols = {4, 47};
    if (which == 3) statement.services.udp = {{53, 54}, {4789, 4789}};
    if (below(random, 3) == 0) statement.services = {{}, {{53, 53}}, {}, {}, {}, {}};
    model.statements.push_back(statement);
  }
  return model;
}

struct Answer {
  Reason reason;
  u8 depth;
  bool operator==(const Answer&) const = default;
};

class Twin {
 public:
  explicit Twin(const control::Model& model) : model_(model) {}

  Answer decide(const Meant& meant) {
    if (const auto deep = too_deep(meant)) return *deep;
    bool bound = false, unnumbered = false;
    u32 number = 0;
    for (u8 depth = 0;; ++depth) {
      const Layer& layer = meant.layers[depth];
      if (depth + 1u == meant.layers.size()) return {innermost(meant, layer, bound, unnumbered, number), depth};
      const Reason reason = judge(layer, bound, number);
      if (reason != Reason::flow_new) return {reason, depth};
      if (layer.is_network) bound = true, number = layer.number;
      else unnumbered = true;
    }
  }

 private:
  using End = std::pair<u32, u16>;
  using Key = std::tuple<bool, bool, u32, End, End>;

  static std::optional<Answer> too_deep(const Meant& meant) {
    bool bound = false;
    for (u8 depth = 0; depth + 1u < meant.layers.size(); ++depth) {
      if (depth == 2 || (bound && meant.layers[depth].is_network)) return Answer{Reason::tunnel_too_deep, depth};
      bound |= meant.layers[depth].is_network;
    }
    return std::nullopt;
  }

  bool is_in(u32 segment, u32 address, bool bound, u32 number) const {
    const control::Segment& one = model_.segments[segment];
    const bool lives_here = bound ? std::ranges::count(one.vnis, number) != 0 : one.vnis.empty();
    return lives_here && one.addresses.ipv4[0].first <= address && address <= one.addresses.ipv4[0].last;
  }

  Reason judge(const Layer& layer, bool bound, u32 number) const {
    bool allowed = false;
    for (const control::Statement& one : model_.statements) {
      const bool from = one.from_any || is_in(one.from[0], layer.source, bound, number);
      const bool to = one.to_any || is_in(one.to[0], layer.target, bound, number);
      bool with = std::ranges::count(one.services.protocols, layer.protocol) != 0;
      for (const auto& range : one.services.udp)
        with |= layer.protocol == 17 && range.first <= layer.target_port && layer.target_port <= range.last;
      if (!from || !to || !with) continue;
      if (one.is_forbid) return Reason::forbidden;
      allowed = true;
    }
    return allowed ? Reason::flow_new : Reason::no_allow;
  }

  Reason innermost(const Meant& meant, const Layer& layer, bool bound, bool unnumbered, u32 number) {
    const End source{layer.source, layer.source_port}, target{layer.target, layer.target_port};
    const Key key{bound, unnumbered, number, std::min(source, target), std::max(source, target)};
    if (const auto flow = flows_.find(key); flow != flows_.end()) {
      const auto& [opener, opener_inside] = flow->second;
      return (source == opener) == (meant.from_inside == opener_inside) ? Reason::flow_established : Reason::wrong_side;
    }
    const Reason reason = judge(layer, bound, number);
    if (reason == Reason::flow_new) flows_[key] = {source, meant.from_inside};
    return reason;
  }

  const control::Model& model_;
  std::map<Key, std::pair<End, bool>> flows_;
};

class Engine {
 public:
  explicit Engine(const InstalledPolicy& installed)
      : installed_(installed),
        memory_(FlowTable::bytes_needed(flows) + 64),
        table_({aligned(), FlowTable::bytes_needed(flows)}, flows),
        pipeline_({.secret = {{1, 2, 3, 4}}}, table_, counters_) {}

  Answer decide(const Meant& meant) {
    std::vector<u8> frame = frame_of(meant);
    Packet packet{};
    packet.data = reinterpret_cast<std::byte*>(frame.data());
    packet.bytes = static_cast<u32>(frame.size());
    packet.port = meant.from_inside ? 0 : 1;
    packet.time = 1'700'000'000'000'000;
    Outcome outcomes[outcomes_max];
    Misdirected misdirected[burst_packets_max];
    u32 count = pipeline_.process({&packet, 1}, &installed_, outcomes, misdirected).outcomes;
    while (!pipeline_.idle()) count += pipeline_.drain(&installed_, outcomes);
    REQUIRE(count == 1);
    return {outcomes[0].reason, outcomes[0].depth};
  }

 private:
  static constexpr u32 flows = 4096;
  std::byte* aligned() { return memory_.data() + (64 - reinterpret_cast<std::uintptr_t>(memory_.data()) % 64) % 64; }

  const InstalledPolicy& installed_;
  std::vector<std::byte> memory_;
  FlowTable table_;
  WorkerCounters counters_;
  Pipeline pipeline_;
};

}  // namespace

TEST_CASE("the engine judges tunnels as the naive twin does") {
  Random random(7348);
  std::map<std::pair<Reason, u8>, u32> reached;
  for (u32 round = 0; round < 150; ++round) {
    const control::Model model = random_model(random);
    const auto compiled = control::compile(model, 1);
    REQUIRE(compiled.has_value());
    const ImageMemory image(compiled->image);
    const auto policy = verify(image.bytes());
    REQUIRE(policy.has_value());
    const std::string_view names[] = {"inside", "outside"};
    const InstalledPolicy installed = bind_ports(*policy, names);
    Engine engine(installed);
    Twin twin(model);
    for (u32 packet = 0; packet < 400; ++packet) {
      const Meant meant = random_packet(random);
      const Answer said = engine.decide(meant), meant_to_be = twin.decide(meant);
      INFO("round " << round << ", packet " << packet);
      INFO("engine " << row(said.reason).name << " at " << int{said.depth});
      INFO("twin " << row(meant_to_be.reason).name << " at " << int{meant_to_be.depth});
      REQUIRE(said == meant_to_be);
      ++reached[{said.reason, said.depth}];
    }
  }
  for (const Reason reason : {Reason::flow_new, Reason::flow_established, Reason::no_allow, Reason::forbidden})
    for (const u8 depth : {u8{0}, u8{1}, u8{2}}) CHECK(reached.contains({reason, depth}));
  CHECK(reached.contains({Reason::tunnel_too_deep, 1}));
  CHECK(reached.contains({Reason::tunnel_too_deep, 2}));
  CHECK(reached.contains({Reason::wrong_side, 2}));
}
