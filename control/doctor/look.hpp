// Small looks at proc, sys and dev below a root: what stands in a file, what lies in a folder. What is not there is
// nothing, never an empty answer. Internal to control/doctor.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace weir::control {

// The first line; nothing where it cannot be read.
std::optional<std::string> line_of(const std::string& root, const std::string& path);
std::optional<long> number_of(const std::string& root, const std::string& path);
// Sorted names; nothing where there is no such folder.
std::optional<std::vector<std::string>> names_in(const std::string& root, const std::string& path);
// The last component of what a link points to.
std::optional<std::string> target_of(const std::string& root, const std::string& path);

}  // namespace weir::control
