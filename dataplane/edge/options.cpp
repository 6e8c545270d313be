#include "dataplane/edge/options.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <filesystem>
#include <map>
#include <set>

namespace weir::edge {
namespace {

constexpr u32 flows_max = 1u << 31;

// "inside=A,outside=B", in either order.
PairOption pair_of(const std::string& text) {
  PairOption pair;
  const auto comma = text.find(',');
  for (const std::string& part : {text.substr(0, comma), comma == text.npos ? "" : text.substr(comma + 1)}) {
    const auto equals = part.find('=');
    const std::string side = part.substr(0, equals);
    std::string& port = side == "inside" ? pair.inside : pair.outside;
    const bool is_side = equals != part.npos && (side == "inside" || side == "outside");
    if (!is_side || !port.empty() || equals + 1 == part.size() || part.find(',') != part.npos)
      throw CLI::ValidationError("--pair", fmt::format("`{}` is not inside=PORT,outside=PORT", text));
    port = part.substr(equals + 1);
  }
  return pair;
}

void read_pairs(const std::vector<std::string>& texts, Options& options) {
  if (texts.size() > pairs_max)
    throw CLI::ValidationError("--pair", fmt::format("{} pairs; at most {}", texts.size(), pairs_max));
  std::set<std::string> devices;
  for (const std::string& text : texts) {
    const PairOption pair = pair_of(text);
    for (const std::string& device : {pair.inside, pair.outside})
      if (!devices.insert(device).second)
        throw CLI::ValidationError("--pair", fmt::format("`{}` stands in it twice", device));
    options.pairs.push_back(pair);
  }
}

void read_names(const std::vector<std::string>& texts, Options& options) {
  for (const std::string& text : texts) {
    const auto equals = text.rfind('=');
    if (equals == text.npos || equals == 0 || equals + 1 == text.size())
      throw CLI::ValidationError("--name", fmt::format("`{}` is not PORT=NAME", text));
    const std::string device = text.substr(0, equals);
    const auto is_device = [&](const PairOption& pair) { return pair.inside == device || pair.outside == device; };
    if (std::none_of(options.pairs.begin(), options.pairs.end(), is_device))
      throw CLI::ValidationError("--name", fmt::format("`{}` is in no --pair", device));
    if (!options.names.emplace(device, text.substr(equals + 1)).second)
      throw CLI::ValidationError("--name", fmt::format("`{}` has two names", device));
  }
}

void read_job_keys(const std::vector<std::string>& texts, Options& options) {
  for (const std::string& text : texts) {
    const auto equals = text.find('=');
    if (equals == text.npos || equals == 0 || equals + 1 == text.size())
      throw CLI::ValidationError("--job-key", fmt::format("`{}` is not JOB=FILE", text));
    if (!options.job_keys.emplace(text.substr(0, equals), text.substr(equals + 1)).second)
      throw CLI::ValidationError("--job-key", fmt::format("`{}` has two keys", text.substr(0, equals)));
  }
}

// One file for two purposes: each would destroy the other's.
void check_paths(const Options& options) {
  std::map<std::filesystem::path, std::string> uses;
  for (const auto& [use, path] : {std::pair{"--policy", options.policy_path}, {"--door", options.door_path},
                                  {"--decisions", options.decisions_path}, {"--stats", options.stats_path},
                                  {"--ledger", options.ledger_path}, {"--ledger-key", options.ledger_key_path},
                                  {"--ledger-anchor", options.ledger_anchor_path},
                                  {"--evidence", options.evidence_path},
                                  {"--keep", options.keep_path}}) {
    std::error_code ignored;
    if (path.empty()) continue;
    const auto [first, is_first] = uses.emplace(std::filesystem::weakly_canonical(path, ignored), use);
    if (!is_first && !first->first.empty())
      throw CLI::ValidationError(use, fmt::format("`{}` is what {} names", path, first->second));
  }
}

void add_inspecting(CLI::App& app, Options& options) {
  app.add_option("--inspect-flows", options.inspect_flows, "flows that each worker inspects at once; more do not begin")
      ->check(CLI::Range(1u, 1u << 24));
  app.add_option("--inspect-reading", options.inspect_reading, "of them, those whose first bytes it is reading")
      ->check(CLI::Range(1u, 1u << 20));
  app.add_option("--inspect-rate", options.inspect_rate,
                 "megabytes a second that each worker may look into; what is more waits or ends, as policy says")
      ->check(CLI::Range(1u, 100'000u));
  CLI::Option* evidence = app.add_option("--evidence", options.evidence_path,
                                         "folder in which packets are kept that inspections find something in");
  app.add_option("--evidence-mib", options.evidence_mib, "how much a run keeps there at most")
      ->check(CLI::Range(1u, 1u << 20))
      ->needs(evidence);
  app.add_option("--evidence-whole", options.evidence_whole,
                 "why: packets of those who hold an asset are kept, and shown, whole: not headers and 32 bytes alone");
}

void add_privileges(CLI::App& app, Options& options) {
  app.add_option("--user", options.user,
                 "NAME or NAME:GROUP that it becomes once its ports are up, without any capability; what the other "
                 "options name must be that user's");
  app.add_flag("--no-seccomp", options.no_seccomp,
               "forbid no system calls: for a port whose driver needs one of those that a dataplane has no use for");
}

}  // namespace

const std::string& Options::name_of(const std::string& device) const {
  const auto found = names.find(device);
  return found == names.end() ? device : found->second;
}

std::expected<Options, int> read_options(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Weir's dataplane: judges what crosses its port pairs by a compiled policy; whatever that does not "
      "allow is dropped."};
  app.footer(
      "EAL's own arguments follow `--`, e.g. -- --no-huge -m 512 --no-shconf --no-pci --vdev net_tap0 ...\n"
      "A port is a DPDK device name (net_pcap0, net_tap0, 0000:03:00.0).\n"
      "Exit codes: 0 clean stop, 1 the environment or the policy failed, 2 usage.");
  std::vector<std::string> pairs, names, job_keys;
  app.add_option("--policy", options.policy_path, "image to start with; without a good one everything is denied");
  app.add_option("--pair", pairs, "inside=PORT,outside=PORT (repeatable)")->required()->expected(1)->take_all();
  app.add_option("--name", names, "PORT=NAME: what `attach` calls the port (repeatable)")->expected(1)->take_all();
  app.add_option("--workers", options.workers, "threads that judge, one EAL lcore each")
      ->check(CLI::Range(1u, workers_max));
  app.add_option("--flows", options.flows, "flows remembered, all workers together")->check(CLI::Range(1u, flows_max));
  add_inspecting(app, options);
  app.add_option("--door", options.door_path, "UNIX socket for `weir door`");
  app.add_option("--job-key", job_keys, "JOB=FILE: the key under which instances teach each other (repeatable)")
      ->expected(1)
      ->take_all();
  app.add_option("--decisions", options.decisions_path, "one JSON line per packet; file-backed ports only");
  app.add_option("--keep", options.keep_path,
                 "folder for what the next run goes on with, flows and policy, after a clean stop; live ports only");
  app.add_option("--stats", options.stats_path, "file with the counters, for others to map");
  CLI::Option* ledger = app.add_option("--ledger", options.ledger_path,
                                       "folder of the ledger (weir budgets --begin); without one all that a budget "
                                       "covers is denied; live ports only");
  CLI::Option* key = app.add_option("--ledger-key", options.ledger_key_path, "file of the ledger's key")->needs(ledger);
  ledger->needs(key);
  app.add_option("--ledger-anchor", options.ledger_anchor_path, "folder of the ledger's anchor, on another device")
      ->needs(ledger);
  app.add_flag("--trust-checksums", options.trust_checksums,
               "take transport checksums as right, of captures made where the network card finishes them; "
               "file-backed ports only");
  app.add_flag("--sleep", options.sleep,
               "workers sleep while nothing comes, never for so long that a port's ring could fill; live ports only");
  add_privileges(app, options);
  app.add_flag("--strict-ports", options.strict_ports, "refuse a policy that attaches to a port that is not there");

  const char* const own_name = "weir-dataplane";
  char** const end = argv + argc;
  char** const split = std::find_if(argv, end, [](const char* argument) { return std::string_view(argument) == "--"; });
  options.eal.emplace_back(own_name);
  for (char** argument = split; argument != end; ++argument)
    if (argument != split) options.eal.emplace_back(*argument);
  try {
    app.parse(static_cast<int>(split - argv), argv);
    read_pairs(pairs, options);
    read_names(names, options);
    read_job_keys(job_keys, options);
    check_paths(options);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error) == 0 ? 0 : 2);
  }
  return options;
}

}  // namespace weir::edge
