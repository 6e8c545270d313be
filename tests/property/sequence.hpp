// Random sequences of packets, policy flips, flushes and jumps in time, through the engine in random bursts and
// through the naive firewall one by one. Choices come from bytes, so that a random test and a fuzzer share it.
#pragma once
#include "control/compile/compile.hpp"
#include "dataplane/pipeline/burst.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/choices.hpp"
#include "tests/property/contract.hpp"
#include "tests/property/frame_writer.hpp"
#include "tests/property/naive_firewall.hpp"
#include "tests/property/revocations.hpp"
#include "tests/property/sequence_policies.hpp"
#include "tests/property/tcp_talk.hpp"

#include <array>
#include <deque>
#include <memory>
#include <span>
#include <stdexcept>
#include <unordered_map>

namespace weir {

// One run of the engine beside its twin. Throws on the first difference.
class Sequence {
 public:
  // `names_segments`: as where decisions are told, which takes every packet the whole way.
  explicit Sequence(const Policies& policies, bool names_segments = false)
      : policies_(policies),
        memory_(FlowTable::bytes_needed(flows_max) + 64),
        flood_memory_(Floods::bytes_needed + 64),
        table_({aligned(memory_.data()), FlowTable::bytes_needed(flows_max)}, flows_max),
        floods_({aligned(flood_memory_.data()), Floods::bytes_needed}, secret),
        pipeline_(config(names_segments), table_, counters_) {}

  void run(Choices choices) {
    while (choices.left()) {
      std::vector<Packet> burst;
      const u32 size = 1 + choices.below(burst_packets_max);
      for (u32 i = 0; i < size && choices.left(); ++i) burst.push_back(enter(random_packet(choices)));
      step(burst);
      if (const u32 act = choices.below(32); act == 0) {
        pipeline_.flush(), twin_.flush();
      } else if (act < 5) {
        policy_ = choices.below(Policies::count), ++changes_;
      } else if (act < 8) {
        pipeline_.age(now_us_, policies_[policy_].installed.get());  // nothing while packets are inside
        take_events();
      }
    }
    while (!pipeline_.idle()) step({});
    u64 ended = 0;
    for (const auto& reason : counters_.reasons) ended += reason.packets.read();
    expect(watch_.inside() == 0, "every packet ends", 0);
    due_[static_cast<u8>(EventKind::flow_revoked)] = counters_.flows_revoked.read();
    due_[static_cast<u8>(EventKind::scan_detected)] = twin_.scans_told();
    expect(told_ == due_ && events_->lost() == 0, "events tell what happened", 0);
    expect(ended == entered_ && counters_.received.read() == entered_, "counters account for every packet", 0);
  }

  u64 ended_as(Reason reason) const { return counters_.reasons[static_cast<u8>(reason)].packets.read(); }
  // Whether both flow tables hold the same, byte for byte.
  bool remembers_what(const Sequence& other) const {
    const std::size_t bytes = FlowTable::bytes_needed(flows_max);
    return std::memcmp(aligned(memory_.data()), aligned(other.memory_.data()), bytes) == 0;
  }
  u64 swept() const { return counters_.sweep_judged.read(); }

 private:
  static constexpr u32 flows_max = 4096;
  static constexpr u64 start_us = 1'700'000'000'000'000;

  // One under which the sketches of scans tell apart the few ports and addresses of these sequences.
  static constexpr HashKey secret{{0x9e37, 0x79b9'7f4a'7c15'f39c, 0xdaa6'6d2c'7ddf'7442, 0xbf58'476d'1ce4'e5b9}};

  PipelineConfig config(bool names_segments) {
    return {.secret = secret, .events = events_.get(), .floods = &floods_, .name_segments = names_segments};
  }
  template <class Byte>
  static Byte* aligned(Byte* at) {
    return at + (64 - reinterpret_cast<std::uintptr_t>(at) % 64) % 64;
  }

  // A conversation's next segment, three times of five, else a packet of any kind.
  naive::MeantPacket random_packet(Choices& choices) {
    const u32 kind = choices.below(40);
    naive::MeantPacket packet = kind < 24 ? spoken_packet(kind % 8, choices) : any_packet(choices);
    if (choices.below(128) == 1) packet.from_inside = !packet.from_inside;
    packet.bad_checksum = packet.protocol != 50 && choices.below(32) == 1;
    advance(choices);
    packet.time_us = now_us_;
    return packet;
  }

  naive::MeantPacket spoken_packet(u32 talk, Choices& choices) {
    naive::MeantPacket packet;
    const auto spoken = talks_[talk].next(choices);
    packet.ipv6 = talk & 1;
    const bool from_outside = talk == 7;  // a client out there: what policy 1 lets in
    packet.from_inside = spoken.from_client != from_outside;
    const auto base = packet.ipv6 ? static_cast<control::Ipv6Number>(0xfd00) << 112 : 0x0a000000;
    packet.source = packet.from_inside ? base + 1 : base + 0x10001;
    packet.target = packet.from_inside ? base + 0x10001 : base + 1;
    const u16 client = static_cast<u16>(talk == 5 ? 80 : 2000 + talk), server = talk == 6 ? 443 : 80;
    packet.source_port = spoken.from_client ? client : server;
    packet.target_port = spoken.from_client ? server : client;
    mean_tcp(packet, spoken.segment);
    last_spoken_[talk] = packet;
    return packet;
  }

  static void mean_tcp(naive::MeantPacket& packet, const naive::Segment& segment) {
    packet.protocol = 6;
    packet.tcp = segment;
    packet.tcp_flags = static_cast<u8>(segment.fin | segment.syn << 1 | segment.rst << 2 | segment.ack << 4);
  }

  naive::MeantPacket any_packet(Choices& choices) {
    naive::MeantPacket packet;
    const u32 shape = choices.below(16);
    const u32 place = choices.below(256);
    packet.ipv6 = place & 1;
    packet.from_inside = !(place & 2);
    const auto base = packet.ipv6 ? static_cast<control::Ipv6Number>(0xfd00) << 112 : 0x0a000000;
    const auto inner = base + 1 + (place >> 2 & 1);
    const auto outer = base + 0x10001 + (place >> 3 & 1);
    const bool crossed = (place & 0xf0) == 0;  // claims the other side's address
    packet.source = packet.from_inside != crossed ? inner : outer;
    packet.target = packet.from_inside != crossed ? outer : inner;
    const u32 ports = choices.below(256);
    constexpr u16 services[] = {80, 443, 53, 99};
    const bool reply = ports & 4;
    const u16 client = static_cast<u16>(1000 + (ports >> 3 & 1)), service = services[ports & 3];
    packet.source_port = reply ? service : client;
    packet.target_port = reply ? client : service;
    if (shape == 15 && choices.below(2) != 0) return quoting_packet(choices);
    shape_packet(packet, shape, choices);
    return packet;
  }

  // An error about what a conversation said last, or nearly.
  naive::MeantPacket quoting_packet(Choices& choices) {
    const naive::MeantPacket& quoted = last_spoken_[choices.below(8)];
    naive::MeantPacket packet;
    packet.ipv6 = quoted.ipv6;
    packet.quotes = true;
    packet.protocol = packet.ipv6 ? 58 : 1;
    packet.icmp_type = packet.ipv6 ? 1 : 3;
    packet.quoted_protocol = 6;
    packet.quoted_source = quoted.source, packet.quoted_target = quoted.target;
    packet.quoted_source_port = quoted.source_port, packet.quoted_target_port = quoted.target_port;
    constexpr u32 shifts[] = {0, 0, 0, 1, 0u - 3, 0u - 4, 70'000, 0u - 70'000};
    packet.quoted_sequence = quoted.tcp.sequence + shifts[choices.below(8)];
    packet.source = quoted.target, packet.target = quoted.source;
    packet.from_inside = !quoted.from_inside;
    if (quoted.source == quoted.target) return any_packet(choices);  // nothing said yet
    return packet;
  }

  static void shape_packet(naive::MeantPacket& packet, u32 shape, Choices& choices) {
    constexpr u8 flags[] = {0x02, 0x12, 0x10, 0x18, 0x11, 0x14, 0x04, 0xc2};
    if (shape < 6) {
      packet.protocol = 6;
      const u8 chosen = packet.tcp_flags = flags[choices.below(8)];
      packet.tcp.fin = chosen & 1, packet.tcp.syn = chosen & 2;
      packet.tcp.rst = chosen & 4, packet.tcp.ack = chosen & 16;
      packet.tcp.sequence = 1, packet.tcp.acknowledgement = packet.tcp.ack ? 1 : 0, packet.tcp.window = 1000;
    } else if (shape < 12) {
      packet.protocol = 17;
      packet.payload = choices.below(2) * 60;
    } else if (shape < 14) {
      constexpr u8 types4[] = {8, 0, 13, 14}, types6[] = {128, 129, 128, 129};
      packet.protocol = packet.ipv6 ? 58 : 1;
      packet.icmp_type = (packet.ipv6 ? types6 : types4)[choices.below(4)];
      packet.target_port = packet.source_port;
    } else if (shape == 14) {
      packet.protocol = 50;
      packet.source_port = packet.target_port = 0;
    } else {
      packet.quotes = true;
      packet.protocol = packet.ipv6 ? 58 : 1;
      packet.icmp_type = packet.ipv6 ? 1 : 3;
      packet.quoted_protocol = choices.below(2) ? 17 : 6;
      packet.quoted_source = packet.target, packet.quoted_target = packet.source;
      packet.quoted_source_port = packet.target_port, packet.quoted_target_port = packet.source_port;
      packet.quoted_sequence = 1;
      if (choices.below(8) == 0) packet.target += 1;
    }
  }

  void advance(Choices& choices) {
    constexpr u64 jumps_us[] = {0,
                                0,
                                0,
                                1,
                                999,
                                1'000'000,
                                9'999'999,
                                29'999'000,
                                60'000'000,
                                241'000'000,
                                7'440'000'000,
                                2 * 3'600'000'000,
                                4 * 3'600'000'000,
                                17'179'869'184,   // half the round of deadlines
                                34'359'738'368};  // all of it
    const u32 pick = choices.below(256);
    constexpr u32 short_jumps = 6;
    if (pick < short_jumps || (pick < std::size(jumps_us) && choices.below(8) == 0)) now_us_ += jumps_us[pick];
  }

  Packet enter(const naive::MeantPacket& meant) {
    auto& waiting = waiting_.emplace_back(meant, FrameWriter::write(meant));
    const Packet packet{waiting.frame.data(),
                        static_cast<u32>(waiting.frame.size()),
                        static_cast<u16>(meant.from_inside ? 0 : 1),
                        meant.time_us,
                        entered_++,
                        waiting.answer};
    watch_.enter(packet);
    return packet;
  }

  void step(std::span<const Packet> burst) {
    Outcome outcomes[outcomes_max];
    const auto result = pipeline_.process(burst, policies_[policy_].installed.get(), outcomes, {});
    take_events();
    for (u32 i = 0; i < result.outcomes; ++i) compare(outcomes[i]);
  }

  void take_events() {
    for (Event event; events_->pop(event);) {
      ++told_[static_cast<u8>(event.kind)];
      expect(revocations_.tell(event, policies_[policy_].model, changes_) == nullptr, "revocations are told", 0);
    }
  }

  // What the ring must hold for an outcome: a drop that is not the parser's, a flow whose rule logs.
  void expect_events(const Outcome& outcome) {
    const auto& policy = policies_[policy_].installed->policy;
    due_[static_cast<u8>(EventKind::packet_dropped)] +=
        outcome.verdict == Verdict::answer ||
        (outcome.verdict == Verdict::drop && row(outcome.reason).stage != "parse");
    due_[static_cast<u8>(EventKind::flow_opened)] += outcome.flow_is_new && policy.rule(outcome.rule).name == "b-in";
  }

  void compare(const Outcome& outcome) {
    if (const auto broken = watch_.check(outcome)) throw std::runtime_error(*broken);
    expect_events(outcome);
    const naive::MeantPacket meant = waiting_.front().meant;
    const std::size_t meant_bytes = waiting_.front().frame.size();
    waiting_.pop_front();
    expect(revocations_.see(outcome, meant) == nullptr, "what is denied was told", outcome.token);
    const naive::Verdict expected = twin_.decide(meant, policies_[policy_].model);
    expect(outcome.token == compared_, "outcomes come in order", outcome.token);
    ++compared_;
    if (outcome.reason != expected.reason)
      throw std::runtime_error("packet " + std::to_string(outcome.token) + ": engine says " +
                               std::string(row(outcome.reason).name) + ", twin says " +
                               std::string(row(expected.reason).name));
    expect(outcome.generation == Policies::generation_of(policy_), "the generation is that of the policy in force",
           outcome.token);
    expect(outcome.answer_bytes <= meant_bytes, "no answer is longer than what it answers", outcome.token);
    expect(outcome.flow_is_new == expected.is_new, "new flows agree", outcome.token);
    if (outcome.flow_is_new) serials_[outcome.flow] = expected.flow;
    if (outcome.flow != no_flow) expect(serials_[outcome.flow] == expected.flow, "flows agree", outcome.token);
  }

  static void expect(bool holds, const char* what, u64 token) {
    if (!holds) throw std::runtime_error("packet " + std::to_string(token) + ": does not hold: " + what);
  }

  struct Waiting {
    Waiting(const naive::MeantPacket& what, std::vector<std::byte> bytes) : meant(what), frame(std::move(bytes)) {}
    naive::MeantPacket meant;
    std::vector<std::byte> frame;
    std::vector<std::byte> answer = std::vector<std::byte>(200, ContractWatch::untouched);
  };
  const Policies& policies_;
  std::vector<std::byte> memory_, flood_memory_;
  FlowTable table_;
  Floods floods_;
  WorkerCounters counters_;
  std::unique_ptr<EventRing> events_ = std::make_unique<EventRing>();
  std::array<u64, event_kinds> told_{}, due_{};  // by EventKind
  Pipeline pipeline_;
  naive::Firewall twin_;
  ContractWatch watch_;
  std::deque<Waiting> waiting_;
  std::array<TcpTalk, 8> talks_;
  std::array<naive::MeantPacket, 8> last_spoken_;
  std::unordered_map<u32, u64> serials_;  // flow record -> the twin's serial
  Revocations revocations_;
  u32 policy_ = 0;
  u64 changes_ = 0;  // of policy_
  u64 now_us_ = start_us;
  u64 entered_ = 0, compared_ = 0;
};

}  // namespace weir
