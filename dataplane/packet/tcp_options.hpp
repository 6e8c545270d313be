// The options of a TCP header, one after the other: the one walk that checks them, reads them and changes them.
// Sources: RFC 9293 3.1 (list), RFC 7323 2 (window scale), RFC 2018 2 and 3 (SACK).
#pragma once
#include "dataplane/base/bytes.hpp"

namespace weir {

inline constexpr u8 option_end = 0, option_nop = 1, option_mss = 2, option_scale = 3;
inline constexpr u8 option_sack_permitted = 4, option_sack = 5;
inline constexpr u8 scale_max = 14;  // RFC 7323 2.3
inline constexpr u8 no_scale = 15;   // no window scale option

// Calls each(option) for every option that states its length, at option[1] and itself included; the two paddings are
// stepped over. False when the list does not hold: then it ends before what does not.
template <class Each>
bool walk_options(const u8* options, u32 bytes, Each each) {
  for (u32 at = 0; at < bytes && options[at] != option_end;) {
    if (options[at] == option_nop) {
      ++at;
      continue;
    }
    if (bytes - at < 2 || options[at + 1] < 2 || options[at + 1] > bytes - at) return false;
    each(options + at);
    at += options[at + 1];
  }
  return true;
}

}  // namespace weir
