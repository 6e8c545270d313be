// A root rule file and everything it includes, as trees. It reads files and finds lists; what the keys mean is
// control/check's affair. Includes stand only in the root, are relative, and follow no link (rule language, 1.8).
#pragma once
#include "control/model/diagnostic.hpp"
#include "control/source/sources.hpp"
#include "control/source/tree.hpp"

#include <optional>
#include <string>
#include <vector>

namespace weir::control {

inline constexpr std::size_t include_files_max = 4096;
inline constexpr std::size_t list_bytes_max = std::size_t{256} << 20;

struct Document {
  std::uint32_t file;
  bool is_root;
  Node tree;
};

struct Loaded {
  Sources sources;
  std::vector<Document> documents;  // the root first, then by name
  FileAccess access;                // for the lists that the documents name
  Diagnostics diagnostics;
};

// `root` is a name in `access`; `shown_directory` is put before names when they are shown ("" or "dir/").
Loaded load(FileAccess access, const std::string& root, const std::string& shown_directory);
// From a path on disk.
Loaded load(const std::string& path);

// Why a path may not be included or read: a sentence, or nullopt when it may.
std::optional<std::string> path_fault(std::string_view path);

// The text of a file named by `span` in a document, relative to that document's directory. Adds E0105 or E0106.
std::optional<std::uint32_t> open_named(Loaded& loaded, std::uint32_t from_file, const std::string& path, Span span);

}  // namespace weir::control
