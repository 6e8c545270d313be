// The installer's shadow: a policy that is verified and bound as if it were to come into force, and lent to the one
// that is in force for its workers to ask.
#include "dataplane/edge/install.hpp"
#include "dataplane/edge/waiting.hpp"
#include "dataplane/policy/verify.hpp"

#include <fmt/format.h>

#include <cstring>

namespace weir::edge {
namespace {

std::span<const std::byte> image_of(const Policy& policy) {
  const image::Header* const header = policy.view().header;
  return {reinterpret_cast<const std::byte*>(header), header->total_bytes};
}

// The same rules give the same image but for the generation, and the checksum over it.
bool is_same_policy(const Policy& one, const Policy& other) {
  const auto a = image_of(one).subspan(sizeof(image::Header)), b = image_of(other).subspan(sizeof(image::Header));
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

// Events name a shadow by the last 16 bits of its generation.
bool is_told_apart(u64 one, u64 other) { return (one & 0xffff) != (other & 0xffff); }

}  // namespace

std::expected<std::string, Refusal> Installer::shadow(int image, const std::function<void()>& begins) {
  const auto refused = [](const char* section, std::string sentence) {
    return std::unexpected(Refusal{door::Result::refused, section, std::move(sentence)});
  };
  auto ready = examine(image);
  if (!ready) return std::unexpected(ready.error());
  const InstalledPolicy* const live = slot_.current();
  if (live == nullptr) return refused("request", "no policy is in force that a shadow could be asked beside");
  const auto policy = verify(ready->memory.bytes());
  if (!policy) return refused("header", "the image changed while it was read");
  if (policy->generation() == 0) return refused("header", "generation 0 means that there is none");
  if (is_same_policy(*policy, live->policy)) return refused("request", "it says what the policy in force says");
  if (!is_told_apart(policy->generation(), live->generation))
    return refused("header", fmt::format("events could not tell generation {} from {}, which is in force: compile it "
                                         "with another --generation",
                                         policy->generation(), live->generation));
  if (const auto ended = end_shadow(); !ended) return std::unexpected(ended.error());
  std::string warning = compare_ports(*policy).value_or("");
  if (policy->monitor_until() != 0)
    warning += fmt::format("{}the shadow is in monitor mode, which passes everything", warning.empty() ? "" : "; ");
  Shadow& made = shadow_.emplace();
  made.memory = std::move(ready->memory);
  made.installed.emplace(bind(*policy));
  begins();
  if (const auto done = flip_face(&*made.installed); !done) return std::unexpected(done.error());
  return warning;
}

std::expected<void, Refusal> Installer::end_shadow() {
  if (!wait_until(Steady::now() + readers_wait_max, [&] { return spare_is_free(); }))
    return std::unexpected(Refusal{door::Result::busy, "", "workers have not announced the last policy yet"});
  return shadow_ ? flip_face(nullptr) : std::expected<void, Refusal>{};
}

// The policy in force goes on, with another shadow: as a change of policy to whoever reads it.
std::expected<void, Refusal> Installer::flip_face(const InstalledPolicy* shadow) {
  Slot& slot = slots_[current_];
  InstalledPolicy& next = slot.faces[slot.face ^ 1].emplace(slot.installed());
  next.installation = ++installations_;
  next.shadow = shadow;
  slot.face ^= 1;
  slot_.flip(&next);
  if (goes_on_as) goes_on_as(&next);
  const auto announced = [&] { return slot_.all_announced(config_.workers, &next); };
  awaiting_ = !wait_until(Steady::now() + announce_wait_max, announced);
  if (awaiting_) return std::unexpected(Refusal{door::Result::busy, "", "done, but not every worker announced it"});
  settle();
  return {};
}

// What a policy that comes into force is compared with: the shadow, unless that is itself, or not told apart from it.
const InstalledPolicy* Installer::shadow_beside(const Policy& next) const {
  if (!shadow_ || slot_.current() == nullptr || slot_.current()->shadow == nullptr) return nullptr;
  const InstalledPolicy& shadow = *shadow_->installed;
  const bool stays = is_told_apart(shadow.generation, next.generation()) && !is_same_policy(shadow.policy, next);
  return stays ? &shadow : nullptr;
}

}  // namespace weir::edge
