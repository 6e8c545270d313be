// Budgets of a capture: a ledger whose file is thrown away and whose clocks are the capture's, and a lender at the desk
// that lends what each packet needs and takes back at once what it does not spend. So each packet is counted when it
// leaves, to the byte, and the same capture gives the same decisions. Accounts begin as if nothing had left before.
//
// Threads: one at a time.
#pragma once
#include "dataplane/ledger/desk.hpp"

#include <memory>

namespace weir::ledger {

class CaptureAccounts {
 public:
  CaptureAccounts();
  CaptureAccounts(const CaptureAccounts&) = delete;

  // Between two packets, before a policy is put in force: its seats, which hold until the next call. After that, when
  // nobody is judged by an older one any more, in_force().
  std::expected<std::span<const AccountSeat>, Error> prepare(const Policy& policy,
                                                             std::span<const std::string> port_names);
  void in_force();

  Lender lender() { return {this, lend, open_host}; }
  // Before a packet is decided, and after. Time begins with the first.
  void begin_packet(Tick now);
  void end_packet(Till& till);

 private:
  static void lend(void* self, Till& till, u32 purse, u64 least);
  static u32 open_host(void* self, u32 seat, const Address& host);

  std::optional<Tick> began_;
  Tick now_ = 0;
  Ledger ledger_;
  Desk desk_;
  std::vector<u32> lent_;  // purses that got something for this packet
};

}  // namespace weir::ledger
