// [[test]]: `allow` holds when every combination is allowed, `deny` when every one is denied (rule language, 4.18).
#include "control/ask/ask.hpp"

#include <fmt/format.h>

namespace weir::control {
namespace {

std::vector<Prefix> prefixes_of(const std::vector<Test>& tests) {
  std::vector<Prefix> found;
  for (const Test& test : tests) {
    for (const Party& party : test.from)
      if (party.prefix) found.push_back(*party.prefix);
    for (const Claim& claim : test.claims)
      if (claim.target.prefix) found.push_back(*claim.target.prefix);
  }
  return found;
}

bool judge_claim(const Asker& asker, const Test& test, const Party& from, const Claim& claim, Tick now,
                 Diagnostics& out) {
  const Answer answer = asker.ask(from, claim.target, claim.services, now);
  const std::string asked = fmt::format("`{} > {} {}`", from.text, claim.target.text, claim.service_text);
  if (answer.asked == 0) {
    out.add("E0503", claim.span,
            answer.too_many ? fmt::format("{} names more combinations than can be asked", asked)
                            : fmt::format("{} names nobody that could send or be sent to", asked),
            answer.too_many ? "too many" : "never asked")
        .with(test.span, "in this test");
    return false;
  }
  if (answer.allowed == (claim.allow ? answer.asked : 0)) return true;
  const bool mixture = answer.allowed > 0 && answer.allowed < answer.asked;
  auto& made = out.add(
      "E0501", claim.span,
      fmt::format("{} is {}{}", asked, mixture ? "not always " : "", claim.allow == mixture ? "allowed" : "denied"),
      claim.allow ? "claimed to be allowed" : "claimed to be denied");
  made.with(test.span, test.name.empty() ? "in this test" : fmt::format("in the test `{}`", test.name));
  for (const bool allowed : {true, false}) {
    if (!mixture && allowed == claim.allow) continue;
    if (const Example* example = answer.first(allowed))
      made.note(fmt::format("{}: {}: {}", allowed ? "allowed" : "denied", asker.show(example->question),
                            asker.show(example->judgement)));
  }
  return false;
}

}  // namespace

std::size_t run_tests(const Checked& checked, const Policy& policy, std::int64_t now_s, Diagnostics& out) {
  if (checked.tests.empty()) return 0;
  const Asker asker(checked, policy, prefixes_of(checked.tests));
  std::size_t held = 0;
  for (const Test& test : checked.tests) {
    if (test.expires_s && now_s >= *test.expires_s) continue;
    const Tick now = static_cast<Tick>(test.at_s.value_or(now_s)) * tick_second;
    for (const Party& from : test.from)
      for (const Claim& claim : test.claims) held += judge_claim(asker, test, from, claim, now, out) ? 1 : 0;
  }
  return held;
}

}  // namespace weir::control
