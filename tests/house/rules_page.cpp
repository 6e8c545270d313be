// Keeps docs/rules.md (its codes and reference) and rules/schema/policy.schema.json in step with their tables, or
// writes them. usage: rules_page ROOT [--write]
#include "control/report/catalogue.hpp"
#include "control/report/report.hpp"
#include "tests/house/page.hpp"

#include <fmt/format.h>

namespace {

// Everything up to this heading is prose, written by hand.
constexpr std::string_view made_from_here = "## Codes\n";

std::string prose_of(const std::string& path) {
  std::ifstream stream(path);
  const std::string there{std::istreambuf_iterator<char>(stream), {}};
  return there.substr(0, there.find(made_from_here));
}

std::string page(const std::string& prose) {
  std::string text = prose + std::string(made_from_here) + "\n| code | what |\n|---|---|\n";
  for (const auto& code : weir::control::code_rows()) text += fmt::format("| {} | {} |\n", code.code, code.title);
  text += "\n## Reference\n\nFrom the table of keys (`control/check/keys.cpp`); a test keeps it in step.\n\n";
  return text + weir::control::reference();
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return 2;
  const std::string root = arguments[1];
  std::string rules = root + "/docs/rules.md", schema = root + "/rules/schema/policy.schema.json";
  char* rules_arguments[] = {arguments[0], rules.data(), count > 2 ? arguments[2] : nullptr};
  char* schema_arguments[] = {arguments[0], schema.data(), count > 2 ? arguments[2] : nullptr};
  const int wrong = weir::keep_page(page(prose_of(rules)), count, rules_arguments) +
                    weir::keep_page(weir::control::json_schema(), count, schema_arguments);
  if (wrong != 0) std::cerr << "write both: " << arguments[0] << " " << root << " --write\n";
  return wrong != 0;
}
