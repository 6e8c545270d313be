// Watches that flows which policy takes back are told: each once for each time, by a packet or by the sweep, and none
// that policy allows. ICMP's events do not say the identifier, so its flows are not looked at.
//
// An event names a flow by its ends, and these may have one after the other without a change of policy: one that
// policy allows takes the place of one that it denies, and is taken back itself when what allows it expires. So what is
// counted is how many may still be told of. A burst's events come before its outcomes: hence the count is asked after.
#pragma once
#include "dataplane/pipeline/burst.hpp"
#include "tests/property/naive_firewall.hpp"

#include <algorithm>
#include <map>
#include <vector>

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
    Ends& ends = ends_[naive::Firewall::key_of(opening)];
    if (ends.change != change) ends.untold = 1, ends.change = change;
    --ends.untold, ends.told_us = event.time, ends.told = true;
    told_now_.push_back(&ends);
    return nullptr;
  }

  // What the events break that came since the last call, or null, once their outcomes have been seen.
  const char* settle() {
    const bool twice = std::ranges::any_of(told_now_, [](const Ends* ends) { return ends->untold < 0; });
    told_now_.clear();
    return twice ? "a flow is revoked once" : nullptr;
  }

  // What an outcome breaks, or null: a denied flow's packet is told of since the flow's last packet passed.
  const char* see(const Outcome& outcome, const naive::MeantPacket& meant) {
    if (meant.quotes || meant.protocol == 1 || meant.protocol == 58) return nullptr;
    Ends& ends = ends_[naive::Firewall::key_of(meant)];
    if (outcome.flow_is_new) ends.untold = std::min(ends.untold + 1, 1);
    const bool passed = outcome.reason == Reason::flow_new || outcome.reason == Reason::flow_established ||
                        outcome.reason == Reason::scrubbed;
    if (passed) ends.passed_us = meant.time_us;
    if (outcome.flow == no_flow || (outcome.reason != Reason::revoked && outcome.reason != Reason::expired))
      return nullptr;
    // A SYN from the other end is judged as if it opened: what has expired then need not be the flow.
    const bool is_syn = meant.protocol == 6 && (meant.tcp_flags & 0x12) == 0x02;
    if (is_syn && outcome.reason == Reason::expired) return nullptr;
    return ends.told && ends.told_us >= ends.passed_us ? nullptr : "a revoked flow is told";
  }

 private:
  static control::Ipv6Number number_of(const Address& address) {
    if (address.is_ipv4()) return swap(static_cast<u32>(address.low));
    return control::Ipv6Number{swap(address.high)} << 64 | swap(address.low);
  }

  struct Ends {
    u64 told_us = 0, passed_us = 0;  // when last
    u64 change = 0;                  // the policy's, of the last event
    int untold = 0;                  // flows that it may still tell of: below zero when it told of one twice
    bool told = false;
  };
  std::map<naive::Firewall::Key, Ends> ends_;  // whose entries stay where they are
  std::vector<Ends*> told_now_;
};

}  // namespace weir
