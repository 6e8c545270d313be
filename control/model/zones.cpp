// A sweep over range boundaries. The open sets are kept sorted with a running hash, so that a combination met before
// is found by one probe and one comparison.
#include "control/model/zones.hpp"

#include <algorithm>
#include <unordered_map>

namespace weir::control {
namespace {

std::uint64_t mixed(std::uint64_t value) {
  value = (value + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
  value = (value ^ value >> 27) * 0x94d049bb133111ebu;
  return value ^ value >> 31;
}

class Sweep {
 public:
  explicit Sweep(Zones& out) : out_(out) {}

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
      if (!open_.empty()) use(zone(), at);
    }
  }

 private:
  void toggle(std::uint32_t set, bool opens) {
    const auto at = std::ranges::lower_bound(open_, set);
    if (opens) open_.insert(at, set);
    else open_.erase(at);
    hash_ ^= mixed(set);
  }

  Zone& zone() {
    const auto [begin, end] = known_.equal_range(hash_);
    for (auto one = begin; one != end; ++one)
      if (out_.zones[one->second].sets == open_) return out_.zones[one->second];
    const auto index = static_cast<std::uint32_t>(out_.zones.size());
    known_.emplace(hash_, index);
    for (const std::uint32_t set : open_) out_.of_set[set].push_back(index);
    return out_.zones.emplace_back(Zone{open_, std::nullopt, std::nullopt});
  }

  Zones& out_;
  std::vector<std::uint32_t> open_;
  std::uint64_t hash_ = 0;
  std::unordered_multimap<std::uint64_t, std::uint32_t> known_;
};

}  // namespace

Zones split(const std::vector<const AddressSet*>& sets) {
  Zones made;
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
  sweep.run(ipv4, [](Zone& zone, std::uint64_t at) {
    if (!zone.ipv4) zone.ipv4 = static_cast<std::uint32_t>(at);
  });
  sweep.run(ipv6, [](Zone& zone, Ipv6Number at) {
    if (!zone.ipv6) zone.ipv6 = at;
  });
  return made;
}

}  // namespace weir::control
