#include "control/recommend/seen.hpp"

#include "control/compile/monitor.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace weir::control {
namespace {

using Json = nlohmann::json;

constexpr std::uint16_t roce_port = 4791;

std::string text(const Json& from, const char* key) {
  const auto found = from.find(key);
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::uint16_t> number(const Json& from, const char* key) {
  const auto found = from.find(key);
  if (found == from.end() || !found->is_number_unsigned()) return std::nullopt;
  const auto value = found->get<std::uint64_t>();
  return value <= 0xffff ? std::optional(static_cast<std::uint16_t>(value)) : std::nullopt;
}

// For what; nothing where the line does not say it as EVE does.
std::optional<std::pair<Wanted::What, std::uint16_t>> what_of(const Json& line) {
  using enum Wanted::What;
  const std::string name_of = text(line, "proto");
  const auto port = number(line, "dest_port");
  if (name_of == "UDP" && port == roce_port) return std::pair(rdma, std::uint16_t{0});
  for (const auto& [name, what] : {std::pair("TCP", tcp), std::pair("UDP", udp), std::pair("SCTP", sctp)})
    if (name_of == name && port) return std::pair(what, *port);
  const auto type = number(line, "icmp_type"), code = number(line, "icmp_code");
  for (const auto& [name, what] : {std::pair("ICMP", icmp4), std::pair("IPv6-ICMP", icmp6)})
    if (name_of == name && type && code && *type < 256 && *code < 256)
      return std::pair(what, static_cast<std::uint16_t>(*type << 8 | *code));
  for (const auto& [name, value] : {std::pair("IP-in-IP", 4), std::pair("IPv6", 41), std::pair("GRE", 47),
                                    std::pair("ESP", 50), std::pair("AH", 51)})
    if (name_of == name) return std::pair(protocol, static_cast<std::uint16_t>(value));
  if (name_of.size() == 3 && name_of.find_first_not_of("0123456789") == std::string::npos && name_of <= "255")
    return std::pair(protocol, static_cast<std::uint16_t>(std::stoi(name_of)));
  return std::nullopt;
}

void note(std::set<std::string>& addresses, bool& more, std::string address) {
  if (address.empty() || addresses.contains(address)) return;
  if (addresses.size() < addresses_most) addresses.insert(std::move(address));
  else more = true;
}

// What is no time is not repeated: times stand in the draft's comments.
void note_time(std::string& first, std::string& last, const std::string& time) {
  if (time.empty() || time.size() > 40 || time.find_first_not_of("0123456789T:.+-Z") != std::string::npos) return;
  if (first.empty() || time < first) first = time;
  last = std::max(last, time);
}

}  // namespace

void Seen::add(std::string_view text_line) {
  ++lines;
  const Json line = Json::parse(text_line, nullptr, false);
  const auto weir = line.is_object() ? line.find("weir") : line.end();
  if (!line.is_object() || weir == line.end() || !weir->is_object()) {
    ++unread;
    return;
  }
  const std::string event = text(*weir, "event"), rule = text(*weir, "rule"), reason = text(*weir, "reason");
  const bool passed = event == "flow_opened" && rule == monitor_rule;
  const bool dropped = event == "packet_dropped" && (reason == "no_allow" || reason == "expired");
  if (event == "flow_opened" && text(*weir, "rule_kind") == "forbid") {
    ++forbidden[{rule, text(*weir, "from"), text(*weir, "to")}];
    return;
  }
  if (!passed && !dropped) return;
  const auto what = what_of(line);
  if (!what) {
    ++unread;
    return;
  }
  const Wanted kind{text(*weir, "from"), text(*weir, "to"), what->first, what->second};
  if (!wanted.contains(kind) && wanted.size() >= kinds_most) {
    ++beyond;
    return;
  }
  Met& met = wanted[kind];
  ++met.times;
  note(met.sources, met.more_sources, text(line, "src_ip"));
  note(met.targets, met.more_targets, text(line, "dest_ip"));
  const std::string time = text(line, "timestamp");
  note_time(met.first, met.last, time);
  note_time(first, last, time);
}

}  // namespace weir::control
