// The packets of two policies at once, cut so that neither tells apart what is in one piece: joint classes of ports and
// networks, joint atoms of addresses, joint services; and zones, places that both treat alike on one side of a
// connection. It judges nothing and compares nothing.
#pragma once
#include "control/compile/identity.hpp"
#include "control/compile/services.hpp"
#include "control/model/model.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace weir::control {

inline constexpr u32 old_policy = 0, new_policy = 1, policies_count = 2;

// Ports with one best pattern among those of both policies, or networks to which both bind the same segments.
struct JointClass {
  image::ClassKind kind = image::ClassKind::name;
  std::string pattern;  // of ports: without the star; class 0 is every port that neither policy names
  std::vector<u32> networks;  // of networks: their numbers, ascending; empty: every one that neither policy binds
  std::array<u32, 2> plan{};  // by policy: the class in its port_classes()
  u32 domain = 0;  // 0: the wire; packets never cross domains
  std::string port_name;  // of ports: one that is of this class, or empty where every name is of another
};

// Where one side of a packet is.
struct Spot {
  u32 port_class, atom;
};

// Places of one family in one domain that both policies treat alike, as sources or as targets.
struct JointZone {
  u32 domain = 0;
  bool is_ipv4 = true;
  std::array<bool, 2> spoofed{}, rejects{};  // by policy; of sources
  std::vector<u32> rules;  // ascending: rules that name one of its segments
  std::vector<Spot> places;  // never empty
  std::optional<u32> sole_port;  // the class, when all places are on the one port of an exact name
};

// A rule is a statement of one policy: the old policy's by their place in its image, then the new policy's.
struct JointSpace {
  std::array<const Model*, 2> models;
  std::vector<u32> statement_of;  // by rule: of its policy's Model::statements
  u32 first_new_rule = 0;
  std::vector<u32> any_from, any_to;  // rules that leave out a side, ascending

  std::vector<JointClass> classes;  // ports, 0 first; then networks
  std::vector<AddressSet> addresses;  // by atom
  std::array<Atoms, 2> atoms;  // as each policy sees them: members only, no pieces
  std::vector<JointZone> sources, targets;  // without addresses that no packet may have, and what both call spoofed

  std::vector<u32> service_set_of;  // by rule
  std::vector<std::vector<u32>> services_of_set;  // by service set: the services in it, ascending
  std::vector<ServicePoints> points;  // by service; 0 is in no rule's set

  std::vector<u32> looked_by;  // by rule: of `inspections`
  std::vector<std::string> inspections;  // lists of names; 0 is none

  u32 policy_of(u32 rule) const { return rule >= first_new_rule ? new_policy : old_policy; }
  const Statement& statement(u32 rule) const { return models[policy_of(rule)]->statements[statement_of[rule]]; }
  const PortClassPlan& plan(u32 policy, u32 port_class) const {
    return plans[policy][classes[port_class].plan[policy]];
  }
  std::array<std::vector<PortClassPlan>, 2> plans;
};

// The models outlive what is made. Nothing when both policies together have more disjoint services than an image may
// (services_max). Cost: as compiling both, and a step for each class and atom.
std::optional<JointSpace> joint_space(const Model& old_model, const Model& new_model);

// Addresses that the parser lets no packet come from, or go to.
const AddressSet& impossible_sources();
const AddressSet& impossible_targets();

// What of a service's points packets of a family can have: ICMPv6 is no protocol of IPv4, nor the other way round.
ServicePoints points_in_family(const ServicePoints& points, bool is_ipv4);
bool empty(const ServicePoints& points);

}  // namespace weir::control
