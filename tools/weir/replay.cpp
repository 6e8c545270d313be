#include "tools/weir/replay.hpp"

#include "tools/weir/policy_file.hpp"
#include "tools/weir/replay_files.hpp"
#include "tools/weir/replay_shadow.hpp"
#include "tools/weir/replay_summary.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

constexpr int usage_error = 2;

int fail(const std::string& sentence) {
  fmt::print(stderr, "weir replay: {}\n", sentence);
  return usage_error;
}

// What contradicts itself in the arguments, or nothing.
std::string usage_fault(const ReplayOptions& options) {
  const bool has_pair = !options.inside.empty() || !options.outside.empty();
  if (has_pair && !options.in.empty()) return "--in takes one capture for both ports; --inside and --outside one each";
  if (!has_pair && options.in.empty()) return "no capture: give --inside and --outside, or --in";
  if (!options.inside_prefixes.empty() && options.in.empty()) return "--inside-prefix goes with --in";
  if (!options.shadow.empty() && options.output == "jsonl") return "--shadow goes with a summary: table or json";
  return {};
}

std::expected<capture::MergedInput, std::string> open_single(const ReplayOptions& options) {
  auto reader = capture::CaptureReader::open(options.in);
  if (!reader) return std::unexpected(reader.error().text());
  std::vector<capture::Prefix> prefixes;
  for (const std::string& text : options.inside_prefixes) {
    const auto prefix = capture::Prefix::parse(text);
    if (!prefix) return std::unexpected(fmt::format("--inside-prefix {}: not an address range", text));
    prefixes.push_back(*prefix);
  }
  if (!prefixes.empty()) return capture::MergedInput::by_prefix(std::move(*reader), std::move(prefixes));
  if (reader->is_pcapng()) return capture::MergedInput::by_interface(std::move(*reader));
  return std::unexpected(
      fmt::format("{}: a pcap does not say which port a packet came in by: give --inside-prefix", options.in));
}

std::expected<capture::MergedInput, std::string> open_input(const ReplayOptions& options) {
  if (!options.in.empty()) return open_single(options);
  std::optional<capture::CaptureReader> readers[2];
  const std::string* const paths[] = {&options.inside, &options.outside};
  for (int side = 0; side < 2; ++side) {
    if (paths[side]->empty()) continue;
    auto reader = capture::CaptureReader::open(*paths[side]);
    if (!reader) return std::unexpected(reader.error().text());
    readers[side].emplace(std::move(*reader));
  }
  return capture::MergedInput::pair(std::move(readers[0]), std::move(readers[1]));
}

// The two ports' names for `attach`, from --name SIDE=NAME.
std::expected<std::array<std::string, 2>, std::string> port_names(const std::vector<std::string>& given) {
  std::array<std::string, 2> names{"inside", "outside"};
  for (const std::string& one : given) {
    const auto equals = one.find('=');
    const std::string side = one.substr(0, equals);
    if (equals == std::string::npos || equals + 1 == one.size() || (side != "inside" && side != "outside"))
      return std::unexpected(fmt::format("--name {}: write inside=NAME or outside=NAME", one));
    names[side == "outside"] = one.substr(equals + 1);
  }
  return names;
}

void print_decision(const Decided& decided, const Policy* policy) {
  char line[decision_line_bytes_max];
  std::fwrite(line, 1, decision_line(line, decided, policy), stdout);
}

void print_summary(const ReplayOptions& options, const ReplaySummary& summary, const ReplayRun& run,
                   const ReplayShadow* shadow) {
  const char* const no_colour = std::getenv("NO_COLOR");
  const bool colour = isatty(STDOUT_FILENO) && (no_colour == nullptr || *no_colour == '\0');
  if (options.output == "jsonl") return;
  if (options.output == "json") {
    auto made = summary.json();
    if (shadow != nullptr) made["shadow"] = shadow->json(run);
    return fmt::print("{}\n", made.dump(2));
  }
  fmt::print("{}", summary.table(colour));
  if (shadow != nullptr) shadow->print_counts(run);
}

// Lent to the policy; null where none is wanted. What does not hold was said.
std::expected<std::unique_ptr<ReplayShadow>, int> open_shadow(const ReplayOptions& options,
                                                              const std::array<std::string, 2>& names,
                                                              InstalledPolicy& live) {
  if (options.shadow.empty()) return nullptr;
  auto made = ReplayShadow::open(options.shadow, names);
  if (!made) {
    fmt::print(stderr, "{}\n", made.error());
    return std::unexpected(usage_error);
  }
  (*made)->lend_to(live);
  return std::move(*made);
}

}  // namespace

int replay(const ReplayOptions& options) {
  if (const std::string fault = usage_fault(options); !fault.empty()) return fail(fault);
  const auto names = port_names(options.names);
  if (!names) return fail(names.error());
  auto input = open_input(options);
  if (!input) return fail(input.error());
  const auto file = open_policy(options.policy);
  if (!file) {
    fmt::print(stderr, "{}\n", file.error());
    return usage_error;
  }
  const std::string_view views[] = {(*names)[0], (*names)[1]};
  InstalledPolicy installed = bind_ports(file->policy, views);
  std::vector<LimitRate> rates(file->policy.view().limits.size());
  write_limit_rates(file->policy, rates);
  installed.limit_rates = rates;
  std::vector<JobGate> gates(file->policy.jobs().size());
  std::vector<JobGate*> gate_of;
  for (JobGate& gate : gates) gate_of.push_back(&gate);
  installed.job_gates = gate_of;
  const auto scan = InstalledScan::make(file->policy, 1, replay_reading, nullptr);
  if (!scan) return fail(options.policy + ": " + scan.error());
  scan->lend_to(installed);
  const auto shadow = open_shadow(options, *names, installed);
  if (!shadow) return usage_error;
  auto files = ReplayFiles::create(options.write_directory, options.annotated);
  if (!files) return fail(files.error());

  ReplaySummary summary(options.by == "flow", file->rule_directory);
  const Checksum checksum = options.trust_checksums ? Checksum::good : Checksum::unverified;
  capture::MergedPacket packet;
  std::expected<bool, capture::CaptureError> more = input->next(packet);
  std::optional<ledger::CaptureAccounts> accounts;
  if (!file->policy.view().budgets.empty()) {
    const auto seats = accounts.emplace().prepare(file->policy, *names);
    if (!seats) return fail(seats.error().sentence);
    installed.seats = *seats;
    accounts->in_force();
  }
  ReplayRun run(&installed, accounts ? &*accounts : nullptr, options.flows, checksum, [&](const Decided& decided) {
    files->add(decided, &file->policy);
    if (options.output == "jsonl") print_decision(decided, &file->policy);
    summary.add(decided, &file->policy);
  });
  const auto tell = [&] {
    if (*shadow) (*shadow)->tell(run, options.output == "table");
  };
  for (; more && *more; more = input->next(packet)) run.take(packet), tell();
  run.finish(), tell();
  const auto closed = files->close();
  print_summary(options, summary, run, shadow->get());
  if (!closed) return fail(closed.error());
  if (!more) return fail(more.error().text());
  return 0;
}

void add_replay_options(CLI::App& command, ReplayOptions& options) {
  command.add_option("policy", options.policy, "A rule file or a compiled image")->required();
  command.add_option("--shadow", options.shadow, "Another policy that is asked beside it: where the two disagree");
  command.add_option("--inside", options.inside, "Capture of the inside port (pcap or pcapng)");
  command.add_option("--outside", options.outside, "Capture of the outside port; merged with --inside by time");
  command.add_option("--in", options.in, "One capture of both: in pcapng interface 0 is inside, 1 outside");
  command.add_option("--inside-prefix", options.inside_prefixes,
                     "With --in: a packet came in inside when its source is in this range; repeatable");
  command.add_option("--name", options.names, "SIDE=NAME: what `attach` and [port] call the port; repeatable");
  command.add_option("--write", options.write_directory,
                     "Directory for inside.pcap and outside.pcap (what leaves each port) and decisions.jsonl");
  command.add_option("--annotated", options.annotated, "pcapng of every packet with its verdict as comment");
  command.add_option("--flows", options.flows, "Capacity of the flow table")->check(CLI::Range(1u, 1u << 28));
  command.add_flag("--trust-checksums", options.trust_checksums,
                   "Take transport checksums as right: of a capture made where they are finished by the network card");
  command.add_option("--by", options.by, "What the summary's lines are")->check(CLI::IsMember({"reason", "flow"}));
  command.add_option("-o,--output", options.output, "table or json, or jsonl: each decision instead of a summary")
      ->check(CLI::IsMember({"table", "json", "jsonl"}));
}

}  // namespace weir
