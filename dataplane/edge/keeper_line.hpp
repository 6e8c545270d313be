// The line between one worker and the keeper of accounts: what the worker tells, and what it is given, each over a
// bounded ring. Neither side waits for the other: a worker tells as much as there is room for and keeps the rest in its
// till, and a gift that finds the ring full waits with the keeper.
//
// Threads: talk() is the worker's, the rest the keeper's.
#pragma once
#include "dataplane/budget/till.hpp"
#include "dataplane/share/ring.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <memory>

namespace weir::edge {

class KeeperLine {
 public:
  // To be called after the frames of a round were handed to their ports: what is told as spent has left.
  void talk(Till& till, Tick now) {
    const std::size_t room = std::min<std::size_t>(news_.room(), at_once);
    if (const u32 told = till.tell(now, {told_.data(), room}); told != 0)
      WEIR_CHECK(news_.put({told_.data(), told}) == told);
    PurseGift gift;
    for (u32 taken = 0; taken < at_once && till.room() != 0 && gifts_.take(gift); ++taken) till.take(gift);
  }

  // In the worker's stead, when it has ended: what it has not taken yet.
  void take_rest(Till& till) {
    for (PurseGift gift; gifts_.take(gift);)
      if (gift.kind == PurseGift::Kind::lease) till.take(gift);
  }

  bool take(PurseNews& news) { return news_.take(news); }
  void give(const PurseGift& gift) {
    if (!waiting_.empty() || !gifts_.put(gift)) waiting_.push_back(gift);
  }
  bool has_waiting() const { return !waiting_.empty(); }
  void give_waiting() {
    while (!waiting_.empty() && gifts_.put(waiting_.front())) waiting_.pop_front();
  }

 private:
  static constexpr u32 slots = 1024, at_once = 64;

  std::unique_ptr<PurseNews[]> news_slots_ = std::make_unique<PurseNews[]>(slots);
  std::unique_ptr<PurseGift[]> gift_slots_ = std::make_unique<PurseGift[]>(slots);
  Ring<PurseNews> news_{std::span(news_slots_.get(), slots)};
  Ring<PurseGift> gifts_{std::span(gift_slots_.get(), slots)};
  std::array<PurseNews, at_once> told_;
  std::deque<PurseGift> waiting_;  // the keeper's
};

}  // namespace weir::edge
