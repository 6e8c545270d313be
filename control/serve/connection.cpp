#include "control/serve/connection.hpp"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include <algorithm>

namespace weir::control {
namespace {

constexpr timeval read_wait{10, 0}, write_wait{10, 0};
constexpr auto request_time_max = std::chrono::seconds(60);
constexpr std::size_t chunk_bytes = 64 << 10;

}  // namespace

Connection::Connection(Server& server, std::uint64_t number, bufferevent* bytes, Peer peer)
    : server_(server), number_(number), bytes_(bytes), peer_(peer), began_(std::chrono::steady_clock::now()) {
  bufferevent_setcb(bytes_, can_read, has_written, happened, this);
  bufferevent_set_timeouts(bytes_, &read_wait, &write_wait);
  bufferevent_setwatermark(bytes_, EV_READ, 0, 4 * chunk_bytes);
  bufferevent_enable(bytes_, EV_READ | EV_WRITE);
}

Connection::~Connection() {
  if (bytes_ != nullptr) bufferevent_free(bytes_);
}

void Connection::can_read(bufferevent*, void* self) {
  const auto held = static_cast<Connection*>(self)->shared_from_this();
  held->read();
}

void Connection::has_written(bufferevent*, void* self) {
  const auto held = static_cast<Connection*>(self)->shared_from_this();
  if (held->is_ending_) held->close();
}

void Connection::happened(bufferevent*, short what, void* self) {
  const auto held = static_cast<Connection*>(self)->shared_from_this();
  const bool is_late = (what & BEV_EVENT_TIMEOUT) != 0 && (what & BEV_EVENT_READING) != 0;
  if (is_late && held->reader_.is_within() && !held->is_ending_)
    return held->answer(error_answer(408, "the request did not come whole in time"), false);
  held->close();
}

void Connection::read() {
  evbuffer* const input = bufferevent_get_input(bytes_);
  if (is_stream_ || is_ending_) {  // who has its answer, or a stream, has nothing more to say
    evbuffer_drain(input, evbuffer_get_length(input));
    return;
  }
  while (bytes_ != nullptr && !is_busy_ && !is_ending_ && evbuffer_get_length(input) != 0) {
    const std::size_t had = left_.size();
    left_.resize(had + std::min(chunk_bytes, evbuffer_get_length(input)));
    evbuffer_remove(input, left_.data() + had, left_.size() - had);
    pump();
  }
}

// Requests out of what is left, until one is being answered or more is needed.
void Connection::pump() {
  if (is_pumping_) return;
  is_pumping_ = true;
  while (bytes_ != nullptr && !left_.empty() && !is_busy_ && !is_ending_) {
    if (!reader_.is_within()) began_ = std::chrono::steady_clock::now();
    std::string_view bytes = left_;
    HttpReader::State state = reader_.take(bytes);
    if (state == HttpReader::State::head_read && may_go_on()) state = reader_.take(bytes);
    left_.erase(0, left_.size() - bytes.size());
    if (state == HttpReader::State::broken) {
      answer(error_answer(reader_.fault().status, reader_.fault().sentence), false);
    } else if (state == HttpReader::State::whole) {
      is_busy_ = true;
      bufferevent_disable(bytes_, EV_READ);
      server_.call(shared_from_this(), reader_.finish());
    } else if (std::chrono::steady_clock::now() - began_ > request_time_max && !is_ending_) {
      answer(error_answer(408, "the request did not come whole in time"), false);
    }
  }
  is_pumping_ = false;
}

// Before a body is taken: whether anybody wants it from this client.
bool Connection::may_go_on() {
  const HttpRequest& request = reader_.request();
  const Found found = find_route(server_.routes_, request, peer_);
  if (found.route == nullptr || request.method != "POST") {
    answer(found.route == nullptr ? found.refusal : error_answer(400, "only a POST has a body"), false);
    return false;
  }
  if (request.awaits_continue) send("HTTP/1.1 100 Continue\r\n\r\n");
  return true;
}

void Connection::answer(const HttpAnswer& answer, bool keeps_alive) {
  if (bytes_ == nullptr || is_ending_) return;
  send(http_head(answer.status, answer.type, answer.body.size(), keeps_alive));
  if (!keeps_alive) is_ending_ = true;
  send(answer.body);
  is_busy_ = false;
  bufferevent_enable(bytes_, EV_READ);
  if (is_pumping_) return;
  pump();
  if (bytes_ != nullptr && !is_busy_) read();
}

void Connection::begin_stream(std::string_view type) {
  if (bytes_ == nullptr) return;
  is_stream_ = true;
  send(http_head(200, type, std::nullopt, false));
  bufferevent_set_timeouts(bytes_, nullptr, &write_wait);
  bufferevent_enable(bytes_, EV_READ);  // so that its end is seen
}

bool Connection::write(std::string_view piece) {
  if (bytes_ == nullptr) return false;
  if (evbuffer_get_length(bufferevent_get_output(bytes_)) + piece.size() > stream_backlog_max) return false;
  send(piece);
  return true;
}

void Connection::send(std::string_view text) { bufferevent_write(bytes_, text.data(), text.size()); }

void Connection::close() {
  if (bytes_ == nullptr) return;
  bufferevent_free(bytes_);
  bytes_ = nullptr;
  server_.forget(number_);
}

}  // namespace weir::control
