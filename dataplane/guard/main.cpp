// weir-guard: puts the guard on interfaces that the kernel owns, changes its policy, shows it and takes it away. Its
// options, and nothing else; the acts are in acts.cpp, what it keeps while it runs in run.cpp.
#include "dataplane/guard/acts.hpp"

#include <CLI/CLI.hpp>

using namespace weir;

namespace {

struct Options {
  guard::AttachTerms attach;
  std::vector<std::string> interfaces, beside_xdp;
  std::string when_dead = "deny", output = "human";
  bool force = false, by_clsact = false;
  guard::RunTerms run;
};

void add_attach(CLI::App& app, Options& options, int& exit_code) {
  CLI::App* act = app.add_subcommand("attach", "judge the frames of interfaces from now on, with no process");
  act->add_option("--policy", options.attach.policy, "the policy image")->required();
  act->add_option("--interface", options.interfaces,
                  "NAME=MACHINE[:WIRE]: an interface, the port or segment that this machine is there, and the one "
                  "behind the cable")
      ->required();
  act->add_option("--beside-xdp", options.beside_xdp,
                  "interfaces whose XDP is another's (net_af_xdp): in by tc, and closed without heartbeat");
  act->add_flag("--clsact", options.by_clsact, "tc programs at clsact, also where the kernel has TCX");
  act->add_option("--flows", options.attach.flows, "room for flows")->check(CLI::Range(16u, 1u << 22));
  act->add_option("--silence-ms", options.attach.silence_ms, "without a heartbeat for so long the dataplane is dead");
  act->add_option("--when-dead", options.when_dead, "what then: deny, or last-policy (go on by the policy)")
      ->check(CLI::IsMember({"deny", "last-policy"}));
  act->callback([&] {
    options.attach.last_policy = options.when_dead == "last-policy";
    for (const std::string& text : options.interfaces) {
      auto order = guard::order_of(text);
      if (!order) {
        std::fprintf(stderr, "weir-guard: %s\n", order.error().sentence.c_str());
        exit_code = 2;
        return;
      }
      for (const std::string& name : options.beside_xdp)
        if (name == order->name) order->beside_xdp = order->needs_beat = true;
      order->by_clsact = options.by_clsact;
      options.attach.orders.push_back(std::move(*order));
    }
    exit_code = guard::act_attach(options.attach);
  });
}

void add_run(CLI::App& app, Options& options, int& exit_code) {
  CLI::App* act = app.add_subcommand("run", "lend on budgets, and pass the dataplane's heartbeat on, until SIGTERM");
  CLI::Option* policy = act->add_option("--policy", options.run.policy, "the policy image that is in force");
  CLI::Option* folder = act->add_option("--ledger", options.run.places.folder, "where no dataplane holds it");
  CLI::Option* key = act->add_option("--ledger-key", options.run.places.key, "the file of its key");
  act->add_option("--ledger-anchor", options.run.places.anchor, "a folder on another device");
  act->add_option("--lease-ms", options.run.lease_ms, "what is lent ends so long after this process did")
      ->check(CLI::Range(u64{100}, u64{600'000}));
  act->add_option("--stats", options.run.stats, "the dataplane's stats segment, whose heartbeat is passed on");
  folder->needs(key)->needs(policy);
  act->callback([&] {
    options.run.folder = options.attach.folder;
    exit_code = guard::act_run(options.run);
  });
}

}  // namespace

int main(int count, char** arguments) {
  CLI::App app{"The guard of ports that the kernel owns (docs/guard.md)", "weir-guard"};
  app.require_subcommand(1);
  Options options;
  int exit_code = 0;
  app.add_option("--pins", options.attach.folder, "where programs and maps are pinned")->capture_default_str();
  add_attach(app, options, exit_code);
  add_run(app, options, exit_code);
  CLI::App* update = app.add_subcommand("update", "put another policy in force, by one flip");
  update->add_option("--policy", options.attach.policy, "the policy image")->required();
  update->add_flag("--force", options.force, "also a lower generation");
  update->callback([&] { exit_code = guard::act_update(options.attach.folder, options.attach.policy, options.force); });
  app.add_subcommand("detach", "judge these interfaces no longer")->callback([&] {
    exit_code = guard::act_detach(options.attach.folder);
  });
  CLI::App* status = app.add_subcommand("status", "policy, interfaces, faults, counters; 1 where there is a fault");
  status->add_option("-o,--output", options.output)->check(CLI::IsMember({"human", "json"}));
  status->callback([&] { exit_code = guard::act_status(options.attach.folder, options.output == "json"); });
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return exit_code;
}
