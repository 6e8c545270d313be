#include "control/serve/server.hpp"

#include "control/serve/connection.hpp"
#include "control/serve/listen.hpp"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weir::control {
namespace {

constexpr std::size_t quick_pile_max = 64, look_pile_max = 16, slow_pile_max = 4, strangers_max = 8;
constexpr timeval accept_again{0, 200'000};

}  // namespace

std::expected<std::unique_ptr<Server>, std::string> Server::open(const std::string& path, Rights rights) {
  const auto listener = listen_at(path);
  if (!listener) return std::unexpected(listener.error());
  event_base* const base = event_base_new();
  auto server = std::unique_ptr<Server>(new Server(base, path, std::move(rights)));
  server->listener_ =
      evconnlistener_new(base, accepted, server.get(), LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, *listener);
  evconnlistener_set_error_cb(server->listener_, not_accepted);
  return server;
}

void Server::tell_metrics_at(int listener) {
  const auto accepted = [](evconnlistener*, int socket, sockaddr*, int, void* server) {
    static_cast<Server*>(server)->welcome_scraper(socket);
  };
  evconnlistener* const made =
      evconnlistener_new(base_, accepted, this, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, listener);
  evconnlistener_set_error_cb(made, not_accepted);
  metrics_listeners_.push_back(made);
}

Server::Server(event_base* base, std::string path, Rights rights)
    : base_(base),
      path_(std::move(path)),
      rights_(std::move(rights)),
      bell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      quick_(std::make_unique<Clerk>(quick_pile_max)),
      look_(std::make_unique<Clerk>(look_pile_max)),
      slow_(std::make_unique<Clerk>(slow_pile_max)) {
  when_readable(bell_, [this] { posted(); });
}

Server::~Server() {
  quick_.reset();
  look_.reset();
  slow_.reset();
  connections_.clear();
  for (const auto& timer : timers_) event_free(timer->when);
  timers_.clear(), routes_.clear();  // whoever keeps streams lets go of them while there is an event base
  for (evconnlistener* const one : metrics_listeners_) evconnlistener_free(one);
  if (listener_ != nullptr) evconnlistener_free(listener_), unlink(path_.c_str());
  event_base_free(base_);
  close(bell_);
}

void Server::accepted(evconnlistener*, int socket, sockaddr*, int, void* server) {
  static_cast<Server*>(server)->welcome(socket);
}

// No descriptor is left for a client, say: the listener would be ready at once, again and again.
void Server::not_accepted(evconnlistener* listener, void* server) {
  evconnlistener_disable(listener);
  const auto again = [](int, short, void* one) { evconnlistener_enable(static_cast<evconnlistener*>(one)); };
  event_base_once(static_cast<Server*>(server)->base_, -1, EV_TIMEOUT, again, listener, &accept_again);
}

void Server::welcome(int socket) {
  const auto peer = rights_.peer_of(socket);
  std::size_t strangers = 0, readers = 0, all = 0;
  for (const auto& [number, one] : connections_) {
    if (one->peer().by_tcp) continue;
    ++all;
    strangers += !one->peer().may_read;
    readers += !one->peer().may_change;
  }
  const bool has_room = all < connections_max && peer && (peer->may_change || readers < connections_of_readers_max) &&
                        (peer->may_read || strangers < strangers_max);
  has_room ? keep(socket, *peer) : turn_away(socket);
}

void Server::welcome_scraper(int socket) {
  std::size_t scrapers = 0;
  for (const auto& [number, one] : connections_) scrapers += one->peer().by_tcp;
  Peer peer;
  peer.may_read = peer.by_tcp = true;
  scrapers < scrapers_max ? keep(socket, peer) : turn_away(socket);
}

void Server::keep(int socket, const Peer& peer) {
  const std::uint64_t number = ++next_;
  bufferevent* const bytes = bufferevent_socket_new(base_, socket, BEV_OPT_CLOSE_ON_FREE);
  connections_.emplace(number, std::make_shared<Connection>(*this, number, bytes, peer));
}

void Server::turn_away(int socket) {
  ++turned_away_;
  const HttpAnswer full = error_answer(503, "too many are connected");
  const std::string text = http_head(full.status, full.type, full.body.size(), false) + full.body;
  (void)!::send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  close(socket);
}

void Server::call(const std::shared_ptr<Connection>& connection, HttpRequest request) {
  Found found = find_route(routes_, request, connection->peer());
  const bool keeps_alive = request.keeps_alive;
  if (found.route == nullptr) return connection->answer(found.refusal, keeps_alive);
  Call call{std::move(request), connection->peer(), std::move(found.rest)};
  const Route& route = *found.route;
  if (route.stream) {
    connection->begin_stream("application/x-ndjson");
    return route.stream(call, connection);
  }
  const auto answered = [&route](const Call& one) {
    try {
      return route.answer(one);
    } catch (const std::exception& fault) {
      return error_answer(500, fault.what());
    }
  };
  if (route.where == Where::loop) return connection->answer(answered(call), keeps_alive);
  const std::weak_ptr<Connection> asker = connection;
  const bool is_taken = give(route.where, [this, asker, answered, keeps_alive, call = std::move(call)] {
    post([asker, keeps_alive, answer = answered(call)] {
      if (const auto one = asker.lock()) one->answer(answer, keeps_alive);
    });
  });
  if (!is_taken) connection->answer(error_answer(503, "too much waits to be done: try again"), keeps_alive);
}

bool Server::give(Where where, std::function<void()> work) {
  return (where == Where::quick ? quick_ : where == Where::look ? look_ : slow_)->give(std::move(work));
}

void Server::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
  }
  const std::uint64_t one = 1;
  (void)!write(bell_, &one, sizeof one);
}

void Server::posted() {
  std::uint64_t rung = 0;
  (void)!read(bell_, &rung, sizeof rung);
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(posted_);
  }
  for (const auto& one : work) one();
}

void Server::every(std::chrono::milliseconds period, std::function<void()> work) {
  const timeval time{period.count() / 1000, period.count() % 1000 * 1000};
  when(-1, 0, &time, std::move(work));
}

void Server::when_readable(int descriptor, std::function<void()> work) {
  when(descriptor, EV_READ, nullptr, std::move(work));
}

void Server::when_signalled(int signal, std::function<void()> work) {
  when(signal, EV_SIGNAL, nullptr, std::move(work));
}

void Server::when(int what, short happens, const timeval* period, std::function<void()> work) {
  auto timer = std::make_unique<Timer>(nullptr, std::move(work));
  const auto rings = [](int, short, void* one) { static_cast<Timer*>(one)->work(); };
  timer->when = event_new(base_, what, static_cast<short>(happens | EV_PERSIST), rings, timer.get());
  event_add(timer->when, period);
  timers_.push_back(std::move(timer));
}

void Server::run() {
  signal(SIGPIPE, SIG_IGN);
  const auto ends = [](int, short, void* base) { event_base_loopexit(static_cast<event_base*>(base), nullptr); };
  event* const signals[] = {evsignal_new(base_, SIGINT, ends, base_), evsignal_new(base_, SIGTERM, ends, base_)};
  for (event* const one : signals) event_add(one, nullptr);
  event_base_dispatch(base_);
  for (event* const one : signals) event_free(one);
}

void Server::stop() {
  post([this] { event_base_loopexit(base_, nullptr); });
}

}  // namespace weir::control
