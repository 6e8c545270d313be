// A policy image as the guard's programs read it: one run of bytes, laid out as layout.hpp says, made by asking the
// very code that the dataplane judges with. It says by name what of the policy no guard keeps, and refuses what does
// not fit.
#pragma once
#include "dataplane/guard/layout.hpp"
#include "dataplane/policy/policy.hpp"

#include <expected>
#include <string>
#include <vector>

namespace weir::guard {

struct Error {
  std::string sentence;
};

// An interface of this machine and what the policy knows of its two sides: a port's name, a segment that is attached to
// exactly one port, or nothing (known by address alone).
struct Interface {
  std::string name;
  std::string words[2];  // by guard_way: of the wire, of this machine
  u32 slot;
};

// Whose bytes a lease is.
struct LeaseOf {
  u32 account;  // of the image; no two leases have the same
  u32 surcharge;  // bytes a packet
};

struct Tables {
  std::vector<std::byte> bytes;  // begins with guard_policy
  std::vector<LeaseOf> leases;  // by number
  std::vector<std::string> notes;  // what the policy says and the guard does not keep, a line each
};

// `clock_us` is what CLOCK_BOOTTIME is behind the time of day, in microseconds.
std::expected<Tables, Error> tables_of(const Policy& policy, std::span<const Interface> interfaces, u64 clock_us);

// The class of a side's word; of an empty one that of a port that nobody named.
std::expected<u16, Error> class_of(const Policy& policy, std::string_view word);

}  // namespace weir::guard
