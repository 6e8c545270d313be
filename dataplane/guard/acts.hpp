// The acts of weir-guard: attach, update, detach, status, run. Each says on the terminal what it did; a failure changes
// nothing. Exit codes: 0 done, 1 refused or a fault found, 2 usage.
#pragma once
#include "dataplane/guard/attach.hpp"
#include "dataplane/ledger/places.hpp"

namespace weir::guard {

struct AttachTerms {
  std::string folder = default_folder;
  std::string policy;
  std::vector<Order> orders;
  u32 flows = 65536;
  u64 silence_ms = 3000;
  bool last_policy = false;
};

struct RunTerms {
  std::string folder;
  std::string policy, stats;  // the image that is in force; the dataplane's stats segment, or empty
  ledger::Places places;  // no folder: nothing is lent
  u64 lease_ms = 10'000;
};

int act_attach(const AttachTerms& terms);
int act_update(const std::string& folder, const std::string& policy, bool force);
int act_detach(const std::string& folder);
// Until SIGTERM.
int act_run(const RunTerms& terms);
int act_status(const std::string& folder, bool json);

// The interfaces of a guard as tables_of() takes them.
std::vector<Interface> interfaces_of(const Kernel& kernel);

}  // namespace weir::guard
