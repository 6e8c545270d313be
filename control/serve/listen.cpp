#include "control/serve/listen.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

namespace weir::control {
namespace {

constexpr int unix_backlog = 128, tcp_backlog = 16;

struct Place {
  sockaddr_storage address{};
  socklen_t bytes = 0;
  bool is_loopback = false;
};

// "ADDRESS:PORT", an IPv6 address in brackets.
std::optional<Place> place_in(std::string_view where) {
  const std::size_t colon = where.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view digits = where.substr(colon + 1);
  std::string host(where.substr(0, colon));
  in_port_t port = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (fault != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  Place place;
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    auto* const six = reinterpret_cast<sockaddr_in6*>(&place.address);
    six->sin6_family = AF_INET6, six->sin6_port = htons(port), place.bytes = sizeof *six;
    if (inet_pton(AF_INET6, host.c_str(), &six->sin6_addr) != 1) return std::nullopt;
    place.is_loopback = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
    return place;
  }
  auto* const four = reinterpret_cast<sockaddr_in*>(&place.address);
  four->sin_family = AF_INET, four->sin_port = htons(port), place.bytes = sizeof *four;
  if (inet_pton(AF_INET, host.c_str(), &four->sin_addr) != 1) return std::nullopt;
  place.is_loopback = ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  return place;
}

}  // namespace

std::expected<int, std::string> listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return std::unexpected(fmt::format("{}: longer than {} bytes", path, sizeof address.sun_path - 1));
  path.copy(address.sun_path, path.size());
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  struct stat facts{};
  if (lstat(path.c_str(), &facts) == 0 && S_ISSOCK(facts.st_mode)) {
    const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const bool is_served = connect(probe, name, sizeof address) == 0 || errno != ECONNREFUSED;
    close(probe);
    if (is_served) return std::unexpected(path + ": another process serves it");
    unlink(path.c_str());
  }
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const mode_t mask = umask(0111);
  const bool is_open =
      listener >= 0 && bind(listener, name, sizeof address) == 0 && listen(listener, unix_backlog) == 0;
  umask(mask);
  if (is_open) return listener;
  const std::string why = std::strerror(errno);
  close(listener);
  return std::unexpected(fmt::format("{}: {}", path, why));
}

std::expected<int, std::string> listen_tcp(std::string_view where, bool beyond_loopback) {
  const auto place = place_in(where);
  if (!place) return std::unexpected(fmt::format("{}: not ADDRESS:PORT or [ADDRESS]:PORT, in numbers", where));
  if (!place->is_loopback && !beyond_loopback)
    return std::unexpected(
        fmt::format("{}: not an address of this machine's own: whoever reaches it could read, without a password; say "
                    "--metrics-beyond-loopback if that is meant",
                    where));
  const int listener = socket(place->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (place->address.ss_family == AF_INET6) setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  if (listener >= 0 && bind(listener, reinterpret_cast<const sockaddr*>(&place->address), place->bytes) == 0 &&
      listen(listener, tcp_backlog) == 0)
    return listener;
  const std::string why = std::strerror(errno);
  close(listener);
  return std::unexpected(fmt::format("{}: {}", where, why));
}

std::string place_of(int listener) {
  sockaddr_storage address{};
  socklen_t bytes = sizeof address;
  char text[INET6_ADDRSTRLEN] = "";
  if (getsockname(listener, reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return "";
  if (address.ss_family == AF_INET6) {
    const auto* const six = reinterpret_cast<const sockaddr_in6*>(&address);
    return fmt::format("[{}]:{}", inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof text), ntohs(six->sin6_port));
  }
  const auto* const four = reinterpret_cast<const sockaddr_in*>(&address);
  return fmt::format("{}:{}", inet_ntop(AF_INET, &four->sin_addr, text, sizeof text), ntohs(four->sin_port));
}

}  // namespace weir::control
