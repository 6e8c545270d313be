// Each complaint shows the value rewritten as it should stand.
#include "control/check/values.hpp"

#include "control/check/names.hpp"
#include "control/check/quantity.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

bool all_are(const Node& node, NodeKind kind) {
  return std::ranges::all_of(node.items, [&](const Node& item) { return item.kind == kind; });
}

bool fits(KeyType type, const Node& node) {
  const auto items = [&](auto... kinds) {
    return node.kind == NodeKind::array &&
           std::ranges::all_of(node.items, [&](const Node& item) { return ((item.kind == kinds) || ...); });
  };
  switch (type) {
    case KeyType::boolean: return node.kind == NodeKind::boolean;
    case KeyType::integer: return node.kind == NodeKind::integer;
    case KeyType::number: return node.kind == NodeKind::integer || node.kind == NodeKind::floating;
    case KeyType::integers: return items(NodeKind::integer);
    case KeyType::date: return node.kind == NodeKind::date;
    case KeyType::names:
    case KeyType::macs:
    case KeyType::address: return node.kind == NodeKind::string || items(NodeKind::string);
    case KeyType::texts: return items(NodeKind::string);
    case KeyType::protocols:
      if (node.kind == NodeKind::string) return true;
      [[fallthrough]];
    case KeyType::ports:
    case KeyType::icmp: return items(NodeKind::string, NodeKind::integer);
    case KeyType::table:
    case KeyType::map: return node.kind == NodeKind::table;
    case KeyType::tables: return node.kind == NodeKind::array && all_are(node, NodeKind::table);
    default: return node.kind == NodeKind::string;
  }
}

bool takes_list(KeyType type) { return row(type).example.starts_with('['); }

void wrong_kind(const KeyRow& key, const Entry& entry, const Sources& sources, Diagnostics& out) {
  const KeyTypeRow& type = row(key.type);
  const Node& node = entry.value;
  const bool listed = node.kind == NodeKind::array && takes_list(key.type);
  const auto odd = std::ranges::find_if(node.items, [&](const Node& item) {
    Node alone;
    alone.kind = NodeKind::array;
    alone.items.push_back(item);
    return !fits(key.type, alone);
  });
  const Node& blamed = listed && odd != node.items.end() ? *odd : node;
  auto& made =
      out.add("E0103", blamed.span, fmt::format("`{}` takes {}, not {}", key.key, type.shown, kind_name(blamed.kind)),
              fmt::format("should be {}", type.shown));
  const std::string_view value = sources.slice(node.span);
  if (takes_list(key.type) && (node.kind == NodeKind::string || node.kind == NodeKind::integer))
    made.helped(fmt::format("{} = [{}]", key.key, value));
  else if (key.type == KeyType::date && node.kind == NodeKind::string)
    made.helped(fmt::format("a date stands without quotes: {} = {}", key.key, node.text));
  else made.helped(fmt::format("for example {} = {}", key.key, type.example));
}

void wrong_quantity(const KeyRow& key, const Entry& entry, const Sources& sources, Diagnostics& out) {
  const Node& node = entry.value;
  const bool is_number = node.kind == NodeKind::integer || node.kind == NodeKind::floating;
  const std::string text = is_number ? std::string(sources.slice(node.span)) : node.text;
  const Quantity quantity = parse_quantity(key.type, text);
  if (quantity.fault == QuantityFault::none && !is_number) return;
  if (quantity.fault == QuantityFault::no_unit)
    out.add("E0401", node.span, fmt::format("`{}` has no unit", key.key), fmt::format("{} of what?", text))
        .note(fmt::format("the units are {}", units_of(key.type)))
        .helped(fmt::format("{} = \"{}{}\"", key.key, text, usual_unit(key.type)));
  else if (quantity.fault == QuantityFault::unknown_unit)
    out.add("E0402", node.span, fmt::format("`{}` is not a unit of `{}`", quantity.unit, key.key), "unknown unit")
        .note(fmt::format("the units are {}", units_of(key.type)))
        .helped(fmt::format("for example {} = {}", key.key, row(key.type).example));
  else if (quantity.fault == QuantityFault::too_large)
    out.add("E0402", node.span, fmt::format("`{}` is too large", key.key), "more than can be counted");
  else
    out.add("E0402", node.span, fmt::format("`{}` is not {}", text, row(key.type).shown), "no number")
        .helped(fmt::format("for example {} = {}", key.key, row(key.type).example));
}

void wrong_choice(const KeyRow& key, const Entry& entry, Diagnostics& out) {
  std::vector<std::string_view> known;
  for (std::size_t begin = 0; begin <= key.choices.size();) {
    const std::size_t end = std::min(key.choices.find('|', begin), key.choices.size());
    known.push_back(key.choices.substr(begin, end - begin));
    begin = end + 1;
  }
  auto& made = out.add("E0112", entry.value.span, fmt::format("`{}` cannot be \"{}\"", key.key, entry.value.text),
                       fmt::format("one of {}", listing(known, known.size())));
  if (const std::string meant = nearest(entry.value.text, known); !meant.empty())
    made.helped(fmt::format("did you mean {} = \"{}\"?", key.key, meant));
}

}  // namespace

void check_value(const KeyRow& key, const Entry& entry, const Sources& sources, Diagnostics& out) {
  const Node& node = entry.value;
  const bool is_number = node.kind == NodeKind::integer || node.kind == NodeKind::floating;
  if (is_quantity(key.type) && (is_number || node.kind == NodeKind::string))
    return wrong_quantity(key, entry, sources, out);
  if (!fits(key.type, node)) return wrong_kind(key, entry, sources, out);
  if (key.type == KeyType::choice && !is_choice(key.choices, node.text)) return wrong_choice(key, entry, out);
  if (node.kind == NodeKind::integer && node.integer < 0)
    out.add("E0112", node.span, fmt::format("`{}` cannot be negative", key.key), "below zero");
  const bool must_hold = key.type != KeyType::table && key.type != KeyType::map && key.key != "include" &&
                         key.key != "require" && key.key != "except" && key.key != "allow" && key.key != "deny";
  const bool none =
      node.kind == NodeKind::array ? node.items.empty() : node.kind == NodeKind::string && node.text.empty();
  if (none && must_hold && key.type != KeyType::text)
    out.add("E0207", node.span, fmt::format("`{}` is empty", key.key), "names nothing")
        .note("an empty list would silently mean nobody; to take a statement away, delete it");
}

bool is_port_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7f && c != '*' && c != '"' && c != '\'' && c != '=' && c != ',';
  });
}

}  // namespace weir::control
