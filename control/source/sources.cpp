// Line index by byte offsets, and file access that follows no link and reads no more than it was allowed.
#include "control/source/sources.hpp"

#include "control/source/descriptor.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::control {
namespace {

struct Refusal {
  int error;  // errno
  std::string sentence;
};

// Why `part`, the last of `reached`, did not open on the way to `path`: O_DIRECTORY calls a link "not a directory".
Refusal refusal(int at, const std::string& part, std::string_view reached, const std::string& path) {
  const int error = errno;
  struct stat facts{};
  const bool known = fstatat(at, part.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0;
  if (known && S_ISLNK(facts.st_mode))
    return {ELOOP, fmt::format("{} is a symbolic link, which is not followed", reached)};
  return {error, fmt::format("cannot open {}: {}", path, std::strerror(error))};
}

// Opens component by component, so that no link is followed on the way.
std::expected<Descriptor, Refusal> open_below(const std::string& directory, const std::string& path, int flags) {
  Descriptor at(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (at.get() < 0)
    return std::unexpected(Refusal{errno, fmt::format("cannot open {}: {}", directory, std::strerror(errno))});
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t slash = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, slash - begin);
    const bool last = slash == path.size();
    begin = slash + 1;
    if (part.empty() || part == ".") continue;
    const int how = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (last ? flags : O_RDONLY | O_DIRECTORY);
    Descriptor next(openat(at.get(), part.c_str(), how));
    if (next.get() < 0) return std::unexpected(refusal(at.get(), part, path.substr(0, slash), path));
    at = std::move(next);
  }
  return at;
}

std::expected<std::string, std::string> read_all(int fd, const std::string& path, std::size_t bytes_max) {
  struct stat facts{};
  if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
    return std::unexpected(fmt::format("{} is not a regular file", path));
  std::string text;
  text.reserve(static_cast<std::size_t>(facts.st_size));
  std::vector<char> chunk(1 << 16);
  for (;;) {
    const ssize_t got = read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
    if (got == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
    if (text.size() > bytes_max)
      return std::unexpected(fmt::format("{} is larger than {} bytes, the most that is read", path, bytes_max));
  }
}

std::expected<std::vector<std::string>, std::string> names_in(const std::string& directory, const std::string& below) {
  std::vector<std::string> names;
  const auto opened = open_below(directory, below, O_RDONLY | O_DIRECTORY);
  if (!opened && (opened.error().error == ENOENT || opened.error().error == ENOTDIR)) return names;
  if (!opened) return std::unexpected(opened.error().sentence);
  DIR* stream = fdopendir(dup(opened->get()));
  if (stream == nullptr) return std::unexpected(fmt::format("cannot read {}: {}", below, std::strerror(errno)));
  while (const dirent* entry = readdir(stream)) {
    const std::string name = entry->d_name;
    if (name.starts_with('.')) continue;
    struct stat facts{};
    const bool known = fstatat(dirfd(stream), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0;
    names.push_back(!known ? name : S_ISDIR(facts.st_mode) ? name + "/" : S_ISLNK(facts.st_mode) ? name + "//" : name);
  }
  closedir(stream);
  std::ranges::sort(names);
  return names;
}

}  // namespace

std::uint32_t Sources::add(std::string name, std::string shown, std::string text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  SourceFile file{std::move(name), std::move(shown), std::move(text), {0}};
  for (std::size_t at = 0; (at = file.text.find('\n', at)) != std::string::npos;)
    file.line_starts.push_back(static_cast<std::uint32_t>(++at));
  files.push_back(std::move(file));
  return static_cast<std::uint32_t>(files.size() - 1);
}

Place Sources::place(std::uint32_t file, std::uint32_t offset) const {
  const SourceFile& source = files[file];
  const auto after = std::ranges::upper_bound(source.line_starts, offset);
  const std::uint32_t start = *std::prev(after);
  const std::string_view before = std::string_view(source.text).substr(start, offset - start);
  const auto characters = std::ranges::count_if(before, [](char c) { return (c & 0xC0) != 0x80; });
  return {static_cast<std::uint32_t>(after - source.line_starts.begin()), static_cast<std::uint32_t>(characters) + 1};
}

std::string_view Sources::slice(const Span& span) const {
  const std::string_view text = files[span.file].text;
  const std::size_t begin = std::min<std::size_t>(span.begin, text.size());
  return text.substr(begin, span.end > begin ? span.end - begin : 0);
}

std::string_view Sources::line(std::uint32_t file, std::uint32_t line) const {
  const SourceFile& source = files[file];
  const std::string_view text = source.text;
  if (line == 0 || line > source.line_starts.size()) return {};
  const std::size_t begin = source.line_starts[line - 1];
  std::string_view found = text.substr(begin, text.find('\n', begin) - begin);
  if (found.ends_with('\r')) found.remove_suffix(1);
  return found;
}

FileAccess disk(std::string directory, std::string root_name) {
  FileAccess access;
  access.read = [=](const std::string& path, std::size_t bytes_max) -> std::expected<std::string, std::string> {
    if (path == root_name) {
      const Descriptor root(open((directory + "/" + root_name).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
      if (root.get() < 0) return std::unexpected(fmt::format("cannot open {}: {}", path, std::strerror(errno)));
      return read_all(root.get(), path, bytes_max);
    }
    const auto opened = open_below(directory, path, O_RDONLY);
    if (!opened) return std::unexpected(opened.error().sentence);
    return read_all(opened->get(), path, bytes_max);
  };
  access.list = [=](const std::string& below) { return names_in(directory, below); };
  return access;
}

FileAccess memory(std::map<std::string, std::string> files) {
  FileAccess access;
  access.read = [files](const std::string& path, std::size_t bytes_max) -> std::expected<std::string, std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return std::unexpected(fmt::format("cannot open {}: no such file", path));
    if (found->second.size() > bytes_max)
      return std::unexpected(fmt::format("{} is larger than {} bytes, the most that is read", path, bytes_max));
    return found->second;
  };
  access.list = [files](const std::string& below) -> std::expected<std::vector<std::string>, std::string> {
    const std::string prefix = below.empty() ? "" : below.ends_with('/') ? below : below + "/";
    std::vector<std::string> names;
    for (const auto& [path, text] : files) {
      if (!path.starts_with(prefix)) continue;
      const std::size_t slash = path.find('/', prefix.size());
      const std::string name =
          path.substr(prefix.size(), slash == std::string::npos ? slash : slash + 1 - prefix.size());
      if (names.empty() || names.back() != name) names.push_back(name);
    }
    return names;
  };
  return access;
}

}  // namespace weir::control
