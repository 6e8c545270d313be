// Streams of bytes to try the tensor tests on, without end and the same for the same seed: synthetic weights in the
// formats in which they travel, and what else networks carry. Distributions are those of published models in kind (bell
// or heavy-tailed, a scale per channel and per layer), not any model's numbers.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <functional>
#include <string>
#include <vector>

namespace weir::corpus {

class Random {
 public:
  explicit Random(u64 seed) : state_(seed) {}
  u64 bits() {
    u64 mixed = state_ += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return mixed ^ mixed >> 31;
  }
  u32 below(u32 limit) { return static_cast<u32>((bits() >> 32) * limit >> 32); }
  float unit() { return static_cast<float>(bits() >> 40) * 0x1p-24f; }
  float normal();  // mean 0, variance 1
  float student();  // t with 5 degrees of freedom, variance 1: weights with a heavy tail
  float between(float low, float high) { return low + (high - low) * unit(); }

 private:
  u64 state_;
};

// Appends the next few kilobytes of a stream.
using More = std::function<void(std::vector<u8>&)>;

enum class Expect : u8 {
  floats,  // by the vote, within 64 KiB
  quantised,  // by windows, within 2 MiB
  opaque,  // neither, but opaque
  either,  // looks like quantised data often enough: measured, nothing is promised
  nothing
};

struct Kind {
  std::string name;
  Expect expect;
  std::function<More(u64 seed)> open;
};

std::vector<Kind> tensor_kinds();  // weights
std::vector<Kind> numeric_kinds();  // numbers that are not weights
std::vector<Kind> other_kinds();  // text and its like, media, opaque data
std::vector<Kind> all_kinds();

// The next bytes of an endless stream, which begins at no particular place of what it is made of.
class Stream {
 public:
  Stream(const Kind& kind, u64 seed) : more_(kind.open(seed)) {
    Random random(~seed);
    next(random.below(4096));
  }
  // Valid until the next call.
  const u8* next(u32 bytes) {
    if (at_ > 1 << 20) {
      held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(at_));
      at_ = 0;
    }
    while (held_.size() - at_ < bytes) more_(held_);
    at_ += bytes;
    return held_.data() + (at_ - bytes);
  }

 private:
  More more_;
  std::vector<u8> held_;
  std::size_t at_ = 0;
};

}  // namespace weir::corpus
