// The event loop of weir-control: HTTP over a UNIX socket, timers, and files that are waited for. It accepts, reads and
// writes; what takes time is given to clerks. Connections, what they send and what waits for them are bounded; who
// may not even read is turned away when it connects.
//
// Threads: everything on the thread that runs it, but post(), which may be called from any.
#pragma once
#include "control/serve/clerk.hpp"
#include "control/serve/route.hpp"

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

struct event;
struct event_base;
struct evconnlistener;
struct sockaddr;
struct timeval;

namespace weir::control {

inline constexpr std::size_t connections_max = 64;
inline constexpr std::size_t connections_of_readers_max = 48;  // the rest is for who may change
inline constexpr std::size_t scrapers_max = 8;  // by TCP, beside the others
inline constexpr std::size_t stream_backlog_max = std::size_t{1} << 20;

class Connection;

class Server {
 public:
  // Listens at `path`, which anybody can reach: who may do what is seen by credentials. A socket file that nobody
  // serves is replaced.
  static std::expected<std::unique_ptr<Server>, std::string> open(const std::string& path, Rights rights);
  ~Server();
  Server(const Server&) = delete;

  // Before run(). On a listener of TCP, which is the server's from here on, GET /metrics is answered and nothing else.
  void tell_metrics_at(int listener);
  void add(Route route) { routes_.push_back(std::move(route)); }
  void every(std::chrono::milliseconds period, std::function<void()> work);
  void when_signalled(int signal, std::function<void()> work);
  void when_readable(int descriptor, std::function<void()> work);

  // On the loop, as soon as it comes to it.
  void post(std::function<void()> work);
  // On a clerk; false when too much waits there.
  bool give(Where where, std::function<void()> work);

  // Until SIGINT or SIGTERM, or stop().
  void run();
  void stop();

  std::size_t connections() const { return connections_.size(); }
  std::uint64_t turned_away() const { return turned_away_; }

 private:
  friend class Connection;
  struct Timer {
    event* when;
    std::function<void()> work;
  };
  Server(event_base* base, std::string path, Rights rights);
  static void accepted(evconnlistener*, int socket, sockaddr*, int, void* server);
  static void not_accepted(evconnlistener* listener, void* server);
  void welcome(int socket);
  void welcome_scraper(int socket);
  void keep(int socket, const Peer& peer);
  void turn_away(int socket);
  void call(const std::shared_ptr<Connection>& connection, HttpRequest request);
  void forget(std::uint64_t number) { connections_.erase(number); }
  void posted();
  void when(int what, short happens, const timeval* period, std::function<void()> work);

  event_base* const base_;
  const std::string path_;
  const Rights rights_;
  evconnlistener* listener_ = nullptr;
  std::vector<evconnlistener*> metrics_listeners_;
  std::vector<Route> routes_;
  std::vector<std::unique_ptr<Timer>> timers_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::uint64_t next_ = 0, turned_away_ = 0;
  int bell_ = -1;
  std::mutex mutex_;  // over what is posted
  std::vector<std::function<void()>> posted_;
  std::unique_ptr<Clerk> quick_, look_, slow_;
};

}  // namespace weir::control
