// `weir doctor`: what can be proved of "nothing goes round Weir" on this machine, a line each. Exit codes: 0 all pass,
// 1 some fail, 2 usage, 3 none fails and some are unknown.
#include "tools/weir/doctor.hpp"

#include "tools/weir/commands.hpp"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <map>
#include <memory>

namespace weir {
namespace {

struct DoctorOptions {
  std::string pins = "/sys/fs/bpf/weir", stats, output = "human";
  std::vector<std::string> dataplane;
};

std::vector<control::KernelInterface> interfaces_here() {
  std::map<std::string, bool> found;
  if (struct if_nameindex* const all = if_nameindex(); all != nullptr) {
    for (const struct if_nameindex* one = all; one->if_index != 0; ++one) found[one->if_name] = false;
    if_freenameindex(all);
  }
  ifaddrs* addresses = nullptr;
  if (getifaddrs(&addresses) == 0) {
    for (const ifaddrs* one = addresses; one != nullptr; one = one->ifa_next) {
      if ((one->ifa_flags & IFF_LOOPBACK) != 0) found.erase(one->ifa_name);
      else if ((one->ifa_flags & IFF_UP) != 0) found[one->ifa_name] = true;
    }
    freeifaddrs(addresses);
  }
  std::vector<control::KernelInterface> made;
  for (const auto& [name, is_up] : found) {
    control::KernelInterface one;
    one.name = name;
    one.is_up = is_up;
    made.push_back(std::move(one));
  }
  return made;
}

void print(const std::vector<control::Finding>& findings) {
  std::size_t counts[3] = {};
  for (const control::Finding& one : findings) {
    ++counts[static_cast<int>(one.health)];
    fmt::print("{:<8} {}: {}\n", one.health == control::Health::fail ? "FAIL" : control::health_name(one.health),
               one.question, one.reason);
    if (!one.advice.empty()) fmt::print("         do: {}\n", one.advice);
  }
  fmt::print("\n{} pass, {} fail, {} unknown\n", counts[0], counts[1], counts[2]);
}

void print_json(const std::vector<control::Finding>& findings) {
  nlohmann::json made{{"verdict", control::verdict_of(findings)},
                      {"findings", nlohmann::json::array()},
                      {"assumptions", nlohmann::json::object()}};
  for (const control::Assumption& one : control::assumptions())
    made["assumptions"][std::string(one.name)] = one.sentence;
  for (const control::Finding& one : findings)
    made["findings"].push_back({{"question", one.question},
                                {"health", control::health_name(one.health)},
                                {"reason", one.reason},
                                {"advice", one.advice}});
  fmt::print("{}\n", made.dump(2));
}

int doctor(const DoctorOptions& options) {
  control::Machine machine;
  machine.interfaces = interfaces_here();
  machine.dataplane_interfaces = options.dataplane;
  machine.dataplane_beats = dataplane_beats(options.stats);
  ask_guard(options.pins, machine);
  const auto findings = control::examine(machine);
  options.output == "json" ? print_json(findings) : print(findings);
  return control::verdict_of(findings);
}

}  // namespace

void add_doctor(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<DoctorOptions>();
  CLI::App* command = app.add_subcommand("doctor", "What goes round Weir on this machine, as far as can be seen");
  command->add_option("--pins", options->pins, "where the guard is pinned")->capture_default_str();
  command->add_option("--stats", options->stats, "the dataplane's stats segment");
  command->add_option("--dataplane", options->dataplane, "interfaces that the dataplane has");
  command->add_option("-o,--output", options->output, "human or json")->check(CLI::IsMember({"human", "json"}));
  command->callback([options, &exit_code] { exit_code = doctor(*options); });
}

}  // namespace weir
