// The one table of the rule language's tables and keys: what each is called, holds, means, whether it must be there,
// and whether this version enforces it. The validator, docs/rules.md and the JSON Schema all come from it.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace weir::control {

enum class KeyType : std::uint8_t {
  boolean,
  integer,
  number,
  integers,
  date,
  text,
  choice,
  name,        // one segment, group, list, asset or inspection
  names,       // one name or several
  texts,       // several texts
  address,     // one prefix or several
  ports,       // integers and "a-b"
  icmp,        // "echo", "8", "8/0"
  protocols,   // "esp" or 50
  macs,
  size,
  rate,
  frequency,
  duration,
  percent,
  at_least,    // a duration
  table,       // an inline table or sub-table with rows of its own, `table` + "." + `key`
  tables,      // an array of such tables
  map,         // a table whose keys the writer chooses
};

struct KeyTypeRow {
  std::string_view shown;    // "a size with its unit"
  std::string_view example;  // the literal that help shows
};
const KeyTypeRow& row(KeyType type);

enum class Shape : std::uint8_t {
  single,  // [policy]
  named,   // [segment.NAME]
  array,   // [[allow]]
  inner,   // inside another table
};

struct TableRow {
  std::string_view name;   // "segment"; inner tables "invariant.never"
  Shape shape;
  bool root_only;          // may stand in the root file alone
  bool enforced;           // false: a policy that declares it is refused (E0110)
  std::string_view doc;
};

struct KeyRow {
  std::string_view table;  // "" for the top of a file
  std::string_view key;
  KeyType type;
  bool required;
  bool enforced;
  std::string_view choices;   // of KeyType::choice: "a|b"
  std::string_view deferred;  // those choices that are not yet enforced
  std::string_view doc;
};

std::span<const TableRow> table_rows();
std::span<const KeyRow> key_rows();

const TableRow* find_table(std::string_view name);
const KeyRow* find_key(std::string_view table, std::string_view key);

// What a policy is checked for: `enforce`, to be compiled for a dataplane; `read`, to be judged and compared.
enum class Purpose : std::uint8_t { enforce, read };
// Whether a word that is not enforced ("inspect", "service.rdma") may stay in a policy that is only read: the model has
// its meaning, or leaving it out makes every bound larger and never smaller.
bool is_read(std::string_view word);

// Whether `value` is one of "a|b|c".
bool is_choice(std::string_view choices, std::string_view value);

}  // namespace weir::control
