// Why a packet ended as it did. Every packet gets exactly one reason, each reason has one verdict and one
// counter, and this table is where they are named: counters, decisions.jsonl and docs/reasons.md come from it.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <string_view>

namespace weir {

enum class Verdict : u8 {
  drop = 0,  // the initial value: what nobody decided is dropped
  forward,   // as it came, byte for byte
  hold,      // the edge keeps the frame under its token until a later outcome names that token
  rewrite,   // forward, after the engine changed the frame in place; perhaps an answer besides
  answer,    // the frame is consumed; the lent answer buffer holds a frame for the port it came from
};

// X(identifier, verdict, stage, sentence). Order is the order of counters and must only grow at a stage's end
// between releases; the image does not depend on it.
#define WEIR_REASONS(X)                                                                                            \
  X(undecided, drop, engine, "nothing decided: the initial value; seen only if the engine has a bug")              \
  X(no_policy, drop, engine, "no policy is installed: everything is denied")                                       \
  X(truncated, drop, parse, "the headers promise more bytes than the frame has")                                   \
  X(ethernet_short, drop, parse, "shorter than an Ethernet header")                                                \
  X(vlan_too_deep, drop, parse, "more than two VLAN tags")                                                         \
  X(vlan_stack_bad, drop, parse, "a priority tag (VLAN 0) beside another tag, or a service tag inside another tag")  \
  X(vlan_id_reserved, drop, parse, "VLAN ID 4095, which 802.1Q forbids on the wire")                               \
  X(ieee_802_3, drop, parse, "a length where the EtherType belongs (802.3, LLC, SNAP)")                            \
  X(ethertype_unknown, drop, parse, "an EtherType that Weir does not forward")                                     \
  X(link_local_protocol, drop, parse, "LLDP, LACP, STP and other link-local control ends here")                    \
  X(mac_source_invalid, drop, parse, "the source MAC is a group address or zero")                                  \
  X(arp_malformed, drop, parse, "ARP that is not canonical: Ethernet/IPv4, own MAC, exact length, zero padding")   \
  X(ipv4_header_bad, drop, parse, "IPv4 version, header length, total length or reserved flag does not hold")      \
  X(ipv4_checksum_bad, drop, parse, "the IPv4 header checksum is wrong")                                           \
  X(ipv4_option_bad, drop, parse, "a malformed IPv4 option list, or an option other than router alert")            \
  X(ipv4_source_route, drop, parse, "loose or strict source routing, or record route")                             \
  X(ipv6_header_bad, drop, parse, "IPv6 version or payload length does not hold (jumbograms included)")            \
  X(ipv6_extension_bad, drop, parse, "an extension header that is malformed, repeated or out of order")            \
  X(ipv6_options_many, drop, parse, "more options in one extension header than the bound")                         \
  X(ipv6_routing_header, drop, parse, "a routing header with segments left (RFC 5095 and kin)")                    \
  X(ttl_zero, drop, parse, "TTL or hop limit is zero")                                                             \
  X(source_martian, drop, parse, "a source no host may have: multicast, broadcast, loopback, unspecified")         \
  X(target_martian, drop, parse,                                                                                   \
    "a target that never crosses a wire: loopback, unspecified, ffff:ffff:ffff:ffff::/64")                         \
  X(land, drop, parse, "source and target are the same endpoint")                                                  \
  X(fragment_bad, drop, parse, "a fragment with DF or reserved bits, or a length that no fragment has")            \
  X(fragment_atomic, drop, parse, "an IPv6 fragment that is the whole packet (RFC 6946, 8021)")                    \
  X(fragment_too_long, drop, parse, "a fragment that ends beyond the longest datagram (ping of death)")            \
  X(fragment_tiny, drop, parse, "a fragment too small, or a first one without all headers (RFC 1858, 3128, 7112)") \
  X(tcp_header_bad, drop, parse, "TCP shorter than its header, a bad data offset or malformed options")            \
  X(tcp_flags_bad, drop, parse, "a flag combination no TCP sends (null, xmas, SYN+FIN, SYN+RST, FIN without ACK)") \
  X(udp_header_bad, drop, parse, "UDP length is not exactly the IP payload")                                       \
  X(icmp_header_bad, drop, parse, "ICMP too short, deprecated, of the wrong family, or with a doubtful quote")     \
  X(sctp_header_bad, drop, parse, "SCTP without a whole first chunk, or INIT with company or a tag")               \
  X(l4_header_bad, drop, parse, "another transport header shorter than its minimum")                               \
  X(port_zero, drop, parse, "a TCP, UDP or SCTP port of zero")                                                     \
  X(tunnel_header_bad, drop, parse, "a VXLAN, Geneve, GRE or IP-in-IP header that does not hold to the letter")     \
  X(tunnel_payload_unknown, drop, parse, "a tunnel that carries something other than Ethernet, IPv4 or IPv6")       \
  X(tunnel_too_deep, drop, parse, "more than two tunnels in each other, or a numbered network inside another")      \
  X(tunnel_vlan, drop, parse, "a VLAN tag inside a tunnel")                                                         \
  X(tunnel_fragment, drop, parse, "a fragment inside a tunnel, or of a tunnel's own packet")                        \
  X(roce_v1, drop, parse, "RoCEv1: RDMA without IP, so without an address that policy knows")                      \
  X(roce_opcode, drop, parse, "RoCEv2 of a transport or operation that Weir does not know")                        \
  X(roce_header_bad, drop, parse, "RoCEv2 whose headers, pad or lengths are not its opcode's to the letter")       \
  X(roce_fragment, drop, parse, "a fragment of RoCEv2, which nothing fragments")                                   \
  X(fragment, drop, whole, "an IP fragment, where the policy wants none")                                          \
  X(fragment_held, hold, whole, "a fragment of a datagram that is not whole yet")                                  \
  X(fragment_duplicate, drop, whole, "a fragment that has come before, byte for byte")                             \
  X(fragment_differs, drop, whole, "a fragment that has come before with other bytes")                             \
  X(fragment_overlap, drop, whole, "fragments that overlap (teardrop and kin; RFC 5722)")                          \
  X(fragment_mixed, drop, whole, "fragments that disagree on length, next header or ECN of their datagram")        \
  X(fragment_many, drop, whole, "more fragments than one datagram may have")                                       \
  X(fragment_table_full, drop, whole, "no room to hold it: none is left, or its port or source has its share")     \
  X(fragment_timeout, drop, whole, "the rest of its datagram did not come in time")                                \
  X(fragment_no_first, drop, whole, "the first fragment of its datagram did not come in time")                     \
  X(l4_checksum_bad, drop, whole, "the checksum of TCP, UDP, SCTP or ICMP is wrong, or UDP on IPv6 has none")        \
  X(roce_icrc_bad, drop, whole, "RoCEv2 whose ICRC is wrong, where [rdma] has it checked")                         \
  X(uet_header_bad, drop, whole, "Ultra Ethernet whose headers are not its packet type's")                         \
  X(spoofed, drop, identity, "the source does not belong to the port it came in by")                               \
  X(spoofed_mac, drop, identity, "the source MAC is not one the port's pin lists")                                 \
  X(wrong_side, drop, identity, "a packet of a known flow that came in by the other side")                         \
  X(link_arp_off, drop, link, "ARP, which [link] does not allow")                                                  \
  X(link_nd_off, drop, link, "IPv6 neighbour discovery, which [link] does not allow")                              \
  X(link_ra_off, drop, link, "IPv6 router advertisement or solicitation, which [link] does not allow")             \
  X(link_redirect, drop, link, "an ICMP or ICMPv6 redirect: never forwarded")                                      \
  X(link_dhcp_off, drop, link, "DHCP, which [link] does not allow")                                                \
  X(link_dhcp_bad, drop, link, "DHCP that would leave the link, or between ports of no client and server")         \
  X(link_nd_bad, drop, link, "neighbour discovery off the link (hop limit), malformed or spoofed")                 \
  X(link_arp_spoofed, drop, link, "ARP whose sender is not what its port may claim")                               \
  X(link_spent, drop, link, "its port has sent as much of its kind in a day as [link] budget lets it")             \
  X(no_allow, drop, policy, "no allow covers it")                                                                  \
  X(forbidden, drop, policy, "a forbid covers it")                                                                 \
  X(expired, drop, policy, "the allow that covered it has expired")                                                \
  X(revoked, drop, policy, "the policy in force no longer allows this flow")                                       \
  X(tcp_not_syn, drop, state, "TCP without a flow that does not open one (mid-stream start)")                      \
  X(tcp_state, drop, state, "a TCP segment that the flow's state does not permit")                                 \
  X(tcp_window, drop, state, "TCP data beyond the window, older than it, or after its own FIN")                    \
  X(tcp_bad_ack, drop, state, "acknowledges what was never sent, or what lies too far back")                       \
  X(tcp_bad_rst, drop, state, "a RST that does not have the exact number")                                         \
  X(tcp_syn_data, drop, state, "data in a SYN or SYN-ACK")                                                         \
  X(icmp_unmatched, drop, state, "an ICMP error that quotes no flow, nothing in flight, or the wrong way round")   \
  X(icmp_no_request, drop, state, "an ICMP reply without its request")                                             \
  X(table_full, drop, state, "the flow table is full, and of flows that a newcomer must not displace")             \
  X(table_reserved, drop, state, "what is free in the flow table is other segments' reserve")                      \
  X(table_crowded, drop, state, "the flow table finds no place for this key (improbable)")                         \
  X(syn_cookie_bad, drop, state, "an ACK without a flow, whose cookie Weir did not make or made too long ago")       \
  X(syn_proxy_pending, drop, state, "of a proxied connection whose server has not answered: the window is closed")  \
  X(syn_proxy_unanswered, drop, state, "a SYN that would be proxied and cannot be answered: to a group, or no room") \
  X(rdma_no_queue_pair, drop, state, "no queue pair that was learned, declared or allowed has this target")        \
  X(rdma_operation, drop, state, "an operation that its queue pair may not do: by allow, job, or who holds an asset")  \
  X(rdma_not_ready, drop, state, "of a queue pair whose connection its opener has not confirmed")                  \
  X(rdma_closed, drop, state, "of a queue pair whose connection has been ended")                                   \
  X(rdma_first_use_many, drop, state, "its source has as many queue pairs open by first use as its allow lets it")   \
  X(rdma_read_unpaired, drop, state, "a READ whose other direction is not known: nothing could be charged")        \
  X(rdma_read_credit, drop, state, "a READ of more than its queue pair may have outstanding (read_credit)")        \
  X(rdma_read_penalty, drop, state, "a READ by who was refused by this target a moment ago")                       \
  X(rdma_cm_bad, drop, state, "no message of a connection manager to the letter, or about other addresses")        \
  X(rdma_cm_state, drop, state, "a connection manager's message that nothing before it permits")                   \
  X(rdma_cm_full, drop, state, "no room to remember the connection that it asks for")                              \
  X(stream_ahead, drop, state, "beyond a gap in a connection's first bytes, which are read in order: it comes again") \
  X(stream_differs, drop, state, "says otherwise what the connection has said before in its first bytes")          \
  X(rdma_cm_many, drop, flood, "its source asks for RDMA connections faster than [rdma] cm")                       \
  X(rdma_cnp_many, drop, flood, "its source notifies of congestion faster than [rdma] cnp")                        \
  X(job_outsider, drop, policy, "between a member of a job and who is none of it")                                 \
  X(job_transport, drop, policy, "a queue pair of a kind that no job of both ends lists in `transport`")           \
  X(job_sealed, drop, policy, "a queue pair of a job that has been sealed")                                        \
  X(job_tag, drop, policy, "a handshake that does not name its job's tag")                                         \
  X(quarantined_host, drop, policy, "from or to a host, or of a flow, that an operator has put into quarantine")   \
  X(uet_job, drop, policy, "Ultra Ethernet that does not name its job's JobID, of a job that states one")          \
  X(flood_source, drop, flood, "its source opens flows faster than [flood] new_per_source")                        \
  X(flood_target, drop, flood, "flows toward its target open faster than [flood] new_per_target")                  \
  X(flood_icmp, drop, flood, "ICMP flows open faster than [flood] icmp")                                           \
  X(flood_half_open, drop, flood, "too many half-open flows, in all or toward its target")                         \
  X(flood_udp, drop, flood, "too many UDP flows")                                                                  \
  X(scan_blocked, drop, flood, "its source has been recognised as a scanner and may open nothing for a time")      \
  X(inspect_signature, drop, inspect, "its payload, or what came before in its flow, holds what an inspection seeks")\
  X(inspect_tensor, drop, inspect, "its connection carries numbers that look like a model's weights")              \
  X(inspect_opaque, drop, inspect, "its connection carries what cannot be read: encrypted or compressed")          \
  X(inspect_protocol, drop, inspect, "its connection does not begin as its service's protocol does")               \
  X(inspect_fragment, drop, inspect, "a fragment of what has to be inspected: only whole packets are")             \
  X(inspect_busy, drop, inspect, "inspection has no time left: it waits for its sender to send it again")          \
  X(inspect_full, drop, inspect, "no room to inspect its connection, or nothing installed to do it with")          \
  X(quarantined, drop, inspect, "from or to a port that is cut off, since what it sent itself was found")          \
  X(dns_malformed, drop, inspect, "no whole DNS query or answer to the letter, where its allow takes nothing else")  \
  X(dns_name_long, drop, inspect, "asks for a name longer than its allow's DNS terms let it")                       \
  X(dns_rate, drop, inspect, "its source asks DNS more often than its allow's terms let it")                        \
  X(dns_domains, drop, inspect, "its source has asked for names of as many registered domains as it may")           \
  X(dns_information, drop, inspect, "its source has told as much in names below this domain as it may")             \
  X(dns_answer_large, drop, inspect, "a DNS answer longer than its allow's terms let it be")                        \
  X(icmp_payload, drop, inspect, "carries a payload in ICMP, which its allow does not let it")                      \
  X(limit_bytes, drop, limit, "its connection's limit has no bytes left for now")                                  \
  X(limit_packets, drop, limit, "its connection's limit has no packets left for now")                              \
  X(limit_new, drop, limit, "a limit on new connections has none left for now")                                    \
  X(limit_connections, drop, limit, "a limit's connections are all in use")                                        \
  X(budget_spent, drop, budget, "a budget that covers it has less left than it takes, or nothing lent yet")        \
  X(budget_closed, drop, budget, "a budget that covers it has no account: no ledger, or more hosts than stated")   \
  X(budget_crowded, drop, budget, "no room to remember what it would be charged to")                               \
  X(port_unknown, drop, engine, "a port outside every pair")                                                       \
  X(handover_full, drop, engine, "its worker is behind: the ring between two workers is full")                     \
  X(guard_unenforced, drop, guard, "on a port of the kernel: what the guard looks not into, or terms it cannot keep") \
  X(guard_silent, drop, guard, "on a port of the kernel that is closed while the dataplane's heartbeat is missing")  \
  X(rejected_reset, answer, policy, "denied, and answered by a TCP reset as policy asks")                          \
  X(rejected_unreachable, answer, policy, "denied, and answered by an ICMP unreachable as policy asks")            \
  X(flow_new, forward, state, "opens a flow that an allow covers")                                                 \
  X(flow_established, forward, state, "belongs to a flow that is allowed, either direction")                       \
  X(tcp_challenge, forward, state, "a SYN or RST on a known flow, or its answer: for the endpoint, changes nothing") \
  X(tcp_loose, forward, state, "outside the flow's window, which profile loose passes")                            \
  X(syn_proxy_answered, answer, state, "a SYN, answered with a cookie in the target's place: nothing is kept")       \
  X(syn_proxy_opened, rewrite, state, "an ACK that brings its cookie back: the target gets the SYN")                \
  X(syn_proxy_joined, rewrite, state, "the target's SYN-ACK: acknowledged, and the client gets its window")         \
  X(flow_translated, rewrite, state, "belongs to an allowed proxied flow: numbers are the other side's")            \
  X(icmp_translated, rewrite, state, "as icmp_related, about a proxied flow: the quoted number is its sender's")    \
  X(scrubbed, rewrite, state, "would be forwarded as it is: what its allow scrubs or normalises was written over")   \
  X(rdma_connection, forward, state, "connection managers arrange or end an allowed RDMA connection")               \
  X(icmp_related, forward, state, "an ICMP error about an allowed flow, toward the quoted sender")                 \
  X(link_arp, forward, link, "ARP, allowed by [link]")                                                             \
  X(link_nd, forward, link, "neighbour discovery, allowed by [link]")                                              \
  X(link_ra, forward, link, "router advertisement or solicitation, allowed by [link]")                             \
  X(link_dhcp, forward, link, "DHCP, allowed by [link]")

enum class Reason : u8 {
#define WEIR_REASON(identifier, verdict, stage, sentence) identifier,
  WEIR_REASONS(WEIR_REASON)
#undef WEIR_REASON
};

struct ReasonRow {
  std::string_view name;
  Verdict verdict;
  std::string_view stage;
  std::string_view sentence;
};

inline constexpr ReasonRow reason_rows[] = {
#define WEIR_REASON(identifier, verdict, stage, sentence) {#identifier, Verdict::verdict, #stage, sentence},
    WEIR_REASONS(WEIR_REASON)
#undef WEIR_REASON
};
inline constexpr std::size_t reasons_count = std::size(reason_rows);

constexpr const ReasonRow& row(Reason reason) { return reason_rows[static_cast<u8>(reason)]; }

// The verdict column alone, one byte a row: what each packet looks up.
struct ReasonVerdicts {
  Verdict of[reasons_count];
};
inline constexpr ReasonVerdicts reason_verdicts = [] {
  ReasonVerdicts verdicts{};
  for (std::size_t i = 0; i < reasons_count; ++i) verdicts.of[i] = reason_rows[i].verdict;
  return verdicts;
}();
constexpr Verdict verdict_of(Reason reason) { return reason_verdicts.of[static_cast<u8>(reason)]; }

constexpr std::string_view verdict_name(Verdict verdict) {
  constexpr std::string_view names[] = {"drop", "forward", "hold", "rewrite", "answer"};
  return names[static_cast<u8>(verdict)];
}

}  // namespace weir
