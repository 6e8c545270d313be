// The twin's RoCEv2: a table of opcodes as InfiniBand's tables 36 and 37 list them, and each rule in a line.
#include "tests/property/parse_twin_parts.hpp"

#include <map>
#include <set>
#include <string>

namespace weir::test {
namespace {

// What stands between BTH and payload, by the first letters of the names of the headers: R(ETH), A(ETH), D(ETH),
// I(mmediate) or I(ETH), X (atomic), Y (atomic acknowledge), C (the 16 bytes of a CNP). Then how much payload: 0 none,
// P a path MTU, 1 at least a byte, anything else any.
const std::map<unsigned, std::string> reliable{
    {0x00, "P"},   {0x01, "P"},  {0x02, "1"},  {0x03, "I1"}, {0x04, "*"},  {0x05, "I*"}, {0x06, "RP"}, {0x07, "P"},
    {0x08, "1"},   {0x09, "I1"}, {0x0a, "R*"}, {0x0b, "RI*"}, {0x0c, "R0"}, {0x0d, "AP"}, {0x0e, "P"},
    {0x0f, "A1"},
    {0x10, "A*"},  {0x11, "A0"}, {0x12, "AY0"}, {0x13, "X0"}, {0x14, "X0"}, {0x16, "I1"}, {0x17, "I*"}};
const std::map<unsigned, std::string> others{{0x64, "D*"}, {0x65, "DI*"}, {0x81, "C0"}};

std::string form_of(unsigned opcode) {
  if (others.contains(opcode)) return others.at(opcode);
  const bool unreliable = opcode >= 0x20 && opcode <= 0x2b;
  const auto found = reliable.find(unreliable ? opcode - 0x20 : opcode);
  return found == reliable.end() ? "" : found->second;
}

unsigned long big(const Part& part, std::size_t offset, std::size_t bytes) {
  unsigned long value = 0;
  for (std::size_t index = 0; index < bytes; ++index) value = value * 256 + part.byte(offset + index);
  return value;
}

}  // namespace

void read_rdma(Reading& r, const Part& l4) {
  const auto good = [](bool holds) { demand(holds, Reason::roce_header_bad); };
  demand(l4.word(0) != 0, Reason::port_zero);
  good(l4.bytes >= 8 + 12 + 4);
  const Part bth = l4.from(8);
  const std::string form = form_of(bth.byte(0));
  demand(!form.empty(), Reason::roce_opcode);
  good(bth.byte(1) % 16 == 0 && bth.byte(8) % 128 == 0);
  const unsigned long qp = big(bth, 5, 3);
  good(qp != 0);
  static const std::map<char, std::size_t> sizes{{'R', 16}, {'A', 4}, {'D', 8}, {'I', 4},
                                                 {'X', 28}, {'Y', 8}, {'C', 16}};
  std::size_t header = 12;
  for (const char part : form.substr(0, form.size() - 1)) header += sizes.at(part);
  const std::size_t pad = bth.byte(1) / 16 % 4;
  good(bth.bytes >= header + pad + 4);
  const std::size_t payload = bth.bytes - header - pad - 4;
  good((payload + pad) % 4 == 0 && payload <= 4096);
  if (form.back() == '0') good(payload == 0);
  if (form.back() == '1') good(payload >= 1);
  if (form.back() == 'P') good(pad == 0 && std::set<std::size_t>{256, 512, 1024, 2048, 4096}.contains(payload));
  if (form[0] == 'A') good(bth.byte(12) < 128 && bth.byte(12) / 32 != 2);
  if (form[0] == 'D') good(bth.byte(16) == 0);
  if (form[0] == 'C') good(all_zero(bth.copy(12, 16)));
  if (form[0] == 'R') {
    const unsigned long length = big(bth, 24, 4);
    good(length <= 2147483648ul);
    if (form == "RP") good(length > payload);
    if (form == "R*" || form == "RI*") good(length == payload);
  }
  r.opcode = bth.byte(0);
  r.source_port = l4.word(0);
  r.target_port = 4791;
  r.payload = bth.start + header;
  r.payload_bytes = payload;
  set_flow(r, FlowClass::rdma, 0, static_cast<unsigned>(qp));
}

void read_quoted_rdma(Reading& r, const Part& l4, const Bytes& source, const Bytes& target) {
  demand(l4.word(0) != 0, Reason::icmp_header_bad);
  demand(l4.bytes >= 16, Reason::icmp_unmatched);
  const Part bth = l4.from(8);
  demand(!form_of(bth.byte(0)).empty() && big(bth, 5, 3) != 0, Reason::icmp_header_bad);
  r.keyed = true;
  r.flow_class = FlowClass::rdma;
  r.from = {source, 0};
  r.to = {target, static_cast<unsigned>(big(bth, 5, 3))};
}

}  // namespace weir::test
