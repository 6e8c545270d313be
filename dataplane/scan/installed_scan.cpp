#include "dataplane/scan/installed_scan.hpp"

#include "dataplane/pipeline/inspecting.hpp"

#include <algorithm>

namespace weir {

std::expected<std::shared_ptr<const InstalledScan::Scans>, std::string> InstalledScan::scans_of(
    std::span<const std::byte> image, u32 workers, u32 reading) {
  const auto made = std::make_shared<Scans>();
  made->image.assign(image.begin(), image.end());
  auto patterns = ScanPatterns::load(made->image);
  if (!patterns) return std::unexpected(patterns.error());
  made->patterns = std::move(*patterns);
  for (u32 worker = 0; worker < workers; ++worker) {
    auto scan = Scan::begin(made->patterns, 2 * reading);
    if (!scan) return std::unexpected(scan.error());
    made->of_worker.push_back(std::move(*scan));
  }
  return made;
}

std::expected<InstalledScan, std::string> InstalledScan::make(const Policy& policy, u32 workers, u32 reading,
                                                              const InstalledScan* before) {
  InstalledScan made;
  for (const image::Job& job : policy.jobs())
    if (job.has_tag != 0) made.magics_.push_back(job.tag);
  made.wishes_.resize(policy.rules_count());
  write_wishes(policy, made.magics_, made.wishes_);
  const auto image = policy.patterns();
  if (image.empty()) return made;
  if (before != nullptr && before->scans_ != nullptr && std::ranges::equal(before->scans_->image, image)) {
    made.scans_ = before->scans_;
  } else {
    auto scans = scans_of(image, workers, reading);
    if (!scans) return std::unexpected(scans.error());
    made.scans_ = std::move(*scans);
  }
  for (const auto& scan : made.scans_->of_worker) made.scanners_.push_back(scan->scanner());
  return made;
}

}  // namespace weir
