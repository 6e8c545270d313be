// A rule file as a tree that knows where everything was written. Keys are in the order of std::map, so that nothing
// downstream depends on how a file was typed. No TOML types, no meaning.
#pragma once
#include "control/model/model.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::control {

enum class NodeKind : std::uint8_t { table, array, string, integer, floating, boolean, date, other_time };

struct Entry;

struct Node {
  NodeKind kind = NodeKind::table;
  Span span;                      // the value; of a table under a header, the header `[...]`
  bool has_header = false;        // table: written as [header] or [[header]], so that later keys joined it
  std::string text;               // string
  std::int64_t integer = 0;       // integer; boolean as 0 and 1; date as days since 1970-01-01
  double floating = 0;            // floating; may be infinite or no number
  std::vector<Entry> entries;     // table
  std::vector<Node> items;        // array

  const Entry* find(std::string_view key) const;
};

struct Entry {
  std::string key;
  Span key_span;
  Node value;
};

// "a string", "a table", ...: what a reader would call it.
std::string_view kind_name(NodeKind kind);

}  // namespace weir::control
