// Watches that flows which policy takes back are told: each once for each time, by a packet or by the sweep, and none
// that policy allows. ICMP's events do not say the identifier, so its flows are not looked at.
#pragma once
#include "dataplane/pipeline/burst.hpp"
#include "tests/property/naive_firewall.hpp"

#include <map>

namespace weir {

class Revocations {
 public:
  // What an event breaks, or null. `change` is a number that grows with each change of policy.
  const char* tell(const Event& event, const control::Model& model, u64 change) {
    if (event.kind != EventKind::flow_revoked || event.protocol == 1 || event.protocol == 58) return nullptr;
    naive::MeantPacket opening;
    opening.ipv6 = !event.source.is_ipv4();
    opening.source = number_of(event.source), opening.target = number_of(event.target);
    opening.source_port = event.source_port, opening.target_port = event.target_port;
    opening.protocol = event.protocol, opening.time_us = event.time;
    if (!naive::Firewall::is_denied(opening, model)) return "a revoked flow is denied";
    const auto told = told_.find(naive::Firewall::key_of(opening));
    if (told != told_.end() && told->second.change == change) return "a flow is revoked once";
    told_[naive::Firewall::key_of(opening)] = {event.time, change};
    return nullptr;
  }

  // What an outcome breaks, or null: a denied flow's packet is told of since the flow's last packet passed.
  const char* see(const Outcome& outcome, const naive::MeantPacket& meant) {
    if (meant.quotes || meant.protocol == 1 || meant.protocol == 58) return nullptr;
    const auto key = naive::Firewall::key_of(meant);
    if (outcome.reason == Reason::flow_new || outcome.reason == Reason::flow_established) passed_[key] = meant.time_us;
    if (outcome.flow == no_flow || (outcome.reason != Reason::revoked && outcome.reason != Reason::expired))
      return nullptr;
    const auto told = told_.find(key);
    return told != told_.end() && told->second.time_us >= passed_[key] ? nullptr : "a revoked flow is told";
  }

 private:
  static control::Ipv6Number number_of(const Address& address) {
    if (address.is_ipv4()) return swap(static_cast<u32>(address.low));
    return control::Ipv6Number{swap(address.high)} << 64 | swap(address.low);
  }

  struct Told {
    u64 time_us, change;
  };
  std::map<naive::Firewall::Key, Told> told_;
  std::map<naive::Firewall::Key, u64> passed_;  // when a packet of theirs last did
};

}  // namespace weir
