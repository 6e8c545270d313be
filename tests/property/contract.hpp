// Watches that a stream of outcomes keeps the contract of process(), for every verdict: each token ends once, a hold
// comes at most once and is later ended, frames are changed only by rewrite and within their room, the answer room
// only where there is an answer.
// It judges the stream alone; it does not know why the engine decided as it did.
#pragma once
#include "dataplane/packet/scrub.hpp"
#include "dataplane/pipeline/burst.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir {

// Whether a frame that was written over is still a packet, its checksum right, with nothing left to write over but an
// identification that is Weir's.
inline bool is_clean(std::vector<std::byte> frame, const HashKey& secret) {
  const Headers headers = parse(frame, {secret, 0});
  if (!headers.well_formed() || !checksum_holds(headers, frame.data())) return false;
  const u16 number = headers.is_ipv4 ? load_be16(frame.data() + headers.l3_offset + 4) : u16{0};
  return !scrub(frame.data(), static_cast<u32>(frame.size()), headers, number);
}

class ContractWatch {
 public:
  static constexpr std::byte untouched{0xa5};

  // A packet on its way in; its answer room must be filled with `untouched`.
  void enter(const Packet& packet) {
    inside_[packet.token] = {packet, {packet.data, packet.data + std::max(packet.bytes, packet.room)}, false};
  }

  // What the outcome breaks, if anything.
  std::optional<std::string> check(const Outcome& outcome) {
    if (row(outcome.reason).verdict != outcome.verdict) return "the verdict is not the reason's";
    return check_stream(outcome);
  }

  // The same for verdicts that no reason has yet.
  std::optional<std::string> check_stream(const Outcome& outcome) {
    const auto found = inside_.find(outcome.token);
    if (found == inside_.end()) return "an outcome for a token that is not inside";
    Inside& inside = found->second;
    if (outcome.verdict == Verdict::hold) {
      if (inside.held) return "held twice";
      inside.held = true;
      return std::nullopt;
    }
    if (auto broken = check_end(inside, outcome)) return broken;
    inside_.erase(found);
    return std::nullopt;
  }

  std::size_t inside() const { return inside_.size(); }

 private:
  struct Inside {
    Packet packet;
    std::vector<std::byte> as_it_came;
    bool held;
  };

  static std::optional<std::string> check_end(const Inside& inside, const Outcome& outcome) {
    const bool rewrite = outcome.verdict == Verdict::rewrite;
    const u32 end = rewrite ? outcome.frame_bytes : 0, room_bytes = static_cast<u32>(inside.as_it_came.size());
    if (rewrite ? end < inside.packet.bytes || end > room_bytes : outcome.frame_bytes != 0)
      return "a frame's length that no rewrite may give it";
    if (!std::equal(inside.as_it_came.begin() + end, inside.as_it_came.end(), inside.packet.data + end))
      return rewrite ? "more was changed than the frame" : "a frame was changed without a rewrite";
    const auto& room = inside.packet.answer;
    if (outcome.verdict == Verdict::answer || (rewrite && outcome.answer_bytes != 0)) {
      if (outcome.answer_bytes == 0 || outcome.answer_bytes > room.size())
        return "an answer that does not fit its room";
      return std::nullopt;
    }
    if (outcome.answer_bytes != 0) return "an answer's length without an answer";
    if (std::ranges::any_of(room, [](std::byte b) { return b != untouched; })) return "the answer room was written";
    return std::nullopt;
  }

  std::unordered_map<u64, Inside> inside_;
};

}  // namespace weir
