// What commands ask weir-control, and how its refusals become words and exit codes.
#pragma once
#include <nlohmann/json.hpp>

#include <expected>
#include <string>
#include <string_view>

namespace weir {

enum PublishExit {
  exit_done = 0,
  exit_refused = 1,
  exit_usage = 2,
  exit_unreachable = 3,
  exit_not_permitted = 4,
  exit_rolled_back = 5,
};

struct Told {
  int status;
  nlohmann::ordered_json body;
};

// The answer, or the exit code: then it was said why.
std::expected<Told, int> ask_control(const std::string& socket, std::string_view method, const std::string& target,
                                     const nlohmann::ordered_json& body = nullptr);

// A value as people read it: text without its quotes.
std::string as_text(const nlohmann::ordered_json& value);

}  // namespace weir
