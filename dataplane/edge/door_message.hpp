// One message off the door's socket: its bytes, and the descriptors that came with it, which are closed with it. It
// says whether that is a request of dataplane/share/door_request.hpp, and nothing of what is asked.
#pragma once
#include "dataplane/share/door_request.hpp"

#include <span>
#include <vector>

namespace weir::edge {

class DoorMessage {
 public:
  enum class State {
    none,       // nothing has come
    over,       // the other end is gone
    malformed,  // fault() says why
    request,
  };

  // Without waiting, from a SOCK_SEQPACKET.
  static DoorMessage receive(int client);
  ~DoorMessage();
  DoorMessage(DoorMessage&&) = default;

  State state() const { return state_; }
  const char* fault() const { return fault_; }
  const door::Request& request() const { return request_; }
  std::span<const int> descriptors() const { return descriptors_; }

 private:
  DoorMessage() = default;

  State state_ = State::none;
  const char* fault_ = "";
  door::Request request_{};
  std::vector<int> descriptors_;
};

}  // namespace weir::edge
