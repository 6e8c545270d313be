// The guard's programs, as the kernel runs them, against the engine: random policies with budgets and limits, random
// first packets, both ways and both decision forms. What the guard says is what the engine's parser and judgement say,
// and where the guard does not look into something it denies it: it never passes what the engine would not.
// WEIR_GUARD_MODELS sets the number of policies (40), WEIR_GUARD_PACKETS the packets of each (400). Needs root.
#include "control/compile/compile.hpp"
#include "dataplane/packet/parse.hpp"
#include "dataplane/policy/charges.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/guard/test_run.hpp"
#include "tests/property/frame_writer.hpp"
#include "tests/property/image_memory.hpp"
#include "tests/property/random_model.hpp"

#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <map>

using namespace weir;

namespace {

constexpr const char* words[] = {"", "pf0", "pf1", "vf0", "vf1", "vf10", "v"};

u64 from_environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

[[noreturn]] void fail(u64 seed, const std::string& sentence) {
  std::printf("seed %lu: %s\n", seed, sentence.c_str());
  std::exit(1);
}

const char* word_of(const Policy& policy, naive::Draw& draw) {
  const char* word = words[draw.below(std::size(words))];
  return *word == 0 || policy.port_class(word) == 0 ? "" : word;
}

// The engine's answer, with what the guard does not look into taken out.
Reason expected(const Policy& policy, const Headers& headers, const guard::Interface& interface, u32 way, Tick now) {
  const auto class_of = [&](u32 side) { return policy.port_class(interface.words[side]); };
  const bool is_icmp = headers.protocol == 1 || headers.protocol == 58;
  const bool is_echo = headers.icmp_code == 0 && headers.icmp_type == (headers.is_ipv4 ? 8 : 128);
  if (is_icmp && headers.icmp_code == 0 && headers.icmp_type == (headers.is_ipv4 ? 0 : 129))
    return Reason::icmp_no_request;
  if (is_icmp && !is_echo) return Reason::guard_unenforced;
  const Question question{headers.source,   headers.target,    class_of(way),     class_of(way ^ 1),
                          headers.protocol, headers.icmp_type, headers.icmp_code, headers.target_port};
  const Judgement judged = policy.judge(question, now);
  if (judged.reason != Reason::flow_new) return judged.reason;
  if (!policy.look(judged.rule).is_empty() || policy.wants_syn_proxy(judged.decision)) return Reason::guard_unenforced;
  const Charges charges(policy);
  if (!charges.any()) return Reason::flow_new;
  const FlowCharges of = charges.of(question);
  if (!charges.limits(of.forward).empty()) return Reason::guard_unenforced;
  if (way == guard::guard_in) return Reason::flow_new;
  for (const image::ChargeAccount& one : charges.accounts(of.forward))
    if (charges.budget_of(one.account).on_exceed != image::Exceed::alert) return Reason::budget_closed;
  return Reason::flow_new;
}

naive::MeantPacket meant(naive::Draw& draw, const naive::Packet& packet, u16 source_port) {
  naive::MeantPacket made;
  made.ipv6 = !packet.is_ipv4;
  made.source = packet.source;
  made.target = packet.target;
  made.protocol = packet.is_rdma || draw.one_in(3) ? 6 : packet.protocol;
  made.source_port = source_port;
  made.target_port = packet.target_port;
  made.tcp_flags = 2;
  made.icmp_type = draw.one_in(2) ? packet.icmp_type : made.ipv6 ? 128 : 8;
  made.icmp_code = draw.one_in(8) ? packet.icmp_code : 0;
  return made;
}

struct World {
  guard::Kernel kernel;
  std::map<Reason, u64> seen;
  u64 frames = 0;
  HashKey secret{};
};

// What the guard has counted on an interface, for a failure.
std::string counted(const World& world, u32 slot, guard::guard_way way) {
  std::string text;
  for (std::size_t i = 0; i < reasons_count; ++i)
    if (const u64 packets = world.kernel.count(slot, way, static_cast<u8>(i)).packets; packets != 0)
      text += " " + std::string(reason_rows[i].name) + " " + std::to_string(packets);
  return text;
}

void compare(World& world, u64 seed, naive::Draw& draw, const control::Model& model, const Policy& policy,
             std::span<const guard::Interface> interfaces, Tick now) {
  const guard::Interface& interface = interfaces[draw.below(interfaces.size())];
  guard::guard_interface named{};
  named.slot = interface.slot;
  if (!world.kernel.set_interface(guard::loopback, named)) fail(seed, "no interface");
  const auto way = static_cast<guard::guard_way>(draw.below(2));
  const auto packet = meant(draw, naive::random_packet(draw, model), static_cast<u16>(1 + world.frames % 65535));
  const std::vector<std::byte> frame = FrameWriter::write(packet);
  const Headers headers = parse(frame, {world.secret, 0});
  const auto program = way == guard::guard_out ? guard::Program::guard_out_tc
                       : draw.one_in(2)        ? guard::Program::guard_in_xdp
                                               : guard::Program::guard_in_tc;
  const auto before = [&](Reason reason) { return world.kernel.count(interface.slot, way, static_cast<u8>(reason)); };
  const bool is_plain = headers.well_formed() && headers.kind == PacketKind::flow && headers.tunnels == 0 &&
                        headers.rdma_opcode == rdma_opcode_none && !is_tunnel(headers.protocol, headers.target_port) &&
                        !(packet.ipv6 && (packet.protocol == 0 || packet.protocol == 60));
  const Reason wanted = is_plain ? expected(policy, headers, interface, way, now) : Reason::undecided;
  const guard::Count count = before(wanted);
  const guard::TestRun ran = guard::test_run(world.kernel, program, frame);
  ++world.frames;
  if (!is_plain) {
    const bool is_link = headers.well_formed() && headers.kind == PacketKind::dhcp;
    if (ran.passes && !is_link)
      fail(seed, "passes what the engine does not: " + std::string(row(headers.drop).name) + ", protocol " +
                     std::to_string(packet.protocol) + ", port " + std::to_string(packet.target_port));
    return;
  }
  ++world.seen[wanted];
  if (ran.passes != (verdict_of(wanted) == Verdict::forward) || before(wanted).packets != count.packets + 1)
    fail(seed, "wanted " + std::string(row(wanted).name) + (ran.passes ? ", passed" : ", dropped") + ", protocol " +
                   std::to_string(headers.protocol) + ", port " + std::to_string(headers.target_port) + ", way " +
                   std::to_string(way) + ", type " + std::to_string(packet.icmp_type) + ":" +
                   counted(world, interface.slot, way));
  if (ran.passes) guard::forget_flows(world.kernel);
}

void try_policy(World& world, u64 seed, naive::Draw& draw, const control::Model& model, control::DecisionForm form,
                u64 packets) {
  const auto compiled = control::compile(model, 1 + seed, form);
  if (!compiled) return;  // more charges than a connection may have
  const ImageMemory memory(compiled->image);
  const auto policy = verify(memory.bytes());
  if (!policy) fail(seed, "an image that does not hold");
  std::vector<guard::Interface> interfaces;
  for (u32 slot = 0; slot < 4; ++slot)
    interfaces.push_back({"lo", {word_of(*policy, draw), word_of(*policy, draw)}, slot});
  // Allows end at whole seconds, far apart from the moment at which the clock is set.
  const Tick now = (998 + draw.below(7)) * tick_second + tick_second / 2;
  const auto tables = guard::tables_of(*policy, interfaces, now - guard::boot_ns() / 1000);
  if (!tables) fail(seed, tables.error().sentence);
  if (tables->bytes.size() > world.kernel.room()) return;
  if (const auto done = world.kernel.install(*tables); !done) fail(seed, done.error().sentence);
  for (u64 i = 0; i < packets; ++i) compare(world, seed, draw, model, *policy, interfaces, now);
}

}  // namespace

int main() {
  if (geteuid() != 0) return std::puts("skipped: only root may load programs into the kernel"), 77;
  auto kernel = guard::Kernel::load({.policy_bytes = 1u << 26, .flows = 4096});
  if (!kernel) return std::puts(kernel.error().sentence.c_str()), 1;
  World world{std::move(*kernel), {}, 0, {}};
  if (guard::test_run(world.kernel, guard::Program::guard_out_tc, std::vector<std::byte>(60)).passes)
    fail(0, "without a policy something passes");
  const u64 models = from_environment("WEIR_GUARD_MODELS", 40), packets = from_environment("WEIR_GUARD_PACKETS", 400);
  for (u64 seed = 0; seed < models; ++seed) {
    naive::Draw draw(seed);
    control::Model model = naive::random_model(draw);
    if (draw.one_in(2)) naive::add_budgets(draw, model);
    model.monitor = draw.one_in(4);
    if (draw.one_in(2)) model.monitor_until_s = static_cast<std::int64_t>(998 + draw.below(8));
    try_policy(world, seed, draw, model, control::DecisionForm::matrix, packets / 2);
    try_policy(world, seed, draw, model, control::DecisionForm::vectors, packets / 2);
  }
  for (const auto& [reason, count] : world.seen) std::printf("%s %lu\n", row(reason).name.data(), count);
  for (const Reason reason : {Reason::flow_new, Reason::forbidden, Reason::no_allow, Reason::spoofed, Reason::expired,
                              Reason::guard_unenforced, Reason::budget_closed})
    if (world.seen[reason] * 1000 < world.frames) fail(0, "hardly ever " + std::string(row(reason).name));
  std::printf("%lu frames, each judged as the engine judges it\n", world.frames);
}
