// What a policy says about its assets: how much can leave, how fast a copy can be gone, and which statements decide.
// Every figure errs upward in bytes and downward in time; what none of them covers is listed with them.
#pragma once
#include "control/bound/solve.hpp"
#include "control/model/diagnostic.hpp"

#include <array>
#include <memory>
#include <string>

namespace weir::control {

// Holders times segments: above this, holders are not asked one by one; all of them together bound each.
inline constexpr std::size_t pairs_max = 256;

inline constexpr std::array<u64, 4> horizons_s{3'600, 86'400, 30 * 86'400, ever};

// From one or all holders to one or all exits.
struct Passage {
  std::optional<u32> holder;              // segment; none: all that hold the asset
  std::optional<u32> exit;                // segment; none: all exits
  bool nobody = false;                    // the exit is what lies in no segment
  std::array<Most, 4> most;               // by horizons_s
  Shortest raw, sixteen, compressed;      // one copy as it is, at 16:1, at the asset's compression
  std::vector<Part> deciding;             // of the time for one copy raw, or of a day where there is none
};

struct AssetBound {
  u32 asset = 0;                          // of Model::assets
  Passage whole;                          // all holders, all exits
  std::vector<Passage> exits;             // all holders, each exit that any bytes reach
  std::vector<Passage> pairs;             // each holder alone to each; empty with one holder or above pairs_max
  std::vector<u32> closed;                // exits that nothing reaches
};

struct BoundOptions {
  std::vector<u32> to;                    // further exits: segments
  std::int64_t now_s = 0;
};

// Of every asset, or of the one that is named. Breakglass allows count as open, all of them at once: opening one raises
// no figure.
class Bounds {
 public:
  Bounds(const Model& model, std::int64_t now_s);

  AssetBound of(u32 asset, const std::vector<u32>& also_to) const;
  // All holders to all exits.
  Passage whole(u32 asset, const std::vector<u32>& also_to = {}) const;
  // All holders to these exits; all of a lower class without any.
  Ends ends(u32 asset, const std::optional<std::vector<u32>>& to) const;

  const Network& network() const { return network_; }
  // As it was given, but with every breakglass allow among the statements.
  const Model& model() const { return model_; }
  // Nothing is denied: no figure holds.
  bool is_off() const { return model_.monitor && !model_.monitor_until_s; }
  Most most(const Ends& ends, u64 length_s) const;
  Shortest time(const Ends& ends, Bytes bytes) const;

  // "budget `answers`"; where it stands.
  std::string name(const Account& account) const;
  Span span(const Account& account) const;
  // What the figures take for granted, as sentences.
  std::vector<std::string> assumptions() const;

 private:
  bool holds(u32 place, u32 asset) const;
  Ends from_holders(u32 asset, std::optional<u32> holder) const;
  Ends all_exits(u32 asset, const std::vector<u32>& also_to) const;
  void mark_lower(u32 asset, std::optional<u32> holder, Ends& ends) const;
  void mark(u32 segment, u32 asset, Ends& ends) const;
  Passage passage(u32 asset, const Ends& ends) const;

  const std::unique_ptr<const Model> opened_;  // where it has breakglass allows
  const Model& model_;
  Network network_;
};

// Size of a copy at this compression, in thousandths; rounded up.
Bytes copy_bytes(const Asset& asset, u32 ratio_thousandths);

// [[invariant]] with at_least or at_most: each that fails is E0506 in `out`, with the exits that decide. Returns how
// many hold. The policy's tests and `never` are others' affair.
std::size_t check_bounds(const Model& model, std::int64_t now_s, Diagnostics& out);

}  // namespace weir::control
