// Addresses that hosts have before those that they do not, hosts before networks, well-known ports before low ones.
#include "control/diff/example.hpp"

#include "control/model/address.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {

namespace {

struct Span128 {
  u128 first, last;
};

// In the order of liking. What is in none of them is taken as it comes.
constexpr Span128 liked_ipv4[] = {{0x0100'0000, 0x7eff'ffff}, {0x8000'0000, 0xdfff'ffff}};
constexpr Span128 liked_ipv6[] = {{u128{0x2000} << 112, (u128{0x4000} << 112) - 1},
                                  {u128{0xfc00} << 112, (u128{0xfe00} << 112) - 1},
                                  {u128{0xfe80} << 112, (u128{0xfec0} << 112) - 1}};
constexpr u16 liked_ports[] = {443, 22, 53, 8443, 80, 2049};
constexpr u16 unliked_protocols[] = {0, 43, 44, 51, 59, 60, 135, 139, 140};  // IPv6 extension headers

Address address_of(bool is_ipv4, u128 number) {
  if (is_ipv4) return Address::ipv4(swap(static_cast<u32>(number)));
  return {swap(static_cast<u64>(number >> 64)), swap(static_cast<u64>(number))};
}

std::string shown(bool is_ipv4, u128 number) {
  return is_ipv4 ? show(static_cast<std::uint32_t>(number)) : show(Ipv6Number{number});
}

std::vector<Span128> spans_of(const AddressSet& set, bool is_ipv4) {
  std::vector<Span128> spans;
  if (is_ipv4)
    for (const Ipv4Range& range : set.ipv4) spans.push_back({range.first, range.last});
  else
    for (const Ipv6Range& range : set.ipv6) spans.push_back({range.first, range.last});
  return spans;
}

std::optional<u128> host_in(Span128 span, std::optional<u128> but) {
  u128 at = span.first;
  if (((at & 255) == 0 || at == but) && at < span.last) ++at;
  if (at == but && at < span.last) ++at;
  return at == but ? std::nullopt : std::optional(at);
}

bool is_in(const std::vector<PortRange>& ranges, u16 number) {
  return std::ranges::any_of(ranges, [&](PortRange range) { return range.first <= number && number <= range.last; });
}

}  // namespace

std::optional<u128> ExamplePicker::address_in(u32 atom, bool is_ipv4, std::optional<u128> but) const {
  const std::vector<Span128> spans = spans_of(space_.addresses[atom], is_ipv4);
  for (const Span128 liked : is_ipv4 ? std::span<const Span128>(liked_ipv4) : std::span<const Span128>(liked_ipv6))
    for (const Span128 span : spans) {
      const Span128 part{std::max(span.first, liked.first), std::min(span.last, liked.last)};
      if (part.first > part.last) continue;
      if (const auto found = host_in(part, but)) return found;
    }
  for (const Span128 span : spans)
    if (const auto found = host_in(span, but)) return found;
  return std::nullopt;
}

// A port with a name before any other.
std::vector<Spot> ExamplePicker::sources_of(const JointZone& zone) const {
  const auto rank = [&](Spot place) {
    const JointClass& port = space_.classes[place.port_class];
    return port.kind != image::ClassKind::network && port.port_name.empty() ? 2 : place.port_class == 0 ? 1 : 0;
  };
  std::vector<Spot> places = zone.places;
  std::ranges::stable_sort(places, {}, rank);
  return places;
}

// Another address, behind another port; any other port before a named one.
std::optional<ExamplePicker::Chosen> ExamplePicker::choose_target(const JointZone& zone, const Chosen& source) const {
  const auto rank = [&](Spot place) {
    const JointClass& port = space_.classes[place.port_class];
    const bool is_wire = port.kind != image::ClassKind::network;
    const bool same = is_wire && place.port_class == source.place.port_class && place.port_class != 0;
    if (same && port.kind == image::ClassKind::name) return 4;
    return same ? 3 : is_wire && port.port_name.empty() ? 2 : place.port_class != 0 ? 1 : 0;
  };
  std::vector<Spot> places = zone.places;
  std::ranges::stable_sort(places, {}, rank);
  for (const Spot place : places) {
    if (rank(place) == 4) break;
    if (const auto address = address_in(place.atom, zone.is_ipv4, source.address)) return Chosen{place, *address};
  }
  return std::nullopt;
}

bool ExamplePicker::pick(const Rectangle& rectangle, u32 from, u32 to, const ServicePoints& points) {
  const JointZone& target = space_.targets[to];
  const bool is_ipv4 = rectangle.is_ipv4;
  Chosen source{};
  std::optional<Chosen> chosen;
  for (const Spot spot : sources_of(space_.sources[from])) {
    const u128 first = *address_in(spot.atom, is_ipv4, std::nullopt);
    source = {spot, first};
    if ((chosen = choose_target(target, source))) break;
    // The target may have no other address than this; the source perhaps has.
    source.address = address_in(spot.atom, is_ipv4, first).value_or(first);
    if ((chosen = choose_target(target, source))) break;
  }
  if (!chosen) return false;
  example_.source = shown(is_ipv4, source.address);
  example_.target = shown(is_ipv4, chosen->address);
  for (const u32 policy : {old_policy, new_policy}) {
    Question& question = example_.questions[policy];
    question.source = address_of(is_ipv4, source.address);
    question.target = address_of(is_ipv4, chosen->address);
    question.source_class = static_cast<u16>(space_.classes[source.place.port_class].plan[policy]);
    question.target_class = static_cast<u16>(space_.classes[chosen->place.port_class].plan[policy]);
  }
  choose_ports(target, source, *chosen);
  choose_service(points_in_family(points, is_ipv4), is_ipv4);
  return true;
}

// Whether the address is of another zone behind some port.
bool ExamplePicker::port_matters(const JointZone& target, u32 atom) const {
  const auto here = std::ranges::count(target.places, atom, &Spot::atom);
  const auto all = std::ranges::count(space_.classes, target.domain, &JointClass::domain);
  return here != all;
}

void ExamplePicker::choose_ports(const JointZone& target, const Chosen& from, const Chosen& to) {
  const JointClass& in = space_.classes[from.place.port_class];
  if (in.kind == image::ClassKind::network) {
    u32 number = 0;
    const auto is_bound = [&](u32 one) {
      return std::ranges::any_of(
          space_.classes, [&](const JointClass& other) { return std::ranges::binary_search(other.networks, one); });
    };
    while (in.networks.empty() && is_bound(number)) ++number;
    example_.network = in.networks.empty() ? number : in.networks.front();
    return;
  }
  example_.port = in.port_name;
  if (!port_matters(target, to.place.atom)) return;
  const bool same = from.place.port_class == to.place.port_class;
  example_.out_port = same ? other_name(to.place.port_class) : space_.classes[to.place.port_class].port_name;
}

// A second port of a class.
std::string ExamplePicker::other_name(u32 port_class) const {
  const JointClass& port = space_.classes[port_class];
  for (char letter = '0'; letter <= 'z'; ++letter) {
    const std::string name = port.port_name + letter;
    if (policies_[0]->port_class(name) == port.plan[0] && policies_[1]->port_class(name) == port.plan[1] &&
        std::isalnum(static_cast<unsigned char>(letter)))
      return name;
  }
  return "";
}

void ExamplePicker::choose_service(const ServicePoints& points, bool is_ipv4) {
  constexpr u8 protocols[] = {6, 17, 132, 1, 58};
  constexpr std::string_view names[] = {"tcp", "udp", "sctp", "icmp4", "icmp6"};
  u32 field = 0;
  while (field + 1 < points.size() && points[field].empty()) ++field;
  const auto& ranges = points[field];
  u16 number = ranges.front().first;
  u8 protocol = 0, type = 0, code = 0;
  const bool is_rdma = field == static_cast<u32>(image::ServiceField::rdma);
  if (is_rdma) {
    protocol = 17;
    example_.service = number == 0 ? "rdma/nccl" : fmt::format("rdma/{}", number);
  } else if (field < 3) {
    protocol = protocols[field];
    if (number == 0 && ranges.front().last > 0) ++number;
    if (number < 20 && ranges.front().last - number > 100)
      for (const u16 liked : liked_ports)
        if (is_in(ranges, liked)) {
          number = liked;
          break;
        }
    example_.service = fmt::format("{}/{}", names[field], number);
  } else if (field < 5) {
    protocol = protocols[field];
    const u16 echo = static_cast<u16>((is_ipv4 ? 8 : 128) << 8);
    if (is_in(ranges, echo)) number = echo;
    type = static_cast<u8>(number >> 8);
    code = static_cast<u8>(number);
    number = 0;
    example_.service = fmt::format("{}/{}/{}", names[field], type, code);
  } else {
    protocol = static_cast<u8>(number);
    for (u32 one = 0; one < 256; ++one)
      if (is_in(ranges, static_cast<u16>(one)) &&
          std::ranges::find(unliked_protocols, one) == std::ranges::end(unliked_protocols)) {
        protocol = static_cast<u8>(one);
        break;
      }
    number = 0;
    example_.service = fmt::format("protocol/{}", protocol);
  }
  for (Question& question : example_.questions) {
    question.protocol = protocol;
    question.icmp_type = type;
    question.icmp_code = code;
    question.target_port = number;
    question.is_rdma = is_rdma;
  }
}

}  // namespace weir::control
