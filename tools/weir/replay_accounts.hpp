// Budgets in a replay: a ledger whose file is thrown away and whose clocks are the capture's, and a lender at the desk
// that lends what each packet needs and takes back at once what it does not spend. So each packet is counted when it
// leaves, to the byte, and the same capture gives the same decisions. Accounts begin as if nothing had left before.
//
// Threads: one.
#pragma once
#include "dataplane/ledger/desk.hpp"
#include "dataplane/pipeline/slot.hpp"

#include <memory>

namespace weir {

class ReplayAccounts {
 public:
  // Of `installed`, which then has their seats and outlives them. `began`: the first packet's time.
  ReplayAccounts(InstalledPolicy& installed, std::span<const std::string> port_names, Tick began);
  ReplayAccounts(const ReplayAccounts&) = delete;

  Lender lender() { return {this, lend, open_host}; }
  // Before a packet is decided, and after.
  void begin_packet(Tick now);
  void end_packet(Till& till);

 private:
  static void lend(void* self, Till& till, u32 purse, u64 least);
  static u32 open_host(void* self, u32 seat, const Address& host);

  ledger::Ledger ledger_;
  ledger::Desk desk_;
  std::vector<u32> lent_;  // purses that got something for this packet
};

}  // namespace weir
