// RDMA on the wire (RoCEv2): InfiniBand's headers behind UDP port 4791, which operation each opcode is, and what a
// packet of it must look like. It reads one packet and knows no queue pair; MADs are mad.hpp's, the ICRC is icrc.hpp's.
//
// Sources: InfiniBand Architecture Specification volume 1, 9.2 (BTH and opcodes) and 9.3 (extended headers); annex A17
// (RoCEv2: congestion notification packets).
#pragma once
#include "dataplane/packet/reason.hpp"

#include <array>

namespace weir {

// What a packet does, one bit each: in policy, in images, in records. A READ's request and its responses are one.
inline constexpr u8 rdma_send = 1, rdma_write = 2, rdma_read = 4, rdma_atomic = 8;
inline constexpr u8 rdma_ack = 16;       // ACK and NAK
inline constexpr u8 rdma_cnp = 32;       // congestion notification
inline constexpr u8 rdma_datagram = 64;  // UD, the connection manager's MADs too
inline constexpr u8 rdma_operations_all = 127;

// BTH opcodes, reliable connection; an unreliable connection's are these and rdma_unreliable, sends and writes alone.
inline constexpr u8 rdma_send_first = 0x00, rdma_send_middle = 0x01, rdma_send_last = 0x02,
                    rdma_send_last_immediate = 0x03, rdma_send_only = 0x04, rdma_send_only_immediate = 0x05;
inline constexpr u8 rdma_write_first = 0x06, rdma_write_middle = 0x07, rdma_write_last = 0x08,
                    rdma_write_last_immediate = 0x09, rdma_write_only = 0x0a, rdma_write_only_immediate = 0x0b;
inline constexpr u8 rdma_read_request = 0x0c, rdma_read_first = 0x0d, rdma_read_middle = 0x0e, rdma_read_last = 0x0f,
                    rdma_read_only = 0x10;  // the last four are responses
inline constexpr u8 rdma_acknowledge = 0x11, rdma_atomic_acknowledge = 0x12, rdma_compare_swap = 0x13,
                    rdma_fetch_add = 0x14, rdma_send_last_invalidate = 0x16, rdma_send_only_invalidate = 0x17;
inline constexpr u8 rdma_unreliable = 0x20;
inline constexpr u8 rdma_ud_send_only = 0x64, rdma_ud_send_only_immediate = 0x65;
inline constexpr u8 rdma_congestion = 0x81;

inline constexpr u32 bth_bytes = 12, icrc_bytes = 4;
inline constexpr u32 rdma_mtu_least = 256, rdma_mtu_most = 4096;  // the five path MTUs are powers of two
inline constexpr u32 rdma_message_most = u32{1} << 31;            // bytes: 9.3.3.1.3

// Where a packet stands in its message.
enum class RdmaPlace : u8 { only, first, middle, last };

// Extended headers that have a say beyond their length; an immediate, an IETH and atomic ones have none.
inline constexpr u8 rdma_has_reth = 1, rdma_has_aeth = 2, rdma_has_deth = 4, rdma_has_reserved = 8;

// What a packet of an opcode is. Everything is zero for an opcode that is none, of a transport that Weir refuses (RD,
// XRC), or of the memory placement extensions (FLUSH, ATOMIC WRITE).
struct RdmaForm {
  u8 operation;     // one bit of the mask; 0: refused
  u8 header_bytes;  // from BTH to the payload
  u8 parts;
  RdmaPlace place;
  bool is_reliable;
  bool is_mtu;  // the payload is a path MTU, without pad
  u16 payload_least, payload_most;
};

inline constexpr std::array<RdmaForm, 256> rdma_forms = [] {
  std::array<RdmaForm, 256> forms{};
  constexpr u8 immediate = 4, reth = 16, aeth = 4, deth = 8, atomic = 28, atomic_answer = 8, invalidate = 4;
  constexpr u16 most = rdma_mtu_most;
  using enum RdmaPlace;
  const auto whole = [&](u8 opcode, u8 operation, u8 extended, u8 parts, RdmaPlace place, u16 least, u16 limit) {
    const auto bytes = static_cast<u8>(bth_bytes + extended);
    forms[opcode] = {operation, bytes, parts, place, opcode < rdma_unreliable, false, least, limit};
  };
  const auto piece = [&](u8 opcode, u8 operation, u8 extended, u8 parts, RdmaPlace place) {
    whole(opcode, operation, extended, parts, place, rdma_mtu_least, most);
    forms[opcode].is_mtu = true;
  };
  for (const u8 transport : {u8{0}, rdma_unreliable}) {
    const auto of = [&](u8 opcode) { return static_cast<u8>(transport + opcode); };
    piece(of(rdma_send_first), rdma_send, 0, 0, first);
    piece(of(rdma_send_middle), rdma_send, 0, 0, middle);
    whole(of(rdma_send_last), rdma_send, 0, 0, last, 1, most);
    whole(of(rdma_send_last_immediate), rdma_send, immediate, 0, last, 1, most);
    whole(of(rdma_send_only), rdma_send, 0, 0, only, 0, most);
    whole(of(rdma_send_only_immediate), rdma_send, immediate, 0, only, 0, most);
    piece(of(rdma_write_first), rdma_write, reth, rdma_has_reth, first);
    piece(of(rdma_write_middle), rdma_write, 0, 0, middle);
    whole(of(rdma_write_last), rdma_write, 0, 0, last, 1, most);
    whole(of(rdma_write_last_immediate), rdma_write, immediate, 0, last, 1, most);
    whole(of(rdma_write_only), rdma_write, reth, rdma_has_reth, only, 0, most);
    whole(of(rdma_write_only_immediate), rdma_write, reth + immediate, rdma_has_reth, only, 0, most);
  }
  whole(rdma_read_request, rdma_read, reth, rdma_has_reth, only, 0, 0);
  piece(rdma_read_first, rdma_read, aeth, rdma_has_aeth, first);
  piece(rdma_read_middle, rdma_read, 0, 0, middle);
  whole(rdma_read_last, rdma_read, aeth, rdma_has_aeth, last, 1, most);
  whole(rdma_read_only, rdma_read, aeth, rdma_has_aeth, only, 0, most);
  whole(rdma_acknowledge, rdma_ack, aeth, rdma_has_aeth, only, 0, 0);
  whole(rdma_atomic_acknowledge, rdma_atomic, aeth + atomic_answer, rdma_has_aeth, only, 0, 0);
  whole(rdma_compare_swap, rdma_atomic, atomic, 0, only, 0, 0);
  whole(rdma_fetch_add, rdma_atomic, atomic, 0, only, 0, 0);
  whole(rdma_send_last_invalidate, rdma_send, invalidate, 0, last, 1, most);
  whole(rdma_send_only_invalidate, rdma_send, invalidate, 0, only, 0, most);
  whole(rdma_ud_send_only, rdma_datagram, deth, rdma_has_deth, only, 0, most);
  whole(rdma_ud_send_only_immediate, rdma_datagram, deth + immediate, rdma_has_deth, only, 0, most);
  whole(rdma_congestion, rdma_cnp, 16, rdma_has_reserved, only, 0, 0);
  return forms;
}();

constexpr u8 rdma_operation_of(u8 opcode) { return rdma_forms[opcode].operation; }

// The extended headers, at the bytes they stand at. Fields are host order.
struct Reth {  // of WRITE first and only, READ request
  const u8* at;
  u64 address() const { return swap(load<u64>(at)); }
  u32 remote_key() const { return load_be32(at + 8); }
  u32 length() const { return load_be32(at + 12); }
};

struct Aeth {  // of ACK, atomic acknowledge, READ response but the middle ones
  const u8* at;
  u8 syndrome() const { return at[0]; }
  bool is_ack() const { return at[0] >> 5 == 0; }
  bool is_not_ready() const { return at[0] >> 5 == 1; }  // RNR NAK
  bool is_nak() const { return at[0] >> 5 == 3; }        // 0x60 PSN, 61 invalid request, 62 remote access, 63 operation
  u32 message_number() const { return load_be32(at) & 0xff'ffff; }
};

struct Deth {  // of UD
  const u8* at;
  u32 queue_key() const { return load_be32(at); }
  u32 source_qp() const { return load_be32(at + 4) & 0xff'ffff; }
};

struct AtomicEth {  // of compare and swap, fetch and add
  const u8* at;
  u64 address() const { return swap(load<u64>(at)); }
  u32 remote_key() const { return load_be32(at + 8); }
  u64 swap_or_add() const { return swap(load<u64>(at + 12)); }
  u64 compare() const { return swap(load<u64>(at + 20)); }
};

// The base transport header.
struct Bth {
  const u8* at;
  u8 opcode() const { return at[0]; }
  const RdmaForm& form() const { return rdma_forms[at[0]]; }
  bool is_solicited() const { return (at[1] & 0x80) != 0; }
  bool has_migrated() const { return (at[1] & 0x40) != 0; }
  u32 pad_bytes() const { return at[1] >> 4 & 3; }
  u16 partition_key() const { return load_be16(at + 2); }
  bool is_forward_congested() const { return (at[4] & 0x80) != 0; }   // FECN
  bool is_backward_congested() const { return (at[4] & 0x40) != 0; }  // BECN
  u32 target_qp() const { return load_be32(at + 4) & 0xff'ffff; }
  bool wants_ack() const { return (at[8] & 0x80) != 0; }
  u32 psn() const { return load_be32(at + 8) & 0xff'ffff; }
  // Each only of an opcode that has it.
  Reth reth() const { return {at + bth_bytes}; }
  Aeth aeth() const { return {at + bth_bytes}; }
  Deth deth() const { return {at + bth_bytes}; }
  AtomicEth atomic() const { return {at + bth_bytes}; }
};

// What the extended headers say beyond where they end: no reserved bit, no message longer than there are, a WRITE's
// length that its payload does not contradict. They are there.
inline bool rdma_parts_hold(const RdmaForm& form, const Bth& bth, u32 payload_bytes) {
  if ((form.parts & rdma_has_aeth) != 0) return (bth.at[bth_bytes] & 0x80) == 0 && bth.at[bth_bytes] >> 5 != 2;
  if ((form.parts & rdma_has_deth) != 0) return bth.at[bth_bytes + 4] == 0;
  if ((form.parts & rdma_has_reserved) != 0)
    return (load<u64>(bth.at + bth_bytes) | load<u64>(bth.at + bth_bytes + 8)) == 0;
  const u32 length = bth.reth().length();
  if (length > rdma_message_most) return false;
  if (form.operation == rdma_read) return true;
  return form.place == RdmaPlace::first ? length > payload_bytes : length == payload_bytes;
}

// Judges the `bytes` behind a UDP header, ICRC included, which are one packet: undecided, and `payload_bytes` is what
// stands between header and pad; or roce_opcode, or roce_header_bad. Reads BTH's 12 bytes when `bytes` are fewer too.
inline Reason judge_rdma(const Bth& bth, u32 bytes, u32& payload_bytes) {
  // TVer, as loaded. Not the six bits beside FECN and BECN, which the ICRC leaves out: network cards and switches mark
  // packets in them.
  constexpr u64 reserved = 0x0f00;
  const RdmaForm& form = bth.form();
  const u64 first = load<u64>(bth.at);
  const u32 pad = static_cast<u32>(first) >> 12 & 3, room = bytes - form.header_bytes - icrc_bytes;
  payload_bytes = room - pad;  // of a packet that is too short, more than any has
  if (form.operation == 0) [[unlikely]]
    return Reason::roce_opcode;
  const bool sized = static_cast<u32>(payload_bytes - form.payload_least) <=
                     static_cast<u32>(form.payload_most - form.payload_least);
  const bool is_mtu = ((payload_bytes & (payload_bytes - 1)) | pad) == 0;
  const bool holds = ((first & reserved) == 0) & ((bth.at[8] & 0x7f) == 0) & (first >> 40 != 0) & (room % 4 == 0) &
                     sized & (is_mtu | !form.is_mtu);
  if (!holds) [[unlikely]]
    return Reason::roce_header_bad;
  return form.parts == 0 || rdma_parts_hold(form, bth, payload_bytes) ? Reason::undecided : Reason::roce_header_bad;
}

}  // namespace weir
