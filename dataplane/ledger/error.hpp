// What went wrong with a ledger or with what lies beneath it. The sentence names the file, the byte and what to do;
// whoever asked keeps everything closed that the ledger covers.
#pragma once
#include <cerrno>
#include <cstring>
#include <string>

namespace weir::ledger {

struct Error {
  std::string sentence;
};

// "<what>: <the system's words for errno>"
inline Error system_error(std::string what) { return {what + ": " + std::strerror(errno)}; }

}  // namespace weir::ledger
