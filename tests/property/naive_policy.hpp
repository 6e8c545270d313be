// The compiled policy's naive twin: a walk over every segment, pin and statement for each packet, written from the rule
// language (sections 1 and 2). It shares the Model with the compiler and nothing else.
#pragma once
#include "control/model/model.hpp"
#include "dataplane/policy/policy.hpp"

#include <string>
#include <vector>

namespace weir::naive {

struct Packet {
  std::string in_port, out_port;
  bool is_ipv4;
  u128 source, target;  // host-order numbers
  u8 protocol, icmp_type, icmp_code;
  u16 target_port;
  bool is_rdma = false;  // UDP 4791 that opens a queue pair; the port is the connection manager's
};

struct Answer {
  Reason reason;
  std::string rule;  // empty: none
  std::string from, to;  // narrowest segment; empty: none
  bool operator==(const Answer&) const = default;
};

// What else is said of a first packet's two sides.
struct Facts {
  std::string source_reserve, target_reserve;  // whose; empty: nobody's
  bool rejects = false;                        // what denies it is answered
  bool syn_proxy = false;
  u64 source_assets = 0, target_assets = 0, source_jobs = 0, target_jobs = 0;  // bits by their place in the model
  std::vector<u64> terms;                      // of the allow that decides, where RDMA is opened
  bool operator==(const Facts&) const = default;
};

// Whether the packet, the first of its connection, is of one of the services.
bool has_service(const control::ServiceSet& set, const Packet& packet);

class Policy {
 public:
  explicit Policy(const control::Model& model);
  Answer judge(const Packet& packet, Tick now) const;
  Facts facts(const Packet& packet, const Answer& answer) const;
  // Of one side alone: segments that count for it, by index.
  bool is_spoofed(const Packet& packet) const { return spoofed(packet); }
  std::vector<u32> source_of(const Packet& packet) const {
    return spoofed(packet) ? std::vector<u32>{} : sources(packet);
  }
  std::vector<u32> target_of(const Packet& packet) const { return targets(packet); }
  // Segments that a port alone says.
  std::vector<u32> known_by_port(const std::string& port) const;
  std::vector<u32> attached_to(const std::string& port) const;

 private:
  using Wide = std::vector<u32>;  // a natural number, least significant first, eight digits
  bool spoofed(const Packet& packet) const;
  std::vector<u32> sources(const Packet& packet) const;
  std::vector<u32> sources_by_port(const Packet& packet) const;
  std::vector<u32> targets(const Packet& packet) const;
  u64 assets_among(const std::vector<u32>& segments) const;
  u64 jobs_among(const std::vector<u32>& segments) const;
  std::string reserve_among(const std::vector<u32>& segments) const;
  std::string narrowest(const std::vector<u32>& segments) const;
  bool covers(const control::Statement& statement, const Packet& packet, const std::vector<u32>& from,
              const std::vector<u32>& to) const;

  const control::Model& model_;
  struct Weight {
    Wide pairs;
    u64 points;
  };
  std::vector<Weight> weights_;  // by statement
  std::vector<u128> sizes_;  // by segment
};

}  // namespace weir::naive
