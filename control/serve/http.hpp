// HTTP/1.1 requests out of a connection's bytes (RFC 9112), no more of it than curl needs over a UNIX socket: GET and
// POST, bodies of a stated length. It knows no sockets; what it does not understand is a fault with a sentence, after
// which the connection is over. Nothing is stored beyond the bounds.
//
// Threads: one reader a connection; no state is shared.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::control {

inline constexpr std::size_t head_bytes_max = 16 << 10;  // request line and all header fields
inline constexpr std::size_t body_bytes_max = std::size_t{32} << 20;

struct HttpRequest {
  std::string method;
  std::string path;            // decoded; begins with '/'; no control characters
  std::string query;           // behind '?', as it came
  std::string body;
  bool keeps_alive = true;
  bool awaits_continue = false;  // the client sends its body when it is told to go on
};

struct HttpFault {
  int status;
  std::string sentence;
};

class HttpReader {
 public:
  enum class State { needs_more, head_read, whole, broken };

  // Takes as many of `bytes` as belong to the request at hand, and removes them from `bytes`. head_read is told once,
  // before a body, so that its client can be told to go on; call again.
  State take(std::string_view& bytes);

  // When whole: the request, and the reader is ready for the next one.
  HttpRequest finish();
  // When head_read or whole.
  const HttpRequest& request() const { return request_; }
  // When broken.
  const HttpFault& fault() const { return fault_; }
  // Whether some bytes of a request have come, but not all.
  bool is_within() const { return !head_.empty() || in_body_; }

 private:
  State read_head();
  State broken(int status, std::string sentence);
  bool read_request_line(std::string_view line);
  bool read_field(std::string_view line);

  std::string head_;
  HttpRequest request_;
  HttpFault fault_{};
  std::optional<std::size_t> body_bytes_;
  bool in_body_ = false, is_broken_ = false;
};

// "HTTP/1.1 200 OK" and the fields of an answer; without a length it lasts until the connection ends.
std::string http_head(int status, std::string_view type, std::optional<std::size_t> body_bytes, bool keeps_alive);

// What stands for `name` in a query "a=1&b=2", decoded; nullopt where it is not there or is not well formed.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace weir::control
