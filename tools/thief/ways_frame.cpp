// Below and around IP: frames of other protocols, and packets inside packets.
#include "tools/thief/ways.hpp"

#include <fmt/format.h>

namespace weir::thief {

namespace {

Path path_of(const Scene& scene) { return {scene.holder, scene.accomplice}; }

void of_type(const Scene& scene, Script& script, u16 type) {
  const Bytes& file = tensor_file(Format::bf16);
  while (script.wants_more()) {
    const View weights = script.piece(file, small_piece_bytes);
    script.out(ethernet(path_of(scene), type, weights), static_cast<u32>(weights.size()));
  }
}

// IEEE 802.3 with a length, and LLC to an address that no protocol has.
void with_length(const Scene& scene, Script& script) {
  const Bytes& file = tensor_file(Format::bf16);
  while (script.wants_more()) {
    const View weights = script.piece(file, small_piece_bytes);
    Bytes payload{0x42, 0x42, 0x03};
    put(payload, weights);
    script.out(ethernet(path_of(scene), static_cast<u16>(payload.size()), payload), static_cast<u32>(weights.size()));
  }
}

// RFC 826: who has this address? It is four bytes of weights; or the accomplice's, and weights stand behind, where
// frames are padded.
void arp(const Scene& scene, Script& script, bool is_behind) {
  const Bytes& file = tensor_file(Format::bf16);
  for (u32 i = 0; i < 20'000 && script.wants_more(); ++i) {
    const View weights = script.piece(file, is_behind ? 18 : 4);
    Bytes payload;
    put64(payload, 0x0001080006040001);
    put(payload, scene.holder.mac);
    put32(payload, scene.holder.ipv4);
    put(payload, std::array<u8, 6>{});
    if (is_behind) put32(payload, scene.accomplice.ipv4);
    put(payload, weights);
    payload.resize(is_behind ? payload.size() : 28);
    script.out(ethernet(path_of(scene), 0x0806, payload), static_cast<u32>(weights.size()));
    script.wait(tick_second / 10);
  }
}

// A datagram inside, between the same two ends or, where `elsewhere`, to an address of documentation.
Bytes inner_packet(const Scene& scene, View weights, bool elsewhere) {
  Path path = path_of(scene);
  if (elsewhere) path.to.ipv4 = 0xcb007107;  // 203.0.113.7
  return ip(path, 17, udp(path, 40000, 443, weights));
}

enum class Wrap { gre, ip_in_ip, vxlan, geneve };

void tunnel(const Scene& scene, Script& script, Wrap wrap, bool elsewhere) {
  const Bytes& file = tensor_file(Format::bf16);
  const Path path = path_of(scene);
  while (script.wants_more()) {
    const View weights = script.piece(file, small_piece_bytes);
    const Bytes inner = inner_packet(scene, weights, elsewhere);
    Bytes outer;
    if (wrap == Wrap::gre) put32(outer, 0x00000800);
    if (wrap == Wrap::vxlan) put64(outer, 0x0800000000002a00);
    if (wrap == Wrap::geneve) put64(outer, 0x0000655800002a00);
    if (wrap == Wrap::vxlan || wrap == Wrap::geneve) {
      put(outer, ethernet(path, 0x0800, inner));
      outer = udp(path, 50000, wrap == Wrap::vxlan ? 4789 : 6081, outer);
    } else {
      put(outer, inner);
    }
    const u8 protocol = wrap == Wrap::gre ? 47 : wrap == Wrap::ip_in_ip ? 4 : 17;
    script.out(framed(path, ip(path, protocol, outer)), static_cast<u32>(weights.size()));
  }
}

}  // namespace

std::vector<Way> frame_ways(const Scene&) {
  std::vector<Way> made;
  const auto add = [&made](const std::string& name, std::function<void(const Scene&, Script&)> act) {
    made.push_back({name, true, 3600, std::move(act)});
  };
  for (const auto& [name, type] : {std::pair{"frames of no known type", u16{0x88b5}},
                                   {"frames of RoCEv1", u16{0x8915}},
                                   {"frames of LLDP", u16{0x88cc}},
                                   {"frames of MACsec", u16{0x88e5}}})
    add(name, [type](const Scene& at, Script& script) { of_type(at, script, type); });
  add("frames with a length", with_length);
  add("in ARP requests", [](const Scene& at, Script& script) { arp(at, script, false); });
  add("behind ARP requests", [](const Scene& at, Script& script) { arp(at, script, true); });
  for (const bool elsewhere : {false, true}) {
    const char* const where = elsewhere ? ", to another target" : "";
    for (const auto& [name, wrap] :
         {std::pair{"GRE", Wrap::gre}, {"IP in IP", Wrap::ip_in_ip}, {"VXLAN", Wrap::vxlan}, {"Geneve", Wrap::geneve}})
      add(fmt::format("in {}{}", name, where),
          [wrap, elsewhere](const Scene& at, Script& script) { tunnel(at, script, wrap, elsewhere); });
  }
  return made;
}

}  // namespace weir::thief
