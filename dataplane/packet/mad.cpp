// Offsets are those of the tables of 12.6, from the message's first byte, which is the MAD's 24th.
#include "dataplane/packet/mad.hpp"

#include "dataplane/packet/rdma.hpp"

namespace weir {
namespace {

constexpr u32 header_bytes = 24;
constexpr u32 qp_least = 2, qp_most = 0xff'fffe;  // not the manager's own, and not the group's

u32 load_be24(const u8* at) { return load_be32(at) >> 8; }

bool is_zero(const u8* at, u32 bytes) {
  u8 seen = 0;
  for (u32 i = 0; i < bytes; ++i) seen |= at[i];
  return seen == 0;
}

bool is_data_qp(u32 qp) { return qp >= qp_least && qp <= qp_most; }

// Annex A11.4: version 0, the family, the port and both addresses, of which IPv4 fills the last four bytes. False: not
// so, although the service is one that has them.
bool read_addresses(CmMessage& out, const u8* data) {
  if (!is_tcp_service(out.service) && !is_udp_service(out.service)) return true;
  constexpr u8 version_ipv4 = 0x40, version_ipv6 = 0x60;
  const u8* source = data + 4;
  const u8* target = data + 20;
  if (data[0] != 0 || (data[1] != version_ipv4 && data[1] != version_ipv6)) return false;
  out.source_port = load_be16(data + 2);
  out.has_addresses = true;
  if (data[1] == version_ipv6) {
    out.source = Address::ipv6(source);
    out.target = Address::ipv6(target);
    return true;
  }
  out.source = Address::ipv4(load<u32>(source + 12));
  out.target = Address::ipv4(load<u32>(target + 12));
  return is_zero(source, 12) && is_zero(target, 12);
}

CmRead read_req(CmMessage& out, const u8* body) {
  constexpr u32 primary = 52, alternate = 96, path_bytes = 44, private_data = 140;
  out.service = load_be64(body + 8);
  out.queue_key = load_be32(body + 28);
  out.qp = load_be24(body + 32);
  out.psn = load_be24(body + 44);
  out.partition_key = load_be16(body + 48);
  out.local_gid = address_of_gid(body + primary + 4);
  out.remote_gid = address_of_gid(body + primary + 20);
  out.has_alternate = !is_zero(body + alternate, path_bytes);
  const u8 transport = body[43] >> 1 & 3, mtu = body[50] >> 4;
  if (transport > static_cast<u8>(CmTransport::unreliable)) return CmRead::refused;
  out.transport = static_cast<CmTransport>(transport);
  if (mtu < 1 || mtu > 5 || !is_data_qp(out.qp)) return CmRead::bad;
  out.path_mtu = static_cast<u16>(128u << mtu);
  return read_addresses(out, body + private_data) ? CmRead::message : CmRead::bad;
}

CmRead read_body(CmMessage& out, const u8* body) {
  out.local_id = load_be32(body);
  switch (out.attribute) {
    case CmAttribute::req: return read_req(out, body);
    case CmAttribute::sidr_req:
      out.partition_key = load_be16(body + 4);
      out.service = load_be64(body + 8);
      return read_addresses(out, body + 16) ? CmRead::message : CmRead::bad;
    case CmAttribute::sidr_rep:
      out.status = body[4];
      out.qp = load_be24(body + 8);
      out.service = load_be64(body + 12);
      out.queue_key = load_be32(body + 20);
      return out.status != 0 || is_data_qp(out.qp) ? CmRead::message : CmRead::bad;
    default: break;
  }
  out.remote_id = load_be32(body + 4);
  if (out.attribute == CmAttribute::mra || out.attribute == CmAttribute::rej) out.about = body[8] >> 6;
  if (out.attribute == CmAttribute::rej) out.reason = load_be16(body + 10);
  if (out.attribute == CmAttribute::dreq) out.qp = load_be24(body + 8);
  if (out.attribute != CmAttribute::rep) return CmRead::message;
  out.queue_key = load_be32(body + 8);
  out.qp = load_be24(body + 12);
  out.psn = load_be24(body + 20);
  return is_data_qp(out.qp) ? CmRead::message : CmRead::bad;
}

}  // namespace

Address address_of_gid(const u8* gid) {
  const bool is_mapped = is_zero(gid, 10) && gid[10] == 0xff && gid[11] == 0xff;
  return is_mapped ? Address::ipv4(load<u32>(gid + 12)) : Address::ipv6(gid);
}

// Order: what carries it, the MAD's size and base version, class, its version, method, status, what else is zero,
// attribute, message.
CmRead read_mad(const Headers& headers, const std::byte* frame, CmMessage& out) {
  constexpr u8 base_version = 1, management_class = 7, class_version = 2, method_send = 3;
  constexpr u16 load_alternate_path = 0x19, alternate_path_response = 0x1a;
  const Bth bth{reinterpret_cast<const u8*>(frame) + headers.l4_offset + udp_bytes};
  if (headers.rdma_opcode != rdma_ud_send_only || bth.target_qp() != mad_qp || headers.payload_bytes != mad_bytes)
    return CmRead::bad;
  if (bth.deth().queue_key() != mad_queue_key || bth.deth().source_qp() != mad_qp) return CmRead::bad;
  const u8* mad = reinterpret_cast<const u8*>(frame) + headers.payload_offset;
  if (mad[0] != base_version) return CmRead::bad;
  if (mad[1] != management_class || mad[3] != method_send) return CmRead::other;
  if (mad[2] != class_version || load<u16>(mad + 4) != 0 || load<u16>(mad + 18) != 0 || load<u32>(mad + 20) != 0)
    return CmRead::bad;
  const u16 attribute = load_be16(mad + 16);
  if (attribute == load_alternate_path || attribute == alternate_path_response) return CmRead::refused;
  if (attribute < static_cast<u16>(CmAttribute::req) || attribute > static_cast<u16>(CmAttribute::sidr_rep))
    return CmRead::bad;
  out = CmMessage{};
  out.attribute = static_cast<CmAttribute>(attribute);
  out.transaction = load_be64(mad + 8);
  return read_body(out, mad + header_bytes);
}

bool cm_addresses_hold(const CmMessage& message, const Headers& headers) {
  if (message.has_addresses && (message.source != headers.source || message.target != headers.target)) return false;
  if (message.attribute == CmAttribute::sidr_req) return message.has_addresses;
  return message.local_gid == headers.source && message.remote_gid == headers.target;
}

}  // namespace weir
