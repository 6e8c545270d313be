// `weir check`, `weir test`, `weir compile`: a rule file, and whether it holds.
#include "control/ask/ask.hpp"
#include "tools/weir/commands.hpp"
#include "tools/weir/rules.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

struct CheckOptions : RulesOptions {
  bool strict = false;
  std::string image;
  std::uint64_t generation = first_generation;
  std::string output = "table";
};

int bad_date(const std::string& at) {
  fmt::print(stderr, "weir: --at {}: not a date (YYYY-MM-DD)\n", at);
  return exit_invalid;
}

// Exit code of what was found: an invalid policy, failed tests, warnings under --strict.
int verdict(const control::Diagnostics& found, bool strict) {
  const auto is_test = [](const control::Diagnostic& one) { return one.code == "E0501" || one.code == "E0503"; };
  const auto failed = static_cast<std::size_t>(std::ranges::count_if(found.all, is_test));
  if (found.errors() > failed) return exit_invalid;
  return failed > 0 || (strict && found.warnings() > 0) ? exit_no : exit_yes;
}

std::size_t claims_of(const control::Checked& checked) {
  std::size_t claims = 0;
  for (const control::Test& test : checked.tests) claims += test.from.size() * test.claims.size();
  return claims;
}

int run_check(const CheckOptions& options, bool only_tests) {
  const auto now_s = time_of(options.at);
  if (!now_s) return bad_date(options.at);
  Rules rules = read_rules(options.policy, *now_s, 0);
  auto& found = rules.checked.diagnostics;
  std::size_t held = 0;
  if (rules.ok()) {
    if (only_tests) std::erase_if(found.all, [](const auto& one) { return !one.is_error(); });
    held = control::run_tests(rules.checked, rules.compiled->policy, *now_s, found);
    found.sort();
  }
  print(found, rules.checked.sources, options.format);
  if (options.format != "human") return verdict(found, options.strict);
  const auto& model = rules.checked.model;
  if (only_tests && rules.compiled) fmt::print("{} of {} claims hold\n", held, claims_of(rules.checked));
  else if (found.errors() == 0)
    fmt::print("{}: ok: {} segments and lists, {} services, {} allows and forbids, {} of {} test claims hold\n",
               options.policy, model.segments.size(), rules.checked.names.services.size(), model.statements.size(),
               held, claims_of(rules.checked));
  return verdict(found, options.strict);
}

// Whole or not at all: a temporary file beside it, synced, renamed, and the directory synced.
std::string write_image(const std::string& path, std::span<const std::byte> bytes) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
  const auto fault = [&](const char* what) {
    const std::string sentence = fmt::format("cannot {} {}: {}", what, path, std::strerror(errno));
    unlink(temporary.c_str());
    return sentence;
  };
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return fault("create");
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t wrote = write(fd, bytes.data() + at, bytes.size() - at);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      const std::string sentence = fault("write");
      close(fd);
      return sentence;
    }
    at += static_cast<std::size_t>(wrote);
  }
  const bool synced = fsync(fd) == 0;
  if (close(fd) != 0 || !synced) return fault("sync");
  if (rename(temporary.c_str(), path.c_str()) != 0) return fault("rename");
  const std::size_t slash = path.rfind('/');
  const int directory =
      open(slash == std::string::npos ? "." : path.substr(0, slash + 1).c_str(), O_RDONLY | O_DIRECTORY);
  if (directory >= 0) {
    fsync(directory);
    close(directory);
  }
  return "";
}

void print_report(const CheckOptions& options, const control::CompileReport& report) {
  if (options.output == "json") {
    const nlohmann::ordered_json made = {
        {"image", options.image},       {"generation", options.generation},        {"zones", report.zones},
        {"services", report.services},  {"decisions", report.decisions},           {"rules", report.rules},
        {"form", report.decision_form}, {"decision_bytes", report.decision_bytes}, {"image_bytes", report.image_bytes}};
    fmt::print("{}\n", made.dump(2));
    return;
  }
  fmt::print("{}: generation {}, {} bytes\n  {} zones, {} services, {} rules, {} decisions as a {} of {} bytes\n",
             options.image, options.generation, report.image_bytes, report.zones, report.services, report.rules,
             report.decisions, report.decision_form, report.decision_bytes);
}

int run_compile(const CheckOptions& options) {
  const auto now_s = time_of(options.at);
  if (!now_s) return bad_date(options.at);
  const Rules rules = read_rules(options.policy, *now_s, options.generation);
  print(rules.checked.diagnostics, rules.checked.sources, options.format);
  if (!rules.ok()) return exit_invalid;
  const std::string fault = write_image(options.image, {rules.compiled->image.get(), rules.report->image_bytes});
  if (!fault.empty()) {
    fmt::print(stderr, "weir compile: {}\n", fault);
    return exit_invalid;
  }
  if (options.format == "human") print_report(options, *rules.report);
  return exit_yes;
}

}  // namespace

void add_check(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<CheckOptions>();
  CLI::App* command = app.add_subcommand("check", "Say everything that is wrong with a rule file, and run its tests");
  add_rules_options(*command, *options);
  command->add_flag("--strict", options->strict, "Exit 1 on warnings as well");
  command->callback([options, &exit_code] { exit_code = run_check(*options, false); });
}

void add_test(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<CheckOptions>();
  CLI::App* command = app.add_subcommand("test", "Run the tests of a rule file on its compiled image");
  add_rules_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = run_check(*options, true); });
}

void add_compile(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<CheckOptions>();
  CLI::App* command = app.add_subcommand("compile", "Compile a rule file to a policy image");
  add_rules_options(*command, *options);
  command->add_option("-o,--image", options->image, "Where to write the image")->required();
  command->add_option("--generation", options->generation, "The image's generation");
  command->add_option("--output", options->output, "table or json")->check(CLI::IsMember({"table", "json"}));
  command->callback([options, &exit_code] { exit_code = run_compile(*options); });
}

}  // namespace weir
