// `weir check`, `weir test`, `weir compile`: a rule file, and whether it holds.
#include "control/ask/ask.hpp"
#include "control/bound/bound.hpp"
#include "control/bound/show.hpp"
#include "control/report/report.hpp"
#include "tools/weir/commands.hpp"
#include "tools/weir/rules.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
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
  bool strict = false, only_tests = false;
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
  const auto is_test = [](const control::Diagnostic& one) {
    return one.code == "E0501" || one.code == "E0503" || one.code == "E0504" || one.code == "E0506";
  };
  const auto failed = static_cast<std::size_t>(std::ranges::count_if(found.all, is_test));
  if (found.errors() > failed) return exit_invalid;
  return failed > 0 || (strict && found.warnings() > 0) ? exit_no : exit_yes;
}

// Claims of the tests that are run: none of those that have expired.
std::size_t claims_of(const Rules& rules) {
  std::size_t claims = 0;
  for (const control::Test& test : rules.checked.tests)
    if (!test.expires_s || rules.now_s < *test.expires_s) claims += test.from.size() * test.claims.size();
  return claims;
}

// What can leave of each asset, and what decides that; `weir bound` says it by holder and exit.
void print_bounds(const control::Model& model, std::int64_t now_s) {
  if (model.assets.empty()) return;
  const control::Bounds bounds(model, now_s);
  for (std::uint32_t asset = 0; asset < model.assets.size(); ++asset) {
    const control::Passage whole = bounds.whole(asset);
    constexpr std::string_view horizons[] = {"in 1 h", "in 1 d", "in 30 d", "ever"};
    std::string most;
    for (std::size_t i = 0; i < whole.most.size(); ++i)
      most += fmt::format("{}{} {}", i == 0 ? "" : ", ", control::show_bytes(whole.most[i].bytes), horizons[i]);
    fmt::print("{}: at most {}; a copy takes {}, at 16:1 {}, at {}:1 {}\n", model.assets[asset].name, most,
               control::show_time(whole.raw), control::show_time(whole.sixteen),
               model.assets[asset].compression_thousandths / 1'000.0, control::show_time(whole.compressed));
    for (const control::Part& part : whole.deciding) {
      const control::Account& account = bounds.network().accounts[part.account];
      const control::Span span = bounds.span(account);
      fmt::print("  {:>10}  {}", control::show_bytes(part.bytes), control::harmless(bounds.name(account)));
      if (span.file < model.files.size())
        fmt::print("  {}:{}", control::harmless(model.files[span.file]), model.line_of(span));
      fmt::print("\n");
    }
  }
}

void print_summary(const CheckOptions& options, const Rules& rules, std::size_t held) {
  const auto& found = rules.checked.diagnostics;
  const auto& model = rules.checked.model;
  const std::size_t claims = claims_of(rules), services = rules.checked.names.services.size();
  if (options.output != "table") {
    auto made = nlohmann::ordered_json::parse(control::json(found, rules.checked.sources));
    made["verdict"] = found.errors() == 0 ? "ok" : rules.compiled ? "failed" : "invalid";
    made["segments"] = model.segments.size();
    made["services"] = services;
    made["statements"] = model.statements.size();
    made["breakglass"] = model.breakglass.size();
    made["claims"] = claims;
    made["held"] = held;
    fmt::print("{}", text_of(made, options.output == "jsonl"));
  } else if (options.only_tests && rules.compiled) {
    fmt::print("{} of {} claims hold\n", held, claims);
  } else if (found.errors() == 0) {
    const bool enforced = std::ranges::find(found.all, "W0110", &control::Diagnostic::code) == found.all.end();
    const std::string aside =
        model.breakglass.empty() ? "" : fmt::format(" and {} closed (breakglass)", model.breakglass.size());
    fmt::print("{}: ok{}: {} segments and lists, {} services, {} allows and forbids{}, {} of {} test claims hold\n",
               options.policy, enforced ? "" : " to read, but not yet enforced", model.segments.size(), services,
               model.statements.size(), aside, held, claims);
    print_bounds(model, rules.now_s);
  }
}

int run_check(const CheckOptions& options) {
  const auto now_s = time_of(options.at);
  if (!now_s) return bad_date(options.at);
  Rules rules = read_rules(options.policy, *now_s, 0, control::Purpose::read);
  auto& found = rules.checked.diagnostics;
  std::size_t held = 0;
  if (rules.ok()) {
    if (options.only_tests) std::erase_if(found.all, [](const auto& one) { return !one.is_error(); });
    held = control::run_tests(rules.checked, rules.compiled->policy, *now_s, found);
    control::judge_never(rules.checked, rules.at_most(), *now_s, found);
    control::check_bounds(rules.checked.model, *now_s, found);
    found.sort();
  }
  print(found, rules.checked.sources, options.format);
  if (options.format == "human") print_summary(options, rules, held);
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
  // A rename would put a file in the place of a device or a pipe.
  struct stat facts{};
  if (stat(path.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) return path + " is not a regular file";
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
  if (options.output != "table") {
    const nlohmann::ordered_json made = {
        {"image", options.image},       {"generation", options.generation},        {"zones", report.zones},
        {"services", report.services},  {"decisions", report.decisions},           {"rules", report.rules},
        {"form", report.decision_form}, {"decision_bytes", report.decision_bytes}, {"image_bytes", report.image_bytes}};
    fmt::print("{}", text_of(made, options.output == "jsonl"));
    return;
  }
  fmt::print("{}: generation {}, {} bytes\n  {} zones, {} services, {} rules, {} decisions as a {} of {} bytes\n",
             options.image, options.generation, report.image_bytes, report.zones, report.services, report.rules,
             report.decisions, report.decision_form, report.decision_bytes);
}

int run_compile(const CheckOptions& options) {
  const auto now_s = time_of(options.at);
  if (!now_s) return bad_date(options.at);
  const Rules rules = 
      read_rules(options.policy, *now_s, options.generation, control::Purpose::enforce, Signatures::compiled);
  print(rules.checked.diagnostics, rules.checked.sources, options.format);
  if (!rules.ok()) return exit_invalid;
  const std::string fault = write_image(options.image, rules.image());
  if (!fault.empty()) {
    fmt::print(stderr, "weir compile: {}\n", fault);
    return exit_invalid;
  }
  if (options.format == "human") print_report(options, *rules.report);
  return exit_yes;
}

void add_output(CLI::App& command, const std::string& flags, CheckOptions& options) {
  command.add_option(flags, options.output, "Of the result, on stdout: table, json or jsonl")
      ->check(CLI::IsMember({"table", "json", "jsonl"}));
}

// What a reader could not outdo would be the last ever installed, and 0 is none.
std::string generation_fault(const std::string& text) {
  const bool digits = !text.empty() && text.size() <= 18 && text.find_first_not_of("0123456789") == std::string::npos;
  return digits && text.find_first_not_of('0') != std::string::npos ? "" : text + ": not a number from 1 to 10^18 - 1";
}

}  // namespace

void add_check(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<CheckOptions>();
  CLI::App* command = app.add_subcommand("check", "Say everything that is wrong with a rule file, and run its tests");
  add_rules_options(*command, *options);
  add_output(*command, "-o,--output", *options);
  command->add_flag("--strict", options->strict, "Exit 1 on warnings as well");
  command->callback([options, &exit_code] { exit_code = run_check(*options); });
}

void add_test(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<CheckOptions>();
  CLI::App* command = app.add_subcommand("test", "Run the tests of a rule file on its compiled image");
  add_rules_options(*command, *options);
  add_output(*command, "-o,--output", *options);
  options->only_tests = true;
  command->callback([options, &exit_code] { exit_code = run_check(*options); });
}

void add_compile(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<CheckOptions>();
  CLI::App* command = app.add_subcommand("compile", "Compile a rule file to a policy image");
  add_rules_options(*command, *options);
  command->add_option("-o,--image", options->image, "Where to write the image")->required();
  command->add_option("--generation", options->generation, "The image's generation")
      ->check(CLI::Validator(generation_fault, "1.."));
  add_output(*command, "--output", *options);
  command->callback([options, &exit_code] { exit_code = run_compile(*options); });
}

}  // namespace weir
