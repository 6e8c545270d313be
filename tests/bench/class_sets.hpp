// Policies and packets in the manner of ClassBench (Taylor and Turner 2007): nested prefixes drawn from few networks,
// with the shares of wildcards, lengths, ports and protocols that access lists, firewalls and chains of it have. Weir's
// rules have no source ports; rules are order-free, one in twenty is a forbid.
#pragma once
#include "control/model/model.hpp"
#include "dataplane/policy/policy.hpp"
#include "tests/bench/acl_rival.hpp"

#include <vector>

namespace weir::bench {

enum class Style { access_list, chain, firewall };

struct ClassSet {
  control::Model model;
  std::size_t prefixes;  // written in the model
};

// `statements` rules whose segments have one prefix, or up to three when `groups`.
ClassSet make_set(Style style, u32 statements, bool groups);

// The same policy as rules for rte_acl, in the order of the compiled one: answer 1 + rule index.
std::vector<AclRule> acl_rules(const control::Model& model, const Policy& policy);

// Headers drawn inside the rules (four in five) and anywhere near.
std::vector<Question> make_headers(const control::Model& model, u32 count);

}  // namespace weir::bench
