// How a worker waits when nothing comes (--sleep): asleep, until a port that interrupts has a frame, until another
// worker has put something into one of its rings, or until its time is over, which comes before the ring of a port that
// does not interrupt could fill (dataplane/edge/nap_bound.hpp), and within a millisecond in any case. Naps are short
// when frames have just come and double while none do. It judges nothing, and a worker that never sleeps has none.
//
// Invariant: whoever puts something into a ring of the worker's after begin(), and calls wake(), ends its nap; what was
// put before, the worker finds when it looks after begin(). Threads: wake() is any worker's, the rest its own's.
#pragma once
#include "dataplane/edge/nap_bound.hpp"
#include "dataplane/edge/ports.hpp"
#include "dataplane/share/stats.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace weir::edge {

class Nap {
 public:
  // Of a worker that receives by its queue of each started port.
  static std::expected<std::unique_ptr<Nap>, Error> make(const Ports& ports, u32 worker, Counter& slept_us);
  ~Nap();
  Nap(const Nap&) = delete;

  // Some port's ring fills so soon that it has to be looked at all the time.
  bool is_possible() const { return bound_ns_ >= nap_least_ns; }
  // From now on a frame or wake() ends the nap: the worker looks once more, and then sleeps or ends it.
  void begin();
  void sleep();
  void end();
  // Frames have come: more may, and the next nap is a short one.
  void frames_came() { length_ns_ = nap_least_ns; }
  // Of another worker, when it has put something into a ring of this one's.
  void wake();

 private:
  explicit Nap(Counter& slept_us) : slept_us_(slept_us) {}
  std::expected<void, Error> watch(const Port& port, u16 queue);
  void take_in();

  struct Armed {
    u16 port, queue;
  };
  Counter& slept_us_;
  u64 slept_ns_ = 0;  // not counted yet
  u64 bound_ns_ = nap_most_ns, length_ns_ = nap_least_ns;
  int bell_ = -1, frames_ = -1;  // descriptors: of wake(), and of interrupts
  std::vector<Armed> armed_;     // queues that interrupt
  bool is_exact_ = false;        // the kernel adds nothing to this thread's waits
  alignas(64) std::atomic<bool> is_asleep_{false};
};

// How workers wait for frames of a started port, for people.
std::string nap_sentence(const Port& port);

}  // namespace weir::edge
