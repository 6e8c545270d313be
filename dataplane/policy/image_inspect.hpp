// The part of an image about what traffic may look like: inspections, what a rule's flows must pass, the terms of DNS.
// Part of dataplane/policy/image.hpp, which has the sections; verify() says what must hold. Of the section `patterns`
// it knows the sizes; what the databases in it hold, their loader says (dataplane/scan).
#pragma once
#include "dataplane/policy/image_rdma.hpp"

namespace weir::image {

enum class OnMatch : u8 { deny, alert, quarantine };
enum class Opaque : u8 { allow, alert, deny };
// Inspection has no time left: the packet is dropped, for its sender to send again, or the flow ends.
enum class Busy : u8 { wait, deny };
enum class IcmpPayload : u8 { pass, normalise, deny };

inline constexpr u32 inspections_max = 64;  // bits of Look::inspections
inline constexpr u32 inspect_first_max = 16u << 20;
inline constexpr u8 inspect_opener = 1, inspect_replier = 2, inspect_both = 3;
struct Inspection {
  Text name, file;
  u32 line;
  u32 first_bytes;      // of each direction, that are read in order
  u64 sets;             // signature sets, bit s: set s of the patterns
  u64 monitor_until;    // the first Tick at which it denies; 0: always
  u16 max_quarantined;  // ten-thousandths of the hosts
  u8 ways;              // inspect_*: whose bytes are looked at
  u8 tensors;
  OnMatch on_match;
  Opaque opaque;
  Busy busy;
  u8 zero;
};
static_assert(sizeof(Inspection) == 48);

// What the first bytes of a connection must be, a bit each: of Opening o (dataplane/inspect/opening.hpp), nvme_tcp to
// nccl, bit o - 1.
inline constexpr u32 spoken_protocols = 7;

// By rule: what is looked at in what this allow opens; of a forbid all zero.
struct Look {
  u64 inspections;  // bit i: inspection i
  u16 protocols;    // bit p: what is opened must begin as protocol p; 0: nothing is asked
  u16 dns;          // 1 + index in dns_terms; 0: none
  IcmpPayload icmp_payload;
  u8 scrub;
  u8 zero[2];
  // Whether every packet is asked what it carries, for as long as its flow lives.
  bool is_by_packet() const { return (dns | static_cast<u8>(icmp_payload) | scrub) != 0; }
  // Whether a flow is watched as a whole.
  bool is_by_flow() const { return (inspections | protocols) != 0; }
  bool is_empty() const {
    return (inspections | protocols | dns | static_cast<u8>(icmp_payload) | scrub) == 0;
  }
};
static_assert(sizeof(Look) == 16);

// What DNS may carry. A field that is 0 sets no limit.
inline constexpr u32 dns_terms_max = 1024;
inline constexpr u32 dns_window_s_max = 30 * 86'400;
struct DnsTerms {
  Text name, file;
  u32 line;
  u32 name_bytes_max;         // of one name, as one writes it
  u32 answer_bytes_max;       // of one answer
  u32 information_bytes_max;  // of distinct names below one registered domain, from one source in a window
  Rate queries;               // of one source
  u64 monitor_until;          // the first Tick at which it denies; 0: always
  u32 window_s;
  u32 domains_max;            // registered domains that one source may ask below in a window
};
static_assert(sizeof(DnsTerms) == 64);

}  // namespace weir::image
