// `weir replay POLICY --shadow OTHER`: where the two disagree about a capture, as a dataplane would have told it with
// OTHER as its shadow.
#pragma once
#include "control/see/names.hpp"
#include "tools/weir/policy_file.hpp"
#include "tools/weir/replay_run.hpp"

#include <nlohmann/json.hpp>

#include <memory>

namespace weir {

class ReplayShadow {
 public:
  // The error is text for stderr. `names` are the ports', as for the other.
  static std::expected<std::unique_ptr<ReplayShadow>, std::string> open(const std::string& path,
                                                                        const std::array<std::string, 2>& names);

  // Asked beside it from now on; this outlives what judges by it.
  void lend_to(InstalledPolicy& live);
  // What has been told since the last call: printed, a line each, or kept for json().
  void tell(ReplayRun& run, bool prints);

  // The questions and how many of them were answered otherwise, behind the summary.
  void print_counts(const ReplayRun& run) const;
  nlohmann::ordered_json json(const ReplayRun& run) const;

 private:
  ReplayShadow(PolicyFile file, const std::array<std::string, 2>& names);

  const PolicyFile file_;
  const std::vector<std::string> ports_;
  const InstalledPolicy installed_;
  const std::unique_ptr<see::PolicyNames> names_;
  std::unique_ptr<see::PolicyNames> live_;
  nlohmann::ordered_json lines_ = nlohmann::ordered_json::array();
};

}  // namespace weir
