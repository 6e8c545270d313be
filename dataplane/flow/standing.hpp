// What a full table may take from whom: a byte per flow, its rank and the class of its reserve, and the shares of the
// table that classes have. It looks at no time and at no policy: who calls says what a flow is.
#pragma once
#include "dataplane/flow/exchange.hpp"
#include "dataplane/flow/record.hpp"
#include "dataplane/flow/tcp.hpp"

#include <span>

#if defined(__SSSE3__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace weir {

// In the order in which a full table takes them.
enum class Rank : u8 {
  none,       // a free record
  over,       // finished, reset or revoked: remembered only to name stragglers
  half_open,  // TCP whose handshake is not complete
  one_way,    // not TCP, and only the opener has been heard
  both_ways,  // taken only when idle, and never from a class that has a reserve
};

// Rank in the low four bits, class in the high ones; 0 for a free record.
constexpr u8 standing_of(u32 reserve_class, Rank rank) { return static_cast<u8>(reserve_class << 4 | u32(rank)); }
constexpr Rank rank_of(u8 standing) { return static_cast<Rank>(standing & 15); }
constexpr u32 class_of(u8 standing) { return standing >> 4; }

constexpr Rank rank_of(TcpState state) {
  switch (state) {
    case TcpState::syn_sent:
    case TcpState::syn_both:
    case TcpState::syn_answered:
    case TcpState::syn_received: return Rank::half_open;
    case TcpState::established:
    case TcpState::fin_opener:
    case TcpState::fin_opener_acked:
    case TcpState::fin_replier:
    case TcpState::fin_replier_acked:
    case TcpState::fin_both:
    case TcpState::last_replier:
    case TcpState::last_opener: return Rank::both_ways;
    case TcpState::time_wait:
    case TcpState::reset: break;
  }
  return Rank::over;
}

inline Rank rank_of(const FlowRecord& record) {
  if (record.epoch == epoch_stale) return Rank::over;
  if (record.key.flow_class() == FlowClass::tcp) return rank_of(static_cast<TcpState>(record.state));
  if (record.key.flow_class() == FlowClass::rdma && record.state > 1) return Rank::over;
  return static_cast<Exchange>(record.state) == Exchange::one_way ? Rank::one_way : Rank::both_ways;
}

inline constexpr u32 classes_count = 16;
inline constexpr u32 standing_lanes = 16;

// For which classes a flow below both_ways may be taken: a byte each, all ones or zero.
struct alignas(16) Takeable {
  u8 of_class[classes_count];
};

inline u32 takeable_lanes_scalar(const u8* standings, const Takeable& takeable) {
  u32 hits = 0;
  for (u32 lane = 0; lane < standing_lanes; ++lane) {
    const Rank rank = rank_of(standings[lane]);
    hits |= u32{rank != Rank::none && rank < Rank::both_ways && takeable.of_class[class_of(standings[lane])] != 0}
            << lane;
  }
  return hits;
}

// Bit i: standings[i] is of a rank below both_ways and of a takeable class, for 16 of any alignment.
inline u32 takeable_lanes(const u8* standings, const Takeable& takeable) {
#if defined(__SSSE3__)
  const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i*>(standings)), low = _mm_set1_epi8(15);
  const __m128i rank = _mm_and_si128(all, low), classes = _mm_and_si128(_mm_srli_epi16(all, 4), low);
  const __m128i below = _mm_cmpgt_epi8(_mm_set1_epi8(static_cast<char>(Rank::both_ways)), rank);
  const __m128i live = _mm_cmpgt_epi8(rank, _mm_setzero_si128());
  const __m128i may = _mm_shuffle_epi8(_mm_load_si128(reinterpret_cast<const __m128i*>(takeable.of_class)), classes);
  return static_cast<u32>(_mm_movemask_epi8(_mm_and_si128(_mm_and_si128(below, live), may)));
#elif defined(__ARM_NEON)
  alignas(16) static constexpr u8 weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t all = vld1q_u8(standings), rank = vandq_u8(all, vdupq_n_u8(15));
  const uint8x16_t below = vcltq_u8(rank, vdupq_n_u8(static_cast<u8>(Rank::both_ways)));
  const uint8x16_t may = vqtbl1q_u8(vld1q_u8(takeable.of_class), vshrq_n_u8(all, 4));
  const uint8x16_t bits = vandq_u8(vandq_u8(vandq_u8(below, vtstq_u8(rank, rank)), may), vld1q_u8(weights));
  return u32{vaddv_u8(vget_low_u8(bits))} | u32{vaddv_u8(vget_high_u8(bits))} << 8;
#else
  return takeable_lanes_scalar(standings, takeable);
#endif
}

// How many flows each class has and is owed. Class 0 is owed nothing.
//
// Invariant: withheld() is the sum over all classes of what of their reserve is not in use. While no reserve was
// raised, a table that asks may_take() first keeps at least so many records free.
class Shares {
 public:
  void count(u8 standing, int change) {
    const u32 k = class_of(standing), before = unused(k);
    live_[k] = static_cast<u32>(static_cast<int>(live_[k]) + change);
    withheld_ += unused(k) - before;
  }
  // Of `capacity` records, share[k] of `whole` for class k.
  void set(std::span<const u16> share, u32 whole, u32 capacity) {
    withheld_ = 0;
    for (u32 k = 1; k < classes_count && k < share.size(); ++k) reserve_[k] = u32(u64{capacity} * share[k] / whole);
    for (u32 k = 1; k < classes_count; ++k) withheld_ += unused(k);
  }
  void forget_flows() {
    withheld_ = 0;
    for (u32 k = 0; k < classes_count; ++k) live_[k] = 0, withheld_ += reserve_[k];
  }

  // Whether a newcomer of the class may have one of so many free records.
  bool may_take(u32 k, u32 free) const { return free != 0 && (live_[k] < reserve_[k] || free > withheld_); }
  // Whose flows may go for it: its own class's, and those of classes beyond their reserve if that makes room enough.
  Takeable takeable(u32 k, u32 free) const {
    Takeable may{};
    const bool enough = live_[k] < reserve_[k] || free + 1 > withheld_;
    for (u32 other = 0; other < classes_count; ++other)
      may.of_class[other] = other == k || (enough && live_[other] > reserve_[other]) ? 0xff : 0;
    return may;
  }
  u32 live(u32 k) const { return live_[k]; }
  u32 reserve(u32 k) const { return reserve_[k]; }
  u32 withheld() const { return withheld_; }

 private:
  u32 unused(u32 k) const { return live_[k] < reserve_[k] ? reserve_[k] - live_[k] : 0; }

  u32 live_[classes_count] = {}, reserve_[classes_count] = {};
  u32 withheld_ = 0;
};

}  // namespace weir
