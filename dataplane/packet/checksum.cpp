// Long runs are summed in vectors (block_sum.hpp), what is short in 64-bit words with the carry put back, in chains so
// that the additions overlap. The CRC is the machine's own: both baselines have it.
#include "dataplane/packet/checksum.hpp"

#include "dataplane/packet/block_sum.hpp"
#include "dataplane/packet/numbers.hpp"

#include <algorithm>

#if defined(__SSE4_2__)
#include <immintrin.h>
#else
#include <arm_acle.h>
#endif

namespace weir {
namespace {

inline u64 add(u64 sum, u64 word) {
  sum += word;
  return sum + (sum < word);
}

inline u32 fold(u64 sum) {
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<u32>((sum & 0xffff) + (sum >> 16));
}

#if defined(__SSE4_2__)
inline u32 crc_step(u32 crc, u64 word) { return static_cast<u32>(_mm_crc32_u64(crc, word)); }
inline u32 crc_step(u32 crc, u8 byte) { return _mm_crc32_u8(crc, byte); }
#else
inline u32 crc_step(u32 crc, u64 word) { return __crc32cd(crc, word); }
inline u32 crc_step(u32 crc, u8 byte) { return __crc32cb(crc, byte); }
#endif

// As ones_sum(), with what comes before and the result in 64 bits, each to be folded.
inline u64 long_sum(const u8* at, u32 bytes, u64 sum, bool has_wide_vectors) {
  u64 a = sum, b = 0, c = 0, d = 0;
  while (bytes >= 2 * block_bytes) {
    const u32 blocks = std::min(bytes / block_bytes, blocks_max);
    b = add(b, has_wide_vectors ? block_sum_wide(at, blocks) : block_sum_plain(at, blocks));
    at += blocks * block_bytes, bytes -= blocks * block_bytes;
  }
  for (; bytes >= 32; at += 32, bytes -= 32) {
    a = add(a, load<u64>(at));
    b = add(b, load<u64>(at + 8));
    c = add(c, load<u64>(at + 16));
    d = add(d, load<u64>(at + 24));
  }
  for (; bytes >= 8; at += 8, bytes -= 8) a = add(a, load<u64>(at));
  if (bytes >= 4) {
    b = add(b, load<u32>(at));
    at += 4, bytes -= 4;
  }
  if (bytes >= 2) {
    c = add(c, load<u16>(at));
    at += 2, bytes -= 2;
  }
  if (bytes != 0) d = add(d, *at);
  return add(add(a, b), add(c, d));
}

// Length and protocol as the pseudo-header has them (RFC 9293 3.1, RFC 8200 8.1).
inline u64 long_pseudo_sum(const Headers& headers, u32 bytes) {
  const u64 tail = u64{swap(bytes)} + (u64{headers.protocol} << 8);
  if (headers.is_ipv4) return headers.source.low + headers.target.low + tail;
  return add(add(add(add(headers.source.high, headers.source.low), headers.target.high), headers.target.low), tail);
}

bool sum_holds(std::span<const ByteRun> runs, u64 sum, bool has_wide_vectors) {
  for (const ByteRun& run : runs) sum = long_sum(run.at, run.bytes, sum, has_wide_vectors);
  return fold(sum) == 0xffff;
}

// The checksum field, at 8, counts as zero.
bool crc_holds(std::span<const ByteRun> runs) {
  constexpr u8 zero[4] = {};
  const u8* sctp = runs[0].at;
  u32 crc = crc32c(zero, 4, crc32c(sctp, 8, ~u32{0}));
  crc = crc32c(sctp + sctp_bytes, runs[0].bytes - sctp_bytes, crc);
  for (const ByteRun& run : runs.subspan(1)) crc = crc32c(run.at, run.bytes, crc);
  return ~crc == load<u32>(sctp + 8);
}

}  // namespace

u32 ones_sum(const u8* at, u32 bytes, u32 sum) { return fold(long_sum(at, bytes, sum, false)); }

u32 pseudo_sum(const Headers& headers, u32 bytes) { return fold(long_pseudo_sum(headers, bytes)); }

u32 crc32c(const u8* at, u32 bytes, u32 crc) {
  for (; bytes >= 8; at += 8, bytes -= 8) crc = crc_step(crc, load<u64>(at));
  for (; bytes != 0; ++at, --bytes) crc = crc_step(crc, *at);
  return crc;
}

bool checksum_holds(const Headers& headers, std::span<const ByteRun> runs, bool has_wide_vectors) {
  u32 bytes = 0;
  for (const ByteRun& run : runs) bytes += run.bytes;
  switch (headers.protocol) {
    case protocol_tcp: return sum_holds(runs, long_pseudo_sum(headers, bytes), has_wide_vectors);
    case protocol_udp:
      // RoCEv2 has a CRC of its own, over the addresses too (annex A17.4.5), and goes without on IPv6 as well.
      if (load<u16>(runs[0].at + 6) == 0) return headers.is_ipv4 || headers.rdma_opcode != rdma_opcode_none;
      return sum_holds(runs, long_pseudo_sum(headers, bytes), has_wide_vectors);
    case protocol_icmp: return sum_holds(runs, 0, has_wide_vectors);
    case protocol_icmp6: return sum_holds(runs, long_pseudo_sum(headers, bytes), has_wide_vectors);
    case protocol_sctp: return crc_holds(runs);
    default: return true;
  }
}

}  // namespace weir
