// Any bytes, with any descriptors, through a socket like the door's: what the dataplane takes for a request holds to
// its form, is what was sent, and answers alike when it comes again; of what came no descriptor stays open. The same
// bytes as a wish to be shown packets: one without a fault can be asked of any packet.
#include "dataplane/edge/door_message.hpp"
#include "dataplane/share/mirror_wish.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

using namespace weir;

namespace {

constexpr std::size_t message_bytes_max = 4096;

void must(bool holds) {
  if (!holds) std::abort();
}

struct Ends {
  int ends[2];
  Ends() { must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0); }
  ~Ends() { close(ends[0]), close(ends[1]); }
};

// The lowest number that is free: one that is left open takes it.
int next_descriptor() {
  const int one = fcntl(0, F_DUPFD_CLOEXEC, 3);
  must(one >= 0 && close(one) == 0);
  return one;
}

void send(int end, std::span<const std::uint8_t> bytes, std::size_t descriptors) {
  iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptors != 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors * sizeof(int));
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors * sizeof(int));
    for (std::size_t at = 0; at < descriptors; ++at)
      std::memcpy(CMSG_DATA(rights) + at * sizeof(int), &end, sizeof end);
  }
  must(sendmsg(end, &message, 0) == static_cast<ssize_t>(bytes.size()));
}

void holds_to_its_form(const door::Request& request, std::span<const std::uint8_t> bytes, std::size_t descriptors) {
  must(bytes.size() == sizeof request && std::memcmp(&request, bytes.data(), sizeof request) == 0);
  const door::ActRow* const row = door::row_of(request.act);
  must(row != nullptr && request.magic == door::magic_value && request.version == door::version_value);
  must(std::memchr(request.name, 0, sizeof request.name) != nullptr);
  must(row->takes_name || name_in(request).empty());
  must(request.act != door::Act::install || name_in(request).empty() || request.confirm_within_ms != 0);
  must(row->takes_descriptors || descriptors == 0);
  must(descriptors <= 4);
}

void ask_wish(std::span<const std::uint8_t> bytes) {
  MirrorWish wish{};
  std::ranges::copy(bytes.first(std::min(bytes.size(), sizeof wish)), reinterpret_cast<std::uint8_t*>(&wish));
  wish.magic = mirror_wish_magic;  // so that it is found
  const char* const fault = fault_of(wish);
  if (fault != nullptr) return must(std::string_view(fault).size() > 4);
  must(wish.packets != 0 && wish.for_ms != 0);
  MirrorFacts facts{true, Address::ipv4(0x0100000a), Address::ipv4(0x0200000a), 1000, 443, 6, "a", "b", "c",
                    Reason::no_allow};
  must(matches(wish, facts) == matches(wish, facts));
  facts.has_addresses = false;
  must(matches(wish, facts) || wish.steps_count != 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t descriptors = (data[0] & 0x7f) % 9;
  std::vector<std::uint8_t> bytes(data + 1, data + 1 + std::min(size - 1, message_bytes_max));
  if ((data[0] & 0x80) != 0 && bytes.size() >= 6) {  // so that seeds outlive a version
    std::memcpy(bytes.data(), &door::magic_value, 4);
    std::memcpy(bytes.data() + 4, &door::version_value, 2);
  }
  static Ends socket;
  const int free_one = next_descriptor();
  const edge::DoorMessage nothing = edge::DoorMessage::receive(socket.ends[1]);
  must(nothing.state() == edge::DoorMessage::State::none);
  edge::DoorMessage::State states[2];
  for (edge::DoorMessage::State& state : states) {
    send(socket.ends[0], bytes, descriptors);
    const edge::DoorMessage message = edge::DoorMessage::receive(socket.ends[1]);
    state = message.state();
    must(message.descriptors().size() <= 4);
    if (state == edge::DoorMessage::State::request)
      holds_to_its_form(message.request(), bytes, message.descriptors().size());
    if (state == edge::DoorMessage::State::malformed) must(std::string_view(message.fault()).size() > 4);
    if (state == edge::DoorMessage::State::over) must(bytes.empty() && descriptors == 0);
  }
  must(states[0] == states[1]);
  must(next_descriptor() == free_one);
  ask_wish(bytes);
  return 0;
}
