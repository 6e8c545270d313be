// Hosts and flows in quarantine as people write them: "10.0.0.1", "2001:db8::1", "tcp 10.0.0.1:40001 > 10.0.0.2:443",
// "udp [2001:db8::1]:53 > [2001:db8::2]:53"; and the acts of the door about them.
#pragma once
#include "control/door/door.hpp"
#include "dataplane/share/quarantine_rows.hpp"

#include <nlohmann/json.hpp>

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace weir::control {

// The error is a sentence.
std::expected<door::QuarantineRow, std::string> quarantine_row(std::string_view text);
std::string quarantine_text(const door::QuarantineRow& row);

// Puts it into quarantine, or lets it go.
std::expected<DoorAnswer, DoorFailure> ask_quarantine(Door& door, door::Act act, const door::QuarantineRow& row);

struct Quarantined {
  DoorAnswer told;
  std::vector<door::QuarantineRow> rows;
};
std::expected<Quarantined, DoorFailure> ask_quarantined(Door& door);
nlohmann::ordered_json quarantine_json(const Quarantined& quarantined);

}  // namespace weir::control
