// Port set algebra. Ranges are inclusive 16-bit, so that arithmetic is done in 32 bits.
#include "control/model/services.hpp"

#include <algorithm>

namespace weir::control {
namespace {

constexpr std::size_t shown_max = 6;

PortRange range(std::uint32_t first, std::uint32_t last) {
  return {static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)};
}

constexpr std::vector<PortRange> ServiceSet::* families[] = {&ServiceSet::tcp,   &ServiceSet::udp,   &ServiceSet::sctp,
                                                             &ServiceSet::icmp4, &ServiceSet::icmp6, &ServiceSet::rdma};

}  // namespace

void normalise(std::vector<PortRange>& ranges) {
  std::ranges::sort(ranges, {}, &PortRange::first);
  std::size_t kept = 0;
  for (const PortRange& one : ranges) {
    if (kept > 0 && one.first <= std::uint32_t{ranges[kept - 1].last} + 1)
      ranges[kept - 1].last = std::max(ranges[kept - 1].last, one.last);
    else ranges[kept++] = one;
  }
  ranges.resize(kept);
}

bool overlaps(const std::vector<PortRange>& a, const std::vector<PortRange>& b) {
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i].last < b[j].first) ++i;
    else if (b[j].last < a[i].first) ++j;
    else return true;
  }
  return false;
}

std::vector<PortRange> subtract(const std::vector<PortRange>& a, const std::vector<PortRange>& b) {
  std::vector<PortRange> out;
  for (const PortRange& one : a) {
    std::uint32_t first = one.first;
    for (const PortRange& hole : b) {
      if (hole.last < first || hole.first > one.last) continue;
      if (hole.first > first) out.push_back(range(first, hole.first - 1u));
      first = hole.last + 1u;
    }
    if (first <= one.last) out.push_back(range(first, one.last));
  }
  return out;
}

bool empty(const ServiceSet& set) {
  return set.protocols.empty() && std::ranges::all_of(families, [&](auto family) { return (set.*family).empty(); });
}

bool overlaps(const ServiceSet& a, const ServiceSet& b) {
  for (const auto family : families)
    if (overlaps(a.*family, b.*family)) return true;
  return std::ranges::any_of(a.protocols, [&](auto one) { return std::ranges::binary_search(b.protocols, one); });
}

ServiceSet unite(const ServiceSet& a, const ServiceSet& b) {
  ServiceSet out = a;
  for (const auto family : families) {
    (out.*family).insert((out.*family).end(), (b.*family).begin(), (b.*family).end());
    normalise(out.*family);
  }
  out.protocols.insert(out.protocols.end(), b.protocols.begin(), b.protocols.end());
  std::ranges::sort(out.protocols);
  out.protocols.erase(std::unique(out.protocols.begin(), out.protocols.end()), out.protocols.end());
  return out;
}

ServiceSet subtract(const ServiceSet& a, const ServiceSet& b) {
  ServiceSet out;
  for (const auto family : families) out.*family = subtract(a.*family, b.*family);
  std::ranges::set_difference(a.protocols, b.protocols, std::back_inserter(out.protocols));
  return out;
}

ServiceSet with_queue_pairs(ServiceSet set) {
  if (overlaps(set.udp, {{4791, 4791}})) set.rdma = {{0, 65535}};
  return set;
}

const char* carries(std::uint16_t udp_port) {
  switch (udp_port) {
    case 4789: return "VXLAN";
    case 8472: return "VXLAN (Linux's older port)";
    case 6081: return "Geneve";
    case 4791: return "RoCEv2";
    case 4793: return "Ultra Ethernet";
    default: return nullptr;
  }
}

const ServiceSet& default_of_allow() {
  static const ServiceSet set = [] {
    ServiceSet all;
    std::vector<PortRange> carriers;
    for (const std::uint16_t port : carrier_ports) carriers.push_back({port, port});
    all.tcp = all.sctp = {{0, 65535}};
    all.udp = subtract({{0, 65535}}, carriers);
    all.icmp4 = {{8 << 8, 8 << 8}};
    all.icmp6 = {{128 << 8, 128 << 8}};
    return all;
  }();
  return set;
}

const ServiceSet& everything() {
  static const ServiceSet set = [] {
    ServiceSet all;
    for (const auto family : families) all.*family = {{0, 65535}};
    for (unsigned protocol = 0; protocol < 256; ++protocol)
      if (protocol != 6 && protocol != 17 && protocol != 132)
        all.protocols.push_back(static_cast<std::uint8_t>(protocol));
    return all;
  }();
  return set;
}

std::string show(const ServiceSet& set) {
  std::vector<std::string> parts;
  const auto ports = [&](const std::string& family, const std::vector<PortRange>& ranges) {
    for (const auto [first, last] : ranges)
      parts.push_back(family + std::to_string(first) + (first == last ? "" : "-" + std::to_string(last)));
  };
  const auto types = [&](const std::string& family, const std::vector<PortRange>& ranges) {
    for (const auto [first, last] : ranges)
      parts.push_back(family + std::to_string(first >> 8) +
                      (first == last ? "/" + std::to_string(first & 255) : "-" + std::to_string(last >> 8)));
  };
  ports("tcp/", set.tcp);
  ports("udp/", set.udp);
  ports("sctp/", set.sctp);
  types("icmp4/", set.icmp4);
  types("icmp6/", set.icmp6);
  for (const auto protocol : set.protocols) parts.push_back("protocol/" + std::to_string(protocol));
  if (set.rdma.size() == 1 && set.rdma[0].first == 0 && set.rdma[0].last == 65535) parts.push_back("rdma");
  else
    for (const PortRange& one : set.rdma) {
      if (one.last == 0) parts.push_back("rdma/nccl");
      else ports("rdma/", {one});
    }
  std::string out;
  for (std::size_t i = 0; i < parts.size() && i < shown_max; ++i) out += (i > 0 ? ", " : "") + parts[i];
  return parts.size() > shown_max ? out + ", ..." : out;
}

}  // namespace weir::control
