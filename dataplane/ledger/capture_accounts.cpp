#include "dataplane/ledger/capture_accounts.hpp"

namespace weir::ledger {
namespace {

// Nobody asks afterwards.
Storage nowhere() {
  return {.read = [](const std::string&) { return std::optional<Bytes>(); },
          .create = [](const std::string&) { return Done{}; },
          .append = [](const std::string&, std::span<const std::byte>) { return Done{}; },
          .sync = [](const std::string&) { return Done{}; },
          .rename = [](const std::string&, const std::string&) { return Done{}; },
          .sync_folder = [] { return Done{}; },
          .folder = "a capture"};
}

Reading reading_at(Tick since, Tick wall) { return {.clock = {{}, since, since}, .wall_us = wall}; }

Ledger begun() {
  Settings settings{.storage = nowhere(), .key = {}, .anchor = {}};
  settings.compact_over_bytes = ~u64{0};
  auto made = Ledger::begin(std::move(settings), reading_at(0, 0), true, "a capture");
  WEIR_CHECK(made.has_value());
  return std::move(*made);
}

}  // namespace

CaptureAccounts::CaptureAccounts() : ledger_(begun()), desk_(ledger_, {.is_exact = true, .begins_empty = true}) {}

std::expected<std::span<const AccountSeat>, Error> CaptureAccounts::prepare(const Policy& policy,
                                                                            std::span<const std::string> port_names) {
  return desk_.prepare(policy, port_names, now_);
}

void CaptureAccounts::in_force() { WEIR_CHECK(desk_.retire_leaving()); }

void CaptureAccounts::begin_packet(Tick now) {
  if (!began_) began_ = now;
  now_ = std::max(now_, now);
  ledger_.advance(reading_at(now_ - std::min(*began_, now_), now_));
  if (now_ >= desk_.next_change()) WEIR_CHECK(desk_.change(now_));
}

void CaptureAccounts::end_packet(Till& till) {
  for (const u32 purse : lent_) {
    const Purse::Report report = till.give_back(purse);
    if (!report.is_empty()) desk_.hear(0, {.number = purse, .spent = report.spent, .returned = report.returned});
  }
  lent_.clear();
}

// Nothing wanted: an open purse tells what left beyond it.
void CaptureAccounts::lend(void* self, Till& till, u32 purse, u64 least) {
  auto& accounts = *static_cast<CaptureAccounts*>(self);
  accounts.desk_.hear(0, {.number = purse, .over = till.take_over(purse), .least = least});
  WEIR_CHECK(accounts.desk_.lend([&](u32, const PurseGift& gift) {
    if (gift.bytes == 0) return;
    till.put(gift.number, gift.bytes);
    accounts.lent_.push_back(gift.number);
  }));
}

u32 CaptureAccounts::open_host(void* self, u32 seat, const Address& host) {
  auto& accounts = *static_cast<CaptureAccounts*>(self);
  u32 first = no_purse;
  accounts.desk_.hear(0, {.kind = PurseNews::Kind::host, .number = seat, .host = host});
  WEIR_CHECK(accounts.desk_.lend([&](u32, const PurseGift& gift) { first = static_cast<u32>(gift.bytes); }));
  return first;
}

}  // namespace weir::ledger
