// The cover is found by trying counts of each window, best bytes a second first, and giving up a branch that
// cannot beat what is known. Any cover is an upper bound, so that a search cut short errs upward.
#include "control/bound/curve.hpp"

#include <algorithm>

namespace weir::control {
namespace {

constexpr u64 steps_max = 20'000;

u64 divided_up(u64 a, u64 b) { return a / b + (a % b != 0 ? 1 : 0); }

class Cover {
 public:
  // `windows` by bytes a second, ascending; none without length.
  Cover(const std::vector<CurveWindow>& windows, u64 length_s) : windows_(windows) {
    for (const CurveWindow& one : windows_)
      best_ = std::min(best_, times(one.bytes, divided_up(length_s, one.length_s)));
    search(0, length_s, 0);
  }
  Bytes best() const { return best_; }

 private:
  // Whether `spent` and the rest at the rate of window `at` stay below the best known.
  bool hopeful(std::size_t at, u64 rest_s, Bytes spent) const {
    const CurveWindow& next = windows_[at];
    return spent < best_ && Bytes{next.bytes} * rest_s / next.length_s < best_ - spent;
  }

  void search(std::size_t at, u64 rest_s, Bytes spent) {
    const CurveWindow& window = windows_[at];
    u64 count = divided_up(rest_s, window.length_s);
    best_ = std::min(best_, plus(spent, times(window.bytes, count)));
    if (at + 1 == windows_.size()) return;
    while (count-- > 0) {
      const u64 left_s = rest_s - count * window.length_s;
      const Bytes used = plus(spent, times(window.bytes, count));
      // The fewer of the best kind, the more is left for worse ones: the first hopeless count ends it.
      if (steps_++ > steps_max || !hopeful(at + 1, left_s, used)) return;
      search(at + 1, left_s, used);
    }
  }

  const std::vector<CurveWindow>& windows_;
  Bytes best_ = unlimited;
  u64 steps_ = 0;
};

}  // namespace

Bytes plus(Bytes a, Bytes b) { return a >= unlimited || b >= unlimited - a ? unlimited : a + b; }

Bytes times(Bytes a, u64 count) {
  if (a == 0 || count == 0) return 0;
  return a >= unlimited || a > (unlimited - 1) / count ? unlimited : a * count;
}

Bytes most_of_windows(const std::vector<CurveWindow>& windows, u64 length_s) {
  Bytes most = unlimited;
  std::vector<CurveWindow> sliding;
  for (const CurveWindow& one : windows) {
    if (one.length_s == 0) most = std::min(most, Bytes{one.bytes});
    else sliding.push_back(one);
  }
  if (sliding.empty() || length_s == ever) return most;
  std::sort(sliding.begin(), sliding.end(), [](const CurveWindow& a, const CurveWindow& b) {
    const Bytes left = Bytes{a.bytes} * b.length_s, right = Bytes{b.bytes} * a.length_s;
    return left != right ? left < right : a.length_s > b.length_s;
  });
  return std::min(most, Cover(sliding, length_s).best());
}

Bytes Curve::most(u64 length_s) const {
  if (length_s == 0) return 0;
  const Bytes of_windows = windows.empty() ? 0 : most_of_windows(windows, length_s);
  if (!has_bucket) return windows.empty() ? unlimited : of_windows;
  if (length_s == ever) return bits_per_s == 0 ? plus(of_windows, once_bytes) : unlimited;
  const Bytes flown = (Bytes{bits_per_s} * length_s + 7) / 8;
  return plus(of_windows, plus(std::min(flown, unlimited), once_bytes));
}

}  // namespace weir::control
