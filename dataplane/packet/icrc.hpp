// RoCEv2's invariant CRC: over everything of a packet that no router changes, so that it also covers what has no UDP
// checksum. Whether it is asked is policy's.
//
// Source: InfiniBand Architecture Specification volume 1, 7.8.1 and annex A17.3.3 and A17.4.5: CRC-32 of eight bytes of
// ones, the IP header with its type of service (IPv6: traffic class and flow label), time to live and checksum as ones,
// the UDP header with its checksum as ones, BTH with its fifth byte as ones, and what follows; least byte first.
#pragma once
#include "dataplane/packet/parse.hpp"

#include <span>

namespace weir {

inline constexpr u32 crc32_begin = ~u32{0};

// CRC-32 (IEEE 802.3, reflected) over more bytes; begin with crc32_begin and invert at the end. `has_carryless` as
// machine_has_carryless() has said.
u32 crc32(const u8* at, u32 bytes, u32 crc, bool has_carryless = false);

// Whether the ICRC of a well-formed RoCEv2 packet, which stands whole in `frame`, holds.
bool icrc_holds(const Headers& headers, const std::byte* frame, bool has_carryless = false);

// What it must be, as a number: for those who make such packets.
u32 icrc_of(const Headers& headers, const std::byte* frame, bool has_carryless = false);

}  // namespace weir
