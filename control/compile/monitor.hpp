// policy.mode = "monitor": what the policy says, made to pass what it would deny and to tell it.
#pragma once
#include "control/model/model.hpp"

#include <string_view>

namespace weir::control {

// The rule that lets pass what no allow covers. No statement can have this name.
inline constexpr std::string_view monitor_rule = "policy.mode";

// The same policy with that rule as its widest allow, with its forbids telling of what they let pass, and with every
// budget, limit, inspection and set of DNS terms in monitor mode, all until the policy's own `monitor_until`. What an
// allow asks of packets (`icmp_payload`, protocols, a job's seal) holds as before.
Model monitored(Model model);

}  // namespace weir::control
