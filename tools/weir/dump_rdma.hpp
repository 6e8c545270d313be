// The lines of `weir dump` about RDMA and jobs.
#pragma once
#include "dataplane/policy/policy.hpp"

#include <string>
#include <vector>

namespace weir {

// Settings, what each allow lets queue pairs do, and declared queue pairs; nothing where no allow opens RDMA.
std::vector<std::string> rdma_lines(const Policy& policy);
std::vector<std::string> job_lines(const Policy& policy);

// "send, write, ack"; "nothing" for none.
std::string operations_text(u8 operations);
// "nfs, s3".
std::string protocols_text(u16 protocols);
// "10.0.0.1", "fd00::1".
std::string address_text(const Address& address);

}  // namespace weir
