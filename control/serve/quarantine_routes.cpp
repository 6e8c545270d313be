#include "control/serve/quarantine_routes.hpp"

#include "control/door/quarantine.hpp"
#include "control/publish/files.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <ctime>

namespace weir::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr int door_wait_s = 10;

HttpAnswer refusal(const DoorFailure& failure) { return error_answer(502, failure.sentence); }

HttpAnswer told(Door& door) {
  const auto quarantined = ask_quarantined(door);
  if (!quarantined) return refusal(quarantined.error());
  if (!quarantined->told.is_done()) return error_answer(502, refusal_text(quarantined->told.answer));
  return {200, quarantine_json(*quarantined).dump() + "\n"};
}

// Durable before the act: what cannot be written down is not done.
std::expected<void, std::string> write_down(const std::string& state, const Json& line) {
  const auto written = append_line(state + "/quarantine.log", line.dump());
  if (written) return {};
  return std::unexpected(fmt::format("cannot be written: {}; nothing was done", written.error()));
}

struct Wish {
  door::Act act;
  door::QuarantineRow row;
};

// {"put": WHAT, "for_ms": N} or {"free": WHAT}.
std::expected<Wish, std::string> wish_in(const std::string& body) {
  const Json made = Json::parse(body, nullptr, false);
  if (!made.is_object()) return std::unexpected("the body is no JSON object");
  for (const auto& [key, value] : made.items())
    if (key != "put" && key != "free" && key != "for_ms")
      return std::unexpected(fmt::format("`{}` is not known here", key));
  const bool puts = made.contains("put");
  if (puts == made.contains("free")) return std::unexpected("either `put` or `free` says what");
  const Json& what = made.at(puts ? "put" : "free");
  if (!what.is_string()) return std::unexpected("a host or a flow is a text");
  const auto row = quarantine_row(what.get<std::string>());
  if (!row) return std::unexpected(row.error());
  Wish wish{puts ? door::Act::quarantine : door::Act::let_go, *row};
  if (!made.contains("for_ms")) return wish;
  if (!puts || row->protocol == 0) return std::unexpected("`for_ms` is of a flow that is put there");
  if (!made.at("for_ms").is_number_unsigned()) return std::unexpected("`for_ms` is a number of milliseconds");
  wish.row.left_ms = made.at("for_ms").get<u64>();
  return wish;
}

HttpAnswer change(const ServeOptions& options, const Call& call) {
  const auto wish = wish_in(call.request.body);
  if (!wish) return error_answer(400, wish.error());
  auto door = Door::reach(options.door, door_wait_s);
  if (!door) return refusal(door.error());
  const bool puts = wish->act == door::Act::quarantine;
  Json line = {{"time", fmt::format("{:%FT%TZ}", fmt::gmtime(std::time(nullptr)))},
               {"user", user_name(call.peer.uid)},
               {"uid", call.peer.uid},
               {"act", puts ? "put" : "free"},
               {"what", quarantine_text(wish->row)}};
  if (wish->row.left_ms != 0) line["for_ms"] = wish->row.left_ms;
  if (auto written = write_down(options.state, line); !written) return error_answer(507, written.error());
  const auto answer = ask_quarantine(*door, wish->act, wish->row);
  if (!answer) return refusal(answer.error());
  if (!answer->is_done()) return error_answer(409, refusal_text(answer->answer));
  fmt::print(stderr, "weir-control: quarantine: {} {} by {}\n", puts ? "put" : "free", quarantine_text(wish->row),
             user_name(call.peer.uid));
  return told(*door);
}

}  // namespace

void add_quarantine_routes(Server& server, const ServeOptions& options) {
  server.add({"GET", "/v1/quarantine", Right::read, Where::look, [path = options.door](const Call&) {
                auto door = Door::reach(path, door_wait_s);
                return door ? told(*door) : refusal(door.error());
              }});
  server.add({"POST", "/v1/quarantine", Right::change, Where::quick,
              [options](const Call& call) { return change(options, call); }});
}

}  // namespace weir::control
