// Where two policies differ, exactly: each change with the rectangles (source zones x target zones x services) that
// together hold all packets it befalls and no other. Rectangles are maximal and may overlap.
#pragma once
#include "control/diff/fate.hpp"

#include <vector>

namespace weir::control {

enum class ChangeKind : u8 { newly_allowed, newly_denied, treated_otherwise };

// Two fates' difference. All that is newly allowed is one change, and all that is newly denied; what stays allowed or
// stays denied is one change for each pair of fates.
struct Change {
  ChangeKind kind;
  std::array<u32, 2> fates;  // of Fates; of treated_otherwise only
};

struct Rectangle {
  u32 change;                         // of Regions::changes
  u32 domain;
  bool is_ipv4;
  std::vector<u32> sources, targets;  // zones, ascending
  std::vector<u32> services;          // ascending
};

struct Regions {
  std::vector<Change> changes;
  std::vector<Rectangle> rectangles;  // by domain, family and change
};

// Rules that both policies have, whatever their names: same kind, zones, services and treatment, in the same order.
// Where no other rule covers a packet and its source is treated alike, nothing differs.
struct SameRules {
  struct Pair {
    u32 old_rule, new_rule;
  };
  std::vector<Pair> pairs;     // both ascending
  std::vector<bool> is_same;   // by rule
};
SameRules same_rules(const JointSpace& space);

// Cost: for each source zone, its rules that are not the same in both policies times their target zones; then about a
// step for each pair of zones that differs, and superset tests of service sets for each rectangle.
Regions find_regions(const JointSpace& space, const SameRules& same, Fates& fates);

// A packet's two sides that cannot meet though family and domain are the same: both on one port.
inline bool never_meet(const JointZone& source, const JointZone& target) {
  return source.sole_port && source.sole_port == target.sole_port;
}

}  // namespace weir::control
