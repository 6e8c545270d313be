// The solver works in floating point and is not believed: of its answer only the weights of accounts are taken, rounded
// to integers. For any weights, a byte's way costs at least the lightest way d between the ends, and all bytes
// together at most the sum of weight times capacity; so bytes <= sum / d, whatever the weights were.
#include "control/bound/solve.hpp"

#include <Clp_C_Interface.h>
#include <algorithm>
#include <cmath>
#include <queue>

namespace weir::control {
namespace {

// Divisible by small numbers, as the denominators of duals are.
constexpr double fine_scale = 720'720.0 * 1024;
// Of programs for one time; the time proven by then is told.
constexpr int rounds_max = 200;

class Program {
 public:
  Program(const Network& network, const Ends& ends) : network_(network), ends_(ends) {
    if (network.too_large) return;
    ways_from_.resize(network.nodes);
    std::vector<std::vector<u32>> ways_to(network.nodes);
    for (u32 way = 0; way < network.ways.size(); ++way) {
      ways_from_[network.ways[way].from].push_back(way);
      ways_to[network.ways[way].to].push_back(way);
    }
    const std::vector<bool> reached = spread(ends.from, ways_from_, &Lane::to);
    const std::vector<bool> useful = spread(ends.to, ways_to, &Lane::from);
    for (u32 way = 0; way < network.ways.size(); ++way) {
      const Lane& one = network.ways[way];
      if (reached[one.from] && useful[one.to] && !is_end(one.from) && !ends.from[one.to]) ways_.push_back(way);
    }
  }

  Most solve(u64 length_s) {
    if (network_.too_large) return {unlimited, {}, {}};
    Most made;
    if (ways_.empty()) return made;
    measure(length_s);
    if (find_open(made.open)) {
      made.bytes = unlimited;
      return made;
    }
    std::vector<u64> weights(capacity_.size());
    for (const u32 way : ways_)
      for (const u32 account : network_.ways[way].accounts) weights[account] = capacity_[account] < unlimited;
    made = certified(weights);
    best_ = weights;
    // Capacities are scaled by the best bound so far; what is far above it cannot bind and is left out.
    for (int round = 0; round < 3 && made.bytes > 0 && made.bytes < unlimited; ++round) {
      const std::vector<double> duals = relaxed(made.bytes);
      const Bytes before = made.bytes;
      for (const double scale : {1.0, 2.0, fine_scale}) {
        for (std::size_t i = 0; i < duals.size(); ++i) weights[i] = static_cast<u64>(std::llround(duals[i] * scale));
        Most better = certified(weights);
        if (better.bytes >= made.bytes) continue;
        made = std::move(better);
        best_ = weights;
      }
      if (before - made.bytes <= before / 1024) break;
    }
    return made;
  }

  // The longest time up to `end_s` in which the weights that were best last prove that less than `bytes` get there.
  u64 proven_time(Bytes bytes, u64 end_s) {
    const auto less = [&](u64 length_s) {
      measure(length_s);
      return certified(best_).bytes < bytes;
    };
    if (best_.empty() || !less(0)) return 0;
    u64 too_short = 0, long_enough = end_s;
    while (long_enough - too_short > 1) {
      const u64 middle = too_short + (long_enough - too_short) / 2;
      (less(middle) ? too_short : long_enough) = middle;
    }
    return too_short;
  }

 private:
  void measure(u64 length_s) {
    capacity_.clear();
    for (const Account& account : network_.accounts) capacity_.push_back(account.most(length_s));
  }

  bool is_end(u32 node) const { return ends_.to[node] && !ends_.from[node]; }

  // Nodes on ways from (or, backwards, to) the `marked`.
  std::vector<bool> spread(std::vector<bool> marked, const std::vector<std::vector<u32>>& ways,
                           u32 Lane::* next) const {
    std::vector<u32> open;
    for (u32 node = 0; node < marked.size(); ++node)
      if (marked[node]) open.push_back(node);
    while (!open.empty()) {
      const u32 node = open.back();
      open.pop_back();
      for (const u32 way : ways[node]) {
        const u32 there = network_.ways[way].*next;
        if (marked[there]) continue;
        marked[there] = true;
        open.push_back(there);
      }
    }
    return marked;
  }

  bool is_open(u32 way) const {
    return std::ranges::all_of(network_.ways[way].accounts, [&](u32 one) { return capacity_[one] >= unlimited; });
  }

  // A chain of ways that nothing bounds: the flow is then unlimited, and only then.
  bool find_open(std::vector<u32>& chain) const {
    std::vector<u32> came_by(network_.nodes, ~0u), open;
    std::vector<bool> seen = ends_.from;
    for (u32 node = 0; node < network_.nodes; ++node)
      if (seen[node]) open.push_back(node);
    for (std::size_t at = 0; at < open.size(); ++at) {
      for (const u32 way : ways_from_[open[at]]) {
        const u32 there = network_.ways[way].to;
        if (seen[there] || !is_open(way)) continue;
        seen[there] = true;
        came_by[there] = way;
        if (!is_end(there)) {
          open.push_back(there);
          continue;
        }
        for (u32 node = there; !ends_.from[node]; node = network_.ways[came_by[node]].from)
          chain.push_back(came_by[node]);
        std::ranges::reverse(chain);
        return true;
      }
    }
    return false;
  }

  // The bound that these weights prove.
  Most certified(const std::vector<u64>& weights) const {
    Most made{unlimited, {}, {}};
    const u64 lightest = lightest_way(weights);
    if (lightest == 0 || lightest == ever) return made;
    Bytes sum = 0;
    for (u32 account = 0; account < weights.size(); ++account) {
      if (weights[account] == 0) continue;
      if (capacity_[account] >= unlimited) return made;
      Bytes product = 0;
      if (__builtin_mul_overflow(capacity_[account], Bytes{weights[account]}, &product) ||
          __builtin_add_overflow(sum, product, &sum))
        return made;
      if (product > 0) made.parts.push_back({account, product / lightest});
    }
    made.bytes = std::min(unlimited, sum / lightest);
    std::ranges::stable_sort(made.parts, [](const Part& a, const Part& b) { return a.bytes > b.bytes; });
    return made;
  }

  u64 lightest_way(const std::vector<u64>& weights) const {
    std::vector<u64> distance(network_.nodes, ever);
    using Entry = std::pair<u64, u32>;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
    for (u32 node = 0; node < network_.nodes; ++node)
      if (ends_.from[node]) open.push({distance[node] = 0, node});
    while (!open.empty()) {
      const auto [at, node] = open.top();
      open.pop();
      if (at > distance[node]) continue;
      if (is_end(node)) return at;
      for (const u32 way : ways_from_[node]) {
        u64 there = at;
        for (const u32 account : network_.ways[way].accounts) there += weights[account];
        u64& known = distance[network_.ways[way].to];
        if (there < known) open.push({known = there, network_.ways[way].to});
      }
    }
    return ever;
  }

  // Duals of the accounts, from the solver; `bound` is an upper bound of the answer.
  std::vector<double> relaxed(Bytes bound) const;

  const Network& network_;
  const Ends& ends_;
  std::vector<Bytes> capacity_;  // by account
  std::vector<u64> best_;  // weights, by account: of the best bound so far
  std::vector<std::vector<u32>> ways_from_;
  std::vector<u32> ways_;  // on some way from end to end
};

std::vector<double> Program::relaxed(Bytes bound) const {
  std::vector<int> row_of_node(network_.nodes, -1), row_of_account(capacity_.size(), -1);
  std::vector<double> upper;
  const auto row = [&](int& known, double limit) {
    if (known < 0) {
      known = static_cast<int>(upper.size());
      upper.push_back(limit);
    }
    return known;
  };
  std::vector<CoinBigIndex> starts{0};
  std::vector<int> rows;
  std::vector<double> values, gain;
  // A byte passes an account once for every node at the most, so that above this an account binds nothing.
  const Bytes too_much = times(bound, network_.nodes + 1);
  for (const u32 index : ways_) {
    const Lane& way = network_.ways[index];
    const auto entry = [&](int at, double value) {
      rows.push_back(at);
      values.push_back(value);
    };
    if (!ends_.from[way.from]) entry(row(row_of_node[way.from], 0), 1);
    if (!is_end(way.to)) entry(row(row_of_node[way.to], 0), -1);
    for (const u32 account : way.accounts)
      if (capacity_[account] < too_much)
        entry(row(row_of_account[account], static_cast<double>(capacity_[account]) / static_cast<double>(bound)), 1);
    starts.push_back(static_cast<CoinBigIndex>(rows.size()));
    gain.push_back(is_end(way.to) ? -1 : 0);
  }
  const std::vector<double> none(gain.size(), 0), no_end(gain.size(), HUGE_VAL), lower(upper.size(), -HUGE_VAL);
  Clp_Simplex* const model = Clp_newModel();
  Clp_setLogLevel(model, 0);
  Clp_loadProblem(model, static_cast<int>(gain.size()), static_cast<int>(upper.size()), starts.data(), rows.data(),
                  values.data(), none.data(), no_end.data(), gain.data(), lower.data(), upper.data());
  Clp_dual(model, 0);
  const double* const duals = Clp_dualRowSolution(model);
  std::vector<double> found(capacity_.size(), 0);
  for (std::size_t account = 0; account < found.size(); ++account)
    if (row_of_account[account] >= 0 && std::isfinite(duals[row_of_account[account]]))
      found[account] = std::min(std::fabs(duals[row_of_account[account]]), 4.0);  // a true dual is at most 1
  Clp_deleteModel(model);
  return found;
}

}  // namespace

Most most_between(const Network& network, const Ends& ends, u64 length_s) {
  return Program(network, ends).solve(length_s);
}

// Each program solved gives weights that prove some time; the next is asked of the second behind it.
Shortest shortest_time(const Network& network, const Ends& ends, Bytes bytes) {
  Program program(network, ends);
  if (program.solve(ever).bytes < bytes) return {0, true, false};
  if (program.solve(time_max_s).bytes < bytes) return {time_max_s, false, true};
  u64 proven_s = 0;
  for (int round = 0; round < rounds_max; ++round) {
    if (program.solve(proven_s + 1).bytes >= bytes) break;
    proven_s = std::max(proven_s + 1, program.proven_time(bytes, time_max_s));
  }
  return {proven_s, false, false};
}

}  // namespace weir::control
