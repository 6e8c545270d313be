// The connection manager's messages (MADs on queue pair 1), in which two hosts tell each other the queue pairs that
// they will use. Reads one packet to the letter into plain numbers; it believes nothing of what is in them.
//
// Sources: InfiniBand Architecture Specification volume 1, 12.6 and 12.11 (messages), 13.4.2 (the MAD), 14 (keys);
// annex A11 (addresses and ports of RDMA_CM, in the private data).
#pragma once
#include "dataplane/packet/parse.hpp"

namespace weir {

inline constexpr u32 mad_qp = 1;
inline constexpr u32 mad_queue_key = 0x8001'0000;
inline constexpr u32 mad_bytes = 256;

enum class CmAttribute : u8 {
  req = 0x10,   // asks for a connection, or
  mra = 0x11,   // says that an answer takes longer
  rej = 0x12,   // refuses
  rep = 0x13,   // agrees
  rtu = 0x14,   // the connection stands
  dreq = 0x15,  // ends it
  drep = 0x16,
  sidr_req = 0x17,  // asks for a datagram service's queue pair
  sidr_rep = 0x18,
};

enum class CmTransport : u8 { reliable = 0, unreliable = 1 };

// The service of RDMA_CM with a TCP or UDP port (annex A11.2): 0x0000000001, the IP protocol, the port.
inline constexpr u64 cm_service_tcp = 0x0106'0000, cm_service_udp = 0x0111'0000;
constexpr bool is_tcp_service(u64 id) { return id >> 16 == cm_service_tcp >> 16; }
constexpr bool is_udp_service(u64 id) { return id >> 16 == cm_service_udp >> 16; }
constexpr u16 port_of_service(u64 id) { return static_cast<u16>(id); }

// Numbers in host order; what a message does not have is zero. "Local" is the sender's.
struct CmMessage {
  u64 transaction;
  u64 service;     // REQ, SIDR_REQ, SIDR_REP
  u32 local_id;    // communication IDs; of SIDR the request's
  u32 remote_id;   // all but REQ and SIDR
  u32 qp;          // REQ, REP: the sender's; DREQ: the target's; SIDR_REP: the service's, where status is 0
  u32 psn;         // REQ, REP: where the sender begins
  u32 queue_key;   // REQ, REP: the sender's, for datagrams; SIDR_REP
  u16 partition_key;   // REQ, SIDR_REQ
  u16 path_mtu;        // REQ: bytes
  u16 reason;          // REJ
  u8 status;           // SIDR_REP: 0 is good
  u8 about;            // MRA, REJ: 0 REQ, 1 REP, 2 LAP or none of these
  CmAttribute attribute;
  CmTransport transport;  // REQ
  bool has_alternate;     // REQ: names a second path
  bool has_addresses;     // REQ, SIDR_REQ to a TCP or UDP service: those that follow
  u16 source_port;        // of RDMA_CM, which has no meaning on the wire
  Address source, target;  // of the private data
  Address local_gid, remote_gid;  // REQ: the primary path's ends; one of IPv4 is an IPv4 address
};

enum class CmRead : u8 {
  message,  // whole, and of those above
  other,    // a MAD of another class, or of a method that is none of the connection manager's
  refused,  // LAP, APR, and connections of transports that Weir does not forward
  bad,      // not a MAD to the letter, or a message that contradicts itself
};

// Of a well-formed packet toward queue pair 1. `out` is set where the answer is `message`.
CmRead read_mad(const Headers& headers, const std::byte* frame, CmMessage& out);

// Whether the addresses in a REQ or SIDR_REQ are those of the packet that carries it, both paths and both layers.
bool cm_addresses_hold(const CmMessage& message, const Headers& headers);

// An address as a GID has it: of IPv4 mapped into IPv6 (annex A17.4.7).
Address address_of_gid(const u8* gid);

}  // namespace weir
