// [[budget]] and [[limit]]: every value within its bounds, windows that do not contradict each other, shares that fit.
// Whether a budget covers what an allow opens is judged in classes.cpp; what is legal and odd, in budget_lints.cpp.
#include "control/check/names.hpp"
#include "control/check/reading.hpp"
#include "control/check/resolver.hpp"
#include "control/check/values.hpp"
#include "dataplane/base/limits.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

constexpr std::uint64_t rate_max = 1'000'000'000'000'000;
constexpr std::uint32_t surcharge_most = 65'535;
static_assert(surcharge_most <= surcharge_max);

// Judges a value that stands under a name of the writer's choice.
bool fits(KeyType type, std::string_view key, const Entry& entry, const Sources& sources, Diagnostics& out) {
  const KeyRow row{"budget", key, type, false, true, "", "", ""};
  const std::size_t before = out.all.size();
  check_value(row, entry, sources, out);
  return out.all.size() == before;
}

Budget::Scope scope_of(std::string_view text) {
  return text == "segment" ? Budget::Scope::segment : text == "host" ? Budget::Scope::host : Budget::Scope::fleet;
}

// `rate` and `burst`, as cells can keep them (dataplane/budget/limit_cells.hpp).
void read_bytes(const Node& node, const Reading& values, Limit& limit) {
  if (!values.amount("rate", KeyType::rate, limit.rate_bits_per_s, rate_max)) return;
  if (limit.rate_bits_per_s < limit_bits_per_s_min)
    return values.out_of_bounds("rate", *value_of(node, "rate"),
                                fmt::format("{} bit/s and more", limit_bits_per_s_min));
  limit.burst_bytes = std::max<std::uint64_t>(limit_burst_bytes_min, limit.rate_bits_per_s / 8);
  if (!values.amount("burst", KeyType::size, limit.burst_bytes, budget_bytes_max)) return;
  const Node& burst = *value_of(node, "burst");
  if (limit.burst_bytes < limit_burst_bytes_min)
    values.out_of_bounds("burst", burst, "2 KiB and more: a whole frame must fit");
  else if (u128{limit.burst_bytes} * 8 > u128{limit.rate_bits_per_s} * limit_burst_s_max)
    values.out_of_bounds("burst", burst, "as much as `rate` lets pass in 30 days, and no more");
}

}  // namespace

void Resolver::add_budget(const Node& node) {
  Budget budget;
  budget.name = statement_name(node, budget.span, "budget");
  bool whole = segments_of(value_of(node, "from"), budget.from) && !budget.from.empty();
  budget.to_any = node.find("to") == nullptr;
  budget.any_service = node.find("with") == nullptr;
  whole = segments_of(value_of(node, "to"), budget.to) && whole;
  whole = services_of(value_of(node, "with"), budget.services) && whole;
  if (budget.any_service) budget.services = everything();
  budget.services = with_queue_pairs(budget.services);
  if (const Node* from = value_of(node, "from")) budget.from_span = from->span;
  whole = add_windows(node, budget) && whole;
  whole = add_exceed(node, budget) && whole;
  budget.scope = scope_of(text_of(node, "scope"));
  budget.count = text_of(node, "count") == "payload" ? Budget::Count::payload : Budget::Count::wire;
  budget.opens_empty = text_of(node, "opening") == "empty";
  budget.monitor = monitors(node, budget.monitor_until_s);
  const Reading values(node, out_);
  values.count("surcharge", budget.surcharge, 0, surcharge_most);
  values.share("max_share", budget.max_share);
  add_reserves(node, budget);
  add_alerts(node, budget);
  for (const auto& [key, useless] : {std::pair("surcharge", budget.count == Budget::Count::wire),
                                     std::pair("max_share", budget.scope == Budget::Scope::host)})
    if (const Entry* entry = node.find(key); entry != nullptr && useless)
      out_.add("W0411", entry->key_span,
               fmt::format("`{}` {}", key,
                           budget.scope == Budget::Scope::host && key[0] == 'm'
                               ? "beside `scope = \"host\"`: every host has an account of its own"
                               : "without `count = \"payload\"`"),
               "nothing uses it");
  if (whole) made_.model.budgets.push_back(std::move(budget));
}

// `windows`, or `bytes` and `every`.
bool Resolver::add_windows(const Node& node, Budget& budget) {
  const Entry *windows = node.find("windows"), *bytes = node.find("bytes"), *every = node.find("every");
  budget.windows_span = windows != nullptr ? windows->value.span : bytes != nullptr ? bytes->value.span : budget.span;
  const Entry* beside = bytes != nullptr ? bytes : every;
  if (windows != nullptr && beside != nullptr) {
    out_.add("E0414", beside->key_span, fmt::format("`{}` beside `windows`", beside->key), "says it a second time")
        .with(windows->key_span, "said here")
        .helped("write all windows in one table: windows = { \"1h\" = \"10 GB\", \"1d\" = \"150 GB\" }");
    return false;
  }
  if (windows == nullptr && (bytes == nullptr || every == nullptr)) {
    auto& made = out_.add("E0414", beside == nullptr ? budget.span : beside->key_span,
                          beside == nullptr  ? "this budget does not say how much"
                          : bytes == nullptr ? "`every` without `bytes`"
                                             : "`bytes` without `every`",
                          "no window");
    made.helped("for example bytes = \"150 GB\" and every = \"1d\"");
    return false;
  }
  if (windows == nullptr) return add_window(every->key_span, every, *bytes, budget);
  if (windows->value.kind != NodeKind::table) return false;
  bool whole = !windows->value.entries.empty();
  if (!whole)
    out_.add("E0414", windows->value.span, "this budget does not say how much", "no window")
        .helped("for example windows = { \"1d\" = \"150 GB\" }");
  for (const Entry& entry : windows->value.entries) whole = add_window(entry.key_span, nullptr, entry, budget) && whole;
  if (budget.windows.size() > budget_windows_max) {
    out_.add("E0612", windows->value.span,
             fmt::format("this budget has {} windows; one can have {}", budget.windows.size(), budget_windows_max));
    return false;
  }
  return whole;
}

// One window; `length` is the value of `every`, or nullptr where the key of `bytes` is the length.
bool Resolver::add_window(Span span, const Entry* length, const Entry& bytes, Budget& budget) {
  Window window{0, 0, span};
  const std::string text = length != nullptr ? length->value.text : bytes.key;
  if (text != "lifetime") {
    Entry judged = length != nullptr ? *length : bytes;
    if (length == nullptr) {
      judged.value = Node{};
      judged.value.kind = NodeKind::string;
      judged.value.span = span;
      judged.value.text = text;
    }
    if (!fits(KeyType::duration, length != nullptr ? "every" : "windows", judged, loaded_.sources, out_)) return false;
    const double seconds = parse_quantity(KeyType::duration, text).amount;
    if (seconds < 1 || seconds > budget_window_s_max ||
        seconds != static_cast<double>(static_cast<std::uint32_t>(seconds))) {
      out_.add("E0411", span, fmt::format("a window of {} is out of bounds", text),
               "can be 1s to 30d in whole seconds, or lifetime");
      return false;
    }
    window.length_s = static_cast<std::uint64_t>(seconds);
  }
  if (!fits(KeyType::size, length != nullptr ? "bytes" : text, bytes, loaded_.sources, out_)) return false;
  const auto amount = whole_units(KeyType::size, bytes.value.text);
  if (!amount || *amount / made_.model.instances == 0 || *amount > budget_bytes_max) {
    auto& made = out_.add("E0411", bytes.value.span, fmt::format("the window `{}` is out of bounds", text),
                          fmt::format("can be 1 byte to {} bytes", budget_bytes_max));
    if (made_.model.instances > 1)
      made.note(fmt::format("each of {} instances gets an equal part", made_.model.instances));
    return false;
  }
  window.bytes = *amount;
  const auto order = [](const Window& one) { return one.length_s - 1; };  // lifetime last
  const auto place = std::ranges::lower_bound(budget.windows, order(window), {}, order);
  if (place != budget.windows.end() && place->length_s == window.length_s) {
    out_.add("E0414", span, fmt::format("the window `{}` stands twice", text), "as long as another one")
        .with(place->span, "the other");
    return false;
  }
  budget.windows.insert(place, window);
  return true;
}

// "deny", "throttle RATE" or "alert".
bool Resolver::add_exceed(const Node& node, Budget& budget) {
  const Node* value = value_of(node, "on_exceed");
  if (value == nullptr || value->kind != NodeKind::string || value->text == "deny") return true;
  const std::size_t blank = std::min(value->text.find(' '), value->text.size());
  const std::string word = value->text.substr(0, blank);
  if (value->text == "alert") {
    budget.on_exceed = Budget::Exceed::alert;
    return true;
  }
  if (word != "throttle" || blank == value->text.size()) {
    const std::vector<std::string_view> known = {"deny", "throttle", "alert"};
    auto& made = out_.add("E0112", value->span, fmt::format("`on_exceed` cannot be \"{}\"", value->text),
                          word == "throttle" ? "how fast?" : "one of deny, throttle RATE and alert");
    const std::string meant = nearest(word, known);
    if (word == "throttle" || meant == "throttle") made.helped("on_exceed = \"throttle 1 Mbit/s\"");
    else if (!meant.empty()) made.helped(fmt::format("did you mean on_exceed = \"{}\"?", meant));
    return false;
  }
  Entry rate{"on_exceed", value->span, *value};
  rate.value.text = value->text.substr(value->text.find_first_not_of(' ', blank));
  if (!fits(KeyType::rate, "on_exceed", rate, loaded_.sources, out_)) return false;
  const auto bits = whole_units(KeyType::rate, rate.value.text);
  if (!bits || *bits / made_.model.instances < 8 || *bits > rate_max) {
    out_.add("E0411", value->span, "the rate of `on_exceed` is out of bounds",
             fmt::format("can be 8 bit/s{} to 1000 Tbit/s", made_.model.instances > 1 ? " for each instance" : ""));
    return false;
  }
  budget.on_exceed = Budget::Exceed::throttle;
  budget.throttle_bits_per_s = *bits;
  const auto lifetime = std::ranges::find(budget.windows, 0u, &Window::length_s);
  if (lifetime == budget.windows.end()) return true;
  out_.add("E0415", value->span, "a throttle beside a lifetime window", "goes on for ever")
      .with(lifetime->span, "never more than this")
      .note("behind a throttle bytes leave without end, so that nothing would hold over a lifetime")
      .helped("on_exceed = \"deny\", or take `lifetime` out");
  return false;
}

// Parts that one segment of either side, or one service, has to itself.
void Resolver::add_reserves(const Node& node, Budget& budget) {
  const Node* reserve = value_of(node, "reserve");
  if (reserve == nullptr || reserve->kind != NodeKind::table) return;
  std::uint32_t sum = 0;
  for (const Entry& entry : reserve->entries) {
    Budget::Reserve made;
    made.span = entry.key_span;
    if (!fits(KeyType::percent, entry.key, entry, loaded_.sources, out_) ||
        !Reading(*reserve, out_).share(entry.key, made.share))
      continue;
    const auto noun = made_.names.nouns.find(entry.key);
    const auto service = made_.names.services.find(entry.key);
    const bool is_noun = noun != made_.names.nouns.end(), is_service = service != made_.names.services.end();
    Node name;
    name.span = entry.key_span;
    name.text = entry.key;
    auto known = noun_names(made_.names);
    for (const std::string_view one : service_names(made_.names)) known.push_back(one);
    if (!is_noun && !is_service) {
      unknown("E0201", "segment, list or service", name, known);
      continue;
    }
    if (is_noun == is_service || (is_noun && noun->second.kind == NounKind::group)) {
      out_.add("E0211", entry.key_span,
               is_service ? fmt::format("`{}` is both a segment and a service", entry.key)
                          : fmt::format("`{}` is a group", entry.key),
               "whose part?")
          .note("a reserve is for one segment, one list or one service");
      continue;
    }
    if (is_noun) made.segment = noun->second.segments.front();
    else made.services = service->second.set;
    (is_noun ? noun->second.used : service->second.used) = true;
    sum += made.share;
    budget.reserves.push_back(std::move(made));
  }
  if (sum > 10'000)
    out_.add("E0412", reserve->span, fmt::format("the reserves are {}.{:02} % of the budget", sum / 100, sum % 100),
             "more than the whole");
  if (budget.reserves.size() > budget_reserves_max)
    out_.add("E0612", reserve->span,
             fmt::format("this budget has {} reserves; one can have {}", budget.reserves.size(), budget_reserves_max));
}

void Resolver::add_alerts(const Node& node, Budget& budget) {
  const Node* alerts = value_of(node, "alert_at");
  if (alerts == nullptr || alerts->kind != NodeKind::array) return;
  for (const Node& item : alerts->items) {
    if (item.kind != NodeKind::integer) continue;
    if (item.integer < 1 || item.integer > 100)
      out_.add("E0411", item.span, fmt::format("{} is no part of a budget", item.integer), "can be 1 to 100 per cent");
    else budget.alert_at.push_back(static_cast<std::uint8_t>(item.integer));
  }
  std::ranges::sort(budget.alert_at);
  budget.alert_at.erase(std::unique(budget.alert_at.begin(), budget.alert_at.end()), budget.alert_at.end());
  if (budget.alert_at.size() > budget_alerts_max)
    out_.add("E0612", alerts->span,
             fmt::format("this budget tells at {} percentages; one can have {}", budget.alert_at.size(),
                         budget_alerts_max));
}

// How many accounts there can be is known before any host is seen, so that the ledger has a size. Each reserve is an
// account of its own, and so is each host's part by `max_share` where it is known how many there are.
void Resolver::check_accounts() {
  static_assert(attached_ports_max == ports_max);
  const Model& model = made_.model;
  std::uint64_t accounts = 0;
  bool told = false;
  for (const Budget& budget : model.budgets) {
    const std::uint64_t parts = budget.reserves.size() + 1;
    for (const std::uint32_t index : budget.from) {
      const Segment& segment = model.segments[index];
      if (budget.max_share != 0 && budget.scope != Budget::Scope::host) accounts += most_hosts(segment);
      if (budget.scope == Budget::Scope::fleet) continue;
      accounts += parts * (budget.scope == Budget::Scope::segment ? 1 : most_hosts(segment));
      if (budget.scope == Budget::Scope::segment || most_hosts(segment) != 0) continue;
      out_.add("E0613", budget.span,
               fmt::format("`{}` has an account for each host, and nobody says how many `{}` has", budget.name,
                           segment.name),
               "scope = \"host\"")
          .with(segment.span, segment.is_list ? "a list cannot say it" : "needs `hosts`")
          .helped(fmt::format("[segment.{}] hosts = 1000: host 1001 gets no account and is dropped", segment.name));
    }
    accounts += budget.scope == Budget::Scope::fleet ? parts : 0;
    if (accounts <= accounts_max || told) continue;
    told = true;
    out_.add(
        "E0611", budget.span,
        fmt::format("with `{}` the budgets need {} accounts; there can be {}", budget.name, accounts, accounts_max),
        "and those by name before it");
  }
  if (model.budgets.size() > budgets_max)
    out_.add("E0612", model.budgets.back().span,
             fmt::format("the policy has {} budgets; there can be {}", model.budgets.size(), budgets_max));
  if (model.limits.size() > limits_max)
    out_.add("E0612", model.limits.back().span,
             fmt::format("the policy has {} limits; there can be {}", model.limits.size(), limits_max));
}

void Resolver::add_limit(const Node& node) {
  Limit limit;
  limit.name = statement_name(node, limit.span, "limit");
  limit.from_any = node.find("from") == nullptr;
  limit.to_any = node.find("to") == nullptr;
  limit.any_service = node.find("with") == nullptr;
  bool whole = segments_of(value_of(node, "from"), limit.from);
  whole = segments_of(value_of(node, "to"), limit.to) && whole;
  whole = services_of(value_of(node, "with"), limit.services) && whole;
  if (limit.any_service) limit.services = everything();
  limit.services = with_queue_pairs(limit.services);
  const Reading values(node, out_);
  read_bytes(node, values, limit);
  if (const Entry* burst = node.find("burst"); burst != nullptr && node.find("rate") == nullptr)
    out_.add("E0413", burst->key_span, "`burst` without `rate`", "a burst of nothing")
        .helped("add rate = \"20 Mbit/s\"");
  values.rate("packets", limit.packets);
  values.rate("new_connections", limit.new_connections);
  values.count("connections", limit.connections, 1, ~std::uint32_t{0});
  constexpr std::string_view words[] = {"rule", "source", "target", "pair"};
  if (const auto per = std::ranges::find(words, text_of(node, "per")); per != std::end(words))
    limit.per = static_cast<Limit::Per>(per - std::begin(words));
  limit.monitor = monitors(node, limit.monitor_until_s);
  const bool any =
      std::ranges::any_of(std::initializer_list<const char*>{"rate", "packets", "new_connections", "connections"},
                          [&](const char* key) { return node.find(key) != nullptr; });
  if (!any)
    out_.add("E0417", limit.span, "this limit limits nothing",
             "needs `rate`, `packets`, `new_connections` or `connections`")
        .helped("for example rate = \"20 Mbit/s\"");
  if (whole && any) made_.model.limits.push_back(std::move(limit));
}

}  // namespace weir::control
