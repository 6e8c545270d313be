// Exact cover over (source zone, target zone, services), within a bound on the work; beyond it nothing is said.
// On an attached port a source is in the segments attached there and in no other, so that there one segment covers
// another only by name; elsewhere, and for targets, by address.
#include "control/check/lints.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

constexpr std::size_t pairs_max = 4096;       // (source, target) zone pairs looked at per allow
constexpr std::size_t work_max = 400'000'000;  // words compared in all

using Bits = std::vector<std::uint64_t>;

bool has(const Bits& bits, std::size_t index) { return (bits[index >> 6] >> (index & 63) & 1) != 0; }
bool meet(const Bits& a, const Bits& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if ((a[i] & b[i]) != 0) return true;
  return false;
}

class CoverLint {
 public:
  CoverLint(const Resolved& resolved, const Zones& zones, Diagnostics& out)
      : model_(resolved.model), out_(out), cells_(zones.zones.size() + model_.segments.size()) {
    // A segment known by port alone has a cell of its own behind the zones.
    for (std::uint32_t s = 0; s < model_.segments.size(); ++s) {
      cells_of_.push_back(zones.of_set[s]);
      if (!model_.segments[s].has_addresses)
        cells_of_.back().push_back(static_cast<std::uint32_t>(zones.zones.size()) + s);
    }
  }

  void run() {
    const auto& all = model_.statements;
    const auto forbids = static_cast<std::size_t>(std::ranges::count_if(all, &Statement::is_forbid));
    const std::size_t words = (cells_ + 63) / 64 + 1;
    if (all.size() * all.size() > work_max / words) return;
    for (const Statement& one : all) {
      from_.push_back(cells(one.from, one.from_any));
      to_.push_back(cells(one.to, one.to_any));
    }
    std::vector<std::size_t> shadowed;
    for (std::size_t i = 0; i < all.size() && forbids > 0; ++i)
      if (!all[i].is_forbid && is_shadowed(i)) shadowed.push_back(i);
    tell_shadowed(shadowed, all.size() - forbids);
    for (std::size_t i = 0; i < all.size(); ++i)
      if (!all[i].is_forbid && std::ranges::find(shadowed, i) == shadowed.end()) overlapped(i);
  }

 private:
  Bits cells(const std::vector<std::uint32_t>& segments, bool any) const {
    Bits bits((cells_ + 63) / 64 + 1, any ? ~std::uint64_t{0} : 0);
    for (const std::uint32_t segment : segments)
      for (const std::uint32_t cell : cells_of_[segment]) bits[cell >> 6] |= std::uint64_t{1} << (cell & 63);
    return bits;
  }

  // Whether every source of `segment` in `cell` is also in one of `segments`, whatever port it comes in by.
  bool source_covers(const Statement& by, const Bits& bits, std::uint32_t segment, std::uint32_t cell) const {
    if (by.from_any || std::ranges::binary_search(by.from, segment)) return true;
    if (!has(bits, cell) || !model_.segments[segment].attach.empty()) return false;
    return std::ranges::any_of(by.from, [&](std::uint32_t one) {
      return model_.segments[one].attach.empty() && std::ranges::binary_search(cells_of_[one], cell);
    });
  }
  bool target_covers(const Statement& by, const Bits& bits, std::uint32_t segment, std::uint32_t cell) const {
    return by.to_any || std::ranges::binary_search(by.to, segment) ||
           (has(bits, cell) && model_.segments[segment].has_addresses);
  }

  bool is_shadowed(std::size_t index) const {
    const Statement& allow = model_.statements[index];
    std::vector<std::size_t> against;
    for (std::size_t i = 0; i < model_.statements.size(); ++i)
      if (model_.statements[i].is_forbid && meet(from_[i], from_[index]) && meet(to_[i], to_[index]) &&
          overlaps(model_.statements[i].services, allow.services))
        against.push_back(i);
    if (against.empty()) return false;
    std::size_t pairs = 0;
    for (const std::uint32_t s : allow.from)
      for (const std::uint32_t source : cells_of_[s])
        for (const std::uint32_t t : allow.to)
          for (const std::uint32_t target : cells_of_[t])
            if (++pairs > pairs_max || !pair_covered(allow, against, s, source, t, target)) return false;
    return pairs > 0;
  }

  bool pair_covered(const Statement& allow, const std::vector<std::size_t>& against, std::uint32_t s,
                    std::uint32_t source, std::uint32_t t, std::uint32_t target) const {
    ServiceSet left = allow.services;
    for (const std::size_t i : against) {
      const Statement& forbid = model_.statements[i];
      if (source_covers(forbid, from_[i], s, source) && target_covers(forbid, to_[i], t, target))
        left = subtract(left, forbid.services);
      if (empty(left)) return true;
    }
    return false;
  }

  // One forbid that alone covers the allow by name, if there is one: the likeliest culprit to show.
  const Statement* culprit(const Statement& allow) const {
    const Statement* touching = nullptr;
    for (const Statement& one : model_.statements) {
      if (!one.is_forbid || !overlaps(one.services, allow.services)) continue;
      const bool whole = (one.from_any || std::ranges::includes(one.from, allow.from)) &&
                         (one.to_any || std::ranges::includes(one.to, allow.to));
      if (whole && empty(subtract(allow.services, one.services))) return &one;
      if (touching == nullptr && meet(cells(one.from, one.from_any), cells(allow.from, false)) &&
          meet(cells(one.to, one.to_any), cells(allow.to, false)))
        touching = &one;
    }
    return touching;
  }

  void tell_shadowed(const std::vector<std::size_t>& shadowed, std::size_t allows) {
    if (shadowed.empty()) return;
    const Statement* first = culprit(model_.statements[shadowed.front()]);
    const bool all_by_one = shadowed.size() == allows && first != nullptr && std::ranges::all_of(shadowed, [&](auto i) {
                              return culprit(model_.statements[i]) == first;
                            });
    if (all_by_one) {
      auto& made =
          out_.add("W0403", first->span, fmt::format("`{}` forbids everything that this policy allows", first->name),
                   "a forbid beats every allow");
      for (std::size_t i = 0; i < shadowed.size() && i < 3; ++i)
        made.with(model_.statements[shadowed[i]].span, "never takes effect");
      made.note(
          fmt::format("all {} allow{} of this policy are covered; nothing can pass", allows, allows == 1 ? "" : "s"));
      made.helped("everything not allowed is denied already: name in the forbid only what no allow may ever open");
      return;
    }
    for (const std::size_t i : shadowed) {
      const Statement& allow = model_.statements[i];
      auto& made = out_.add("W0401", allow.span, fmt::format("`{}` never takes effect", allow.name), "forbidden whole");
      if (const Statement* by = culprit(allow)) made.with(by->span, "covered by this forbid");
      made.note("a forbid beats every allow, in any file");
    }
  }

  // Another allow that opens all of this one and lasts as long.
  void overlapped(std::size_t index) {
    const Statement& allow = model_.statements[index];
    for (std::size_t i = 0; i < model_.statements.size(); ++i) {
      const Statement& other = model_.statements[i];
      if (i == index || other.is_forbid || !std::ranges::includes(other.from, allow.from) ||
          !std::ranges::includes(other.to, allow.to) || !empty(subtract(allow.services, other.services)))
        continue;
      if (other.expires_s && (!allow.expires_s || *allow.expires_s > *other.expires_s)) continue;
      const bool equal = other.from == allow.from && other.to == allow.to &&
                         empty(subtract(other.services, allow.services)) && other.expires_s == allow.expires_s;
      if (equal && i > index) continue;
      out_.add("W0402", allow.span, fmt::format("`{}` opens nothing that `{}` does not open", allow.name, other.name),
               "overlapped whole")
          .with(other.span, "by this allow");
      return;
    }
  }

  const Model& model_;
  Diagnostics& out_;
  std::size_t cells_;
  std::vector<std::vector<std::uint32_t>> cells_of_;
  std::vector<Bits> from_, to_;
};

}  // namespace

void lint_cover(const Resolved& resolved, const Zones& zones, Diagnostics& out) {
  CoverLint(resolved, zones, out).run();
}

}  // namespace weir::control
