#include "control/see/hits.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace weir::see {
namespace {

constexpr int tries_max = 200;
constexpr auto between_tries = std::chrono::milliseconds(5);

RuleMet read(const RuleHits& row) {
  return {row.opened.read(), row.kept.read(), row.dropped.read(), row.last.read()};
}

// False when the bank is not of this generation, or was taken for another one meanwhile.
bool read_bank(const StatsFile& stats, u32 bank, u64 generation, RuleCounts& counts) {
  const RuleBank& head = stats.bank(bank);
  if (head.generation.read() != generation) return false;
  std::atomic_thread_fence(std::memory_order_acquire);
  const u64 rules = head.rules.read(), stride = hits_stride(rules);
  counts.since_us = head.since.read();
  const auto rows = stats.hits(bank, rules);
  counts.rows.assign(rows.empty() ? 0 : rules, {});
  for (u64 rule = 0; rule < counts.rows.size(); ++rule) {
    RuleHitsRow& row = counts.rows[rule];
    row.before = read(rows[rule]);
    for (u64 at = stride + rule; at < rows.size(); at += stride) {
      const RuleMet met = read(rows[at]);
      row.now.opened += met.opened, row.now.kept += met.kept, row.now.dropped += met.dropped;
      row.now.last_us = std::max(row.now.last_us, met.last_us);
    }
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  return head.generation.read() == generation && rows.size() == hits_rows(rules, stats.workers());
}

}  // namespace

u64 RuleCounts::dead() const { return static_cast<u64>(std::ranges::count_if(rows, &RuleHitsRow::is_dead)); }

std::expected<RuleCounts, std::string> read_hits(const StatsFile& stats) {
  RuleCounts counts;
  counts.began_us = stats.began_us();
  if (!stats.has_hits()) return std::unexpected(stats.path() + ": hits of rules are not counted here");
  for (int tries = 0; tries < tries_max; ++tries) {
    counts.generation = stats.generation();
    if (counts.generation == 0) return counts;
    for (u32 bank = 0; bank < rule_banks; ++bank)
      if (read_bank(stats, bank, counts.generation, counts)) return counts;
    std::this_thread::sleep_for(between_tries);
  }
  return std::unexpected(stats.path() + ": its policy changes faster than its hits can be read");
}

std::string time_text(u64 us) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(static_cast<std::time_t>(us / 1'000'000)));
}

namespace {

nlohmann::ordered_json json_of(const RuleMet& met) {
  nlohmann::ordered_json made{{"opened", met.opened}, {"kept", met.kept}, {"dropped", met.dropped}};
  const auto seconds = static_cast<std::time_t>(met.last_us / 1'000'000);
  if (seconds != 0) made["last"] = fmt::format("{:%FT%TZ}", fmt::gmtime(seconds));
  return made;
}

}  // namespace

nlohmann::ordered_json hits_json(const RuleCounts& counts, u32 rule, const PolicyNames* names) {
  nlohmann::ordered_json made;
  if (names != nullptr && rule < names->policy().rules_count()) {
    const RuleView view = names->policy().rule(rule);
    made = {{"rule", view.name},
            {"kind", view.is_forbid ? "forbid" : "allow"},
            {"at", fmt::format("{}:{}", view.file, view.line)}};
  } else {
    made["rule_number"] = rule;
  }
  made.update(json_of(counts.rows[rule].now));
  made["before"] = json_of(counts.rows[rule].before);
  made["is_dead"] = counts.rows[rule].is_dead();
  return made;
}

}  // namespace weir::see
