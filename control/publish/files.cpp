#include "control/publish/files.hpp"

#include "control/source/descriptor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>

namespace weir::control {
namespace {

std::unexpected<std::string> failed(const std::string& path) {
  return std::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));
}

}  // namespace

std::expected<void, std::string> write_file(const std::string& path, std::string_view bytes) {
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return failed(path);
  while (!bytes.empty()) {
    const ssize_t wrote = write(file.get(), bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return failed(path);
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  if (fsync(file.get()) != 0) return failed(path);
  return {};
}

std::expected<void, std::string> replace_file(const std::string& path, std::string_view bytes) {
  const std::string fresh = path + ".new";
  if (const auto written = write_file(fresh, bytes); !written) return written;
  if (rename(fresh.c_str(), path.c_str()) != 0) return failed(path);
  return make_durable(path.substr(0, path.rfind('/')));
}

std::expected<void, std::string> append_line(const std::string& path, const std::string& line) {
  const std::string text = line + "\n";
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (file.get() < 0 || write(file.get(), text.data(), text.size()) != std::ssize(text) || fsync(file.get()) != 0)
    return failed(path);
  return {};
}

std::expected<std::string, std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  struct stat facts{};
  if (file.get() < 0 || fstat(file.get(), &facts) != 0) return failed(path);
  if (!S_ISREG(facts.st_mode)) return std::unexpected(path + ": not a regular file");
  std::string text;
  char room[1 << 16];
  for (;;) {
    const ssize_t got = read(file.get(), room, sizeof room);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path);
    if (got == 0) return text;
    text.append(room, static_cast<std::size_t>(got));
    if (text.size() > bytes_max) return std::unexpected(fmt::format("{}: larger than {} bytes", path, bytes_max));
  }
}

std::expected<void, std::string> make_durable(const std::string& directory) {
  const Descriptor folder(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || fsync(folder.get()) != 0) return failed(directory);
  return {};
}

}  // namespace weir::control
