// What the commands that speak to a running dataplane take on their command lines.
#include "tools/weir/door.hpp"

#include <CLI/CLI.hpp>

namespace weir {

void add_door_options(CLI::App& command, DoorOptions& options) {
  command.description("speak to a running dataplane: install an image, ask for its state, empty its flow tables");
  command.add_option("socket", options.socket, "the path given to weir-dataplane --door")->required();
  command.require_subcommand(1);
  CLI::App* install = command.add_subcommand("install", "put a compiled image in force");
  install->add_option("image", options.image, "from `weir compile`")->required();
  install->add_flag("--force", options.force, "take a lower generation than the one in force too");
  CLI::Option* const fallback = install->add_option(
      "--fallback", options.fallback, "image of a higher generation that comes into force where nobody confirms");
  CLI::Option* const within =
      install->add_option("--confirm-within", options.within, "until when: 90s, 5m, 2h")->needs(fallback);
  fallback->needs(within);
  install->add_option("--breakglass", options.name,
                      "the allow that the image opens until then: it is told by that name, and cannot be confirmed")
      ->needs(within);
  install->add_flag("--replace-trial", options.replaces_trial,
                    "take the place of a policy that awaits its confirmation too");
  install->callback([&options] { options.act = DoorOptions::Act::install; });
  CLI::App* confirm = command.add_subcommand("confirm", "the policy that is on trial stays");
  confirm->add_option("--generation", options.generation, "only if it is this one");
  confirm->callback([&options] { options.act = DoorOptions::Act::confirm; });
  CLI::App* status = command.add_subcommand("status", "policy, counters by reason, flows");
  status->callback([&options] { options.act = DoorOptions::Act::status; });
  CLI::App* flush = command.add_subcommand("flush", "forget every flow; the policy stays");
  flush->callback([&options] { options.act = DoorOptions::Act::flush; });
  CLI::App* alarms = command.add_subcommand("alarms", "hosts of which RDMA counts refusals, gaps, unknown queue pairs");
  alarms->callback([&options] { options.act = DoorOptions::Act::alarms; });
  CLI::App* shadow =
      command.add_subcommand("shadow", "ask an image beside the policy in force, and tell where they disagree");
  CLI::Option* const beside = shadow->add_option("image", options.image, "from `weir compile`");
  CLI::Option* const off = shadow->add_flag("--off", options.is_off, "no shadow is asked any more");
  off->excludes(beside);
  shadow->callback([&options] {
    if (options.image.empty() && !options.is_off) throw CLI::RequiredError("an image, or --off,");
    options.act = options.is_off ? DoorOptions::Act::end_shadow : DoorOptions::Act::shadow;
  });
  for (CLI::App* act : {install, confirm, status, flush, alarms, shadow})
    act->add_option("-o,--output", options.output, "table or json")->check(CLI::IsMember({"table", "json"}));
}

void add_job_options(CLI::App& command, DoorOptions& options) {
  command.description("a training job of a running dataplane: its start-up window, its members, what instances teach");
  command.add_option("socket", options.socket, "the path given to weir-dataplane --door")->required();
  command.require_subcommand(1);
  CLI::App* seal = command.add_subcommand("seal", "no more queue pairs; those that are open go on");
  seal->callback([&options] { options.act = DoorOptions::Act::seal_job; });
  CLI::App* open = command.add_subcommand("open", "a new window, which begins with the next queue pair");
  open->callback([&options] { options.act = DoorOptions::Act::open_job; });
  CLI::App* members = command.add_subcommand("members", "who has queue pairs now, and until when new ones open");
  members->callback([&options] { options.act = DoorOptions::Act::members; });
  CLI::App* exports = command.add_subcommand("export", "what was read of its handshakes, for other instances");
  exports->callback([&options] { options.act = DoorOptions::Act::export_lessons; });
  CLI::App* imports = command.add_subcommand("import", "what another instance has exported a moment ago");
  imports->callback([&options] { options.act = DoorOptions::Act::import_lessons; });
  for (CLI::App* act : {seal, open, members, exports, imports}) {
    act->add_option("job", options.name, "its name in the policy in force")->required();
    if (act == exports || act == imports) act->add_option("file", options.lessons, "the records")->required();
    act->add_option("-o,--output", options.output, "table or json")->check(CLI::IsMember({"table", "json"}));
  }
}

void add_quarantine_options(CLI::App& command, DoorOptions& options) {
  command.description("what is cut off: ports, by hand or since an inspection found what their host sent; hosts and "
                      "flows, by hand");
  command.add_option("socket", options.socket, "the path given to weir-dataplane --door")->required();
  command.require_subcommand(1);
  CLI::App* list = command.add_subcommand("list", "who is in quarantine");
  list->callback([&options] { options.act = DoorOptions::Act::quarantined; });
  CLI::App* cut = command.add_subcommand("cut", "nothing comes in by the port any more, and nothing leaves by it");
  cut->add_option("port", options.name, "its name, as `attach` has it, or its device's")->required();
  cut->callback([&options] { options.act = DoorOptions::Act::cut_port; });
  CLI::App* release = command.add_subcommand("release", "the port carries frames again");
  release->add_option("port", options.name, "its name, as `list` has it")->required();
  release->callback([&options] { options.act = DoorOptions::Act::release_port; });
  CLI::App* put = command.add_subcommand("put", "what comes from a host or goes to it is dropped; or a flow's packets");
  put->add_option("what", options.name, "10.0.0.1, 2001:db8::1, or \"tcp 10.0.0.1:40001 > 10.0.0.2:443\"")->required();
  put->add_option("--for", options.within, "a flow: for how long, 90s, 5m, 2h; without it until it is let go");
  put->callback([&options] { options.act = DoorOptions::Act::put; });
  CLI::App* free = command.add_subcommand("free", "a host or a flow is judged by policy again");
  free->add_option("what", options.name, "as `list` has it")->required();
  free->callback([&options] { options.act = DoorOptions::Act::let_go; });
  for (CLI::App* act : {list, cut, release, put, free})
    act->add_option("-o,--output", options.output, "table or json")->check(CLI::IsMember({"table", "json"}));
}

}  // namespace weir
