// A rule file through the whole front half: load, check, compile, verify, test. What the commands share.
#pragma once
#include "control/check/check.hpp"
#include "control/compile/compile.hpp"
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

// What an image has of signature sets: their names, for who asks it; or what a dataplane scans with.
enum class Signatures { named, compiled };

struct Rules {
  control::Checked checked;
  std::optional<control::CompileReport> report;
  std::optional<PolicyFile> compiled;  // when the rules hold
  std::int64_t now_s = 0;

  bool ok() const { return compiled.has_value() && checked.ok(); }
};

// The dataplane takes only what is above the generation in force, and 0 is none.
inline constexpr std::uint64_t first_generation = 1;

// Capacity errors are added to the diagnostics. Tests are not run. An image of a policy that is only read is for
// questions: it is never written nor installed.
Rules read_rules(const std::string& path, std::int64_t now_s, std::uint64_t generation,
                 control::Purpose purpose = control::Purpose::enforce, Signatures signatures = Signatures::named);

// Noon of the day in `at`, or the present when it is empty; nullopt when it is no date.
std::optional<std::int64_t> time_of(const std::string& at);

// As printed: what is not UTF-8 in a path or a question is replaced, not thrown about.
std::string text_of(const nlohmann::ordered_json& made, bool one_line = false);

// Diagnostics in the format asked for: for people to stderr, for machines to stdout.
void print(const control::Diagnostics& diagnostics, const control::Sources& sources, const std::string& format);
bool colours_on(int fd);

// `image` in memory as verify() wants it, and verified.
std::expected<PolicyFile, std::string> take_image(const std::vector<std::byte>& image);

}  // namespace weir
