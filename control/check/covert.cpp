// [dns.NAME] and what an allow asks of each packet: terms of DNS, ICMP payloads, scrubbing. It refuses what could never
// hold: terms of DNS for what is none.
#include "control/check/names.hpp"
#include "control/check/reading.hpp"
#include "control/check/resolver.hpp"
#include "dataplane/policy/image.hpp"

#include <fmt/format.h>

namespace weir::control {
namespace {

constexpr std::uint32_t name_most = 253, message_most = 65'535, domains_most = 1'000'000;
constexpr std::uint64_t information_most = 1u << 30;

// UDP and TCP ports, and nothing else.
bool is_ports_alone(const ServiceSet& services) {
  const bool has_ports = !services.udp.empty() || !services.tcp.empty();
  return has_ports && services.sctp.empty() && services.icmp4.empty() && services.icmp6.empty() &&
         services.protocols.empty() && services.rdma.empty();
}

}  // namespace

void Resolver::add_dns_terms(const NamedTable& table) {
  const Entry& entry = *table.entry;
  const auto [at, fresh] = dns_terms_.try_emplace(entry.key);
  if (!fresh) {
    out_.add("E0203", entry.key_span, fmt::format("terms of DNS `{}` are defined twice", entry.key), "again here")
        .with(at->second.made.span, "first here");
    return;
  }
  DnsTerms& made = at->second.made;
  made.name = entry.key;
  made.span = entry.key_span;
  const Reading values(entry.value, out_);
  values.rate("queries", made.queries);
  values.count("name", made.name_bytes, 1, name_most);
  std::uint64_t answer = 0, information = 0;
  if (values.amount("answers", KeyType::size, answer, message_most)) made.answer_bytes = static_cast<u32>(answer);
  if (values.amount("information", KeyType::size, information, information_most))
    made.information_bytes = static_cast<u32>(information);
  values.count("domains", made.domains, 1, domains_most);
  std::uint32_t window_ms = made.window_s * 1000;
  if (values.time_ms("window", window_ms, 1000, image::dns_window_s_max * 1000)) made.window_s = window_ms / 1000;
  made.monitor = monitors(entry.value, made.monitor_until_s);
  const Entry* window = entry.value.find("window");
  if (window != nullptr && entry.value.find("information") == nullptr && entry.value.find("domains") == nullptr)
    out_.add("E0422", window->key_span, "`window` without `information` or `domains`", "a window of nothing")
        .helped("information = \"4 KiB\", or domains = 100");
}

void Resolver::read_covert(const Node& node, Statement& statement, bool has_services) {
  const std::string payload = text_of(node, "icmp_payload");
  if (payload == "normalise") statement.covert.icmp_payload = CovertTerms::IcmpPayload::normalise;
  if (payload == "deny") statement.covert.icmp_payload = CovertTerms::IcmpPayload::deny;
  Reading(node, out_).flag("scrub", statement.covert.scrub);
  const Entry* icmp = node.find("icmp_payload");
  if (icmp != nullptr && has_services && statement.services.icmp4.empty() && statement.services.icmp6.empty())
    out_.add("E0422", icmp->key_span, "`icmp_payload` of an allow that opens no ICMP", "nothing has such a payload")
        .helped("take it out, or name a service with icmp in `with`");
  const Node* named = value_of(node, "dns");
  if (named == nullptr || named->kind != NodeKind::string) return;
  const auto found = dns_terms_.find(named->text);
  if (found == dns_terms_.end()) {
    std::vector<std::string_view> known;
    for (const auto& [name, terms] : dns_terms_) known.push_back(name);
    return unknown("E0217", "table of DNS terms", *named, known);
  }
  found->second.used = true;
  statement.covert.dns = static_cast<u32>(std::distance(dns_terms_.begin(), found));
  if (has_services && !is_ports_alone(statement.services))
    out_.add("E0422", node.find("dns")->key_span, "`dns` of an allow that opens more than UDP and TCP ports",
             "only DNS would pass")
        .note("what such an allow opens carries DNS messages and nothing else")
        .helped("give DNS an allow of its own: with = [\"dns\"]");
}

// By name, which is the order that statements count by.
void Resolver::finish_dns_terms() {
  for (auto& [name, terms] : dns_terms_) {
    if (!terms.used)
      out_.add("W0206", terms.made.span, fmt::format("terms of DNS `{}` are never named", name),
               "no allow asks for them")
          .helped(fmt::format("dns = \"{}\" in an [[allow]]", name));
    made_.model.dns_terms.push_back(std::move(terms.made));
  }
  if (made_.model.dns_terms.size() > image::dns_terms_max)
    out_.add("E0622", made_.model.dns_terms.back().span,
             fmt::format("the policy has {} terms of DNS; there can be {}", made_.model.dns_terms.size(),
                         image::dns_terms_max));
}

}  // namespace weir::control
