// Sizes of address sets are sums over atoms, so that a list of a million prefixes is counted once.
#include "control/compile/rules.hpp"

#include "control/compile/monitor.hpp"
#include "dataplane/policy/policy.hpp"

#include <algorithm>
#include <numeric>

namespace weir::control {

namespace {

constexpr u128 any_size = ~u128{0};
constexpr u128 attached_size = any_size - 1;
constexpr u128 addresses_size_max = any_size - 2;

u128 sum(u128 total, u128 more) {
  more = std::min(more, addresses_size_max);
  return total > addresses_size_max - more ? addresses_size_max : total + more;
}

// 256 bits, most significant first.
struct Product {
  u128 high, low;
  auto operator<=>(const Product&) const = default;
};

Product product(u128 a, u128 b) {
  const u64 a1 = static_cast<u64>(a >> 64), a0 = static_cast<u64>(a);
  const u64 b1 = static_cast<u64>(b >> 64), b0 = static_cast<u64>(b);
  const u128 low = u128{a0} * b0, cross = u128{a1} * b0 + (low >> 64), other = u128{a0} * b1 + static_cast<u64>(cross);
  return {u128{a1} * b1 + (cross >> 64) + (other >> 64), other << 64 | static_cast<u64>(low)};
}

// Sizes of unions of segments; equal unions are counted once.
class UnionSizes {
 public:
  UnionSizes(const Model& model, const Atoms& atoms) : atoms_(atoms), sizes_(segment_sizes(model, atoms)) {
    segments_ = model.segments.size();
    starts_.assign(segments_ + 1, 0);
    for (const u32 member : atoms.members)
      if (member < segments_) ++starts_[member + 1];
    std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
    list_.resize(starts_.back());
    std::vector<u64> next(starts_.begin(), starts_.end() - 1);
    for (u32 atom = 0; atom < atoms.count(); ++atom)
      for (const u32 member : atoms.of(atom))
        if (member < segments_) list_[next[member]++] = atom;
    seen_.assign(atoms.count(), ~u32{0});
  }

  u128 of(const std::vector<u32>& segments, bool any) {
    if (any) return any_size;
    if (segments.size() == 1) return sizes_[segments[0]];
    const u32 number = unions_.intern(segments);
    if (number < known_.size()) return known_[number];
    u128 total = 0;
    for (const u32 segment : segments) {
      if (sizes_[segment] == attached_size) total = attached_size;
      if (total == attached_size) break;
      for (u64 i = starts_[segment]; i < starts_[segment + 1]; ++i) {
        if (seen_[list_[i]] == number) continue;
        seen_[list_[i]] = number;
        total = sum(total, atoms_.addresses[list_[i]]);
      }
    }
    known_.push_back(total);
    return total;
  }

 private:
  const Atoms& atoms_;
  std::vector<u128> sizes_;
  std::size_t segments_ = 0;
  std::vector<u64> starts_;  // by segment, in list_: its atoms
  std::vector<u32> list_;
  std::vector<u32> seen_;    // by atom: the union that counted it last
  Sequences<u32> unions_;
  std::vector<u128> known_;  // by union
};

}  // namespace

std::vector<u128> segment_sizes(const Model& model, const Atoms& atoms) {
  std::vector<u128> sizes(model.segments.size(), 0);
  for (u32 atom = 0; atom < atoms.count(); ++atom)
    for (const u32 member : atoms.of(atom))
      if (member < sizes.size()) sizes[member] = sum(sizes[member], atoms.addresses[atom]);
  for (std::size_t i = 0; i < sizes.size(); ++i)
    if (!model.segments[i].has_addresses) sizes[i] = attached_size;
  return sizes;
}

std::vector<u32> order_rules(const Model& model, const Atoms& atoms, const Services& services) {
  struct Rank {
    bool is_allow, is_monitor;  // policy.mode comes after whatever policy says
    Product pairs;
    u64 points;
    auto operator<=>(const Rank&) const = default;
  };
  UnionSizes unions(model, atoms);
  std::vector<Rank> ranks;
  for (std::size_t i = 0; i < model.statements.size(); ++i) {
    const Statement& statement = model.statements[i];
    const u128 from = unions.of(statement.from, statement.from_any), to = unions.of(statement.to, statement.to_any);
    ranks.push_back({!statement.is_forbid, statement.name == monitor_rule, product(from, to),
                     services.points[services.set_of[i]]});
  }
  std::vector<u32> order(model.statements.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](u32 a, u32 b) {
    if (ranks[a] != ranks[b]) return ranks[a] < ranks[b];
    return model.statements[a].name < model.statements[b].name;
  });
  return order;
}

namespace {

// The lowest address of any of the segments; IPv6 after IPv4, segments without addresses after both.
u128 first_address(const Model& model, const std::vector<u32>& segments) {
  constexpr u128 ipv6 = u128{1} << 32;
  u128 first = ~u128{0};
  for (const u32 index : segments) {
    const AddressSet& set = model.segments[index].addresses;
    if (!set.ipv4.empty()) first = std::min(first, u128{set.ipv4[0].first});
    else if (!set.ipv6.empty()) first = std::min(first, std::max(ipv6, set.ipv6[0].first));
  }
  return first;
}

}  // namespace

Bits cluster_rules(const Model& model, std::span<const u32> order) {
  struct Key {
    bool is_wide, from_any;
    u128 target, source;
    u32 rule;
    auto operator<=>(const Key&) const = default;
  };
  std::vector<Key> keys;
  for (u32 rule = 0; rule < order.size(); ++rule) {
    const Statement& statement = model.statements[order[rule]];
    keys.push_back({statement.to_any, statement.from_any, first_address(model, statement.to),
                    first_address(model, statement.from), rule});
  }
  std::sort(keys.begin(), keys.end());
  Bits bits;
  const auto fill_word = [&] { bits.rules.resize((bits.rules.size() + 63) / 64 * 64, no_rule); };
  for (const Key& key : keys) {
    if (key.is_wide && (bits.rules.empty() || !model.statements[order[bits.rules.back()]].to_any)) {
      fill_word();
      bits.first_wide = static_cast<u32>(bits.rules.size() / 64);
    }
    bits.rules.push_back(key.rule);
  }
  fill_word();
  if (keys.empty() || !keys.back().is_wide) bits.first_wide = static_cast<u32>(bits.rules.size() / 64);
  for (auto word = bits.rules.begin(); word != bits.rules.end(); word += 64) std::sort(word, word + 64);
  for (const u32 rule : bits.rules) bits.statements.push_back(rule == no_rule ? no_statement : order[rule]);
  return bits;
}

}  // namespace weir::control
