// Tables of each file against the table of keys. Values are judged in values.cpp.
#include "control/check/shape.hpp"

#include "control/check/names.hpp"
#include "control/check/values.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <map>

namespace weir::control {
namespace {

class ShapeCheck {
 public:
  ShapeCheck(const Loaded& loaded, Purpose purpose, Diagnostics& out)
      : loaded_(loaded), purpose_(purpose), out_(out) {}

  void document(const Document& document) {
    root_ = document.is_root;
    misplaced_version_ = false;
    for (const Entry& entry : document.tree.entries) {
      const TableRow* table = find_table(entry.key);
      if (table != nullptr && table->shape != Shape::inner) top_table(*table, entry);
      else if (const KeyRow* key = find_key("", entry.key)) top_key(*key, entry);
      else unknown_top(entry);
    }
    if (root_ && document.tree.find("version") == nullptr && !misplaced_version_)
      out_.add("E0104", {document.file, 0, 0}, "the root file does not say `version`", "it belongs at the top")
          .helped("add a first line: version = 1");
  }

  // A word that is not enforced is told once, with how often it stands.
  void count_read() {
    for (const auto& [word, told] : read_)
      if (told.second > 1)
        out_.all[told.first].note(fmt::format("and {} more such place{}", told.second - 1, told.second > 2 ? "s" : ""));
  }

 private:
  void top_key(const KeyRow& row, const Entry& entry) {
    if (entry.key == "include" && !root_) return only_root("include", entry.key_span);
    check_value(row, entry, loaded_.sources, out_);
    if (entry.key == "version" && entry.value.kind == NodeKind::integer && entry.value.integer != 1)
      out_.add("E0109", entry.value.span,
               fmt::format("version {} of the rule language is not known", entry.value.integer),
               "this program knows version 1")
          .helped("version = 1");
  }

  void unknown_top(const Entry& entry) {
    std::vector<std::string_view> known = {"version", "include"};
    for (const TableRow& table : table_rows())
      if (table.shape != Shape::inner) known.push_back(table.name);
    auto& made = out_.add("E0102", entry.key_span, fmt::format("`{}` is no part of the rule language", entry.key),
                          "not a table or key");
    if (const std::string meant = nearest(entry.key, known); !meant.empty()) {
      made.helped(fmt::format("did you mean `{}`?", meant));
    } else {
      made.note(fmt::format("the language has {}", listing(known, known.size())));
    }
  }

  void only_root(std::string_view what, Span span) {
    out_.add("E0108", span, fmt::format("`{}` may stand only in the root file", what), "not in an included file")
        .helped(fmt::format("move it to {}", loaded_.sources.files[loaded_.documents.front().file].name));
  }

  void top_table(const TableRow& row, const Entry& entry) {
    if (row.root_only && !root_) only_root(written(row, ""), entry.key_span);
    const Node& node = entry.value;
    if (row.shape == Shape::array) {
      if (node.kind != NodeKind::array) return wrong_shape(row, entry);
      for (const Node& item : node.items) {
        if (item.kind != NodeKind::table) return wrong_shape(row, entry);
        declared(row, "", item.span);
        check_table(row, item, "", item.span, !row.enforced);
      }
      return;
    }
    if (node.kind != NodeKind::table) return wrong_shape(row, entry);
    if (row.shape == Shape::single) {
      declared(row, "", node.has_header ? node.span : entry.key_span);
      return check_table(row, node, "", node.span, !row.enforced);
    }
    for (const Entry& child : node.entries) named(row, child);
  }

  void named(const TableRow& row, const Entry& child) {
    if (child.value.kind != NodeKind::table) {
      auto& made = out_.add("E0103", child.key_span, fmt::format("`{}` in {} is not a table", child.key, row.name),
                            fmt::format("{} needs a name here", row.name));
      if (find_key(row.name, child.key) != nullptr) made.helped(fmt::format("give it a name: [{}.NAME]", row.name));
      return;
    }
    const bool is_port = row.name == "port";
    if (is_port ? !is_port_name(child.key) : !is_name(child.key)) {
      auto& made = out_.add("E0204", child.key_span, fmt::format("`{}` is not a name", child.key), "");
      made.note(is_port ? "a port's name is printable, without blanks and `*`"
                        : "a name has lower-case letters, digits and dashes, begins with a letter, and is at most 63 "
                          "characters long");
      if (const std::string like = name_like(child.key); !is_port && is_name(like))
        made.helped(fmt::format("[{}.{}]", row.name, like));
    }
    declared(row, child.key, child.value.has_header ? child.value.span : child.key_span);
    check_table(row, child.value, child.key, child.key_span, !row.enforced);
  }

  // What is known and not enforced, as a person wrote it; the word itself without `what`.
  void not_enforced(std::string_view word, std::string_view what, Span span) {
    const std::string_view shown = what.empty() ? word : what;
    if (purpose_ == Purpose::enforce || !is_read(word)) {
      out_.add("E0110", span,
               fmt::format("`{}` is part of the language but not yet enforced by this version; a policy that declares "
                           "it is refused",
                           shown),
               "declared here");
      return;
    }
    auto& [first, count] = read_.try_emplace(std::string(word), out_.all.size(), 0).first->second;
    if (++count == 1)
      out_.add("W0110", span,
               fmt::format("`{}` is not yet enforced by this version: the policy is judged, but cannot be compiled",
                           shown),
               "declared here");
  }

  // A table that is known and not enforced.
  void declared(const TableRow& row, std::string_view name, Span span) {
    if (!row.enforced) not_enforced(row.name, written(row, name), span);
  }

  void wrong_shape(const TableRow& row, const Entry& entry) {
    const std::string right = written(row, row.shape == Shape::named ? "NAME" : "");
    out_.add("E0103", entry.value.span, fmt::format("`{}` is not written this way", entry.key),
             fmt::format("should be {}", right))
        .helped(fmt::format("write {}", right));
  }

  void check_table(const TableRow& row, const Node& node, std::string_view name, Span place, bool refused) {
    std::vector<std::string> meant;  // keys that a misspelt one stands for: not missing as well
    for (const Entry& entry : node.entries) {
      const KeyRow* key = find_key(row.name, entry.key);
      if (key == nullptr) {
        meant.push_back(unknown_key(row, node, name, entry));
        continue;
      }
      if (!key->enforced && !refused) not_enforced(fmt::format("{}.{}", row.name, key->key), "", entry.key_span);
      if (entry.key == "mode" && !root_) only_root("mode", entry.key_span);
      check_value(*key, entry, loaded_.sources, out_);
      if (!refused) deferred_words(row, *key, entry.value);
      inner_tables(row, *key, entry.value, refused);
    }
    for (const KeyRow& key : key_rows())
      if (key.required && key.table == row.name && node.find(key.key) == nullptr &&
          std::ranges::find(meant, key.key) == meant.end())
        out_.add("E0104", place, fmt::format("{} lacks `{}`", written(row, name), key.key),
                 fmt::format("`{}` is required", key.key))
            .helped(fmt::format("add {} = {}", key.key, control::row(key.type).example));
  }

  // Words of a key that are known and not enforced.
  void deferred_words(const TableRow& row, const KeyRow& key, const Node& value) {
    const auto look = [&](const Node& word) {
      if (word.kind == NodeKind::string && is_choice(key.deferred, word.text))
        not_enforced(fmt::format("{}.{}", row.name, key.key),
                     fmt::format("{}.{} = \"{}\"", row.name, key.key, word.text), word.span);
    };
    look(value);
    for (const Node& item : value.items) look(item);
  }

  void inner_tables(const TableRow& row, const KeyRow& key, const Node& value, bool refused) {
    const TableRow* inner = find_table(fmt::format("{}.{}", row.name, key.key));
    if (inner == nullptr) return;
    if (value.kind == NodeKind::table) check_table(*inner, value, "", value.span, refused);
    if (value.kind == NodeKind::array)
      for (const Node& item : value.items)
        if (item.kind == NodeKind::table) check_table(*inner, item, "", item.span, refused);
  }

  // Keys after a header join that table silently: the likeliest reason why a top key is unknown here. Returns the key
  // that was probably meant, or "".
  std::string unknown_key(const TableRow& row, const Node& node, std::string_view name, const Entry& entry) {
    const std::string table = written(row, name);
    auto& made = out_.add("E0102", entry.key_span, fmt::format("{} has no key `{}`", table, entry.key),
                          fmt::format("not a key of {}", table));
    const bool is_top = find_key("", entry.key) != nullptr;
    if (node.has_header && is_top) {
      made.with(node.span, "this header begins the table");
      made.note(fmt::format("keys below a header belong to it until the next header, so this is `{}.{}`", row.name,
                            entry.key));
      made.helped(fmt::format("move `{}` above the first header of the file", entry.key));
      if (entry.key == "version") misplaced_version_ = true;
      return "";
    }
    std::vector<std::string_view> known;
    for (const KeyRow& key : key_rows())
      if (key.table == row.name) known.push_back(key.key);
    if (const std::string meant = nearest(entry.key, known); !meant.empty()) {
      made.helped(fmt::format("did you mean `{}`?", meant));
      return meant;
    }
    std::string others;
    for (const TableRow& one : table_rows())
      if (find_key(one.name, entry.key) != nullptr) others += (others.empty() ? "" : ", ") + written(one, "NAME");
    if (!others.empty()) made.note(fmt::format("`{}` is a key of {}", entry.key, others));
    else made.note(fmt::format("{} has {}", table, listing(known, known.size())));
    return "";
  }

  const Loaded& loaded_;
  Purpose purpose_;
  Diagnostics& out_;
  std::map<std::string, std::pair<std::size_t, std::size_t>> read_;  // by word: its W0110, and how often it stands
  bool root_ = false;
  bool misplaced_version_ = false;
};

}  // namespace

std::string written(const TableRow& row, std::string_view name) {
  if (row.shape == Shape::array) return fmt::format("[[{}]]", row.name);
  if (row.shape == Shape::inner) return fmt::format("`{}`", row.name);
  return row.shape == Shape::named && !name.empty() ? fmt::format("[{}.{}]", row.name, name)
                                                    : fmt::format("[{}]", row.name);
}

void check_shape(const Loaded& loaded, Purpose purpose, Diagnostics& out) {
  ShapeCheck check(loaded, purpose, out);
  for (const Document& document : loaded.documents) check.document(document);
  check.count_read();
}

}  // namespace weir::control
