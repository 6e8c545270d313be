#include "control/publish/sensitive.hpp"

#include "control/bound/bound.hpp"
#include "control/bound/show.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace weir::control {
namespace {

using Texts = std::map<std::string, std::string>;  // what is touched, by where it stands

constexpr std::string_view whole_tables[] = {"policy", "asset", "invariant", "link", "fleet", "port", "delegate"};
constexpr std::string_view guarding[] = {"forbid", "limit", "budget"};
constexpr std::string_view weighty_keys[] = {"mode", "monitor_until", "opaque", "on_match", "breakglass"};
constexpr std::string_view said_to_people[] = {"name", "owner", "why", "ticket"};

template <class Words>
bool is_one_of(std::string_view word, const Words& words) {
  return std::ranges::find(words, word) != std::end(words);
}

// A value as text, the same however it was typed.
std::string plain(const Node& node, bool without_people = false) {
  switch (node.kind) {
    case NodeKind::string: return fmt::format("\"{}\"", node.text);
    case NodeKind::floating: return fmt::format("{:a}", node.floating);
    case NodeKind::table: break;
    case NodeKind::array: {
      std::string text = "[";
      for (const Node& item : node.items) text += plain(item) + ",";
      return text + "]";
    }
    default: return fmt::format("{}:{}{}", static_cast<int>(node.kind), node.integer, node.text);
  }
  std::set<std::string> parts;
  for (const Entry& entry : node.entries)
    if (!without_people || !is_one_of(entry.key, said_to_people))
      parts.insert(fmt::format("{}={}", entry.key, plain(entry.value)));
  return fmt::format("{{{}}}", fmt::join(parts, ","));
}

const Node* named(const Node& table, std::string_view key) {
  for (const Entry& entry : table.entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

std::string name_in(const Node& statement) {
  const Node* const name = named(statement, "name");
  return name == nullptr ? "without a name" : name->text;
}

// Keys that count wherever they stand.
void collect_keys(const Node& node, const std::string& path, Texts& out) {
  for (const Entry& entry : node.entries) {
    const std::string here = path.empty() ? entry.key : path + "." + entry.key;
    if (is_one_of(entry.key, weighty_keys)) out[here] = plain(entry.value);
    collect_keys(entry.value, here, out);
  }
  for (const Node& item : node.items)
    if (item.kind == NodeKind::table) collect_keys(item, fmt::format("{} `{}`", path, name_in(item)), out);
}

struct Collected {
  Texts touched;                              // by where it stands
  std::map<std::string, std::string> guards;  // by what it says: what it is called
};

void collect(const Node& tree, Collected& out) {
  for (const Entry& entry : tree.entries) {
    if (is_one_of(entry.key, whole_tables)) out.touched[fmt::format("[{}]", entry.key)] += plain(entry.value);
    if (is_one_of(entry.key, guarding))
      for (const Node& item : entry.value.items)
        out.guards[entry.key + plain(item, true)] = fmt::format("{} `{}`", entry.key, name_in(item));
    if (entry.key == "inspect")
      for (const Entry& one : entry.value.entries)
        out.guards[fmt::format("inspect {} {}", one.key, plain(one.value, true))] =
            fmt::format("inspection `{}`", one.key);
    if (entry.key == "allow")
      for (const Node& item : entry.value.items)
        if (const Node* const list = named(item, "inspect"))
          out.touched[fmt::format("inspect of allow `{}`", name_in(item))] += plain(*list);
    if (entry.key == "segment")
      for (const Entry& one : entry.value.entries)
        for (const std::string_view key : {"class", "attach"})
          if (const Node* const value = named(one.value, key))
            out.touched[fmt::format("{} of segment `{}`", key, one.key)] += plain(*value);
  }
  collect_keys(tree, "", out.touched);
}

Collected collected(const Bundle& bundle) {
  Collected out;
  const Loaded loaded = load(bundle);
  for (const Document& document : loaded.documents) collect(document.tree, out);
  return out;
}

std::optional<u32> segment_named(const Model& model, std::string_view name) {
  for (u32 i = 0; i < model.segments.size(); ++i)
    if (model.segments[i].name == name) return i;
  return std::nullopt;
}

// `model` with one asset, that of another model. Holders that it does not know are told.
struct Held {
  Model model;
  bool is_whole = true;  // knows every holder
};
Held with_asset(const Model& model, const Asset& asset, const Model& home) {
  Held held{model, true};
  Asset moved = asset;
  moved.held.clear();
  for (const u32 holder : asset.held) {
    const auto found = segment_named(model, home.segments[holder].name);
    if (found) moved.held.push_back(*found);
    held.is_whole = held.is_whole && found.has_value();
  }
  std::ranges::sort(moved.held);
  held.model.assets = {moved};
  held.model.invariants.clear();
  return held;
}

u64 rank(const Shortest& time) { return time.never ? ~u64{0} : time.beyond ? ~u64{0} - 1 : time.seconds; }

void compare(const Asset& asset, const Model& before, const Model& after, const Model& home, std::int64_t now_s,
             std::vector<std::string>& out) {
  const Held old_one = with_asset(before, asset, home), new_one = with_asset(after, asset, home);
  if (!new_one.is_whole && old_one.is_whole)
    out.push_back(fmt::format("a holder of asset `{}` is no segment any more", asset.name));
  if (new_one.model.assets[0].held.empty()) return;
  const Bounds new_bounds(new_one.model, now_s);
  if (new_bounds.is_off()) return out.push_back("nothing is denied any more (monitor mode)");
  const Passage now = new_bounds.whole(0);
  Passage was{};
  was.raw.never = was.sixteen.never = was.compressed.never = true;
  if (!old_one.model.assets[0].held.empty()) {
    const Bounds old_bounds(old_one.model, now_s);
    if (old_bounds.is_off()) return;
    was = old_bounds.whole(0);
  }
  constexpr std::string_view horizons[] = {"in 1 h", "in 1 d", "in 30 d", "ever"};
  for (std::size_t i = 0; i < now.most.size(); ++i)
    if (now.most[i].bytes > was.most[i].bytes)
      out.push_back(fmt::format("of asset `{}` more can leave {}: {} instead of {}", asset.name, horizons[i],
                                show_bytes(now.most[i].bytes), show_bytes(was.most[i].bytes)));
  if (rank(now.raw) < rank(was.raw) || rank(now.sixteen) < rank(was.sixteen) ||
      rank(now.compressed) < rank(was.compressed))
    out.push_back(fmt::format("a copy of asset `{}` can be gone sooner: {} instead of {}", asset.name,
                              show_time(now.raw), show_time(was.raw)));
}

}  // namespace

std::vector<std::string> raised_bounds(const Model& before, const Model& after, std::int64_t now_s) {
  std::vector<std::string> out;
  for (const Asset& asset : before.assets) compare(asset, before, after, before, now_s, out);
  for (const Asset& asset : after.assets) compare(asset, before, after, after, now_s, out);
  std::set<std::string> seen;
  std::erase_if(out, [&](const std::string& sentence) { return !seen.insert(sentence).second; });
  return out;
}

std::vector<std::string> touched(const Bundle& before, const Bundle& after) {
  const Collected was = collected(before), now = collected(after);
  std::set<std::string> out;
  for (const auto& [where, text] : was.touched)
    if (const auto found = now.touched.find(where); found == now.touched.end() || found->second != text)
      out.insert(fmt::format("it touches {}", where));
  for (const auto& [where, text] : now.touched)
    if (!was.touched.contains(where)) out.insert(fmt::format("it touches {}", where));
  for (const auto& [text, name] : was.guards)
    if (!now.guards.contains(text)) out.insert(fmt::format("it removes or changes {}", name));
  return {out.begin(), out.end()};
}

std::vector<std::string> forbids_undone(const Diff& diff, const Sides& sides) {
  std::set<std::string> out;
  for (const DiffEntry& entry : diff.entries) {
    if (entry.kind != ChangeKind::newly_allowed) continue;
    for (const u32 index : entry.statements[old_policy]) {
      const Statement& statement = sides[old_policy].model.statements[index];
      if (statement.is_forbid)
        out.insert(fmt::format("it lets traffic through that forbid `{}` held back", statement.name));
    }
  }
  return {out.begin(), out.end()};
}

}  // namespace weir::control
