// The policy in force: two slots and one pointer. The installer verifies a new image in the spare slot, flips the
// pointer with one store, and waits until every worker has announced the new generation before the old slot may be
// reused. Workers read the pointer once per burst and announce what they used after it: no packet is judged by two.
//
// Threads: one installer, many workers. The only shared words a packet touches are `current` (read) and the
// worker's own announcement line (written once per burst).
#pragma once
#include "dataplane/base/limits.hpp"
#include "dataplane/flow/window.hpp"
#include "dataplane/budget/limit_cells.hpp"
#include "dataplane/budget/till.hpp"
#include "dataplane/inspect/watch.hpp"
#include "dataplane/policy/charges.hpp"
#include "dataplane/policy/policy.hpp"
#include "dataplane/rdma/job_gate.hpp"
#include "dataplane/share/stats.hpp"

#include <array>
#include <atomic>
#include <span>
#include <string_view>

namespace weir {

// A policy bound to this process's ports.
struct InstalledPolicy {
  u64 generation;    // policy.generation(), where each packet looks
  u64 installation;  // tells apart what a process put in force: a number of its own where a generation may come back
  Policy policy;
  std::array<u16, ports_max> port_class;  // by port index (2 * pair + side)
  u32 ports;                              // how many are in use: port indices below it
  u32 mac_pinned_ports;                   // bit per port index
  u32 plain_ports;                        // likewise: in use, and carry any MAC's frames
  u32 named_ports;                        // likewise: somebody's, by an attached segment or a pin
  bool has_identities;                    // some port is named: an address may be spoofed
  TcpProfile tcp = {};
  SynProxy syn_proxy = SynProxy::never;
  bool trusts_checksums = false;          // what no port has verified is taken for good
  bool has_wide_vectors = false;          // machine_has_vectors_256(), asked once
  bool checks_icrc = false;               // of RoCEv2, whole
  bool has_carryless = false;             // machine_has_carryless(), asked once
  bool holds_fragments = false;           // for their datagram; else they are dropped
  Charges charges = Charges(policy);
  bool has_charges = charges.any();
  bool looks_by_packet = policy.looks_by_packet();
  bool has_holders = policy.has_holders();  // of assets
  // Lent by who installs, for as long as the policy is. Without seats every account is closed.
  std::span<const AccountSeat> seats = {};      // by account
  std::span<const LimitRate> limit_rates = {};  // by limit; as many as the policy has, where it has any
  std::span<JobGate* const> job_gates = {};     // by job; without one a job is sealed
  std::span<const WatchWish> wishes = {};       // by rule; where policy inspects, without them no flow begins
  std::span<const Scanner> scanners = {};       // by worker; where the policy has patterns
  std::span<RuleHits> hits = {};                // by worker, hits_stride() apart, and rule; without, none are counted
  u64 uet_jobs = 0;                             // bit by job: it states its JobID of Ultra Ethernet
  // Asked beside this one, and never obeyed: where the two disagree, it is told. Null, or lent as long as this one is
  // read; it has none itself.
  const InstalledPolicy* shadow = nullptr;
};

// Finds each port's class by its name. `names` are in order of port index, at most ports_max. The installation is the
// generation.
InstalledPolicy bind_ports(const Policy& policy, std::span<const std::string_view> names);

class PolicySlot {
 public:
  // The policy in force, or null: nothing installed, deny all. Read once per burst.
  const InstalledPolicy* current() const { return current_.load(std::memory_order_acquire); }

  // Worker: everything it judged from now on uses `seen` (its generation, or 0 for none).
  void announce(u32 worker, const InstalledPolicy* seen) {
    workers_[worker].seen.store(seen, std::memory_order_release);
  }
  // Installer: makes `next` the policy in force.
  void flip(const InstalledPolicy* next) { current_.store(next, std::memory_order_seq_cst); }
  // Installer: whether each of `workers` has announced `next`. Until then the previous one must stay readable.
  bool all_announced(u32 workers, const InstalledPolicy* next) const {
    for (u32 worker = 0; worker < workers; ++worker)
      if (workers_[worker].seen.load(std::memory_order_acquire) != next) return false;
    return true;
  }

 private:
  struct alignas(64) Announcement {
    std::atomic<const InstalledPolicy*> seen{nullptr};
  };
  std::atomic<const InstalledPolicy*> current_{nullptr};
  std::array<Announcement, workers_max> workers_;
};

}  // namespace weir
