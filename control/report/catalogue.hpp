// Every diagnostic code: its title and the long text that `weir explain CODE` prints. A code that is not here is not
// used; a test keeps both in step.
#pragma once
#include <span>
#include <string_view>

namespace weir::control {

struct CodeRow {
  std::string_view code, title, text;
};

std::span<const CodeRow> code_rows();
const CodeRow* find_code(std::string_view code);

}  // namespace weir::control
