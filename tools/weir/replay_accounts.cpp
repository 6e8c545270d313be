#include "tools/weir/replay_accounts.hpp"

namespace weir {
namespace {

using ledger::Done;

// Nobody asks afterwards.
ledger::Storage nowhere() {
  return {.read = [](const std::string&) { return std::optional<ledger::Bytes>(); },
          .create = [](const std::string&) { return Done{}; },
          .append = [](const std::string&, std::span<const std::byte>) { return Done{}; },
          .sync = [](const std::string&) { return Done{}; },
          .rename = [](const std::string&, const std::string&) { return Done{}; },
          .sync_folder = [] { return Done{}; },
          .folder = "replay"};
}

ledger::Reading reading_at(Tick now) { return {.clock = {{}, now, now}, .wall_us = now}; }

ledger::Ledger begun(Tick began) {
  ledger::Settings settings{.storage = nowhere(), .key = {}, .anchor = {}};
  settings.compact_over_bytes = ~u64{0};
  auto made = ledger::Ledger::begin(std::move(settings), reading_at(began), true, "replay");
  WEIR_CHECK(made.has_value());
  return std::move(*made);
}

}  // namespace

ReplayAccounts::ReplayAccounts(InstalledPolicy& installed, std::span<const std::string> port_names, Tick began)
    : ledger_(begun(began)), desk_(ledger_, {.is_exact = true, .begins_empty = true}) {
  const auto seats = desk_.prepare(installed.policy, port_names, began);
  WEIR_CHECK(seats.has_value() && desk_.retire_leaving());
  installed.seats = *seats;
}

void ReplayAccounts::begin_packet(Tick now) {
  ledger_.advance(reading_at(now));
  if (now >= desk_.next_change()) WEIR_CHECK(desk_.change(now));
}

void ReplayAccounts::end_packet(Till& till) {
  for (const u32 purse : lent_) {
    const Purse::Report report = till.give_back(purse);
    if (!report.is_empty()) desk_.hear(0, {.number = purse, .spent = report.spent, .returned = report.returned});
  }
  lent_.clear();
}

// Nothing wanted: an open purse tells what left beyond it.
void ReplayAccounts::lend(void* self, Till& till, u32 purse, u64 least) {
  auto& accounts = *static_cast<ReplayAccounts*>(self);
  accounts.desk_.hear(0, {.number = purse, .over = till.take_over(purse), .least = least});
  WEIR_CHECK(accounts.desk_.lend([&](u32, const PurseGift& gift) {
    if (gift.bytes == 0) return;
    till.put(gift.number, gift.bytes);
    accounts.lent_.push_back(gift.number);
  }));
}

u32 ReplayAccounts::open_host(void* self, u32 seat, const Address& host) {
  auto& accounts = *static_cast<ReplayAccounts*>(self);
  u32 first = no_purse;
  accounts.desk_.hear(0, {.kind = PurseNews::Kind::host, .number = seat, .host = host});
  WEIR_CHECK(accounts.desk_.lend([&](u32, const PurseGift& gift) { first = static_cast<u32>(gift.bytes); }));
  return first;
}

}  // namespace weir
