// The most bytes that can get from some places to others, whoever helps on the way: a linear program, whose answer is
// proven again in exact integers and never below the truth.
#pragma once
#include "control/bound/network.hpp"

namespace weir::control {

// What an account adds to the bound.
struct Part {
  u32 account;
  Bytes bytes;
};

struct Most {
  Bytes bytes = 0;              // or unlimited
  std::vector<Part> parts;      // what decides: together at least `bytes`; by bytes, descending
  std::vector<u32> open;        // ways that no account bounds, one behind the other, when unlimited
};

// By node: where it starts, where it has arrived. A node that is both is none of the latter.
struct Ends {
  std::vector<bool> from, to;
};

// In any interval of `length_s` seconds, or ever.
Most most_between(const Network& network, const Ends& ends, u64 length_s);

// The longest time, in whole seconds, in which `bytes` surely cannot all get there. never: not in any time;
// `beyond`: not within time_max_s, and nothing longer was asked.
struct Shortest {
  u64 seconds = 0;
  bool never = false, beyond = false;
};
inline constexpr u64 time_max_s = u64{100} * 365 * 86'400;
Shortest shortest_time(const Network& network, const Ends& ends, Bytes bytes);

}  // namespace weir::control
