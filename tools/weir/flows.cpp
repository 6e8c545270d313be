// `weir flows SOCKET [FILTER]`: the flows that a running dataplane remembers now, with their segments and the rule that
// allowed each. The dataplane hands the policy over with them, so that names need no file.
#include "control/see/door_view.hpp"
#include "control/see/flow_line.hpp"
#include "tools/weir/rules.hpp"
#include "tools/weir/see.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <memory>

namespace weir {
namespace {

struct FlowsOptions {
  std::string door, output = "table";
  std::vector<std::string> filter;
};

std::string judged_text(const door::FlowRow& row, std::string_view rule) {
  if (row.judged == door::Judged::now)
    return rule.empty() ? fmt::format("rule {}", row.rule) : fmt::format("rule {}", rule);
  return row.judged == door::Judged::revoked ? "revoked" : "of an older policy";
}

void print_flow(const door::FlowRow& row, const see::Facts& facts) {
  const bool is_icmp = row.flow_class() == FlowClass::icmp4 || row.flow_class() == FlowClass::icmp6;
  const bool is_rdma = row.flow_class() == FlowClass::rdma;
  std::string more;
  if (is_icmp) more = fmt::format(" type {} code {}", facts.target_port >> 8, facts.target_port & 255);
  if (is_rdma)
    more = fmt::format(" queue pair {} of {}", row.qp,
                       see::text_of(row.qp_is_of_source != 0 ? facts.source : facts.target));
  const u16 target_port = is_icmp ? u16{0} : facts.target_port;
  fmt::print("{:<5} {} > {}{}  {}, {}, idle {:.1f} s, {:.1f} s left\n",
             is_rdma ? "rdma" : see::protocol_text(facts.protocol),
             end_text(facts.source, facts.source_port, facts.from), end_text(facts.target, target_port, facts.to), more,
             judged_text(row, facts.rule), see::state_name(row), row.idle_ms / 1000.0, row.left_ms / 1000.0);
}

int failed(const control::DoorFailure& failure) {
  fmt::print(stderr, "weir flows: {}\n", failure.sentence);
  using Kind = control::DoorFailure::Kind;
  return failure.kind == Kind::usage           ? exit_invalid
         : failure.kind == Kind::not_permitted ? exit_not_permitted
                                               : exit_unreachable;
}

int flows(const FlowsOptions& options) {
  const auto filter = filter_of("flows", options.filter);
  if (!filter) return exit_invalid;
  auto door = control::Door::reach(options.door);
  if (!door) return failed(door.error());
  const auto told = see::ask_flows(*door);
  if (!told) return failed(told.error());
  const auto names = see::names_of(*door, *told);
  u64 shown = 0;
  for (const door::FlowRow& row : told->rows) {
    const see::Facts facts = see::facts_of(row, names.get());
    if (!filter->matches(facts)) continue;
    ++shown;
    if (options.output == "json") fmt::print("{}", text_of(see::flow_json(row, facts, names.get()), true));
    else print_flow(row, facts);
  }
  if (options.output != "json") fmt::print("{} of {} flows", shown, told->rows.size() + told->not_shown);
  if (options.output != "json" && told->not_shown != 0) fmt::print("; {} were not looked at", told->not_shown);
  if (options.output != "json") fmt::print("\n");
  else if (told->not_shown != 0) fmt::print(stderr, "weir flows: {} flows were not looked at\n", told->not_shown);
  return exit_yes;
}

}  // namespace

void add_flows(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<FlowsOptions>();
  CLI::App* command =
      app.add_subcommand("flows", "The flows that a running dataplane remembers, with rules and segments");
  command->add_option("socket", options->door, "The dataplane's door")->required();
  command->add_option("filter", options->filter, "As pcap's, and segment, rule: `tcp and dst segment store`");
  command->add_option("-o,--output", options->output, "table or json, a line a flow")
      ->check(CLI::IsMember({"table", "json"}));
  command->callback([options, &exit_code] { exit_code = flows(*options); });
}

}  // namespace weir
