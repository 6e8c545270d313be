// What went wrong with the environment: a file, a port, a socket, memory. The sentence names the thing; who asked
// decides what follows.
#pragma once
#include <cerrno>
#include <cstring>
#include <string>

namespace weir::edge {

struct Error {
  std::string sentence;
};

// "<what>: <the system's words for errno>"
inline Error system_error(std::string what) { return {what + ": " + std::strerror(errno)}; }

}  // namespace weir::edge
