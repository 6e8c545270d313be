// What a record says of an RDMA queue pair, as the target of one sender: reliable and unreliable connections name only
// whom a packet is for, so each direction of a pair has a record of its own, and names the other by its number.
//
// Source: InfiniBand Architecture Specification, volume 1, 9.2 (headers); RoCEv2, annex A17.
#pragma once
#include "dataplane/flow/record.hpp"

namespace weir {

enum class QueuePairState : u8 {
  announced,  // its ends have been told of each other; the replier of a connection waits for the opener
  open,
  closed,     // ended by its connection manager: stragglers are named
};

// Whether `one` is after `other`, of sequence numbers that go round after 2^24.
constexpr bool is_newer(u32 one, u32 other) { return ((one - other) & 0xff'ffff) - 1 < 0x7f'ffff; }

inline bool is_first_use(const FlowRecord& record) { return (record.edge[1] >> 23 & 1) != 0; }

// A view of a record of FlowClass::rdma.
//
// In the record: opener_scale whether a packet has come by : 1, whether it is NCCL's : 1, whether a datagram service
// was resolved : 1, whether it is watched : 1; end[0] operations : 8, PSN : 24; end[1] the other direction's
// number : 24, whether it is known : 1, the upper bits of the credit : 7; edge[0] the lower ones of the credit of READ
// responses in bytes; edge[1] port of the service : 16, 1 + index of the job : 7, whether it was opened by first
// use : 1, READs that are not answered : 8.
class QueuePair {
 public:
  explicit QueuePair(FlowRecord& record) : record_(record) {}

  QueuePairState state() const { return static_cast<QueuePairState>(record_.state); }
  void set_state(QueuePairState state) { record_.set_state(static_cast<u8>(state)); }

  // Whether a packet has come by.
  bool is_begun() const { return (record_.opener_scale & 1) != 0; }
  void begin() { record_.opener_scale = record_.opener_scale | 1; }
  // Whether NCCL's handshake told of it.
  bool is_nccl() const { return (record_.opener_scale & 2) != 0; }
  void set_nccl() { record_.opener_scale = record_.opener_scale | 2; }
  // Whether it was resolved as a datagram service: datagrams are all that it carries.
  bool is_datagram() const { return (record_.opener_scale & 4) != 0; }
  void set_datagram() { record_.opener_scale = record_.opener_scale | 4; }
  // Whether its job watches what its members send: its packets do not go the short way.
  bool is_watched() const { return (record_.opener_scale & 8) != 0; }
  void set_watched(bool watched) { record_.opener_scale = ((record_.opener_scale & 7u) | (watched ? 8u : 0u)) & 15; }

  // What may travel this way, by dataplane/packet/rdma.hpp: rdma_read stands for READ requests, this for what answers
  // the other direction's.
  static constexpr u8 read_responses = 128;
  u8 operations() const { return static_cast<u8>(record_.end[0] >> 24); }
  void set_operations(u8 operations) { record_.end[0] = (record_.end[0] & 0xff'ffff) | u32{operations} << 24; }

  // The highest packet sequence number seen. Fabrics that spray packets deliver out of order: it is told, not enforced.
  u32 psn() const { return record_.end[0] & 0xff'ffff; }
  void set_psn(u32 psn) { record_.end[0] = (record_.end[0] & 0xff00'0000) | (psn & 0xff'ffff); }

  bool has_partner() const { return (record_.end[1] >> 24 & 1) != 0; }
  u32 partner() const { return record_.end[1] & 0xff'ffff; }
  void set_partner(u32 number) { record_.end[1] = (number & 0xff'ffff) | 1u << 24; }

  static constexpr u64 credit_max = (u64{1} << 39) - 1;
  u64 credit() const { return u64{record_.end[1] >> 25} << 32 | record_.edge[0]; }
  void set_credit(u64 bytes) {
    record_.edge[0] = static_cast<u32>(bytes);
    record_.end[1] = (record_.end[1] & 0x1ff'ffff) | static_cast<u32>(bytes >> 32) << 25;
  }

  u16 port() const { return static_cast<u16>(record_.edge[1]); }
  void set_port(u16 port) { record_.edge[1] = (record_.edge[1] & ~u32{0xffff}) | port; }
  u32 job() const { return record_.edge[1] >> 16 & 0x7f; }  // 0: none
  void set_job(u32 job) { record_.edge[1] = (record_.edge[1] & ~(u32{0x7f} << 16)) | (job & 0x7f) << 16; }
  // Opened by its own first packet: whether is_first_use() says so.
  void set_first_use() { record_.edge[1] |= 1u << 23; }

  // READ requests of the other direction whose responses have not come to an end.
  static constexpr u32 reads_max = 255;
  u32 reads() const { return record_.edge[1] >> 24; }
  void set_reads(u32 reads) { record_.edge[1] = (record_.edge[1] & 0xff'ffff) | reads << 24; }

 private:
  FlowRecord& record_;
};

}  // namespace weir
