// The commands that speak to weir-control: apply, confirm, rollback, history, lockdown, status, manifest. They send and
// show; the daemon decides. Exit codes: 0 done, 1 refused or not wanted, 2 usage, 3 nobody answers, 4 not permitted,
// 5 applied and then rolled back.
#pragma once
#include <nlohmann/json.hpp>

#include <expected>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace weir {

void add_publish_commands(CLI::App& app, int& exit_code);

// What weir-control answers to a request, or the exit code: then it was said why.
std::expected<nlohmann::ordered_json, int> ask_control(const std::string& socket, std::string_view method,
                                                       const std::string& target,
                                                       const nlohmann::ordered_json& body = nullptr);

}  // namespace weir
