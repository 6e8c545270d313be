// What becomes of packets that given rules cover, from now on: allowed or denied, logged how, answered or proxied, and
// until when. It knows rules and services, and nothing of addresses.
#pragma once
#include "control/compile/sequences.hpp"
#include "control/diff/space.hpp"

#include <cstdint>

namespace weir::control {

// From the end of the piece before (or now) until `until_s`, seconds since the Unix epoch; the last has no end.
struct FatePiece {
  std::int64_t until_s = 0;
  std::uint8_t allowed = 0, log = 0, syn_proxy = 0, rejects = 0;  // log: control::Log; rejects: a denial is answered
  // Of queue pairs that are allowed: what they may do. Zero of everything else.
  std::uint8_t operations = 0, read_unless_asset = 0;
  std::uint16_t protocols = 0;  // what the first bytes must be; zero of queue pairs
  std::uint32_t read_mtu = 0, first_use = 0;
  std::uint64_t read_credit = 0;
  std::uint64_t inspections = 0;  // of JointSpace::inspections
  bool operator==(const FatePiece&) const = default;
};
inline constexpr std::int64_t no_end = INT64_MAX;

struct PairKind {
  std::array<bool, 2> spoofed, rejects;  // by policy: the source is spoofed; its segment wants denials answered
  std::vector<u32> rules;                // ascending: those that name both sides
  bool is_ipv4;
};

// Which services fare differently: with their fates, by number in Fates.
struct Differing {
  u32 service;
  std::array<u32, 2> fates;  // by policy
};

class Fates {
 public:
  // Threads: one. The space outlives it.
  Fates(const JointSpace& space, std::int64_t now_s);

  // Services with other fates, ascending; those that no packet of the family can have are left out.
  std::vector<Differing> compare(const PairKind& kind);
  // Never empty; the pieces' ends ascend, neighbours differ.
  std::span<const FatePiece> at(u32 fate) const { return fates_.at(fate); }
  bool allowed(u32 fate) const { return fates_.at(fate).front().allowed != 0; }

 private:
  static constexpr u32 open_chain = 0;
  // Rules that decide one after another as the ones before expire: the last of them and the chain before it.
  struct Link {
    u32 before, rule;
  };
  void cover(u32 policy, u32 rule);
  u32 extended(u32 chain, u32 rule);
  bool is_closed(u32 chain) const;
  u32 fate_of(u32 chain, bool rejects, bool is_rdma);
  u32 denied(bool rejects);

  const JointSpace& space_;
  std::int64_t now_s_;
  std::array<std::vector<bool>, 2> lives_;       // by family (IPv4 last) and service
  std::vector<bool> is_rdma_;                    // by service: of queue pairs, and of nothing else
  std::array<std::vector<u32>, 2> chains_;       // by policy and service, of the pair at hand
  std::vector<bool> is_touched_;
  std::vector<u32> touched_;
  std::vector<Link> links_{{0, 0}};              // by chain; 0 is that of no rule
  HashIndex chain_index_, fate_index_;
  struct Known {
    u64 key;
    u32 fate;
  };
  std::vector<Known> known_;
  Sequences<FatePiece> fates_;
};

}  // namespace weir::control
