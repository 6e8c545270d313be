// How many bytes one account lets pass in an interval of a given length, at the most: what windows, a throttle or a
// rate say, exactly or above. It knows no policy.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <vector>

namespace weir::control {

// No finite amount is as large as `unlimited`: sums and products stop there.
using Bytes = u128;
inline constexpr Bytes unlimited = Bytes{1} << 84;
Bytes plus(Bytes a, Bytes b);
Bytes times(Bytes a, u64 count);

// The interval that has no end.
inline constexpr u64 ever = ~u64{0};

// Never more than `bytes` in any half-open interval of `length_s` seconds; length 0: ever.
struct CurveWindow {
  u64 bytes;
  u64 length_s;
};

// Without windows there is only the bucket: `once_bytes` and `bits_per_s` from then on.
struct Curve {
  std::vector<CurveWindow> windows;
  bool has_bucket = false;
  u64 bits_per_s = 0;
  u64 once_bytes = 0;

  // The most in any half-open interval of `length_s` seconds, or ever.
  Bytes most(u64 length_s) const;
};

// The windows' part: the least total of windows (by bytes) that together are as long as the interval. Windows laid end
// to end cover it, so that no schedule sends more; and the constraints of sliding windows are intervals, whose
// matrix is totally unimodular, so that some schedule sends as much. docs/bound.md has the argument.
Bytes most_of_windows(const std::vector<CurveWindow>& windows, u64 length_s);

}  // namespace weir::control
