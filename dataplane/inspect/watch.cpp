#include "dataplane/inspect/watch.hpp"

#include <algorithm>

namespace weir {
namespace {

WatchAnswer answer_of(StreamReader::Answer answer) {
  using Answer = StreamReader::Answer;
  if (StreamReader::may_pass(answer)) return WatchAnswer::passes;
  return answer == Answer::ahead || answer == Answer::waits ? WatchAnswer::ahead : WatchAnswer::differs;
}

// How much of what `from` sends is read in order. What an opening is recognised by is read in any case.
u32 window_of(const WatchWish& wish, u32 from) {
  const u32 first = wish.sets[from] != 0 ? wish.first_bytes : 0;
  return wish.protocols == 0 ? first : std::max(first, opening_bytes_max);
}

bool is_one_of(Opening opening, const WatchWish& wish) {
  return (wish.protocols >> (static_cast<u32>(opening) - 1) & 1) != 0;
}

bool is_drawn(const HashKey& secret, u64 stream, u64 mib) {
  return fold_multiply(stream ^ secret.words[3], mib ^ secret.words[1]) % windows_one_in == 0;
}

bool is_weighed(const WatchWish& wish, u32 from) { return wish.tensors[from] || wish.opaque[from]; }

// Bytes that will be looked at, each way of looking counted; 0 when nothing looks.
u64 cost_of(u32 ways, std::size_t bytes) { return ways == 0 || bytes == 0 ? 0 : ways * bytes + Watches::packet_bytes; }

}  // namespace

void Watches::use(const Scanner& scanner) {
  if (scanner.serial == scanner_.serial) return;
  for (u32 slot = 0; slot < watches_.count(); ++slot)
    if (watches_.is_taken(slot)) watches_[slot].streams[0] = watches_[slot].streams[1] = none;
  scanner_ = scanner;
}

u32 Watches::begin_packets() {
  const u32 slot = watches_.take();
  if (slot != none)
    watches_[slot] = Watch{{}, {}, {}, none, {none, none}, {0, 0}, {0, 0}, Opening::undecided, {0, 0}, 0, {}};
  return slot;
}

u32 Watches::begin_stream(const WatchWish& wish) {
  const u32 slot = begin_packets();
  if (slot == none || (window_of(wish, 0) | window_of(wish, 1)) == 0) return slot;
  Watch& watch = watches_[slot];
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

void Watches::restart(u32 slot, const WatchWish& wish, u32 from, u32 first) {
  Watch& watch = watches_[slot];
  const StreamReader& reader = watch.readers[from];
  if (watch.history == none || (reader.window_bytes() != 0 && reader.begin() == first)) return;
  watch.readers[from] = StreamReader(first, window_of(wish, from));
}

void Watches::end(u32 slot) {
  release(watches_[slot]);
  watches_.give(slot);
}

void Watches::end_all() {
  for (u32 slot = 0; slot < watches_.count(); ++slot)
    if (watches_.is_taken(slot)) end(slot);
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
  if (watch.history == none) return packet(slot, wish, flow, from, bytes, false, now);
  WatchStep step;
  StreamReader& reader = watch.readers[from];
  const bool is_read = reader.window_bytes() != 0 && !reader.is_complete();
  const bool is_probed = !is_read && wish.sets[from] != 0 &&
                         holds_probe(secret_, flow << 1 | from, sequence, static_cast<u32>(bytes.size()));
  if (!spend(cost_of(u32{is_read} + is_probed + is_weighed(wish, from), bytes.size()), now)) {
    step.answer = WatchAnswer::busy;
    return step;
  }
  if (watch.readers[from ^ 1].window_bytes() != 0) watch.readers[from ^ 1].acknowledge(acknowledgement);
  if (reader.window_bytes() != 0) {
    const auto [answer, fresh] = reader.offer(sequence, bytes, histories_[watch.history].bytes[from]);
    step.answer = answer_of(answer);
    if (step.answer != WatchAnswer::passes) return step;
    if (!fresh.empty()) read(watch, wish, from, fresh, step);
  }
  if (is_probed) scan_packet(wish, from, bytes, false, step);
  if (is_weighed(wish, from) && !bytes.empty()) weigh(watch, wish, flow, from, bytes, step);
  if (watch.readers[0].is_over() && watch.readers[1].is_over()) {
    release(watch);
    watch.passed_bytes[0] = watch.passed_bytes[1] = wish.first_bytes;
  }
  return step;
}

WatchStep Watches::packet(u32 slot, const WatchWish& wish, u64 flow, u32 from, std::span<const u8> bytes,
                          bool is_beginning, Tick now) {
  Watch& watch = watches_[slot];
  WatchStep step;
  u64& passed = watch.passed_bytes[from];
  const u32 count = static_cast<u32>(bytes.size());
  const bool is_scanned = wish.sets[from] != 0 && count != 0 &&
                          (passed < wish.first_bytes ||
                           holds_probe(secret_, flow << 1 | from, static_cast<u32>(passed), count));
  if (!spend(cost_of(u32{is_scanned} + is_weighed(wish, from), count), now)) {
    step.answer = WatchAnswer::busy;
    return step;
  }
  if (is_scanned) scan_packet(wish, from, bytes, is_beginning, step);
  if (is_weighed(wish, from) && count != 0) weigh(watch, wish, flow, from, bytes, step);
  passed += count;
  return step;
}

WatchStep Watches::once(const WatchWish& wish, u32 from, std::span<const u8> bytes, Tick now) {
  WatchStep step;
  const bool is_scanned = wish.sets[from] != 0 && !bytes.empty();
  if (!spend(cost_of(is_scanned, bytes.size()), now)) step.answer = WatchAnswer::busy;
  else if (is_scanned) scan_packet(wish, from, bytes, true, step);
  return step;
}

// Bytes in order that nobody has seen before.
void Watches::read(Watch& watch, const WatchWish& wish, u32 from, std::span<const u8> fresh, WatchStep& step) {
  if (watch.streams[from] != Scanner::none) {
    step.signatures = scanner_.read(watch.streams[from], fresh, {wish.sets[from], wish.ending_sets});
    if (step.signatures.sets != 0) step.found |= found_signature;
  } else if (wish.sets[from] != 0) {
    scan_packet(wish, from, fresh, false, step);
  }
  if (wish.protocols != 0 && watch.opening == Opening::undecided) recognise_opening(watch, wish, step);
}

void Watches::recognise_opening(Watch& watch, const WatchWish& wish, WatchStep& step) {
  const auto so_far = [&](u32 side) -> std::span<const u8> {
    const std::span<const u8> history = histories_[watch.history].bytes[side];
    return watch.readers[side].delivered_bytes() <= history.size() ? watch.readers[side].so_far(history)
                                                                   : std::span<const u8>{};
  };
  // An opener that keeps silent while much is said to it has not opened as it should.
  const auto is_past = [&](u32 side) { return watch.readers[side].delivered_bytes() >= opening_bytes_max; };
  watch.opening = recognise({so_far(0), so_far(1), is_past(0) || is_past(1)}, wish.magics);
  if (watch.opening != Opening::undecided && !is_one_of(watch.opening, wish)) step.found |= found_protocol;
}

bool Watches::opens_as(u32 slot, const WatchWish& wish) const {
  const Watch& watch = watches_[slot];
  if (wish.protocols == 0 || (watch.opening == Opening::undecided && watch.history != none)) return true;
  return watch.opening != Opening::undecided && is_one_of(watch.opening, wish);
}

void Watches::scan_packet(const WatchWish& wish, u32 from, std::span<const u8> bytes, bool is_beginning,
                          WatchStep& step) {
  step.signatures = scanner_.look(bytes, is_beginning, {wish.sets[from], wish.ending_sets});
  if (step.signatures.sets != 0) step.found |= found_signature;
}

// Tells each kind of tensor once.
void Watches::weigh(Watch& watch, const WatchWish& wish, u64 flow, u32 from, std::span<const u8> bytes,
                    WatchStep& step) {
  const u32 count = static_cast<u32>(bytes.size());
  u8 is_so = 0;
  if (wish.tensors[from]) {
    watch.votes[from].take(count_floats(bytes.data(), count, lanes_));
    if (watch.votes[from].is_tensor()) is_so |= found_tensor;
  }
  const u64 mib = watch.weighed_bytes[from] >> 20;
  watch.weighed_bytes[from] += count;
  if (mib < windows_first_mib || is_drawn(secret_, flow << 1 | from, mib))
    watch.byte_watches[from].take(bytes.data(), count);
  if (wish.tensors[from] && watch.byte_watches[from].is_quantised()) is_so |= found_quantised;
  if (wish.opaque[from] && watch.byte_watches[from].is_opaque()) is_so |= found_opaque;
  step.found |= is_so & ~watch.told[from];
  watch.told[from] |= is_so;
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
