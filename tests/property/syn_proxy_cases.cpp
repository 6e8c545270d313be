// Single segments through the SYN proxy: what a flood costs, which cookies open, who may end a proxied connection, and
// errors about one. The streams are in syn_proxy.cpp.
#include "tests/property/proxied_world.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using ideal::Bytes;
using ideal::Segment;

namespace {

constexpr Tick start = Tick{1'700'000'000} * tick_second;
constexpr u32 client_isn = 0xfffffff0, server_isn = 77;

const InstalledPolicy& policy() {
  return proxying().policy();
}

Segment said(u8 flags, u32 sequence, u32 acknowledged, u16 window = 5000, Bytes data = {}) {
  Segment segment;
  segment.flags = flags, segment.sequence = sequence, segment.acknowledged = acknowledged;
  segment.window = window, segment.data = std::move(data);
  return segment;
}

Segment with_options(Segment segment, u8 scale) {
  segment.mss = u16{1460}, segment.scale = scale, segment.sack_permitted = true;
  return segment;
}

// Segments into an engine by hand, and what comes out.
struct Play {
  explicit Play(bool ipv6) : path(path_outward(ipv6)) {}
  OneByOne engine;
  ideal::Path path;
  Tick now = start;
  Outcome outcome;
  std::optional<Segment> across, back;

  Reason judge(u16 port, u8 protocol, const Bytes& transport) {
    const ideal::Path& out = port == 0 ? path : towards;
    const auto result = engine.judge(ideal::frame_of(out, protocol, transport, true), port, now, policy(), 64);
    outcome = result.outcome;
    last = result.frame;
    across.reset(), back.reset();
    if (protocol == 6 && !result.frame.empty())
      across = ideal::read_tcp(out, ideal::read_frame(out, result.frame, 6));
    if (!result.answer.empty()) back = ideal::read_tcp(out.back(), ideal::read_frame(out.back(), result.answer, 6));
    return outcome.reason;
  }
  Reason client(const Segment& segment) { return judge(0, 6, ideal::tcp_header(path, segment)); }
  Reason server(const Segment& segment) { return judge(1, 6, ideal::tcp_header(path.back(), segment)); }

  u32 ask_cookie() {
    REQUIRE(client(with_options(said(ideal::syn, client_isn, 0), 7)) == Reason::syn_proxy_answered);
    REQUIRE(back.has_value());
    return back->sequence;
  }
  u32 open() {
    const u32 cookie = ask_cookie();
    REQUIRE(client(said(ideal::ack, client_isn + 1, cookie + 1)) == Reason::syn_proxy_opened);
    return cookie;
  }
  u32 join(u8 server_scale = 9) {
    const u32 cookie = open();
    const Segment answer = said(ideal::syn | ideal::ack, server_isn, client_isn + 1, 60000);
    REQUIRE(server(with_options(answer, server_scale)) == Reason::syn_proxy_joined);
    return cookie;
  }

  Bytes last;
  const ideal::Path towards = path.back();
};

}  // namespace

TEST_CASE("a flood of a million SYNs keeps nothing, and is answered with no more than it sends") {
  OneByOne engine(1024);
  FlowTable& table = engine.table();
  WorkerCounters counters;
  Pipeline pipeline({.secret = {{1, 2, 3, 5}}, .cookie_secret = {{7, 11}}}, table, counters);
  Segment syn = with_options(said(ideal::syn, 1, 0), 7);
  const Bytes frame = ideal::frame_of(path_outward(false), 6, ideal::tcp_header(path_outward(false), syn), false);
  std::vector<Bytes> frames(burst_packets_max * 4, frame);
  std::vector<std::byte> answers(frames.size() * 128);
  u64 sent = 0, answered = 0, answered_bytes = 0, received_bytes = 0;
  Outcome outcomes[outcomes_max];
  for (u32 burst = 0; burst < 1'000'000 / burst_packets_max; ++burst) {
    Packet packets[burst_packets_max];
    for (u32 i = 0; i < burst_packets_max; ++i, ++sent) {
      const u32 at = static_cast<u32>(sent % frames.size());
      const u32 number = static_cast<u32>(sent) * 2654435761u;
      std::memcpy(&frames[at][34], &number, 2);  // the port and the number are the attacker's to choose
      frames[at][35] |= 1;
      std::memcpy(&frames[at][38], &number, 4);
      packets[i] = {reinterpret_cast<std::byte*>(frames[at].data()), static_cast<u32>(frame.size()), 0, start + sent,
                    sent, std::span(answers).subspan(at * 128, 128)};
      packets[i].checksum = Checksum::good;
      received_bytes += frame.size();
    }
    const u32 ended = pipeline.process(packets, &policy(), outcomes, {}).outcomes;
    for (u32 i = 0; i < ended; ++i) {
      REQUIRE(outcomes[i].reason == Reason::syn_proxy_answered);
      answered_bytes += outcomes[i].answer_bytes, ++answered;
    }
    REQUIRE(table.used() == 0);
  }
  while (!pipeline.idle()) {
    const u32 ended = pipeline.drain(&policy(), outcomes);
    for (u32 i = 0; i < ended; ++i) answered_bytes += outcomes[i].answer_bytes, ++answered;
  }
  CHECK(answered == sent);
  CHECK(answered_bytes <= received_bytes);
  CHECK(table.live() == 0);
}

TEST_CASE("a cookie opens while it holds, for its own connection, and none is guessed") {
  for (const bool ipv6 : {false, true}) {
    Play play(ipv6);
    const u32 cookie = play.ask_cookie();
    CHECK(play.back->flags == (ideal::syn | ideal::ack));
    CHECK(play.back->acknowledged == client_isn + 1);
    CHECK(play.back->window == 0);
    CHECK(play.client(said(ideal::ack, client_isn + 1, cookie)) == Reason::syn_cookie_bad);
    CHECK(play.client(said(ideal::ack, client_isn + 3, cookie + 1)) == Reason::syn_cookie_bad);
    CHECK(play.client(said(ideal::ack, client_isn + 1, cookie + 1, 5000, {1, 2})) == Reason::tcp_not_syn);
    CHECK(play.client(said(ideal::ack | ideal::fin, client_isn + 1, cookie + 1)) == Reason::tcp_not_syn);
    CHECK(play.client(said(ideal::ack | ideal::rst, client_isn + 1, cookie + 1)) == Reason::tcp_not_syn);
    CHECK(play.engine.table().live() == 0);
    play.now += 33 * tick_second;
    CHECK(play.client(said(ideal::ack, client_isn + 1, cookie + 1)) == Reason::syn_proxy_opened);
    REQUIRE(play.across.has_value());
    CHECK(play.across->flags == ideal::syn);
    CHECK(play.across->sequence == client_isn);
    CHECK(play.across->scale == std::optional<u8>(7));
    CHECK(play.across->mss == std::optional<u16>(1460));
    CHECK(play.across->sack_permitted);
    CHECK(play.across->window == 65535);

    Play late(ipv6);
    const u32 old = late.ask_cookie();
    late.now += cookie_life_max - 1;
    late.client(with_options(said(ideal::syn, 99, 0), 7));  // cookies are about, but that one is old
    CHECK(late.client(said(ideal::ack, client_isn + 1, old + 1)) == Reason::syn_cookie_bad);
    late.now += cookie_life_max;
    CHECK(late.client(said(ideal::ack, client_isn + 1, old + 1)) == Reason::tcp_not_syn);
  }
}

TEST_CASE("before the server answers, only asking again and giving up are heard") {
  Play play(false);
  const u32 cookie = play.open();
  CHECK(play.client(said(ideal::ack, client_isn + 1, cookie + 1, 5000, {1, 2})) == Reason::syn_proxy_pending);
  CHECK(play.client(said(ideal::ack | ideal::fin, client_isn + 1, cookie + 1)) == Reason::syn_proxy_pending);
  CHECK(play.client(said(ideal::ack, client_isn + 1, cookie + 2)) == Reason::syn_proxy_pending);
  CHECK(play.client(said(ideal::syn, client_isn, 0)) == Reason::syn_proxy_pending);
  for (const u32 number : {client_isn, client_isn + 1}) {
    CHECK(play.client(said(ideal::ack, number, cookie + 1)) == Reason::syn_proxy_opened);
    CHECK(play.across->sequence == client_isn);
  }
  CHECK(play.server(said(ideal::ack, server_isn, client_isn + 1)) == Reason::syn_proxy_pending);
  CHECK(play.server(said(ideal::syn | ideal::ack, server_isn, client_isn)) == Reason::syn_proxy_pending);
  CHECK(play.server(said(ideal::rst | ideal::ack, 0, client_isn)) == Reason::tcp_bad_rst);
  CHECK(play.client(said(ideal::rst, client_isn + 2, 0)) == Reason::tcp_bad_rst);
  CHECK(play.client(said(ideal::rst, client_isn + 1, 0)) == Reason::flow_translated);
  CHECK((play.across->flags == ideal::rst && play.across->sequence == client_isn + 1));
}

TEST_CASE("the server is granted the window that the client stated last, be it less") {
  for (const u16 window : {u16{1}, u16{200}, u16{6000}}) {
    Play play(false);
    const u32 cookie = play.open();
    CHECK(play.across->window == 65535);  // 5000 units of 128
    CHECK(play.client(said(ideal::ack, client_isn + 1, cookie + 1, window)) == Reason::syn_proxy_opened);
    CHECK(play.across->window == std::min(u32{window} << 7, 65535u));
    // Not what comes with a wrong number.
    CHECK(play.client(said(ideal::ack, client_isn + 1, cookie + 2, 9000)) == Reason::syn_proxy_pending);
    const Segment answer = said(ideal::syn | ideal::ack, server_isn, client_isn + 1, 60000);
    CHECK(play.server(with_options(answer, 9)) == Reason::syn_proxy_joined);
    CHECK(play.back->window == window);
    // As far as that goes, and no further.
    const u32 edge = server_isn + 1 + (u32{window} << 7);
    CHECK(play.server(said(ideal::ack, edge, client_isn + 1, 9, {1})) == Reason::tcp_window);
    CHECK(play.server(said(ideal::ack, edge - 1, client_isn + 1, 9, {1})) == Reason::flow_translated);
  }
}

TEST_CASE("a server that refuses is heard in the client's numbers") {
  Play play(true);
  const u32 cookie = play.open();
  CHECK(play.server(said(ideal::rst | ideal::ack, 0, client_isn + 1)) == Reason::flow_translated);
  CHECK(play.across->flags == (ideal::rst | ideal::ack));
  CHECK(play.across->sequence == cookie + 1);
  CHECK(play.across->acknowledged == client_isn + 1);
}

TEST_CASE("the server's SYN-ACK is acknowledged, and opens the client's window") {
  Play play(false);
  const u32 cookie = play.join();
  CHECK(play.across->flags == ideal::ack);
  CHECK((play.across->sequence == cookie + 1 && play.across->acknowledged == client_isn + 1));
  CHECK(play.across->window == 60000 >> 8);
  REQUIRE(play.back.has_value());
  CHECK(play.back->flags == ideal::ack);
  CHECK((play.back->sequence == client_isn + 1 && play.back->acknowledged == server_isn + 1));
  CHECK(play.back->window == 5000);  // in the client's units, which are the server's too
  const Segment again = with_options(said(ideal::syn | ideal::ack, server_isn, client_isn + 1, 60000), 9);
  CHECK(play.server(again) == Reason::flow_translated);
  CHECK((play.across->flags == (ideal::syn | ideal::ack) && play.across->sequence == cookie));
}

TEST_CASE("numbers, blocks and windows are the other side's") {
  Play play(false);
  const u32 cookie = play.join();
  Segment data = said(ideal::ack, server_isn + 1, client_isn + 1, 10, {1, 2, 3});
  CHECK(play.server(data) == Reason::flow_translated);
  CHECK((play.across->sequence == cookie + 1 && play.across->acknowledged == client_isn + 1));
  CHECK(play.across->window == (10 << 9) >> 8);
  CHECK(play.across->data == Bytes{1, 2, 3});
  Segment blocks = said(ideal::ack, client_isn + 1, cookie + 1);
  blocks.blocks = {{cookie + 2, cookie + 4}};
  CHECK(play.client(blocks) == Reason::flow_translated);
  CHECK((play.across->sequence == client_isn + 1 && play.across->acknowledged == server_isn + 1));
  CHECK(play.across->blocks == std::vector<std::pair<u32, u32>>{{server_isn + 2, server_isn + 4}});
  CHECK(play.across->window == 5000);
  CHECK(play.client(said(ideal::ack, client_isn + 1, cookie + 9)) == Reason::tcp_bad_ack);
}

TEST_CASE("a server that does not scale gets windows in bytes") {
  Play play(false);
  const u32 cookie = play.open();
  REQUIRE(play.server(said(ideal::syn | ideal::ack, server_isn, client_isn + 1, 60000)) == Reason::syn_proxy_joined);
  CHECK(play.back->window == 65535);
  CHECK(play.client(said(ideal::ack, client_isn + 1, cookie + 1, 3)) == Reason::flow_translated);
  CHECK(play.across->window == 3 << 7);
  CHECK(play.server(said(ideal::ack, server_isn + 1, client_isn + 1, 513)) == Reason::flow_translated);
  CHECK(play.across->window == 2);
}

TEST_CASE("either end may reset a proxied connection, in the other's numbers") {
  Play first(false);
  const u32 cookie = first.join();
  CHECK(first.client(said(ideal::rst, client_isn + 9, 0)) == Reason::tcp_bad_rst);
  CHECK(first.client(said(ideal::rst | ideal::ack, client_isn + 1, cookie + 1)) == Reason::flow_translated);
  CHECK((first.across->sequence == client_isn + 1 && first.across->acknowledged == server_isn + 1));
  Play second(true);
  const u32 other = second.join();
  CHECK(second.server(said(ideal::rst, server_isn + 1, 0)) == Reason::flow_translated);
  CHECK(second.across->sequence == other + 1);
  CHECK(second.client(with_options(said(ideal::syn, client_isn + 5000, 0), 7)) == Reason::syn_proxy_answered);
}

TEST_CASE("an error about a proxied connection quotes its own sender's numbers") {
  for (const bool ipv6 : {false, true})
    for (const u32 quoted_bytes : {8u, 12u, 20u, 23u}) {
      Play play(ipv6);
      const u32 cookie = play.join();
      const auto error = [&](u16 port, const ideal::Path& quoted, const Segment& segment) {
        Bytes tcp = ideal::tcp_header(quoted, segment);
        tcp.resize(quoted_bytes);
        Bytes ip = ideal::ip_packet(quoted, 6, ideal::tcp_header(quoted, segment));
        ip.resize(ip.size() - segment.data.size() - 20);
        ideal::append(ip, tcp);
        Bytes message{static_cast<u8>(ipv6 ? 2 : 3), static_cast<u8>(ipv6 ? 0 : 4), 0, 0, 0, 0, 5, 0};
        ideal::append(message, ip);
        const ideal::Path& out = port == 0 ? play.path : play.towards;
        const u8 protocol = ipv6 ? 58 : 1;
        const u32 sum = ipv6 ? ideal::transport_sum(out, protocol, message) : ideal::checksum(message);
        message[2] = static_cast<u8>(sum >> 8), message[3] = static_cast<u8>(sum);
        const Reason reason = play.judge(port, protocol, message);
        const Bytes left = ideal::read_frame(out, play.last, protocol);
        CHECK((ipv6 ? ideal::transport_sum(out, protocol, left) : ideal::checksum(left)) == 0);
        const std::size_t at = 8 + (ipv6 ? 40u : 20u);
        return std::pair(reason, Bytes(left.begin() + static_cast<std::ptrdiff_t>(at), left.end()));
      };
      // The server's side cannot take what the client sent, of which it saw its own numbers acknowledged.
      const Bytes data(3, 7);
      play.client(said(ideal::ack, client_isn + 1, cookie + 1, 5000, data));
      const auto [to_client, client_sees] =
          error(1, play.path, said(ideal::ack, client_isn + 1, server_isn + 1, 5000, data));
      CHECK(row(to_client).name == row(quoted_bytes < 12 ? Reason::icmp_related : Reason::icmp_translated).name);
      const Bytes sent = ideal::tcp_header(play.path, said(ideal::ack, client_isn + 1, cookie + 1, 5000, data));
      const std::ptrdiff_t whole = quoted_bytes < 20 ? std::min(quoted_bytes, 12u) : quoted_bytes;
      CHECK(std::equal(sent.begin(), sent.begin() + whole, client_sees.begin()));
      // The client's side cannot take what the server sent, which it saw with the cookie's numbers.
      play.server(said(ideal::ack, server_isn + 1, client_isn + 1, 5000, data));
      const auto [to_server, server_sees] =
          error(0, play.towards, said(ideal::ack, cookie + 1, client_isn + 1, 5000, data));
      CHECK(row(to_server).name == row(Reason::icmp_translated).name);
      const Bytes meant = ideal::tcp_header(play.towards, said(ideal::ack, server_isn + 1, client_isn + 1, 5000, data));
      CHECK(std::equal(meant.begin(), meant.begin() + whole, server_sees.begin()));
    }
}

TEST_CASE("who cannot be answered is not let in without") {
  Play play(false);
  Bytes frame = ideal::frame_of(play.path, 6, ideal::tcp_header(play.path, said(ideal::syn, 1, 0)), true);
  frame[0] |= 1;
  CHECK(play.engine.judge(frame, 0, play.now, policy(), 64).outcome.reason == Reason::syn_proxy_unanswered);
  CHECK(play.engine.table().live() == 0);
}
