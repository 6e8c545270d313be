#include "tools/weir/ledger_acts.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace weir {
namespace {

using ledger::Error;
using ledger::Ledger;
using ledger::Reading;

std::expected<std::string, Error> begin(ledger::Settings settings, const Reading& reading, const LedgerAct& act) {
  const auto made = Ledger::begin(std::move(settings), reading, act.is_first,
                                  act.is_first ? "the first one" : "after a loss: " + act.why);
  if (!made) return std::unexpected(made.error());
  return fmt::format("a new ledger in {}: {}", act.places.folder,
                     act.is_first ? "nothing has left yet"
                                  : "every account opens as spent, for its windows' length; lifetimes until forgiven");
}

// Accounts of a budget have its name, and those of its segments, parts and hosts that and more: "egress of web, each
// host".
bool is_of(const std::string& account, const std::string& budget) {
  if (!account.starts_with(budget)) return false;
  const std::string more = account.substr(budget.size());
  return more.empty() || more.starts_with(" of ") || more.starts_with(", ");
}

std::expected<std::string, Error> forgive(ledger::Settings settings, const Reading& reading, const LedgerAct& act) {
  auto opened = Ledger::open(std::move(settings), reading);
  if (!opened) return std::unexpected(opened.error());
  u32 forgiven = 0;
  for (ledger::Number number = 0; number < opened->books().all().size(); ++number) {
    const ledger::Book& book = opened->books().all()[number];
    if (book.statement == nullptr || !is_of(book.statement->name, act.forgive)) continue;
    opened->forgive(number, act.why);
    ++forgiven;
  }
  if (forgiven == 0)
    return std::unexpected(Error{fmt::format("ledger {}: no account is of `{}`", act.places.folder, act.forgive)});
  if (const auto done = opened->commit(true); !done) return std::unexpected(done.error());
  return fmt::format("{} account{} of `{}` in {} forgiven", forgiven, forgiven == 1 ? "" : "s", act.forgive,
                     act.places.folder);
}

}  // namespace

std::expected<std::string, Error> act_on_ledger(LedgerAct act) {
  const bool begins = !act.begin.empty();
  if (!act.is_first && act.why.empty())
    return std::unexpected(Error{begins ? "--first, or --why TEXT: the ledger keeps the reason"
                                        : "--why TEXT: the ledger keeps the reason"});
  if (begins) act.places.folder = act.begin;
  if (act.places.folder.empty()) return std::unexpected(Error{"--ledger DIR: where the ledger is"});
  std::error_code failed;
  for (const std::string& folder : {act.places.folder, act.places.anchor})
    if (begins && !folder.empty()) std::filesystem::create_directories(folder, failed);
  const auto clocks = ledger::Clocks::of_this_boot();
  if (!clocks) return std::unexpected(clocks.error());
  auto settings = ledger::settings_of(act.places);
  if (!settings) return std::unexpected(settings.error());
  return begins ? begin(std::move(*settings), clocks->read(), act) : forgive(std::move(*settings), clocks->read(), act);
}

}  // namespace weir
