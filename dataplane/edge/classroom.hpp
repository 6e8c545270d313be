// Queue pairs that one worker reads of in a handshake belong to whichever worker their packets come to: each tells all
// others, over bounded rings, and the door, which tells other instances and is told by them. What finds a ring full is
// lost, and its queue pair stays closed.
//
// Threads: tell() and listen() of a worker are that worker's; read_board() and announce() the door's.
#pragma once
#include "dataplane/pipeline/burst.hpp"
#include "dataplane/share/ring.hpp"

#include <memory>
#include <vector>

namespace weir::edge {

class Classroom {
 public:
  explicit Classroom(u32 workers) : workers_(workers), seats_(workers) {
    for (u32 self = 0; self < workers; ++self) seats_[self] = {this, self};
    for (u32 ring = 0; ring < (workers + 1) * (workers + 1); ++ring) rings_.push_back(std::make_unique<Lectures>());
  }
  Classroom(const Classroom&) = delete;

  // What the pipeline of worker `self` tells with.
  Teaching of(u32 self) {
    return {&seats_[self], [](void* seat, const LearnedPair& pair) {
              const Seat& teacher = *static_cast<const Seat*>(seat);
              teacher.room->tell(teacher.self, pair);
            }};
  }
  void listen(u32 self, Pipeline& pipeline) {
    LearnedPair pair;
    for (u32 from = 0; from <= workers_; ++from)
      while (from != self && ring(from, self).take(pair)) pipeline.learn(pair);
  }
  // Door: what workers have read since; and one that another instance has read. Whether all workers will learn of it.
  template <class Note>
  void read_board(const Note& note) {
    LearnedPair pair;
    for (u32 from = 0; from < workers_; ++from)
      while (ring(from, workers_).take(pair)) note(pair);
  }
  bool announce(const LearnedPair& pair) {
    bool all = true;
    for (u32 to = 0; to < workers_; ++to) all = ring(workers_, to).put(pair) && all;
    return all;
  }

 private:
  static constexpr u32 pairs_per_ring = 1024;  // eight handshakes of the most queue pairs that one has
  struct Lectures {
    std::vector<LearnedPair> slots = std::vector<LearnedPair>(pairs_per_ring);
    Ring<LearnedPair> ring{slots};
  };
  struct Seat {
    Classroom* room;
    u32 self;
  };

  Ring<LearnedPair>& ring(u32 from, u32 to) { return rings_[from * (workers_ + 1) + to]->ring; }
  void tell(u32 self, const LearnedPair& pair) {
    for (u32 to = 0; to <= workers_; ++to)
      if (to != self) ring(self, to).put(pair);
  }

  u32 workers_;
  std::vector<Seat> seats_;
  std::vector<std::unique_ptr<Lectures>> rings_;  // of all ordered pairs of workers and, as the last, the door
};

}  // namespace weir::edge
