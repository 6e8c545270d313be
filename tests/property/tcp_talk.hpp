// TCP conversations for the sequences: both ends' numbers as a host keeps them, the next sensible segment, and
// mutations of it. It knows nothing of what a firewall lets through.
#pragma once
#include "tests/property/choices.hpp"
#include "tests/property/naive_tcp.hpp"

#include <array>

namespace weir {

class TcpTalk {
 public:
  struct Spoken {
    bool from_client;
    naive::Segment segment;
  };

  Spoken next(Choices& choices) {
    const u32 what = choices.below(64);
    if (what >= 56 && heard_ != 0) return history_[choices.below(heard_ < kept ? heard_ : kept)];  // replayed
    Spoken spoken = sensible(choices, what);
    if (what >= 44) mutate(spoken.segment, choices);
    history_[heard_++ % kept] = spoken;
    return spoken;
  }

 private:
  enum class Stage { closed, asked, granted, open };
  struct End {
    u32 next = 0;      // of its own numbers
    u32 received = 0;  // of the other's
    u32 window = 1000;
    std::optional<int> scale;
  };

  Spoken sensible(Choices& choices, u32 what) {
    if (what >= 41 && what < 44) stage_ = Stage::closed;
    switch (stage_) {
      case Stage::closed: return open(choices);
      case Stage::asked: return answer(choices);
      case Stage::granted: return confirm(choices);
      case Stage::open: return talk(choices);
    }
    return talk(choices);
  }

  void begin(End& end, Choices& choices) {
    constexpr u32 starts[] = {0, 1, 0xffff'ffff, 0xffff'ff00, 0x7fff'fff0, 0x8000'0000, 0x1234'5678, 0xdead'beef};
    constexpr u32 windows[] = {0, 1, 500, 1000, 4096, 65535, 29200, 64240};
    const u32 pick = choices.below(256);
    end.next = pick < 32 ? end.next + 100'000 : starts[pick % 8] + (pick >> 3);
    end.window = windows[pick >> 3 & 7];
    constexpr int scales[] = {0, 2, 7, 10, 14, 15};
    const u32 scale = choices.below(8);
    end.scale = scale < 6 ? std::optional<int>(scales[scale]) : std::nullopt;
  }

  naive::Segment from(const End& end, u32 bytes, bool ack) const {
    naive::Segment segment;
    segment.sequence = end.next;
    segment.ack = ack;
    segment.acknowledgement = ack ? end.received : 0;
    segment.window = end.window;
    segment.bytes = bytes;
    return segment;
  }

  Spoken open(Choices& choices) {
    begin(client_, choices);
    naive::Segment syn = from(client_, 0, false);
    syn.syn = true;
    syn.scale = client_.scale;
    ++client_.next;
    stage_ = Stage::asked;
    return {true, syn};
  }

  Spoken answer(Choices& choices) {
    const u32 how = choices.below(16);
    begin(server_, choices);
    server_.received = client_.next;
    naive::Segment segment = from(server_, 0, how != 1);
    segment.syn = how != 0;
    segment.rst = how == 0;
    if (how == 0) segment.sequence = 0;
    if (how != 0) segment.scale = server_.scale;
    stage_ = how == 0 ? Stage::closed : Stage::granted;
    ++server_.next;
    client_.received = server_.next;
    return {false, segment};
  }

  Spoken confirm(Choices& choices) {
    const u32 how = choices.below(8);
    if (how < 2) {  // both ends' SYN-ACK, as in a simultaneous open
      naive::Segment segment = from(how == 0 ? client_ : server_, 0, true);
      --segment.sequence;
      segment.syn = true;
      segment.scale = how == 0 ? client_.scale : server_.scale;
      return {how == 0, segment};
    }
    stage_ = Stage::open;
    return {true, from(client_, 0, true)};
  }

  Spoken talk(Choices& choices) {
    constexpr u32 sizes[] = {0, 0, 1, 10, 100, 500, 1460, 3};
    const u32 pick = choices.below(256);
    const bool is_client = pick & 1;
    End &me = is_client ? client_ : server_, &you = is_client ? server_ : client_;
    naive::Segment segment = from(me, sizes[pick >> 1 & 7], true);
    segment.fin = (pick & 0xf0) == 0xf0;
    segment.rst = pick >> 2 == 0;
    me.next += static_cast<u32>(segment.bytes) + segment.fin;
    const bool lost = (pick & 0xe0) == 0x40;
    if (!lost) you.received = me.next;
    if ((pick & 0xe0) == 0x20) segment.sack_right = me.received + (pick & 16 ? 1 : 0) - 10;
    return {is_client, segment};
  }

  static void mutate(naive::Segment& segment, Choices& choices) {
    constexpr u32 shifts[] = {1,      ~0u,      2,           ~1u,         3,        ~3u, 1000,
                              ~999u,  65'535,   65'536,      70'000,      ~65'537u, 10,  0x2000'0000,
                              64'240, 1u << 31, 0x4000'0002, 0u - 70'000, 500,      ~9u, 0x7fff'ff00};
    const u32 what = choices.below(8);
    const u32 shift = shifts[choices.below(std::size(shifts))];
    switch (what) {
      case 0:
      case 1:
      case 2: segment.sequence += shift; break;
      case 3:
      case 4: segment.acknowledgement += shift; break;
      case 5: segment.window = choices.below(2) ? 0 : 65535; break;
      case 6: segment.bytes = choices.below(2) * 100; break;
      default: reflag(segment, choices.below(8));
    }
  }
  // Among the combinations that a parser lets pass.
  static void reflag(naive::Segment& segment, u32 pick) {
    segment.syn = pick < 3;
    segment.rst = pick >= 3 && pick < 5;
    segment.fin = pick == 5;
    segment.ack = pick != 0 && pick != 1 && pick != 3;
  }

  static constexpr u32 kept = 16;
  Stage stage_ = Stage::closed;
  End client_, server_;
  std::array<Spoken, kept> history_;
  u32 heard_ = 0;
};

}  // namespace weir
