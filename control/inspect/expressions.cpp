#include "control/inspect/expressions.hpp"

#include "control/inspect/patterns.hpp"

#include <fmt/format.h>
#include <hs.h>

#include <cctype>
#include <cstdlib>

namespace weir::control {
namespace {

// Byte by byte, so that nothing in it has a meaning.
std::string literally(std::string_view bytes) {
  std::string made;
  for (const char one : bytes) {
    const auto byte = static_cast<unsigned char>(one);
    made += std::isalnum(byte) != 0 ? std::string(1, one) : fmt::format("\\x{:02x}", byte);
  }
  return made;
}

// Either alphabet: standard, and URL-safe (RFC 4648, section 5).
std::string either_alphabet(std::string_view core) {
  std::string made;
  for (const char letter : core) {
    if (letter == '+') made += "[+\\-]";
    else if (letter == '/') made += "[\\/_]";
    else made += letter;
  }
  return made;
}

}  // namespace

unsigned flags_of(const Pattern& pattern) {
  return HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH | (pattern.any_case ? HS_FLAG_CASELESS : 0u);
}

std::vector<std::string> expressions_of(const Pattern& pattern) {
  std::string found = pattern.regex.empty() ? literally(pattern.bytes) : pattern.regex;
  if (pattern.at) {
    const std::string gap = *pattern.at == 0 ? "" : fmt::format(".{{{}}}", *pattern.at);
    found = fmt::format("^{}(?:{})", gap, found);
  }
  std::vector<std::string> made = {found};
  for (unsigned before = 0; pattern.base64 && before < 3; ++before)
    made.push_back(either_alphabet(base64_core(pattern.bytes, before)));
  return made;
}

std::optional<std::string> expression_fault(const Pattern& pattern) {
  for (const std::string& expression : expressions_of(pattern)) {
    hs_expr_info_t* info = nullptr;
    hs_compile_error_t* error = nullptr;
    if (hs_expression_info(expression.c_str(), flags_of(pattern), &info, &error) == HS_SUCCESS) {
      std::free(info);
      continue;
    }
    std::string sentence = error->message;
    hs_free_compile_error(error);
    return sentence;
  }
  return std::nullopt;
}

}  // namespace weir::control
