// What frames of our own have in common that answer a received one: the way back, and how far they may travel.
#pragma once
#include "dataplane/base/bytes.hpp"

namespace weir {

inline constexpr u8 own_hops = 64;

// The Ethernet header and VLAN tags of `frame`, l3_offset bytes, with its link addresses swapped.
inline void answer_link(u8* out, const u8* frame, u32 l3_offset) {
  std::memcpy(out, frame + 6, 6);
  std::memcpy(out + 6, frame, 6);
  std::memcpy(out + 12, frame + 12, l3_offset - 12);
}

}  // namespace weir
