// rte_acl as a policy, behind a door without DPDK's headers: one rule per (source prefix, target prefix, port range) of
// a statement, classified in bulk by the widest instruction set that this machine has. The baseline of bench_policy.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <span>
#include <string>
#include <vector>

struct rte_acl_ctx;

namespace weir::bench {

// Zero protocol mask: every protocol. Host-order addresses; `answer` above 0; a higher priority wins.
struct AclRule {
  u8 protocol, protocol_mask;
  u32 source, source_bits, target, target_bits;
  u16 port_first, port_last;
  u32 answer;
  int priority;
};

// 16 bytes as rte_acl reads them: big-endian fields.
struct AclHeader {
  u8 protocol, zero[3];
  u32 source, target;
  u16 source_port, target_port;
};

class Acl {
 public:
  Acl(const char* name, std::span<const AclRule> rules);
  ~Acl();
  Acl(const Acl&) = delete;

  // False when it runs out of memory.
  bool build();
  // Switches to the named instruction set; false when the machine lacks it.
  bool use(const char* instructions);
  // Answers for up to 256 headers; 0 where no rule matches.
  void classify(const u8** headers, u32* answers, u32 count) const;

 private:
  ::rte_acl_ctx* context_;
};

}  // namespace weir::bench
