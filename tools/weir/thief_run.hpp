// The ways of tools/thief through the engine, one at a time: each in a replay of its own, with flows, accounts and
// limits that have seen nothing, as `weir replay` would judge its capture. It counts what came out on the other side,
// and by which reason the rest did not; whether that is too much is others' affair.
#pragma once
#include "dataplane/packet/reason.hpp"
#include "tools/thief/ways.hpp"
#include "tools/weir/policy_file.hpp"

#include <expected>
#include <map>
#include <string>

namespace weir {

struct WayResult {
  u64 tried = 0, passed = 0;  // frames of the holder that carry weights
  u64 left_bytes = 0;  // of all frames of the holder's side that went on, and of answers to the accomplice
  u64 stolen_bytes = 0;  // of weights in them
  u64 answered = 0;              // SYNs that a SYN proxy answered in the other end's place
  std::map<Reason, u64> caught;  // frames that carry weights and did not go on, or were written over
};

class ThiefRun {
 public:
  // `policy` outlives the run; the names are those of the ports, for `attach`. With `directory`, every way leaves its
  // two captures there, numbered.
  ThiefRun(const Policy& policy, std::array<std::string, 2> port_names, std::string directory)
      : policy_(policy), port_names_(std::move(port_names)), directory_(std::move(directory)) {}

  // The services that let a first packet through, of those that are tried.
  std::expected<std::vector<thief::Door>, std::string> find_doors(const thief::Scene& scene,
                                                                  std::span<const thief::Door> tried);
  std::expected<WayResult, std::string> run(const thief::Scene& scene, const thief::Way& way);

 private:
  using Act = std::function<void(thief::Script&)>;
  std::expected<WayResult, std::string> play(u64 bytes, const Act& act, const std::string& name);

  const Policy& policy_;
  std::array<std::string, 2> port_names_;
  std::string directory_;
  u32 written_ = 0;
};

}  // namespace weir
