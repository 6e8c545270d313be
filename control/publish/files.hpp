// Small files that are whole or not there: written beside, made durable, renamed.
#pragma once
#include <expected>
#include <string>
#include <string_view>

namespace weir::control {

// Errors are sentences that name the path.
std::expected<void, std::string> write_file(const std::string& path, std::string_view bytes);
std::expected<void, std::string> replace_file(const std::string& path, std::string_view bytes);
// A line at the end of a file that is only added to, durable when this returns.
std::expected<void, std::string> append_line(const std::string& path, const std::string& line);
std::expected<std::string, std::string> read_file(const std::string& path, std::size_t bytes_max);
std::expected<void, std::string> make_durable(const std::string& directory);

}  // namespace weir::control
