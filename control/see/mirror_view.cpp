#include "control/see/mirror_view.hpp"

#include "control/source/descriptor.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weir::see {
namespace {

using control::DoorFailure;
using Kind = DoorFailure::Kind;

DoorFailure other_version() { return {Kind::unreachable, "the answer is not one of this version of the door"}; }

}  // namespace

bool read_mirrored(std::span<const std::byte> message, Mirrored& packet) {
  if (message.size() < mirrored_head_bytes || message.size() > sizeof packet) return false;
  std::memcpy(static_cast<void*>(&packet), message.data(), message.size());
  const MirroredLayers& layers = packet.layers;
  return packet.magic == mirrored_magic && message.size() == mirrored_head_bytes + packet.bytes &&
         packet.bytes <= packet.frame_bytes && packet.port < ports_max && packet.verdict <= Verdict::answer &&
         static_cast<u32>(packet.reason) < reasons_count && static_cast<u32>(layers.doubt) < reasons_count &&
         static_cast<u32>(packet.judged.reason) < reasons_count && layers.kind <= PacketKind::fragment &&
         layers.tunnels <= tunnels_max && packet.before.ended_by < reasons_count &&
         packet.after.ended_by < reasons_count && packet.before.judged <= MirroredJudged::revoked &&
         packet.after.judged <= MirroredJudged::revoked;
}

std::expected<MirrorView, DoorFailure> MirrorView::begin(const std::string& socket, const MirrorWish& wish) {
  auto door = control::Door::reach(socket);
  if (!door) return std::unexpected(door.error());
  Descriptor file(memfd_create("weir-wish", MFD_CLOEXEC));
  if (file.get() < 0 || pwrite(file.get(), &wish, sizeof wish, 0) != ssize_t{sizeof wish})
    return std::unexpected(DoorFailure{Kind::usage, "no memory for a file to ask by"});
  const auto request = control::door_request(door::Act::mirror);
  if (!request) return std::unexpected(request.error());
  const int descriptor = file.get();
  const auto told = door->ask(*request, {&descriptor, 1});
  if (!told) return std::unexpected(told.error());
  if (!told->is_done()) return std::unexpected(DoorFailure{Kind::refused, control::refusal_text(told->answer)});
  door::MirrorTold beginning;
  if (pread(file.get(), &beginning, sizeof beginning, 0) != ssize_t{sizeof beginning} ||
      beginning.magic != door::mirror_told_magic || beginning.ports > ports_max)
    return std::unexpected(other_version());
  MirrorView view(std::move(*door));
  view.whole_ = control::door_text(beginning.whole);
  for (u32 port = 0; port < beginning.ports; ++port)
    view.port_names_.push_back(control::door_text(beginning.names[port].text));
  return view;
}

std::expected<MirrorView::Came, DoorFailure> MirrorView::next(int wait_ms) {
  pollfd waited{door_.descriptor(), POLLIN, 0};
  if (poll(&waited, 1, wait_ms) <= 0) return Came::nothing;
  std::byte message[sizeof(Mirrored) + 1];
  const ssize_t bytes = recv(door_.descriptor(), message, sizeof message, MSG_DONTWAIT);
  if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return Came::nothing;
  if (bytes <= 0) return std::unexpected(DoorFailure{Kind::unreachable, "the dataplane has closed the door"});
  const std::span<const std::byte> came(message, static_cast<std::size_t>(bytes));
  if (read_mirrored(came, *packet_)) return Came::packet;
  if (came.size() != sizeof end_) return std::unexpected(other_version());
  std::memcpy(&end_, message, sizeof end_);
  if (end_.magic != door::mirror_end_magic || end_.ending > door::MirrorEnding::stopped)
    return std::unexpected(other_version());
  return Came::end;
}

void MirrorView::stop() { shutdown(door_.descriptor(), SHUT_WR); }

}  // namespace weir::see
