#include "control/publish/bundle.hpp"

#include "control/check/check.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>

namespace weir::control {

std::expected<Bundle, std::string> bundle_from_disk(const std::string& path) {
  const Checked checked = check(load(path), 0, Purpose::read);
  if (checked.sources.files.empty()) return std::unexpected(fmt::format("cannot read {}", path));
  Bundle bundle;
  bundle.root = path.substr(path.rfind('/') + 1);
  for (const SourceFile& file : checked.sources.files) bundle.files[file.name] = file.text;
  if (const auto fault = bundle_fault(bundle)) return std::unexpected(fmt::format("{}: {}", path, *fault));
  return bundle;
}

std::optional<std::string> bundle_fault(const Bundle& bundle) {
  if (!bundle.files.contains(bundle.root)) return "the root file is not among the files";
  if (bundle.files.size() > include_files_max) return fmt::format("more than {} files", include_files_max);
  std::size_t bytes = 0;
  for (const auto& [name, text] : bundle.files) {
    if (const auto fault = path_fault(name)) return fault;
    if (name.size() > 512 || name.ends_with('/')) return fmt::format("`{}` is no file's name", name.substr(0, 64));
    const bool has_dot_part = name.starts_with("./") || name.find("/./") != std::string::npos ||
                              name.find("//") != std::string::npos || name == "." || name.ends_with("/.");
    if (has_dot_part) return fmt::format("`{}` is not a plain path", name);
    bytes += text.size();
  }
  if (bytes > bundle_bytes_max) return fmt::format("more than {} bytes of rules", bundle_bytes_max);
  return std::nullopt;
}

Loaded load(const Bundle& bundle) { return load(memory(bundle.files), bundle.root, ""); }

std::string manifest(const Bundle& bundle) {
  std::string text = fmt::format("weir policy 1\nroot {}\n", bundle.root);
  for (const auto& [name, bytes] : bundle.files) text += fmt::format("{} {} {}\n", digest(bytes), bytes.size(), name);
  return text;
}

std::string digest(std::string_view bytes) {
  unsigned char hash[32];
  crypto_generichash(hash, sizeof hash, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), nullptr, 0);
  char text[2 * sizeof hash + 1];
  return sodium_bin2hex(text, sizeof text, hash, sizeof hash);
}

std::string digest(const Bundle& bundle) { return digest(manifest(bundle)); }

}  // namespace weir::control
