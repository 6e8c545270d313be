// The commands that speak to weir-control: apply, confirm, rollback, history, lockdown, status, manifest, breakglass.
// They send and show; the daemon decides. Exit codes: 0 done, 1 refused or not wanted, 2 usage, 3 nobody answers, 4 not
// permitted, 5 applied and then rolled back.
#pragma once
namespace CLI {
class App;
}

namespace weir {

void add_publish_commands(CLI::App& app, int& exit_code);
// breakglass: opens one allow of the policy in force for a while, or closes it, or lists them.
void add_breakglass(CLI::App& app, int& exit_code);

}  // namespace weir
