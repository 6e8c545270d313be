// From the sections of an image to what the ledger is asked to open.
#include "dataplane/ledger/account_plan.hpp"

#include "dataplane/budget/lease_size.hpp"

#include <sodium.h>
#include <algorithm>
#include <unordered_set>

namespace weir::ledger {
namespace {

using Covers = std::vector<image::Cover>;

class Digest {
 public:
  Digest() { WEIR_CHECK(crypto_generichash_init(&state_, nullptr, 0, crypto_generichash_BYTES_MIN) == 0); }
  void add(u64 number) { add_bytes(&number, sizeof number); }
  void add(const std::string& text) {
    add(text.size());
    add_bytes(text.data(), text.size());
  }
  void add(const Covers& covers) {
    static_assert(std::has_unique_object_representations_v<image::Cover>);
    add(covers.size());
    add_bytes(covers.data(), covers.size() * sizeof(image::Cover));
  }
  u64 end() {
    std::array<unsigned char, crypto_generichash_BYTES_MIN> made;
    crypto_generichash_final(&state_, made.data(), made.size());
    return load<u64>(made.data());
  }

 private:
  void add_bytes(const void* bytes, std::size_t count) {
    crypto_generichash_update(&state_, static_cast<const unsigned char*>(bytes), count);
  }
  crypto_generichash_state state_;
};

AccountRule rule_of(const Policy& policy, const image::Budget& budget, Tick wall_now) {
  AccountRule rule;
  for (const image::Window& window : policy.view().windows.subspan(budget.windows_first, budget.windows_count))
    rule.windows[rule.windows_count++] = {window.bytes, u64{window.length_s} * 1'000'000,
                                          window.length_s == 0 ? 0 : account_slots};
  rule.on_exceed = wall_now < budget.monitor_until ? Exceed::alert : static_cast<Exceed>(budget.on_exceed);
  if (rule.on_exceed == Exceed::throttle) {
    rule.throttle_bits_per_s = budget.throttle_bits_per_s;
    rule.burst_bytes = throttle_burst_bytes;
  }
  for (u32 percent = 1; percent <= 100 && rule.alerts_count < account_alerts_max; ++percent)
    if (budget.alerts[percent / 64] >> percent % 64 & 1)
      rule.alert_percent[rule.alerts_count++] = static_cast<u8>(percent);
  return rule;
}

std::shared_ptr<const Statement> statement(std::string name, AccountRule rule,
                                           const std::function<u64(u64 limit)>& part) {
  for (u32 i = 0; i < rule.windows_count; ++i) rule.windows[i].limit_bytes = part(rule.windows[i].limit_bytes);
  return std::make_shared<const Statement>(Statement{std::move(name), rule});
}

class Planner {
 public:
  Planner(const Policy& policy, Tick wall_now) : policy_(policy), view_(policy.view()), wall_now_(wall_now) {}

  std::vector<AccountPlan> run() {
    for (u32 account = 0; account < view_.accounts.size(); ++account) {
      AccountPlan plan = plan_of(account);
      const image::Budget& budget = view_.budgets[view_.accounts[account].budget];
      const bool has_share = budget.max_share != 0 && budget.scope != image::Scope::host;
      AccountPlan share = has_share ? share_of_host(plan, budget) : AccountPlan{};
      split(plan, budget);
      add(std::move(plan));
      if (has_share) add(std::move(share));
    }
    return std::move(plans_);
  }

 private:
  AccountPlan plan_of(u32 account) const {
    const image::Account& one = view_.accounts[account];
    const image::Budget& budget = view_.budgets[one.budget];
    const auto covers = [&](u32 first, u32 count) {
      const auto found = view_.covers.subspan(first, count);
      return Covers(found.begin(), found.end());
    };
    AccountPlan plan;
    plan.account = account;
    plan.cover.sources = covers(one.sources_first, one.sources_count);
    plan.cover.targets = covers(budget.targets_first, budget.targets_count);
    plan.cover.services = covers(budget.services_first, budget.services_count);
    plan.cover.counts_payload = budget.count == image::Count::payload;
    plan.cover.surcharge = plan.cover.counts_payload ? budget.surcharge : 0;
    plan.cover.skips_throttled = budget.on_exceed == image::Exceed::throttle;
    plan.cover.is_by_host = budget.scope == image::Scope::host;
    plan.hosts = one.hosts;
    plan.opens_empty = budget.opens_empty != 0;
    plan.name = policy_.text(budget.name);
    if (one.segment != no_segment)
      plan.name.append(" of ").append(policy_.segment_name(static_cast<u16>(one.segment)));
    if (plan.cover.is_by_host) plan.name.append(", each host");
    if (wall_now_ < budget.monitor_until && budget.on_exceed != image::Exceed::alert)
      plan.begins_to_refuse = budget.monitor_until;
    plan.whole = statement(plan.name, rule_of(policy_, budget, wall_now_), [](u64 limit) { return limit; });
    return plan;
  }

  // The reserves, and what is left.
  void split(AccountPlan& plan, const image::Budget& budget) const {
    AccountRule rule = plan.whole->rule;
    plan.has_bucket = budget.on_exceed == image::Exceed::throttle;
    const auto reserves = view_.budget_reserves.subspan(budget.reserves_first, budget.reserves_count);
    AccountRule of_reserve = rule;
    if (rule.on_exceed == Exceed::throttle) {
      of_reserve.on_exceed = Exceed::deny;
      of_reserve.throttle_bits_per_s = of_reserve.burst_bytes = 0;
    }
    for (const image::Reserve& reserve : reserves)
      plan.parts.push_back(statement(plan.name + ", reserve " + std::to_string(plan.parts.size() + 1), of_reserve,
                                     [&](u64 limit) { return weir::share_of(limit, reserve.share); }));
    plan.parts.push_back(statement(plan.name, rule, [&](u64 limit) {
      u64 left = limit;
      for (const image::Reserve& reserve : reserves) left -= weir::share_of(limit, reserve.share);
      return left;
    }));
    plan.cover.parts = static_cast<u32>(plan.parts.size());
  }

  AccountPlan share_of_host(AccountPlan plan, const image::Budget& budget) const {
    AccountRule rule = plan.whole->rule;
    if (rule.on_exceed == Exceed::throttle) rule.on_exceed = Exceed::deny;
    rule.throttle_bits_per_s = rule.burst_bytes = rule.alerts_count = 0;
    rule.alert_percent = {};
    plan.cover.is_by_host = plan.cover.is_share = true;
    plan.hosts = share_hosts_max;
    plan.name += ", share of each host";
    plan.whole = statement(plan.name, rule, [&](u64 limit) { return weir::share_of(limit, budget.max_share); });
    plan.parts = {plan.whole};
    plan.cover.parts = 1;
    return plan;
  }

  void add(AccountPlan plan) {
    const image::Budget& budget = view_.budgets[view_.accounts[plan.account].budget];
    const AccountCover& cover = plan.cover;
    for (u64 ordinal = 0;; ++ordinal) {
      Digest digest;
      digest.add(std::string("weir account 1"));
      for (const Covers* covers : {&cover.sources, &cover.targets, &cover.services}) digest.add(*covers);
      for (const u64 one : {u64{cover.counts_payload}, u64{cover.surcharge}, u64{cover.skips_throttled},
                            static_cast<u64>(budget.scope), u64{cover.is_share}, ordinal, u64{budget.reserves_count}})
        digest.add(one);
      for (const image::Reserve& reserve :
           view_.budget_reserves.subspan(budget.reserves_first, budget.reserves_count))
        digest.add(reserve.share);
      plan.id = digest.end();
      if (ids_.insert(plan.id).second) break;
    }
    plans_.push_back(std::move(plan));
  }

  const Policy& policy_;
  const image::View& view_;
  Tick wall_now_;
  std::vector<AccountPlan> plans_;
  std::unordered_set<u64> ids_;
};

}  // namespace

Identity AccountPlan::identity(u32 part, const HostKey& host) const {
  Digest digest;
  digest.add(id);
  digest.add(u64{part});
  digest.add(host);
  Identity made;
  const u64 words[] = {digest.end(), id};
  std::memcpy(made.bytes.data(), words, sizeof words);
  return made;
}

std::vector<AccountPlan> account_plans(const Policy& policy, Tick wall_now) { return Planner(policy, wall_now).run(); }

bool is_stricter(const AccountRule& rule, const AccountRule& than) {
  if (rule.on_exceed != than.on_exceed || rule.throttle_bits_per_s < than.throttle_bits_per_s) return true;
  return std::ranges::any_of(std::span(rule.windows).first(rule.windows_count), [&](const WindowRule& window) {
    return std::ranges::none_of(std::span(than.windows).first(than.windows_count), [&](const WindowRule& other) {
      return other.length_us == window.length_us && other.limit_bytes <= window.limit_bytes;
    });
  });
}

}  // namespace weir::ledger
