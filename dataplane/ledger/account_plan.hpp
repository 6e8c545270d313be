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

// Which bytes an account counts, and how.
struct AccountCover {
  std::vector<image::Cover> sources, targets, services;
  u8 counts_payload = 0;
  u32 surcharge = 0;
  bool skips_throttled = false;  // what leaves through the bucket is in no window
  bool is_by_host = false;
  bool is_share = false;         // counts what an account beside it counts as well

  bool meets(const AccountCover& other) const;
};

// Whether every byte that `cover` counts is counted by some of `others` in the same way.
bool cover_all_of(const AccountCover& cover, std::span<const AccountCover* const> others);

inline constexpr u32 part_of_seat = 0xff;        // the account that stands for hosts who have not spoken
inline constexpr u32 share_hosts_max = 1u << 16;  // of one max_share
inline constexpr u32 throttle_burst_bytes = 10'000;  // the largest frame that a port hands over
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

  u32 purses() const { return static_cast<u32>(parts.size()) + has_bucket; }
  Identity identity(u32 part, const HostKey& host = {}) const;
};

// The part of an identity that a plan's accounts have in common.
inline u64 plan_id_of(const Identity& identity) { return load<u64>(identity.bytes.data() + 8); }

// In order of the image's accounts; behind each that has a max_share, the plan of it.
std::vector<AccountPlan> account_plans(const Policy& policy, Tick wall_now);

// Whether leases must come back before the other statement holds: some limit falls, or it begins to refuse.
bool is_stricter(const AccountRule& rule, const AccountRule& than);

}  // namespace weir::ledger
