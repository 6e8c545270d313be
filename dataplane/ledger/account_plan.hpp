// What a policy asks of the ledger, account by account: identity, statement and cover of everything that one account of
// an image stands for. It opens nothing (dataplane/ledger/desk.hpp does) and touches no disk.
//
// An identity is a digest of what is counted: sources, targets, services, how bytes are counted, for whom (all, a
// segment, a host), how the budget is split (reserves, max_share), and whether it throttles. No name, line or amount is
// in it, so that a rename or another limit keeps what was spent. Of two accounts of a policy that agree in all of this,
// the second has an ordinal.
#pragma once
#include "dataplane/ledger/books.hpp"
#include "dataplane/policy/policy.hpp"

namespace weir::ledger {

// Who a host is, over processes: "port" and the port's name, or the 16 bytes of an address.
using HostKey = std::string;

struct AddressOrder {
  bool operator()(const Address& a, const Address& b) const {
    return a.high != b.high ? a.high < b.high : a.low < b.low;
  }
};

struct AccountFacts {
  u32 surcharge = 0;
  u32 parts = 0;            // accounts of a cell: reserves and the rest
  u8 counts_payload = 0;
  u8 skips_throttled = 0;   // what leaves through the bucket is in no window
  u8 is_by_host = 0;
  u8 is_share = 0;          // counts what an account beside it counts as well
};

// Which bytes an account counts, and how. The ledger's file keeps it for all accounts that it knows.
struct AccountCover : AccountFacts {
  using Facts = AccountFacts;
  std::vector<image::Cover> sources, targets, services;
  std::vector<u64> host_parents;  // plans by host: what a host's account inherits from, when the host first speaks

  bool meets(const AccountCover& other) const;
};
Bytes bytes_of(const AccountCover& cover);
std::optional<AccountCover> cover_of(std::span<const std::byte> bytes);

// Whether it counts each byte that `other` counts, in the same way.
bool covers_all(const AccountCover& cover, const AccountCover& other);
// Whether every byte that `cover` counts is counted by some of `others` in the same way.
bool cover_all_of(const AccountCover& cover, std::span<const AccountCover* const> others);

inline constexpr u32 part_of_seat = 0xff;        // the account that stands for hosts who have not spoken
inline constexpr u32 share_hosts_max = 1u << 16;  // of one max_share
inline constexpr u32 throttle_burst_bytes = 1u << 16;  // the largest frame, as `weir bound` counts it
inline constexpr u32 account_slots = 64;         // of a window

struct AccountPlan {
  u64 id = 0;           // digest of all that is in the identity, but the part and the host
  u32 account = 0;      // of the image
  AccountCover cover;
  std::string name;     // of the budget; and its segment
  std::shared_ptr<const Statement> whole;               // undivided: of part_of_seat
  std::vector<std::shared_ptr<const Statement>> parts;  // of the reserves, then of the rest
  bool has_bucket = false;
  u32 hosts = 0;        // by host: at most so many
  bool opens_empty = false;
  Tick begins_to_refuse = 0;  // after this it is to be stated again; 0: never

  u64 limit(u32 part, u32 window) const { return parts[part]->rule.windows[window].limit_bytes; }
  u32 purses() const { return static_cast<u32>(parts.size()) + has_bucket; }
  Identity identity(u32 part, const HostKey& host = {}) const;
};

// In order of the image's accounts; behind each that has a max_share, the plan of it.
std::vector<AccountPlan> account_plans(const Policy& policy, Tick wall_now);

// Whether leases must come back before the other statement holds: some limit falls, or it begins or ends to refuse, so
// that what never refuses holds no lease.
bool is_stricter(const AccountRule& rule, const AccountRule& than);

}  // namespace weir::ledger
