// The part of `weir dump` about what traffic may look like.
#pragma once
#include "dataplane/policy/policy.hpp"

#include <string>
#include <vector>

namespace weir {

// "`no-weights`: first 65536 bytes of both directions, ...".
std::string inspection_text(const Policy& policy, const image::Inspection& inspection);
std::vector<std::string> inspection_lines(const Policy& policy);
// "DNS by `strict`: queries 100/s, burst 100, ...".
std::string dns_text(const Policy& policy, const image::DnsTerms& terms);
std::vector<std::string> dns_lines(const Policy& policy);
std::vector<std::string> look_lines(const Policy& policy);

}  // namespace weir
