// Every decision that a policy can come to between the zones that guarded interfaces have, asked of the engine one by
// one and kept as rows of numbers. It decides nothing; what an allow asks for and no guard keeps becomes a denial.
#pragma once
#include "dataplane/guard/layout.hpp"
#include "dataplane/policy/policy.hpp"

#include <expected>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace weir::guard {

struct Error;

class Decisions {
 public:
  explicit Decisions(const Policy& policy);

  // The numbers by which zones are known here.
  u16 source(u16 zone);
  u16 target(u16 zone);

  // Once all zones are known.
  std::expected<void, Error> make();

  const std::vector<u32>& rows() const { return rows_; }    // by source and target
  const std::vector<u16>& cells() const { return cells_; }  // by row and service
  const std::vector<guard_node>& nodes() const { return nodes_; }
  u32 targets_count() const { return static_cast<u32>(targets_.size()); }
  // A line for each rule that the guard denies for want of means.
  std::vector<std::string> notes() const;

 private:
  std::expected<u16, Error> cell(u16 from, u16 to, u16 service);
  std::expected<u16, Error> chain(u16 from, u16 to, u16 service, Tick now, u32 depth);
  std::expected<u16, Error> number_of(const guard_node& node);
  std::expected<u32, Error> row(u16 from, u16 to);
  bool is_kept(u32 rule, u16 decision) const;

  const Policy& policy_;
  std::map<u16, u16> source_numbers_, target_numbers_;
  std::vector<u16> sources_, targets_;
  std::vector<u32> rows_;
  std::vector<u16> cells_;
  std::vector<guard_node> nodes_;
  std::map<std::vector<u16>, u32> known_rows_;
  std::map<u32, u32> image_rows_;
  std::map<std::pair<u64, std::pair<u32, u32>>, u16> known_nodes_;
  std::set<u32> denied_;
};

}  // namespace weir::guard
