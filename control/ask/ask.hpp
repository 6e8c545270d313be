// Questions to a compiled policy in the words of the rules: every (source, target, port) that a question names, asked
// of the code that judges packets. One address stands for all that no rule tells apart, so that the answer is exact.
// It matches nothing by itself.
#pragma once
#include "control/check/check.hpp"
#include "control/model/cells.hpp"
#include "dataplane/policy/policy.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::control {

// An address on a port of a class, or inside a network: somebody who may send, and be sent to.
struct Endpoint {
  std::uint16_t port_class;
  Address address;
};

// One combination that was asked, and what came out.
struct Example {
  Question question;
  Judgement judgement;
  bool allowed() const { return row(judgement.reason).verdict == Verdict::forward; }
};

struct Answer {
  std::uint64_t asked = 0, allowed = 0;
  std::vector<Example> examples;       // the first of each distinct (reason, rule), in the order met
  bool too_many = false;               // more combinations than questions_max; nothing was asked
  const Example* first(bool is_allowed) const;
};

// What a question leaves open about the way of a packet, said.
struct Route {
  std::optional<std::string_view> port;      // the source comes in by it
  std::optional<std::string_view> to_port;   // the packet leaves by it
  std::optional<std::uint32_t> network;      // both are inside it; then no port is named
};

inline constexpr std::uint64_t questions_max = 50'000'000;

class Asker {
 public:
  // `checked` and `policy` outlive it; `policy` is compiled from `checked`. `prefixes` are those that parties may name.
  Asker(const Checked& checked, const Policy& policy, const std::vector<Prefix>& prefixes);

  Answer ask(const Party& from, const Party& to, const ServiceSet& services, Tick now, const Route& way = {}) const;

  // Where any of the segments can be, one endpoint for all that no rule tells apart.
  std::vector<Endpoint> places(const std::vector<std::uint32_t>& segments) const;
  // The first packet of any of the services that passes from a source to a target; nothing when none does.
  // Cost: sources x targets x services that some rule tells apart.
  std::optional<Example> first_passing(const std::vector<Endpoint>& sources, const std::vector<Endpoint>& targets,
                                       const ServiceSet& services, Tick now) const;

  // "10.20.0.7 (trainers, port pf0hpf)".
  std::string show(const Endpoint& endpoint) const;
  // "tcp/443", "rdma/20049", "rdma/nccl".
  static std::string show_service(const Question& question);
  // "10.20.0.7 (trainers) > 1.0.0.0 (internet) tcp/443".
  std::string show(const Question& question) const;
  // "forbid `weights-stay-home` at policy.toml:171", or the reason's sentence when no rule decided.
  std::string show(const Judgement& judgement) const;

  const Policy& policy() const { return policy_; }

 private:
  struct Probe {  // one service atom
    std::uint8_t protocol, icmp_type, icmp_code;
    std::uint16_t port;
    bool is_rdma = false;
  };
  Example judged(const Endpoint& source, const Endpoint& target, const Probe& probe, Tick now) const;
  // Whether no packet between the two crosses this firewall.
  bool apart(const Endpoint& source, const Endpoint& target) const;
  std::vector<Endpoint> endpoints(const Party& party, std::optional<std::uint16_t> only_class, bool in_networks) const;
  bool member(std::uint16_t port_class, std::uint32_t segment, const Cell& cell) const;
  bool is_network(std::uint16_t port_class) const;
  bool attached(std::uint16_t port_class, std::uint32_t segment) const;
  std::vector<Probe> probes(const ServiceSet& services, bool is_ipv4) const;
  void mark_edges(const ServiceSet& services);

  const Checked& checked_;
  const Policy& policy_;
  std::vector<AddressSet> prefix_sets_;
  Cells cells_;
  std::vector<std::uint32_t> edges_[6];  // tcp, udp, sctp, icmp4, icmp6, rdma: where a service begins, or ends before
};

// Runs the policy's tests. Each that fails is E0501 (or E0503) in `out`; returns how many claims held.
std::size_t run_tests(const Checked& checked, const Policy& policy, std::int64_t now_s, Diagnostics& out);

// Judges the invariants `never` (E0504), on the policy with every breakglass allow open. Those about assets are
// judged by what computes bounds (control/bound).
void judge_never(const Checked& checked, const Policy& policy, std::int64_t now_s, Diagnostics& out);

}  // namespace weir::control
