// One packet out of a rectangle, such as people would try first. It judges nothing.
#pragma once
#include "control/diff/diff.hpp"

namespace weir::control {

class ExamplePicker {
 public:
  ExamplePicker(const JointSpace& space, std::array<const Policy*, 2> policies) : space_(space), policies_(policies) {}

  // From zone `from` to zone `to`, with one of the points. False when the two have but one address between them.
  bool pick(const Rectangle& rectangle, u32 from, u32 to, const ServicePoints& points);
  // All but the judgements.
  DiffExample take() { return std::move(example_); }

 private:
  struct Chosen {
    Spot place;
    u128 address;
  };
  std::vector<Spot> sources_of(const JointZone& zone) const;
  std::optional<Chosen> choose_target(const JointZone& zone, const Chosen& source) const;
  std::optional<u128> address_in(u32 atom, bool is_ipv4, std::optional<u128> but) const;
  void choose_ports(const JointZone& target, const Chosen& from, const Chosen& to);
  void choose_service(const ServicePoints& points, bool is_ipv4);
  bool port_matters(const JointZone& target, u32 atom) const;
  std::string other_name(u32 port_class) const;

  const JointSpace& space_;
  std::array<const Policy*, 2> policies_;
  DiffExample example_;
};

}  // namespace weir::control
