// `weir budgets`: what a ledger says, and whether it may be believed (--verify); and what an operator may do to one
// that is not in use (--begin, --forgive).
#pragma once

namespace CLI {
class App;
}

namespace weir {

void add_budgets(CLI::App& app, int& exit_code);

}  // namespace weir
