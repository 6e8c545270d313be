#include "dataplane/inspect/watch.hpp"

#include <algorithm>

namespace weir {
namespace {

WatchAnswer answer_of(StreamReader::Answer answer) {
  using Answer = StreamReader::Answer;
  if (StreamReader::may_pass(answer)) return WatchAnswer::passes;
  return answer == Answer::ahead || answer == Answer::waits ? WatchAnswer::ahead : WatchAnswer::differs;
}

// What an opening is recognised by is read in any case.
u32 window_of(const WatchWish& wish) {
  return wish.protocol == Opening::undecided ? wish.first_bytes : std::max(wish.first_bytes, opening_bytes_max);
}

}  // namespace

u32 Watches::begin(const WatchWish& wish, u32 opener_syn) {
  const u32 slot = watches_.take();
  if (slot == none) return none;
  Watch& watch = watches_[slot];
  const u32 window = window_of(wish);
  watch = Watch{
      {StreamReader(opener_syn + 1, window), StreamReader()}, {}, {}, none, {none, none}, Opening::undecided, {0, 0}};
  if (window == 0) return slot;
  watch.history = histories_.take();
  bool has_all = watch.history != none;
  for (u32 from = 0; from < 2; ++from) {
    if (wish.sets[from] == 0) continue;
    watch.streams[from] = scanner_.open();
    has_all = has_all && watch.streams[from] != Scanner::none;
  }
  if (has_all) return slot;
  end(slot);
  return none;
}

void Watches::replier_begins(u32 watch, const WatchWish& wish, u32 replier_syn) {
  watches_[watch].readers[1] = StreamReader(replier_syn + 1, window_of(wish));
}

void Watches::end(u32 watch) {
  release(watches_[watch]);
  watches_.give(watch);
}

// What only the first bytes need.
void Watches::release(Watch& watch) {
  if (watch.history != none) histories_.give(watch.history);
  for (u32& stream : watch.streams) {
    if (stream != none) scanner_.close(stream);
    stream = none;
  }
  watch.history = none;
}

WatchStep Watches::segment(u32 slot, const WatchWish& wish, u64 flow, u32 from, u32 sequence, u32 acknowledgement,
                           std::span<const u8> bytes, Tick now) {
  Watch& watch = watches_[slot];
  WatchStep step;
  const bool is_probed =
      wish.sets[from] != 0 && holds_probe(secret_, flow << 1 | from, sequence, static_cast<u32>(bytes.size()));
  if (!bytes.empty() && !spend(cost_of(watch, wish, from, bytes, is_probed), now)) {
    step.answer = WatchAnswer::busy;
    return step;
  }
  if (watch.history != none) {
    watch.readers[from ^ 1].acknowledge(acknowledgement);
    const auto [answer, fresh] = watch.readers[from].offer(sequence, bytes, histories_[watch.history].bytes[from]);
    step.answer = answer_of(answer);
    if (step.answer != WatchAnswer::passes) return step;
    if (!fresh.empty()) look(watch, wish, from, fresh, step);
    if (watch.readers[0].is_over() && watch.readers[1].is_over()) release(watch);
  }
  if (is_probed && watch.readers[from].is_complete() && step.finding == WatchFinding::nothing)
    if (step.pattern = scanner_.look(bytes, false, wish.sets[from]); step.pattern != Scanner::none)
      step.finding = WatchFinding::signature;
  if (wish.tensors[from] && !bytes.empty()) weigh(watch, from, bytes, step);
  return step;
}

// Bytes in order that nobody has seen before.
void Watches::look(Watch& watch, const WatchWish& wish, u32 from, std::span<const u8> fresh, WatchStep& step) {
  if (watch.streams[from] != Scanner::none) {
    step.pattern = scanner_.read(watch.streams[from], fresh, wish.sets[from]);
    if (step.pattern != Scanner::none) step.finding = WatchFinding::signature;
  }
  if (wish.protocol == Opening::undecided || watch.opening != Opening::undecided) return;
  const auto so_far = [&](u32 side) -> std::span<const u8> {
    const std::span<const u8> history = histories_[watch.history].bytes[side];
    return watch.readers[side].delivered_bytes() <= history.size() ? watch.readers[side].so_far(history)
                                                                   : std::span<const u8>{};
  };
  // An opener that keeps silent while much is said to it has not opened as it should.
  const bool is_all = watch.readers[0].is_complete() || watch.readers[1].is_complete();
  watch.opening = recognise({so_far(0), so_far(1), is_all}, wish.magics);
  if (watch.opening != Opening::undecided && watch.opening != wish.protocol) step.finding = WatchFinding::protocol;
}

// Tells each kind of tensor once.
void Watches::weigh(Watch& watch, u32 from, std::span<const u8> bytes, WatchStep& step) {
  const u32 count = static_cast<u32>(bytes.size());
  watch.votes[from].take(count_floats(bytes.data(), count, lanes_));
  watch.byte_watches[from].take(bytes.data(), count);
  const auto tell = [&](bool is_so, WatchFinding finding) {
    const u8 bit = static_cast<u8>(1u << static_cast<u32>(finding));
    if (!is_so || step.finding != WatchFinding::nothing || (watch.told[from] & bit) != 0) return;
    watch.told[from] |= bit;
    step.finding = finding;
  };
  tell(watch.votes[from].is_tensor(), WatchFinding::tensor);
  tell(watch.byte_watches[from].is_quantised(), WatchFinding::quantised);
  tell(watch.byte_watches[from].is_opaque(), WatchFinding::opaque);
}

// How many bytes will be looked at, each way of looking counted; 0 when nothing looks at this segment.
u64 Watches::cost_of(const Watch& watch, const WatchWish& wish, u32 from, std::span<const u8> bytes,
                     bool is_probed) const {
  const u64 ways = u64{watch.history != none && !watch.readers[from].is_complete()} + is_probed + wish.tensors[from];
  return ways == 0 ? 0 : ways * bytes.size() + packet_bytes;
}

// Counts in millionths of a byte, so that no rate is lost to rounding.
bool Watches::spend(u64 bytes, Tick now) {
  if (bytes == 0) return true;
  const u64 passed = std::min<u64>(now - since_, 60 * tick_second);
  spent_ -= std::min(spent_, passed * share_.bytes_per_s);
  since_ = now;
  // What is more than the burst by itself passes when nothing is owed.
  if (spent_ != 0 && spent_ + bytes * tick_second > share_.burst_bytes * tick_second) return false;
  spent_ += bytes * tick_second;
  return true;
}

}  // namespace weir
