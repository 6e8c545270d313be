// Says in one JSON line a frame what is read of RDMA in a classic little-endian Ethernet capture: headers, ICRC, the
// connection manager's messages; for other dissectors to be compared with (rdma_tshark.py). usage: rdma_lines CAPTURE
#include "dataplane/base/machine.hpp"
#include "dataplane/packet/icrc.hpp"
#include "dataplane/packet/mad.hpp"
#include "dataplane/packet/rdma.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <vector>

using namespace weir;

namespace {

constexpr ParseContext context{{{1, 2, 3, 4}}, 0};

std::string written(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(address.is_ipv4() ? AF_INET : AF_INET6, address.is_ipv4() ? &address.low : &address.high, text,
            sizeof text);
  return text;
}

std::string mad_line(const Headers& headers, const std::byte* frame) {
  constexpr const char* answers[] = {"message", "other", "refused", "bad"};
  CmMessage m{};
  const CmRead answer = read_mad(headers, frame, m);
  if (answer != CmRead::message) return fmt::format(R"(,"mad":"{}")", answers[static_cast<u8>(answer)]);
  return fmt::format(
      R"(,"mad":"message","attribute":{},"transaction":{},"local":{},"remote":{},"service":{},"cm_qp":{},"cm_psn":{},)"
      R"("cm_q_key":{},"cm_p_key":{},"mtu":{},"cm_reason":{},"about":{},"status":{},"transport":{},"port":{},)"
      R"("alternate":{},"addresses":["{}","{}"],"gids":["{}","{}"],"hold":{})",
      static_cast<u8>(m.attribute), m.transaction, m.local_id, m.remote_id, m.service, m.qp, m.psn, m.queue_key,
      m.partition_key, m.path_mtu, m.reason, m.about, m.status, static_cast<u8>(m.transport), m.source_port,
      m.has_alternate, m.has_addresses ? written(m.source) : "", m.has_addresses ? written(m.target) : "",
      written(m.local_gid), written(m.remote_gid), cm_addresses_hold(m, headers));
}

std::string line_of(const Headers& headers, const std::byte* frame) {
  if (!headers.well_formed()) return fmt::format(R"({{"reason":"{}"}})", row(headers.drop).name);
  if (headers.rdma_opcode == rdma_opcode_none) return R"({"reason":"no RDMA"})";
  const Bth bth{reinterpret_cast<const u8*>(frame) + headers.l4_offset + 8};
  std::string line = fmt::format(
      R"({{"reason":"","opcode":{},"qp":{},"key_qp":{},"psn":{},"p_key":{},"pad":{},"payload":{},"icrc":{})",
      headers.rdma_opcode, bth.target_qp(), qp_of(headers.key), bth.psn(), bth.partition_key(), bth.pad_bytes(),
      headers.payload_bytes, icrc_holds(headers, frame, machine_has_carryless()));
  const u8 parts = bth.form().parts;
  if ((parts & rdma_has_reth) != 0)
    line += fmt::format(R"(,"address":{},"r_key":{},"length":{})", bth.reth().address(), bth.reth().remote_key(),
                        bth.reth().length());
  if (headers.rdma_opcode == rdma_compare_swap || headers.rdma_opcode == rdma_fetch_add)
    line += fmt::format(R"(,"address":{},"r_key":{})", bth.atomic().address(), bth.atomic().remote_key());
  if ((parts & rdma_has_aeth) != 0)
    line += fmt::format(R"(,"syndrome":{},"msn":{})", bth.aeth().syndrome(), bth.aeth().message_number());
  if ((parts & rdma_has_deth) != 0)
    line += fmt::format(R"(,"q_key":{},"source_qp":{})", bth.deth().queue_key(), bth.deth().source_qp());
  if (headers.rdma_opcode == rdma_ud_send_only && bth.target_qp() == mad_qp) line += mad_line(headers, frame);
  return line + "}";
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: rdma_lines CAPTURE\n";
    return 2;
  }
  std::ifstream stream(arguments[1], std::ios::binary);
  u32 file[6], record[4];
  if (!stream.read(reinterpret_cast<char*>(file), sizeof file) || file[0] != 0xa1b2c3d4 || file[5] != 1) {
    std::cerr << arguments[1] << ": not a classic little-endian Ethernet capture\n";
    return 1;
  }
  std::vector<std::byte> frame;
  while (stream.read(reinterpret_cast<char*>(record), sizeof record)) {
    frame.resize(record[2]);
    if (!stream.read(reinterpret_cast<char*>(frame.data()), static_cast<std::streamsize>(frame.size()))) return 1;
    std::cout << line_of(parse(frame, context), frame.data()) << "\n";
  }
  return 0;
}
