// What parse_into() with key and hash costs per packet on warm data: contenders in turn within one run, medians over
// rounds. `bench_parse [rounds]`.
#include "dataplane/packet/layers.hpp"
#include "dataplane/packet/rdma.hpp"
#include "tests/bench/rounds.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

using namespace weir;

namespace {

constexpr u32 frames_count = 4096;
constexpr u32 slot_bytes = 512;
constexpr u32 rdma_payload_bytes = 256;

struct Slot {
  u32 bytes = 0;
  alignas(64) u8 data[slot_bytes] = {};
};

struct Shape {
  bool ipv6, udp, vlan, timestamp;
  u8 rdma = rdma_opcode_none;  // an opcode, with udp
};

void put16(u8* at, u32 value) {
  at[0] = static_cast<u8>(value >> 8);
  at[1] = static_cast<u8>(value);
}

void write_checksum(u8* ip) {
  u32 sum = 0;
  for (u32 at = 0; at < 20; at += 2) sum += load_be16(ip + at);
  sum = (sum & 0xffff) + (sum >> 16);
  put16(ip + 10, ~(sum + (sum >> 16)) & 0xffff);
}

Slot make_frame(const Shape& shape, std::mt19937& random) {
  Slot slot;
  u8* at = slot.data;
  at[0] = at[6] = 2;
  at += 12;
  if (shape.vlan) {
    put16(at, 0x8100);
    put16(at + 2, 100);
    at += 4;
  }
  put16(at, shape.ipv6 ? 0x86dd : 0x0800);
  at += 2;
  const RdmaForm& form = rdma_forms[shape.rdma];
  const u32 rdma_bytes = form.header_bytes + (form.payload_most != 0 ? rdma_payload_bytes : 0) + icrc_bytes;
  const u32 l4_bytes = form.operation != 0 ? 8 + rdma_bytes
                       : shape.udp ? 8 + 12 : shape.timestamp ? 32 : 20;
  u8* ip = at;
  if (shape.ipv6) {
    ip[0] = 0x60;
    put16(ip + 4, l4_bytes);
    ip[6] = shape.udp ? 17 : 6;
    ip[7] = 64;
    for (u32 index = 8; index < 40; ++index) ip[index] = static_cast<u8>(random());
    ip[8] = ip[24] = 0x20;
    at += 40;
  } else {
    ip[0] = 0x45;
    put16(ip + 2, 20 + l4_bytes);
    put16(ip + 6, 0x4000);
    ip[8] = 64;
    ip[9] = shape.udp ? 17 : 6;
    for (u32 index = 12; index < 20; ++index) ip[index] = static_cast<u8>(random());
    ip[12] = ip[16] = 10;
    write_checksum(ip);
    at += 20;
  }
  put16(at, 1024 + static_cast<u32>(random() % 60000));
  put16(at + 2, 443);
  if (shape.udp) {
    put16(at + 4, l4_bytes);
    if (form.operation != 0) {
      put16(at + 2, roce_port);
      at[8] = shape.rdma;
      put16(at + 14, 1 + static_cast<u32>(random() % 65535));
    }
  } else {
    at[12] = shape.timestamp ? 0x80 : 0x50;
    at[13] = tcp_ack;
    if (shape.timestamp) std::memcpy(at + 20, "\x01\x01\x08\x0a", 4);
  }
  slot.bytes = std::max(60u, static_cast<u32>(at - slot.data) + l4_bytes);
  return slot;
}

std::vector<Slot> make_mix(const std::vector<Shape>& shapes) {
  std::mt19937 random(1);
  std::vector<Slot> mix;
  for (u32 index = 0; index < frames_count; ++index)
    mix.push_back(make_frame(shapes[random() % shapes.size()], random));
  return mix;
}

const ParseContext context{{{0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0x2545f4914f6cdd1d}}, 3};

using Parse = void (*)(Headers&, std::span<const std::byte>, const ParseContext&);

double ns_per_packet(const std::vector<Slot>& mix, Parse parse, u64& sink) {
  constexpr u32 turns = 50;
  static Headers headers[burst_packets_max];
  const double start_ns = bench::thread_ns();
  for (u32 turn = 0; turn < turns; ++turn)
    for (u32 index = 0; index < frames_count; ++index) {
      Headers& out = headers[index % burst_packets_max];
      parse(out, std::as_bytes(std::span(mix[index].data, mix[index].bytes)), context);
      sink += out.hash + static_cast<u8>(out.drop);
    }
  return (bench::thread_ns() - start_ns) / (turns * frames_count);
}

struct Contender {
  std::string name;
  std::vector<Slot> mix;
  Parse parse;
  std::vector<double> rounds = {};
};

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 15;
  const Shape tcp4{false, false, false, false}, stamped4{false, false, false, true}, udp4{false, true, false, false};
  const Shape tcp6{true, false, false, false}, udp6{true, true, false, false};
  const Shape send4{false, true, false, false, rdma_send_only}, send6{true, true, false, false, rdma_send_only};
  const Shape middle4{false, true, false, false, rdma_write_middle};
  const Shape response4{false, true, false, false, rdma_read_first};
  const Shape ack4{false, true, false, false, rdma_acknowledge};
  const Shape vlan4{false, false, true, true}, vlan6{true, false, true, false};
  std::vector<Contender> contenders = {
      {"v4 tcp", make_mix({tcp4}), parse_into},
      {"v4 tcp with timestamps", make_mix({stamped4}), parse_into},
      {"v4 tcp and udp, mixed", make_mix({tcp4, stamped4, udp4}), parse_into},
      {"v4 rdma, write middle", make_mix({middle4}), parse_into},
      {"v4 rdma, ack", make_mix({ack4}), parse_into},
      {"v4 rdma, mixed", make_mix({middle4, send4, ack4, response4}), parse_into},
      {"v6 tcp", make_mix({tcp6}), parse_into},
      {"v6 rdma, send", make_mix({send6}), parse_into},
      {"v6 tcp and udp, mixed", make_mix({tcp6, udp6}), parse_into},
      {"v4 in one VLAN", make_mix({vlan4}), parse_into},
      {"all of these, mixed", make_mix({tcp4, stamped4, udp4, tcp6, udp6, vlan4, vlan6}), parse_into},
      {"v4 tcp, general path", make_mix({tcp4}), parse_general},
      {"all mixed, general path", make_mix({tcp4, stamped4, udp4, tcp6, udp6, vlan4, vlan6}), parse_general},
  };
  u64 sink = 0;
  for (int round = 0; round < rounds; ++round)
    for (Contender& contender : contenders)
      contender.rounds.push_back(ns_per_packet(contender.mix, contender.parse, sink));
  std::printf("parse with key and hash, ns per packet, %d rounds: median (least, most)\n", rounds);
  for (Contender& contender : contenders) {
    std::sort(contender.rounds.begin(), contender.rounds.end());
    std::printf("  %-26s %6.2f (%.2f, %.2f)\n", contender.name.c_str(), contender.rounds[contender.rounds.size() / 2],
                contender.rounds.front(), contender.rounds.back());
  }
  for (const Contender& contender : contenders)
    for (const Slot& slot : contender.mix)
      if (!parse(std::as_bytes(std::span(slot.data, slot.bytes)), context).well_formed()) return 1;
  return sink == 0;
}
