#include "control/publish/entry_text.hpp"

#include <algorithm>
#include <array>

namespace weir::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 10> state_names{"staged",   "installing",  "on_trial", "confirmed",  "fallback",
                                                       "replaced", "rolled_back", "shadow",   "was_shadow", "ended"};

std::string text_of(const Json& made) { return made.dump(1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::string_view name_of(EntryState state) { return state_names[static_cast<std::size_t>(state)]; }

Json entry_json(const HistoryEntry& entry) {
  return {{"format", 1},
          {"generation", entry.generation},
          {"state", name_of(entry.state)},
          {"kind", entry.kind},
          {"of", entry.of},
          {"policy", entry.policy},
          {"root", entry.root},
          {"sources", entry.sources},
          {"image", entry.image},
          {"uid", entry.uid},
          {"user", entry.user},
          {"when", entry.when},
          {"before", entry.before},
          {"diff", entry.diff},
          {"bound", entry.bound},
          {"blocked_us", entry.blocked_us},
          {"confirm_within_ms", entry.confirm_within_ms},
          {"began_s", entry.began_s},
          {"signed_by", entry.signed_by},
          {"signed_generation", entry.signed_generation},
          {"opens", entry.opens},
          {"why", entry.why},
          {"until", entry.until}};
}

std::string text_of(const HistoryEntry& entry) {
  Json made = entry_json(entry);
  made["check"] = digest(text_of(made));
  return text_of(made) + "\n";
}

std::expected<HistoryEntry, std::string> entry_of(const std::string& text) {
  try {
    Json made = Json::parse(text);
    const std::string check = made.at("check");
    made.erase("check");
    if (digest(text_of(made)) != check || made.at("format") != 1) return std::unexpected("its text was changed");
    HistoryEntry entry;
    const auto state = std::ranges::find(state_names, made.at("state").get<std::string>());
    if (state == state_names.end()) return std::unexpected("its state is not known");
    entry.state = static_cast<EntryState>(state - state_names.begin());
    made.at("generation").get_to(entry.generation);
    made.at("kind").get_to(entry.kind);
    made.at("of").get_to(entry.of);
    made.at("policy").get_to(entry.policy);
    made.at("root").get_to(entry.root);
    made.at("sources").get_to(entry.sources);
    made.at("image").get_to(entry.image);
    made.at("uid").get_to(entry.uid);
    made.at("user").get_to(entry.user);
    made.at("when").get_to(entry.when);
    made.at("before").get_to(entry.before);
    made.at("diff").get_to(entry.diff);
    made.at("bound").get_to(entry.bound);
    made.at("blocked_us").get_to(entry.blocked_us);
    made.at("confirm_within_ms").get_to(entry.confirm_within_ms);
    made.at("began_s").get_to(entry.began_s);
    made.at("signed_by").get_to(entry.signed_by);
    made.at("signed_generation").get_to(entry.signed_generation);
    entry.opens = made.value("opens", "");  // of this version on
    entry.why = made.value("why", "");
    entry.until = made.value("until", "");
    return entry;
  } catch (const nlohmann::json::exception&) {
    return std::unexpected("not whole");
  }
}

}  // namespace weir::control
