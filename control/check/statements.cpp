// Statements and tests, with their names resolved. A statement with a fault is reported and left out of the model.
#include "control/check/names.hpp"
#include "control/check/reading.hpp"
#include "control/check/resolver.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

constexpr std::int64_t day_s = 86400;
constexpr std::size_t guesses_max = 500;  // each looks at every name there is; nobody reads that many

template <class Use>
void each_text(const Node& node, Use use) {
  if (node.kind == NodeKind::string) use(node);
  for (const Node& item : node.items)
    if (item.kind == NodeKind::string) use(item);
}

bool is_on(const Node& table, std::string_view key) {
  const Node* value = value_of(table, key);
  return value != nullptr && value->kind == NodeKind::boolean && value->integer != 0;
}

std::optional<std::int64_t> day_of(const Node& table, std::string_view key) {
  const Node* value = value_of(table, key);
  if (value == nullptr || value->kind != NodeKind::date) return std::nullopt;
  return value->integer * day_s;
}

void unique_sort(std::vector<std::uint32_t>& indices) {
  std::ranges::sort(indices);
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
}

}  // namespace

Resolved resolve(Loaded& loaded, std::int64_t now_s, Diagnostics& out) { return Resolver(loaded, now_s, out).run(); }

Resolved Resolver::run() {
  policy_and_link();
  collect_nouns();
  add_statements();
  std::ranges::sort(statements_, {}, [](const auto& one) -> const std::string& { return one.first.name; });
  for (auto& [statement, facts] : statements_) {
    made_.model.statements.push_back(std::move(statement));
    made_.facts.push_back(facts);
  }
  finish_inspections();
  finish_dns_terms();
  std::ranges::sort(made_.model.budgets, {}, &Budget::name);
  std::ranges::sort(made_.model.limits, {}, &Limit::name);
  check_accounts();
  for (const SourceFile& file : loaded_.sources.files) {
    made_.model.files.push_back(file.name);
    made_.model.line_starts.push_back(file.line_starts);
  }
  return std::move(made_);
}

void Resolver::policy_and_link() {
  for (const Document& document : loaded_.documents) {
    if (const Node* policy = value_of(document.tree, "policy"); policy != nullptr && document.is_root) {
      made_.model.name = text_of(*policy, "name");
      made_.model.monitor = monitors(*policy, made_.model.monitor_until_s);
      if (made_.model.monitor) made_.model.mode_span = policy->find("mode")->value.span;
      made_.pins_optional = text_of(*policy, "pins") == "optional";
      if (const Node* require = value_of(*policy, "require"))
        each_text(*require, [&](const Node& item) {
          const std::vector<std::string_view> known = {"owner", "why", "ticket", "expires"};
          if (std::ranges::find(known, item.text) == known.end()) unknown("E0112", "governance key", item, known);
          else require_.push_back(item.text);
        });
    }
    const Node* link = value_of(document.tree, "link");
    const auto on = [&](std::string_view key) { return link != nullptr && is_on(*link, key); };
    if (document.is_root) made_.model.link = {on("arp"), on("nd"), on("ra"), on("dhcp")};
    if (document.is_root && link != nullptr)
      Reading(*link, out_).amount("budget", KeyType::size, made_.model.link.bytes_a_day, ~std::uint64_t{0});
    if (document.is_root) read_tracking(document);
    if (document.is_root) read_rdma(document);
    if (document.is_root) read_fleet(document);
  }
}

void Resolver::add_statements() {
  for (const Document& document : loaded_.documents) {
    for (const auto& [kind, is_forbid] : {std::pair("allow", false), std::pair("forbid", true)})
      if (const Node* statements = value_of(document.tree, kind))
        for (const Node& node : statements->items)
          if (node.kind == NodeKind::table) add_statement(node, is_forbid);
    const auto each = [&](std::string_view kind, void (Resolver::*add)(const Node&)) {
      const Node* nodes = value_of(document.tree, kind);
      for (std::size_t i = 0; nodes != nullptr && i < nodes->items.size(); ++i)
        if (nodes->items[i].kind == NodeKind::table) (this->*add)(nodes->items[i]);
    };
    each("budget", &Resolver::add_budget);
    each("limit", &Resolver::add_limit);
    each("invariant", &Resolver::add_invariant);
    each("queue_pair", &Resolver::add_queue_pair);
    if (const Node* tests = value_of(document.tree, "test"))
      for (const Node& node : tests->items)
        if (node.kind == NodeKind::table) add_test(node);
  }
}

// A name as given, or one made from the place; each name once among allows and forbids.
std::string Resolver::statement_name(const Node& node, Span& span, std::string_view kind) {
  span = node.span;
  const Node* given = value_of(node, "name");
  if (given == nullptr || given->kind != NodeKind::string) {
    const Place place = loaded_.sources.place(span.file, span.begin);
    return fmt::format("{}:{}", loaded_.sources.files[span.file].name, place.line);
  }
  span = given->span;
  if (!is_name(given->text)) {
    auto& made = out_.add("E0204", span, fmt::format("`{}` is not a name", given->text), "");
    made.note(
        "a name has lower-case letters, digits and dashes, begins with a letter, and is at most 63 characters long");
    if (const std::string like = name_like(given->text); is_name(like)) made.helped(fmt::format("name = \"{}\"", like));
  }
  const bool is_rule = kind == "allow" || kind == "forbid";
  const auto [at, fresh] =
      statement_names_.try_emplace(fmt::format("{}:{}", is_rule ? "rule" : kind, given->text), span);
  if (!fresh)
    out_.add("E0203", span, fmt::format("two statements are called `{}`", given->text), "again here")
        .with(at->second, "first here")
        .note(is_rule ? "allows and forbids share one namespace, since decisions are reported by their names"
                      : "each kind of statement has one namespace over all files");
  return given->text;
}

void Resolver::check_governance(const Node& node, Span span) {
  for (const std::string& key : require_)
    if (says_nothing(node, key))
      out_.add("E0114", span, fmt::format("this allow does not state `{}`", key), fmt::format("`{}` is missing", key))
          .note("[policy] require demands it of every allow")
          .helped(fmt::format("add {} = {}", key, key == "expires" ? "2027-03-31" : "\"...\""));
}

void Resolver::unknown(std::string_view code, std::string_view kind, const Node& at,
                       const std::vector<std::string_view>& known) {
  auto& made = out_.add(code, at.span, fmt::format("there is no {} `{}`", kind, at.text), "not found");
  const std::string meant = ++guesses_ > guesses_max ? "" : nearest(at.text, known);
  if (!meant.empty()) made.helped(fmt::format("did you mean \"{}\"?", meant));
  else if (!known.empty()) made.note(fmt::format("known: {}", listing(known, 12)));
}

void Resolver::unknown_noun(const Node& at) {
  const auto known = noun_names(made_.names);
  const bool is_address = parse_prefix(at.text).fault != PrefixFault::not_an_address;
  if (!is_address) return unknown("E0201", "segment, group or list", at, known);
  out_.add("E0201", at.span, fmt::format("`{}` is an address where a name belongs", at.text), "not a name")
      .helped(fmt::format("define it: [segment.NAME] with cidr = [\"{}\"]", at.text));
}

bool Resolver::segments_of(const Node* node, std::vector<std::uint32_t>& segments) {
  bool whole = true;
  if (node == nullptr) return whole;
  each_text(*node, [&](const Node& item) {
    const auto found = made_.names.nouns.find(item.text);
    if (found == made_.names.nouns.end()) {
      whole = false;
      return unknown_noun(item);
    }
    found->second.used = true;
    segments.insert(segments.end(), found->second.segments.begin(), found->second.segments.end());
  });
  unique_sort(segments);
  return whole && !segments.empty();
}

bool Resolver::services_of(const Node* node, ServiceSet& set) {
  bool whole = true;
  if (node == nullptr) return whole;
  each_text(*node, [&](const Node& item) {
    const auto found = made_.names.services.find(item.text);
    if (found != made_.names.services.end()) {
      found->second.used = true;
      set = unite(set, found->second.set);
      return;
    }
    whole = false;
    std::string sentence;
    const auto known = service_names(made_.names);
    if (item.text.find('/') == std::string::npos || !parse_service(made_.names, item.text, sentence))
      return unknown("E0202", "service", item, known);
    const std::size_t slash = item.text.find('/');
    out_.add("E0202", item.span, fmt::format("`{}` is a port where a service's name belongs", item.text), "not a name")
        .helped(fmt::format("define it: [service] NAME = {{ {} = [\"{}\"] }}", item.text.substr(0, slash),
                            item.text.substr(slash + 1)));
  });
  return whole;
}

void Resolver::add_statement(const Node& node, bool is_forbid) {
  Statement statement;
  StatementFacts facts{node.span, node.find("with") == nullptr, std::nullopt};
  statement.is_forbid = is_forbid;
  statement.name = statement_name(node, statement.span, is_forbid ? "forbid" : "allow");
  if (!is_forbid) check_governance(node, statement.span);
  statement.from_any = node.find("from") == nullptr;
  statement.to_any = node.find("to") == nullptr;
  bool whole = segments_of(value_of(node, "from"), statement.from);
  whole = segments_of(value_of(node, "to"), statement.to) && whole;
  const bool has_services = services_of(value_of(node, "with"), statement.services);
  whole = has_services && whole;
  if (facts.default_services) statement.services = is_forbid ? everything() : default_of_allow();
  if (is_forbid) {
    statement.services = with_queue_pairs(statement.services);
  } else {
    read_terms(node, statement, facts);
    read_spoken_of(node, statement);
    use_inspections(node, statement);
    read_covert(node, statement, has_services);
  }
  const std::string log = text_of(node, "log");
  statement.log = log == "all" ? Log::all : log == "opened" ? Log::opened : Log::none;
  if (const auto day = day_of(node, "expires")) statement.expires_s = *day + day_s;
  if (!is_forbid) read_breakglass(node, statement);
  statement.syn_proxy = is_on(node, "syn_proxy") && !is_forbid;
  statement.reject = is_on(node, "reject") && is_forbid;
  if (!whole || (!is_forbid && (statement.from_any || statement.to_any))) return;
  std::optional<std::int64_t> until_s;
  if (is_forbid && monitors(node, until_s)) return;  // it denies nothing
  statements_.emplace_back(std::move(statement), facts);
}

// Monitor mode ends by itself after the last day stated, which is at most 30 days ahead.
bool Resolver::monitors(const Node& node, std::optional<std::int64_t>& until_s) {
  const Entry* until = node.find("monitor_until");
  const bool monitor = text_of(node, "mode") == "monitor";
  if (until != nullptr && !monitor)
    out_.add("W0411", until->key_span, "`monitor_until` without `mode = \"monitor\"`", "nothing is in monitor mode");
  const auto day = day_of(node, "monitor_until");
  if (!day || !monitor) return monitor;
  until_s = *day + day_s;
  if (*until_s - now_s_ > 31 * day_s)
    out_.add("E0411", until->value.span, "`monitor_until` is more than 30 days ahead", "too late")
        .note("in monitor mode every bound is unlimited, so that it must not become a habit");
  return now_s_ < *until_s;
}

void Resolver::add_test(const Node& node) {
  Test test;
  test.span = node.span;
  test.name = text_of(node, "name");
  if (const auto day = day_of(node, "at")) test.at_s = *day + day_s / 2;
  if (const auto day = day_of(node, "expires")) test.expires_s = *day + day_s;
  if (const Node* from = value_of(node, "from"))
    each_text(*from, [&](const Node& item) {
      std::string sentence;
      if (auto party = parse_party(made_.names, item.text, sentence)) test.from.push_back(std::move(*party));
      else unknown_noun(item);
      if (const auto used = made_.names.nouns.find(item.text); used != made_.names.nouns.end())
        used->second.used = true;
    });
  if (const Node* allow = value_of(node, "allow")) add_claims(test, *allow, true);
  if (const Node* deny = value_of(node, "deny")) add_claims(test, *deny, false);
  if (node.find("allow") == nullptr && node.find("deny") == nullptr)
    out_.add("E0502", node.span, "this test claims nothing", "needs `allow` or `deny`")
        .helped("for example deny = [\"internet https\"]");
  made_.tests.push_back(std::move(test));
}

void Resolver::add_claims(Test& test, const Node& node, bool allow) {
  each_text(node, [&](const Node& item) {
    Claim claim{item.span, allow, {}, {}, {}};
    const std::size_t blank = item.text.rfind(' ');
    if (blank == std::string::npos || blank == 0) {
      out_.add("E0502", item.span, fmt::format("`{}` does not say whom and with what", item.text), "one word")
          .helped("write \"TARGET SERVICE\" or \"ADDRESS PROTO/PORT\", for example \"internet https\"");
      return;
    }
    const std::string target = item.text.substr(0, item.text.find_last_not_of(' ', blank) + 1);
    claim.service_text = item.text.substr(blank + 1);
    std::string sentence;
    auto party = parse_party(made_.names, target, sentence);
    if (!party) {
      Node word = item;
      word.text = target;
      return unknown_noun(word);
    }
    const auto services = parse_service(made_.names, claim.service_text, sentence);
    if (!services) {
      Node word = item;
      word.text = claim.service_text;
      return unknown("E0202", "service or port", word, service_names(made_.names));
    }
    if (const auto used = made_.names.nouns.find(target); used != made_.names.nouns.end()) used->second.used = true;
    if (const auto used = made_.names.services.find(claim.service_text); used != made_.names.services.end())
      used->second.used = true;
    claim.target = std::move(*party);
    claim.services = *services;
    test.claims.push_back(std::move(claim));
  });
}

}  // namespace weir::control
