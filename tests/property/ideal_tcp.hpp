// One end of a TCP connection as RFC 9293 has it, with window scaling (7323) and SACK (2018), without congestion: it
// sends a known stream, checks every byte, number, acknowledgement, block and window that it is shown, and throws at
// the first that no peer could have meant. The twin of the SYN proxy: two of them must not notice what is between them.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace weir::ideal {

using Bytes = std::vector<std::uint8_t>;

enum Flag : std::uint8_t { fin = 1, syn = 2, rst = 4, psh = 8, ack = 16 };

// A segment by what it says.
struct Segment {
  std::uint32_t sequence = 0, acknowledged = 0;
  std::uint8_t flags = 0;
  std::uint16_t window = 0;
  std::optional<std::uint16_t> mss;
  std::optional<std::uint8_t> scale;
  bool sack_permitted = false, timestamps = false;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> blocks;
  Bytes data;
};

struct Traits {
  bool opens = false;
  std::uint32_t isn = 0;
  std::uint16_t mss = 1460;
  std::optional<std::uint8_t> scale;
  bool sack = false;
  bool probes_with_data = false;  // asks about a closed window with a byte, as older stacks do
  std::uint32_t capacity = 65535;
  std::uint64_t to_send = 0;
};

inline void expect(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error("does not hold: " + what);
}

// Positions in a stream are 64 bits wide: 0 is the SYN, 1 the first byte, the FIN stands after the last.
class Host {
 public:
  Host(const Traits& traits, std::function<std::uint32_t(std::uint32_t)> below)
      : traits_(traits), below_(std::move(below)) {}

  std::vector<Segment> out;  // to be sent
  bool was_reset = false;

  void open() { say(syn, 0); }
  bool is_established() const { return established_; }
  bool done(const Host& peer) const {
    return acked_ == traits_.to_send + 2 && received_ == peer.traits_.to_send + 2;
  }
  const Traits& traits() const { return traits_; }
  bool has(std::uint64_t first, std::uint64_t end) const {
    if (end <= received_) return true;
    const auto run = std::ranges::find_if(early_, [&](auto& one) { return one.first <= first && end <= one.second; });
    return run != early_.end();
  }
  static std::uint8_t byte_at(bool opener, std::uint64_t position) {
    return static_cast<std::uint8_t>((position * 2654435761u >> 11) + opener * 101);
  }

  void take(const Segment& segment, const Host& peer) {
    if (was_reset) return;
    if (segment.flags & rst) {
      if (!heard_ || segment.sequence == wire_in(received_)) was_reset = true;
      return;
    }
    if (segment.flags & syn) return take_syn(segment, peer);
    if (!heard_ || !(segment.flags & ack)) return;
    take_acknowledgement(segment, peer);
    if (established_) take_data(segment, peer);
    push();
  }

  // Nothing has come for a while.
  void tick() {
    if (was_reset) return;
    unread_ -= std::min<std::uint64_t>(unread_, below_(2) * traits_.capacity);
    if (!established_) {
      if (traits_.opens || heard_) say(static_cast<std::uint8_t>(syn | (heard_ ? ack : 0)), 0);
      return;
    }
    push();
    if (acked_ < sent_) return resend();
    if (sent_ < traits_.to_send + 2) return probe();
    if (edge_in() > told_edge_) say(ack, sent_);
  }

 private:
  std::uint32_t wire_out(std::uint64_t position) const { return traits_.isn + static_cast<std::uint32_t>(position); }
  std::uint32_t wire_in(std::uint64_t position) const { return peer_isn_ + static_cast<std::uint32_t>(position); }
  static std::uint64_t unwrap(std::uint64_t near, std::uint32_t near_wire, std::uint32_t wire) {
    return near + static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(wire - near_wire)));
  }
  bool scales() const { return traits_.scale && peer_scale_; }
  std::uint64_t edge_in() const { return received_ + traits_.capacity - unread_; }

  void take_syn(const Segment& segment, const Host& peer) {
    if (traits_.opens) {
      expect((segment.flags & ack) != 0, "a client hears no plain SYN");
      if (segment.acknowledged != wire_out(1)) return;
      if (established_) {
        say(ack, sent_);
        return;
      }
      learn(segment, peer);
      established_ = true;
      acked_ = sent_ = 1;
      peer_edge_ = 1 + segment.window;
      say(ack, sent_);
      return push();
    }
    expect((segment.flags & ack) == 0, "a server hears no SYN-ACK");
    if (heard_ && segment.sequence != peer_isn_) return;
    if (!heard_) learn(segment, peer);
    peer_edge_ = std::max<std::uint64_t>(peer_edge_, 1 + segment.window);
    if (!established_) say(syn | ack, 0);
  }

  void learn(const Segment& segment, const Host& peer) {
    heard_ = true;
    peer_isn_ = segment.sequence;
    received_ = 1;
    peer_mss_ = segment.mss.value_or(536);
    peer_scale_ = segment.scale;
    sack_ = traits_.sack && segment.sack_permitted;
    expect(segment.data.empty() && !segment.timestamps && segment.blocks.empty(), "a SYN without what was not offered");
    // The server's own size is not known when the client is told one.
    expect(!segment.mss || *segment.mss <= (traits_.opens ? traits_.mss : peer.traits_.mss), "no larger segments");
    expect(traits_.opens ? !segment.scale || traits_.scale : !segment.scale || segment.scale == peer.traits_.scale,
           "the scale that was offered");
    expect(!segment.sack_permitted || (traits_.opens ? traits_.sack : peer.traits_.sack), "SACK only where offered");
    if (!traits_.opens) expect(segment.sequence == peer.traits_.isn, "the client's own first number");
  }

  void take_acknowledgement(const Segment& segment, const Host& peer) {
    const std::uint64_t acked = unwrap(acked_, wire_out(acked_), segment.acknowledged);
    const std::uint64_t highest = std::max<std::uint64_t>(sent_, 1);
    expect(static_cast<std::int64_t>(acked) <= static_cast<std::int64_t>(highest), "acknowledges what was sent");
    if (!established_ && acked == 1) established_ = true, sent_ = std::max<std::uint64_t>(sent_, 1);
    if (static_cast<std::int64_t>(acked) < 0) return;
    acked_ = std::max(acked_, acked);
    const std::uint64_t window = std::uint64_t{segment.window} << (scales() ? *peer_scale_ : 0);
    peer_edge_ = std::max(peer_edge_, acked + window);
    expect(acked + window <= peer.granted() + 255, "a window no larger than granted");
    for (const auto& [first_wire, end_wire] : segment.blocks) {
      const std::uint64_t first = unwrap(acked_, wire_out(acked_), first_wire);
      const std::uint64_t end = unwrap(acked_, wire_out(acked_), end_wire);
      expect(first < end && end <= sent_ && peer.has(first, end), "blocks of what the peer has");
    }
  }

  void take_data(const Segment& segment, const Host& peer) {
    const std::uint64_t first = unwrap(received_, wire_in(received_), segment.sequence);
    const std::uint64_t end = first + segment.data.size() + ((segment.flags & fin) != 0);
    expect(static_cast<std::int64_t>(first) >= 0 && end <= peer.traits_.to_send + 2, "numbers of the peer's stream");
    expect(end <= told_edge_ + 256, "data within the window");
    for (std::uint64_t i = 0; i < segment.data.size(); ++i)
      expect(segment.data[i] == byte_at(!traits_.opens, first + i), "the peer's bytes");
    if (segment.flags & fin) expect(end == peer.traits_.to_send + 2, "a FIN after the last byte");
    const bool asks = end != first || first != received_;
    if (end > first && end > received_) {
      early_.emplace_back(first, end);
      merge();
    }
    if (asks) say(ack, sent_);
  }

  void merge() {
    std::ranges::sort(early_);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> runs;
    for (const auto& [first, end] : early_) {
      if (first <= received_) {
        if (end > received_) unread_ += end - received_, received_ = end;
      } else if (!runs.empty() && first <= runs.back().second) {
        runs.back().second = std::max(runs.back().second, end);
      } else {
        runs.emplace_back(first, end);
      }
    }
    early_ = runs;
    unread_ = std::min<std::uint64_t>(unread_, traits_.capacity);
  }

  void push() {
    if (!established_) return;
    while (sent_ < traits_.to_send + 2 && sent_ < peer_edge_) {
      const std::uint64_t from = sent_;
      sent_ = std::min({from + std::min(peer_mss_, traits_.mss), peer_edge_, traits_.to_send + 2});
      transmit(from, sent_);
    }
  }

  void resend() { transmit(acked_, std::min<std::uint64_t>(sent_, acked_ + std::min(peer_mss_, traits_.mss))); }

  void probe() {
    if (traits_.probes_with_data && sent_ <= traits_.to_send) {
      ++sent_;
      return transmit(sent_ - 1, sent_);
    }
    say(ack, acked_ - 1);
  }

  // The stream's positions [from, end), the last of which may be the FIN.
  void transmit(std::uint64_t from, std::uint64_t end) {
    Segment& segment = say(end == traits_.to_send + 2 ? ack | fin : ack, from);
    for (; from < std::min(end, traits_.to_send + 1); ++from) segment.data.push_back(byte_at(traits_.opens, from));
  }

  Segment& say(int flags, std::uint64_t position) {
    Segment segment;
    segment.flags = static_cast<std::uint8_t>(flags);
    segment.sequence = wire_out(position);
    if (flags & ack) segment.acknowledged = wire_in(received_);
    const std::uint64_t room = edge_in() - received_;
    const int scale = scales() && !(flags & syn) ? *traits_.scale : 0;
    segment.window = static_cast<std::uint16_t>(std::min<std::uint64_t>(room >> scale, 65535));
    told_edge_ = std::max(told_edge_, received_ + (std::uint64_t{segment.window} << scale));
    if (flags & syn) {
      segment.mss = traits_.mss;
      if (traits_.scale && (traits_.opens || peer_scale_)) segment.scale = traits_.scale;
      segment.sack_permitted = traits_.opens ? traits_.sack : sack_;
      segment.timestamps = traits_.opens;
      sent_ = std::max<std::uint64_t>(sent_, 1);
    } else if (sack_) {
      for (const auto& [first, end] : early_)
        if (segment.blocks.size() < 3) segment.blocks.emplace_back(wire_in(first), wire_in(end));
    }
    out.push_back(segment);
    return out.back();
  }

  std::uint64_t granted() const { return told_edge_; }

  Traits traits_;
  std::function<std::uint32_t(std::uint32_t)> below_;
  bool heard_ = false, established_ = false, sack_ = false;
  std::uint32_t peer_isn_ = 0;
  std::uint16_t peer_mss_ = 536;
  std::optional<std::uint8_t> peer_scale_;
  std::uint64_t acked_ = 0, sent_ = 0, peer_edge_ = 0;
  std::uint64_t received_ = 0, unread_ = 0, told_edge_ = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> early_;
};

}  // namespace weir::ideal
