// A table of what differs by source and target, cut into few maximal rectangles. It knows sets of services as bits and
// nothing of rules.
#pragma once
#include "control/compile/sequences.hpp"
#include "control/diff/space.hpp"

#include <functional>
#include <vector>

namespace weir::control {

// The services, as a number of a set of bits, that a change befalls for one pair.
struct SetOfChange {
  u32 change, set;
};

// Rows are sources, columns are targets, by their places in the lists given. Rows that are alike become one, and so do
// columns. Invariants: entries of a row ascend by target. Threads: one.
class DifferenceTable {
 public:
  struct Entry {
    u32 target;
    u32 differing;  // a number of a sequence of SetOfChange; never the empty one
  };
  DifferenceTable(const JointSpace& space, const std::vector<u32>& sources, const std::vector<u32>& targets)
      : space_(space), sources_(sources), targets_(targets) {}

  void add_row(u32 source, std::span<const Entry> row);

  // Services of a space in 64-bit words.
  static std::size_t words_of(const JointSpace& space) { return (space.points.size() + 63) / 64; }

  // Calls found(change, source zones, target zones, set) by ascending change until all is covered. New sets are added.
  using Found = std::function<void(u32 change, std::vector<u32> sources, std::vector<u32> targets, u32 set)>;
  void rectangles(const Sequences<SetOfChange>& differing, Sequences<u64>& sets, std::size_t changes,
                  const Found& found);

 private:
  struct Line {  // rows or columns that are alike
    std::vector<u32> zones;  // of the space
    std::optional<u32> sole_port;
  };
  void merge_columns();

  const JointSpace& space_;
  const std::vector<u32>&sources_, &targets_;
  Sequences<u32> row_keys_;
  std::vector<Line> rows_, columns_;
  std::vector<std::vector<Entry>> entries_;  // by row; after merge_columns() by column instead of target
};

}  // namespace weir::control
