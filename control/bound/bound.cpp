// Questions to the network: which places hold, which are exits, and the same few figures for each.
#include "control/bound/bound.hpp"

#include "control/model/breakglass.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {

Bounds::Bounds(const Model& model, std::int64_t now_s)
    : opened_(model.breakglass.empty() ? nullptr : std::make_unique<const Model>(all_open(model))),
      model_(opened_ == nullptr ? model : *opened_),
      network_(make_network(model_, now_s)) {}

Bytes copy_bytes(const Asset& asset, u32 ratio_thousandths) {
  const u64 ratio = std::max<u32>(ratio_thousandths, 1);
  return (Bytes{asset.bytes} * 1'000 + ratio - 1) / ratio;
}

bool Bounds::holds(u32 place, u32 asset) const {
  const std::vector<u32>& held = model_.assets[asset].held;
  return meets(network_.places.all[place].as_source, held) || meets(network_.places.all[place].as_target, held);
}

Ends Bounds::from_holders(u32 asset, std::optional<u32> holder) const {
  Ends ends{std::vector<bool>(network_.nodes), std::vector<bool>(network_.nodes)};
  for (const u32 segment : model_.assets[asset].held)
    if (!holder || *holder == segment)
      for (const u32 place : network_.places.of_segment[segment]) ends.from[place] = true;
  return ends;
}

// Where the asset is held already nothing leaves to.
void Bounds::mark(u32 segment, u32 asset, Ends& ends) const {
  for (const u32 place : network_.places.of_segment[segment])
    if (!holds(place, asset)) ends.to[place] = true;
}

void Bounds::mark_lower(u32 asset, std::optional<u32> holder, Ends& ends) const {
  Class highest = Class::public_;
  for (u32 place = 0; place < network_.places.all.size(); ++place)
    if (holder ? ends.from[place] : holds(place, asset))
      highest = std::max(highest, class_as_source(model_, network_.places.all[place]));
  const bool classes = has_classes(model_);
  for (u32 place = 0; place < network_.places.all.size(); ++place)
    if (!holds(place, asset) && (!classes || class_as_target(model_, network_.places.all[place]) < highest))
      ends.to[place] = true;
}

Ends Bounds::ends(u32 asset, const std::optional<std::vector<u32>>& to) const {
  Ends ends = from_holders(asset, std::nullopt);
  if (!to) mark_lower(asset, std::nullopt, ends);
  else
    for (const u32 segment : *to) mark(segment, asset, ends);
  return ends;
}

Most Bounds::most(const Ends& ends, u64 length_s) const {
  if (is_off()) return {unlimited, {}, {}};
  return most_between(network_, ends, length_s);
}

Shortest Bounds::time(const Ends& ends, Bytes bytes) const {
  if (is_off()) return {};
  return shortest_time(network_, ends, bytes);
}

Passage Bounds::passage(u32 asset, const Ends& ends) const {
  const Asset& held = model_.assets[asset];
  Passage made;
  for (std::size_t i = 0; i < horizons_s.size(); ++i) made.most[i] = most(ends, horizons_s[i]);
  made.raw = time(ends, copy_bytes(held, 1'000));
  made.sixteen = time(ends, copy_bytes(held, 16'000));
  made.compressed = time(ends, copy_bytes(held, held.compression_thousandths));
  const bool timed = !made.raw.never && !made.raw.beyond && made.raw.seconds > 0;
  made.deciding = timed ? most(ends, made.raw.seconds).parts : made.most[1].parts;
  return made;
}

Ends Bounds::all_exits(u32 asset, const std::vector<u32>& also_to) const {
  Ends all = ends(asset, std::nullopt);
  for (const u32 segment : also_to) mark(segment, asset, all);
  return all;
}

Passage Bounds::whole(u32 asset, const std::vector<u32>& also_to) const {
  return passage(asset, all_exits(asset, also_to));
}

AssetBound Bounds::of(u32 asset, const std::vector<u32>& also_to) const {
  AssetBound made;
  made.asset = asset;
  const Ends all = all_exits(asset, also_to);
  made.whole = passage(asset, all);
  const std::vector<u32>& holders = model_.assets[asset].held;
  const auto file = [&](std::vector<Passage>& into, std::optional<u32> holder, std::optional<u32> exit, Ends one) {
    if (!holder && most(one, ever).bytes == 0) return false;
    into.push_back(passage(asset, one));
    into.back().holder = holder;
    into.back().exit = exit;
    into.back().nobody = !exit;
    return true;
  };
  for (u32 exit = 0; exit <= model_.segments.size(); ++exit) {
    const bool nobody = exit == model_.segments.size();
    const std::optional<u32> named = nobody ? std::nullopt : std::optional{exit};
    Ends marked{std::vector<bool>(network_.nodes), std::vector<bool>(network_.nodes)};
    if (nobody) marked.to[0] = true;
    else mark(exit, asset, marked);
    const auto is_lower = [&](const Ends& of) {
      for (u32 node = 0; node < network_.nodes; ++node)
        if (marked.to[node] && of.to[node]) return true;
      return false;
    };
    if (!is_lower(all)) continue;
    Ends one = from_holders(asset, std::nullopt);
    one.to = marked.to;
    if (!file(made.exits, std::nullopt, named, one)) {
      if (!nobody) made.closed.push_back(exit);
      continue;
    }
    for (const u32 holder : holders) {
      if (holders.size() == 1 || holders.size() * model_.segments.size() > pairs_max) break;
      Ends of = from_holders(asset, holder);
      mark_lower(asset, holder, of);
      const bool asked = std::ranges::find(also_to, exit) != also_to.end();
      if (!asked && !is_lower(of)) continue;
      of.to = marked.to;
      file(made.pairs, holder, named, of);
    }
  }
  return made;
}

std::string Bounds::name(const Account& account) const {
  const auto of_segment = [&](std::string text) {
    return account.segment ? fmt::format("{} of `{}`", text, model_.segments[*account.segment].name) : text;
  };
  switch (account.kind) {
    case Account::Kind::budget: return of_segment(fmt::format("budget `{}`", model_.budgets[account.index].name));
    case Account::Kind::limit: return fmt::format("limit `{}`", model_.limits[account.index].name);
    case Account::Kind::rate: return fmt::format("rate of segment `{}`", model_.segments[account.index].name);
    case Account::Kind::link: return "[link]";
  }
  return "";
}

Span Bounds::span(const Account& account) const {
  switch (account.kind) {
    case Account::Kind::budget: return model_.budgets[account.index].span;
    case Account::Kind::limit: return model_.limits[account.index].span;
    case Account::Kind::rate: return model_.segments[account.index].span;
    case Account::Kind::link: break;
  }
  return {~0u, 0, 0};
}

}  // namespace weir::control
