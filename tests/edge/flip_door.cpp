// Installs the two flip policies through a real door, each RUN times before the other: flip_door SOCKET
// FIRST-GENERATION COUNT RUN. Prints how long a flip took to reach every worker, as the dataplane measured it: least,
// median and greatest, in microseconds.
#include "dataplane/share/door.hpp"
#include "tests/property/flip_policies.hpp"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

namespace weir {
namespace {

int reach(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  const int door = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  return connect(door, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? door : -1;
}

door::Answer install(int door, FlipSide side, u64 generation) {
  const auto image = flip_image(side, generation);
  const int file = memfd_create("image", 0);
  door::Answer answer{};
  door::Request request{door::magic_value, door::version_value, door::Act::install, 0, 0, {}, 0};
  iovec part{&request, sizeof request};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof file)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* descriptor = CMSG_FIRSTHDR(&message);
  descriptor->cmsg_level = SOL_SOCKET;
  descriptor->cmsg_type = SCM_RIGHTS;
  descriptor->cmsg_len = CMSG_LEN(sizeof file);
  std::memcpy(CMSG_DATA(descriptor), &file, sizeof file);
  const bool is_asked = write(file, image.data(), image.size()) == static_cast<ssize_t>(image.size()) &&
                        sendmsg(door, &message, 0) == ssize_t{sizeof request} &&
                        recv(door, &answer, sizeof answer, 0) == ssize_t{sizeof answer};
  close(file);
  if (!is_asked) answer.result = door::Result::malformed;
  return answer;
}

int run(const char* path, u64 first, u64 count, u64 length) {
  const int door = reach(path);
  std::vector<u64> blocked_us;
  for (u64 generation = first; generation < first + count; ++generation) {
    const door::Answer answer = install(door, generation / length % 2 == 0 ? FlipSide::b : FlipSide::a, generation);
    if (answer.result != door::Result::done || answer.generation != generation) {
      std::cerr << "generation " << generation << ": " << answer.section << ": " << answer.sentence << "\n";
      return 1;
    }
    blocked_us.push_back(answer.blocked_us);
  }
  std::sort(blocked_us.begin(), blocked_us.end());
  std::cout << blocked_us.front() << " " << blocked_us[blocked_us.size() / 2] << " " << blocked_us.back() << "\n";
  return 0;
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  const auto number = [&](int argument) { return std::strtoull(argv[argument], nullptr, 10); };
  if (argc == 5 && number(4) != 0) return weir::run(argv[1], number(2), number(3), number(4));
  std::cerr << "usage: flip_door SOCKET FIRST-GENERATION COUNT RUN\n";
  return 2;
}
