// One sweep over each service field; the sets that contain the present point are the state.
#include "control/compile/services.hpp"

#include <algorithm>

namespace weir::control {

namespace {

using image::ServiceField;

constexpr PortRange everything{0, 0xffff};

struct End {
  u32 at;
  u32 set;
};

// Service numbers above 16 bits are cut here and refused by the compiler, which looks at members.count().
std::vector<u16> sweep(std::span<const ServicePoints> sets, u32 field, Sequences<u32>& members) {
  std::vector<End> ends;
  for (u32 set = 0; set < sets.size(); ++set)
    for (const PortRange& range : sets[set][field]) {
      ends.push_back({range.first, set});
      ends.push_back({u32{range.last} + 1, set});
    }
  std::sort(ends.begin(), ends.end(), [](End a, End b) { return a.at != b.at ? a.at < b.at : a.set < b.set; });
  std::vector<u16> table(65536, 0);
  std::vector<u32> inside;
  for (std::size_t i = 0; i < ends.size();) {
    const u32 at = ends[i].at;
    for (; i < ends.size() && ends[i].at == at; ++i) {
      const auto place = std::lower_bound(inside.begin(), inside.end(), ends[i].set);
      if (place != inside.end() && *place == ends[i].set) inside.erase(place);
      else inside.insert(place, ends[i].set);
    }
    const u32 until = i < ends.size() ? ends[i].at : at;
    const u16 service = static_cast<u16>(members.intern(inside));
    std::fill(table.begin() + at, table.begin() + until, service);
  }
  return table;
}

void append(std::vector<u32>& into, const std::vector<PortRange>& ranges) {
  into.push_back(static_cast<u32>(ranges.size()));
  for (const PortRange& range : ranges) into.push_back(u32{range.first} << 16 | range.last);
}

}  // namespace

ServicePoints points_of(const ServiceSet& set) {
  ServicePoints points{set.tcp, set.udp, set.sctp, set.icmp4, set.icmp6, {}, set.rdma};
  for (const u8 protocol : set.protocols) {
    switch (protocol) {
      case 6: points[static_cast<u32>(ServiceField::tcp)] = {everything}; break;
      case 17: points[static_cast<u32>(ServiceField::udp)] = {everything}; break;
      case 132: points[static_cast<u32>(ServiceField::sctp)] = {everything}; break;
      case 1: points[static_cast<u32>(ServiceField::icmp4)] = {everything}; break;
      case 58: points[static_cast<u32>(ServiceField::icmp6)] = {everything}; break;
      default: break;
    }
    if (protocol != 6 && protocol != 17 && protocol != 132)
      points[static_cast<u32>(ServiceField::protocol)].push_back({protocol, protocol});
  }
  return points;
}

std::vector<const ServiceSet*> charge_services_of(const Model& model) {
  std::vector<const ServiceSet*> sets;
  for (const Budget& budget : model.budgets) sets.push_back(budget.any_service ? nullptr : &budget.services);
  for (const Budget& budget : model.budgets)
    for (const Budget::Reserve& reserve : budget.reserves)
      sets.push_back(reserve.segment ? nullptr : &reserve.services);
  for (const Limit& limit : model.limits) sets.push_back(limit.any_service ? nullptr : &limit.services);
  return sets;
}

Services split_services(const Model& model) {
  Services services;
  Sequences<u32> distinct;
  std::vector<ServicePoints> sets;
  std::vector<u32> words;
  const auto number_of = [&](const ServiceSet& set) {
    ServicePoints points = points_of(set);
    words.clear();
    for (const auto& ranges : points) append(words, ranges);
    const u32 number = distinct.intern(words);
    if (number < sets.size()) return number;
    u64 total = 0;
    for (const auto& ranges : points)
      for (const PortRange& range : ranges) total += u64{range.last} - range.first + 1;
    services.points.push_back(total);
    sets.push_back(std::move(points));
    return number;
  };
  for (const Statement& statement : model.statements) services.set_of.push_back(number_of(statement.services));
  for (const ServiceSet* set : charge_services_of(model))
    services.charge_set_of.push_back(set == nullptr ? no_service_set : number_of(*set));
  services.members.intern({});
  for (u32 field = 0; field < image::service_fields_count; ++field) {
    const std::vector<u16> table = sweep(sets, field, services.members);
    for (u32 page = 0; page < 256; ++page)
      services.pages.push_back(static_cast<u16>(
          services.atoms.intern({table.data() + page * image::service_page_entries, image::service_page_entries})));
  }
  return services;
}

}  // namespace weir::control
