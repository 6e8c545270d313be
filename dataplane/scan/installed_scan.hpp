// What goes with a policy in force for its inspections: each rule's wishes, and for each worker a scanner over the
// policy's patterns. Whoever installs policies makes one for each and keeps it as long as the policy may be asked.
//
// Patterns that did not change are kept over a change of policy, so that what flows are in the middle of goes on.
// Threads: made by the installer; read by workers, each with its own scanner.
#pragma once
#include "dataplane/pipeline/slot.hpp"
#include "dataplane/scan/scan.hpp"

namespace weir {

class InstalledScan {
 public:
  InstalledScan() = default;
  InstalledScan(InstalledScan&&) = default;
  InstalledScan& operator=(InstalledScan&&) = default;
  // For `workers` that read `reading` connections at once. `before`: of the policy in force, or null. The error is a
  // sentence: patterns of another processor or version, or no memory.
  static std::expected<InstalledScan, std::string> make(const Policy& policy, u32 workers, u32 reading,
                                                        const InstalledScan* before);

  void lend_to(InstalledPolicy& installed) const {
    installed.wishes = wishes_;
    installed.scanners = scanners_;
  }

 private:
  struct Scans {
    std::vector<std::byte> image;
    ScanPatterns patterns;
    std::vector<std::unique_ptr<Scan>> of_worker;
  };
  static std::expected<std::shared_ptr<const Scans>, std::string> scans_of(std::span<const std::byte> image,
                                                                           u32 workers, u32 reading);

  std::vector<u64> magics_;
  std::vector<WatchWish> wishes_;  // whose spans are of magics_, wherever this is moved to
  std::shared_ptr<const Scans> scans_;
  std::vector<Scanner> scanners_;
};

}  // namespace weir
