// One client of weir-control: its bytes to requests, one at a time, and answers back, whole or as a stream. What it
// sends while its answer is being made waits in the kernel; who is too slow is cut off.
//
// Threads: the loop's.
#pragma once
#include "control/serve/server.hpp"

#include <chrono>

struct bufferevent;

namespace weir::control {

class Connection : public Stream, public std::enable_shared_from_this<Connection> {
 public:
  Connection(Server& server, std::uint64_t number, bufferevent* bytes, Peer peer);
  ~Connection() override;
  Connection(const Connection&) = delete;

  const Peer& peer() const { return peer_; }
  void answer(const HttpAnswer& answer, bool keeps_alive);
  // From here on the connection is the stream's.
  void begin_stream(std::string_view type);
  bool write(std::string_view piece) override;
  bool is_open() const override { return bytes_ != nullptr; }

 private:
  static void can_read(bufferevent*, void* self);
  static void has_written(bufferevent*, void* self);
  static void happened(bufferevent*, short what, void* self);
  void read();
  void pump();
  bool may_go_on();
  void send(std::string_view text);
  void close();

  Server& server_;
  const std::uint64_t number_;
  bufferevent* bytes_;
  const Peer peer_;
  HttpReader reader_;
  std::string left_;  // read, and not yet part of a request
  std::chrono::steady_clock::time_point began_;
  bool is_busy_ = false, is_pumping_ = false, is_ending_ = false, is_stream_ = false;
};

}  // namespace weir::control
