// `weir quarantine SOCKET put|free|list`: hosts and flows that an operator puts into quarantine at the door, and who is
// there. Ports are cut off by the acts of door.cpp.
#include "control/door/quarantine.hpp"
#include "tools/weir/commands.hpp"
#include "tools/weir/door.hpp"

#include <fmt/format.h>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

constexpr int exit_unreachable = 3, exit_not_permitted = 4;

int failed(const control::DoorFailure& failure) {
  fmt::print(stderr, "weir quarantine: {}\n", failure.sentence);
  using Kind = control::DoorFailure::Kind;
  return failure.kind == Kind::usage           ? exit_invalid
         : failure.kind == Kind::not_permitted ? exit_not_permitted
                                               : exit_unreachable;
}

int refused(const door::Answer& answer) {
  fmt::print(stderr, "weir quarantine: {}\n", control::refusal_text(answer));
  return exit_no;
}

int list(control::Door& door, const DoorOptions& options) {
  const auto quarantined = control::ask_quarantined(door);
  if (!quarantined) return failed(quarantined.error());
  if (!quarantined->told.is_done()) return refused(quarantined->told.answer);
  if (options.output == "json") {
    fmt::print("{}\n", control::quarantine_json(*quarantined).dump());
    return exit_yes;
  }
  const std::string names = control::door_text(quarantined->told.answer.quarantined);
  fmt::print("{}{}\n", names.empty() ? "nothing is in quarantine" : "in quarantine: ", names);
  for (const door::QuarantineRow& row : quarantined->rows)
    fmt::print("  {}{}\n", control::quarantine_text(row),
               row.left_ms == 0 ? "" : fmt::format("  for another {:.1f} s", static_cast<double>(row.left_ms) / 1000));
  return exit_yes;
}

}  // namespace

int quarantine_command(const DoorOptions& options) {
  const bool lists = options.act == DoorOptions::Act::quarantined;
  std::expected<door::QuarantineRow, std::string> row;
  if (!lists) row = control::quarantine_row(options.name);
  if (row && !options.within.empty()) {
    if (const auto held = control::trial_ms(options.within); held) row->left_ms = *held;
    else row = std::unexpected(held.error());
    if (row && row->protocol == 0) row = std::unexpected("a host stays until it is let go: --for is of flows");
  }
  if (!row) {
    fmt::print(stderr, "weir quarantine: {}\n", row.error());
    return exit_invalid;
  }
  auto door = control::Door::reach(options.socket);
  if (!door) return failed(door.error());
  if (lists) return list(*door, options);
  const auto act = options.act == DoorOptions::Act::put ? door::Act::quarantine : door::Act::let_go;
  const auto told = control::ask_quarantine(*door, act, *row);
  if (!told) return failed(told.error());
  return told->is_done() ? list(*door, options) : refused(told->answer);
}

}  // namespace weir
