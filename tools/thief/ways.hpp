// The ways out that the thief knows, each a conversation between a host that holds weights and an accomplice. A way
// only says which frames come in where and when; whether they pass is the engine's affair.
#pragma once
#include "dataplane/base/tick.hpp"
#include "tools/thief/tensors.hpp"

#include <functional>
#include <string>
#include <vector>

namespace weir::thief {

// A service that lets a first packet through, and who has to send it.
struct Door {
  u8 protocol;  // 6 or 17
  u16 port;
  bool holder_dials;
};

struct Scene {
  End holder, accomplice;
  bool has_ipv6 = false;
  std::vector<u32> other_holders;  // further addresses of the holder's segment
  std::vector<Door> doors;  // what probing found, in order
  u64 bytes = 0;  // of payload that a way tries to bring out at the most
};

// What a way does, step by step. Payloads are pieces of a tensor file, again from its beginning when it ends.
class Script {
 public:
  struct Step {
    Tick time;
    bool is_outward;  // the holder's: it comes in inside
    u32 stolen;  // bytes of weights in it
    const Bytes* frame;
  };

  // `settle`: the last frame that the engine itself answered with since it was asked, or nothing.
  Script(u64 bytes, std::function<void(const Step&)> take, std::function<Bytes()> settle)
      : left_(bytes), take_(std::move(take)), settle_(std::move(settle)) {}

  void out(const Bytes& frame, u32 stolen = 0) { step(frame, true, stolen); }
  void in(const Bytes& frame) { step(frame, false, 0); }
  void wait(Tick time) { now_ += time; }
  Bytes answer() const { return settle_(); }
  bool wants_more() const { return left_ != 0; }
  // The next piece to carry; none is longer than `bytes`.
  View piece(const Bytes& file, u32 bytes);
  Tick now() const { return now_; }

 private:
  void step(const Bytes& frame, bool is_outward, u32 stolen);

  u64 left_;
  std::size_t at_ = 0;
  Tick now_ = Tick{1'700'000'000} * tick_second;
  std::function<void(const Step&)> take_;
  std::function<Bytes()> settle_;
};

struct Way {
  std::string name;
  bool leaves_by_any = false;  // names no target, or another inside: the bound of all exits is what counts
  u64 lasts_s = 3600;  // or less
  std::function<void(const Scene&, Script&)> act;
};

// One first packet each, to find doors.
Bytes first_packet(const Scene& scene, const Door& door);
// What the holder says to that, where the accomplice dialled.
Bytes first_answer(const Scene& scene, const Door& door);

std::vector<Way> ways(const Scene& scene);
std::vector<Way> stream_ways(const Scene& scene);  // over TCP
std::vector<Way> datagram_ways(const Scene& scene);  // over UDP, ICMP and other IP protocols
std::vector<Way> queue_pair_ways(const Scene& scene);
std::vector<Way> nccl_ways(const Scene& scene);
std::vector<Way> frame_ways(const Scene& scene);  // no IP, tags, tunnels

inline constexpr u32 piece_bytes = 8900;  // into a jumbo frame
inline constexpr u32 small_piece_bytes = 1400;

}  // namespace weir::thief
