// Community ID, version 1: the name of a flow that other monitors give it too (Suricata, Zeek), so that their logs can
// be joined with ours. Source: github.com/corelight/community-id-spec. Not a secret and not a check: SHA-1 is what the
// specification says.
#pragma once
#include "dataplane/packet/key.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace weir::see {

// FIPS 180-4.
std::array<std::byte, 20> sha1(std::span<const std::byte> message);
// RFC 4648, section 4.
std::string base64(std::span<const std::byte> bytes);

struct FlowTuple {
  Address source, target;
  u16 source_port, target_port;  // host order; of ICMP type << 8 | code in target_port
  u8 protocol;
};
// The same for both directions. Protocols without ports count by addresses alone.
std::string community_id(const FlowTuple& flow, u16 seed = 0);

}  // namespace weir::see
