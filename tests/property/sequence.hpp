// Random sequences of packets, policy flips, flushes and jumps in time, through the engine in random bursts and
// through the naive firewall one by one. Choices come from bytes, so that a random test and a fuzzer share it.
#pragma once
#include "control/compile/compile.hpp"
#include "dataplane/pipeline/burst.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/contract.hpp"
#include "tests/property/naive_firewall.hpp"
#include "tests/property/revocations.hpp"
#include "tests/property/sequence_policies.hpp"

#include <array>
#include <deque>
#include <memory>
#include <span>
#include <stdexcept>
#include <unordered_map>

namespace weir {

// Choices read from bytes; zero for ever after the last.
class Choices {
 public:
  explicit Choices(std::span<const u8> bytes) : bytes_(bytes) {}
  bool left() const { return !bytes_.empty(); }
  u32 below(u32 bound) {
    if (bytes_.empty()) return 0;
    const u32 value = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return value % bound;
  }

 private:
  std::span<const u8> bytes_;
};

// The bytes of a frame for a meant packet: Ethernet, IPv4 or IPv6, one transport header, nothing else.
class FrameWriter {
 public:
  static std::vector<std::byte> write(const naive::MeantPacket& packet) {
    FrameWriter writer;
    for (const u32 byte : {2u, 0u, 0u, 0u, 0u, 2u, 2u, 0u, 0u, 0u, 0u, 1u}) writer.put8(byte);
    writer.put16(packet.ipv6 ? 0x86dd : 0x0800);
    std::vector<std::byte> transport = FrameWriter().transport(packet);
    put_checksum(packet, transport);
    writer.ip(packet.ipv6, packet.source, packet.target, packet.protocol, transport.size());
    writer.append(transport);
    return writer.bytes_;
  }

 private:
  void put8(u32 value) { bytes_.push_back(static_cast<std::byte>(value)); }
  void put16(u32 value) { put8(value >> 8), put8(value); }
  void put32(u32 value) { put16(value >> 16), put16(value); }
  void append(const std::vector<std::byte>& more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }

  // RFC 1071 over the pseudo-header and the transport, whose field is still zero; or one that is off by one.
  static void put_checksum(const naive::MeantPacket& packet, std::vector<std::byte>& transport) {
    const std::size_t at = packet.protocol == 6 ? 16 : packet.protocol == 17 ? 6 : 2;
    if (packet.protocol != 6 && packet.protocol != 17 && packet.protocol != 1 && packet.protocol != 58) return;
    FrameWriter summed;
    if (packet.protocol != 1) {
      for (const auto address : {packet.source, packet.target})
        for (int shift = 112; shift >= 0; shift -= 16) summed.put16(static_cast<u32>(address >> shift) & 0xffff);
      summed.put32(static_cast<u32>(transport.size())), summed.put32(packet.protocol);
    }
    summed.append(transport);
    u32 sum = packet.bad_checksum;
    for (std::size_t i = 0; i + 1 < summed.bytes_.size(); i += 2) sum += load_be16(&summed.bytes_[i]);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    sum = sum == 0xffff ? 0xffff : ~sum & 0xffff;
    transport[at] = static_cast<std::byte>(sum >> 8);
    transport[at + 1] = static_cast<std::byte>(sum);
  }

  void ip(bool ipv6, control::Ipv6Number source, control::Ipv6Number target, u8 protocol, std::size_t payload) {
    if (ipv6) {
      put32(0x60000000), put16(static_cast<u32>(payload)), put8(protocol), put8(64);
      for (const auto address : {source, target})
        for (int shift = 120; shift >= 0; shift -= 8) put8(static_cast<u32>(address >> shift));
      return;
    }
    const std::size_t start = bytes_.size();
    put16(0x4500), put16(static_cast<u32>(20 + payload)), put32(0), put8(64), put8(protocol), put16(0);
    put32(static_cast<u32>(source)), put32(static_cast<u32>(target));
    u32 sum = 0;
    for (std::size_t i = start; i < start + 20; i += 2) sum += load_be16(&bytes_[i]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    bytes_[start + 10] = static_cast<std::byte>(sum >> 8);
    bytes_[start + 11] = static_cast<std::byte>(sum);
  }

  std::vector<std::byte> transport(const naive::MeantPacket& packet) {
    if (packet.quotes) {
      put8(packet.icmp_type), put8(packet.icmp_code), put16(0), put32(0);
      naive::MeantPacket quoted;
      quoted.ipv6 = packet.ipv6;
      quoted.protocol = packet.quoted_protocol;
      quoted.source_port = packet.quoted_source_port;
      quoted.target_port = packet.quoted_target_port;
      quoted.tcp_flags = 0x10;
      quoted.icmp_type = packet.ipv6 ? 128 : 8;
      const auto inner = FrameWriter().transport(quoted);
      ip(packet.ipv6, packet.quoted_source, packet.quoted_target, packet.quoted_protocol, inner.size());
      append(inner);
    } else if (packet.protocol == 6) {
      put16(packet.source_port), put16(packet.target_port), put32(1), put32(packet.tcp_flags & 16 ? 1 : 0);
      put8(0x50), put8(packet.tcp_flags), put16(1000), put32(0);
    } else if (packet.protocol == 17) {
      put16(packet.source_port), put16(packet.target_port), put16(8 + packet.payload), put16(0);
      for (u32 i = 0; i < packet.payload; ++i) put8(i);
    } else if (packet.protocol == 1 || packet.protocol == 58) {
      put8(packet.icmp_type), put8(packet.icmp_code), put16(0), put16(packet.source_port), put16(0);
      put32(0), put32(0), put32(0);
    } else {
      for (int i = 0; i < 4; ++i) put32(0);
    }
    return bytes_;
  }

  std::vector<std::byte> bytes_;
};

// One run of the engine beside its twin. Throws on the first difference.
class Sequence {
 public:
  explicit Sequence(const Policies& policies)
      : policies_(policies),
        memory_(FlowTable::bytes_needed(flows_max) + 64),
        flood_memory_(Floods::bytes_needed + 64),
        table_({aligned(memory_.data()), FlowTable::bytes_needed(flows_max)}, flows_max),
        floods_({aligned(flood_memory_.data()), Floods::bytes_needed}, secret),
        pipeline_(config(), table_, counters_) {}

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
  u64 swept() const { return counters_.sweep_judged.read(); }

 private:
  static constexpr u32 flows_max = 4096;
  static constexpr u64 start_us = 1'700'000'000'000'000;

  // One under which the sketches of scans tell apart the few ports and addresses of these sequences.
  static constexpr HashKey secret{{0x9e37, 0x79b9'7f4a'7c15'f39c, 0xdaa6'6d2c'7ddf'7442, 0xbf58'476d'1ce4'e5b9}};

  PipelineConfig config() {
    return {.secret = secret, .events = events_.get(), .floods = &floods_};
  }
  static std::byte* aligned(std::byte* at) { return at + (64 - reinterpret_cast<std::uintptr_t>(at) % 64) % 64; }

  naive::MeantPacket random_packet(Choices& choices) {
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
    shape_packet(packet, shape, choices);
    packet.bad_checksum = packet.protocol != 50 && choices.below(32) == 1;
    advance(choices);
    packet.time_us = now_us_;
    return packet;
  }

  static void shape_packet(naive::MeantPacket& packet, u32 shape, Choices& choices) {
    constexpr u8 flags[] = {0x02, 0x12, 0x10, 0x18, 0x11, 0x14, 0x04, 0xc2};
    if (shape < 9) {
      packet.protocol = 6;
      packet.tcp_flags = flags[choices.below(8)];
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
    if (pick < std::size(jumps_us)) now_us_ += jumps_us[pick];
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
      const char* broken = revocations_.tell(event, policies_[policy_].model, changes_);
      expect(broken == nullptr, broken, 0);
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
    const char* broken = revocations_.see(outcome, meant);
    expect(broken == nullptr, broken, outcome.token);
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
  std::unordered_map<u32, u64> serials_;  // flow record -> the twin's serial
  Revocations revocations_;
  u32 policy_ = 0;
  u64 changes_ = 0;  // of policy_
  u64 now_us_ = start_us;
  u64 entered_ = 0, compared_ = 0;
};

}  // namespace weir
