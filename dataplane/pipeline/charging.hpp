// What a pipeline charges with, in one piece: a worker's purses and its flows' bills; and the rates of a policy's
// limits. It lends no bytes: the keeper of accounts does, or a lender. Without it whatever a budget or a limit covers
// is dropped.
//
// Threads: one, the worker's; the cells of limits are shared by all. Memory is lent, zeroed, on a cache line, and
// touched only where purses, hosts and bills are in use.
#pragma once
#include "dataplane/pipeline/burst.hpp"

namespace weir {

class Charging {
 public:
  // `flows`: the capacity of the worker's flow table. `secret`: the process's.
  static std::size_t bytes_needed(u32 flows) {
    return bills_offset + Bills::bytes_needed(Bills::capacity_for(flows));
  }

  Charging(std::span<std::byte> memory, u32 flows, LimitCells& limits, const HashKey& secret, const Lender& lender = {})
      : till_(memory.first(bills_offset), lender, secret),
        bills_(memory.subspan(bills_offset), Bills::capacity_for(flows), limits) {}

  Till& till() { return till_; }
  Bills& bills() { return bills_; }
  void lend_to(PipelineConfig& config) {
    config.till = &till_;
    config.bills = &bills_;
  }

 private:
  static constexpr std::size_t bills_offset = (Till::bytes_needed() + 63) / 64 * 64;

  Till till_;
  Bills bills_;
};

// For InstalledPolicy::limit_rates: as many as the policy has limits. A limit is the same over policies as long as its
// name is.
void write_limit_rates(const Policy& policy, std::span<LimitRate> rates);

}  // namespace weir
