#include "control/serve/publish_routes.hpp"

#include <fmt/format.h>

#include <charconv>
#include <expected>

namespace weir::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t history_shown = 20, history_shown_max = 1'000;

HttpAnswer answer_of(const Json& made) {
  return {200, made.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

HttpAnswer answer_of(const PublishFault& fault) {
  Json made = {{"error", fault.sentence}};
  if (!fault.details.is_null()) made.update(fault.details);
  return {fault.status, made.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

HttpAnswer answer_of(const Published& done) { return done ? answer_of(*done) : answer_of(done.error()); }

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Nothing but what is known may stand in a body: a misspelt key must not be an option that does nothing.
std::expected<Json, std::string> object_of(const std::string& body, std::span<const std::string_view> keys) {
  if (body.empty()) return Json::object();
  int depth = 0;
  const auto not_too_deep = [&depth](int at, Json::parse_event_t, Json&) {
    depth = std::max(depth, at);
    return depth < 16;
  };
  const Json made = Json::parse(body, not_too_deep, false);
  if (!made.is_object() || depth >= 16) return std::unexpected("the body is no JSON object");
  for (const auto& [key, value] : made.items())
    if (std::ranges::find(keys, std::string_view(key)) == keys.end())
      return std::unexpected(fmt::format("`{}` is not known here", key));
  return made;
}

constexpr std::string_view change_keys[] = {"root",          "files", "signatures", "confirm_within_ms",
                                            "replace_trial", "base",  "staged",     "generation"};
constexpr std::string_view confirm_keys[] = {"generation"};
constexpr std::string_view shadow_keys[] = {"root", "files", "staged", "off"};
constexpr std::string_view breakglass_keys[] = {"allow", "for_ms", "why"};

// What was asked, on top of `change`; throws what nlohmann throws where a value is of another type.
void read_terms(const Json& asked, Proposal& change) {
  change.signatures = asked.value("signatures", std::vector<std::string>{});
  change.replaces_trial = asked.value("replace_trial", false);
  if (asked.contains("base")) change.base = asked.at("base").get<std::uint64_t>();
  const std::uint64_t within_ms = asked.value("confirm_within_ms", std::uint64_t{0});
  if (within_ms > door::confirm_within_ms_max)
    throw Json::other_error::create(501, "a trial has at most 7 days", nullptr);
  change.confirm_within_ms = static_cast<std::uint32_t>(within_ms);
}

template <class Act>
Route changing(const char* path, Where where, Act act) {
  const auto answer = [act](const Call& call) -> HttpAnswer {
    try {
      return act(call);
    } catch (const Json::exception& fault) {
      return error_answer(400, fault.what());
    }
  };
  return {"POST", path, Right::change, where, answer};
}

class Acts {
 public:
  explicit Acts(Publisher& publisher) : publisher_(publisher) {}

  // Texts from the body, or what is staged.
  std::expected<Proposal, PublishFault> change_of(const Call& call) const {
    const auto asked = object_of(call.request.body, change_keys);
    if (!asked) return std::unexpected(PublishFault{400, asked.error()});
    Proposal change;
    if (asked->contains("staged")) {
      auto staged = publisher_.staged(asked->at("staged").get<std::uint64_t>());
      if (!staged) return staged;
      change = std::move(*staged);
    } else {
      if (!asked->contains("root") || !asked->contains("files"))
        return std::unexpected(PublishFault{400, "`root` and `files` are missing"});
      asked->at("root").get_to(change.bundle.root);
      asked->at("files").get_to(change.bundle.files);
    }
    return with_terms(call, *asked, std::move(change));
  }

  Proposal with_terms(const Call& call, const Json& asked, Proposal change) const {
    read_terms(asked, change);
    change.uid = call.peer.uid;
    change.user = user_name(call.peer.uid);
    return change;
  }

  HttpAnswer plan(const Call& call) const {
    const auto change = change_of(call);
    return change ? answer_of(publisher_.plan(*change)) : answer_of(change.error());
  }
  HttpAnswer apply(const Call& call) const {
    const auto change = change_of(call);
    return change ? answer_of(publisher_.apply(*change)) : answer_of(change.error());
  }
  HttpAnswer stage(const Call& call) const {
    const auto change = change_of(call);
    return change ? answer_of(publisher_.stage(*change)) : answer_of(change.error());
  }
  HttpAnswer rollback(const Call& call, bool only_plans) const {
    const auto asked = object_of(call.request.body, change_keys);
    if (!asked) return error_answer(400, asked.error());
    auto change = publisher_.take_back(asked->value("generation", std::uint64_t{0}));
    if (!change) return answer_of(change.error());
    const Proposal whole = with_terms(call, *asked, std::move(*change));
    if (!only_plans) return answer_of(publisher_.apply(whole));
    Json made = publisher_.plan(whole);
    made["of"] = whole.of;
    made["manifest"] = manifest(whole.bundle);
    return answer_of(made);
  }
  HttpAnswer confirm(const Call& call) const {
    const auto asked = object_of(call.request.body, confirm_keys);
    if (!asked) return error_answer(400, asked.error());
    return answer_of(publisher_.confirm(asked->value("generation", std::uint64_t{0})));
  }
  HttpAnswer shadow(const Call& call) const {
    const auto asked = object_of(call.request.body, shadow_keys);
    if (!asked) return error_answer(400, asked.error());
    if (asked->contains("off")) {
      if (asked->size() != 1 || !asked->at("off").get<bool>()) return error_answer(400, "`off` is true, and alone");
      return answer_of(publisher_.end_shadow(user_name(call.peer.uid)));
    }
    const auto change = change_of(call);
    return change ? answer_of(publisher_.shadow(*change)) : answer_of(change.error());
  }
  HttpAnswer breakglass(const Call& call) const {
    const auto asked = object_of(call.request.body, breakglass_keys);
    if (!asked) return error_answer(400, asked.error());
    BreakglassOrder order{asked->at("allow").get<std::string>(), asked->at("why").get<std::string>()};
    const auto for_ms = asked->at("for_ms").get<std::uint64_t>();
    order.for_ms = static_cast<std::uint32_t>(std::min<std::uint64_t>(for_ms, door::confirm_within_ms_max));
    order.uid = call.peer.uid;
    order.user = user_name(call.peer.uid);
    return answer_of(publisher_.breakglass(order));
  }

 private:
  Publisher& publisher_;
};

}  // namespace

void add_publish_routes(Server& server, Publisher& publisher, const WatchReport& watch,
                        std::function<nlohmann::ordered_json()> events) {
  const Acts acts(publisher);
  server.add({"GET", "/v1/status", Right::read, Where::loop, [&publisher, &watch, events](const Call&) {
                Json made = publisher.status();
                made["watch"] = watch.get();
                made["events"] = events();
                return answer_of(made);
              }});
  server.add({"GET", "/v1/history", Right::read, Where::look, [&publisher](const Call& call) {
                const auto count =
                    number_of(query_value(call.request.query, "n").value_or("20")).value_or(history_shown);
                return answer_of(publisher.history(std::min<std::size_t>(count, history_shown_max)));
              }});
  server.add({"GET", "/v1/history/*", Right::read, Where::look, [&publisher](const Call& call) {
                const auto number = number_of(call.rest);
                const auto entry = number ? publisher.entry(*number) : std::nullopt;
                return entry ? answer_of(*entry) : error_answer(404, "there is no such entry");
              }});
  server.add(changing("/v1/plan", Where::slow, [acts](const Call& call) { return acts.plan(call); }));
  server.add(changing("/v1/apply", Where::slow, [acts](const Call& call) { return acts.apply(call); }));
  server.add(changing("/v1/stage", Where::slow, [acts](const Call& call) { return acts.stage(call); }));
  server.add(changing("/v1/rollback", Where::slow, [acts](const Call& call) { return acts.rollback(call, false); }));
  server.add(
      changing("/v1/rollback/plan", Where::slow, [acts](const Call& call) { return acts.rollback(call, true); }));
  server.add(changing("/v1/shadow", Where::slow, [acts](const Call& call) { return acts.shadow(call); }));
  server.add(changing("/v1/confirm", Where::quick, [acts](const Call& call) { return acts.confirm(call); }));
  server.add({"GET", "/v1/breakglass", Right::read, Where::look,
              [&publisher](const Call&) { return answer_of(publisher.breakglass_allows()); }});
  server.add(changing("/v1/breakglass", Where::slow, [acts](const Call& call) { return acts.breakglass(call); }));
  server.add(changing("/v1/breakglass/end", Where::quick, [&publisher](const Call& call) {
    return answer_of(publisher.end_breakglass(user_name(call.peer.uid)));
  }));
  server.add(changing("/v1/lockdown", Where::quick, [&publisher](const Call& call) {
    return answer_of(publisher.lockdown(call.peer.uid, user_name(call.peer.uid)));
  }));
}

}  // namespace weir::control
