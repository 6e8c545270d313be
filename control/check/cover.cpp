// Exact cover over (source cell, target cell, services), within a bound on the work; beyond it nothing is said.
// A segment that is attached somewhere counts for sources only there and on uplinks, so that it covers another only by
// name; one that is attached nowhere covers by address, and so does every target.
#include "control/check/lints.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace weir::control {
namespace {

constexpr std::size_t pairs_max = 4096;           // (source, target) cell pairs looked at per allow
constexpr std::size_t steps_max = 200'000'000;    // candidates and pairs looked at in all

using Indices = std::vector<std::uint32_t>;

class CoverLint {
 public:
  CoverLint(const Resolved& resolved, const Cells& cells, Diagnostics& out)
      : model_(resolved.model), cells_of_(cells.of_set), out_(out) {
    // A segment known by port alone has a cell of its own behind the others.
    const std::size_t alone = cells.cells.size();
    for (std::uint32_t s = 0; s < model_.segments.size(); ++s)
      if (!model_.segments[s].has_addresses) cells_of_[s].push_back(static_cast<std::uint32_t>(alone + s));
    forbids_at_.resize(alone + model_.segments.size());
    allows_from_.resize(model_.segments.size());
    for (std::uint32_t i = 0; i < model_.statements.size(); ++i) enter(i);
  }

  void run() {
    Indices shadowed;
    for (const std::uint32_t i : allows_)
      if (!is_shadowed(i)) overlapped(i);
      else shadowed.push_back(i);
    if (steps_ <= steps_max) tell_shadowed(shadowed);
    if (steps_ <= steps_max) out_.all.insert(out_.all.end(), found_.all.begin(), found_.all.end());
  }

 private:
  void enter(std::uint32_t index) {
    const Statement& statement = model_.statements[index];
    if (!statement.is_forbid) {
      allows_.push_back(index);
      for (const std::uint32_t segment : statement.from) allows_from_[segment].push_back(index);
      return;
    }
    if (statement.from_any) from_anywhere_.push_back(index);
    for (const std::uint32_t segment : statement.from)
      for (const std::uint32_t cell : cells_of_[segment])
        if (forbids_at_[cell].empty() || forbids_at_[cell].back() != index) forbids_at_[cell].push_back(index);
  }

  bool has_cell(const Indices& segments, std::uint32_t cell) const {
    return std::ranges::any_of(segments, [&](auto one) { return std::ranges::binary_search(cells_of_[one], cell); });
  }

  // Whether every source of `segment` in `cell` is also in one of `by`, whatever port it comes in by.
  bool source_covers(const Statement& by, std::uint32_t segment, std::uint32_t cell) const {
    if (by.from_any || std::ranges::binary_search(by.from, segment)) return true;
    if (!model_.segments[segment].has_addresses) return false;
    return std::ranges::any_of(by.from, [&](std::uint32_t one) {
      return model_.segments[one].attach.empty() && std::ranges::binary_search(cells_of_[one], cell);
    });
  }
  bool target_covers(const Statement& by, std::uint32_t segment, std::uint32_t cell) const {
    return by.to_any || std::ranges::binary_search(by.to, segment) ||
           (model_.segments[segment].has_addresses && has_cell(by.to, cell));
  }

  // Forbids that share a source cell and a service with the allow.
  Indices against(const Statement& allow) {
    Indices found = from_anywhere_;
    for (const std::uint32_t segment : allow.from)
      for (const std::uint32_t cell : cells_of_[segment])
        found.insert(found.end(), forbids_at_[cell].begin(), forbids_at_[cell].end());
    steps_ += found.size();
    std::ranges::sort(found);
    found.erase(std::unique(found.begin(), found.end()), found.end());
    std::erase_if(found, [&](auto i) { return !overlaps(model_.statements[i].services, allow.services); });
    return found;
  }

  bool is_shadowed(std::uint32_t index) {
    const Statement& allow = model_.statements[index];
    if (steps_ > steps_max) return false;
    const Indices candidates = against(allow);
    if (candidates.empty()) return false;
    std::size_t pairs = 0;
    for (const std::uint32_t s : allow.from)
      for (const std::uint32_t source : cells_of_[s])
        for (const std::uint32_t t : allow.to)
          for (const std::uint32_t target : cells_of_[t])
            if (++pairs > pairs_max || !pair_covered(allow, candidates, s, source, t, target)) return false;
    return pairs > 0;
  }

  bool pair_covered(const Statement& allow, const Indices& candidates, std::uint32_t s, std::uint32_t source,
                    std::uint32_t t, std::uint32_t target) {
    ServiceSet left = allow.services;
    for (const std::uint32_t i : candidates) {
      const Statement& forbid = model_.statements[i];
      ++steps_;
      if (source_covers(forbid, s, source) && target_covers(forbid, t, target)) left = subtract(left, forbid.services);
      if (empty(left)) return true;
    }
    return false;
  }

  // The forbid that covers the allow by name, else one that takes part: the likeliest culprit to show.
  const Statement* culprit(const Statement& allow) {
    const Statement* part = nullptr;
    for (const std::uint32_t i : against(allow)) {
      const Statement& one = model_.statements[i];
      const bool whole = (one.from_any || std::ranges::includes(one.from, allow.from)) &&
                         (one.to_any || std::ranges::includes(one.to, allow.to));
      if (whole && empty(subtract(allow.services, one.services))) return &one;
      const std::uint32_t s = allow.from.front(), t = allow.to.front();
      if (part == nullptr && !cells_of_[s].empty() && !cells_of_[t].empty() &&
          source_covers(one, s, cells_of_[s].front()) && target_covers(one, t, cells_of_[t].front()))
        part = &one;
    }
    return part;
  }

  void tell_shadowed(const Indices& shadowed) {
    if (shadowed.empty()) return;
    const Statement* first = culprit(model_.statements[shadowed.front()]);
    const bool all_by_one =
        shadowed.size() == allows_.size() && first != nullptr &&
        std::ranges::all_of(shadowed, [&](auto i) { return culprit(model_.statements[i]) == first; });
    if (all_by_one) return tell_all(*first, shadowed);
    for (const std::uint32_t i : shadowed) {
      const Statement& allow = model_.statements[i];
      auto& made =
          found_.add("W0401", allow.span, fmt::format("`{}` never takes effect", allow.name), "forbidden whole");
      if (const Statement* by = culprit(allow)) made.with(by->span, "covered by this forbid");
      made.note("a forbid beats every allow, in any file");
    }
  }

  void tell_all(const Statement& forbid, const Indices& shadowed) {
    auto& made =
        found_.add("W0403", forbid.span, fmt::format("`{}` forbids everything that this policy allows", forbid.name),
                   "a forbid beats every allow");
    for (std::size_t i = 0; i < shadowed.size() && i < 3; ++i)
      made.with(model_.statements[shadowed[i]].span, "never takes effect");
    made.note(shadowed.size() == 1
                  ? "the only allow of this policy is covered; nothing can pass"
                  : fmt::format("all {} allows of this policy are covered; nothing can pass", shadowed.size()));
    made.helped("everything not allowed is denied already: name in the forbid only what no allow may ever open");
  }

  // Another allow that opens all of this one, asks for the same and lasts as long.
  void overlapped(std::uint32_t index) {
    const Statement& allow = model_.statements[index];
    for (const std::uint32_t i : allows_from_[allow.from.front()]) {
      const Statement& other = model_.statements[i];
      if (++steps_ > steps_max) return;
      if (i == index || !std::ranges::includes(other.from, allow.from) || !std::ranges::includes(other.to, allow.to) ||
          !empty(subtract(allow.services, other.services)))
        continue;
      if (other.breakglass_s != 0 && allow.breakglass_s == 0) continue;  // which is closed
      if (!ask_alike(allow, other)) continue;
      if (other.expires_s && (!allow.expires_s || *allow.expires_s > *other.expires_s)) continue;
      const bool equal = other.from == allow.from && other.to == allow.to && other.expires_s == allow.expires_s &&
                         empty(subtract(other.services, allow.services));
      if (equal && i > index) continue;
      found_
          .add("W0402", allow.span, fmt::format("`{}` opens nothing that `{}` does not open", allow.name, other.name),
               "overlapped whole")
          .with(other.span, "by this allow");
      return;
    }
  }

  const Model& model_;
  std::vector<Indices> cells_of_;      // by segment
  Diagnostics& out_;
  Diagnostics found_;                  // told only when the work stayed within its bound
  std::vector<Indices> forbids_at_;    // by source cell
  std::vector<Indices> allows_from_;   // by source segment
  Indices allows_, from_anywhere_;
  std::size_t steps_ = 0;
};

}  // namespace

void lint_cover(const Resolved& resolved, const Cells& cells, Diagnostics& out) {
  CoverLint(resolved, cells, out).run();
}

}  // namespace weir::control
