// The texts of a policy and where their lines begin; and the only two ways to reach them: a disk, or memory.
#pragma once
#include "control/model/model.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir::control {

struct SourceFile {
  std::string name;                        // relative to the root file's directory: the same wherever it is checked
  std::string shown;                       // as the person would type it
  std::string text;                        // without a byte-order mark
  std::vector<std::uint32_t> line_starts;  // offset of each line's first byte
};

struct Place {
  std::uint32_t line, column;  // from 1; columns count characters, not bytes
};

struct Sources {
  std::vector<SourceFile> files;

  std::uint32_t add(std::string name, std::string shown, std::string text);
  Place place(std::uint32_t file, std::uint32_t offset) const;
  std::string_view slice(const Span& span) const;
  std::string_view line(std::uint32_t file, std::uint32_t line) const;  // without its newline
};

// How source reads. Paths are relative to the root file's directory, without `..`; a symbolic link anywhere in one is
// refused. The error is a sentence that names the path.
struct FileAccess {
  std::function<std::expected<std::string, std::string>(const std::string& path, std::size_t bytes_max)> read;
  // Names in a directory, sorted, directories with a trailing slash, links with two; empty when there is none. The
  // error, for a directory that is there and cannot be read, is a sentence.
  std::function<std::expected<std::vector<std::string>, std::string>(const std::string& directory)> list;
};

// Files below `directory`. The root file itself may be reached through a link, what it includes may not.
FileAccess disk(std::string directory, std::string root_name);
FileAccess memory(std::map<std::string, std::string> files);

}  // namespace weir::control
