// Numbers are decimal without signs; a range is `a-b` with a below b.
#include "control/check/ports.hpp"

#include "control/check/names.hpp"
#include "control/check/rdma_words.hpp"
#include "control/model/services.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <charconv>

namespace weir::control {
namespace {

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  if (text.empty() || text.size() > 9) return std::nullopt;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

struct IcmpName {
  std::string_view name;
  int ipv4, ipv6;  // type << 8 | code; -1: the family has none; whole type when `whole`
  bool whole;
};
// IANA's ICMP and ICMPv6 parameters. Errors are not among them: they follow by state and are never named.
constexpr IcmpName icmp_names[] = {{"echo", 8 << 8, 128 << 8, false},
                                   {"timestamp", 13 << 8, -1, false},
                                   {"extended-echo", 42 << 8, 160 << 8, false},
                                   {"node-information", -1, 139 << 8, true}};

struct ProtocolName {
  std::string_view name;
  std::uint8_t number;
};
constexpr ProtocolName protocol_names[] = {{"ipip", 4},  {"ipv6", 41}, {"gre", 47},   {"esp", 50},  {"ah", 51},
                                           {"ospf", 89}, {"pim", 103}, {"vrrp", 112}, {"l2tp", 115}};

void add_types(ServiceSet& set, IcmpFamily family, int ipv4, int ipv6, bool whole) {
  const auto range = [&](int first) {
    return PortRange{static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(first | (whole ? 255 : 0))};
  };
  if (family != IcmpFamily::ipv6 && ipv4 >= 0) set.icmp4.push_back(range(ipv4));
  if (family != IcmpFamily::ipv4 && ipv6 >= 0) set.icmp6.push_back(range(ipv6));
}

bool is_spoken(std::string_view text) { return std::ranges::find(spoken_words, text) != std::end(spoken_words); }

template <class AddText>
void each(const Entry& entry, Diagnostics& out, AddText add_text) {
  const auto look = [&](const Node& item) {
    if (item.kind != NodeKind::string && item.kind != NodeKind::integer) return;
    const std::string text = item.kind == NodeKind::string ? item.text : std::to_string(item.integer);
    if (const std::optional<ValueFault> fault = add_text(text)) {
      auto& made = out.add(fault->code, item.span, fault->sentence);
      if (!fault->help.empty()) made.helped(fault->help);
    }
  };
  const bool may_be_alone = entry.key == "protocol" || entry.key == "rdma";
  if (may_be_alone && entry.value.kind == NodeKind::string) look(entry.value);
  for (const Node& item : entry.value.items) look(item);
}

}  // namespace

std::optional<ValueFault> add_port(std::vector<PortRange>& ports, std::string_view text) {
  const std::size_t dash = text.find('-', 1);
  const auto first = number(trimmed(text.substr(0, dash)));
  const auto last = dash == std::string_view::npos ? first : number(trimmed(text.substr(dash + 1)));
  if (!first || !last)
    return ValueFault{"E0405", fmt::format("`{}` is neither a port nor a range of ports", text),
                      "a port is 1 to 65535, a range is \"8000-8010\""};
  if (*first == 0 || *last == 0 || *first > 65535 || *last > 65535)
    return ValueFault{"E0405", fmt::format("`{}` is not between 1 and 65535", text), ""};
  if (*first > *last)
    return ValueFault{"E0406", fmt::format("the range `{}` runs backwards", text),
                      fmt::format("write the lower port first: \"{}-{}\"", *last, *first)};
  ports.push_back({static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)});
  return std::nullopt;
}

std::optional<ValueFault> add_icmp(ServiceSet& set, IcmpFamily family, std::string_view text) {
  std::vector<std::string_view> known = {"any"};
  for (const IcmpName& one : icmp_names) {
    known.push_back(one.name);
    if (one.name != text) continue;
    add_types(set, family, one.ipv4, one.ipv6, one.whole);
    return std::nullopt;
  }
  if (text == "any") {
    if (family != IcmpFamily::ipv6) set.icmp4.push_back({0, 65535});
    if (family != IcmpFamily::ipv4) set.icmp6.push_back({0, 65535});
    return std::nullopt;
  }
  const std::size_t slash = text.find('/');
  const auto type = number(text.substr(0, slash));
  const auto code = slash == std::string_view::npos ? std::optional<std::uint32_t>(0) : number(text.substr(slash + 1));
  if (!type || !code || *type > 255 || *code > 255) {
    const std::string meant = nearest(text, known);
    return ValueFault{"E0407", fmt::format("`{}` is no ICMP type", text),
                      meant.empty() ? fmt::format("a type is {}, \"8\" or \"8/0\"", listing(known, known.size()))
                                    : fmt::format("did you mean \"{}\"?", meant)};
  }
  if (family == IcmpFamily::both)
    return ValueFault{"E0407", "a number means different things in ICMP and in ICMPv6",
                      fmt::format("say which: icmp4 = [\"{}\"] or icmp6 = [...]", text)};
  const int first = static_cast<int>(*type << 8 | *code);
  add_types(set, family, first, first, slash == std::string_view::npos);
  return std::nullopt;
}

std::optional<ValueFault> add_protocol(ServiceSet& set, std::string_view text) {
  std::vector<std::string_view> known;
  for (const ProtocolName& one : protocol_names) known.push_back(one.name);
  for (const std::string_view word : spoken_words) known.push_back(word);
  const auto named = std::ranges::find(protocol_names, text, &ProtocolName::name);
  const auto value = named != std::end(protocol_names) ? std::optional<std::uint32_t>(named->number) : number(text);
  if (!value || *value > 255) {
    const std::string meant = nearest(text, known);
    return ValueFault{"E0408", fmt::format("`{}` is no IP protocol", text),
                      meant.empty() ? fmt::format("a protocol is {} or its number", listing(known, known.size()))
                                    : fmt::format("did you mean \"{}\"?", meant)};
  }
  for (const auto& [taken, key] : {std::pair(1u, "icmp4"), std::pair(6u, "tcp"), std::pair(17u, "udp"),
                                   std::pair(58u, "icmp6"), std::pair(132u, "sctp")})
    if (*value == taken)
      return ValueFault{"E0408", fmt::format("protocol {} is named by its ports", text),
                        fmt::format("write it as {} = [...]", key)};
  set.protocols.push_back(static_cast<std::uint8_t>(*value));
  return std::nullopt;
}

std::optional<ValueFault> add_rdma(ServiceSet& set, std::string_view text) {
  if (text == "any") set.rdma.push_back({0, 65535});
  else if (text == "nccl") set.rdma.push_back({0, 0});
  else if (number(text.substr(0, 1))) return add_port(set.rdma, text);
  else
    return ValueFault{"E0405", fmt::format("`{}` opens no queue pair", text),
                      "\"nccl\", \"any\", or the port of a connection manager: 20049, \"20049-20050\""};
  return std::nullopt;
}

ServiceSet read_service(const Node& table, Diagnostics& out) {
  ServiceSet set;
  for (const Entry& entry : table.entries) {
    if (entry.key == "tcp") each(entry, out, [&](const auto& text) { return add_port(set.tcp, text); });
    if (entry.key == "udp") each(entry, out, [&](const auto& text) { return add_port(set.udp, text); });
    if (entry.key == "sctp") each(entry, out, [&](const auto& text) { return add_port(set.sctp, text); });
    if (entry.key == "icmp") each(entry, out, [&](const auto& text) { return add_icmp(set, IcmpFamily::both, text); });
    if (entry.key == "icmp4") each(entry, out, [&](const auto& text) { return add_icmp(set, IcmpFamily::ipv4, text); });
    if (entry.key == "icmp6") each(entry, out, [&](const auto& text) { return add_icmp(set, IcmpFamily::ipv6, text); });
    if (entry.key == "protocol")
      each(entry, out, [&](const auto& text) {
        return is_spoken(text) ? std::nullopt : add_protocol(set, text);
      });
    if (entry.key == "rdma") each(entry, out, [&](const auto& text) { return add_rdma(set, text); });
  }
  return unite(set, {});
}

std::uint16_t read_spoken(const Node& table) {
  std::uint16_t bits = 0;
  const Entry* entry = table.find("protocol");
  for (std::size_t i = 0; entry != nullptr && i < std::size(spoken_words); ++i)
    if (entry->value.text == spoken_words[i] ||
        std::ranges::find(entry->value.items, spoken_words[i], &Node::text) != entry->value.items.end())
      bits |= static_cast<std::uint16_t>(1u << i);
  return bits;
}

}  // namespace weir::control
