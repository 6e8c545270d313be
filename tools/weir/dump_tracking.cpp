// One line a field.
#include "tools/weir/dump_tracking.hpp"

#include "dataplane/base/timeouts.hpp"

#include <fmt/format.h>

namespace weir {
namespace {

void put_rate(std::vector<std::string>& out, std::string_view name, const Rate& rate) {
  if (!rate.limits()) return;
  out.push_back(fmt::format("{}: one each {:.3f} us, {} at once", name,
                            static_cast<double>(rate.interval) / rate_units_per_tick,
                            rate.tolerance / rate.interval + 1));
}

void put_count(std::vector<std::string>& out, std::string_view name, u32 count) {
  if (count != 0) out.push_back(fmt::format("{}: {}", name, count));
}

void put_ms(std::vector<std::string>& out, std::string_view name, u32 ms) {
  out.push_back(fmt::format("{}: {} ms", name, ms));
}

void put_flood(std::vector<std::string>& out, const image::Tracking& row) {
  put_rate(out, "new_per_source", row.new_per_source);
  put_rate(out, "new_per_target", row.new_per_target);
  put_rate(out, "icmp", row.icmp);
  put_rate(out, "reject", row.reject);
  put_count(out, "half_open", row.half_open);
  put_count(out, "half_open_per_target", row.half_open_per_target);
  put_count(out, "udp", row.udp);
  put_count(out, "scan_ports", row.scan_ports);
  put_count(out, "scan_hosts", row.scan_hosts);
  put_ms(out, "scan_window", row.scan_window_ms);
  put_ms(out, "scan_block", row.scan_block_ms);
}

}  // namespace

std::vector<std::string> tracking_lines(const Policy& policy) {
  constexpr std::string_view proxies[] = {"never", "pressure", "always"};
  const image::Tracking& row = policy.tracking();
  std::vector<std::string> out;
  out.push_back(fmt::format("profile: {}", static_cast<Profile>(row.profile) == Profile::loose ? "loose" : "strict"));
  out.push_back(fmt::format("pick_up: {}", row.pick_up != 0));
  const bool trusts = static_cast<Checksums>(row.checksums) == Checksums::trust;
  out.push_back(fmt::format("checksums: {}", trusts ? "trust" : "check"));
  const bool drops = static_cast<Fragments>(row.fragments) == Fragments::drop;
  out.push_back(fmt::format("fragments: {}", drops ? "drop" : "whole"));
  put_ms(out, "sweep", row.sweep_ms);
  for (u32 i = 0; i < timeouts_count; ++i) put_ms(out, fmt::format("timeout {}", timeout_names[i]), row.timeout_ms[i]);
  put_flood(out, row);
  out.push_back(fmt::format("syn_proxy: {}", proxies[row.syn_proxy]));
  for (u32 i = 1; i < image::reserve_classes; ++i)
    if (row.reserve_share[i] != 0)
      out.push_back(fmt::format("reserve {}: {}.{:02} % for {}", i, row.reserve_share[i] / 100,
                                row.reserve_share[i] % 100, policy.segment_name(row.reserve_segment[i])));
  return out;
}

std::vector<std::string> zone_facts_lines(const Policy& policy) {
  std::vector<std::string> out;
  const auto put = [&](std::string_view side, std::span<const image::ZoneFacts> facts) {
    for (u64 zone = 0; zone < facts.size(); ++zone) {
      const image::ZoneFacts& one = facts[zone];
      if ((one.reserve | one.reject | one.charge | one.assets | one.jobs) == 0) continue;
      std::string line = fmt::format("{} zone {}:", side, zone);
      if (one.reserve != 0) line += fmt::format(" reserve {}", one.reserve);
      if (one.reject != 0) line += " reject";
      if (one.charge != 0) line += fmt::format(" charged as {}", one.charge);
      if (one.assets != 0) line += fmt::format(" assets {:x}", one.assets);
      if (one.jobs != 0) line += fmt::format(" jobs {:x}", one.jobs);
      out.push_back(line);
    }
  };
  put("source", policy.view().source_facts);
  put("target", policy.view().target_facts);
  return out;
}

}  // namespace weir
