#include "tests/property/desk_world.hpp"

#include <algorithm>

namespace weir::test {
namespace {

constexpr HashKey secret{{1, 2, 3, 4}};
constexpr u64 largest_frame = ledger::throttle_burst_bytes;
constexpr u32 nobody = 0;
const std::string port_names[] = {"inside", "outside"};

std::vector<u8> frame_of(u32 source, u32 target, u16 source_port, u16 target_port, u32 payload) {
  std::vector<u8> frame{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
  const auto put8 = [&](u32 value) { frame.push_back(static_cast<u8>(value)); };
  const auto put16 = [&](u32 value) { put8(value >> 8), put8(value); };
  const auto put32 = [&](u32 value) { put16(value >> 16), put16(value & 0xffff); };
  put16(0x4500), put16(28 + payload), put32(0), put16(0x4011), put16(0), put32(source), put32(target);
  u32 sum = 0;
  for (std::size_t i = 14; i < 34; i += 2) sum += load_be16(&frame[i]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  frame[24] = static_cast<u8>(~sum >> 8), frame[25] = static_cast<u8>(~sum);
  put16(source_port), put16(target_port), put16(8 + payload), put16(0);
  frame.resize(frame.size() + payload);
  return frame;
}

u32 segment_of(u32 source) { return source >> 8 & 1; }

}  // namespace

DeskWorker::DeskWorker(const InstalledPolicy* in_force, LimitCells& cells)
    : policy(in_force),
      table_memory_(FlowTable::bytes_needed(flows)),
      charging_memory_(Charging::bytes_needed(flows)),
      table_(table_memory_.bytes(), flows),
      charging_(charging_memory_.bytes(), flows, cells, secret) {
  PipelineConfig config{.secret = secret};
  charging_.lend_to(config);
  pipeline_ = std::make_unique<Pipeline>(config, table_, counters_);
}

bool DeskWorker::send(const std::vector<u8>& frame, Tick now) {
  std::vector<u8> copy = frame;
  std::vector<Outcome> outcomes(outcomes_max);
  Packet packet{};
  packet.data = reinterpret_cast<std::byte*>(copy.data());
  packet.bytes = static_cast<u32>(copy.size());
  packet.time = now;
  bool left = false;
  const auto look = [&](u32 count) {
    for (u32 i = 0; i < count; ++i) left |= outcomes[i].verdict == Verdict::forward;
  };
  look(pipeline_->process({&packet, 1}, policy, outcomes, {}).outcomes);
  while (!pipeline_->idle()) look(pipeline_->drain(policy, outcomes));
  return left;
}

DeskWorld::DeskWorld(u64 seed, DeskMistake mistake)
    : random_(seed),
      mistake_(mistake),
      opens_empty_(seed % 3 == 0),
      throttles_(seed % 4 == 1 && mistake != DeskMistake::crossed_seats),
      counts_payload_(seed % 5 == 2) {}

ledger::Reading DeskWorld::reading() const {
  const u64 rate = mistake_ == DeskMistake::fast_clocks ? 2 : 1;
  return {.clock = {{7, 7}, static_cast<u64>(static_cast<std::int64_t>(real_us_ * rate) + boottime_step_us_),
                    real_us_ * rate},
          .wall_us = real_us_};
}

ledger::Settings DeskWorld::settings() {
  using ledger::Done;
  ledger::Storage storage{
      .read = [this](const std::string& name) -> std::expected<std::optional<ledger::Bytes>, ledger::Error> {
        return files_.contains(name) ? std::optional(files_[name]) : std::nullopt;
      },
      .create = [this](const std::string& name) { return files_[name].clear(), Done{}; },
      .append =
          [this](const std::string& name, std::span<const std::byte> bytes) {
            files_[name].insert(files_[name].end(), bytes.begin(), bytes.end());
            return Done{};
          },
      .sync = [](const std::string&) { return Done{}; },
      .rename =
          [this](const std::string& from, const std::string& to) {
            files_[to] = std::move(files_[from]);
            files_.erase(from);
            return Done{};
          },
      .sync_folder = [] { return Done{}; },
      .folder = "memory"};
  ledger::Settings made{.storage = std::move(storage), .key = {}, .anchor = {}};
  made.compact_over_bytes = 100'000;
  return made;
}

// A process begins: with what the last one wrote, and as many workers as it likes.
void DeskWorld::start(bool is_first) {
  desk_.reset();
  workers_.clear();
  news_.clear();
  auto opened = is_first ? ledger::Ledger::begin(settings(), reading(), true, "test")
                         : ledger::Ledger::open(settings(), reading());
  if (!opened) throw Exceeded{opened.error().sentence};
  ledger_.emplace(std::move(*opened));
  const u32 count = 1 + static_cast<u32>(below(3));
  desk_ = std::make_unique<ledger::Desk>(*ledger_, ledger::DeskTerms{.workers = count});
  for (u32 i = 0; i < count; ++i) workers_.push_back(std::make_unique<DeskWorker>(nullptr, cells_));
}

void DeskWorld::tell(u32 worker) {
  PurseNews told[16];
  const u32 count = workers_[worker]->charging().till().tell(now(), told);
  for (u32 i = 0; i < count; ++i) {
    if (mistake_ == DeskMistake::hides_spent) told[i].returned += std::exchange(told[i].spent, 0);
    news_.push_back({worker, told[i]});
  }
}

void DeskWorld::deliver(u32 worker) {
  for (; !workers_[worker]->gifts.empty(); workers_[worker]->gifts.pop_front())
    workers_[worker]->charging().till().take(workers_[worker]->gifts.front());
}

// The news first, then the clocks.
void DeskWorld::keeper_round(bool lends) {
  const std::deque<News> heard = std::exchange(news_, {});
  ledger_->advance(reading());
  for (const News& one : heard) desk_->hear(one.worker, one.news);
  if (now() >= desk_->next_change() && !desk_->change(now()))
    throw Exceeded{"no change"};
  if (lends && !desk_->lend([&](u32 worker, const PurseGift& gift) { give(worker, gift); }))
    throw Exceeded{"no lending"};
  for (const ledger::Notice& notice : desk_->notices())
    (notice.kind == ledger::Notice::Kind::alert ? alerts_ : refused_hosts_) += 1;
}

void DeskWorld::come_back(const std::vector<u32>& purses) {
  for (u32 worker = 0; worker < workers_.size(); ++worker)
    for (const u32 purse : purses) give(worker, {PurseGift::Kind::give_back, purse, 0, {}});
  for (u32 round = 0; round == 0 || !desk_->are_back(purses); ++round) {
    if (round == 1000) throw Exceeded{"leases do not come back"};
    for (u32 worker = 0; worker < workers_.size(); ++worker) deliver(worker), tell(worker);
    keeper_round(false);
    if (chance(20)) send();
    pass(below(1000));
  }
}

void DeskWorld::install(DeskPolicy& next) {
  if (mistake_ == DeskMistake::forgets && policy_ != nullptr) {
    files_.clear();
    for (DeskPolicy& policy : policies_) policy.installed->seats = {};
    start(true);
  }
  come_back(desk_->to_come_back(*next.for_desk, now()));
  const auto seats = desk_->prepare(*next.for_desk, port_names, now());
  if (!seats) throw Exceeded{seats.error().sentence};
  next.seats.assign(seats->begin(), seats->end());
  if (mistake_ == DeskMistake::crossed_seats) std::ranges::reverse(next.seats);
  next.installed->seats = next.seats;
  for (const auto& worker : workers_) {
    for (u64 i = below(4); i != 0; --i) pass(below(20'000)), send();
    worker->policy = next.installed.get();
    worker->stated = &next;
  }
  policy_ = &next;
  come_back(desk_->leaving());
  ledger_->advance(reading());
  if (!desk_->retire_leaving()) throw Exceeded{"no retirement"};
  if (!desk_->float_all([&](u32 worker, const PurseGift& gift) { give(worker, gift); })) throw Exceeded{"no float"};
  ++installs_;
}

// Workers tell at least ten times a second.
void DeskWorld::pass(Tick us) {
  for (; us != 0; us -= std::min<Tick>(us, 50'000)) {
    real_us_ += std::min<Tick>(us, 50'000);
    for (u32 worker = 0; worker < workers_.size(); ++worker) tell(worker);
  }
}

bool DeskWorld::covers(const control::Budget& budget, const Left& packet) const {
  return std::ranges::count(budget.from, segment_of(packet.source)) != 0 &&
         (budget.any_service || std::ranges::any_of(budget.services.udp, [&](const control::PortRange& range) {
            return range.first <= packet.port && packet.port <= range.last;
          }));
}

// What an account that opens empty can know of: bytes that another counted in its windows.
bool DeskWorld::counted(const control::Budget& budget, const Left& packet) const {
  if (!opens_empty_) return true;
  constexpr auto throttle = control::Budget::Exceed::throttle;
  return std::ranges::any_of(packet.policy->model.budgets, [&](const control::Budget& other) {
    return covers(other, packet) && (other.on_exceed != throttle || budget.on_exceed == throttle);
  });
}

// In the interval that ends with this packet; of one host where one is named.
void DeskWorld::check_sum(const Left& packet, const control::Budget& budget, u64 parts, u32 host,
                          bool only_unreserved) const {
  for (const control::Window& window : budget.windows) {
    u64 limit = share_of(window.bytes, static_cast<u32>(parts));
    if (only_unreserved) {
      limit = window.bytes;
      for (const auto& reserve : budget.reserves) limit -= share_of(window.bytes, reserve.share);
    }
    const Tick length = window.length_s * tick_second;
    if (budget.on_exceed == control::Budget::Exceed::throttle && (parts == 10'000))
      limit += 88'000 * window.length_s / 8 + largest_frame;
    u64 sum = 0;
    for (auto one = left_.rbegin(); one != left_.rend() && one->at + length >= packet.at; ++one) {
      if (one->policy->number > packet.policy->number || !covers(budget, *one) || !counted(budget, *one)) continue;
      if (host != nobody && one->source != host) continue;
      if (budget.scope == control::Budget::Scope::segment && segment_of(one->source) != segment_of(packet.source))
        continue;
      if (only_unreserved && has_reserve(budget, *one)) continue;
      sum += budget.count == control::Budget::Count::wire ? one->frame_bytes : one->payload_bytes + budget.surcharge;
    }
    if (sum > limit)
      throw Exceeded{budget.name + ": " + std::to_string(sum) + " of " + std::to_string(limit) + " bytes in " +
                     std::to_string(window.length_s) + " s"};
  }
}

bool DeskWorld::has_reserve(const control::Budget& budget, const Left& packet) const {
  return std::ranges::any_of(budget.reserves, [&](const control::Budget::Reserve& reserve) {
    return reserve.segment ? *reserve.segment == segment_of(packet.source) : packet.port == 53;
  });
}

void DeskWorld::check(const Left& packet) const {
  for (const control::Budget& budget : packet.policy->model.budgets) {
    const bool monitors =
        budget.monitor && packet.at < static_cast<Tick>(*budget.monitor_until_s) * tick_second;
    if (!covers(budget, packet) || budget.on_exceed == control::Budget::Exceed::alert || monitors) continue;
    const bool by_host = budget.scope == control::Budget::Scope::host;
    check_sum(packet, budget, 10'000, by_host ? packet.source : nobody, false);
    if (budget.max_share != 0) check_sum(packet, budget, budget.max_share, packet.source, false);
    const bool throttles = budget.on_exceed == control::Budget::Exceed::throttle;
    if (has_reserve(budget, packet) || throttles) continue;
    check_sum(packet, budget, 0, by_host ? packet.source : nobody, true);
  }
}

void DeskWorld::send() {
  const u32 worker = static_cast<u32>(below(workers_.size()));
  if (workers_[worker]->policy == nullptr) return;
  const u32 source = 0x0a000001 + (chance(50) ? 0x100 : 0) + static_cast<u32>(below(4));
  const u16 port = static_cast<u16>(53 + below(3));
  const u32 payload = static_cast<u32>(chance(10) ? 0 : below(1400));
  const auto frame = frame_of(source, 0x0a090001, static_cast<u16>(40000 + 4 * worker + below(3)), port, payload);
  ++sent_;
  real_us_ += 1;
  if (!workers_[worker]->send(frame, now())) return;
  ++left_total_;
  left_.push_back({now(), source, port, frame.size(), payload, workers_[worker]->stated});
  while (left_.front().at + 64 * tick_second < now()) left_.pop_front();
  check(left_.back());
  for (const control::Budget& budget : workers_[worker]->stated->model.budgets) {
    if (budget.scope != control::Budget::Scope::host || budget.monitor || !covers(budget, left_.back()) ||
        budget.on_exceed == control::Budget::Exceed::alert)
      continue;
    auto& hosts = hosts_[std::to_string(workers_[worker]->stated->number) + budget.name +
                         std::to_string(segment_of(source))];
    hosts.insert(source);
    if (hosts.size() > 3) throw Exceeded{budget.name + ": a fourth host"};
  }
}

void DeskWorld::run(u32 steps) {
  start(true);
  install(compiled(random_model()));
  for (u32 i = 0; i < steps; ++i) {
    const u64 what = below(1000);
    if (what < 700) send();
    else if (what < 800) pass(below(30'000));
    else if (what < 860) keeper_round(true);
    else if (what < 960) deliver(static_cast<u32>(below(workers_.size())));
    else if (what < 975) pass(below(3'000'000));
    else if (what < 985) boottime_step_us_ += static_cast<std::int64_t>(below(4'000'000)) - 2'000'000;
    else if (what < 996) {
      control::Model model = policy_->model;
      change(model);
      install(compiled(std::move(model)));
    } else {
      // What open budgets let pass and no worker has told is lost with a process.
      const bool is_open = std::ranges::any_of(policy_->model.budgets, [](const control::Budget& budget) {
        return budget.monitor || budget.on_exceed == control::Budget::Exceed::alert;
      });
      if (is_open) {
        pass(200'000);
        keeper_round(true);
        if (!ledger_->commit(true)) throw Exceeded{"no commit"};
      }
      if (chance(50)) real_us_ += below(2'000'000);
      start(false);
      control::Model model = policy_->model;
      if (chance(40)) change(model);
      install(compiled(std::move(model)));
    }
  }
}

}  // namespace weir::test
