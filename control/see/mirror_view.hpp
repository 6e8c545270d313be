// Packets that a running dataplane shows while it judges them: an order over the door, and what comes of it until it is
// over. It closes the order by going away.
//
// Threads: one.
#pragma once
#include "control/door/door.hpp"
#include "dataplane/share/mirror.hpp"

#include <expected>
#include <memory>
#include <optional>
#include <span>

namespace weir::see {

class MirrorView {
 public:
  enum class Came { packet, end, nothing };

  // From here on the dataplane shows what the wish says.
  static std::expected<MirrorView, control::DoorFailure> begin(const std::string& socket, const MirrorWish& wish);

  // What has come, or comes within this time. nothing: neither, or a signal came in between.
  std::expected<Came, control::DoorFailure> next(int wait_ms);
  const Mirrored& packet() const { return *packet_; }
  const door::MirrorEnd& end() const { return end_; }
  // It is enough: what is on its way still comes, and then the end.
  void stop();

  const std::vector<std::string>& port_names() const { return port_names_; }
  // Why packets of who holds an asset come whole; empty: they do not.
  const std::string& whole() const { return whole_; }

 private:
  explicit MirrorView(control::Door door) : door_(std::move(door)), packet_(std::make_unique<Mirrored>()) {}

  control::Door door_;
  std::unique_ptr<Mirrored> packet_;
  door::MirrorEnd end_{};
  std::vector<std::string> port_names_;
  std::string whole_;
};

// A message as it came: nothing, where it is no packet that is shown, or says of itself what cannot be.
bool read_mirrored(std::span<const std::byte> message, Mirrored& packet);

}  // namespace weir::see
