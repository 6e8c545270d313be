// What a worker counts to keep the terms of DNS: queries by source, and what sources tell by names. What is counted is
// this worker's part of the traffic, and each keeps the whole limit: with N workers it is kept within N times what the
// policy says.
//
// Threads: one, the pipeline's. Memory: lent, zeroed, 64-byte aligned.
#pragma once
#include "dataplane/budget/rate_table.hpp"
#include "dataplane/inspect/dns_sketch.hpp"

namespace weir {

class DnsLimits {
 public:
  static constexpr u32 rate_sets = 1 << 12;  // 16,384 sources
  static constexpr std::size_t bytes_needed = DnsSketch::bytes_needed + rate_sets * sizeof(RateTable::Set);

  // `secret` is the pipeline's.
  DnsLimits(std::span<std::byte> memory, const HashKey& secret)
      : sketch_(memory, secret),
        rates_({reinterpret_cast<RateTable::Set*>(memory.subspan(DnsSketch::bytes_needed).data()), rate_sets}) {}
  DnsLimits(const DnsLimits&) = delete;

  // Whether a source, by a keyed hash of who it is, may ask once more; if so, that is counted. Different rates are kept
  // apart.
  bool may_ask(u64 source, const Rate& rate, Tick now) {
    return !rate.limits() || rates_.take(fold_multiply(source, rate.interval | 1), rate_time(now), rate);
  }
  DnsSketch& sketch() { return sketch_; }

 private:
  DnsSketch sketch_;
  RateTable rates_;
};

// How long a name is as one writes it: without the last dot.
inline u32 dns_text_bytes(std::span<const u8> name) { return name.size() < 2 ? 0 : static_cast<u32>(name.size()) - 2; }

// Calls each(message) for every message in a TCP segment, where the segment is nothing but whole messages with their
// lengths (RFC 1035 4.2.2, RFC 7766 8); false, and it is not said which were called, where it is not.
template <class Each>
bool each_whole_message(std::span<const u8> segment, Each each) {
  while (!segment.empty()) {
    if (segment.size() < 2) return false;
    const u32 bytes = load_be16(segment.data());
    if (segment.size() - 2 < bytes) return false;
    each(segment.subspan(2, bytes));
    segment = segment.subspan(2 + bytes);
  }
  return true;
}

}  // namespace weir
