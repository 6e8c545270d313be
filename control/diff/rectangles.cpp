// From a cell that is not covered yet a rectangle grows as far as every cell in it has the first one's services: once
// along its row first, once along its column first, and the one that covers more is taken. Pairs that cannot meet stop
// nothing.
#include "control/diff/rectangles.hpp"

#include <algorithm>

namespace weir::control {

namespace {

struct LineCell {
  u32 at;    // the column, or the row in a list by column
  u32 set;
};

bool holds(std::span<const u64> set, std::span<const u64> part) {
  for (std::size_t i = 0; i < part.size(); ++i)
    if ((part[i] & ~set[i]) != 0) return false;
  return true;
}

}  // namespace

void DifferenceTable::add_row(u32 source, std::span<const Entry> row) {
  if (row.empty()) return;
  const u32 zone = sources_[source];
  const std::optional<u32> sole = space_.sources[zone].sole_port;
  std::vector<u32> key{sole ? *sole + 1 : 0};
  for (const Entry& entry : row) key.insert(key.end(), {entry.target, entry.differing});
  const u32 number = row_keys_.intern(key);
  if (number == rows_.size()) {
    rows_.push_back({{}, sole});
    entries_.emplace_back(row.begin(), row.end());
  }
  rows_[number].zones.push_back(zone);
}

void DifferenceTable::merge_columns() {
  std::vector<std::vector<u32>> keys(targets_.size());
  for (u32 row = 0; row < rows_.size(); ++row)
    for (const Entry& entry : entries_[row])
      keys[entry.target].insert(keys[entry.target].end(), {row, entry.differing});
  Sequences<u32> distinct;
  std::vector<u32> column_of(targets_.size());
  for (u32 target = 0; target < targets_.size(); ++target) {
    if (keys[target].empty()) continue;
    const std::optional<u32> sole = space_.targets[targets_[target]].sole_port;
    keys[target].push_back(sole ? *sole + 1 : 0);
    column_of[target] = distinct.intern(keys[target]);
    if (column_of[target] == columns_.size()) columns_.push_back({{}, sole});
    columns_[column_of[target]].zones.push_back(targets_[target]);
  }
  for (auto& row : entries_) {
    for (Entry& entry : row) entry.target = column_of[entry.target];
    std::ranges::sort(row, {}, &Entry::target);
    const auto alike = std::ranges::unique(row, {}, &Entry::target);
    row.erase(alike.begin(), alike.end());
  }
}

namespace {

// The cells of one change.
class Cover {
 public:
  struct Shape {
    std::vector<u32> rows, columns;  // ascending
    u64 gain = 0;                    // cells that were not covered
  };
  Cover(Sequences<u64>& sets, std::vector<std::optional<u32>> row_ports, std::vector<std::optional<u32>> column_ports)
      : sets_(sets),
        row_ports_(std::move(row_ports)),
        column_ports_(std::move(column_ports)),
        rows_(row_ports_.size()),
        columns_(column_ports_.size()),
        left_(row_ports_.size()) {}

  void add(u32 row, u32 column, u32 set) {
    rows_[row].push_back({column, set});
    columns_[column].push_back({row, set});
    left_[row].push_back(set);
  }

  template <class Found>
  void run(Found found) {
    const u32 none = sets_.intern(std::vector<u64>(rows_.empty() ? 0 : words()));
    none_ = none;
    for (u32 row = 0; row < rows_.size(); ++row)
      for (std::size_t i = 0; i < rows_[row].size(); ++i) {
        if (left_[row][i] == none) continue;
        const u32 set = rows_[row][i].set;
        const Shape wide = grown(row, rows_[row][i].at, set, true), tall = grown(row, rows_[row][i].at, set, false);
        const Shape& best = tall.gain > wide.gain ? tall : wide;
        cover(best, set);
        found(best, set);
      }
  }

 private:
  std::size_t words() const {
    for (const auto& row : rows_)
      if (!row.empty()) return sets_.at(row.front().set).size();
    return 0;
  }
  const LineCell* find(u32 row, u32 column) const {
    const auto at = std::ranges::lower_bound(rows_[row], column, {}, &LineCell::at);
    return at != rows_[row].end() && at->at == column ? &*at : nullptr;
  }
  bool is_void(u32 row, u32 column) const { return row_ports_[row] && row_ports_[row] == column_ports_[column]; }
  bool fits(u32 row, u32 column, u32 set) const {
    if (is_void(row, column)) return true;
    const LineCell* cell = find(row, column);
    return cell != nullptr && (cell->set == set || holds(sets_.at(cell->set), sets_.at(set)));
  }

  // Lines with a cell in `first` that holds the set, then of the other kind all that fit those.
  Shape grown(u32 row, u32 column, u32 set, bool wide) const {
    Shape shape;
    const auto along = [&](const std::vector<LineCell>& cells) {
      std::vector<u32> lines;
      for (const LineCell& cell : cells)
        if (cell.set == set || holds(sets_.at(cell.set), sets_.at(set))) lines.push_back(cell.at);
      return lines;
    };
    const auto fits_all = [&](u32 line, const std::vector<u32>& others, bool is_row) {
      return std::ranges::all_of(others,
                                 [&](u32 other) { return is_row ? fits(line, other, set) : fits(other, line, set); });
    };
    if (wide) {
      shape.columns = along(rows_[row]);
      shape.rows = along(columns_[column]);
      std::erase_if(shape.rows, [&](u32 one) { return !fits_all(one, shape.columns, true); });
    } else {
      shape.rows = along(columns_[column]);
      shape.columns = along(rows_[row]);
      std::erase_if(shape.columns, [&](u32 one) { return !fits_all(one, shape.rows, false); });
    }
    grow_over_voids(shape, set);
    for (const u32 one : shape.rows)
      for (const u32 other : shape.columns) shape.gain += is_left(one, other, set);
    return shape;
  }

  // Rows and columns of single ports, whose cell in the first row or column may be one that is not there.
  void grow_over_voids(Shape& shape, u32 set) const {
    const auto grow = [&](std::vector<u32>& lines, const std::vector<u32>& others, bool is_row) {
      const auto& ports = is_row ? column_ports_ : row_ports_;
      if (std::ranges::none_of(others, [&](u32 one) { return ports[one].has_value(); })) return;
      const u32 count = static_cast<u32>(is_row ? rows_.size() : columns_.size());
      for (u32 line = 0; line < count; ++line) {
        if (std::ranges::binary_search(lines, line)) continue;
        bool fits_all = true, is_real = false;
        for (const u32 other : others) {
          const u32 row = is_row ? line : other, column = is_row ? other : line;
          fits_all = fits_all && fits(row, column, set);
          is_real |= !is_void(row, column);
        }
        if (fits_all && is_real) lines.insert(std::ranges::lower_bound(lines, line), line);
      }
    };
    grow(shape.rows, shape.columns, true);
    grow(shape.columns, shape.rows, false);
  }

  bool is_left(u32 row, u32 column, u32 set) const {
    const LineCell* cell = find(row, column);
    if (cell == nullptr) return false;
    const auto left = sets_.at(left_[row][static_cast<std::size_t>(cell - rows_[row].data())]), of = sets_.at(set);
    for (std::size_t i = 0; i < of.size(); ++i)
      if ((left[i] & of[i]) != 0) return true;
    return false;
  }

  void cover(const Shape& shape, u32 set) {
    std::vector<u64> rest;
    for (const u32 row : shape.rows)
      for (const u32 column : shape.columns) {
        const LineCell* cell = find(row, column);
        if (cell == nullptr) continue;
        u32& left = left_[row][static_cast<std::size_t>(cell - rows_[row].data())];
        if (left == none_) continue;
        const auto now = sets_.at(left), gone = sets_.at(set);
        rest.assign(now.begin(), now.end());
        for (std::size_t i = 0; i < rest.size(); ++i) rest[i] &= ~gone[i];
        left = sets_.intern(rest);
      }
  }

  Sequences<u64>& sets_;
  std::vector<std::optional<u32>> row_ports_, column_ports_;
  std::vector<std::vector<LineCell>> rows_, columns_;  // ascending
  std::vector<std::vector<u32>> left_;              // by row, beside its cells: the services not covered yet
  u32 none_ = 0;
};

}  // namespace

void DifferenceTable::rectangles(const Sequences<SetOfChange>& differing, Sequences<u64>& sets, std::size_t changes,
                                 const Found& found) {
  merge_columns();
  struct ChangedCell {
    u32 row, column, set;
  };
  std::vector<std::vector<ChangedCell>> by_change(changes);
  for (u32 row = 0; row < rows_.size(); ++row)
    for (const Entry& entry : entries_[row])
      for (const SetOfChange& one : differing.at(entry.differing))
        by_change[one.change].push_back({row, entry.target, one.set});
  const auto ports = [](const std::vector<Line>& lines) {
    std::vector<std::optional<u32>> made;
    for (const Line& line : lines) made.push_back(line.sole_port);
    return made;
  };
  const auto zones = [](const std::vector<Line>& lines, const std::vector<u32>& chosen) {
    std::vector<u32> all;
    for (const u32 line : chosen) all.insert(all.end(), lines[line].zones.begin(), lines[line].zones.end());
    std::sort(all.begin(), all.end());
    return all;
  };
  for (u32 change = 0; change < changes; ++change) {
    if (by_change[change].empty()) continue;
    Cover cover(sets, ports(rows_), ports(columns_));
    for (const auto& [row, column, set] : by_change[change]) cover.add(row, column, set);
    cover.run([&](const Cover::Shape& shape, u32 set) {
      found(change, zones(rows_, shape.rows), zones(columns_, shape.columns), set);
    });
  }
}

}  // namespace weir::control
