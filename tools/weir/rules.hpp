// A rule file through the whole front half: load, check, compile, verify, test. What the commands share.
#pragma once
#include "control/front/rules.hpp"
#include "tools/weir/policy_file.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace weir {

struct RulesOptions {
  std::string policy;
  std::string format = "human";  // of diagnostics: human, json, sarif
  std::string at;                // YYYY-MM-DD: check as if today were that day
};
// Declares POLICY, --format and --at.
void add_rules_options(CLI::App& command, RulesOptions& options);

using control::first_generation, control::Rules, control::Signatures, control::take_image;

// From a path on disk, as control/front has it.
Rules read_rules(const std::string& path, std::int64_t now_s, std::uint64_t generation,
                 control::Purpose purpose = control::Purpose::enforce, Signatures signatures = Signatures::named);

// Noon of the day in `at`, or the present when it is empty; nullopt when it is no date.
std::optional<std::int64_t> time_of(const std::string& at);

// As printed: what is not UTF-8 in a path or a question is replaced, not thrown about.
std::string text_of(const nlohmann::ordered_json& made, bool one_line = false);

// Diagnostics in the format asked for: for people to stderr, for machines to stdout.
void print(const control::Diagnostics& diagnostics, const control::Sources& sources, const std::string& format);
bool colours_on(int fd);

}  // namespace weir
