// What keeps the link alive: ARP, neighbour discovery, router advertisements, DHCP. Each passes only where [link] says
// so, claims nothing that its port may not claim, and opens no flow.
// Sources: RFC 826, 5227 (ARP probes), 4861 (neighbour discovery), 2131, 8415 (DHCP).
#include "dataplane/pipeline/known_flow.hpp"

#include <algorithm>

namespace weir {
namespace {

constexpr u64 link_first_bytes = 65536;  // a thousand questions of ARP
constexpr u8 nd_router_advertisement = 134;
constexpr u8 nd_neighbour_advertisement = 136;
constexpr u32 nd_target_at = 8;  // of NS and NA, from the ICMPv6 header

bool is_unspecified(const Address& address) { return address.low == 0 && (address.high == 0 || address.is_ipv4()); }
bool is_link_local(const Address& address) {
  return !address.is_ipv4() && (swap(address.high) & 0xffc0'0000'0000'0000) == 0xfe80'0000'0000'0000;
}

// Whether `address` may be claimed by the port: it has no address yet, speaks for the link alone, or owns it.
bool may_claim(const InstalledPolicy& installed, const Packet& packet, const Headers& headers, const Address& address) {
  return is_unspecified(address) || is_link_local(address) ||
         installed.policy.source_allowed(classes_of(installed, place_of(headers), packet.port).source, address);
}

Reason neighbour_discovery(const Headers& headers, const Packet& packet, const InstalledPolicy& installed) {
  if (!installed.policy.link().nd) return Reason::link_nd_off;
  if (!may_claim(installed, packet, headers, headers.source)) return Reason::link_nd_bad;
  if (headers.icmp_type == nd_neighbour_advertisement) {
    const Address claimed = Address::ipv6(packet.data + headers.l4_offset + nd_target_at);
    if (!may_claim(installed, packet, headers, claimed)) return Reason::link_nd_bad;
  }
  return Reason::link_nd;
}

// A router or a DHCP server behind an attached port is a host that pretends: such a port carries requests only.
Reason router_discovery(const Headers& headers, const Packet& packet, const InstalledPolicy& installed) {
  const bool attached = installed.port_class[packet.port] != 0;
  if (!installed.policy.link().ra) return Reason::link_ra_off;
  if (headers.icmp_type == nd_router_advertisement && attached) return Reason::link_nd_bad;
  return may_claim(installed, packet, headers, headers.source) ? Reason::link_ra : Reason::link_nd_bad;
}

// Everybody on the link, or a host on it: where DHCP may go. A server behind a relay or a renewal by unicast would be a
// way off the link that no rule names; a client whose renewal fails asks everybody (RFC 2131, section 4.4.5).
bool stays_on_link(const Address& target) {
  constexpr u64 dhcp_servers_high = 0x02ff, dhcp_servers_low = 0x0200'0100'0000'0000;  // ff02::1:2, as on the wire
  if (target.is_ipv4()) return target == Address::ipv4(~u32{0});
  return is_link_local(target) || (target.high == dhcp_servers_high && target.low == dhcp_servers_low);
}

Reason dhcp(const Headers& headers, const Packet& packet, const InstalledPolicy& installed) {
  const bool from_client = (headers.source_port == 68 && headers.target_port == 67) ||
                           (headers.source_port == 546 && headers.target_port == 547);
  const bool from_server = (headers.source_port == 67 && headers.target_port == 68) ||
                           (headers.source_port == 547 && headers.target_port == 546);
  if (!installed.policy.link().dhcp) return Reason::link_dhcp_off;
  if (from_server && installed.port_class[packet.port] != 0) return Reason::spoofed;
  // An IPv4 server may answer to the address that it offers.
  const bool is_sound =
      from_client ? stays_on_link(headers.target) : from_server && (headers.is_ipv4 || stays_on_link(headers.target));
  if (!is_sound) return Reason::link_dhcp_bad;
  return may_claim(installed, packet, headers, headers.source) ? Reason::link_dhcp : Reason::spoofed;
}

}  // namespace

// Half of a day's bytes at once and half as the day goes by: so never more than a day's in any day. Each worker has its
// share. A start begins with little of it.
bool Pipeline::link_affords(const Entry& entry, u32 kind) {
  Tick& due = link_due_[entry.packet.port][kind];
  if (due == 0) due = now_ + link_ahead_us_ - std::min(link_ahead_us_, link_first_bytes * link_byte_us_);
  const u64 ahead = due > now_ ? std::min(due - now_, link_ahead_us_) : 0;
  const u64 cost = link_byte_us_ * entry.packet.bytes;
  if (ahead + cost > link_ahead_us_) return false;
  due = now_ + ahead + cost;
  return true;
}

void Pipeline::begin_link(const LinkRules& link) {
  constexpr u64 day_us = u64{86'400} * tick_second;
  const u64 half = link.bytes_a_day / 2 / config_.workers;
  link_byte_us_ = half == 0 ? day_us : (day_us - 1) / half + 1;
  link_ahead_us_ = half * link_byte_us_;
}

void Pipeline::link_packet(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  judge_link(entry, installed, outcome);
  if (verdict_of(outcome.reason) != Verdict::forward) return;
  const u32 kind = outcome.reason == Reason::link_arp ? 0 : outcome.reason == Reason::link_nd ? 1
                   : outcome.reason == Reason::link_ra ? 2 : 3;
  if (!link_affords(entry, kind)) outcome.reason = Reason::link_spent;
}

void Pipeline::judge_link(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  switch (headers.kind) {
    case PacketKind::arp:
      outcome.reason = !installed.policy.link().arp                               ? Reason::link_arp_off
                       : !may_claim(installed, entry.packet, headers, headers.source) ? Reason::link_arp_spoofed
                                                                                  : Reason::link_arp;
      return;
    case PacketKind::nd: outcome.reason = neighbour_discovery(headers, entry.packet, installed); return;
    case PacketKind::ra: outcome.reason = router_discovery(headers, entry.packet, installed); return;
    case PacketKind::dhcp: outcome.reason = dhcp(headers, entry.packet, installed); return;
    default: return;
  }
}

}  // namespace weir
