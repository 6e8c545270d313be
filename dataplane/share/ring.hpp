// A bounded queue between two threads: one puts, one takes, in order. A full ring takes less than was offered and
// says so; what then happens is the caller's policy. All memory is lent.
//
// Invariant: taken <= put <= taken + capacity. Threads: one that puts, one that takes. Each side owns one cache line
// and keeps its last sight of the other's, so that the lines move between cores once per burst and not per item.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/base/limits.hpp"

#include <atomic>
#include <span>
#include <type_traits>

namespace weir {

template <class T>
class Ring {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  // `slots`: a power of two of them, for the ring's life.
  explicit Ring(std::span<T> slots) : slots_(slots.data()), mask_(slots.size() - 1) {
    WEIR_CHECK(!slots.empty() && (slots.size() & mask_) == 0);
  }
  Ring(const Ring&) = delete;

  // Puts as many of `items` as there is room for, in order; returns how many.
  std::size_t put(std::span<const T> items) {
    const u64 at = put_.load(std::memory_order_relaxed);
    if (at + items.size() > seen_taken_ + mask_ + 1) seen_taken_ = taken_.load(std::memory_order_acquire);
    const u64 room = seen_taken_ + mask_ + 1 - at;
    const u64 count = items.size() < room ? items.size() : room;
    for (u64 i = 0; i < count; ++i) slots_[(at + i) & mask_] = items[i];
    if (count != 0) put_.store(at + count, std::memory_order_release);
    return count;
  }
  bool put(const T& item) { return put(std::span<const T>(&item, 1)) == 1; }

  // Whose side puts: for how many there is room at least.
  std::size_t room() {
    const u64 at = put_.load(std::memory_order_relaxed);
    if (at == seen_taken_ + mask_ + 1) seen_taken_ = taken_.load(std::memory_order_acquire);
    return seen_taken_ + mask_ + 1 - at;
  }

  // Takes up to items.size(), in order; returns how many.
  std::size_t take(std::span<T> items) {
    const u64 at = taken_.load(std::memory_order_relaxed);
    if (seen_put_ - at < items.size()) seen_put_ = put_.load(std::memory_order_acquire);
    const u64 count = items.size() < seen_put_ - at ? items.size() : seen_put_ - at;
    for (u64 i = 0; i < count; ++i) items[i] = slots_[(at + i) & mask_];
    if (count != 0) taken_.store(at + count, std::memory_order_release);
    return count;
  }
  bool take(T& item) { return take(std::span<T>(&item, 1)) == 1; }

 private:
  T* const slots_;
  const u64 mask_;
  alignas(64) std::atomic<u64> put_{0};  // written by the side that puts
  u64 seen_taken_ = 0;
  alignas(64) std::atomic<u64> taken_{0};  // written by the side that takes
  u64 seen_put_ = 0;
};

}  // namespace weir
