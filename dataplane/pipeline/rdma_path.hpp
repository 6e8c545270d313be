// What the files of the RDMA path share: offers of queue pairs, and what policy lets them do. Internal to
// dataplane/pipeline, but for who judges what another instance teaches.
#pragma once
#include "dataplane/flow/queue_pair.hpp"
#include "dataplane/packet/rdma.hpp"
#include "dataplane/pipeline/burst.hpp"

namespace weir {

inline constexpr u32 no_queue_pair = ~u32{0};
inline constexpr u32 rdma_management_qp = 1;  // of what manages: the connection manager's

// Somebody says that these two may speak: a connection manager, a handshake elsewhere, policy, or a first packet.
struct PairOffer {
  LearnedPair pair;    // a number that nobody knows is no_queue_pair
  u32 scope;           // FlowKey::scope of class rdma
  u32 opener_port;     // by which packets of the opener come in
  u16 service_port;    // 0: what needs no connection manager
  bool has_tag;        // pair.tag was said
  bool is_first_use;
  bool is_datagram;    // a service of datagrams was resolved
  Tick at;             // when it was learned: its job is asked about then
};

// What a queue pair carries that was resolved as a service of datagrams, where policy permits it.
inline constexpr u8 datagram_operations = rdma_datagram | rdma_cnp;

// What policy is asked about a queue pair.
Question rdma_question(const InstalledPolicy& installed, const Address& opener, const Address& replier, u32 scope,
                       u32 opener_port, u16 service_port);

struct RdmaRights {
  Reason reason;      // undecided, or why there are none
  u8 operations[2];   // of the opener's direction, and the replier's
  u32 job;            // 1 + index; 0: of none
};
// `transport`: image::transport_* by which it opens, or 0: by a connection manager.
RdmaRights rdma_rights(const InstalledPolicy& installed, const Judgement& judgement, u8 transport);

// Of what has no service's port: learned from NCCL's handshake, or declared or used first.
constexpr u8 transport_of(u16 service_port, bool is_nccl) {
  if (service_port != 0) return 0;
  return is_nccl ? image::transport_nccl : image::transport_roce;
}

inline Bth bth_of(const Packet& packet, const Headers& headers) {
  return {reinterpret_cast<const u8*>(packet.data) + headers.l4_offset + udp_bytes};
}

}  // namespace weir
