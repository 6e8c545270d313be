// What statements name in `with`, cut into service atoms: points (protocol, port or type and code) that exactly the
// same service sets contain are one service. Service 0 is in none.
#pragma once
#include "control/compile/sequences.hpp"
#include "control/model/model.hpp"
#include "dataplane/policy/image.hpp"

#include <array>

namespace weir::control {

inline constexpr u32 no_service_set = ~u32{0};

struct Services {
  std::vector<u32> set_of;   // by statement: the number of its service set; equal sets share one
  std::vector<u32> charge_set_of;  // by what is charged (charge_services_of): likewise
  std::vector<u64> points;   // by set: how many points it contains
  Sequences<u32> members;    // by service: the sets that contain it, ascending
  std::vector<u16> pages;    // as the image wants them
  Sequences<u16> atoms;      // by page: 256 services
};

// A set's points by image::ServiceField: sorted, disjoint ranges. A protocol number stands for every packet of that
// protocol: 6, 17, 132, 1 and 58 also for all of their ports or types.
using ServicePoints = std::array<std::vector<PortRange>, image::service_fields_count>;
ServicePoints points_of(const ServiceSet& set);

// The service sets that budgets, their reserves and limits name; nullptr for what takes everything. Budgets, then all
// reserves, then limits.
std::vector<const ServiceSet*> charge_services_of(const Model& model);

Services split_services(const Model& model);

}  // namespace weir::control
