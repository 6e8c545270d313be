#include "dataplane/edge/shadow_desk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace weir::edge {

ShadowDesk::Counts ShadowDesk::counts() const {
  Counts sum;
  for (u32 worker = 0; worker < stats_.workers(); ++worker) {
    const WorkerCounters& one = stats_.counters(worker);
    sum.compared += one.shadow_compared.read();
    sum.would_pass += one.shadow_would_pass.read();
    sum.would_deny += one.shadow_would_deny.read();
    sum.untold += one.shadow_untold.read();
  }
  return sum;
}

// What another one has counted is no part of what this one tells: it ends first, where the new one is any good.
std::expected<std::string, Refusal> ShadowDesk::put(std::span<const int> descriptors) {
  if (descriptors.size() != 1)
    return std::unexpected(Refusal{door::Result::refused, "request", "a shadow comes by exactly one descriptor"});
  const auto put = installer_.shadow(descriptors[0], [this] {
    before_ = counts();
    began_ = std::chrono::steady_clock::now();
  });
  if (!put) return put;
  const Policy& policy = *installer_.shadow_policy();
  fmt::print(stderr, "weir-dataplane: shadow `{}`, generation {}, is asked beside generation {}\n", policy.name(),
             policy.generation(), installer_.current()->generation);
  return put;
}

std::expected<void, Refusal> ShadowDesk::end() {
  const bool is_there = installer_.shadow_policy() != nullptr;
  const auto ended = installer_.end_shadow();
  if (ended && is_there) fmt::print(stderr, "weir-dataplane: the shadow has ended\n");
  return ended;
}

void ShadowDesk::describe(door::Answer& answer) const {
  const Policy* const policy = installer_.shadow_policy();
  if (policy == nullptr) return;
  const Counts now = counts();
  const auto lasted = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began_);
  answer.shadow_generation = policy->generation();
  policy->name().copy(answer.shadow_name, sizeof answer.shadow_name - 1);
  answer.shadow_s = static_cast<u64>(lasted.count());
  answer.shadow_compared = now.compared - before_.compared;
  answer.shadow_would_pass = now.would_pass - before_.would_pass;
  answer.shadow_would_deny = now.would_deny - before_.would_deny;
  answer.shadow_untold = now.untold - before_.untold;
}

}  // namespace weir::edge
