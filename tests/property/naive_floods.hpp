// [flood] as one would write it in an afternoon: leaky buckets in maps that never forget, sets of what was tried. Rates
// are kept as ITU-T I.371's continuous-state leaky bucket, where the engine has its virtual scheduling.
#pragma once
#include "control/model/model.hpp"
#include "dataplane/packet/reason.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace weir::naive {

class Floods {
 public:
  using Address = std::pair<bool, control::Ipv6Number>;
  struct Attempt {
    Address source, target;
    std::uint8_t protocol;
    unsigned port;  // or the ICMP message
    std::uint64_t time_us;
  };

  // Whether one more conforms to the rate; then it is in the bucket.
  struct Bucket {
    control::Ipv6Number level = 0;
    std::uint64_t last = 0;
    bool take(const control::Frequency& rate, std::uint64_t time_us) {
      if (rate.interval == 0) return true;
      const std::uint64_t now = time_us * 256, gone = now - last;
      last = now;
      level = level > gone ? level - gone : 0;
      level = std::min<control::Ipv6Number>(level, control::Ipv6Number{rate.tolerance} + rate.interval);
      if (level > rate.tolerance) return false;
      level += rate.interval;
      return true;
    }
  };

  // What a first packet meets before policy's denial counts: scan_blocked, or flow_new.
  Reason scans(const Attempt& attempt, const control::Tracking& rules) {
    if (rules.scan_ports == 0 && rules.scan_hosts == 0) return Reason::flow_new;
    Tried& tried = tried_[network_of(attempt.source)];
    const std::uint64_t block_us = std::uint64_t{rules.scan_block_ms} * 1000;
    if (attempt.time_us < tried.blocked_until && block_us != 0) return Reason::scan_blocked;
    if (attempt.time_us - tried.began >= std::uint64_t{rules.scan_window_ms} * 1000)
      tried = Tried{attempt.time_us, 0, false, {}, {}};
    tried.ports.insert({attempt.protocol, attempt.port});
    tried.hosts.insert(attempt.target);
    const bool is_scan = (rules.scan_ports != 0 && tried.ports.size() >= rules.scan_ports) ||
                         (rules.scan_hosts != 0 && tried.hosts.size() >= rules.scan_hosts);
    if (!is_scan || tried.is_told) return Reason::flow_new;
    ++scans_told;
    tried.is_told = true;
    tried.blocked_until = block_us != 0 ? attempt.time_us + block_us : 0;
    return block_us != 0 ? Reason::scan_blocked : Reason::flow_new;
  }

  // What an allowed opening meets; `half_open`, `half_open_there` and `udp` flows are there already.
  Reason opens(const Attempt& attempt, const control::Tracking& rules, std::size_t half_open,
               std::size_t half_open_there, std::size_t udp) {
    const bool icmp = attempt.protocol == 1 || attempt.protocol == 58;
    if (!sources_[network_of(attempt.source)].take(rules.new_per_source, attempt.time_us)) return Reason::flood_source;
    if (!targets_[attempt.target].take(rules.new_per_target, attempt.time_us)) return Reason::flood_target;
    if (icmp && !icmp_.take(rules.icmp, attempt.time_us)) return Reason::flood_icmp;
    const auto reached = [](std::size_t count, std::uint32_t ceiling) { return ceiling != 0 && count >= ceiling; };
    if (attempt.protocol == 6 &&
        (reached(half_open, rules.half_open) || reached(half_open_there, rules.half_open_per_target)))
      return Reason::flood_half_open;
    return attempt.protocol == 17 && reached(udp, rules.udp) ? Reason::flood_udp : Reason::flow_new;
  }

  // Whether one more denial may be answered.
  bool answers(const control::Tracking& rules, std::uint64_t time_us) { return answers_.take(rules.reject, time_us); }

  std::uint64_t scans_told = 0;

 private:
  struct Tried {
    std::uint64_t began = 0, blocked_until = 0;
    bool is_told = false;
    std::set<std::pair<std::uint8_t, unsigned>> ports;
    std::set<Address> hosts;
  };
  // A customer of IPv6 is a /64.
  static Address network_of(const Address& source) {
    return {source.first, source.first ? source.second >> 64 : source.second};
  }

  std::map<Address, Bucket> sources_, targets_;
  std::map<Address, Tried> tried_;
  Bucket icmp_, answers_;
};

}  // namespace weir::naive
