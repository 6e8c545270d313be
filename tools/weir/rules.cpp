// The same steps for check, compile, test, explain and replay, so that none of them can mean another policy.
#include "tools/weir/rules.hpp"

#include "control/report/report.hpp"
#include "control/source/scan.hpp"
#include "tools/weir/commands.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace weir {
namespace {

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

std::expected<std::vector<std::byte>, std::string> read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::unexpected(fmt::format("cannot open {}: {}", path, std::strerror(errno)));
  std::vector<std::byte> bytes;
  char chunk[1 << 16];
  while (file.read(chunk, sizeof chunk), file.gcount() > 0) {
    const auto* begin = reinterpret_cast<const std::byte*>(chunk);
    bytes.insert(bytes.end(), begin, begin + file.gcount());
  }
  if (file.bad()) return std::unexpected(fmt::format("cannot read {}", path));
  return bytes;
}

bool is_image(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  u64 magic = 0;
  file.read(reinterpret_cast<char*>(&magic), sizeof magic);
  return file.gcount() == sizeof magic && magic == image::magic;
}

}  // namespace

void add_rules_options(CLI::App& command, RulesOptions& options) {
  command.add_option("policy", options.policy, "The root rule file")->required();
  command.add_option("--format", options.format, "Of diagnostics: human (stderr), json or sarif (stdout)")
      ->check(CLI::IsMember({"human", "json", "sarif"}));
  command.add_option("--at", options.at, "YYYY-MM-DD: as if today were that day");
}

std::optional<std::int64_t> time_of(const std::string& at) {
  using namespace std::chrono;
  if (at.empty()) return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
  int year = 0;
  unsigned month = 0, day = 0;
  constexpr std::string_view shape = "dddd-dd-dd";
  const auto fits = [](char c, char like) { return like == 'd' ? c >= '0' && c <= '9' : c == like; };
  const bool shaped = std::equal(at.begin(), at.end(), shape.begin(), shape.end(), fits);
  if (!shaped || std::sscanf(at.c_str(), "%4d-%2u-%2u", &year, &month, &day) != 3) return std::nullopt;
  const year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  return sys_days(date).time_since_epoch().count() * 86400LL + 43200;
}

Rules read_rules(const std::string& path, std::int64_t now_s, std::uint64_t generation, control::Purpose purpose,
                 Signatures signatures) {
  Rules rules = control::read_rules(control::load(path), now_s, generation, purpose, signatures);
  if (rules.compiled) rules.compiled->rule_directory = directory_of(path);
  return rules;
}

std::expected<PolicyFile, std::string> open_policy(const std::string& path) {
  if (is_image(path)) {
    const auto bytes = read_bytes(path);
    if (!bytes) return std::unexpected(bytes.error());
    auto file = take_image(*bytes);
    if (!file) return std::unexpected(fmt::format("{}: {}", path, file.error()));
    return file;
  }
  Rules rules = read_rules(path, *time_of(""), first_generation, control::Purpose::enforce, Signatures::compiled);
  if (!rules.ok())
    return std::unexpected(control::human(rules.checked.diagnostics, rules.checked.sources, colours_on(STDERR_FILENO)));
  if (rules.monitoring.empty()) return std::move(*rules.compiled);
  auto file = take_image(rules.monitoring);
  if (file) file->rule_directory = rules.compiled->rule_directory;
  return file;
}

std::string text_of(const nlohmann::ordered_json& made, bool one_line) {
  return made.dump(one_line ? -1 : 2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

bool colours_on(int fd) {
  const char* const no_colour = std::getenv("NO_COLOR");
  return isatty(fd) != 0 && (no_colour == nullptr || *no_colour == '\0');
}

void print(const control::Diagnostics& diagnostics, const control::Sources& sources, const std::string& format) {
  if (format == "json") fmt::print("{}", control::json(diagnostics, sources));
  else if (format == "sarif") fmt::print("{}", control::sarif(diagnostics, sources, version_text));
  else fmt::print(stderr, "{}", control::human(diagnostics, sources, colours_on(STDERR_FILENO)));
}

}  // namespace weir
