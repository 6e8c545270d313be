// What tests and questions may say: names, addresses, services, ports in words.
#include "control/check/names.hpp"
#include "control/check/ports.hpp"
#include "control/check/resolve.hpp"

#include <fmt/format.h>

namespace weir::control {

std::vector<std::string_view> noun_names(const Names& names) {
  std::vector<std::string_view> known;
  for (const auto& [name, noun] : names.nouns) known.push_back(name);
  return known;
}

std::vector<std::string_view> service_names(const Names& names) {
  std::vector<std::string_view> known;
  for (const auto& [name, service] : names.services) known.push_back(name);
  return known;
}

std::optional<ServiceSet> parse_service(const Names& names, std::string_view text, std::string& sentence) {
  if (const auto found = names.services.find(text); found != names.services.end()) return found->second.set;
  ServiceSet set;
  std::optional<ValueFault> fault;
  const std::size_t slash = text.find('/');
  const std::string_view protocol = text.substr(0, slash);
  const std::string_view rest = slash == std::string_view::npos ? "" : text.substr(slash + 1);
  if (protocol == "tcp" || protocol == "udp" || protocol == "sctp") {
    auto& ports = protocol == "tcp" ? set.tcp : protocol == "udp" ? set.udp : set.sctp;
    if (slash == std::string_view::npos) ports.push_back({1, 65535});
    else fault = add_port(ports, rest);
  } else if (protocol == "rdma") {
    fault = add_rdma(set, slash == std::string_view::npos ? "any" : rest);
  } else if (protocol == "icmp") {
    fault = add_icmp(set, IcmpFamily::both, rest.empty() ? "echo" : rest);
  } else if (protocol == "icmp4" || protocol == "icmp6") {
    fault = add_icmp(set, protocol == "icmp4" ? IcmpFamily::ipv4 : IcmpFamily::ipv6, rest.empty() ? "echo" : rest);
  } else if (protocol == "protocol") {
    fault = add_protocol(set, rest);
  } else if (rest.empty()) {
    fault = add_protocol(set, protocol);
    if (fault) fault->sentence = fmt::format("there is no service or protocol `{}`", text);
    const auto known = service_names(names);
    if (const std::string meant = nearest(text, known); fault && !meant.empty())
      fault->help = fmt::format("did you mean `{}`?", meant);
  } else {
    fault = ValueFault{"E0202", fmt::format("`{}` is not a protocol with ports", protocol),
                       "tcp, udp, sctp, rdma or icmp"};
  }
  if (!fault) return unite(set, {});
  sentence = fault->help.empty() ? fault->sentence : fmt::format("{} ({})", fault->sentence, fault->help);
  return std::nullopt;
}

std::optional<Party> parse_party(const Names& names, std::string_view text, std::string& sentence) {
  if (const auto found = names.nouns.find(text); found != names.nouns.end())
    return Party{std::string(text), found->second.segments, std::nullopt};
  const Prefix prefix = parse_prefix(text);
  if (prefix.fault == PrefixFault::none) return Party{std::string(text), {}, prefix};
  sentence = fmt::format("`{}` is neither a segment, a group, a list nor an address", text);
  if (prefix.fault == PrefixFault::host_bits) sentence += fmt::format(" (the prefix is {})", show(prefix));
  const auto known = noun_names(names);
  if (const std::string meant = nearest(text, known); !meant.empty())
    sentence += fmt::format(" (did you mean `{}`?)", meant);
  return std::nullopt;
}

}  // namespace weir::control
