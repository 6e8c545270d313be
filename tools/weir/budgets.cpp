#include "tools/weir/budgets.hpp"

#include "control/report/report.hpp"
#include "dataplane/ledger/books.hpp"
#include "tools/weir/commands.hpp"
#include "tools/weir/ledger_acts.hpp"
#include "tools/weir/rules.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

using Json = nlohmann::ordered_json;

struct BudgetsOptions {
  std::string file, key, output = "table";
  LedgerAct act;
};

constexpr u64 second_us = 1'000'000;

// RFC 3339, in UTC.
std::string time_text(u64 wall_us) {
  const auto seconds = static_cast<std::time_t>(wall_us / second_us);
  std::tm parts{};
  char text[32];
  if (gmtime_r(&seconds, &parts) == nullptr) return "?";
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string length_text(u64 length_us) {
  if (length_us == 0) return "lifetime";
  for (const auto& [unit, us] : {std::pair{"d", 86'400 * second_us}, {"h", 3600 * second_us}, {"s", second_us}})
    if (length_us % us == 0) return fmt::format("{}{}", length_us / us, unit);
  return fmt::format("{}us", length_us);
}

template <std::size_t count>
std::string hex(const std::array<u8, count>& bytes) {
  std::string text;
  for (const u8 byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

struct Verified {
  ledger::Walk walk;
  ledger::Books books;
};

std::expected<Verified, std::string> verify_ledger(const BudgetsOptions& options, bool& is_usage) {
  is_usage = true;
  const auto key = ledger::load_key(options.key);
  if (!key) return std::unexpected(key.error().sentence);
  std::ifstream file(options.file, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  if (!file) return std::unexpected(fmt::format("cannot read {}: {}", options.file, std::strerror(errno)));
  is_usage = false;
  Verified made;
  const auto bytes = std::as_bytes(std::span(text));
  const auto walked =
      ledger::walk(options.file, bytes, *key, [&](const ledger::Frame& frame) { return made.books.apply(frame); });
  if (!walked) return std::unexpected(walked.error().sentence);
  made.walk = *walked;
  return made;
}

// When a moment of budget time was, as the wall clock of the last frame tells it: a label.
u64 wall_of(const ledger::Stamp& last, BudgetTime at) {
  return last.wall_us + at - std::min(last.budget_us, last.wall_us + at);
}

Json json_of(const ledger::Book& book, const ledger::Stamp& last) {
  AccountState state = book.state;
  const Account account(book.statement->rule, state, book.memory.get());
  Json made{{"name", book.statement->name}, {"identity", hex(book.identity.bytes)}, {"retired", book.is_retired},
            {"total", state.total},         {"leased", state.outstanding},          {"beyond", state.bucket_total}};
  if (state.known_since != 0) made["unknown_before"] = time_text(wall_of(last, state.known_since));
  u32 longest = account_windows_max;
  for (u32 i = 0; i < account.rule().windows_count; ++i) {
    const WindowRule& rule = account.rule().windows[i];
    made["windows"].push_back(
        {{"length", length_text(rule.length_us)}, {"spent", account.spent(i)}, {"limit", rule.limit_bytes}});
    if (longest == account_windows_max || rule.length_us > account.rule().windows[longest].length_us) longest = i;
  }
  made["left"] = Json::array();
  if (longest == account_windows_max || account.rule().windows[longest].is_lifetime()) return made;
  const Window window = account.window(longest);
  for (u64 slot = window.oldest(); slot <= window.newest(); ++slot)
    if (const u64 bytes = window.bytes_in(slot); bytes != 0)
      made["left"].push_back(
          {{"until", time_text(wall_of(last, std::min(window.end_of(slot), last.budget_us)))}, {"bytes", bytes}});
  return made;
}

Json json_of(const Verified& verified, const std::string& file) {
  const ledger::Walk& walk = verified.walk;
  Json made{{"ledger", file},
            {"frames", walk.frames},
            {"first", walk.first_number},
            {"last", walk.last.number},
            {"head", hex(walk.last_tag)},
            {"at", time_text(walk.last.stamp.wall_us)},
            {"torn_bytes", walk.torn_bytes},
            {"notes", Json::array()},
            {"accounts", Json::array()}};
  for (const ledger::Note& note : verified.books.notes())
    made["notes"].push_back({{"at", time_text(note.wall_us)}, {"text", note.text}});
  for (const ledger::Book& book : verified.books.all())
    if (book.statement != nullptr) made["accounts"].push_back(json_of(book, walk.last.stamp));
  return made;
}

void print_table(const Json& made) {
  const auto text = [](const Json& value) { return control::harmless(value.get<std::string>()); };
  fmt::print("{}: sound: frames {} to {}, each authentic and following the one before; the last of {}\nhead {}\n",
             text(made["ledger"]), made["first"].get<u64>(), made["last"].get<u64>(), text(made["at"]),
             text(made["head"]));
  if (made["torn_bytes"] != 0)
    fmt::print("the last {} bytes are a write that did not end; nobody had its leases\n",
               made["torn_bytes"].get<u64>());
  for (const Json& note : made["notes"]) fmt::print("{}  {}\n", text(note["at"]), text(note["text"]));
  for (const Json& account : made["accounts"]) {
    fmt::print("\n{} {}{}: {} bytes ever, {} leased, {} beyond the windows\n", text(account["name"]),
               text(account["identity"]), account["retired"] ? " (retired)" : "", account["total"].get<u64>(),
               account["leased"].get<u64>(), account["beyond"].get<u64>());
    if (account.contains("unknown_before"))
      fmt::print("  what left before {} is not known\n", text(account["unknown_before"]));
    for (const Json& window : account["windows"])
      fmt::print("  {:>8}  {} of {}\n", text(window["length"]), window["spent"].get<u64>(), window["limit"].get<u64>());
    for (const Json& slot : account["left"])
      fmt::print("  until {}  {}\n", text(slot["until"]), slot["bytes"].get<u64>());
  }
}

int run_verify(const BudgetsOptions& options) {
  bool is_usage = false;
  const auto verified = verify_ledger(options, is_usage);
  if (!verified) {
    fmt::print(stderr, "weir: {}\n", control::harmless(verified.error()));
    return is_usage ? exit_invalid : exit_no;
  }
  const Json made = json_of(*verified, options.file);
  if (options.output == "table") print_table(made);
  else fmt::print("{}", text_of(made, options.output == "jsonl"));
  return exit_yes;
}

int run_budgets(BudgetsOptions& options) {
  if (!options.file.empty()) return run_verify(options);
  options.act.places.key = options.key;
  const auto done = act_on_ledger(options.act);
  if (!done) {
    fmt::print(stderr, "weir: {}\n", control::harmless(done.error().sentence));
    return exit_no;
  }
  fmt::print("{}\n", control::harmless(*done));
  return exit_yes;
}

}  // namespace

void add_budgets(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<BudgetsOptions>();
  CLI::App* command = app.add_subcommand("budgets", "Verify a ledger: what left, and when. Begin one; forgive");
  CLI::App* what = command->add_option_group("what", "One of:")->require_option(1);
  what->add_option("--verify", options->file, "A ledger's file, which nobody need be running");
  CLI::Option* begin = what->add_option("--begin", options->act.begin, "A folder, in which to begin a new ledger");
  CLI::Option* forgive =
      what->add_option("--forgive", options->act.forgive,
                       "A budget's name: what left of it counts no more. The ledger is in --ledger, and not in use");
  command->add_option("--key", options->key, "The file of its key")->required();
  command->add_option("--ledger", options->act.places.folder, "The folder of the ledger")->needs(forgive);
  command->add_option("--anchor", options->act.places.anchor, "The folder of its anchor, on another device");
  CLI::Option* first =
      command->add_flag("--first", options->act.is_first, "There has been none: nothing left before it")->needs(begin);
  command->add_option("--why", options->act.why, "What the ledger keeps of your reasons")->excludes(first);
  command->add_option("-o,--output", options->output, "table, json or jsonl")
      ->check(CLI::IsMember({"table", "json", "jsonl"}));
  command->callback([options, &exit_code] { exit_code = run_budgets(*options); });
}

}  // namespace weir
