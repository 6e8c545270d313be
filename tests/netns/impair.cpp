// A bad wire between two devices of one network namespace: it loses, duplicates, delays and reorders frames, and may be
// a hop with a small MTU that answers what does not fit (RFC 1191, RFC 8201). Seeded; it fragments nothing and keeps no
// state. ARP and neighbour discovery pass unharmed: a lost one costs a second and shows nothing.
//
// usage: impair DEVICE DEVICE [--seed N] [--loss P] [--duplicate P] [--reorder P] [--delay US] [--mtu BYTES]
// Probabilities are per frame. A frame that is reordered waits 1 to 5 ms more. Prints `ready`, and counts at its end.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <queue>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t frame_bytes_max = 65536;
constexpr std::size_t link_bytes = 14;
constexpr std::uint8_t hop_ipv4[] = {10, 77, 0, 254};
constexpr std::uint8_t hop_ipv6[] = {0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe};

struct Wishes {
  unsigned seed = 1;
  double loss = 0, duplicate = 0, reorder = 0;
  std::chrono::microseconds delay{0};
  std::size_t mtu = 0;  // 0: as large as it comes
};

struct Counts {
  unsigned long passed = 0, lost = 0, duplicated = 0, reordered = 0, too_big = 0, unsent = 0;
};

volatile std::sig_atomic_t stop_wanted = 0;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "impair: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

int open_device(const char* name) {
  const int socket_at = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(0x0003));
  const int on = 1, room = 16 << 20;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(0x0003);
  address.sll_ifindex = static_cast<int>(if_nametoindex(name));
  packet_mreq everything{address.sll_ifindex, PACKET_MR_PROMISC, 0, {}};
  if (socket_at < 0 || address.sll_ifindex == 0 ||
      setsockopt(socket_at, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0 ||
      setsockopt(socket_at, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0 ||
      setsockopt(socket_at, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &everything, sizeof everything) != 0 ||
      bind(socket_at, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail(name);
  return socket_at;
}

std::uint16_t be16(const std::uint8_t* at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }
void put_be16(std::uint8_t* at, std::size_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}

// RFC 1071, over any number of parts of even length.
std::uint16_t checksum(std::initializer_list<std::span<const std::uint8_t>> parts) {
  std::uint32_t sum = 0;
  for (const auto part : parts)
    for (std::size_t i = 0; i < part.size(); i += 2) sum += i + 1 < part.size() ? be16(&part[i]) : part[i] << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

bool is_ipv4(const Bytes& frame) { return frame.size() >= link_bytes + 20 && be16(&frame[12]) == 0x0800; }
bool is_ipv6(const Bytes& frame) { return frame.size() >= link_bytes + 40 && be16(&frame[12]) == 0x86dd; }

// Neither ARP nor neighbour discovery.
bool may_suffer(const Bytes& frame) {
  if (is_ipv4(frame)) return true;
  if (!is_ipv6(frame)) return false;
  const bool is_icmp = frame[link_bytes + 6] == 58 && frame.size() > link_bytes + 40;
  return !is_icmp || frame[link_bytes + 40] < 130 || frame[link_bytes + 40] > 137;
}

// The Ethernet header of an answer to `frame`.
Bytes answer_to(const Bytes& frame, std::size_t bytes) {
  Bytes answer(link_bytes + bytes);
  std::copy_n(&frame[6], 6, &answer[0]);
  std::copy_n(&frame[0], 6, &answer[6]);
  std::copy_n(&frame[12], 2, &answer[12]);
  return answer;
}

// ICMP type 3, code 4 with the MTU of this hop (RFC 1191, section 4); as much quoted as RFC 1812, 4.3.2.3 allows.
Bytes fragmentation_needed(const Bytes& frame, std::size_t mtu) {
  const std::size_t quoted = std::min<std::size_t>(frame.size() - link_bytes, 576 - 28);
  Bytes answer = answer_to(frame, 28 + quoted);
  std::uint8_t* ip = &answer[link_bytes];
  ip[0] = 0x45, ip[8] = 64, ip[9] = 1;
  put_be16(ip + 2, 28 + quoted);
  std::copy_n(hop_ipv4, 4, ip + 12);
  std::copy_n(&frame[link_bytes + 12], 4, ip + 16);
  put_be16(ip + 10, checksum({{ip, 20}}));
  ip[20] = 3, ip[21] = 4;
  put_be16(ip + 26, mtu);
  std::copy_n(&frame[link_bytes], quoted, ip + 28);
  put_be16(ip + 22, checksum({{ip + 20, 8 + quoted}}));
  return answer;
}

// ICMPv6 type 2 (RFC 4443, section 3.2): within the least MTU of IPv6, quote included.
Bytes packet_too_big(const Bytes& frame, std::size_t mtu) {
  const std::size_t quoted = std::min<std::size_t>(frame.size() - link_bytes, 1280 - 48);
  Bytes answer = answer_to(frame, 48 + quoted);
  std::uint8_t* ip = &answer[link_bytes];
  ip[0] = 0x60, ip[6] = 58, ip[7] = 64;
  put_be16(ip + 4, 8 + quoted);
  std::copy_n(hop_ipv6, 16, ip + 8);
  std::copy_n(&frame[link_bytes + 8], 16, ip + 24);
  ip[40] = 2;
  put_be16(ip + 46, mtu);
  std::copy_n(&frame[link_bytes], quoted, ip + 48);
  const std::uint8_t rest[] = {0, 0, ip[4], ip[5], 0, 0, 0, 58};
  put_be16(ip + 42, checksum({{ip + 8, 32}, rest, {ip + 40, 8 + quoted}}));
  return answer;
}

struct Waiting {
  Clock::time_point due;
  unsigned long order;  // frames that are due together leave as they came
  int to;
  Bytes frame;
};
bool operator<(const Waiting& a, const Waiting& b) { return a.due != b.due ? a.due > b.due : a.order > b.order; }

class Wire {
 public:
  Wire(const char* one, const char* other, const Wishes& wishes)
      : wishes_(wishes), random_(wishes.seed), ends_{open_device(one), open_device(other)} {}

  void run() {
    while (!stop_wanted) {
      pollfd polled[] = {{ends_[0], POLLIN, 0}, {ends_[1], POLLIN, 0}};
      const timespec wait = patience();
      ppoll(polled, 2, &wait, nullptr);
      for (int end = 0; end < 2; ++end)
        if (polled[end].revents & POLLIN) take(end);
      release();
    }
  }
  const Counts& counts() const { return counts_; }

 private:
  bool happens(double probability) { return std::uniform_real_distribution<>(0, 1)(random_) < probability; }

  timespec patience() const {
    using namespace std::chrono;
    nanoseconds left = milliseconds(100);
    if (!waiting_.empty()) left = std::clamp<nanoseconds>(waiting_.top().due - Clock::now(), nanoseconds(0), left);
    return {0, static_cast<long>(left.count())};
  }

  void take(int from) {
    for (int n = 0; n < 64; ++n) {
      const ssize_t bytes = recv(ends_[from], room_.data(), room_.size(), 0);
      if (bytes <= 0) return;
      impair(Bytes(room_.begin(), room_.begin() + bytes), 1 - from);
    }
  }

  void impair(Bytes frame, int to) {
    if (wishes_.mtu != 0 && frame.size() - link_bytes > wishes_.mtu && (is_ipv4(frame) || is_ipv6(frame))) {
      ++counts_.too_big;
      const bool may_tell = is_ipv6(frame) || (frame[link_bytes + 6] & 0x40) != 0;  // DF
      if (may_tell)
        send(1 - to, is_ipv6(frame) ? packet_too_big(frame, wishes_.mtu) : fragmentation_needed(frame, wishes_.mtu));
      return;
    }
    if (!may_suffer(frame)) return send(to, frame);
    if (happens(wishes_.loss)) return static_cast<void>(++counts_.lost);
    auto due = Clock::now() + wishes_.delay;
    if (happens(wishes_.reorder)) {
      ++counts_.reordered;
      due += std::chrono::microseconds(std::uniform_int_distribution<>(1000, 5000)(random_));
    }
    if (happens(wishes_.duplicate)) {
      ++counts_.duplicated;
      waiting_.push({due + std::chrono::microseconds(500), order_++, to, frame});
    }
    waiting_.push({due, order_++, to, std::move(frame)});
  }

  void release() {
    for (const auto now = Clock::now(); !waiting_.empty() && waiting_.top().due <= now; waiting_.pop())
      send(waiting_.top().to, waiting_.top().frame);
  }

  void send(int to, const Bytes& frame) {
    const bool sent = ::send(ends_[to], frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
    ++(sent ? counts_.passed : counts_.unsent);
  }

  Wishes wishes_;
  std::mt19937 random_;
  int ends_[2];
  std::array<std::uint8_t, frame_bytes_max> room_;
  std::priority_queue<Waiting> waiting_;
  unsigned long order_ = 0;
  Counts counts_;
};

Wishes read_wishes(int count, char** words) {
  Wishes wishes;
  for (int i = 3; i + 1 < count; i += 2) {
    const std::string name = words[i];
    const double value = std::atof(words[i + 1]);
    if (name == "--seed") wishes.seed = static_cast<unsigned>(value);
    else if (name == "--loss") wishes.loss = value;
    else if (name == "--duplicate") wishes.duplicate = value;
    else if (name == "--reorder") wishes.reorder = value;
    else if (name == "--delay") wishes.delay = std::chrono::microseconds(static_cast<long>(value));
    else if (name == "--mtu") wishes.mtu = static_cast<std::size_t>(value);
    else std::fprintf(stderr, "impair: what is `%s`?\n", name.c_str()), std::exit(2);
  }
  return wishes;
}

}  // namespace

int main(int count, char** words) {
  if (count < 3 || count % 2 == 0) {
    std::fprintf(stderr,
                 "usage: impair DEVICE DEVICE [--loss P] [--duplicate P] [--reorder P] [--delay US] [--mtu BYTES]\n");
    return 2;
  }
  for (const int number : {SIGTERM, SIGINT}) std::signal(number, [](int) { stop_wanted = 1; });
  Wire wire(words[1], words[2], read_wishes(count, words));
  std::puts("ready");
  std::fflush(stdout);
  wire.run();
  const Counts& counts = wire.counts();
  std::printf("passed %lu lost %lu duplicated %lu reordered %lu too_big %lu unsent %lu\n", counts.passed, counts.lost,
              counts.duplicated, counts.reordered, counts.too_big, counts.unsent);
}
