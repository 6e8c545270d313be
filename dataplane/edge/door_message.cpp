#include "dataplane/edge/door_message.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace weir::edge {
namespace {

constexpr std::size_t descriptors_max = 4;  // more than two are a mistake, but must be closed

}  // namespace

DoorMessage DoorMessage::receive(int client) {
  std::byte bytes[sizeof(door::Request) + 1];  // one more than a request: a longer message is seen to be longer
  iovec part{bytes, sizeof bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(descriptors_max * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  DoorMessage made;
  const ssize_t got = recvmsg(client, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) {
    made.state_ = errno == EAGAIN || errno == EINTR ? State::none : State::over;
    return made;
  }
  for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t at = 0; at < count; ++at)
      made.descriptors_.push_back(load<int>(CMSG_DATA(one) + at * sizeof(int)));
  }
  if (got == 0 && made.descriptors_.empty()) {
    made.state_ = State::over;
    return made;
  }
  const bool is_cut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  const char* const fault = door::read_request({bytes, static_cast<std::size_t>(got)}, made.descriptors_.size(),
                                               made.request_);
  made.fault_ = fault != nullptr ? fault : is_cut ? "more descriptors than an act takes" : "";
  made.state_ = fault != nullptr || is_cut ? State::malformed : State::request;
  return made;
}

DoorMessage::~DoorMessage() {
  for (const int one : descriptors_) close(one);
}

}  // namespace weir::edge
