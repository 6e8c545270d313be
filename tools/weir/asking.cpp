#include "tools/weir/asking.hpp"

#include "control/report/report.hpp"
#include "control/serve/call.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace weir {

using Json = nlohmann::ordered_json;

std::expected<Told, int> ask_control(const std::string& socket, std::string_view method, const std::string& target,
                                     const Json& body) {
  const std::string text = body.is_null() ? "" : body.dump(-1, ' ', false, Json::error_handler_t::replace);
  const auto answer = control::call({socket}, method, target, text);
  if (!answer) {
    fmt::print(stderr, "weir: weir-control: {}\n", answer.error().sentence);
    return std::unexpected(answer.error().is_not_permitted ? exit_not_permitted : exit_unreachable);
  }
  Told told{answer->status, Json::parse(answer->body, nullptr, false)};
  if (told.status == 200 && !told.body.is_discarded()) return told;
  if (told.body.is_object() && told.body.contains("diagnostics"))
    fmt::print(stderr, "{}", told.body["diagnostics"].get<std::string>());
  const std::string why = told.body.is_object() ? told.body.value("error", "") : "";
  fmt::print(stderr, "weir: {}\n",
             why.empty() ? fmt::format("weir-control answers {}", told.status) : control::harmless(why));
  return std::unexpected(told.status == 403                                        ? exit_not_permitted
                         : told.status == 502                                      ? exit_unreachable
                         : told.status == 400                                      ? exit_usage
                         : told.status == 422 && told.body.contains("diagnostics") ? exit_usage
                                                                                   : exit_refused);
}

std::string as_text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

}  // namespace weir
