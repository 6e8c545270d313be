// An entry of the history as text that tells whether it is whole, and as JSON for who asks.
#pragma once
#include "control/publish/history.hpp"

#include <nlohmann/json.hpp>

namespace weir::control {

nlohmann::ordered_json entry_json(const HistoryEntry& entry);
// With a digest of the rest.
std::string text_of(const HistoryEntry& entry);
std::expected<HistoryEntry, std::string> entry_of(const std::string& text);

}  // namespace weir::control
