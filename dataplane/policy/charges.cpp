// The lookup trusts the image: it has been verified.
#include "dataplane/policy/charges.hpp"

#include "dataplane/policy/lookup.hpp"

namespace weir {

FlowCharges Charges::of(const Question& question) const {
  const bool is_ipv4 = question.source.is_ipv4();
  const u32 column = view().charge_services[image::service_of(view(), question, is_ipv4)];
  const u32 near = image::atom_of(view(), question.source, is_ipv4);
  const u32 far = image::atom_of(view(), question.target, is_ipv4);
  const u16 in = question.source_class, out = question.target_class;
  return {find(source_of(in, near), target_of(out, far), column),
          find(source_of(out, far), target_of(in, near), column)};
}

u32 Charges::of_way(const Question& service, u16 from_class, const Address& source, u16 to_class,
                    const Address& target) const {
  const u32 column = view().charge_services[image::service_of(view(), service, service.source.is_ipv4())];
  return find(source_of(from_class, image::atom_of(view(), source, source.is_ipv4())),
              target_of(to_class, image::atom_of(view(), target, source.is_ipv4())), column);
}

u32 Charges::of_port(u16 port_class) const {
  WEIR_CHECK(port_class < view().port_classes.size());
  return find(view().port_classes[port_class].charge, image::charge_nowhere, 0);
}

u32 Charges::of_source(u16 port_class, const Address& source) const {
  return find(source_of(port_class, image::atom_of(view(), source, source.is_ipv4())), image::charge_nowhere, 0);
}

Tick Charges::next_change(Tick now) const {
  Tick next = ~Tick{0};
  for (const image::Budget& budget : view().budgets)
    if (budget.monitor_until > now && budget.monitor_until < next) next = budget.monitor_until;
  return next;
}

// What a port may not claim is charged to whoever is behind the port.
u32 Charges::source_of(u16 port_class, u32 atom) const {
  WEIR_CHECK(port_class < view().port_classes.size());
  const image::PortClass& entry = view().port_classes[port_class];
  const u16 zone = view().source_zones[u64{entry.source_row} * view().atoms_count + atom];
  return zone == image::zone_spoofed ? entry.charge : view().source_facts[zone].charge;
}

u32 Charges::target_of(u16 port_class, u32 atom) const {
  WEIR_CHECK(port_class < view().port_classes.size());
  const image::PortClass& entry = view().port_classes[port_class];
  return view().target_facts[view().target_zones[u64{entry.target_row} * view().atoms_count + atom]].charge;
}

u32 Charges::find(u32 source, u32 target, u32 column) const {
  const image::ChargeSource& from = view().charge_sources[source];
  u32 low = from.first, high = from.first + from.count;
  while (low < high) {
    const u32 middle = low + (high - low) / 2;
    if (view().charge_targets[middle].target < target) low = middle + 1;
    else high = middle;
  }
  const bool found = low < from.first + from.count && view().charge_targets[low].target == target;
  const u32 row = found ? view().charge_targets[low].row : from.otherwise;
  return view().charge_rows[u64{row} * view().charge_services_count + column];
}

namespace {

u128 number(u64 high, u64 low) { return u128{high} << 64 | low; }

// Whether `a` ends before `b` begins.
bool ends_before(const image::Cover& a, const image::Cover& b) {
  if (a.kind != b.kind) return a.kind < b.kind;
  return number(a.last_high, a.last_low) < number(b.first_high, b.first_low);
}

}  // namespace

bool covers_meet(std::span<const image::Cover> a, std::span<const image::Cover> b) {
  for (u64 i = 0, j = 0; i < a.size() && j < b.size();) {
    if (ends_before(a[i], b[j])) ++i;
    else if (ends_before(b[j], a[i])) ++j;
    else return true;
  }
  return false;
}

bool places_meet(std::span<const image::Cover> a, std::span<const image::Cover> b) {
  const auto ports = [](std::span<const image::Cover> covers) {
    u64 count = 0;
    while (count < covers.size() && covers[count].kind == image::CoverKind::port) ++count;
    return count;
  };
  const u64 of_a = ports(a), of_b = ports(b);
  return covers_meet(a.first(of_a), b.first(of_b)) && covers_meet(a.subspan(of_a), b.subspan(of_b));
}

}  // namespace weir
