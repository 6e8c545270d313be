// Where a ledger lies, as an operator names it, and what a ledger asks of the machine beside its disk: the clocks of
// this boot. It decides nothing.
#pragma once
#include "dataplane/ledger/ledger.hpp"

namespace weir::ledger {

struct Places {
  std::string folder, key;  // of the ledger; the file of its key
  std::string anchor;       // a folder on another device, or empty: no anchor
};

// Opens and locks the folders and reads the key.
std::expected<Settings, Error> settings_of(const Places& places);

// CLOCK_BOOTTIME and, as the steady one, CLOCK_MONOTONIC_RAW, which no daemon slews and which every process of a boot
// reads alike, as the TSC alone would not be: its rate is measured anew by each.
class Clocks {
 public:
  // Reads the kernel's boot id.
  static std::expected<Clocks, Error> of_this_boot();
  Reading read() const;

 private:
  ClockReading boot_;
};

}  // namespace weir::ledger
