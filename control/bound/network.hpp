// What policy lets flow where, and what bounds it: places, the ways between them, and the accounts that each way's
// bytes are counted on. A way stands for one direction of a connection that is allowed; replies have ways of their own.
#pragma once
#include "control/bound/curve.hpp"
#include "control/bound/places.hpp"
#include "dataplane/base/limits.hpp"

#include <optional>

namespace weir::control {

// Accounts of one kind that together let no more pass than `count` times the curve.
struct Account {
  enum class Kind : std::uint8_t { budget, limit, rate, link } kind;
  u32 index = 0;  // of Model::budgets, limits or segments
  std::optional<u32> segment;  // of a budget: those of this segment of its `from` alone
  Curve curve;
  u64 count = 1;
  Bytes most(u64 length_s) const { return times(curve.most(length_s), count); }
};

inline constexpr u32 no_allow = ~u32{0};

struct Lane {
  u32 from = 0, to = 0;  // of Network::places, or one of the nodes behind them
  std::vector<u32> accounts;  // ascending
  u32 allow = no_allow;  // of Model::statements: one that opens it; none: not by an allow
  bool is_reply = false;
};

struct Network {
  Places places;
  u32 nodes = 0;  // places first, then meeting points that are no place
  std::vector<Account> accounts;
  std::vector<Lane> ways;
  bool too_large = false;  // ways_max or steps_max passed: nothing is known, so nothing is bounded
  bool claims_any = false;  // a tunnel without a number: who sends there may claim any address
  bool uses_hosts = false;
};

inline constexpr std::size_t ways_max = 200'000;
// Of the largest frame: an IP packet of 65,535 bytes, Ethernet's header and two tags. What a throttle's bucket holds.
inline constexpr u64 frame_bytes_most = throttle_bucket_bytes;
// Of headers, in what an attacker can choose, and of timing: what a packet may carry besides its payload.
inline constexpr u64 headers_say_bytes = 64;
// Protocols that [link] lets pass.
u64 link_protocols(const Link& link);

// `now_s`: allows that have expired by then are closed. Statements in monitor are absent.
Network make_network(const Model& model, std::int64_t now_s);

}  // namespace weir::control
