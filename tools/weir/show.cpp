#include "tools/weir/show.hpp"

#include "control/report/report.hpp"
#include "tools/weir/see.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

namespace weir {
namespace {

constexpr int wait_ms = 100;

// What is counted where no packet is judged.
constexpr std::array elsewhere = {Reason::handover_full, Reason::guard_unenforced, Reason::guard_silent};

void say(const std::string& command, const std::string& sentence) {
  fmt::print(stderr, "weir {}: {}\n", command, control::harmless(sentence));
}

// "src host 10.0.0.1", "src net 10.0.0.0/8" or "src segment trainers".
std::string side_text(const char* side, const std::string& who) {
  for (const char* const word : {"host", "net"}) {
    std::string text = fmt::format("{} {} {}", side, word, who);
    if (see::Filter::parse(text)) return text;
  }
  return fmt::format("{} segment {}", side, who);
}

std::string filter_text(const ShowOptions& options) {
  std::vector<std::string> parts;
  if (!options.filter.empty()) parts.push_back(fmt::format("( {} )", fmt::join(options.filter, " ")));
  if (!options.from.empty()) parts.push_back(side_text("src", options.from));
  if (!options.to.empty()) parts.push_back(side_text("dst", options.to));
  return fmt::format("{}", fmt::join(parts, " and "));
}

std::expected<void, std::string> want_reasons(const std::vector<std::string>& names, MirrorWish& wish) {
  for (u32 at = 0; at < reasons_count && names.empty(); ++at)
    if (static_cast<Reason>(at) != Reason::fragment_held) wish.want(static_cast<Reason>(at));
  for (const std::string& name : names) {
    const auto found = std::ranges::find(reason_rows, name, &ReasonRow::name);
    if (found == std::end(reason_rows))
      return std::unexpected(fmt::format("there is no reason `{}`; `weir drops` and docs/reasons.md name them", name));
    const auto reason = static_cast<Reason>(found - std::begin(reason_rows));
    if (std::ranges::find(elsewhere, reason) != elsewhere.end())
      return std::unexpected(fmt::format("`{}` is counted where no worker judges: it cannot be shown", name));
    wish.want(reason);
  }
  return {};
}

int failed(const std::string& command, const control::DoorFailure& failure) {
  say(command, failure.sentence);
  using Kind = control::DoorFailure::Kind;
  switch (failure.kind) {
    case Kind::usage: return exit_invalid;
    case Kind::not_permitted: return exit_not_permitted;
    case Kind::refused: return exit_no;
    case Kind::unreachable: break;
  }
  return exit_unreachable;
}

int tell_end(const std::string& command, const door::MirrorEnd& end) {
  constexpr std::string_view why[] = {"as many as were wanted", "the time is over", "stopped",
                                      "the dataplane has stopped"};
  std::string text = fmt::format("{} packets: {}", end.shown, why[static_cast<u32>(end.ending)]);
  if (end.lost != 0) text += fmt::format("; {} more came too fast and are not among them", end.lost);
  say(command, text);
  return end.shown == 0 ? exit_no : exit_yes;
}

}  // namespace

void add_show(CLI::App& command, ShowOptions& options) {
  command.add_option("socket", options.door, "The dataplane's door")->required();
  command.add_option("filter", options.filter, "As pcap's, and segment, rule, reason: `tcp and dst segment store`");
  command.add_option("--reason", options.reasons, "Only what ended so: no_allow (repeatable)")->expected(1)->take_all();
  command.add_option("--from", options.from, "A segment, an address or a prefix that it comes from");
  command.add_option("--to", options.to, "Likewise, that it goes to");
  command.add_option("-c,--count", options.count, "How many packets, and no more")
      ->check(CLI::Range(1u, mirror_packets_max))
      ->capture_default_str();
  command.add_option("--for", options.within, "How long: 10s, 5m, at most 1h")->capture_default_str();
}

std::optional<MirrorWish> wish_of(const std::string& command, const ShowOptions& options) {
  MirrorWish wish{};
  wish.magic = mirror_wish_magic;
  wish.packets = options.count;
  const auto within = control::trial_ms(options.within);
  if (!within || *within > mirror_ms_max) {
    say(command, fmt::format("--for {}: a number and ms, s, m or h, at most 1h", options.within));
    return std::nullopt;
  }
  wish.for_ms = *within;
  if (const auto wanted = want_reasons(options.reasons, wish); !wanted) {
    say(command, wanted.error());
    return std::nullopt;
  }
  const auto filter = filter_of(command, {filter_text(options)});
  if (!filter) return std::nullopt;
  if (const auto asked = filter->ask_of_packets(wish); !asked) {
    say(command, asked.error());
    return std::nullopt;
  }
  return wish;
}

int show_packets(const std::string& command, const std::string& door, const MirrorWish& wish,
                 const std::function<bool(const std::vector<std::string>&)>& begun, const Shown& shown) {
  stop_on_signals();
  auto view = see::MirrorView::begin(door, wish);
  if (!view) return failed(command, view.error());
  if (!begun(view->port_names())) return exit_invalid;
  say(command, fmt::format("waits for packets: {} at most, for {} s at most", wish.packets, wish.for_ms / 1000.0));
  if (!view->whole().empty()) say(command, fmt::format("packets of who holds an asset come whole: {}", view->whole()));
  see::Names names({}, view->port_names(), names_by_door(door));
  for (bool has_stopped = false;;) {
    const auto came = view->next(wait_ms);
    if (!came) return failed(command, came.error());
    if (*came == see::MirrorView::Came::end) return tell_end(command, view->end());
    const bool is_packet = *came == see::MirrorView::Came::packet;
    const u64 generation = is_packet ? view->packet().generation : 0;
    const see::PolicyNames* const policy = names.of(static_cast<u32>(generation));
    const bool goes_on = shown(is_packet ? &view->packet() : nullptr, {policy, view->port_names()});
    if ((!is_stopped() && goes_on) || has_stopped) continue;
    has_stopped = true;
    view->stop();
  }
}

}  // namespace weir
