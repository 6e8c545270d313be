// The root first, then each include pattern in turn; a file reached twice is read once.
#include "control/source/load.hpp"

#include "control/source/toml.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <set>

namespace weir::control {
namespace {

bool is_pattern(std::string_view path) { return path.find_first_of("*?") != std::string_view::npos; }

// `*` and `?` within one component.
bool matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*') {
      ++p;
      ++n;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

// Without "./" and doubled slashes: a file has one name, and is read once.
std::string plain(std::string_view path) {
  std::string made;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (!part.empty() && part != ".") made.append(part).append(end < path.size() ? "/" : "");
    begin = end + 1;
  }
  return made;
}

// Files that `pattern` names below `directory` ("" or ending in a slash). False when a directory cannot be read: what
// stands in it could forbid, so that nothing may be concluded without it; `fault` then says which.
bool expand(const FileAccess& access, const std::string& directory, std::string_view pattern,
            std::vector<std::string>& out, std::string& fault) {
  const std::size_t slash = pattern.find('/');
  const std::string_view part = pattern.substr(0, slash);
  const bool last = slash == std::string_view::npos;
  const auto names = access.list(directory);
  if (!names) {
    fault = names.error();
    return false;
  }
  for (const std::string& name : *names) {
    const bool is_link = name.ends_with("//"), is_directory = !is_link && name.ends_with('/');
    const std::string bare = name.substr(0, name.find('/'));
    if (!matches(part, bare) || (!is_link && is_directory == last)) continue;
    if (is_link) {  // never passed over in silence: reading it says why not
      out.push_back(directory + bare);
      continue;
    }
    if (last) out.push_back(directory + name);
    else if (!expand(access, directory + name, pattern.substr(slash + 1), out, fault)) return false;
    if (out.size() > include_files_max) return true;
  }
  return true;
}

class Loader {
 public:
  Loader(Loaded& loaded, std::string root, std::string shown) : loaded_(loaded), root_(std::move(root)) {
    shown_ = std::move(shown);
  }

  void run() {
    auto text = loaded_.access.read(root_, rule_file_bytes_max);
    if (!text) {
      loaded_.sources.add(root_, shown_ + root_, "");
      loaded_.diagnostics.add("E0105", {}, text.error());
      return;
    }
    document(root_, std::move(*text), true);
    if (loaded_.documents.empty()) return;
    const Node tree = loaded_.documents.front().tree;
    if (const Entry* include = tree.find("include"); include != nullptr && include->value.kind == NodeKind::array)
      for (const Node& item : include->value.items)
        if (item.kind == NodeKind::string) this->include(item);
    std::vector<std::string> beside;
    std::string fault;
    if (!expand(loaded_.access, "", "policy.d/*.toml", beside, fault)) unreadable({}, fault);
    for (const std::string& path : beside) file(path, {});
    std::stable_sort(loaded_.documents.begin(), loaded_.documents.end(), [this](const auto& a, const auto& b) {
      if (a.is_root != b.is_root) return a.is_root;
      return loaded_.sources.files[a.file].name < loaded_.sources.files[b.file].name;
    });
  }

 private:
  void document(const std::string& path, std::string text, bool is_root) {
    seen_.insert(path);
    const std::uint32_t file = loaded_.sources.add(path, shown_ + path, std::move(text));
    if (auto tree = parse_toml(loaded_.sources, file, loaded_.diagnostics))
      loaded_.documents.push_back({file, is_root, std::move(*tree)});
  }

  void include(const Node& item) {
    if (const auto fault = path_fault(item.text)) {
      loaded_.diagnostics.add("E0106", item.span, *fault, "not a path that can be included")
          .note("includes are relative to the root file's directory and stay below it");
      return;
    }
    std::string pattern = plain(item.text);
    if (pattern == root_) {
      loaded_.diagnostics.add("E0106", item.span, "the root file includes itself", "this is the root file");
      return;
    }
    if (pattern.empty() || pattern.ends_with('/')) pattern += "*.toml";
    if (!is_pattern(pattern)) {
      const auto names = loaded_.access.list(pattern);
      if (!names) return unreadable(item.span, names.error());
      if (names->empty()) return file(pattern, item.span);
      pattern += "/*.toml";
    }
    std::vector<std::string> paths;
    std::string fault;
    if (!expand(loaded_.access, "", pattern, paths, fault)) return unreadable(item.span, fault);
    std::erase(paths, root_);
    if (paths.empty())
      loaded_.diagnostics.add("W0101", item.span, fmt::format("no file matches `{}`", item.text), "nothing included");
    if (paths.size() > include_files_max) {
      loaded_.diagnostics.add("E0107", item.span, fmt::format("more than {} files", include_files_max), "too many");
      return;
    }
    for (const std::string& path : paths) file(path, item.span);
  }

  void unreadable(Span span, const std::string& fault) {
    loaded_.diagnostics.add("E0105", span, fault, "included here");
  }

  void file(const std::string& path, Span span) {
    if (seen_.contains(path)) return;
    seen_.insert(path);
    auto text = loaded_.access.read(path, rule_file_bytes_max);
    if (!text) unreadable(span, text.error());
    else document(path, std::move(*text), false);
  }

  Loaded& loaded_;
  std::string root_, shown_;
  std::set<std::string> seen_;
};

}  // namespace

std::optional<std::string> path_fault(std::string_view path) {
  if (path.empty()) return "an empty path";
  if (path.front() == '/') return fmt::format("`{}` is an absolute path", path);
  for (const char c : path)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "a path with control characters";
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part == "..") return fmt::format("`{}` leaves the directory with `..`", path);
    if (part == "**") return fmt::format("`{}` would recurse; name each directory", path);
    begin = end + 1;
  }
  return std::nullopt;
}

Loaded load(FileAccess access, const std::string& root, const std::string& shown_directory) {
  Loaded loaded;
  loaded.access = std::move(access);
  Loader(loaded, root, shown_directory).run();
  return loaded;
}

Loaded load(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  return load(disk(directory, name), name, slash == std::string::npos ? "" : path.substr(0, slash + 1));
}

std::optional<std::uint32_t> open_named(Loaded& loaded, std::uint32_t from_file, const std::string& path, Span span) {
  if (const auto fault = path_fault(path)) {
    loaded.diagnostics.add("E0106", span, *fault, "not a path that can be read")
        .note("paths are relative to the file that states them and stay below it");
    return std::nullopt;
  }
  const std::string& from = loaded.sources.files[from_file].name;
  const std::string& shown = loaded.sources.files[from_file].shown;
  const std::size_t slash = from.rfind('/');
  const std::string directory = slash == std::string::npos ? "" : from.substr(0, slash + 1);
  auto text = loaded.access.read(directory + path, list_bytes_max);
  if (!text) {
    loaded.diagnostics.add("E0105", span, text.error(), "named here");
    return std::nullopt;
  }
  return loaded.sources.add(directory + path, shown.substr(0, shown.size() - from.size()) + directory + path,
                            std::move(*text));
}

const Entry* Node::find(std::string_view key) const {
  const auto found = std::ranges::find(entries, key, &Entry::key);
  return found == entries.end() ? nullptr : &*found;
}

std::string_view kind_name(NodeKind kind) {
  constexpr std::string_view names[] = {"a table",       "an array", "text",  "an integer", "a number with a point",
                                        "true or false", "a date",   "a time"};
  return names[static_cast<std::size_t>(kind)];
}

}  // namespace weir::control
