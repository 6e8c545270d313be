// The TCP table, walked exhaustively and by conversations written as text: `>` the opener sends, `<` the replier;
// S SYN, SA SYN-ACK, A ACK or data, F FIN, R RST; then the state expected, `drop`, or `reopen`.
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
  if (name == "F") return TcpSegment::fin;
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
    const std::string met = step.refused()   ? "drop"
                            : step.reopens() ? "reopen"
                                             : std::string(tcp_state_name(step.next()));
    REQUIRE(met == expected);
    if (!step.refused() && !step.reopens()) state = step.next();
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
      "<SA=syn_received >A=established >A=established <A=established >F=fin_opener <A=fin_opener <F=fin_both "
      ">A=fin_both");
  converse("<SA=syn_received >A=established <F=fin_replier >A=fin_replier >F=fin_both <A=fin_both >S=reopen");
  converse("<SA=syn_received <SA=syn_received >A=established <SA=established");  // the opener's ACK was lost
  converse("<S=syn_both >SA=syn_received <SA=syn_received >A=established");      // simultaneous open
  converse(">S=syn_sent >A=drop >F=drop <A=drop <F=drop <R=reset >A=drop <A=drop >S=reopen");
  converse("<SA=syn_received <A=drop <F=drop >F=fin_opener");
  converse("<SA=syn_received >A=established >S=drop <S=drop >R=reset");
}

TEST_CASE("established is reached only by the opener's ACK of a SYN-ACK") {
  for_each_step([](TcpState state, TcpSender sender, TcpSegment segment, TcpStep step) {
    if (step.refused() || step.reopens() || step.next() != TcpState::established || state == TcpState::established)
      return;
    REQUIRE(state == TcpState::syn_received);
    REQUIRE(sender == TcpSender::opener);
    REQUIRE(segment == TcpSegment::ack);
  });
}

TEST_CASE("no data and no FIN passes before the handshake is over") {
  for (const TcpState state : {TcpState::syn_sent, TcpState::syn_both, TcpState::reset})
    for (const TcpSender sender : {TcpSender::opener, TcpSender::replier})
      for (const TcpSegment segment : {TcpSegment::ack, TcpSegment::fin})
        REQUIRE(tcp_step(state, sender, segment).refused());
  REQUIRE(tcp_step(TcpState::syn_received, TcpSender::replier, TcpSegment::ack).refused());
}

TEST_CASE("a connection reopens only when it is over, and only by a SYN") {
  for_each_step([](TcpState state, TcpSender, TcpSegment segment, TcpStep step) {
    const bool over = state == TcpState::fin_both || state == TcpState::reset;
    REQUIRE(step.reopens() == (over && segment == TcpSegment::syn));
  });
}

TEST_CASE("every state is reached from the first SYN, and every value is a state, a refusal or a reopening") {
  std::set<TcpState> reached{TcpState::syn_sent};
  for (std::size_t before = 0; before != reached.size();) {
    before = reached.size();
    for_each_step([&](TcpState state, TcpSender, TcpSegment, TcpStep step) {
      REQUIRE((step.refused() || step.reopens() || step.value < tcp_states_count));
      if (reached.contains(state) && !step.refused() && !step.reopens()) reached.insert(step.next());
    });
  }
  REQUIRE(reached.size() == tcp_states_count);
}

TEST_CASE("flags fall into the five kinds of segment") {
  REQUIRE(tcp_segment(0x02) == TcpSegment::syn);
  REQUIRE(tcp_segment(0xc2) == TcpSegment::syn);
  REQUIRE(tcp_segment(0x12) == TcpSegment::syn_ack);
  REQUIRE(tcp_segment(0x10) == TcpSegment::ack);
  REQUIRE(tcp_segment(0x18) == TcpSegment::ack);
  REQUIRE(tcp_segment(0x11) == TcpSegment::fin);
  REQUIRE(tcp_segment(0x04) == TcpSegment::rst);
  REQUIRE(tcp_segment(0x14) == TcpSegment::rst);
}
