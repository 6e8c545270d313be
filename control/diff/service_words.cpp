// Services by name where a name's ports are all among them, the rest in numbers, or everything with exceptions where
// that is shorter.
#include "control/diff/words.hpp"
#include "control/model/services.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {

namespace {

constexpr std::size_t numbers_shown = 12;

ServicePoints subtract(const ServicePoints& a, const ServicePoints& b) {
  ServicePoints rest;
  for (std::size_t field = 0; field < a.size(); ++field) rest[field] = control::subtract(a[field], b[field]);
  return rest;
}

ServicePoints in_families(const ServicePoints& points, bool ipv4, bool ipv6) {
  // unite() also joins neighbouring ranges, so that equal sets look alike.
  return unite(points_in_family(points, ipv4), ipv4 && ipv6 ? points_in_family(points, false) : ServicePoints{});
}

bool is_part(const ServicePoints& part, const ServicePoints& whole) {
  for (std::size_t field = 0; field < part.size(); ++field)
    for (const PortRange& range : part[field]) {
      const auto after = std::ranges::upper_bound(whole[field], range.first, {}, &PortRange::first);
      if (after == whole[field].begin() || std::prev(after)->last < range.last) return false;
    }
  return true;
}

std::size_t ranges_count(const ServicePoints& points) {
  std::size_t count = 0;
  for (const auto& ranges : points) count += ranges.size();
  return count;
}

u64 points_count(const ServicePoints& points) {
  u64 count = 0;
  for (const auto& ranges : points)
    for (const PortRange& range : ranges) count += u64{range.last} - range.first + 1;
  return count;
}

std::string listed(std::vector<std::string> parts, std::string_view between) {
  const std::size_t more = parts.size() > numbers_shown ? parts.size() - numbers_shown : 0;
  parts.resize(parts.size() - more);
  return fmt::format("{}{}", fmt::join(parts, between), more != 0 ? fmt::format(" and {} more", more) : "");
}

std::vector<NamedPoints> named(const std::array<const Names*, 2>& names, bool ipv4, bool ipv6, u32 preferred) {
  std::vector<NamedPoints> found;
  for (const u32 policy : {preferred, 1 - preferred}) {
    if (names[policy] == nullptr) continue;
    for (const auto& [name, service] : names[policy]->services) {
      ServicePoints points = in_families(points_of(service.set), ipv4, ipv6);
      const auto same = std::ranges::find(found, name, &NamedPoints::text);
      if (same != found.end() && equal(same->points, points)) continue;
      const bool clashes = same != found.end();
      if (clashes) same->text += preferred == new_policy ? " (new)" : " (old)";
      if (!empty(points))
        found.push_back({clashes ? name + (policy == new_policy ? " (new)" : " (old)") : name, std::move(points)});
    }
  }
  std::ranges::stable_sort(found, [](const NamedPoints& a, const NamedPoints& b) {
    return points_count(a.points) > points_count(b.points);
  });
  return found;
}

}  // namespace

ServicePoints unite(const ServicePoints& a, const ServicePoints& b) {
  ServicePoints both = a;
  for (std::size_t field = 0; field < a.size(); ++field) {
    both[field].insert(both[field].end(), b[field].begin(), b[field].end());
    normalise(both[field]);
  }
  return both;
}

bool equal(const ServicePoints& a, const ServicePoints& b) {
  const auto same = [](PortRange x, PortRange y) { return x.first == y.first && x.last == y.last; };
  for (std::size_t field = 0; field < a.size(); ++field)
    if (!std::ranges::equal(a[field], b[field], same)) return false;
  return true;
}

std::vector<std::string> numbers_of(const ServicePoints& points) {
  constexpr std::string_view families[] = {"tcp", "udp", "sctp", "icmp4", "icmp6", "protocol", "rdma"};
  std::vector<std::string> out;
  for (u32 field = 0; field < points.size(); ++field) {
    const bool is_icmp = field == 3 || field == 4;
    for (const auto [first, last] : points[field]) {
      if (first == 0 && last == 0xffff) out.emplace_back(families[field]);
      else if (field == 6 && last == 0) out.emplace_back("rdma/nccl");
      else if (is_icmp && (first & 255) == 0 && (last & 255) == 255)
        out.push_back(first >> 8 == last >> 8 ? fmt::format("{}/{}", families[field], first >> 8)
                                              : fmt::format("{}/{}-{}", families[field], first >> 8, last >> 8));
      else if (is_icmp)
        out.push_back(first == last ? fmt::format("{}/{}/{}", families[field], first >> 8, first & 255)
                                    : fmt::format("{}/{}/{}-{}/{}", families[field], first >> 8, first & 255, last >> 8,
                                                  last & 255));
      else
        out.push_back(first == last ? fmt::format("{}/{}", families[field], first)
                                    : fmt::format("{}/{}-{}", families[field], first, last));
    }
  }
  return out;
}

std::string Namer::call_services(const ServicePoints& points, bool ipv4, bool ipv6, u32 preferred) {
  // Neighbours are joined here, so that a range lies in one range or in none.
  const ServicePoints whole = in_families(points_of(everything()), ipv4, ipv6);
  if (equal(points, whole)) return "everything";
  if (equal(points, in_families(points_of(default_of_allow()), ipv4, ipv6))) return "TCP, UDP, SCTP and ping";
  std::vector<std::string> parts;
  ServicePoints left = points;
  const auto [at, fresh] = services_.try_emplace({ipv4, ipv6, preferred});
  if (fresh) at->second = named(names_, ipv4, ipv6, preferred);
  for (const NamedPoints& one : at->second) {
    if (!is_part(one.points, points)) continue;
    ServicePoints rest = subtract(left, one.points);
    if (equal(rest, left)) continue;
    left = std::move(rest);
    parts.push_back(one.text);
  }
  const std::vector<std::string> numbers = numbers_of(left);
  parts.insert(parts.end(), numbers.begin(), numbers.end());
  const ServicePoints missing = subtract(whole, points);
  if (ranges_count(missing) < parts.size())
    return fmt::format("everything except {}", listed(numbers_of(missing), " and "));
  return listed(parts, ", ");
}

}  // namespace weir::control
