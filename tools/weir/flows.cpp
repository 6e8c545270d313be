// `weir flows SOCKET [FILTER]`: the flows that a running dataplane remembers now, with their segments and the rule that
// allowed each. The dataplane hands the policy over with them, so that names need no file. With --follow it asks again
// and again and tells which are new and which have gone: one that lives between two looks alone is not seen.
#include "control/see/door_view.hpp"
#include "control/see/flow_line.hpp"
#include "tools/weir/rules.hpp"
#include "tools/weir/see.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <tuple>

namespace weir {
namespace {

struct FlowsOptions {
  std::string door, output = "table";
  std::vector<std::string> filter;
  bool follows = false;
  double every_s = 2;
  unsigned count = 0;  // looks; 0: until interrupted
};

std::string judged_text(const door::FlowRow& row, std::string_view rule) {
  if (row.judged == door::Judged::now)
    return rule.empty() ? fmt::format("rule {}", row.rule) : fmt::format("rule {}", rule);
  return row.judged == door::Judged::revoked ? "revoked" : "of an older policy";
}

std::string flow_text(const door::FlowRow& row, const see::Facts& facts) {
  const bool is_icmp = row.flow_class() == FlowClass::icmp4 || row.flow_class() == FlowClass::icmp6;
  const bool is_rdma = row.flow_class() == FlowClass::rdma;
  std::string more;
  if (is_icmp) more = fmt::format(" type {} code {}", facts.target_port >> 8, facts.target_port & 255);
  if (is_rdma)
    more = fmt::format(" queue pair {} of {}", row.qp,
                       see::text_of(row.qp_is_of_source != 0 ? facts.source : facts.target));
  const u16 target_port = is_icmp ? u16{0} : facts.target_port;
  return fmt::format("{:<5} {} > {}{}  {}, {}, idle {:.1f} s, {:.1f} s left\n",
                     is_rdma ? "rdma" : see::protocol_text(facts.protocol),
                     end_text(facts.source, facts.source_port, facts.from),
                     end_text(facts.target, target_port, facts.to), more, judged_text(row, facts.rule),
                     see::state_name(row), row.idle_ms / 1000.0, row.left_ms / 1000.0);
}

int failed(const control::DoorFailure& failure) {
  fmt::print(stderr, "weir flows: {}\n", failure.sentence);
  using Kind = control::DoorFailure::Kind;
  return failure.kind == Kind::usage           ? exit_invalid
         : failure.kind == Kind::not_permitted ? exit_not_permitted
                                               : exit_unreachable;
}

// What tells two flows apart: a row's words of who speaks to whom. One that ended and began anew is the same.
using FlowName = std::tuple<u64, u64, u64, u64, u32, u32, u32, u8>;
FlowName name_of(const door::FlowRow& row) {
  return {row.source[0], row.source[1], row.target[0], row.target[1], row.scope,
          u32{row.source_port} << 16 | row.target_port, row.qp, row.protocol};
}

// As it was told when it was last seen.
struct Told {
  std::string line;
  bool is_there = true;
};

std::string told_of(const FlowsOptions& options, const door::FlowRow& row, const see::Facts& facts,
                    const see::PolicyNames* names, const char* change) {
  if (options.output != "json") return flow_text(row, facts);
  auto made = see::flow_json(row, facts, names);
  made["change"] = change;
  return text_of(made, true);
}

// One look: new ones are told, and those that are not there any more.
std::expected<void, control::DoorFailure> look_again(const FlowsOptions& options, const see::Filter& filter,
                                                     std::map<FlowName, Told>& known) {
  auto door = control::Door::reach(options.door);
  if (!door) return std::unexpected(door.error());
  const auto told = see::ask_flows(*door);
  if (!told) return std::unexpected(told.error());
  const auto names = see::names_of(*door, *told);
  for (auto& [name, one] : known) one.is_there = false;
  for (const door::FlowRow& row : told->rows) {
    const see::Facts facts = see::facts_of(row, names.get());
    if (!filter.matches(facts)) continue;
    const auto [found, is_new] = known.try_emplace(name_of(row));
    found->second = {told_of(options, row, facts, names.get(), "ended"), true};
    if (is_new && options.output == "json") fmt::print("{}", told_of(options, row, facts, names.get(), "new"));
    else if (is_new) fmt::print("+ {}", found->second.line);
  }
  // Where not all were looked at, what was not seen may still be there.
  if (told->not_shown != 0) fmt::print(stderr, "weir flows: {} flows were not looked at\n", told->not_shown);
  std::erase_if(known, [&](const auto& one) {
    if (one.second.is_there || told->not_shown != 0) return false;
    fmt::print("{}{}", options.output == "json" ? "" : "- ", one.second.line);
    return true;
  });
  return {};
}

int follow(const FlowsOptions& options) {
  const auto filter = filter_of("flows", options.filter);
  if (!filter) return exit_invalid;
  stop_on_signals();
  std::map<FlowName, Told> known;
  for (unsigned look = 1; !is_stopped(); ++look) {
    if (const auto looked = look_again(options, *filter, known); !looked) return failed(looked.error());
    if (std::fflush(stdout) != 0 || look == options.count || !pause_for(options.every_s)) break;
  }
  return exit_yes;
}

int flows(const FlowsOptions& options) {
  if (options.follows) return follow(options);
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
    else fmt::print("{}", flow_text(row, facts));
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
  command->add_flag("-f,--follow", options->follows, "Ask again and again: + is a new flow, - one that has gone");
  command->add_option("--every", options->every_s, "With -f: seconds from one look to the next")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  command->add_option("--looks", options->count, "With -f: how many looks; without it until interrupted");
  command->callback([options, &exit_code] { exit_code = flows(*options); });
}

}  // namespace weir
