// Breakglass: one closed allow of the policy in force, opened for a while by one person. What is installed is that
// policy with the allow open, on a trial that nobody can confirm, and its fallback the same policy closed: so the
// dataplane ends it, with this process alive or dead. Who opened what, and why, is on the disk before.
#include "control/model/breakglass.hpp"
#include "control/check/reading.hpp"
#include "control/model/services.hpp"
#include "control/publish/files.hpp"
#include "control/publish/publisher_parts.hpp"
#include "control/publish/sensitive.hpp"
#include "control/report/report.hpp"
#include "dataplane/base/tick.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace weir::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr int tries_max = 3;
constexpr std::size_t why_bytes_max = 500;
// The trial ends on time. That the allow itself expires is for a fallback that cannot be installed, and comes so much
// later: compiling takes a while, and must not close it early.
constexpr Tick expires_later = 60 * tick_second;

std::unexpected<PublishFault> fail(int status, std::string sentence) {
  return std::unexpected(PublishFault{status, std::move(sentence)});
}

// What the rule files say of each allow, by its name.
std::map<std::string, const Node*> allows_in(const Loaded& loaded) {
  std::map<std::string, const Node*> found;
  for (const Document& document : loaded.documents)
    if (const Node* const allows = value_of(document.tree, "allow"))
      for (const Node& one : allows->items) found[text_of(one, "name")] = &one;
  return found;
}

std::string names_of(const Model& model, const std::vector<std::uint32_t>& segments) {
  std::string text;
  for (const std::uint32_t one : segments) text += (text.empty() ? "" : ", ") + model.segments[one].name;
  return text;
}

Json allow_json(const Model& model, const Statement& one, const Node* said) {
  Json made = {{"name", one.name},
               {"from", names_of(model, one.from)},
               {"to", names_of(model, one.to)},
               {"with", show(one.services)},
               {"for_at_most_ms", std::uint64_t{one.breakglass_s} * 1000}};
  for (const char* const key : {"owner", "why", "ticket"}) made[key] = said == nullptr ? "" : text_of(*said, key);
  return made;
}

// Which statement the order is about, if it may be opened for so long.
std::expected<const Statement*, PublishFault> allow_of(const BreakglassOrder& order, const Model& model, Tick now) {
  const Statement* const found = find_breakglass(model, order.allow);
  if (found == nullptr) {
    if (std::ranges::find(model.statements, order.allow, &Statement::name) != model.statements.end())
      return fail(422, fmt::format("`{}` is no breakglass allow: it says what it says all the time", order.allow));
    std::string known;
    for (const Statement& one : model.breakglass) known += fmt::format("{}`{}`", known.empty() ? "" : ", ", one.name);
    return fail(404, fmt::format("the policy in force has no breakglass allow `{}`{}", order.allow,
                                 known.empty() ? "" : "; it has " + known));
  }
  if (order.for_ms == 0 || order.for_ms > std::uint64_t{found->breakglass_s} * 1000)
    return fail(422, fmt::format("`{}` is opened for at most {}", order.allow,
                                 spoken_ms(std::uint64_t{found->breakglass_s} * 1000)));
  if (found->expires_s && static_cast<Tick>(*found->expires_s) * tick_second <= now)
    return fail(422, fmt::format("`{}` has expired", order.allow));
  return found;
}

}  // namespace

// With the lock. One line of breakglass.log.
bool Publisher::write_down(const HistoryEntry& entry, std::string_view act, const std::string& how) {
  const Json line = {{"time", time_text(std::time(nullptr))},
                     {"act", act},
                     {"allow", entry.opens},
                     {"generation", entry.generation},
                     {"how", how},
                     {"user", entry.user},
                     {"uid", entry.uid},
                     {"why", entry.why},
                     {"until", entry.until}};
  const auto written =
      append_line(config_.state + "/breakglass.log", line.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (!written) problem("what is done about breakglass cannot be written down: " + written.error());
  return written.has_value();
}

void Publisher::end_trial(HistoryEntry* trial, const std::string& how) {
  move_to(trial, trial->is_breakglass() ? EntryState::ended : EntryState::rolled_back);
  if (!trial->is_breakglass()) return;
  write_down(*trial, "closed", how);
  config_.say(fmt::format("breakglass `{}` is closed: {}", trial->opens, how));
}

bool Publisher::is_open() {
  const Lock lock(mutex_);
  const HistoryEntry* const trial = newest(EntryState::on_trial);
  return trial != nullptr && trial->is_breakglass();
}

// With the lock.
std::optional<PublishFault> Publisher::cannot_open(const door::Answer& told) {
  if (const std::string open = door_text(told.breakglass); !open.empty())
    return PublishFault{409, fmt::format("`{}` is open already: close it first (weir breakglass --end)", open)};
  if (told.awaited_generation != 0)
    return PublishFault{409, fmt::format("generation {} awaits its confirmation: confirm it, or roll it back, first",
                                         told.awaited_generation)};
  const HistoryEntry* const good = newest(EntryState::confirmed);
  if (unkept_ != nullptr || (good != nullptr && good->kind == "lockdown"))
    return PublishFault{409, "locked down: nothing is opened before `weir apply` or `weir rollback` has lifted that"};
  if (good == nullptr || good->generation != told.generation)
    return PublishFault{
        409, fmt::format("the dataplane has generation {}, which is not what was confirmed last", told.generation)};
  return std::nullopt;
}

// The texts in force compiled anew, with what is open; neither tests nor invariants stand between people and what they
// have reviewed before.
std::expected<Publisher::StandingPtr, PublishFault> Publisher::again(const StandingPtr& before,
                                                                     std::uint64_t generation,
                                                                     const Opening* opening) const {
  auto made = std::make_shared<Standing>(generation, before->bundle,
                                         read_rules(load(before->bundle), std::time(nullptr), generation,
                                                    Purpose::enforce, Signatures::compiled, opening));
  if (made->rules.ok()) return made;
  const Checked& checked = made->rules.checked;
  return std::unexpected(PublishFault{422,
                                      "the policy in force cannot be compiled any more",
                                      {{"diagnostics", human(checked.diagnostics, checked.sources, false)}}});
}

// The policy of `told` with the allow open, and its fallback; without the lock.
std::expected<Publisher::Pair, PublishFault> Publisher::opening(const BreakglassOrder& order, const door::Answer& told,
                                                                std::uint64_t generation) {
  const StandingPtr before = standing_at(told.generation);
  if (before == nullptr)
    return fail(507, fmt::format("the rules of generation {} cannot be read from the history", told.generation));
  const auto allow = allow_of(order, before->rules.checked.model, told.now);
  if (!allow) return std::unexpected(allow.error());
  // By the dataplane's own time: no clock that was set since it began closes too early or too late.
  const Tick until = told.now + Tick{order.for_ms} * (tick_second / 1000) + expires_later;
  const Opening open{order.allow, static_cast<std::int64_t>(until / tick_second)};
  const auto made = again(before, generation, &open), closed = again(before, generation + 1, nullptr);
  if (!made || !closed) return std::unexpected(made ? closed.error() : made.error());
  const std::int64_t now_s = std::time(nullptr);
  if (!raised_bounds(before->rules.checked.model, (*made)->rules.checked.model, now_s).empty())
    return fail(422, "more could leave than was reviewed");  // every figure counts it as open: this cannot be
  const Comparison compared = compare(before, *made);
  Pair pair{{}, *made};
  pair.entry = {.generation = generation,
                .state = EntryState::installing,
                .kind = "breakglass",
                .of = told.generation,
                .policy = std::string((*made)->rules.compiled->policy.name()),
                .uid = order.uid,
                .user = order.user,
                .when = time_text(now_s),
                .diff = compared.diff,
                .bound = compared.bound,
                .before = told.generation,
                .confirm_within_ms = order.for_ms,
                .opens = order.allow,
                .why = order.why,
                .until = time_text(now_s + (order.for_ms + 999) / 1000)};
  pair.fallback = *closed;
  pair.fallback_entry = {.generation = generation + 1,
                         .state = EntryState::fallback,
                         .kind = "fallback",
                         .of = told.generation,
                         .policy = pair.entry.policy,
                         .uid = order.uid,
                         .user = order.user,
                         .when = pair.entry.when,
                         .before = generation};
  return pair;
}

Published Publisher::breakglass(const BreakglassOrder& order) {
  if (order.why.find_first_not_of(" \t\r\n") == std::string::npos || order.why.size() > why_bytes_max)
    return fail(422, fmt::format("`why` is a sentence of at most {} bytes", why_bytes_max));
  for (int tries = 0; tries < tries_max; ++tries) {
    const auto told = ask_status();
    if (!told) return std::unexpected(told.error());
    std::uint64_t generation = 0;
    {
      const Turn turn(*this);
      note(*told);
      if (auto fault = cannot_open(*told)) return std::unexpected(std::move(*fault));
      generation = next_generation(*told);
    }
    auto pair = opening(order, *told, generation);
    if (!pair) return std::unexpected(pair.error());
    const Turn turn(*this);
    const auto now = ask_status();
    if (!now || now->generation != told->generation || next_generation(*now) > generation) continue;
    if (!write_down(pair->entry, "opened", fmt::format("for {}", spoken_ms(order.for_ms))))
      return fail(507, "nothing was opened: " + problem_);
    Published done = put_in_force(*pair, 0);
    if (!done) {
      if (history_.find(generation) == nullptr) write_down(pair->entry, "not opened", done.error().sentence);
      return done;
    }
    (*done)["breakglass"] = order.allow;
    (*done)["until"] = pair->entry.until;
    return done;
  }
  return fail(409, "others change the policy at the same time");
}

Published Publisher::end_breakglass(const std::string& user) {
  const Turn turn(*this);
  const auto told = ask_status();
  if (!told) return std::unexpected(told.error());
  note(*told);
  HistoryEntry* const trial = newest(EntryState::on_trial);
  HistoryEntry* const fallback = trial == nullptr ? nullptr : history_.find(trial->generation + 1);
  if (trial == nullptr || !trial->is_breakglass() || fallback == nullptr) return fail(409, "nothing is open");
  const std::string name = trial->opens;
  const bool is_open = told->generation == trial->generation;
  if (is_open && !reinstall(*fallback, door::force_trial)) return fail(502, problem_);
  if (!is_open && told->generation != fallback->generation) return fail(409, "nothing is open");
  const std::uint64_t generation = fallback->generation;
  settle(generation);
  end_trial(history_.find(generation - 1), is_open ? fmt::format("by {}", user) : "its time was over");
  in_force_ = nullptr;
  return Json{{"closed", name}, {"generation", generation}};
}

Published Publisher::breakglass_allows() {
  const auto told = ask_status();
  if (!told) return std::unexpected(told.error());
  const StandingPtr standing = standing_at(told->generation);
  if (standing == nullptr) return fail(409, "the rules of what is in force are not in the history");
  const Loaded loaded = load(standing->bundle);
  const auto said = allows_in(loaded);
  const Model model = all_open(standing->rules.checked.model);
  Json made = Json::array();
  for (const Statement& one : model.statements) {
    if (one.breakglass_s == 0) continue;
    const auto found = said.find(one.name);
    made.push_back(allow_json(model, one, found == said.end() ? nullptr : found->second));
  }
  const std::string open = door_text(told->breakglass);
  return Json{{"allows", made}, {"open", open.empty() ? Json() : Json(open)}};
}

}  // namespace weir::control
