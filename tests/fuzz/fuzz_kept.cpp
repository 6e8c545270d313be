// What a planned restart reads: the input is a list of patches to a sound state, sealed again after them where its
// first byte is odd, or (first byte 255) a state itself. Nothing is taken that is not as it was written or, sealed by
// whoever, could be no state; and what is taken goes into flow tables that hold it, age it and give it out again.
#include "tests/unit/kept_state.hpp"

#include <cstdlib>

using namespace weir;

namespace {

constexpr u32 workers = 2, capacity = 512;
constexpr HashKey secret{{1, 2, 3, 5}};
constexpr Tick now = 1'700'000'000 * tick_second;

void check(bool holds) {
  if (!holds) std::abort();
}

struct Worker {
  explicit Worker(u32 self)
      : table(memory.all(), capacity),
        pipeline({.secret = secret, .workers = workers, .self = self}, table, counters) {}
  test::Bytes memory{FlowTable::bytes_needed(capacity)};
  FlowTable table;
  WorkerCounters counters;
  Pipeline pipeline;
};

void take_up(const edge::KeptState& state) {
  Worker first(0), second(1);
  Worker* const both[] = {&first, &second};
  Keeping into[] = {Keeping(first.pipeline), Keeping(second.pipeline)};
  for (Keeping& one : into) one.begin(now, state.head->cookies_until);
  u64 taken = 0;
  for (const KeptFlow& row : state.flows) {
    FlowKey key{};
    std::memcpy(static_cast<void*>(&key), row.record, sizeof key);
    taken += into[owner_of(hash_of(key, secret), workers)].put_in(row, 1) == Keeping::Fate::taken;
  }
  check(taken == first.table.live() + second.table.live() && taken <= state.flows.size());
  for (Worker* worker : both) {
    KeptFlow rows[16];
    Keeping out(worker->pipeline);
    while (const u32 count = out.take_out(nullptr, now, rows))
      for (u32 i = 0; i < count; ++i) check(is_sound(rows[i], pairs_max));
    worker->pipeline.age(now + 5 * 3600 * tick_second, nullptr);
    check(worker->table.live() == 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool is_whole = data[0] == 255, sealed = (data[0] & 1) != 0 && !is_whole;
  const test::Bytes sound = test::sound_state();
  test::Bytes state = is_whole ? test::Bytes(size - 1) : sound;
  if (is_whole) std::memcpy(state.all().data(), data + 1, size - 1);
  for (std::size_t at = 1; !is_whole && at + 3 <= size; at += 3) {
    const std::size_t place = (std::size_t{data[at]} << 8 | data[at + 1]) % state.all().size();
    state.all()[place] = static_cast<std::byte>(data[at + 2]);
  }
  if (sealed) state.seal();
  const auto read = edge::read_kept(state.all(), test::kept_for());
  if (!read) return 0;
  check(sealed || std::ranges::equal(state.all(), test::Bytes(sound).all()));
  take_up(*read);
  return 0;
}
