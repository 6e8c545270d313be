#include "control/serve/call.hpp"

#include "control/source/descriptor.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace weir::control {
namespace {

constexpr std::size_t answer_bytes_max = std::size_t{256} << 20;

std::unexpected<CallFailure> failed(const std::string& path) {
  return std::unexpected(
      CallFailure{errno == EACCES || errno == EPERM, fmt::format("{}: {}", path, std::strerror(errno))});
}

std::expected<Descriptor, CallFailure> ask(const Calling& calling, std::string_view method, std::string_view target,
                                           std::string_view body) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (calling.socket.size() >= sizeof address.sun_path)
    return std::unexpected(CallFailure{false, calling.socket + ": too long a path"});
  calling.socket.copy(address.sun_path, calling.socket.size());
  Descriptor one(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval wait{calling.wait_s, 0};
  setsockopt(one.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  setsockopt(one.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  if (connect(one.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failed(calling.socket);
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n", method, target);
  if (method == "POST") text += fmt::format("Content-Length: {}\r\n", body.size());
  text += "\r\n";
  text += body;
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t sent = send(one.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) break;  // it may have answered all the same
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  return one;
}

// The status line's number and the type; 0 where this is no answer.
HttpAnswer head_of(std::string_view head) {
  HttpAnswer answer{0, "", ""};
  if (head.size() > 12 && head.starts_with("HTTP/1.1 "))
    std::from_chars(head.data() + 9, head.data() + 12, answer.status);
  constexpr std::string_view field = "\r\nContent-Type: ";
  if (const std::size_t at = head.find(field); at != std::string_view::npos) {
    const std::string_view rest = head.substr(at + field.size());
    answer.type = rest.substr(0, rest.find('\r'));
  }
  return answer;
}

}  // namespace

std::expected<HttpAnswer, CallFailure> call(const Calling& calling, std::string_view method, std::string_view target,
                                            std::string_view body) {
  std::string whole;
  const auto one = ask(calling, method, target, body);
  if (!one) return std::unexpected(one.error());
  for (char room[1 << 16];;) {
    const ssize_t got = recv(one->get(), room, sizeof room, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && whole.empty()) return failed(calling.socket);
    if (got <= 0) break;
    whole.append(room, static_cast<std::size_t>(got));
    if (whole.size() > answer_bytes_max) break;
  }
  const std::size_t end = whole.find("\r\n\r\n");
  HttpAnswer answer =
      end == std::string::npos ? HttpAnswer{0, "", ""} : head_of(std::string_view(whole).substr(0, end));
  if (answer.status == 0) return std::unexpected(CallFailure{false, calling.socket + ": this is no answer"});
  answer.body = whole.substr(end + 4);
  return answer;
}

std::expected<HttpAnswer, CallFailure> follow(const Calling& calling, std::string_view target,
                                              const std::function<bool(std::string_view)>& each) {
  const auto one = ask(calling, "GET", target, {});
  if (!one) return std::unexpected(one.error());
  const timeval forever{};
  setsockopt(one->get(), SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof forever);
  std::string head;
  HttpAnswer answer{0, "", ""};
  for (char room[1 << 16];;) {
    const ssize_t got = recv(one->get(), room, sizeof room, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    const std::string_view piece(room, static_cast<std::size_t>(got));
    if (answer.status == 200) {
      if (!each(piece)) return answer;
      continue;
    }
    head += piece;
    const std::size_t end = head.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    if (answer.status == 0) answer = head_of(std::string_view(head).substr(0, end));
    answer.body = head.substr(end + 4);
    if (answer.status == 200 && !answer.body.empty() && !each(answer.body)) return answer;
  }
  if (answer.status == 0) return std::unexpected(CallFailure{false, calling.socket + ": this is no answer"});
  return answer;
}

}  // namespace weir::control
