// The order to show packets, at the door: takes one at a time, arms it for the workers, sends on what they put into
// their rings to who asked, and ends it: by count, by time, when who asked says so or is gone. It waits for nobody; who
// does not read fast enough loses packets and is told how many.
//
// Threads: made by main; then the door's. A worker puts into its ring.
#pragma once
#include "dataplane/edge/install.hpp"
#include "dataplane/edge/memory.hpp"
#include "dataplane/share/mirror.hpp"

#include <chrono>
#include <memory>
#include <optional>

namespace weir::edge {

class MirrorDesk {
 public:
  // `whole`: why packets of those who hold an asset are shown whole, or empty.
  static std::expected<std::unique_ptr<MirrorDesk>, Error> make(u32 workers, std::vector<std::string> port_names,
                                                                const std::string& whole);
  MirrorDesk(const MirrorDesk&) = delete;

  MirrorRing& ring(u32 worker) { return *rings_[worker]; }

  // Door: an order with the wish that stands in `file`, for who is at `client`. What is shown comes after the answer.
  std::expected<void, Refusal> begin(int client, int file);
  bool is_of(int client) const { return client_ == client; }
  bool is_on() const { return client_ >= 0; }
  bool is_ending(int client) const { return client_ == client && ending_.has_value(); }
  // Who asked has said something, or is gone: it is over.
  void heed();
  // Sends what has come. The client, when all has been said to it or it cannot be spoken to.
  std::optional<int> attend();
  // The dataplane stops, and its workers have.
  void close();

 private:
  using Clock = std::chrono::steady_clock;
  MirrorDesk(u32 workers, std::vector<std::string> port_names, std::string whole, Mapping memory);
  void finish(door::MirrorEnding ending);
  bool all_have_heard() const;
  bool send_all();
  std::optional<int> leave();
  void empty();
  u64 lost() const;

  const std::vector<std::string> port_names_;
  const std::string whole_;
  Mapping memory_;
  MirrorOrder order_;
  std::vector<std::unique_ptr<MirrorRing>> rings_;
  int client_ = -1;
  u64 wanted_ = 0, shown_ = 0, lost_before_ = 0;
  Clock::time_point until_, given_up_;
  std::optional<door::MirrorEnding> ending_;
  Mirrored waiting_;  // taken and not yet sent
  bool has_waiting_ = false;
};

}  // namespace weir::edge
