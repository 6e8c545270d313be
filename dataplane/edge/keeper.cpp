#include "dataplane/edge/keeper.hpp"

#include "dataplane/edge/dataplane.hpp"

#include <fmt/format.h>

#include <functional>

namespace weir::edge {
namespace {

using std::chrono::microseconds;

constexpr auto pause = microseconds(150), long_pause = microseconds(1000);
constexpr auto closed_pause = microseconds(50'000);  // there is nothing to lend: it only has to hear
constexpr u32 idle_rounds_before_long = 256, news_at_once = 8192;
constexpr auto give_back_wait_max = std::chrono::seconds(5);

// By the window of which least is left.
BudgetLine line_of(const std::string& name, Account account, BudgetTime now) {
  account.advance(now);
  BudgetLine made{name, 0, 0, 0, account.state().outstanding};
  u64 least = ~u64{0};
  for (u32 i = 0; i < account.rule().windows_count; ++i) {
    const WindowRule& rule = account.rule().windows[i];
    const u64 spent = account.spent(i), left = rule.limit_bytes - std::min(rule.limit_bytes, spent);
    if (left >= least) continue;
    least = left;
    made.length_s = rule.length_us / 1'000'000;
    made.limit = rule.limit_bytes;
    made.spent = spent;
  }
  return made;
}

}  // namespace

Keeper::Keeper(KeeperConfig config, const PolicySlot& slot, const LiveClock& clock, const OrdinaryCores& ordinary)
    : config_(std::move(config)), slot_(slot), clock_(clock) {
  for (u32 worker = 0; worker < config_.workers; ++worker) lines_.push_back(std::make_unique<KeeperLine>());
  if (!config_.places.folder.empty()) open();
  thread_ = std::thread([this, ordinary] { ordinary.enter(), run(); });
}

Keeper::~Keeper() {
  {
    const std::lock_guard turn(pause_mutex_);
    stop_.store(true, std::memory_order_relaxed);
  }
  over_.notify_all();  // a restart waits for no pause
  thread_.join();
}

void Keeper::open() {
  auto clocks = ledger::Clocks::of_this_boot();
  if (!clocks) return close(clocks.error().sentence);
  auto settings = ledger::settings_of(config_.places);
  if (!settings) return close(settings.error().sentence);
  auto opened = ledger::Ledger::open(std::move(*settings), clocks->read());
  if (!opened) return close(opened.error().sentence);
  clocks_ = *clocks;
  ledger_.emplace(std::move(*opened));
  desk_ = std::make_unique<ledger::Desk>(*ledger_, ledger::DeskTerms{.workers = config_.workers});
}

// What lies in purses is recorded and may be spent; no more is lent.
void Keeper::close(const std::string& sentence) {
  if (!closed_.empty()) return;
  closed_ = sentence;
  say("LEDGER CLOSED: all that a budget covers is denied: " + sentence);
}

void Keeper::run() {
  for (u32 idle = 0; !stop_.load(std::memory_order_relaxed);) {
    {
      const Lock lock(mutex_);
      idle = round() ? 0 : idle + 1;
    }
    const bool may_lend = desk_ != nullptr;  // set before this thread was
    std::unique_lock turn(pause_mutex_);
    over_.wait_for(turn, !may_lend ? closed_pause : idle > idle_rounds_before_long ? long_pause : pause,
                   [this] { return stop_.load(std::memory_order_relaxed); });
  }
}

// Whether there was anything to do.
bool Keeper::round() {
  const bool heard = hear();
  if (!is_open()) return false;
  const bool installs = phase_ != Phase::lending;
  if (installs) install_step();
  if (phase_ == Phase::lending) lend();
  for (auto& line : lines_) line->give_waiting();
  tell_people();
  return heard || installs;
}

// The clocks are read after the rings: what was told has left by then.
bool Keeper::hear() {
  heard_.clear();
  for (u32 worker = 0; worker < config_.workers; ++worker)
    for (PurseNews news; heard_.size() < news_at_once && lines_[worker]->take(news);) heard_.push_back({worker, news});
  if (!is_open()) return false;
  ledger_->advance(clocks_->read());
  for (const Heard& one : heard_) desk_->hear(one.worker, one.news);
  return !heard_.empty();
}

void Keeper::install_step() {
  if (phase_ == Phase::flipped && slot_.all_announced(config_.workers, awaited_)) {
    leaving_ = desk_->leaving();
    ask_back(leaving_);
    phase_ = Phase::leaving;
  }
  if (phase_ != Phase::leaving || !desk_->are_back(leaving_)) return;
  phase_ = Phase::lending;
  const auto done = ledger::in_turn([&] { return desk_->retire_leaving(); }, [&] { return desk_->float_all(giver()); });
  if (!done) close(done.error().sentence);
}

void Keeper::lend() {
  ledger::Done done;
  if (const Tick now = clock_.now(); now >= desk_->next_change()) done = desk_->change(now);
  if (done && desk_->has_wants()) done = desk_->lend(giver());
  if (!done) close(done.error().sentence);
}

void Keeper::tell_people() {
  for (const ledger::Notice& notice : desk_->notices()) say(notice.sentence);
}

ledger::Desk::Give Keeper::giver() {
  return [this](u32 worker, const PurseGift& gift) { lines_[worker]->give(gift); };
}

void Keeper::ask_back(const std::vector<u32>& purses) {
  for (auto& line : lines_)
    for (const u32 purse : purses) line->give({PurseGift::Kind::give_back, purse, 0, {}});
}

// Asked under the lock, waited for without it.
bool Keeper::wait_for(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + give_back_wait_max;
  while (true) {
    {
      const Lock lock(mutex_);
      if (!is_open() || done()) return true;
    }
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(pause);
  }
}

// Before a policy comes into force: what changes is asked back, opened, and on the disk.
std::expected<std::span<const AccountSeat>, Error> Keeper::prepare(const Policy& policy) {
  if (!wait_for([&] { return phase_ == Phase::lending ? (phase_ = Phase::preparing, true) : false; }))
    return std::unexpected(Error{"purses of the policy before the last one have not come back yet"});
  std::vector<u32> purses;
  if (const Lock lock(mutex_); is_open())
    ask_back(purses = desk_->to_come_back(policy, clock_.now()));
  const bool are_back = wait_for([&] { return desk_->are_back(purses); });
  const Lock lock(mutex_);
  if (!are_back) {
    phase_ = Phase::lending;
    return std::unexpected(Error{"not every worker has given back what it was lent"});
  }
  if (!is_open()) return std::span<const AccountSeat>();
  ledger_->advance(clocks_->read());
  const auto seats = desk_->prepare(policy, config_.port_names, clock_.now());
  if (seats) return *seats;
  if (ledger_->closed() == nullptr) {
    phase_ = Phase::lending;
    return std::unexpected(Error{seats.error().sentence});
  }
  close(seats.error().sentence);
  return std::span<const AccountSeat>();
}

void Keeper::flipped(const InstalledPolicy* policy) {
  const Lock lock(mutex_);
  awaited_ = policy;
  phase_ = Phase::flipped;
}

void Keeper::goes_on_as(const InstalledPolicy* policy) {
  const Lock lock(mutex_);
  awaited_ = policy;
}

void Keeper::take_back(u32 worker, Till& till) {
  const Lock lock(mutex_);
  phase_ = Phase::preparing;
  do lines_[worker]->give_waiting(), lines_[worker]->take_rest(till);
  while (lines_[worker]->has_waiting());
  hear();
  if (!is_open()) return;
  for (u32 purse = 1; purse < desk_->purses_end(); ++purse) {
    const Purse::Report report = till.give_back(purse);
    const u64 over = till.take_over(purse);
    if (!report.is_empty() || over != 0)
      desk_->hear(worker, {.number = purse, .spent = report.spent, .returned = report.returned, .over = over});
  }
  if (const auto done = ledger_->commit(true); !done) close(done.error().sentence);
}

LedgerStatus Keeper::status() {
  const Lock lock(mutex_);
  LedgerStatus made;
  if (config_.places.folder.empty()) return made;
  made.state = is_open() ? door::LedgerState::open : door::LedgerState::closed;
  made.sentence = closed_;
  if (!is_open()) return made;
  desk_->each([&](const ledger::Desk::Line& line) {
    if (++made.budgets_count > door::budgets_shown_max) return;
    made.budgets.push_back(line_of(line.name, ledger_->view(line.number), ledger_->now()));
  });
  return made;
}

}  // namespace weir::edge
