#include "control/doctor/look.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace weir::control {
namespace fs = std::filesystem;

namespace {

fs::path below(const std::string& root, const std::string& path) { return fs::path(root) / path; }

}  // namespace

std::optional<std::string> line_of(const std::string& root, const std::string& path) {
  std::ifstream file(below(root, path));
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

std::optional<long> number_of(const std::string& root, const std::string& path) {
  const auto line = line_of(root, path);
  long number = 0;
  if (!line) return std::nullopt;
  const auto read = std::from_chars(line->data(), line->data() + line->size(), number);
  return read.ec == std::errc() ? std::optional(number) : std::nullopt;
}

std::optional<std::vector<std::string>> names_in(const std::string& root, const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator at(below(root, path), error);
  if (error) return std::nullopt;
  for (; at != fs::directory_iterator(); at.increment(error)) {
    if (error) return std::nullopt;
    names.push_back(at->path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<std::string> target_of(const std::string& root, const std::string& path) {
  std::error_code error;
  const fs::path target = fs::read_symlink(below(root, path), error);
  if (error) return std::nullopt;
  return target.filename();
}

}  // namespace weir::control
