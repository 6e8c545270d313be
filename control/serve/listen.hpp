// Sockets that weir-control listens on: its UNIX socket, and an address of TCP for who scrapes metrics.
#pragma once
#include <expected>
#include <string>
#include <string_view>

namespace weir::control {

// At `path`, which anybody can reach: who may do what is seen by credentials. A socket file that nobody serves is
// replaced; one that somebody serves is an error, as a sentence.
std::expected<int, std::string> listen_at(const std::string& path);

// At "127.0.0.1:9477" or "[::1]:9477": numbers only. An address that is not the machine's own is an error unless
// `beyond_loopback`. Port 0 is any that is free.
std::expected<int, std::string> listen_tcp(std::string_view where, bool beyond_loopback);
// Where it listens, as above.
std::string place_of(int listener);

}  // namespace weir::control
