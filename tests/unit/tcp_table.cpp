// The TCP table, walked exhaustively and by conversations written as text: `>` the opener sends, `<` the replier;
// S SYN, SA SYN-ACK, A ACK or data, F FIN, R RST, `*` after A or F: acknowledges all that the other has sent; then the
// state expected, `drop`, `reopen`, `challenge` or `judge`.
#include "dataplane/flow/tcp.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <set>
#include <sstream>
#include <string>

using namespace weir;

namespace {

TcpSegment segment_named(const std::string& name) {
  if (name == "S") return TcpSegment::syn;
  if (name == "SA") return TcpSegment::syn_ack;
  if (name == "A") return TcpSegment::ack;
  if (name == "A*") return TcpSegment::ack_all;
  if (name == "F") return TcpSegment::fin;
  if (name == "F*") return TcpSegment::fin_ack_all;
  REQUIRE(name == "R");
  return TcpSegment::rst;
}

// Runs a conversation whose first SYN has passed; each word is `>A=established` and the like.
void converse(const std::string& text) {
  INFO(text);
  TcpState state = TcpState::syn_sent;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    INFO(word);
    const auto equals = word.find('=');
    const auto sender = word[0] == '>' ? TcpSender::opener : TcpSender::replier;
    const TcpStep step = tcp_step(state, sender, segment_named(word.substr(1, equals - 1)));
    const std::string expected = word.substr(equals + 1);
    const std::string met = step.refused()      ? "drop"
                            : step.reopens()    ? "reopen"
                            : step.challenges() ? "challenge"
                            : step.judged()     ? "judge"
                                                : std::string(tcp_state_name(step.next()));
    REQUIRE(met == expected);
    if (step.is_state()) state = step.next();
  }
}

void for_each_step(const std::function<void(TcpState, TcpSender, TcpSegment, TcpStep)>& visit) {
  for (u32 state = 0; state < tcp_states_count; ++state)
    for (u32 sender = 0; sender < 2; ++sender)
      for (u32 segment = 0; segment < tcp_segments_count; ++segment)
        visit(static_cast<TcpState>(state), static_cast<TcpSender>(sender), static_cast<TcpSegment>(segment),
              tcp_table[state][sender][segment]);
}

}  // namespace

TEST_CASE("conversations take the states of RFC 9293") {
  converse(
      "<SA=syn_received >A*=established >A=established <A=established >F=fin_opener <A=fin_opener "
      "<A*=fin_opener_acked <F*=last_replier >A*=time_wait");
  converse("<SA=syn_received >A*=established <F=fin_replier >A*=fin_replier_acked >F*=last_opener <A*=time_wait "
           "<A*=time_wait >S=reopen");
  converse("<SA=syn_received >A*=established >F*=fin_opener <F=fin_both >A*=last_opener <A*=time_wait");  // at once
  converse("<SA=syn_received >A*=established >F*=fin_opener <F*=last_replier >F=last_replier >F*=time_wait");
  converse("<SA=syn_received <SA=syn_received >A*=established <SA=established");  // the opener's ACK was lost
  converse("<S=judge >S=syn_sent >A*=drop >F=drop <A*=drop <A=challenge <F=drop <R=reset >A=challenge >S=reopen");
  converse("<SA=syn_received <A=drop <A*=challenge <F=drop >F=fin_opener");
  converse("<SA=syn_received >A*=established >S=challenge <S=challenge >R=reset");
}

TEST_CASE("established is reached only by acknowledging the other's SYN") {
  for_each_step([](TcpState state, TcpSender sender, TcpSegment segment, TcpStep step) {
    if (!step.is_state() || step.next() != TcpState::established || state == TcpState::established) return;
    const bool opener = sender == TcpSender::opener;
    REQUIRE(state == (opener ? TcpState::syn_received : TcpState::syn_answered));
    REQUIRE((segment == TcpSegment::ack || segment == TcpSegment::ack_all || segment == TcpSegment::syn_ack));
  });
}

TEST_CASE("no data and no FIN moves a flow before the handshake is over") {
  for (const TcpState state : {TcpState::syn_sent, TcpState::syn_both, TcpState::reset})
    for (const TcpSender sender : {TcpSender::opener, TcpSender::replier})
      for (const auto segment : {TcpSegment::ack, TcpSegment::ack_all, TcpSegment::fin, TcpSegment::fin_ack_all}) {
        const TcpStep step = tcp_step(state, sender, segment);
        REQUIRE((step.refused() || step.challenges()));
      }
  REQUIRE(tcp_step(TcpState::syn_received, TcpSender::replier, TcpSegment::ack).refused());
}

TEST_CASE("a connection reopens only when nothing is owed to anyone, and only by a SYN") {
  for_each_step([](TcpState state, TcpSender, TcpSegment segment, TcpStep step) {
    const bool over = state == TcpState::time_wait || state == TcpState::reset;
    REQUIRE(step.reopens() == (over && segment == TcpSegment::syn));
  });
}

TEST_CASE("a SYN or an acknowledgement on an open connection moves nothing on") {
  for_each_step([](TcpState state, TcpSender, TcpSegment segment, TcpStep step) {
    if (state < TcpState::established || state > TcpState::last_opener) return;
    if (segment == TcpSegment::syn) REQUIRE(step.challenges());
    if (segment == TcpSegment::ack) REQUIRE((step.is_state() && step.next() == state));
  });
}

TEST_CASE("a FIN that was sent stays sent") {
  for_each_step([](TcpState state, TcpSender sender, TcpSegment segment, TcpStep step) {
    if (!step.is_state() || step.next() == TcpState::reset) return;
    for (u32 from = 0; from < 2; ++from) {
      const bool fin = segment == TcpSegment::fin || segment == TcpSegment::fin_ack_all;
      const bool sends = static_cast<u32>(sender) == from && fin;
      REQUIRE(tcp_fin_sent(step.value, from) == (tcp_fin_sent(static_cast<u32>(state), from) || sends));
    }
  });
}

TEST_CASE("every state is reached from the first SYN, and every value is one of those that mean something") {
  std::set<TcpState> reached{TcpState::syn_sent, TcpState::syn_both};
  for (std::size_t before = 0; before != reached.size();) {
    before = reached.size();
    for_each_step([&](TcpState state, TcpSender, TcpSegment, TcpStep step) {
      REQUIRE((step.refused() || step.reopens() || step.challenges() || step.judged() || step.is_state()));
      if (reached.contains(state) && step.is_state()) reached.insert(step.next());
    });
  }
  REQUIRE(reached.size() == tcp_states_count);
}

TEST_CASE("flags fall into the kinds of segment") {
  for (const bool all : {false, true}) {
    REQUIRE(tcp_segment(0x02, all) == TcpSegment::syn);
    REQUIRE(tcp_segment(0xc2, all) == TcpSegment::syn);
    REQUIRE(tcp_segment(0x12, all) == TcpSegment::syn_ack);
    REQUIRE(tcp_segment(0x10, all) == (all ? TcpSegment::ack_all : TcpSegment::ack));
    REQUIRE(tcp_segment(0x18, all) == (all ? TcpSegment::ack_all : TcpSegment::ack));
    REQUIRE(tcp_segment(0x11, all) == (all ? TcpSegment::fin_ack_all : TcpSegment::fin));
    REQUIRE(tcp_segment(0x04, all) == TcpSegment::rst);
    REQUIRE(tcp_segment(0x14, all) == TcpSegment::rst);
  }
}
