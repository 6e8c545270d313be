// Reassembly as one would write it in an afternoon: a list of pieces per datagram, each compared with each. Written
// from RFC 791, 5722 and 8200, not from the engine.
#pragma once
#include "dataplane/packet/reason.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

namespace weir::naive {

struct MeantPiece {
  std::uint64_t datagram = 0;  // whatever names it
  std::uint32_t first = 0, end = 0;
  bool is_last = false;
  std::vector<std::uint8_t> bytes;
  std::uint64_t time_us = 0;
};

// What becomes of packets, by their number: the first word, and for those that were held the last one.
struct Fate {
  Reason first = Reason::undecided, last = Reason::undecided;
};

class Fragments {
 public:
  // `passes` is what a datagram whose pieces are these (by number) ends as.
  template <class Passes>
  void take(std::uint64_t number, const MeantPiece& piece, Passes passes) {
    end_late(piece.time_us);
    fates_.resize(std::max<std::size_t>(fates_.size(), number + 1));
    auto [found, is_new] = waiting_.try_emplace(piece.datagram);
    Waiting& datagram = found->second;
    if (is_new) datagram.until_us = piece.time_us + 2'000'000;
    if (datagram.poison != Reason::undecided) return tell(number, datagram.poison);
    const Reason doubt = doubt_of(datagram, piece);
    if (doubt == Reason::fragment_duplicate) return tell(number, doubt);
    if (doubt != Reason::undecided) {
      end(datagram, doubt);
      datagram.poison = doubt;
      datagram.pieces.clear();
      return tell(number, doubt);
    }
    datagram.pieces.push_back({number, piece});
    if (!is_whole(datagram)) return tell(number, Reason::fragment_held);
    std::vector<std::uint64_t> numbers;
    for (const auto& [other, kept] : datagram.pieces) numbers.push_back(other);
    const Reason reason = passes(numbers);
    end(datagram, reason);
    fates_[number] = {reason, Reason::undecided};
    waiting_.erase(found);
  }
  void end_late(std::uint64_t now_us) {
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      if (now_us < at->second.until_us) {
        ++at;
        continue;
      }
      const bool has_first = std::ranges::any_of(at->second.pieces, [](auto& one) { return one.second.first == 0; });
      end(at->second, has_first ? Reason::fragment_timeout : Reason::fragment_no_first);
      at = waiting_.erase(at);
    }
  }
  const std::vector<Fate>& fates() const { return fates_; }

 private:
  struct Waiting {
    std::vector<std::pair<std::uint64_t, MeantPiece>> pieces;
    std::uint64_t until_us = 0;
    Reason poison = Reason::undecided;
  };

  static Reason doubt_of(const Waiting& datagram, const MeantPiece& piece) {
    for (const auto& [number, other] : datagram.pieces) {
      if (other.is_last && (piece.end > other.end || piece.is_last != (piece.end == other.end)))
        return Reason::fragment_mixed;
      if (piece.is_last && !other.is_last && other.end >= piece.end) return Reason::fragment_mixed;
    }
    for (const auto& [number, other] : datagram.pieces) {
      if (piece.first == other.first && piece.end == other.end)
        return piece.bytes == other.bytes ? Reason::fragment_duplicate : Reason::fragment_differs;
      if (piece.first < other.end && other.first < piece.end) return Reason::fragment_overlap;
    }
    return Reason::undecided;
  }
  static bool is_whole(const Waiting& datagram) {
    for (std::uint32_t reached = 0;;) {
      const auto next = std::ranges::find_if(datagram.pieces, [&](auto& one) { return one.second.first == reached; });
      if (next == datagram.pieces.end()) return false;
      if (next->second.is_last) return true;
      reached = next->second.end;
    }
  }
  void tell(std::uint64_t number, Reason reason) { fates_[number].first = reason; }
  void end(const Waiting& datagram, Reason reason) {
    for (const auto& [number, piece] : datagram.pieces) fates_[number].last = reason;
  }

  std::map<std::uint64_t, Waiting> waiting_;
  std::vector<Fate> fates_;
};

}  // namespace weir::naive
