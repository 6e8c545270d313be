// Builds frames from the inside out. It writes; it never judges.
#include "tests/unit/parse_frame.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>

namespace weir::test {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Layer {
  std::string name, text;
  std::vector<std::string> words;
  std::map<std::string, std::string> settings;

  [[noreturn]] void fail(const std::string& what) const { throw std::runtime_error(what + " in: " + text); }
  const std::string& word(std::size_t index) const {
    if (index >= words.size()) fail("missing word");
    return words[index];
  }
  std::string setting(const std::string& key, const std::string& otherwise) const {
    const auto found = settings.find(key);
    return found == settings.end() ? otherwise : found->second;
  }
  unsigned parse_number(const std::string& digits, int base) const {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (error != std::errc{} || end != digits.data() + digits.size()) fail("bad number " + digits);
    return value;
  }
  unsigned number(const std::string& key, unsigned otherwise, int base = 10) const {
    const auto found = settings.find(key);
    return found == settings.end() ? otherwise : parse_number(found->second, base);
  }
  unsigned number_at(std::size_t index) const { return parse_number(word(index), 10); }
  unsigned number_at(std::size_t index, unsigned otherwise) const {
    return index < words.size() ? number_at(index) : otherwise;
  }
  Bytes hex(const std::string& digits) const {
    if (digits.size() % 2 != 0) fail("odd hex");
    Bytes bytes;
    for (std::size_t at = 0; at < digits.size(); at += 2)
      bytes.push_back(static_cast<std::uint8_t>(parse_number(digits.substr(at, 2), 16)));
    return bytes;
  }
  Bytes mac(const std::string& written) const {
    std::string digits;
    for (const char c : written)
      if (c != ':') digits += c;
    return hex(digits);
  }
  Bytes address(std::size_t index, int family) const {
    Bytes bytes(family == AF_INET ? 4 : 16);
    if (inet_pton(family, word(index).c_str(), bytes.data()) != 1) fail("bad address");
    return bytes;
  }
};

std::vector<Layer> layers_of(std::string_view text) {
  std::vector<Layer> layers;
  std::istringstream stream{std::string(text)};
  bool fresh = true;
  for (std::string word; stream >> word;) {
    if (word == "/") {
      fresh = true;
      continue;
    }
    if (fresh) {
      layers.push_back({word, std::string(text), {}, {}});
    } else if (const auto equals = word.find('='); equals != std::string::npos) {
      layers.back().settings[word.substr(0, equals)] = word.substr(equals + 1);
    } else {
      layers.back().words.push_back(word);
    }
    fresh = false;
  }
  return layers;
}

void add16(Bytes& bytes, unsigned value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}
void add32(Bytes& bytes, unsigned value) {
  add16(bytes, value >> 16);
  add16(bytes, value);
}
void add(Bytes& bytes, const Bytes& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

unsigned checksum(std::span<const std::uint8_t> header) {
  unsigned sum = 0;
  for (std::size_t at = 0; at + 1 < header.size(); at += 2) sum += unsigned{header[at]} << 8 | header[at + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

unsigned ethertype_of(const Layer* inner) {
  if (!inner) return 0x88b5;
  static const std::map<std::string, unsigned> types{{"ip4", 0x800}, {"ip6", 0x86dd}, {"arp", 0x806}, {"eth", 0x6558}};
  if (inner->name == "vlan") return inner->number("tpid", 0x8100, 16);
  const auto found = types.find(inner->name);
  return found == types.end() ? 0x88b5 : found->second;
}

unsigned protocol_of(const Layer* inner) {
  static const std::map<std::string, unsigned> protocols{
      {"tcp", 6}, {"udp", 17},     {"icmp4", 1},    {"icmp6", 58},    {"sctp", 132}, {"hop", 0},
      {"ip4", 4}, {"options", 60}, {"routing", 43}, {"fragment", 44}, {"ip6", 41}, {"gre", 47},    {"eth", 143}};
  if (!inner) return 59;
  const auto found = protocols.find(inner->name);
  return found == protocols.end() ? 253 : found->second;
}

Bytes ip4_header(const Layer& layer, const Layer* inner, std::size_t payload) {
  const Bytes options = layer.hex(layer.setting("options", ""));
  const auto header_bytes = static_cast<unsigned>(20 + options.size());
  Bytes header;
  header.push_back(static_cast<std::uint8_t>(layer.number("version", 4) << 4 | layer.number("ihl", header_bytes / 4)));
  header.push_back(0);
  add16(header, layer.number("total", static_cast<unsigned>(header_bytes + payload)));
  add16(header, 7);
  add16(header, layer.number("fragment", 0x4000, 16));
  header.push_back(static_cast<std::uint8_t>(layer.number("ttl", 64)));
  header.push_back(static_cast<std::uint8_t>(layer.number("proto", protocol_of(inner))));
  add16(header, 0);
  add(header, layer.address(0, AF_INET));
  add(header, layer.address(1, AF_INET));
  add(header, options);
  const unsigned sum = layer.number("sum", checksum(header), 16);
  header[10] = static_cast<std::uint8_t>(sum >> 8);
  header[11] = static_cast<std::uint8_t>(sum);
  return header;
}

Bytes ip6_header(const Layer& layer, const Layer* inner, std::size_t payload) {
  Bytes header;
  add32(header, layer.number("version", 6) << 28);
  add16(header, layer.number("length", static_cast<unsigned>(payload)));
  header.push_back(static_cast<std::uint8_t>(layer.number("next", protocol_of(inner))));
  header.push_back(static_cast<std::uint8_t>(layer.number("hops", 64)));
  add(header, layer.address(0, AF_INET6));
  add(header, layer.address(1, AF_INET6));
  return header;
}

Bytes extension_header(const Layer& layer, const Layer* inner) {
  Bytes header{static_cast<std::uint8_t>(layer.number("next", protocol_of(inner)))};
  if (layer.name == "fragment") {
    header.push_back(0);
    add16(header, layer.number("word", 0, 16));
    add32(header, 1);
    return header;
  }
  Bytes body;
  if (layer.name == "routing") {
    const Bytes list = layer.hex(layer.setting("list", ""));
    const unsigned type = layer.number("type", list.empty() ? 253 : 4);
    body = {static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(layer.number("left", 0)),
            static_cast<std::uint8_t>(layer.number("last", 0)), 0, 0, 0};
    add(body, list);
  } else {
    body = layer.hex(layer.word(0));
  }
  header.push_back(static_cast<std::uint8_t>(layer.number("length", static_cast<unsigned>((body.size() + 2) / 8 - 1))));
  add(header, body);
  return header;
}

Bytes tcp_header(const Layer& layer) {
  static const std::string letters = "FSRPAUEW";
  const Bytes options = layer.hex(layer.setting("options", ""));
  unsigned flags = 0;
  const std::string written = layer.words.size() > 2 ? layer.words[2] : "A";
  if (written != "none")
    for (const char letter : written) flags |= 1u << letters.find(letter);
  Bytes header;
  add16(header, layer.number_at(0));
  add16(header, layer.number_at(1));
  add32(header, 1);
  add32(header, 2);
  header.push_back(
      static_cast<std::uint8_t>(layer.number("offset", static_cast<unsigned>(5 + options.size() / 4)) << 4));
  header.push_back(static_cast<std::uint8_t>(flags));
  add16(header, 1024);
  add32(header, 0);
  add(header, options);
  return header;
}

Bytes ports_header(const Layer& layer, std::size_t payload) {
  Bytes header;
  add16(header, layer.number_at(0));
  add16(header, layer.number_at(1));
  if (layer.name == "udp") {
    add16(header, layer.number("length", static_cast<unsigned>(8 + payload)));
    add16(header, 0);
  } else {
    add32(header, layer.number("tag", 0x01020304, 16));
    add32(header, 0);
  }
  return header;
}

Bytes arp_body(const Layer& layer, const Bytes& source_mac) {
  Bytes body = layer.hex(layer.setting("form", "000108000604"));
  add16(body, layer.number_at(0));
  add(body, layer.settings.contains("mac") ? layer.mac(layer.setting("mac", "")) : source_mac);
  add(body, layer.address(1, AF_INET));
  add(body, Bytes(6));
  add(body, layer.address(2, AF_INET));
  return body;
}

// A numbered network's header: `first` four bytes, the number, the last byte.
Bytes network_header(const Layer& layer, unsigned first) {
  Bytes header;
  add32(header, layer.number("first", first, 16));
  add32(header, layer.number_at(0) << 8 | layer.number("tail", 0, 16));
  add(header, layer.hex(layer.setting("options", "")));
  return header;
}

// With `sum`, a checksum over header and `inside`.
Bytes gre_header(const Layer& layer, const Layer* inner, const Bytes& inside) {
  Bytes header;
  add16(header, layer.number("flags", 0, 16));
  add16(header, layer.number("type", ethertype_of(inner), 16));
  add(header, layer.hex(layer.setting("more", "")));
  if (layer.number("sum", 0) != 0) {
    Bytes whole = header;
    add(whole, inside);
    if (whole.size() % 2 != 0) whole.push_back(0);
    const unsigned sum = checksum(whole);
    header[4] = static_cast<std::uint8_t>(sum >> 8);
    header[5] = static_cast<std::uint8_t>(sum);
  }
  return header;
}

// InfiniBand's headers, one at a time.
Bytes rdma_header(const Layer& layer) {
  Bytes header;
  if (layer.name == "reth") {
    header = {0, 0, 0x7f, 1, 0, 0, 0, 0, 0, 0, 0x12, 0x34};
    add32(header, layer.number_at(0));
  } else if (layer.name == "aeth") {
    add32(header, layer.parse_number(layer.word(0), 16) << 24 | 5);
  } else if (layer.name == "deth") {
    add32(header, 0x80010000);
    add32(header, layer.number("reserved", 0, 16) << 24 | layer.number_at(0));
  } else {
    header = {static_cast<std::uint8_t>(layer.parse_number(layer.word(0), 16)),
              static_cast<std::uint8_t>(layer.number("flags", 0, 16))};
    add16(header, layer.number("key", 0xffff, 16));
    add32(header, layer.number("congestion", 0, 16) << 24 | layer.number_at(1));
    add32(header, layer.number("ack", 0, 16) << 24 | layer.number("psn", 7));
  }
  return header;
}

Bytes ethernet_header(const Layer& layer, const Layer* inner, const Bytes& source_mac) {
  Bytes header = layer.mac(layer.setting("target", "02:00:00:00:00:02"));
  add(header, source_mac);
  add16(header, layer.number("type", ethertype_of(inner), 16));
  return header;
}

Bytes header_of(const Layer& layer, const Layer* inner, const Bytes& inside, const Bytes& source_mac) {
  const std::string& name = layer.name;
  const std::size_t payload = inside.size();
  Bytes header;
  if (name == "eth") return ethernet_header(layer, inner, layer.mac(layer.setting("source", "02:00:00:00:00:01")));
  if (name == "vxlan") return network_header(layer, 0x08000000);
  if (name == "geneve") {
    const unsigned options = static_cast<unsigned>(layer.setting("options", "").size()) / 8;
    return network_header(layer, options << 24 | layer.number("type", ethertype_of(inner), 16));
  }
  if (name == "bth" || name == "reth" || name == "aeth" || name == "deth") return rdma_header(layer);
  if (name == "gre") return gre_header(layer, inner, inside);
  if (name == "vlan") {
    add16(header, layer.number_at(0));
    add16(header, layer.number("type", ethertype_of(inner), 16));
    return header;
  }
  if (name == "arp") return arp_body(layer, source_mac);
  if (name == "ip4") return ip4_header(layer, inner, payload);
  if (name == "ip6") return ip6_header(layer, inner, payload);
  if (name == "hop" || name == "options" || name == "routing" || name == "fragment")
    return extension_header(layer, inner);
  if (name == "tcp") return tcp_header(layer);
  if (name == "udp" || name == "sctp") return ports_header(layer, payload);
  if (name == "chunk") {
    header = {static_cast<std::uint8_t>(layer.number_at(0)), 0};
    add16(header, layer.number("length", static_cast<unsigned>(4 + payload)));
    return header;
  }
  if (name == "icmp4" || name == "icmp6") {
    header = {static_cast<std::uint8_t>(layer.number_at(0)), static_cast<std::uint8_t>(layer.number_at(1, 0)), 0, 0};
    add16(header, layer.number("id", 0));
    add16(header, 1);
    return header;
  }
  if (name == "hex") return layer.hex(layer.word(0));
  if (name == "zero") return Bytes(layer.number_at(0));
  layer.fail("unknown layer " + name);
}

}  // namespace

std::vector<std::uint8_t> frame_of(std::string_view text) {
  std::vector<Layer> layers = layers_of(text);
  if (layers.empty() || layers[0].name != "eth") layers.insert(layers.begin(), Layer{"eth", std::string(text), {}, {}});
  std::size_t count = layers.size();
  while (layers[count - 1].name == "pad" || layers[count - 1].name == "cut") --count;
  const Layer& ethernet = layers[0];
  const Bytes source_mac = ethernet.mac(ethernet.setting("source", "02:00:00:00:00:01"));
  Bytes frame;
  for (std::size_t index = count; index-- > 1;) {
    const Layer* inner = index + 1 < count ? &layers[index + 1] : nullptr;
    Bytes header = header_of(layers[index], inner, frame, source_mac);
    add(header, frame);
    frame = std::move(header);
  }
  Bytes whole = ethernet_header(ethernet, count > 1 ? &layers[1] : nullptr, source_mac);
  add(whole, frame);
  for (std::size_t index = count; index < layers.size(); ++index) {
    const unsigned bytes = layers[index].number_at(0);
    if (layers[index].name == "cut" && bytes > whole.size()) layers[index].fail("cut too much");
    if (layers[index].name == "cut") whole.resize(whole.size() - bytes);
    if (layers[index].name == "pad")
      whole.resize(whole.size() + bytes, static_cast<std::uint8_t>(layers[index].number("byte", 0, 16)));
  }
  return whole;
}

void mend_ipv4(std::span<std::uint8_t> frame) {
  std::size_t at = 12;
  const auto is = [&](unsigned type) {
    return at + 2 <= frame.size() && (unsigned{frame[at]} << 8 | frame[at + 1]) == type;
  };
  while (is(0x8100) || is(0x88a8)) at += 4;
  if (!is(0x0800) || at + 2 >= frame.size()) return;
  const std::size_t header_bytes = (frame[at + 2] & 15u) * 4;
  if (header_bytes < 20 || at + 2 + header_bytes > frame.size()) return;
  const auto header = frame.subspan(at + 2, header_bytes);
  header[10] = header[11] = 0;
  const unsigned sum = checksum(header);
  header[10] = static_cast<std::uint8_t>(sum >> 8);
  header[11] = static_cast<std::uint8_t>(sum);
}

}  // namespace weir::test
