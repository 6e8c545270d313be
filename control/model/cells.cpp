// A sweep over range boundaries. The open sets are kept sorted with a running hash, so that a combination met before
// is found by one probe and one comparison.
#include "control/model/cells.hpp"

#include <algorithm>
#include <unordered_map>

namespace weir::control {
namespace {

std::uint64_t mixed(std::uint64_t value) {
  value = (value + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
  value = (value ^ value >> 27) * 0x94d049bb133111ebu;
  return value ^ value >> 31;
}

// An example reads better as a host than as the name of a network.
template <class Number>
Number host_of(Number at, Number count) {
  return (at & 255) == 0 && count > 1 ? 1 : 0;
}

class Sweep {
 public:
  explicit Sweep(Cells& out) : out_(out) {}

  template <class Number>
  struct Edge {
    Number at;
    std::uint32_t set;
    bool opens;
  };

  template <class Number, class Use>
  void run(std::vector<Edge<Number>>& edges, Use use) {
    std::ranges::sort(edges, {}, &Edge<Number>::at);
    open_.clear();
    hash_ = 0;
    for (std::size_t i = 0; i < edges.size();) {
      const Number at = edges[i].at;
      for (; i < edges.size() && edges[i].at == at; ++i) toggle(edges[i].set, edges[i].opens);
      if (!open_.empty()) use(cell(), at, i < edges.size() ? edges[i].at - at : Number{2});
    }
  }

 private:
  void toggle(std::uint32_t set, bool opens) {
    const auto at = std::ranges::lower_bound(open_, set);
    if (opens) open_.insert(at, set);
    else open_.erase(at);
    hash_ ^= mixed(set);
  }

  Cell& cell() {
    const auto [begin, end] = known_.equal_range(hash_);
    for (auto one = begin; one != end; ++one)
      if (out_.cells[one->second].sets == open_) return out_.cells[one->second];
    const auto index = static_cast<std::uint32_t>(out_.cells.size());
    known_.emplace(hash_, index);
    for (const std::uint32_t set : open_) out_.of_set[set].push_back(index);
    return out_.cells.emplace_back(Cell{open_, std::nullopt, std::nullopt});
  }

  Cells& out_;
  std::vector<std::uint32_t> open_;
  std::uint64_t hash_ = 0;
  std::unordered_multimap<std::uint64_t, std::uint32_t> known_;
};

}  // namespace

Cells split(const std::vector<const AddressSet*>& sets) {
  Cells made;
  made.of_set.resize(sets.size());
  Sweep sweep(made);
  std::vector<Sweep::Edge<std::uint64_t>> ipv4;
  std::vector<Sweep::Edge<Ipv6Number>> ipv6;
  for (std::uint32_t set = 0; set < sets.size(); ++set) {
    for (const auto [first, last] : sets[set]->ipv4) {
      ipv4.push_back({first, set, true});
      ipv4.push_back({std::uint64_t{last} + 1, set, false});
    }
    for (const auto [first, last] : sets[set]->ipv6) {
      ipv6.push_back({first, set, true});
      if (last != ~Ipv6Number{0}) ipv6.push_back({last + 1, set, false});
    }
  }
  sweep.run(ipv4, [](Cell& cell, std::uint64_t at, std::uint64_t count) {
    if (!cell.ipv4) cell.ipv4 = static_cast<std::uint32_t>(at + host_of(at, count));
  });
  sweep.run(ipv6, [](Cell& cell, Ipv6Number at, Ipv6Number count) {
    if (!cell.ipv6) cell.ipv6 = at + host_of(at, count);
  });
  return made;
}

}  // namespace weir::control
