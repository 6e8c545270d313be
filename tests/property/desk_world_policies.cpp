// Policies of the desk's world: two segments of four hosts that may speak to a third, up to three budgets over them.
#include "dataplane/policy/verify.hpp"
#include "tests/property/desk_world.hpp"

#include <algorithm>

namespace weir::test {

using control::Budget;

Budget DeskWorld::random_budget() {
  Budget budget;
  budget.name = std::to_string(below(1000)).insert(0, 1, 'b');
  budget.from = chance(50) ? std::vector<u32>{0, 1} : std::vector<u32>{static_cast<u32>(below(2))};
  budget.to_any = chance(30);
  if (!budget.to_any) budget.to = {2};
  budget.any_service = chance(50);
  budget.services.udp = {{0, 65535}};
  if (!budget.any_service) budget.services.udp = {{53, static_cast<u16>(53 + below(2))}};
  // Who opens empty knows nothing of accounts that were forgotten since: so these had windows as long as any.
  u64 limit = 3'000 + below(20'000), length_s = opens_empty_ ? 2 : 1 + below(4);
  for (u64 i = 0, count = opens_empty_ ? 2 : 1 + below(2); i < count; ++i) {
    budget.windows.push_back({limit, length_s, {}});
    limit += below(2 * limit);
    length_s *= opens_empty_ ? 4 : 2 + below(3);
  }
  if (counts_payload_) budget.count = Budget::Count::payload;
  budget.scope = static_cast<Budget::Scope>(below(3));
  if (throttles_ && chance(50)) {
    budget.on_exceed = Budget::Exceed::throttle;
    budget.throttle_bits_per_s = 8'000 + below(80'000);
  } else if (chance(15) && budget.scope != Budget::Scope::host) {
    budget.on_exceed = Budget::Exceed::alert;
  }
  if (chance(30)) budget.alert_at = {50, 90};
  if (budget.scope != Budget::Scope::host && budget.on_exceed != Budget::Exceed::alert && chance(30))
    budget.max_share = 2'000 + static_cast<u32>(below(8'000));
  if (chance(30) && mistake_ != DeskMistake::crossed_seats) {  // those have one purse each
    Budget::Reserve reserve;
    if (chance(50)) reserve.segment = budget.from[0];
    else reserve.services.udp = {{53, 53}};
    reserve.share = 1'000 + static_cast<u32>(below(4'000));
    budget.reserves.push_back(std::move(reserve));
  }
  budget.opens_empty = opens_empty_;
  // Of a host that has no purse yet, what counts and never refuses lets a flow go uncounted.
  if (chance(15) && budget.scope != Budget::Scope::host) {
    budget.max_share = 0;
    budget.monitor = true;
    budget.monitor_until_s = static_cast<std::int64_t>(now() / tick_second) + 1 + static_cast<std::int64_t>(below(6));
  }
  return budget;
}

control::Model DeskWorld::random_model() {
  control::Model model;
  model.name = "desk";
  model.files = {"desk.toml"};
  model.line_starts = {{0}};
  for (const u32 first : {0x0a000001u, 0x0a000101u, 0x0a090001u}) {
    control::Segment segment;
    segment.name = std::to_string(model.segments.size()).insert(0, 1, 's');
    segment.has_addresses = true;
    segment.addresses.ipv4 = {{first, first + 3}};
    segment.hosts = 3;  // of four that speak
    model.segments.push_back(std::move(segment));
  }
  control::Statement allow;
  allow.name = "all";
  allow.from = {0, 1};
  allow.to = {2};
  allow.services.udp = {{0, 65535}};
  model.statements = {allow};
  for (u64 i = 0, count = 1 + below(3); i < count; ++i) model.budgets.push_back(random_budget());
  return model;
}

// A rename, other amounts, one budget more or less; or everything anew.
void DeskWorld::change(control::Model& model) {
  const u64 which = below(5);
  Budget& one = model.budgets[below(model.budgets.size())];
  if (which == 0) one.name = std::to_string(below(1000)).insert(0, 1, 'r');
  else if (which == 1)
    for (control::Window& window : one.windows) window.bytes = window.bytes / 2 + below(window.bytes) + 1;
  else if (which == 2 && model.budgets.size() < 4) model.budgets.push_back(random_budget());
  else if (which == 3 && model.budgets.size() > 1) model.budgets.pop_back();
  else model = random_model();
  std::ranges::sort(model.budgets, {}, &Budget::name);
  for (std::size_t i = 1; i < model.budgets.size(); ++i)
    if (model.budgets[i].name == model.budgets[i - 1].name) model.budgets[i].name.push_back('x');
  for (Budget& budget : model.budgets)
    if (budget.monitor && budget.monitor_until_s <= static_cast<std::int64_t>(now() / tick_second))
      budget.monitor = false;
}

DeskPolicy& DeskWorld::compiled(control::Model model) {
  DeskPolicy& made = policies_.emplace_back();
  made.number = policies_.size();
  const auto image = control::compile(model, made.number);
  if (!image) throw Exceeded{"does not compile: " + image.error().sentence};
  made.image.emplace(image->image);
  if (mistake_ == DeskMistake::more_hosts)
    for (control::Segment& segment : model.segments) segment.hosts = 1000;
  made.image_for_desk.emplace(control::compile(model, made.number)->image);
  const auto policy = verify(made.image->bytes());
  if (!policy) throw Exceeded{"no sound image"};
  made.for_desk = *verify(made.image_for_desk->bytes());
  made.model = std::move(model);
  const std::string_view names[] = {"inside", "outside"};
  made.installed = std::make_unique<InstalledPolicy>(bind_ports(*policy, names));
  made.installed->installation = made.number;
  return made;
}

}  // namespace weir::test
