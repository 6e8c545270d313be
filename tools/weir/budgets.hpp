// `weir budgets --verify FILE --key FILE`: what a ledger says, and whether it may be believed.
#pragma once

namespace CLI {
class App;
}

namespace weir {

void add_budgets(CLI::App& app, int& exit_code);

}  // namespace weir
