// Transport checksums, verified in software where the port did not: TCP (RFC 9293 3.1), UDP (RFC 768; zero means none,
// on IPv4 and of RoCEv2 only, RFC 8200 8.1), ICMP (RFC 792), ICMPv6 (RFC 4443 2.3), SCTP's CRC32c (RFC 9260 6.8). Every
// other protocol holds unread. Also the sums of which frames of our own are made.
#pragma once
#include "dataplane/packet/parse.hpp"

#include <span>

namespace weir {

// What the port that received a frame says of its transport checksum.
enum class Checksum : u8 { unverified, good, bad };

// A run of transport bytes as they stand in a frame.
struct ByteRun {
  const u8* at;
  u32 bytes;
};

// The ones' complement sum (RFC 1071) of bytes as native 16-bit words, folded to 16 bits; an odd last byte counts as if
// a zero followed. `sum` is that of what stood before, an even number of bytes.
u32 ones_sum(const u8* at, u32 bytes, u32 sum = 0);
// That of the pseudo-header of a packet between the same two ends, in either direction, with the same protocol and
// `bytes` of transport.
u32 pseudo_sum(const Headers& headers, u32 bytes);
// Writes the checksum of bytes whose sum, with the field as zero, is this.
inline void put_sum(u8* at, u32 sum) {
  const u16 raw = static_cast<u16>(~sum);
  std::memcpy(at, &raw, sizeof raw);
}
// CRC32c over more bytes; begin with ~0 and invert at the end.
u32 crc32c(const u8* at, u32 bytes, u32 crc);

// Whether the checksum of a well-formed IP packet holds. `runs` are its transport's bytes in order, from the transport
// header to the end; all but the last are a multiple of 8 bytes long and the first holds the whole transport header.
// `has_wide_vectors` as machine_has_vectors_256() has said.
bool checksum_holds(const Headers& headers, std::span<const ByteRun> runs, bool has_wide_vectors = false);

// The same for a packet that stands whole in `frame`.
inline bool checksum_holds(const Headers& headers, const std::byte* frame, bool has_wide_vectors = false) {
  const u32 header_bytes = headers.payload_offset - u32{headers.l4_offset};
  ByteRun run{reinterpret_cast<const u8*>(frame) + headers.l4_offset, header_bytes + headers.payload_bytes};
  if (headers.rdma_opcode != rdma_opcode_none) [[unlikely]]
    run.bytes = load_be16(run.at + 4);  // pad and ICRC are no payload
  return checksum_holds(headers, std::span(&run, 1), has_wide_vectors);
}

}  // namespace weir
