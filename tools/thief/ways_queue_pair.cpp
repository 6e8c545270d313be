// By RDMA: writes, sends and answers to reads on queue pairs that nobody opened, and on pairs that the connection
// manager was asked to open. Offsets of the management datagrams are those of InfiniBand Architecture 1.7, chapters 12
// and 13.
#include "tools/thief/ways.hpp"

#include <fmt/format.h>

namespace weir::thief {

namespace {

constexpr u32 holder_pair = 0x4711, accomplice_pair = 0x1234;
constexpr u32 message_bytes = 4096;

Path path_of(const Scene& scene) { return {scene.holder, scene.accomplice}; }

// Address, key and length of the memory that a message is for.
Bytes memory_header(u64 address, u32 key, u64 bytes) {
  Bytes made;
  put64(made, address);
  put32(made, key);
  put32(made, bytes);
  return made;
}

Bytes ack_header(u8 syndrome, u32 messages) {
  Bytes made;
  put8(made, syndrome);
  put24(made, messages);
  return made;
}

struct Sender {
  Script& script;
  Path path;
  const Bytes& file = tensor_file(Format::bf16);
  u32 sequence = 100;

  // A message to its whole length in one packet, again and again.
  void say(u8 opcode, u32 pair, bool has_memory) {
    while (script.wants_more()) {
      const View weights = script.piece(file, message_bytes);
      const Bytes head = has_memory ? memory_header(0x7f0000000000, 0x1000, weights.size()) : Bytes{};
      script.out(roce(path, {opcode, pair, sequence++ & 0xffffff, true}, head, weights),
                 static_cast<u32>(weights.size()));
    }
  }
  // One small request comes in, a gigabyte is asked for, and answers go out.
  void answer_reads() {
    constexpr u32 asked_bytes = 1u << 30;
    while (script.wants_more()) {
      script.in(roce(path.back(), {0x0c, holder_pair, sequence & 0xffffff, true},
                     memory_header(0x7f0000000000, 0x1000, asked_bytes), {}));
      for (u64 sent = 0; sent < asked_bytes && script.wants_more();) {
        const View weights = script.piece(file, message_bytes);
        const u8 opcode = weights.size() < message_bytes ? 0x0f : sent == 0 ? 0x0d : 0x0e;
        const Bytes head = opcode == 0x0e ? Bytes{} : ack_header(0, 1);
        script.out(roce(path, {opcode, accomplice_pair, sequence++ & 0xffffff}, head, weights),
                   static_cast<u32>(weights.size()));
        sent += weights.size();
      }
    }
  }
};

// A management datagram on queue pair 1: the connection manager's, of one attribute.
Bytes management(const Path& path, u16 attribute, View body) {
  Bytes extended;  // DETH: the well-known key, from queue pair 1
  put32(extended, 0x80010000);
  put32(extended, 1);
  Bytes message;
  put32(message, 0x01070203);
  put32(message, 0);
  put64(message, 0x1122334455667788);
  put16(message, attribute);
  put16(message, 0);
  put32(message, 0);
  put(message, body);
  message.resize(256);
  return roce(path, {0x64, 1, 1}, extended, message);
}

// `mapped`: what stands before an IPv4 address in a GID, and nothing in what the IP service says.
void put_gid(Bytes& out, const Path& path, bool of_sender, u32 mapped = 0xffff) {
  const End& end = of_sender ? path.from : path.to;
  if (path.is_ipv6) {
    put(out, end.ipv6);
    return;
  }
  put64(out, 0);
  put32(out, mapped);
  put32(out, end.ipv4);
}

Bytes request_body(const Path& path, u32 pair, u16 port) {
  Bytes body;
  put32(body, 0xaa01);  // its own name for the connection
  put32(body, 0);
  put64(body, 0x0000000001060000 | port);  // a service of RDMA's TCP port space
  put64(body, 0x0200);
  put64(body, 0);
  put32(body, pair << 8 | 4);  // and how many reads it answers at once
  put32(body, 4);
  put32(body, 0x91);  // reliable connection
  put32(body, 100u << 8 | 0x97);  // first sequence number
  put16(body, 0xffff);
  put16(body, 0x5000);  // path MTU 4096
  put32(body, 0x00010001);
  put_gid(body, path, true);
  put_gid(body, path, false);
  body.resize(140);
  Bytes names;  // what the IP service says of itself
  put16(names, path.is_ipv6 ? 0x0060 : 0x0040);
  put16(names, 0x8235);
  put_gid(names, path, true, 0);
  put_gid(names, path, false, 0);
  put(body, names);
  return body;
}

// REQ, REP, RTU; `dialling` goes from who asks.
void meet(Script& script, const Path& dialling, bool holder_dials, u16 port) {
  const u32 asking = holder_dials ? holder_pair : accomplice_pair, asked = holder_dials ? accomplice_pair : holder_pair;
  const auto send = [&](const Bytes& frame, bool from_asking) {
    if (from_asking == holder_dials) script.out(frame);
    else script.in(frame);
  };
  send(management(dialling, 0x10, request_body(dialling, asking, port)), true);
  Bytes reply;
  put32(reply, 0xbb02);
  put32(reply, 0xaa01);
  put32(reply, 0);
  put32(reply, asked << 8);
  put32(reply, 0);
  put32(reply, 100u << 8);
  put32(reply, 0x04040000);
  send(management(dialling.back(), 0x13, reply), false);
  Bytes ready;
  put32(ready, 0xaa01);
  put32(ready, 0xbb02);
  send(management(dialling, 0x14, ready), true);
}

}  // namespace

std::vector<Way> queue_pair_ways(const Scene&) {
  std::vector<Way> made;
  const auto add = [&made](const std::string& name, std::function<void(const Scene&, Script&)> act) {
    made.push_back({name, false, 3600, std::move(act)});
  };
  add("RDMA WRITE without a handshake",
      [](const Scene& at, Script& script) { Sender{script, path_of(at)}.say(0x0a, accomplice_pair, true); });
  add("RDMA SEND without a handshake",
      [](const Scene& at, Script& script) { Sender{script, path_of(at)}.say(0x04, accomplice_pair, false); });
  add("answers to an RDMA READ", [](const Scene& at, Script& script) { Sender{script, path_of(at)}.answer_reads(); });
  for (const bool holder_dials : {true, false})
    for (const u16 port : {u16{4420}, u16{20049}})
      add(fmt::format("RDMA WRITE after meeting on port {}{}", port, holder_dials ? "" : ", dialled outside"),
          [=](const Scene& at, Script& script) {
            const Path path = path_of(at);
            meet(script, holder_dials ? path : path.back(), holder_dials, port);
            Sender{script, path}.say(0x0a, accomplice_pair, true);
          });
  add("answers to an RDMA READ after meeting", [](const Scene& at, Script& script) {
    meet(script, path_of(at).back(), false, 4420);
    Sender{script, path_of(at)}.answer_reads();
  });
  return made;
}

}  // namespace weir::thief
