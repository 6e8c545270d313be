// Sets of ports, ICMP types and protocols: algebra, the meaning of an omitted `with`, and how they are shown.
#pragma once
#include "control/model/model.hpp"

#include <string>
#include <vector>

namespace weir::control {

void normalise(std::vector<PortRange>& ranges);
bool overlaps(const std::vector<PortRange>& a, const std::vector<PortRange>& b);
std::vector<PortRange> subtract(const std::vector<PortRange>& a, const std::vector<PortRange>& b);

bool empty(const ServiceSet& set);
bool overlaps(const ServiceSet& a, const ServiceSet& b);
ServiceSet unite(const ServiceSet& a, const ServiceSet& b);
ServiceSet subtract(const ServiceSet& a, const ServiceSet& b);

// Without `with`: an allow opens TCP, UDP, SCTP and ping, but no UDP port that carries tunnels or RDMA (they must be
// named); a forbid takes everything.
const ServiceSet& default_of_allow();
const ServiceSet& everything();

// What closes, limits or counts UDP to RoCEv2's port closes, limits and counts every queue pair as well.
ServiceSet with_queue_pairs(ServiceSet set);

// What a UDP port carries, so that it must be named: "VXLAN", "RoCEv2", ...; nullptr for any other.
const char* carries(std::uint16_t udp_port);
inline constexpr std::uint16_t carrier_ports[] = {4789, 4791, 4793, 6081, 8472};

// "tcp/443, udp/53, icmp4/8/0"; long sets end in "...".
std::string show(const ServiceSet& set);

}  // namespace weir::control
