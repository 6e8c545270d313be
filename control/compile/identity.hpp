// Who an address may be on which port and in which network: classes, and for each class and atom the segments that
// count as a packet's source or target (rule language, section 2).
#pragma once
#include "control/compile/atoms.hpp"
#include "dataplane/policy/image.hpp"

#include <optional>
#include <string>

namespace weir::control {

// Ports with one name or prefix in `attach` or [port]; or a network: the number of one in `vni`, or all others.
struct PortClassPlan {
  std::string pattern;  // without the star
  image::ClassKind kind = image::ClassKind::name;
  u32 network = 0;
  std::vector<u32> attached;       // segments attached or bound to it, ascending
  std::optional<u32> pin;          // of Model::ports: the equal name, else the longest prefix
  bool pins_addresses = false;
};

// Class 0 is every other port. Then by pattern, an exact name before a prefix. Then the network of all numbers that no
// segment is bound to, and those that one is, ascending.
std::vector<PortClassPlan> port_classes(const Model& model);

// The segments that a source in `atom` is in on a port of this class; nothing when it is spoofed.
bool source_segments(const Model& model, const Atoms& atoms, const PortClassPlan& port, u32 atom,
                     std::vector<u32>& segments);
// The segments that a target in `atom` is in behind a port of this class.
void target_segments(const Model& model, const Atoms& atoms, const PortClassPlan& port, u32 atom,
                     std::vector<u32>& segments);

}  // namespace weir::control
