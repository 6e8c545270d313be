// `weir fmt`: rule files in one layout, in place, or from stdin to stdout. With --check it only says which files have
// another one.
#include "control/format/format.hpp"
#include "control/report/report.hpp"
#include "control/source/descriptor.hpp"
#include "tools/weir/commands.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir {
namespace {

constexpr std::size_t file_bytes_max = std::size_t{16} << 20;

struct FmtOptions {
  std::vector<std::string> files;
  bool check = false;
};

void say(const std::string& path, std::string_view sentence) {
  fmt::print(stderr, "weir fmt: {}: {}\n", control::harmless(path), sentence);
}

std::optional<std::string> read_all(int file, const std::string& path) {
  std::string text;
  char room[1 << 16];
  for (ssize_t got; (got = read(file, room, sizeof room)) != 0;) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return say(path, std::strerror(errno)), std::nullopt;
    text.append(room, static_cast<std::size_t>(got));
    if (text.size() > file_bytes_max) return say(path, "it is larger than 16 MiB"), std::nullopt;
  }
  return text;
}

// Beside it and renamed, with its mode: nobody ever reads half of it.
bool replace(const std::string& path, int old, std::string_view text) {
  struct stat facts{};
  std::string fresh = path + ".XXXXXX";
  const Descriptor file(mkstemp(fresh.data()));
  if (file.get() < 0) return say(path, std::strerror(errno)), false;
  bool is_good = fstat(old, &facts) == 0 && fchmod(file.get(), facts.st_mode & 07777) == 0;
  if (is_good && (facts.st_uid != geteuid() || facts.st_gid != getegid()))
    is_good = fchown(file.get(), facts.st_uid, facts.st_gid) == 0;
  while (is_good && !text.empty()) {
    const ssize_t wrote = write(file.get(), text.data(), text.size());
    is_good = wrote > 0 || (wrote < 0 && errno == EINTR);
    if (wrote > 0) text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  if (is_good && fsync(file.get()) == 0 && rename(fresh.c_str(), path.c_str()) == 0) return true;
  say(path, std::strerror(errno));
  unlink(fresh.c_str());
  return false;
}

// One file; "-" is stdin, which goes to stdout.
int format_file(const std::string& named, bool checks) {
  const bool is_stdin = named == "-";
  std::string path = named;
  if (char* const real = is_stdin ? nullptr : realpath(named.c_str(), nullptr); real != nullptr) {
    path = real;  // what a link points to is written, not the link
    std::free(real);
  }
  const Descriptor file(is_stdin ? dup(0) : open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return say(named, std::strerror(errno)), exit_invalid;
  const auto text = read_all(file.get(), named);
  if (!text) return exit_invalid;
  const auto made = control::format_rules(*text);
  if (!made) return say(named, made.error()), exit_invalid;
  const bool is_same = *made == *text;
  if (checks) {
    if (!is_same) fmt::print("{}\n", control::harmless(named));
    return is_same ? exit_yes : exit_no;
  }
  if (is_stdin) fmt::print("{}", *made);
  return is_stdin || is_same || replace(path, file.get(), *made) ? exit_yes : exit_invalid;
}

}  // namespace

void add_fmt(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<FmtOptions>();
  CLI::App* command = app.add_subcommand("fmt", "Give rule files their layout; comments and meaning stay");
  command->add_option("files", options->files, "Rule files; `-` from stdin to stdout")->required();
  command->add_flag("--check", options->check, "Change nothing: name the files of another layout, exit code 1");
  command->callback([options, &exit_code] {
    exit_code = exit_yes;
    for (const std::string& file : options->files)
      exit_code = std::max(exit_code, format_file(file, options->check));
  });
}

}  // namespace weir
