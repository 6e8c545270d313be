// Random sequences of packets, policy flips, flushes and jumps in time, through the engine in random bursts and
// through the naive firewall one by one. Choices come from bytes, so that a random test and a fuzzer share it. Of
// several workers any may meet a packet, and hands it to its flow's. If asked, engines are restarted now and then.
#pragma once
#include "control/compile/compile.hpp"
#include "dataplane/pipeline/burst.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/choices.hpp"
#include "tests/property/contract.hpp"
#include "tests/property/disagreements.hpp"
#include "tests/property/frame_writer.hpp"
#include "tests/property/hits_watch.hpp"
#include "tests/property/naive_firewall.hpp"
#include "tests/property/packet_shapes.hpp"
#include "tests/property/restarts.hpp"
#include "tests/property/revocations.hpp"
#include "tests/property/sequence_policies.hpp"
#include "tests/property/tcp_talk.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <span>
#include <stdexcept>
#include <unordered_map>

namespace weir {

// One run of the engine beside its twin. Throws on the first difference. Ceilings count for each worker alone, so with
// several of them the policies are without.
class Sequence {
 public:
  struct Wish {
    bool names_segments = false;  // as where decisions are told, which takes every packet the whole way
    u32 workers = 1;               // with restarts: at most
    bool restarts = false;         // for policies without ceilings, which count anew
    bool shadows = false;          // now and then a policy is asked beside the one in force
    MirrorRing* mirror = nullptr;  // of one worker: packets are shown here
  };
  explicit Sequence(const Policies& policies) : Sequence(policies, Wish{}) {}
  Sequence(const Policies& policies, const Wish& wish)
      : policies_(policies), wish_(wish), hits_(policies, wish.workers), disagreements_(policies) {
    make_workers(wish.workers, secret);
  }

  void run(Choices choices) {
    while (choices.left()) {
      Worker& worker = *workers_[workers_.size() == 1 ? 0 : choices.below(static_cast<u32>(workers_.size()))];
      std::vector<Packet> burst = take_handed(worker);
      const u32 size = 1 + choices.below(burst_packets_max);
      for (u32 i = 0; i < size && burst.size() < burst_packets_max && choices.left(); ++i)
        burst.push_back(enter(worker, random_packet(choices)));
      step(worker, burst);
      act(choices.below(32), choices);
    }
    finish();
    u64 ended = 0, received = 0, lost = 0;
    std::ranges::move(workers_, std::back_inserter(over_));
    for (const auto& worker : over_) {
      for (const auto& reason : worker->counters.reasons) ended += reason.packets.read();
      received += worker->counters.received.read() - worker->counters.handed_over.read();
      due_[static_cast<u8>(EventKind::flow_revoked)] += worker->counters.flows_revoked.read();
      lost += worker->events->lost();
    }
    holds_to(disagreements_.fault(over_));
    expect(watch_.inside() == 0, "every packet ends", 0);
    holds_to(hits_.fault());
    due_[static_cast<u8>(EventKind::scan_detected)] = twin_.scans_told();
    expect(told_ == due_ && lost == 0, "events tell what happened", 0);
    expect(ended == entered_ && received == entered_, "counters account for every packet", 0);
  }

  u64 ended_as(Reason reason) const {
    return sum([&](const Worker& worker) { return worker.counters.reasons[static_cast<u8>(reason)].packets.read(); });
  }
  u64 swept() const {
    return sum([](const Worker& worker) { return worker.counters.sweep_judged.read(); });
  }
  u64 handed_over() const {
    return sum([](const Worker& worker) { return worker.counters.handed_over.read(); });
  }
  u64 restarts() const { return restarts_; }
  u64 disagreements() const { return disagreements_.told(); }
  // Whether both first workers' flow tables hold the same, byte for byte.
  bool remembers_what(const Sequence& other) const {
    const std::size_t bytes = FlowTable::bytes_needed(flows_max);
    return std::memcmp(aligned(over_[0]->memory.data()), aligned(other.over_[0]->memory.data()), bytes) == 0;
  }

 private:
  static constexpr u32 flows_max = 4096;
  static constexpr u64 start_us = 1'700'000'000'000'000;

  // One under which the sketches of scans, which have 128 bits, tell apart every port, message and address that these
  // sequences make.
  static constexpr HashKey secret{{0x9e37, 0x5121'0fe2'12bf'6c42, 0xe114'b56d'be3d'6501, 0x632f'63b0'2d00'ac52}};

  struct Waiting {
    Waiting(const naive::MeantPacket& what, std::vector<std::byte> bytes, u64 name)
        : meant(what), frame(std::move(bytes)), token(name) {}
    naive::MeantPacket meant;
    std::vector<std::byte> frame;
    std::vector<std::byte> answer = std::vector<std::byte>(200, ContractWatch::untouched);
    u64 token;
  };

  struct Worker {
    Worker(const Wish& wish, u32 workers, u32 self, const HashKey& secret)
        : memory(FlowTable::bytes_needed(flows_max) + 64),
          flood_memory(Floods::bytes_needed + 64),
          rdma_memory(Rdma::bytes_needed + 64),
          table({aligned(memory.data()), FlowTable::bytes_needed(flows_max)}, flows_max),
          floods({aligned(flood_memory.data()), Floods::bytes_needed}, secret),
          rdma({aligned(rdma_memory.data()), Rdma::bytes_needed}, secret),
          pipeline({.secret = secret, .workers = workers, .self = self, .events = events.get(), .floods = &floods,
                    .rdma = &rdma, .mirror = wish.mirror, .name_segments = wish.names_segments},
                   table, counters) { pipeline.listen(); }

    // One that runs no more: only its counters are asked.
    void forget() { memory = flood_memory = rdma_memory = {}; }

    std::vector<std::byte> memory, flood_memory, rdma_memory;
    FlowTable table;
    Floods floods;
    Rdma rdma;
    WorkerCounters counters;
    std::unique_ptr<EventRing> events = std::make_unique<EventRing>();
    Pipeline pipeline;
    std::deque<Waiting> waiting;  // inside
    std::deque<Waiting> handed;   // by other workers, not yet taken
    std::unordered_map<u32, u64> serials;  // flow record -> the twin's serial
  };

  template <class Count>
  u64 sum(Count count) const {
    u64 all = 0;
    for (const auto& worker : over_) all += count(*worker);
    return all;
  }

  void make_workers(u32 count, const HashKey& key) {
    for (u32 self = 0; self < count; ++self) workers_.push_back(std::make_unique<Worker>(wish_, count, self, key));
  }

  // Other workers take up what these know, under another secret, after some beats without anybody.
  void restart(Choices& choices) {
    finish();
    take_events();
    expect(revocations_.settle() == nullptr, "revocations are told once", 0);
    auto before = std::move(workers_);
    workers_.clear();
    HashKey key = secret;
    key.words[3] += 2 * ++restarts_;
    make_workers(1 + choices.below(wish_.workers), key);
    const u32 beats = choices.below(4) == 0 ? choices.below(500) : 0;
    carry_over(before, workers_, in_force(), key, now_us_, beats);
    now_us_ += beats * beat_us;
    twin_.restart();
    for (auto& worker : before) worker->forget();
    std::ranges::move(before, std::back_inserter(over_));
  }

  // Now and then something besides packets.
  void act(u32 act, Choices& choices) {
    if (act == 0) {
      for (const auto& worker : workers_) worker->pipeline.flush();
      twin_.flush();
    } else if (act < 5) {
      policy_ = choices.below(Policies::count), ++changes_;
    } else if (act < 8) {
      for (const auto& worker : workers_)  // nothing while packets are inside
        worker->pipeline.age(now_us_, in_force());
      take_events();
      expect(revocations_.settle() == nullptr, "revocations are told once", 0);
    } else if (act < 10 && wish_.restarts) {
      restart(choices);
    } else if (act < 14 && wish_.shadows) {
      disagreements_.choose(choices);
    }
  }

  // Until nothing is inside anywhere.
  void finish() {
    for (bool any = true; any;) {
      any = false;
      for (const auto& worker : workers_) {
        if (worker->pipeline.idle() && worker->handed.empty()) continue;
        any = true;
        step(*worker, take_handed(*worker));
      }
    }
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

  void advance(Choices& choices) {
    // The last two are half the round of deadlines, and all of it.
    constexpr u64 jumps_us[] = {0, 0, 0, 1, 999, 1'000'000, 9'999'999, 29'999'000, 60'000'000, 241'000'000,
                                7'440'000'000, 2 * 3'600'000'000, 4 * 3'600'000'000, 17'179'869'184, 34'359'738'368};
    const u32 pick = choices.below(256);
    constexpr u32 short_jumps = 6;
    if (pick < short_jumps || (pick < std::size(jumps_us) && choices.below(8) == 0)) now_us_ += jumps_us[pick];
  }

  Packet enter(Worker& worker, const naive::MeantPacket& meant) {
    worker.waiting.emplace_back(meant, FrameWriter::write(meant), entered_++);
    return show(worker.waiting.back());
  }

  Packet show(Waiting& waiting) {
    const Packet packet{waiting.frame.data(),
                        static_cast<u32>(waiting.frame.size()),
                        static_cast<u16>(waiting.meant.from_inside ? 0 : 1),
                        waiting.meant.time_us,
                        waiting.token,
                        waiting.answer};
    watch_.enter(packet);
    return packet;
  }

  // What others have handed over comes in now, in the order in which they did.
  std::vector<Packet> take_handed(Worker& worker) {
    std::vector<Packet> burst;
    while (!worker.handed.empty() && burst.size() < burst_packets_max) {
      worker.handed.front().meant.time_us = now_us_;
      worker.waiting.push_back(std::move(worker.handed.front()));
      worker.handed.pop_front();
      burst.push_back(show(worker.waiting.back()));
    }
    return burst;
  }

  void step(Worker& worker, std::span<const Packet> burst) {
    Outcome outcomes[outcomes_max];
    Misdirected misdirected[burst_packets_max];
    // Both ways in say the same; which is taken follows from what came so far: old inputs stay what they are.
    const bool at_once = !burst.empty() && entered_ % 3 == 0;
    while (at_once && !worker.pipeline.idle()) step(worker, {});
    Pipeline& pipeline = worker.pipeline;
    const InstalledPolicy* const policy = in_force();
    const auto result = at_once ? pipeline.process_at_once(burst, policy, outcomes, misdirected)
                                : pipeline.process(burst, policy, outcomes, misdirected);
    for (u32 i = 0; i < result.misdirected; ++i) hand_over(worker, misdirected[i]);
    take_events();
    for (u32 i = 0; i < result.outcomes; ++i) compare(worker, outcomes[i]);
    expect(revocations_.settle() == nullptr, "revocations are told once", 0);
  }

  void hand_over(Worker& worker, const Misdirected& packet) {
    const auto found = std::ranges::find(worker.waiting, packet.token, &Waiting::token);
    expect(found != worker.waiting.end(), "what is handed over was inside", packet.token);
    expect(workers_[packet.owner].get() != &worker, "a worker hands over to others", packet.token);
    workers_[packet.owner]->handed.push_back(std::move(*found));
    worker.waiting.erase(found);
  }

  void take_events() {
    for (const auto& worker : workers_)
      for (Event event; worker->events->pop(event);) {
        told_[static_cast<u8>(event.kind)] += !is_of_shadow(event.kind);
        holds_to(disagreements_.tell(event, policy_));
        expect(revocations_.tell(event, policies_[policy_].model, changes_) == nullptr, "revocations are told", 0);
      }
  }

  // What the ring must hold for an outcome: a drop that is not the parser's, a flow whose rule logs.
  void expect_events(const Outcome& outcome) {
    const auto& policy = hits_.of(policy_)->policy;
    due_[static_cast<u8>(EventKind::packet_dropped)] +=
        outcome.verdict == Verdict::answer ||
        (outcome.verdict == Verdict::drop && row(outcome.reason).stage != "parse");
    due_[static_cast<u8>(EventKind::flow_opened)] += outcome.flow_is_new && Policies::logs(policy.rule(outcome.rule));
  }

  void compare(Worker& worker, const Outcome& outcome) {
    if (const auto broken = watch_.check(outcome)) throw std::runtime_error(*broken);
    expect_events(outcome);
    hits_.see(policy_, outcome);
    expect(outcome.token == worker.waiting.front().token, "outcomes come in order", outcome.token);
    const naive::MeantPacket meant = worker.waiting.front().meant;
    const std::vector<std::byte> frame = std::move(worker.waiting.front().frame);
    worker.waiting.pop_front();
    expect(revocations_.see(outcome, meant) == nullptr, "what is denied was told", outcome.token);
    holds_to(disagreements_.see(outcome, meant, policy_), outcome.token);
    const naive::Verdict expected = twin_.decide(meant, policies_[policy_].model);
    const bool is_scrubbed = outcome.reason == Reason::scrubbed && verdict_of(expected.reason) == Verdict::forward;
    expect(!is_scrubbed || is_clean(frame, secret), "what is scrubbed is clean", outcome.token);
    if (outcome.reason != expected.reason && !is_scrubbed)
      throw std::runtime_error(std::to_string(outcome.token) + ": engine says " + std::string(row(outcome.reason).name)
                               + ", twin says " + std::string(row(expected.reason).name));
    expect(outcome.generation == Policies::generation_of(policy_), "the generation is the policy's", outcome.token);
    expect(outcome.answer_bytes <= frame.size(), "no answer is longer than what it answers", outcome.token);
    expect(outcome.flow_is_new == expected.is_new, "new flows agree", outcome.token);
    if (outcome.flow_is_new) worker.serials[outcome.flow] = expected.flow;
    if (outcome.flow != no_flow) expect(worker.serials[outcome.flow] == expected.flow, "flows agree", outcome.token);
  }

  const InstalledPolicy* in_force() { return disagreements_.beside(hits_.of(policy_), policy_); }
  static void holds_to(const char* fault, u64 token = 0) { expect(fault == nullptr, fault, token); }
  static void expect(bool holds, const char* what, u64 token) {
    if (!holds) throw std::runtime_error("packet " + std::to_string(token) + ": does not hold: " + what);
  }

  const Policies& policies_;
  const Wish wish_;
  HitsWatch hits_;
  std::vector<std::unique_ptr<Worker>> workers_, over_;  // over_: that run no more; in the end, all
  std::array<u64, event_kinds> told_{}, due_{};  // by EventKind
  naive::Firewall twin_;
  ContractWatch watch_;
  std::array<TcpTalk, 8> talks_;
  std::array<naive::MeantPacket, 8> last_spoken_;
  Revocations revocations_;
  Disagreements disagreements_;
  u32 policy_ = 0;
  u64 changes_ = 0;  // of policy_
  u64 now_us_ = start_us;
  u64 entered_ = 0, restarts_ = 0;
};

}  // namespace weir
