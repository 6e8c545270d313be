#include "dataplane/edge/kept_state.hpp"

#include "dataplane/policy/image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace weir::edge {
namespace {

// No count is so large that places_of() goes round.
constexpr u64 bytes_most = u64{1} << 44, count_most = u64{1} << 36;

u64 aligned(u64 at) { return (at + 63) / 64 * 64; }

std::string_view text_of(const char* text, std::size_t room) { return {text, strnlen(text, room)}; }

// Of a head alone. Empty: nothing is wrong with it.
std::string doubt_of(const KeptHead& head, u64 bytes, const KeptFor& here) {
  if (head.magic != KeptHead::magic_value) return "it is no state that Weir has kept";
  if (head.mark != KeptHead::mark_value) return "it has no mark of a clean stop";
  if (head.layout != KeptHead::layout_value || head.row_bytes != sizeof(KeptFlow))
    return fmt::format("it is of layout {} with rows of {} bytes, and here they are {} and {}", head.layout,
                       head.row_bytes, KeptHead::layout_value, sizeof(KeptFlow));
  if (text_of(head.boot_id, sizeof head.boot_id) != here.boot_id) return "the machine was started again since";
  if (head.run != here.run) return "it is not of the last run here: it was used before, or another was lost";
  const bool is_countable = head.flows < count_most && head.policy_bytes < count_most &&
                            head.fallback_bytes < count_most && head.total_bytes < bytes_most;
  if (!is_countable || head.total_bytes != bytes || places_of(head).total != bytes)
    return fmt::format("it has {} bytes and should have {}", bytes, head.total_bytes);
  return {};
}

}  // namespace

KeptPlaces places_of(const KeptHead& head) {
  KeptPlaces places{};
  places.gates = aligned(sizeof head);
  places.held = aligned(places.gates + head.gates * sizeof(KeptGate));
  places.policy = aligned(places.held + head.held * sizeof(door::QuarantineRow));
  places.fallback = aligned(places.policy + head.policy_bytes);
  places.flows = aligned(places.fallback + head.fallback_bytes);
  places.total = places.flows + head.flows * sizeof(KeptFlow);
  return places;
}

u64 kept_checksum(std::span<const std::byte> bytes) { return image::checksum_of(bytes.subspan(kept_checksummed_from)); }

std::expected<KeptState, std::string> read_kept(std::span<const std::byte> bytes, const KeptFor& here) {
  if (bytes.size() < sizeof(KeptHead)) return std::unexpected("it is cut short");
  const auto& head = *reinterpret_cast<const KeptHead*>(bytes.data());
  if (const std::string doubt = doubt_of(head, bytes.size(), here); !doubt.empty()) return std::unexpected(doubt);
  if (head.checksum != kept_checksum(bytes)) return std::unexpected("its bytes are not as they were written");
  if (head.ports != here.ports) return std::unexpected("it is of other ports");
  if (head.stopped_us > here.now_us) return std::unexpected("its time has not come yet");
  const KeptPlaces places = places_of(head);
  KeptState state{};
  state.head = &head;
  state.gates = {reinterpret_cast<const KeptGate*>(bytes.data() + places.gates), head.gates};
  state.held = {reinterpret_cast<const door::QuarantineRow*>(bytes.data() + places.held), head.held};
  state.policy = bytes.subspan(places.policy, head.policy_bytes);
  state.fallback = bytes.subspan(places.fallback, head.fallback_bytes);
  state.flows = {reinterpret_cast<const KeptFlow*>(bytes.data() + places.flows), head.flows};
  const auto ends = [](const KeptGate& gate) { return strnlen(gate.job, sizeof gate.job) < sizeof gate.job; };
  if (!std::ranges::all_of(state.gates, ends)) return std::unexpected("a job in it has no end to its name");
  const auto is_held = [](const door::QuarantineRow& row) { return row.magic == door::quarantine_magic; };
  if (!std::ranges::all_of(state.held, is_held)) return std::unexpected("somebody in quarantine there is nobody");
  if (strnlen(head.breakglass, sizeof head.breakglass) == sizeof head.breakglass)
    return std::unexpected("the allow that its trial opens has no end to its name");
  if (!state.fallback.empty() && state.policy.empty()) return std::unexpected("it has a fallback and no policy");
  const auto is_a_flow = [&](const KeptFlow& row) { return is_sound(row, here.pairs); };
  if (!std::ranges::all_of(state.flows, is_a_flow)) return std::unexpected("a flow in it is none");
  return state;
}

}  // namespace weir::edge
