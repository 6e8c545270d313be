// Frames as text for tests: "vlan 5 / ip4 10.0.0.1 10.0.0.2 ttl=0 / tcp 1024 443 S / zero 10". Lengths, checksums and
// next protocols are filled in rightly unless a word=value says otherwise, so that a row shows just what is wrong.
//
//   eth [source=MAC] [target=MAC] [type=HEX]         first, and may be left out there; inside a tunnel too
//   vlan ID [tpid=HEX]
//   arp OPERATION SENDER TARGET [mac=MAC] [form=HEX]
//   ip4 SOURCE TARGET [ttl=] [proto=] [version=] [ihl=] [total=] [sum=HEX] [fragment=HEX] [options=HEX]
//   ip6 SOURCE TARGET [hops=] [next=] [version=] [length=]
//   hop HEX | options HEX | fragment [word=HEX]      extension headers; HEX is what follows 2 bytes
//   routing [type=] [left=] [last=] [list=HEX]
//   tcp PORT PORT [FLAGS of FSRPAUEW or none] [offset=] [options=HEX]
//   udp PORT PORT [length=]
//   sctp PORT PORT [tag=HEX], then: chunk TYPE [length=]
//   icmp4 TYPE [CODE] [id=] | icmp6 TYPE [CODE] [id=]
//   vxlan VNI [first=HEX] [tail=HEX] | geneve VNI [first=HEX] [type=HEX] [options=HEX] [tail=HEX], after udp
//   bth OPCODE QP [flags=HEX] [key=HEX] [congestion=HEX] [ack=HEX] [psn=], after udp; OPCODE is hexadecimal
//   reth LENGTH | aeth SYNDROME | deth QP [reserved=HEX]   SYNDROME is hexadecimal
//   gre [flags=HEX] [type=HEX] [more=HEX] [sum=1]    more: what the flags announce; sum: the right checksum put into it
//   hex BYTES | zero COUNT
//   pad COUNT [byte=HEX] | cut COUNT                  last: bytes after, or fewer bytes than, the whole
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace weir::test {

// Throws std::runtime_error with the offending layer when the text is not of the form above.
std::vector<std::uint8_t> frame_of(std::string_view text);

// Makes the checksum of the outermost IPv4 header right again, where there is a whole one, so that a changed frame gets
// past it.
void mend_ipv4(std::span<std::uint8_t> frame);

}  // namespace weir::test
