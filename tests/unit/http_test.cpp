// Requests of weir-control out of bytes: whole whatever the pieces, refused with a sentence, bounded; and which row of
// the table they mean, for whom.
#include "control/serve/route.hpp"

#include <unistd.h>
#include <catch2/catch.hpp>

using namespace weir::control;
using State = HttpReader::State;

namespace {

// Feeds `text` in pieces; the requests that came out, and the state after the last byte.
struct Fed {
  std::vector<HttpRequest> requests;
  State state = State::needs_more;
  HttpFault fault{};
};

Fed feed(std::string_view text, std::size_t piece) {
  Fed fed;
  HttpReader reader;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    std::string_view bytes = text.substr(at, piece);
    while (!bytes.empty() || fed.state == State::head_read) {
      fed.state = reader.take(bytes);
      if (fed.state == State::whole) fed.requests.push_back(reader.finish());
      if (fed.state == State::broken) return fed.fault = reader.fault(), fed;
      if (fed.state == State::needs_more) break;
    }
  }
  return fed;
}

int status_of(std::string_view text) { return feed(text, 7).fault.status; }

}  // namespace

TEST_CASE("requests come out whole, whatever their pieces") {
  const std::string text =
      "GET /v1/history/12?n=3&of=a%20b+c HTTP/1.1\r\nHost: x\r\n\r\n"
      "\r\nPOST /v1/apply HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"
      "GET /%76%31 HTTP/1.0\r\nConnection: Close\r\n\r\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    const Fed fed = feed(text, piece);
    REQUIRE(fed.requests.size() == 3);
    CHECK(fed.requests[0].path == "/v1/history/12");
    CHECK(query_value(fed.requests[0].query, "of") == "a b c");
    CHECK(query_value(fed.requests[0].query, "no") == std::nullopt);
    CHECK(fed.requests[0].keeps_alive);
    CHECK(fed.requests[1].body == "hello");
    CHECK(fed.requests[1].awaits_continue);
    CHECK(fed.requests[2].path == "/v1");
    CHECK_FALSE(fed.requests[2].keeps_alive);
    CHECK_FALSE(fed.requests[2].awaits_continue);
  }
}

TEST_CASE("what is not understood is refused by a status") {
  const auto field = [](std::string_view line) { return "POST / HTTP/1.1\r\n" + std::string(line) + "\r\n\r\n"; };
  CHECK(status_of("GARBAGE\r\n\r\n") == 400);
  CHECK(status_of("GET  HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of("GET /a b HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of("GET /%00 HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of("GET /%4 HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of("GET /%zz HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of("GET / HTTP/2.0\r\n\r\n") == 505);
  CHECK(status_of("PUT / HTTP/1.1\r\n\r\n") == 501);
  CHECK(status_of(std::string("GET /\0 HTTP/1.1\r\n\r\n", 20)) == 400);
  CHECK(status_of(field("no colon")) == 400);
  CHECK(status_of(field(" folded: 1")) == 400);
  CHECK(status_of(field("Host: x")) == 411);
  CHECK(status_of(field("Transfer-Encoding: chunked")) == 411);
  CHECK(status_of(field("Content-Length: 5\r\nContent-Length: 5")) == 400);
  for (const char* bad : {"", "-1", "+1", "1 2", "1,1", "0x10", "99999999999999999999999"})
    CHECK(status_of(field(std::string("Content-Length: ") + bad)) == 400);
  CHECK(status_of(field("Content-Length: 33554433")) == 413);
  CHECK(status_of("GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\n\r\n") == 431);
}

TEST_CASE("a reader without an end keeps no more than its bound") {
  HttpReader reader;
  const std::string endless(1 << 20, 'a');
  std::string_view bytes = endless;
  CHECK(reader.take(bytes) == State::broken);
  CHECK(endless.size() - bytes.size() <= head_bytes_max + 1);
  CHECK(reader.take(bytes) == State::broken);
}

TEST_CASE("a row is for its method, its path and its right") {
  const auto none = [](const Call&) { return HttpAnswer{}; };
  const std::vector<Route> routes = {{"GET", "/v1/history", Right::read, Where::loop, none},
                                     {"GET", "/v1/history/*", Right::read, Where::loop, none},
                                     {"POST", "/v1/apply", Right::change, Where::slow, none}};
  const Peer stranger{1, 1, false, false}, reader{2, 1, true, false}, owner{3, 1, true, true};
  const auto ask = [&](const char* method, const char* path, const Peer& peer) {
    HttpRequest request;
    request.method = method;
    request.path = path;
    return find_route(routes, request, peer);
  };
  CHECK(ask("GET", "/v1/history/17", reader).rest == "17");
  CHECK(ask("GET", "/v1/history", reader).route == &routes[0]);
  CHECK(ask("GET", "/v1/history/", reader).refusal.status == 404);
  CHECK(ask("GET", "/v1/history/1/2", reader).refusal.status == 404);
  CHECK(ask("GET", "/v1/apply", reader).refusal.status == 405);
  CHECK(ask("POST", "/v1/apply", reader).refusal.status == 403);
  CHECK(ask("POST", "/v1/apply", owner).route == &routes[2]);
  for (const char* path : {"/v1/history", "/v1/apply", "/v1/nothing"})
    CHECK(ask("GET", path, stranger).refusal.status == 403);
}

TEST_CASE("rights come by user and group") {
  const Rights rights("4242", "4343");
  CHECK(rights.unknown().empty());
  CHECK(rights.judge(0, 1, {}).may_change);
  CHECK(rights.judge(geteuid(), 1, {}).may_change);
  CHECK_FALSE(rights.judge(77, 1, {1, 2}).may_read);
  CHECK(rights.judge(77, 1, {1, 4242}).may_read);
  CHECK_FALSE(rights.judge(77, 1, {1, 4242}).may_change);
  CHECK(rights.judge(77, 1, {4343}).may_change);
  CHECK(rights.judge(77, 1, {4343}).may_read);
  const Rights nobody("no-such-group-here", "no-such-group-either");
  CHECK(nobody.unknown().size() == 2);
  CHECK_FALSE(nobody.judge(77, 1, {0}).may_read);
}
