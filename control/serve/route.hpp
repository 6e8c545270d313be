// What can be asked of weir-control, as a table: method, path, the right that it takes, and what answers. A row says
// where it is answered: on the event loop, which must not wait for anything; or by a clerk, a thread of its own.
//
// Threads: handlers of one clerk run one after another; those of several and of the loop at once.
#pragma once
#include "control/serve/http.hpp"
#include "control/serve/peer.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::control {

struct Call {
  HttpRequest request;
  Peer peer;
  std::string rest;  // what stands for `*` in the route's path
};

struct HttpAnswer {
  int status = 200;
  std::string body;
  std::string type = "application/json";
};

// {"error": sentence}
HttpAnswer error_answer(int status, std::string_view sentence);

// An answer without an end. Loop only.
class Stream {
 public:
  virtual ~Stream() = default;
  // False when the reader is too slow for it, or gone: the piece is lost, whole.
  virtual bool write(std::string_view piece) = 0;
  virtual bool is_open() const = 0;
};

enum class Right { read, change };
enum class Where {
  loop,   // at once
  look,   // asks the dataplane, reads files, changes nothing
  quick,  // changes something in little time
  slow,   // checks and compiles
};

struct Route {
  std::string method;
  std::string path;  // "/v1/status"; a last part `*` stands for any one part
  Right right;
  Where where;
  std::function<HttpAnswer(const Call&)> answer;
  // Instead of `answer`, on the loop: called with each client that asks; kept by whoever writes.
  std::function<void(const Call&, std::shared_ptr<Stream>)> stream = {};
  bool over_tcp = false;  // for everybody who reaches the port of metrics
};

// The row for a request, with its rest; or the answer that refuses it: 404, 405, 403.
struct Found {
  const Route* route = nullptr;
  std::string rest;
  HttpAnswer refusal = {};
};
Found find_route(std::span<const Route> routes, const HttpRequest& request, const Peer& peer);

}  // namespace weir::control
