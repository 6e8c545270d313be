// `weir explain E0301`: the long text of a code. `weir explain POLICY 'trainers > internet tcp/443'`: what the engine
// decides, by which rule, and what would have to change. The decision is Policy::judge's; only the advice reads rules.
#include "control/ask/ask.hpp"
#include "control/check/reading.hpp"
#include "control/model/breakglass.hpp"
#include "control/report/catalogue.hpp"
#include "control/report/report.hpp"
#include "dataplane/packet/numbers.hpp"
#include "tools/weir/commands.hpp"
#include "tools/weir/dump_inspect.hpp"
#include "tools/weir/dump_rdma.hpp"
#include "tools/weir/rules.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <bit>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

namespace weir {
namespace {

using control::Answer, control::Asker, control::Example, control::Party;

struct ExplainOptions {
  std::string what, question, port, to_port, at, output = "table";
  std::optional<u32> network;
};

struct Spoken {
  Party from, to;
  std::string service_text;
  control::ServiceSet services;
};

std::string trimmed(std::string text) {
  const auto begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

std::optional<Spoken> parse_question(const control::Names& names, const std::string& text, std::string& fault) {
  const std::size_t arrow = text.find('>');
  const std::string behind = arrow == std::string::npos ? "" : trimmed(text.substr(arrow + 1));
  const std::size_t blank = behind.rfind(' ');
  if (blank == std::string::npos) {
    fault = "a question is 'SOURCE > TARGET SERVICE', for example 'trainers > internet tcp/443'";
    return std::nullopt;
  }
  const auto from = parse_party(names, trimmed(text.substr(0, arrow)), fault);
  if (!from) return std::nullopt;
  const auto to = parse_party(names, trimmed(behind.substr(0, blank)), fault);
  if (!to) return std::nullopt;
  const auto services = parse_service(names, behind.substr(blank + 1), fault);
  if (!services) return std::nullopt;
  return Spoken{*from, *to, behind.substr(blank + 1), *services};
}

bool names_party(const std::vector<std::uint32_t>& segments, bool any, const Party& party) {
  return any || (!party.prefix && std::ranges::includes(segments, party.segments));
}

// Allows that cover the question by name: what would hold if a forbid went away.
std::vector<std::string> allows_for(const control::Model& model, const Spoken& asked) {
  std::vector<std::string> found;
  for (const auto& one : model.statements)
    if (!one.is_forbid && names_party(one.from, one.from_any, asked.from) &&
        names_party(one.to, one.to_any, asked.to) && overlaps(one.services, asked.services))
      found.push_back(fmt::format("`{}` at {}:{}", one.name, model.files[one.span.file], model.line_of(one.span)));
  return found;
}

std::string side(const Asker& asker, const Party& party, std::uint16_t port_class, const Address& address,
                 bool source) {
  if (!party.prefix) return party.text;
  const auto& policy = asker.policy();
  const u16 segment = source ? policy.source_segment(port_class, address) : policy.target_segment(port_class, address);
  return segment == no_segment ? fmt::format("(a segment with {})", party.text)
                               : std::string(policy.segment_name(segment));
}

std::string change(const Rules& rules, const Asker& asker, const Spoken& asked, const Example& example) {
  const Judgement& judgement = example.judgement;
  const std::string rule = asker.show(judgement);
  const Question& question = example.question;
  switch (judgement.reason) {
    case Reason::flow_new: return fmt::format("to deny it, take it out of {}, or add a [[forbid]]", rule);
    case Reason::forbidden: {
      const auto allows = allows_for(rules.checked.model, asked);
      return fmt::format("no allow can override a forbid: {} would have to leave it out; {}", rule,
                         allows.empty() ? "then an [[allow]] would still be needed"
                                        : fmt::format("then {} would allow it", allows.front()));
    }
    case Reason::expired: return fmt::format("{} has expired: give it a later `expires`", rule);
    case Reason::spoofed:
      return "the source does not belong to that port: its segment's `attach` or the port's pin would have to change";
    default: break;
  }
  const bool known = rules.checked.names.services.contains(asked.service_text);
  return fmt::format("add [[allow]] with from = \"{}\", to = \"{}\", with = [\"{}\"]{}",
                     side(asker, asked.from, question.source_class, question.source, true),
                     side(asker, asked.to, question.target_class, question.target, false),
                     known ? asked.service_text : "NAME",
                     known ? "" : fmt::format(", where [service] NAME is {}", asked.service_text));
}

// What queue pairs of an allowed question may do; empty for anything else.
std::string terms_of(const Rules& rules, const Asker& asker, const Example& example) {
  const Policy& policy = asker.policy();
  const Judgement& judgement = example.judgement;
  if (!example.question.is_rdma || !example.allowed()) return "";
  const u8 forth = policy.operations_of(judgement, false), back = policy.operations_of(judgement, true);
  std::string out = operations_text(forth & back);
  const u64 opener = policy.assets_of_source(judgement.source_zone);
  const u64 target = policy.assets_of_target(judgement.target_zone);
  for (const auto& [who, mask, alone] : {std::tuple("the source", forth, target & ~opener),
                                         std::tuple("the target", back, opener & ~target)}) {
    if ((mask & rdma_read) != 0) {
      if ((forth & back & rdma_read) == 0) out += fmt::format("; READ by {}", who);
      continue;
    }
    const bool by_asset = policy.rdma_rule(judgement.rule).read_unless_asset != 0 && alone != 0;
    out += fmt::format("; no READ by {}", who);
    if (by_asset)
      out += fmt::format(", which does not hold `{}`",
                         rules.checked.model.assets[static_cast<u32>(std::countr_zero(alone))].name);
  }
  for (u64 job = 0; job < policy.jobs().size(); ++job)
    if ((policy.jobs_of_source(judgement.source_zone) & policy.jobs_of_target(judgement.target_zone)) >> job & 1)
      out += fmt::format("; in job `{}` only {}", policy.text(policy.jobs()[job].name),
                         operations_text(policy.jobs()[job].operations));
  return out;
}

// What an allowed question's packets must pass; empty where nothing is asked.
std::string looks_of(const Asker& asker, const Example& example) {
  if (!example.allowed()) return "";
  const Policy& policy = asker.policy();
  const image::Look& look = policy.look(example.judgement.rule);
  std::vector<std::string> words;
  for (u64 index = 0; index < policy.inspections().size(); ++index)
    if (look.inspections >> index & 1) words.push_back(inspection_text(policy, policy.inspections()[index]));
  if (look.protocols != 0 && example.question.protocol == protocol_tcp)
    words.push_back(fmt::format("must begin as {}", protocols_text(look.protocols)));
  constexpr std::string_view payloads[] = {"", "ICMP payloads are normalised", "no ICMP payload"};
  if (look.dns != 0) words.push_back(dns_text(policy, policy.dns_terms()[look.dns - 1]));
  if (look.icmp_payload != image::IcmpPayload::pass && is_icmp_protocol(example.question.protocol))
    words.emplace_back(payloads[static_cast<u32>(look.icmp_payload)]);
  if (look.scrub != 0) words.emplace_back("headers are scrubbed");
  return fmt::format("{}", fmt::join(words, "; "));
}

using Closed = std::vector<const control::Statement*>;

// Breakglass allows that would allow some of what is denied, while they are open: the policy at its most open is asked.
Closed would_open(const Rules& rules, const std::vector<control::Prefix>& prefixes, const Spoken& asked, Tick now,
                  const control::Route& way) {
  Closed found;
  if (!rules.widest) return found;
  const Asker open(rules.checked, rules.widest->policy, prefixes);
  const Answer answer = open.ask(asked.from, asked.to, asked.services, now, way);
  for (const Example& one : answer.examples) {
    if (!one.allowed() || one.judgement.rule == no_rule) continue;
    const std::string_view name = open.policy().rule(one.judgement.rule).name;
    if (const auto* const closed = control::find_breakglass(rules.checked.model, name); closed != nullptr)
      found.push_back(closed);
  }
  return found;
}

std::string_view verdict_of(const Answer& answer) {
  return answer.allowed == answer.asked ? "allowed" : answer.allowed == 0 ? "denied" : "mixed";
}

void print_json(const Rules& rules, const Asker& asker, const Spoken& asked, const Answer& answer, const Closed& closed,
                const std::string& question, bool one_line) {
  nlohmann::ordered_json examples = nlohmann::ordered_json::array();
  for (const Example& one : answer.examples) {
    nlohmann::ordered_json made = {{"packet", asker.show(one.question)},
                                   {"verdict", verdict_name(row(one.judgement.reason).verdict)},
                                   {"reason", row(one.judgement.reason).name},
                                   {"rule", nullptr},
                                   {"change", change(rules, asker, asked, one)}};
    if (const std::string terms = terms_of(rules, asker, one); !terms.empty()) made["may"] = terms;
    if (const std::string looks = looks_of(asker, one); !looks.empty()) made["looks"] = looks;
    if (one.judgement.rule != no_rule) {
      const RuleView rule = asker.policy().rule(one.judgement.rule);
      made["rule"] = {
          {"name", rule.name}, {"kind", rule.is_forbid ? "forbid" : "allow"}, {"file", rule.file}, {"line", rule.line}};
    }
    examples.push_back(made);
  }
  nlohmann::ordered_json breakglass = nlohmann::ordered_json::array();
  for (const control::Statement* one : closed)
    breakglass.push_back({{"name", one->name}, {"for_at_most_s", one->breakglass_s}});
  const nlohmann::ordered_json whole = {{"question", question},
                                        {"monitor", rules.checked.model.monitor},
                                        {"verdict", verdict_of(answer)},
                                        {"asked", answer.asked},
                                        {"allowed", answer.allowed},
                                        {"examples", examples},
                                        {"breakglass", breakglass}};
  fmt::print("{}", text_of(whole, one_line));
}

void print_table(const Rules& rules, const Asker& asker, const Spoken& asked, const Answer& answer,
                 const Closed& closed, const std::string& question) {
  fmt::print("{}: {}", control::harmless(question), verdict_of(answer));
  if (answer.allowed != 0 && answer.allowed != answer.asked)
    fmt::print(" ({} of {} combinations are allowed; one example of each kind)", answer.allowed, answer.asked);
  fmt::print("\n");
  if (rules.checked.model.monitor) fmt::print("  (monitor mode: what is denied here passes, and is told)\n");
  for (const Example& one : answer.examples) {
    const ReasonRow& reason = row(one.judgement.reason);
    fmt::print("\n  packet   {}\n  verdict  {}: {} ({})\n", asker.show(one.question), verdict_name(reason.verdict),
               reason.sentence, reason.name);
    if (one.judgement.rule != no_rule) fmt::print("  rule     {}\n", asker.show(one.judgement));
    if (const std::string terms = terms_of(rules, asker, one); !terms.empty()) fmt::print("  may      {}\n", terms);
    if (const std::string looks = looks_of(asker, one); !looks.empty()) fmt::print("  looks    {}\n", looks);
    fmt::print("  change   {}\n", change(rules, asker, asked, one));
  }
  const control::Model& model = rules.checked.model;
  for (const control::Statement* one : closed)
    fmt::print("\n  breakglass `{0}` at {1}:{2} is closed, and allows {3} while it is open, for at most {4}:\n"
               "           weir breakglass {0} --for {4} --why \"...\"\n",
               one->name, control::harmless(model.files[one->span.file]), model.line_of(one->span),
               answer.allowed == 0 ? "it" : "more of it", control::spoken_ms(u64{one->breakglass_s} * 1000));
}

int explain_code(const std::string& code) {
  const control::CodeRow* found = control::find_code(code);
  if (found == nullptr) {
    fmt::print(stderr, "weir explain: there is no code {}; docs/rules.md lists them all\n",
               control::harmless(code));
    return exit_invalid;
  }
  fmt::print("{}: {}\n\n{}\n", found->code, found->title, found->text);
  return exit_yes;
}

bool is_code(const std::string& text) {
  return text.size() == 5 && (text[0] == 'E' || text[0] == 'W') &&
         std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

int fail(const std::string& sentence) {
  fmt::print(stderr, "weir explain: {}\n", control::harmless(sentence));
  return exit_invalid;
}

int run_explain(const ExplainOptions& options) {
  if (options.question.empty()) {
    std::string code = options.what;
    if (!code.empty() && (code[0] == 'e' || code[0] == 'w')) code[0] = static_cast<char>(code[0] - 'a' + 'A');
    if (is_code(code)) return explain_code(code);
    return fail("give a code (E0301), or a policy and a question ('trainers > internet tcp/443')");
  }
  const auto now_s = time_of(options.at);
  if (!now_s) return fail(fmt::format("--at {}: not a date (YYYY-MM-DD)", options.at));
  const Rules rules = read_rules(options.what, *now_s, 0, control::Purpose::read);
  if (!rules.ok()) {
    print(rules.checked.diagnostics, rules.checked.sources, "human");
    return exit_invalid;
  }
  std::string fault;
  const auto asked = parse_question(rules.checked.names, options.question, fault);
  if (!asked) return fail(fault);
  std::vector<control::Prefix> prefixes;
  for (const Party* party : {&asked->from, &asked->to})
    if (party->prefix) prefixes.push_back(*party->prefix);
  const Asker asker(rules.checked, rules.compiled->policy, prefixes);
  const auto named = [](const std::string& port) {
    return port.empty() ? std::nullopt : std::optional<std::string_view>(port);
  };
  if (options.network && !(options.port.empty() && options.to_port.empty()))
    return fail("--vni: inside a network there are no ports");
  const control::Route way{named(options.port), named(options.to_port), options.network};
  const Tick now = static_cast<Tick>(*now_s) * tick_second;
  const Answer answer = asker.ask(asked->from, asked->to, asked->services, now, way);
  if (answer.too_many) return fail("the question names more combinations than can be asked: narrow it");
  if (answer.asked == 0)
    return fail("nobody could send this: source and target have no family in common, or every source is spoofed there");
  const auto closed = would_open(rules, prefixes, *asked, now, way);
  if (options.output != "table")
    print_json(rules, asker, *asked, answer, closed, options.question, options.output == "jsonl");
  else print_table(rules, asker, *asked, answer, closed, options.question);
  return answer.allowed == answer.asked ? exit_yes : exit_no;
}

}  // namespace

void add_explain(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<ExplainOptions>();
  CLI::App* command = app.add_subcommand("explain", "Explain a code, or what a policy does with a connection");
  command->add_option("what", options->what, "A code (E0301) or a root rule file")->required();
  command->add_option("question", options->question,
                      "'SOURCE > TARGET SERVICE': segments, groups, lists or addresses; a service's name, tcp/443, "
                      "udp/53-60, rdma/20049, rdma/nccl, icmp/echo or esp");
  command->add_option("--port", options->port, "The port by which the source comes in");
  command->add_option("--to-port", options->to_port, "The port by which the packet would leave");
  command->add_option("--vni", options->network, "The network (VXLAN, Geneve) inside which both are")
      ->check(CLI::Range(0u, image::network_max));
  command->add_option("--at", options->at, "YYYY-MM-DD: as if today were that day");
  command->add_option("-o,--output", options->output, "table, json or jsonl")
      ->check(CLI::IsMember({"table", "json", "jsonl"}));
  command->callback([options, &exit_code] { exit_code = run_explain(*options); });
}

}  // namespace weir
