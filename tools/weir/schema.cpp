// `weir schema`: what editors and the reference page know of the rule language, from the one table of keys.
#include "control/report/report.hpp"
#include "tools/weir/commands.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <memory>

namespace weir {

void add_schema(CLI::App& app, int& exit_code) {
  const auto reference = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("schema", "Print the JSON Schema (draft-07) of rule files");
  command->add_flag("--reference", *reference, "Print the reference section of docs/rules.md instead");
  command->callback([reference, &exit_code] {
    fmt::print("{}", *reference ? control::reference() : control::json_schema());
    exit_code = exit_yes;
  });
}

}  // namespace weir
