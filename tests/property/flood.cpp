// The policy, the established flows, and the pouring. What single packets look like is in flood_attack.cpp.
#include "tests/property/flood.hpp"

#include "control/compile/compile.hpp"
#include "dataplane/policy/verify.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace weir::flood {
namespace {

constexpr HashKey secret{{0x243f'6a88'85a3'08d3, 0x1319'8a2e'0370'7344, 0xa409'3822'299f'31d0, 0x082e'fa98'ec4e'6c89}};
constexpr u16 web = 443, names = 53;
constexpr u32 slots_count = held_frames_max + 4 * burst_packets_max;

[[noreturn]] void give_up(const char* why) {
  std::fprintf(stderr, "flood: %s\n", why);
  std::exit(1);
}

control::Segment segment_of(bool inside) {
  control::Segment segment;
  segment.name = inside ? "inner" : "outer";
  segment.has_addresses = true;
  const u32 first = inside ? inside_network : outside_network, size = inside ? 0xffff : 0xff'ffff;
  segment.addresses.ipv4 = {{first, first + size}};
  const control::Ipv6Number network = control::Ipv6Number{inside ? 0xfd00'000au : 0xfd00'000bu} << 96;
  segment.addresses.ipv6 = {{network, network | ((control::Ipv6Number{1} << 96) - 1)}};
  segment.attach = {inside ? "inside" : "outside"};
  return segment;
}

// Both sides may open to the other what the established flows and most of the flood use.
control::Model model() {
  control::Model model;
  model.name = "flood";
  model.files = {"flood.toml"};
  model.line_starts = {{0}};
  model.segments = {segment_of(true), segment_of(false)};
  for (u32 from : {0u, 1u}) {
    control::Statement allow;
    allow.name = from == 0 ? "in-to-out" : "out-to-in";
    allow.from = {from}, allow.to = {1 - from};
    allow.services.tcp = {{web, web}};
    allow.services.udp = {{names, names}};
    allow.services.icmp4 = {{8 << 8, 8 << 8}};
    allow.services.icmp6 = {{128 << 8, 128 << 8}};
    model.statements.push_back(allow);
  }
  return model;
}

}  // namespace

Flood::Flood(const Plan& plan, std::span<std::byte> memory)
    : plan_(plan),
      table_(memory, plan.capacity),
      pipeline_(std::make_unique<Pipeline>(PipelineConfig{.secret = secret}, table_, counters_)),
      frames_(std::size_t{slots_count} * 2 * frame_room),
      slots_(slots_count),
      outcomes_(outcomes_max) {
  for (u32 slot = 0; slot < slots_count; ++slot) free_.push_back(slot);
  const auto compiled = control::compile(model(), 1);
  if (!compiled) give_up("the policy does not compile");
  image_ = std::make_unique<ImageMemory>(compiled->image);
  const auto verified = verify(image_->bytes());
  if (!verified) give_up("the policy does not verify");
  const std::string_view ports[] = {"inside", "outside"};
  policy_ = std::make_unique<InstalledPolicy>(bind_ports(verified.value(), ports));
}

Flood::~Flood() = default;

void Flood::open() {
  for (u32 i = 0; i < plan_.established; ++i) {
    const bool ipv6 = i % 4 == 3, opened_inside = i % 2 == 0;
    const u16 number = static_cast<u16>(20'000 + i / 2000);  // with the hosts: no two flows are alike
    const Flow::Class what = i % 10 < 7 ? Flow::Class::tcp : i % 10 < 9 ? Flow::Class::udp : Flow::Class::echo;
    const u16 service = what == Flow::Class::tcp ? web : what == Flow::Class::udp ? names : number;
    flows_.push_back({{ipv6, true, 1 + i % 2000},
                      {ipv6, false, 0xa0'0000 + i},
                      opened_inside ? number : service,
                      opened_inside ? service : number,
                      what,
                      opened_inside,
                      false,
                      {static_cast<u32>(any()), static_cast<u32>(any())}});
    if (what != Flow::Class::tcp) {
      flow_packet(i, opened_inside, Kind::opening);
      flow_packet(i, !opened_inside, Kind::opening);
      continue;
    }
    flow_tcp(i, opened_inside, syn, 0, Kind::opening);
    flow_tcp(i, !opened_inside, syn | ack, 0, Kind::opening);
    flow_tcp(i, opened_inside, ack, 0, Kind::opening);
  }
  settle_all();
}

void Flood::pour() {
  for (u64 sent = 0, turn = 0; sent < plan_.attack; ++sent) {
    attack_packet();
    if (sent % plan_.attack_per_packet != 0) continue;
    // In turn, scattered over the table; each way every other time.
    const u32 flow = static_cast<u32>(turn * 7919 % plan_.established);
    flow_packet(flow, (turn / plan_.established + flow) % 2 == 0, Kind::established);
    ++turn;
  }
}

void Flood::finish() {
  for (u32 flow = 0; flow < plan_.established; ++flow)
    for (bool from_inside : {true, false}) flow_packet(flow, from_inside, Kind::established);
  settle_all();
  for (const Slot& slot : slots_) result_.kinds[static_cast<u8>(slot.kind)].of[u32(Verdict::hold)] += slot.held;
  result_.flows_lost =
      static_cast<u64>(std::count_if(flows_.begin(), flows_.end(), [](const Flow& f) { return f.lost; }));
}

void Flood::flow_packet(u32 number, bool from_inside, Kind kind) {
  const Flow& flow = flows_[number];
  if (flow.what == Flow::Class::tcp) return flow_tcp(number, from_inside, psh | ack, 16, kind);
  const Host &source = from_inside ? flow.inside : flow.outside, &target = from_inside ? flow.outside : flow.inside;
  const u16 source_port = from_inside ? flow.inside_port : flow.outside_port;
  const u16 target_port = from_inside ? flow.outside_port : flow.inside_port;
  Frame frame(room());
  frame.ethernet(source.ipv6, !from_inside);
  if (flow.what == Flow::Class::udp) {
    frame.ip(source, target, protocol_of_udp, 24).udp(source_port, target_port, 16);
  } else {
    const bool request = from_inside == flow.opened_inside;
    const u8 type = source.ipv6 ? (request ? 128 : 129) : (request ? 8 : 0);
    frame.ip(source, target, source.ipv6 ? protocol_icmp6 : protocol_icmp4, 24).echo(type, source_port, 1);
  }
  send(kind, number, frame, from_inside ? 0 : 1);
}

void Flood::flow_tcp(u32 number, bool from_inside, u8 flags, u32 data_bytes, Kind kind) {
  Flow& flow = flows_[number];
  const Host &source = from_inside ? flow.inside : flow.outside, &target = from_inside ? flow.outside : flow.inside;
  u32& next = flow.next[from_inside ? 0 : 1];
  const u32 heard = flags & ack ? flow.next[from_inside ? 1 : 0] : 0;
  const TcpFields fields{next, heard, flags, (flags & syn) != 0};
  Frame frame(room());
  frame.ethernet(source.ipv6, !from_inside).ip(source, target, protocol_of_tcp, tcp_bytes(fields, data_bytes));
  frame.tcp(from_inside ? flow.inside_port : flow.outside_port, from_inside ? flow.outside_port : flow.inside_port,
            fields, data_bytes);
  next += data_bytes + (flags & syn ? 1 : 0);
  send(kind, number, frame, from_inside ? 0 : 1);
}

// The frame stands in room(), which it takes.
void Flood::send(Kind kind, u32 flow, const Frame& frame, u16 port, Checksum checksum) {
  const u32 slot = free_.back();
  std::byte* at = room();
  free_.pop_back();
  slots_[slot] = {kind, false, flow};
  ++result_.offered[static_cast<u8>(kind)];
  now_ += plan_.step_us;
  burst_[in_burst_++] = {.data = at,
                         .bytes = frame.bytes(),
                         .port = port,
                         .time = now_,
                         .token = slot,
                         .answer = {at + frame_room, frame_room},
                         .room = frame_room,
                         .checksum = checksum};
  if (in_burst_ == burst_packets_max) send_burst();
}

void Flood::send_burst() {
  const u32 count = pipeline_->process({burst_.data(), in_burst_}, policy_.get(), outcomes_, {}).outcomes;
  in_burst_ = 0;
  settle(count);
  if (free_.empty()) give_up("more frames are inside than may be");
}

void Flood::settle_all() {
  if (in_burst_ != 0) send_burst();
  while (!pipeline_->idle()) settle(pipeline_->drain(policy_.get(), outcomes_));
}

void Flood::settle(u32 count) {
  for (u32 i = 0; i < count; ++i) {
    const Outcome& outcome = outcomes_[i];
    Slot& slot = slots_[outcome.token];
    slot.held = outcome.verdict == Verdict::hold;
    if (slot.held) continue;
    const u32 kind = static_cast<u8>(slot.kind);
    ++result_.kinds[kind].of[static_cast<u8>(outcome.verdict)];
    ++result_.reasons[static_cast<u8>(outcome.reason)];
    ++result_.reasons_of[kind][static_cast<u8>(outcome.reason)];
    const bool own = slot.kind == Kind::established || slot.kind == Kind::opening;
    const bool passes = outcome.reason == Reason::flow_established ||
                        (slot.kind == Kind::opening && outcome.reason == Reason::flow_new);
    if (own && !passes) ++result_.lost, flows_[slot.flow].lost = true;
    free_.push_back(static_cast<u32>(outcome.token));
  }
}

bool accounts_for_every_packet(const Flood& flood) {
  const Result& result = flood.result();
  const WorkerCounters& counters = flood.counters();
  u64 offered = 0, held = 0, counted = 0;
  bool agree = true;
  for (u32 kind = 0; kind < kinds_count; ++kind) {
    offered += result.offered[kind];
    held += result.kinds[kind].of[static_cast<u8>(Verdict::hold)];
    agree = agree && result.kinds[kind].sum() == result.offered[kind];
  }
  for (u32 reason = 0; reason < reasons_count; ++reason) {
    counted += counters.reasons[reason].packets.read();
    agree = agree && counters.reasons[reason].packets.read() == result.reasons[reason];
  }
  return agree && counters.received.read() == offered && counted + held == offered;
}

}  // namespace weir::flood
