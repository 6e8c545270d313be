// Ports, ICMP types and protocols as people write them, to ranges. Each fault is a diagnostic at the value.
#pragma once
#include "control/model/diagnostic.hpp"
#include "control/model/model.hpp"
#include "control/source/tree.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace weir::control {

// What was wrong with one value: a code, a sentence, the edit.
struct ValueFault {
  std::string_view code;
  std::string sentence;
  std::string help;
};

// Each returns a fault, or nullopt when it added to the set.
std::optional<ValueFault> add_port(std::vector<PortRange>& ports, std::string_view text);
enum class IcmpFamily : std::uint8_t { both, ipv4, ipv6 };
std::optional<ValueFault> add_icmp(ServiceSet& set, IcmpFamily family, std::string_view text);
std::optional<ValueFault> add_protocol(ServiceSet& set, std::string_view text);
// "nccl", "any" or a connection-manager port.
std::optional<ValueFault> add_rdma(ServiceSet& set, std::string_view text);

// All keys of one [service] table.
ServiceSet read_service(const Node& table, Diagnostics& out);
// What its connections must speak: bits of spoken_words (rdma_words.hpp).
std::uint16_t read_spoken(const Node& table);

}  // namespace weir::control
