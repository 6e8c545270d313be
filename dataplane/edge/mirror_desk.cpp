#include "dataplane/edge/mirror_desk.hpp"

#include "dataplane/edge/dataplane.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace weir::edge {
namespace {

constexpr std::size_t packets_per_ring = 512;  // 1.1 MiB of address space, touched while somebody looks
constexpr u32 messages_heeded = 64;
constexpr auto last_words_max = std::chrono::seconds(5);

Refusal refused(const char* sentence) { return {door::Result::refused, "request", sentence}; }

enum class Sent { whole, not_now, never };

Sent send_bytes(int client, const void* bytes, std::size_t count) {
  const ssize_t sent = send(client, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == static_cast<ssize_t>(count)) return Sent::whole;
  return sent < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == EINTR) ? Sent::not_now : Sent::never;
}

template <std::size_t room>
void write_text(char (&into)[room], std::string_view text) {
  into[text.copy(into, room - 1)] = '\0';
}

std::string who_is(int client) {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return "somebody";
  return fmt::format("user {} (process {})", peer.uid, peer.pid);
}

}  // namespace

std::expected<std::unique_ptr<MirrorDesk>, Error> MirrorDesk::make(u32 workers, std::vector<std::string> port_names,
                                                                   const std::string& whole) {
  auto memory = Mapping::sparse(workers * packets_per_ring * sizeof(Mirrored));
  if (!memory) return std::unexpected(memory.error());
  return std::unique_ptr<MirrorDesk>(new MirrorDesk(workers, std::move(port_names), whole, std::move(*memory)));
}

MirrorDesk::MirrorDesk(u32 workers, std::vector<std::string> port_names, std::string whole, Mapping memory)
    : port_names_(std::move(port_names)), whole_(std::move(whole)), memory_(std::move(memory)) {
  auto* const slots = reinterpret_cast<Mirrored*>(memory_.bytes().data());
  for (u32 worker = 0; worker < workers; ++worker)
    rings_.push_back(std::make_unique<MirrorRing>(std::span(slots + worker * packets_per_ring, packets_per_ring),
                                                  order_, !whole_.empty()));
}

std::expected<void, Refusal> MirrorDesk::begin(int client, int file) {
  struct stat facts{};
  if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode))
    return std::unexpected(refused("the descriptor is not a regular file"));
  MirrorWish wish;
  if (pread(file, &wish, sizeof wish, 0) != ssize_t{sizeof wish})
    return std::unexpected(refused("the file holds no wish of this version"));
  if (const char* const fault = fault_of(wish); fault != nullptr) return std::unexpected(refused(fault));
  if (is_on())
    return std::unexpected(Refusal{
        door::Result::busy, "",
        fmt::format(
            "somebody else is being shown packets, for another {} s at most: one at a time",
            std::max<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(until_ - Clock::now()).count(), 1))});
  if (!all_have_heard())
    return std::unexpected(Refusal{door::Result::busy, "", "not every worker has done with the order before"});
  door::MirrorTold told{};
  told.magic = door::mirror_told_magic;
  told.workers = static_cast<u32>(rings_.size());
  told.ports = static_cast<u32>(std::min<std::size_t>(port_names_.size(), ports_max));
  write_text(told.whole, whole_);
  for (u32 port = 0; port < told.ports; ++port) write_text(told.names[port].text, port_names_[port]);
  if (pwrite(file, &told, sizeof told, 0) != ssize_t{sizeof told})
    return std::unexpected(refused("the file takes no more"));
  client_ = client;
  empty();
  wanted_ = wish.packets, shown_ = 0, lost_before_ += lost();
  until_ = Clock::now() + std::chrono::milliseconds(wish.for_ms);
  ending_.reset();
  say(fmt::format("{} is shown {} packets at most, for {} ms at most", who_is(client), wish.packets, wish.for_ms));
  order_.arm(wish);
  return {};
}

std::optional<int> MirrorDesk::attend() {
  if (!is_on()) return std::nullopt;
  const bool is_heard = send_all();
  if (!ending_ && shown_ == wanted_) finish(door::MirrorEnding::count);
  if (!ending_ && Clock::now() >= until_) finish(door::MirrorEnding::time);
  if (!is_heard) {
    finish(door::MirrorEnding::asked);
    return leave();
  }
  if (!ending_ || !all_have_heard()) return ending_ && Clock::now() >= given_up_ ? leave() : std::nullopt;
  // What a worker put before it heard is in its ring by now.
  if (!send_all()) return leave();
  const door::MirrorEnd end{door::mirror_end_magic, *ending_, shown_, lost()};
  const Sent sent = has_waiting_ ? Sent::not_now : send_bytes(client_, &end, sizeof end);
  return sent == Sent::not_now && Clock::now() < given_up_ ? std::nullopt : leave();
}

// What it said is taken off, since a socket that is closed over something unread loses what was sent by it.
void MirrorDesk::heed() {
  std::byte said;
  for (u32 message = 0; message < messages_heeded && recv(client_, &said, 1, MSG_DONTWAIT) > 0; ++message) continue;
  finish(door::MirrorEnding::asked);
}

void MirrorDesk::close() {
  if (!is_on()) return;
  finish(door::MirrorEnding::stopped);
  send_all();
  const door::MirrorEnd end{door::mirror_end_magic, *ending_, shown_, lost()};
  send_bytes(client_, &end, sizeof end);
  leave();
}

void MirrorDesk::finish(door::MirrorEnding ending) {
  if (!is_on() || ending_) return;
  ending_ = ending;
  given_up_ = Clock::now() + last_words_max;
  order_.disarm();
}

bool MirrorDesk::all_have_heard() const {
  return std::ranges::all_of(
      rings_, [&](const auto& ring) { return ring->heard.load(std::memory_order_acquire) == order_.number(); });
}

// As many as the client takes now; what is beyond its count is let go. False when it takes nothing any more.
bool MirrorDesk::send_all() {
  for (const auto& ring : rings_) {
    while (has_waiting_ || ring->packets.take(waiting_)) {
      has_waiting_ = shown_ != wanted_;
      if (!has_waiting_) continue;
      const Sent sent = send_bytes(client_, &waiting_, mirrored_head_bytes + waiting_.bytes);
      if (sent != Sent::whole) return sent == Sent::not_now;
      has_waiting_ = false;
      ++shown_;
    }
  }
  return true;
}

std::optional<int> MirrorDesk::leave() {
  say(fmt::format("{} packets were shown, {} came too fast", shown_, lost()));
  empty();
  return std::exchange(client_, -1);
}

void MirrorDesk::empty() {
  has_waiting_ = false;
  for (const auto& ring : rings_)
    while (ring->packets.take(waiting_)) {
    }
}

u64 MirrorDesk::lost() const {
  u64 sum = 0;
  for (const auto& ring : rings_) sum += ring->lost.read();
  return sum - lost_before_;
}

}  // namespace weir::edge
