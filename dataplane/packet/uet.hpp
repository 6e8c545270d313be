// Ultra Ethernet on the wire (UDP port 4793): which packet it is, and the job that it says it belongs to, where it is
// not encrypted. It judges no more than what a packet's type says of its headers.
//
// Source: Ultra Ethernet Consortium, Ultra Ethernet Specification 1.0: its packet delivery sublayer (PDS) and semantic
// sublayer (SES).
#pragma once
#include "dataplane/base/bytes.hpp"

namespace weir {

inline constexpr u16 uet_port = 4793;

// PDS packet types: the upper five bits of the first byte.
enum class UetType : u8 {
  encrypted = 1,  // TSS: nothing behind it can be read
  rud_request = 2,
  rod_request = 3,
  rudi_request = 4,
  rudi_response = 5,
  uud_request = 6,
  ack = 7,
  ack_cc = 8,
  ack_ccx = 9,
  nack = 10,
  control = 11,
  nack_ccx = 12,
  rud_cc_request = 13,
  rod_cc_request = 14,
};

struct UetPacket {
  UetType type;
  u8 semantics;     // what follows PDS: 0 nothing, 1 to 3 a request, 4 to 6 a response
  u32 pds_bytes;    // 0 where it is encrypted
  bool has_job;
  u32 job;          // 24 bits
};

// Reads the payload of a UDP datagram. False: a type or a next header that does not exist, or fewer bytes than they
// have (`out` is then of no use).
bool read_uet(const u8* at, u32 bytes, UetPacket& out);

}  // namespace weir
