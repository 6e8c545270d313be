// TCP as a firewall sees it, written from the RFCs with numbers that never wrap: the twin of dataplane/flow/window.cpp.
// Sources: RFC 9293 (3.4, 3.5, 3.10.7), RFC 5961 (3.2, 4.2, 5.2), RFC 7323 (2), RFC 7413, RFC 2018.
#pragma once
#include "dataplane/packet/reason.hpp"

#include <bit>
#include <cstdint>
#include <optional>

namespace weir::naive {

// A TCP segment by what it means.
struct Segment {
  bool syn = false, ack = false, fin = false, rst = false;
  std::uint32_t sequence = 0, acknowledgement = 0;
  std::int64_t window = 0, bytes = 0;
  std::optional<int> scale;                 // offered
  std::optional<std::uint32_t> sack_right;  // the right edge of a selective acknowledgement
};

struct TcpRules {
  bool loose = false, pick_up = false;
};

class Tcp {
 public:
  enum class Answer { decided, reopen, ask_policy };
  struct Said {
    Reason reason;
    Answer answer = Answer::decided;
  };

  static Tcp opened(const Segment& syn) {
    Tcp tcp;
    tcp.sides_[0].begin(syn);
    return tcp;
  }
  static Tcp met(int from, const Segment& segment) {
    Tcp tcp;
    tcp.handshake_ = Handshake::done;
    tcp.met_ = true;
    for (Side& side : tcp.sides_) side.shift = 14, side.widest = std::int64_t{1} << 30;
    Side &me = tcp.sides_[from], &you = tcp.sides_[1 - from];
    me.next = segment.sequence + segment.bytes + segment.fin;
    me.limit = me.next + (std::int64_t{1} << 29);
    me.fin = segment.fin;
    you.next = segment.acknowledgement;
    you.limit = you.next + (segment.window << 14);
    return tcp;
  }
  // The replier's SYN, which policy lets open too.
  void opened_too(const Segment& syn) {
    sides_[1].begin(syn);
    handshake_ = Handshake::both_asked;
  }

  Said hear(int from, const Segment& segment, const TcpRules& rules) {
    const Said said = hear_connection(from, segment, rules);
    const bool asks = segment.syn && !segment.ack && said.reason == Reason::tcp_challenge;
    if (from == 0 && asks) asked_ = segment;
    return said.reason == Reason::flow_established || !answers_asked(from, segment, rules) ? said : begin_anew(segment);
  }

  bool is_half_open() const { return !reset_ && handshake_ != Handshake::done; }
  // Of [state.timeouts].
  const char* idle_name() const {
    if (reset_) return "tcp_reset";
    if (is_half_open()) return "tcp_opening";
    const bool any = sides_[0].fin || sides_[1].fin;
    return over() ? "tcp_closed" : any ? "tcp_half_closed" : "tcp_established";
  }
  // Whether `from` may have sent a segment that begins there and is still on its way.
  bool in_flight(int from, std::uint32_t sequence) const {
    if (from == 1 && handshake_ == Handshake::asked && !reset_) return false;  // it has not spoken
    const std::int64_t at = near(sequence, sides_[from].next);
    return at <= sides_[from].next && at >= oldest(from);
  }

  // A restart forgets with which SYN the opener has asked whether it may begin anew.
  void forget_asked() { asked_.reset(); }

 private:
  Said hear_connection(int from, const Segment& segment, const TcpRules& rules) {
    if (segment.rst) return {reset_by(from, segment, rules)};
    if (segment.syn && !segment.ack) return syn(from, segment, rules);
    if (segment.syn) return {syn_ack(from, segment, rules)};
    if (reset_) return {after_reset(from, segment)};
    if (handshake_ != Handshake::done) return {handshake_ack(from, segment, rules)};
    return {data(from, segment, rules)};
  }

  // The opener's SYN in the middle of a connection is answered as by one that knows of none (RFC 9293, 3.10.7.1 and
  // 3.10.7.2): the opener, who sent it, has forgotten the connection too.
  bool answers_asked(int from, const Segment& segment, const TcpRules& rules) const {
    if (from == 0 || !asked_ || !segment.ack || !(segment.syn || segment.rst)) return false;
    if (segment.syn && segment.bytes != 0 && !rules.loose) return false;
    return segment.acknowledgement == static_cast<std::uint32_t>(asked_->sequence + 1 + asked_->bytes);
  }
  Said begin_anew(const Segment& answer) {
    if (answer.rst) {
      asked_.reset();
      reset_ = true;
      return {Reason::flow_established};
    }
    *this = opened(*asked_);
    return {syn_ack(1, answer, {.loose = true})};
  }

  // Who has sent what of the handshake. `answered`: the opener's SYN-ACK after both asked; `granted`: the replier's.
  enum class Handshake { asked, both_asked, answered, granted, done };
  struct Side {
    std::int64_t next = 0;   // one past the highest sent
    std::int64_t limit = 0;  // what the other side has made room for
    std::int64_t widest = 1; // window, as a power of two
    std::optional<int> offered;
    int shift = 0;
    bool fin = false, fin_acked = false;
    void begin(const Segment& segment) {
      next = limit = std::int64_t{segment.sequence} + 1 + segment.bytes;
      offered = segment.scale;
      widest = 1;
      offer(segment.window);
    }
    void offer(std::int64_t window) {
      const auto wide = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(window)));
      if (wide > widest) widest = wide;
    }
  };

  static std::int64_t near(std::uint32_t number, std::int64_t other) {
    return other + static_cast<std::int32_t>(number - static_cast<std::uint32_t>(other));
  }
  bool over() const { return sides_[0].fin_acked && sides_[1].fin_acked; }
  // A sender keeps at most a window unacknowledged; a FIN has a number and no room, a probe repeats a number.
  std::int64_t oldest(int from) const { return sides_[from].next - sides_[1 - from].widest - 2; }
  std::int64_t sequence_of(int from, const Segment& segment) const { return near(segment.sequence, sides_[from].next); }
  bool acknowledges_all(int from, const Segment& segment) const {
    return near(segment.acknowledgement, sides_[1 - from].next) == sides_[1 - from].next;
  }
  bool repeats(int from, const Segment& syn) const {
    return sequence_of(from, syn) + 1 + syn.bytes == sides_[from].next;
  }
  bool fits(int from, const Segment& segment, std::int64_t limit) const {
    const std::int64_t at = sequence_of(from, segment);
    // The receiver wants it if any of it lies in its window (RFC 9293, 3.10.7.4).
    return at + segment.bytes >= oldest(from) && at + segment.bytes <= limit;
  }
  bool acknowledges_sent(int from, const Segment& segment) const {
    const std::int64_t sent = sides_[1 - from].next, at = near(segment.acknowledgement, sent);
    // What is acknowledged lies at most a window behind; an overtaken acknowledgement another one (RFC 5961, 5.2).
    return at <= sent && at >= sent - std::min(2 * sides_[from].widest, std::int64_t{1} << 30) - 2;
  }

  Reason reset_by(int from, const Segment& segment, const TcpRules& rules) {
    Side& me = sides_[from];
    const std::int64_t at = sequence_of(from, segment);
    if (!reset_ && handshake_ == Handshake::asked && from == 1) {
      if (!segment.ack || !acknowledges_all(1, segment)) return Reason::tcp_bad_rst;
    } else if (at != me.next) {
      if (!reset_ && handshake_ == Handshake::asked) return Reason::tcp_challenge;
      if (!reset_ && handshake_ != Handshake::done) return Reason::tcp_bad_rst;
      const bool behind = at < me.next && at >= oldest(from);
      const bool ahead = at > me.next && at <= me.limit;
      if (!rules.loose) return behind ? Reason::tcp_challenge : Reason::tcp_bad_rst;
      if (!behind && !ahead) return Reason::tcp_bad_rst;
    }
    reset_ = true;
    return Reason::flow_established;
  }

  Said syn(int from, const Segment& segment, const TcpRules& rules) {
    if (segment.bytes != 0 && !rules.loose) return {Reason::tcp_syn_data};
    if (reset_) return {Reason::tcp_state, Answer::reopen};
    if (handshake_ == Handshake::done) {
      return over() ? Said{Reason::tcp_state, Answer::reopen} : Said{Reason::tcp_challenge};
    }
    if (handshake_ == Handshake::asked && from == 1) return {Reason::tcp_state, Answer::ask_policy};
    if (handshake_ == Handshake::asked || handshake_ == Handshake::both_asked) {
      sides_[from].begin(segment);
      return {Reason::flow_established};
    }
    if (repeats(from, segment)) return {Reason::flow_established};
    return {from == 0 ? Reason::tcp_challenge : Reason::tcp_state};
  }

  Reason syn_ack(int from, const Segment& segment, const TcpRules& rules) {
    const bool closing = sides_[0].fin || sides_[1].fin;
    const bool may_repeat = !closing || (from == 1 && !sides_[1].fin && !sides_[0].fin_acked);
    const bool unasked = handshake_ == Handshake::asked && from == 0;
    if (reset_ || unasked || (handshake_ == Handshake::done && !may_repeat)) return Reason::tcp_state;
    if (segment.bytes != 0 && !rules.loose) return Reason::tcp_syn_data;
    Side &me = sides_[from], &you = sides_[1 - from];
    if (handshake_ == Handshake::done) {
      if (!repeats(from, segment)) return Reason::tcp_window;
      return acknowledges_sent(from, segment) ? Reason::flow_established : Reason::tcp_bad_ack;
    }
    const std::int64_t acknowledged = near(segment.acknowledgement, you.next);
    if (acknowledged > you.next || acknowledged < you.next - (rules.loose ? 0xffff : 0)) return Reason::tcp_bad_ack;
    const bool begins = from == 1 && (handshake_ == Handshake::asked || handshake_ == Handshake::granted);
    if (!begins && !repeats(from, segment)) return Reason::tcp_window;
    if (begins) me.begin(segment);
    you.limit = std::max(you.limit, acknowledged + std::max<std::int64_t>(segment.window, 1));
    if (from == 0)
      handshake_ = handshake_ == Handshake::granted ? Handshake::done : Handshake::answered;
    else
      handshake_ = handshake_ == Handshake::answered ? Handshake::done : Handshake::granted;
    if (handshake_ == Handshake::done) agree();
    return Reason::flow_established;
  }

  // Windows are scaled when both offered to.
  void agree() {
    const bool both = sides_[0].offered && sides_[1].offered;
    for (Side& side : sides_) side.shift = both ? std::min(*side.offered, 14) : 0;
  }

  Reason after_reset(int from, const Segment& segment) const {
    if (segment.fin || segment.bytes != 0) return Reason::tcp_state;
    if (!fits(from, segment, sides_[from].limit)) return Reason::tcp_window;
    return acknowledges_sent(from, segment) ? Reason::tcp_challenge : Reason::tcp_bad_ack;
  }

  Reason handshake_ack(int from, const Segment& segment, const TcpRules& rules) {
    Side& me = sides_[from];
    const bool all = acknowledges_all(from, segment);
    const bool ends = (handshake_ == Handshake::granted && from == 0) ||
                      (handshake_ == Handshake::answered && from == 1 && all && !segment.fin);
    if (ends) {
      if (!rules.loose && !all) return Reason::tcp_bad_ack;
      if (!fits(from, segment, me.limit)) return Reason::tcp_window;
      if (!acknowledges_sent(from, segment)) return Reason::tcp_bad_ack;
      return data(from, segment, rules);
    }
    if (from == 0 || segment.fin) return Reason::tcp_state;
    if (handshake_ == Handshake::asked) return all || segment.bytes != 0 ? Reason::tcp_state : Reason::tcp_challenge;
    if (handshake_ != Handshake::granted || !all) return Reason::tcp_state;
    if (segment.bytes == 0)
      return sequence_of(1, segment) == me.next ? Reason::tcp_challenge : Reason::tcp_window;
    if (!rules.loose) return Reason::tcp_state;
    if (!fits(1, segment, me.limit + sides_[0].widest)) return Reason::tcp_window;
    me.next = std::max(me.next, sequence_of(1, segment) + segment.bytes);
    return Reason::flow_established;
  }

  Reason data(int from, const Segment& segment, const TcpRules& rules) {
    Side &me = sides_[from], &you = sides_[1 - from];
    const std::int64_t at = sequence_of(from, segment), end = at + segment.bytes;
    const std::int64_t acknowledged = near(segment.acknowledgement, you.next);
    const bool all = acknowledged == you.next;
    bool right = fits(from, segment, me.fin && !segment.fin ? me.next : me.limit);
    if (segment.fin) right = right && (me.fin ? end + 1 == me.next : end + 1 >= me.next);
    if (!right) return rules.loose ? Reason::tcp_loose : Reason::tcp_window;
    const bool news = met_ && acknowledged > you.next && acknowledged - you.next <= std::int64_t{1} << 30;
    if (!news) {
      const bool sacks = !segment.sack_right || near(*segment.sack_right, you.next) <= you.next;
      if (!acknowledges_sent(from, segment) || !sacks) return rules.loose ? Reason::tcp_loose : Reason::tcp_bad_ack;
    }
    if (handshake_ != Handshake::done) agree();
    handshake_ = Handshake::done;
    if (news) you.next = acknowledged;
    me.next = std::max(me.next, end + segment.fin);
    me.fin = me.fin || segment.fin;
    you.fin_acked = you.fin_acked || (you.fin && all);
    const std::int64_t window = std::max<std::int64_t>(segment.window << me.shift, 1);
    you.limit = std::max(you.limit, acknowledged + window);
    me.offer(window);
    return Reason::flow_established;
  }

  Side sides_[2];
  Handshake handshake_ = Handshake::asked;
  bool met_ = false, reset_ = false;
  std::optional<Segment> asked_;  // the opener's last SYN in the middle of the connection
};

}  // namespace weir::naive
