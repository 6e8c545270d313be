// Fragments of UDP datagrams through the engine in bursts, and through the naive reassembly one by one: by choices from
// bytes, so that a random test and a fuzzer share it. A datagram passes when its pieces are those of the true one.
#pragma once
#include "tests/property/naive_fragments.hpp"
#include "tests/property/sequence.hpp"

namespace weir {

class FragmentRun {
 public:
  static constexpr u32 unit = 256, units = 4;
  struct Choice {
    u32 first, end;   // in units
    bool is_last, is_other;  // is_other: one byte is not the true one
    u32 datagram = 0;
    bool ipv6 = false;
  };

  explicit FragmentRun(const InstalledPolicy& policy)
      : policy_(policy),
        memory_(FlowTable::bytes_needed(64) + 64),
        flood_memory_(Floods::bytes_needed + 64),
        table_({aligned(memory_), FlowTable::bytes_needed(64)}, 64),
        floods_({aligned(flood_memory_), Floods::bytes_needed}, secret),
        pipeline_({.secret = secret, .floods = &floods_, .fragments = fragments_.get()}, table_, counters_) {
    for (const bool ipv6 : {false, true}) {
      naive::MeantPacket meant;
      meant.ipv6 = ipv6;
      const auto base = ipv6 ? static_cast<control::Ipv6Number>(0xfd00) << 112 : 0x0a000000;
      meant.source = base + 1, meant.target = base + 0x10001, meant.protocol = 17;
      meant.source_port = 1000, meant.target_port = 53;
      meant.payload = units * unit - 8;
      true_[ipv6] = FrameWriter::write(meant);
    }
  }

  // One more packet, `later_us` after the one before.
  void take(const Choice& choice, u64 later_us) {
    if (choice.first == 0 && choice.is_last) return;  // no fragment
    now_us_ += later_us;
    auto& waiting = frames_.emplace_back(frame_of(choice));
    naive::MeantPiece piece{choice.datagram * 2 + choice.ipv6, choice.first * unit, choice.end * unit, choice.is_last,
                            {}, now_us_};
    for (std::size_t at = waiting.size() - (choice.end - choice.first) * unit; at < waiting.size(); ++at)
      piece.bytes.push_back(static_cast<u8>(waiting[at]));
    others_.push_back(choice.is_other);
    reaches_.push_back(choice.end);
    twin_.take(number_, piece, [&](const std::vector<u64>& numbers) {
      const bool is_true = std::ranges::none_of(numbers, [&](u64 one) { return others_[one]; }) &&
                           std::ranges::any_of(numbers, [&](u64 one) { return reaches_[one] == units; });
      // UDP's own length tells a datagram that ends early.
      const bool ends = std::ranges::any_of(numbers, [&](u64 one) { return reaches_[one] == units; });
      return is_true ? Reason::flow_new : ends ? Reason::l4_checksum_bad : Reason::udp_header_bad;
    });
    burst_.push_back({waiting.data(), static_cast<u32>(waiting.size()), 0, now_us_, number_++, answer_});
    watch_.enter(burst_.back());
    if (burst_.size() == burst_packets_max) send();
  }
  void send() {
    const BurstResult result = pipeline_.process(burst_, &policy_, outcomes_, {});
    burst_.clear();
    read(result.outcomes);
  }
  // Compares everything up to here; throws on the first difference.
  void finish() {
    send();
    while (!pipeline_.idle()) send();
    now_us_ += 5'000'000;
    twin_.end_late(now_us_);
    read(pipeline_.age(now_us_, &policy_, outcomes_));
    fates_.resize(number_);
    for (u64 number = 0; number < number_; ++number) {
      const auto& wanted = twin_.fates()[number];
      const bool same = fates_[number].first == wanted.first && fates_[number].last == wanted.last;
      if (!same)
        throw std::runtime_error("packet " + std::to_string(number) + ": engine " + words(fates_[number]) + ", twin " +
                                 words(wanted));
    }
    u64 ended = 0;
    for (const auto& reason : counters_.reasons) ended += reason.packets.read();
    if (watch_.inside() != 0 || pipeline_.held() != 0) throw std::runtime_error("frames stay inside");
    if (ended != number_ || counters_.reasons[static_cast<u8>(Reason::fragment_held)].packets.read() != 0)
      throw std::runtime_error("counters do not account for every packet");
  }
  u64 ended_as(Reason reason) const { return counters_.reasons[static_cast<u8>(reason)].packets.read(); }

 private:
  static constexpr HashKey secret{{0x9e37, 0x79b9'7f4a'7c15'f39c, 3, 0xbf58'476d'1ce4'e5b9}};

  static std::byte* aligned(std::vector<std::byte>& memory) {
    return memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
  }
  static std::string words(const naive::Fate& fate) {
    return std::string(row(fate.first).name) + " " + std::string(row(fate.last).name);
  }
  // flow_new and flow_established are one here: it passes.
  static Reason passed(Reason reason) { return reason == Reason::flow_established ? Reason::flow_new : reason; }

  std::vector<std::byte> frame_of(const Choice& choice) const {
    const auto& whole = true_[choice.ipv6];
    const std::size_t ip = 14, payload = choice.ipv6 ? 54 : 34;
    std::vector<std::byte> frame(whole.begin(), whole.begin() + static_cast<long>(payload));
    const auto put16 = [&](std::size_t at, u32 value) {
      frame[at] = static_cast<std::byte>(value >> 8), frame[at + 1] = static_cast<std::byte>(value);
    };
    const u32 bytes = (choice.end - choice.first) * unit, offset = choice.first * unit;
    if (choice.ipv6) {
      put16(ip + 4, 8 + bytes);
      frame[ip + 6] = std::byte{44};
      frame.resize(payload + 8);
      frame[payload] = std::byte{17};
      put16(payload + 2, offset | !choice.is_last);
      put16(payload + 6, choice.datagram);
    } else {
      put16(ip + 2, 20 + bytes);
      put16(ip + 4, choice.datagram);
      put16(ip + 6, offset / 8 | u32{!choice.is_last} << 13);
      put16(ip + 10, 0);
      u32 sum = 0;
      for (std::size_t at = ip; at < payload; at += 2) sum += load_be16(&frame[at]);
      sum = (sum & 0xffff) + (sum >> 16);
      put16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
    }
    const auto from = whole.begin() + static_cast<long>(payload + offset);
    frame.insert(frame.end(), from, from + bytes);
    if (choice.is_other) frame.back() ^= std::byte{0x40};
    return frame;
  }

  void read(u32 count) {
    for (u32 i = 0; i < count; ++i) {
      const Outcome& outcome = outcomes_[i];
      if (const auto broken = watch_.check(outcome)) throw std::runtime_error(*broken);
      fates_.resize(std::max<std::size_t>(fates_.size(), outcome.token + 1));
      naive::Fate& fate = fates_[outcome.token];
      (fate.first == Reason::undecided ? fate.first : fate.last) = passed(outcome.reason);
    }
  }

  const InstalledPolicy& policy_;
  std::vector<std::byte> memory_, flood_memory_;
  FlowTable table_;
  Floods floods_;
  std::unique_ptr<Reassembly> fragments_ = std::make_unique<Reassembly>(secret);
  WorkerCounters counters_;
  Pipeline pipeline_;
  naive::Fragments twin_;
  ContractWatch watch_;
  std::vector<std::byte> true_[2];
  std::deque<std::vector<std::byte>> frames_;
  std::vector<std::byte> answer_ = std::vector<std::byte>(8, ContractWatch::untouched);
  std::vector<Packet> burst_;
  std::vector<Outcome> outcomes_ = std::vector<Outcome>(outcomes_max);
  std::vector<naive::Fate> fates_;
  std::vector<bool> others_;
  std::vector<u32> reaches_;
  u64 number_ = 0, now_us_ = 1'700'000'000'000'000;
};

// A run of choices.
inline void run_fragments(FragmentRun& run, Choices choices) {
  constexpr u64 later_us[] = {0, 1, 100, 500'000, 1'999'999, 2'000'000, 40'000'000};
  while (choices.left()) {
    const u32 what = choices.below(256), where = choices.below(256), when = choices.below(64);
    const u32 first = where % FragmentRun::units, end = first + 1 + where / 4 % (FragmentRun::units - first);
    const bool lies = what / 8 % 16 == 0;
    const bool is_last = (end == FragmentRun::units) != lies, is_other = what / 128 == 1 && where > 200;
    run.take({first, end, is_last, is_other, what % 4, what / 4 % 2 == 1},
             later_us[when < std::size(later_us) ? when : 0]);
    if (when > 48) run.send();
  }
  run.finish();
}

}  // namespace weir
