// Interleaved rounds: every contender runs once per round, in turn, so that a machine that speeds up or slows down does
// so for all of them. What counts is the median over rounds of a ratio within one round; absolute figures drift.
#pragma once
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

namespace weir::bench {

// Of this thread alone: what other processes take from a shared core is not counted, what they do to its caches is.
inline double thread_ns() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

template <class Work>
double timed_ns(Work&& work) {
  const double start = thread_ns();
  work();
  return thread_ns() - start;
}

struct Contender {
  std::string name;
  std::function<double()> round;  // does one round, returns its cost in ns per operation
};

struct Spread {
  double median, least, most;
};

inline Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

class Rounds {
 public:
  // One round to warm up, then `count` (7 or more) that count.
  Rounds(std::vector<Contender> contenders, unsigned count) : contenders_(std::move(contenders)) {
    costs_.resize(contenders_.size());
    for (unsigned round = 0; round <= std::max(count, 7u); ++round)
      for (std::size_t i = 0; i < contenders_.size(); ++i) {
        const double cost_ns = contenders_[i].round();
        if (round != 0) costs_[i].push_back(cost_ns);
      }
  }

  void print_costs() const {
    for (std::size_t i = 0; i < contenders_.size(); ++i) {
      const Spread cost = spread_of(costs_[i]);
      std::printf("  %-58s %8.2f ns  (%.2f .. %.2f)\n", contenders_[i].name.c_str(), cost.median, cost.least,
                  cost.most);
    }
  }

  // Over the sum of those under it.
  Spread ratio(std::size_t over, std::initializer_list<std::size_t> under) const {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < costs_[over].size(); ++round) {
      double sum = 0;
      for (const std::size_t one : under) sum += costs_[one][round];
      ratios.push_back(costs_[over][round] / sum);
    }
    return spread_of(std::move(ratios));
  }
  Spread ratio(std::size_t over, std::size_t under) const { return ratio(over, {under}); }

  void print_ratio(const char* label, std::size_t over, std::size_t under, const char* goal) const {
    print_ratio(label, over, {under}, goal);
  }
  void print_ratio(const char* label, std::size_t over, std::initializer_list<std::size_t> under,
                   const char* goal) const {
    const Spread spread = ratio(over, under);
    std::printf("  %-58s %8.3f     (%.3f .. %.3f)  %s\n", label, spread.median, spread.least, spread.most, goal);
  }

 private:
  std::vector<Contender> contenders_;
  std::vector<std::vector<double>> costs_;
};

}  // namespace weir::bench
