// Who steals from whom in `weir thief`, and what the policy bounds that to. The rules say who holds an asset and which
// ways are out; an image says neither, so that addresses must be given then.
#pragma once
#include "control/bound/bound.hpp"
#include "tools/thief/ways.hpp"
#include "tools/weir/rules.hpp"

#include <map>

namespace weir {

struct ThiefOptions {
  std::string policy;             // a rule file, or a compiled image
  std::string from, to;           // a segment or an address; empty: as the assets say
  std::string inside, outside;    // names of the ports
  std::string write_directory;
  std::string at;
  std::string output = "table";   // or json
  u64 bytes = 4'000'000;          // of weights, for each way
  std::optional<u64> most;        // instead of the bound
};

struct ThiefPair {
  std::string holder_name, accomplice_name;  // of segments, or addresses
  std::optional<u32> holder, accomplice;     // segments, where they are in one
  std::string holder_port, accomplice_port;  // names, of attached segments
  thief::Scene scene;                        // without doors and bytes
};

class ThiefTargets {
 public:
  static std::expected<ThiefTargets, std::string> open(const ThiefOptions& options);

  const Policy& policy() const { return file_->policy; }
  const std::vector<ThiefPair>& pairs() const { return pairs_; }
  const std::vector<thief::Door>& candidates() const { return candidates_; }
  // The most that may leave from all who hold what the pair's holder holds to its accomplice, or to any exit, in any
  // interval of that length; unlimited where nothing says so.
  control::Bytes bound(const ThiefPair& pair, bool to_any, u64 length_s) const;

 private:
  std::expected<void, std::string> read_rules_of(const ThiefOptions& options);
  std::expected<ThiefPair, std::string> pair_of(const std::string& from, const std::string& to) const;
  std::expected<void, std::string> place(const std::string& who, bool is_holder, ThiefPair& pair) const;
  void place_segment(u32 segment, bool is_holder, ThiefPair& pair) const;
  std::vector<std::string> holders() const;
  std::vector<std::string> exits(const std::string& holder) const;
  void find_candidates();
  bool holds(u32 asset, u32 segment) const;

  std::unique_ptr<Rules> rules_;  // none of an image
  std::unique_ptr<PolicyFile> image_;
  const PolicyFile* file_ = nullptr;
  std::unique_ptr<control::Bounds> bounds_;
  std::vector<ThiefPair> pairs_;
  std::vector<thief::Door> candidates_;
  mutable std::map<std::tuple<u32, u32, u64>, control::Bytes> known_;  // bounds, by asset, segment (or all) and length
};

}  // namespace weir
