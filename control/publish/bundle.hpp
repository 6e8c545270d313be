// A policy as its texts: every file that its root file leads to, by name. What travels to the daemon, is signed, and is
// kept in the history; so that a policy means the same wherever it is checked.
#pragma once
#include "control/source/load.hpp"

#include <expected>
#include <map>
#include <string>
#include <string_view>

namespace weir::control {

inline constexpr std::size_t bundle_bytes_max = std::size_t{28} << 20;

struct Bundle {
  std::string root;  // a name in `files`
  std::map<std::string, std::string> files;  // by name relative to the root file's directory
  bool operator==(const Bundle&) const = default;
};

// Every file that loading and checking this policy reads, whether or not it holds. The error is a sentence.
std::expected<Bundle, std::string> bundle_from_disk(const std::string& path);
// Why this is no bundle, or nullopt: names that leave the folder, too many files, too many bytes, no root.
std::optional<std::string> bundle_fault(const Bundle& bundle);
Loaded load(const Bundle& bundle);

// What is signed: a line for each file with its BLAKE2b-256, by name; the same bytes wherever it is made.
std::string manifest(const Bundle& bundle);
// BLAKE2b-256 in hexadecimal; of a bundle that of its manifest.
std::string digest(std::string_view bytes);
std::string digest(const Bundle& bundle);

}  // namespace weir::control
