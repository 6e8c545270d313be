// Every setting as a text under its key, then two lists of texts are compared. Values are those in force, so that a
// default that is written out differs in nothing.
#include "control/diff/settings.hpp"

#include "control/diff/caps.hpp"
#include "control/diff/spoken.hpp"
#include "control/diff/words.hpp"
#include "control/model/address.hpp"
#include "dataplane/base/timeouts.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <map>

namespace weir::control {

namespace {

using Settings = std::map<std::string, std::string>;

constexpr const char* nothing = "none";

std::string spoken(std::uint32_t ceiling) { return ceiling == 0 ? nothing : std::to_string(ceiling); }

const char* spoken(bool on) { return on ? "on" : "off"; }

void put_tracking(const Tracking& tracking, Settings& out) {
  constexpr const char* proxies[] = {"never", "pressure", "always"};
  out["state.profile"] = tracking.loose ? "loose" : "strict";
  out["state.pick_up"] = spoken(tracking.pick_up);
  out["state.checksums"] = tracking.trust_checksums ? "trust" : "check";
  out["state.fragments"] = tracking.drop_fragments ? "drop" : "whole";
  out["state.sweep"] = spoken_ms(tracking.sweep_ms);
  for (std::size_t i = 0; i < timeouts_count; ++i) {
    const auto said = tracking.timeouts_ms.find(timeout_names[i]);
    out[fmt::format("state.timeouts.{}", timeout_names[i])] =
        spoken_ms(said == tracking.timeouts_ms.end() ? timeout_ms[i] : said->second);
  }
  out["flood.new_per_source"] = spoken(tracking.new_per_source);
  out["flood.new_per_target"] = spoken(tracking.new_per_target);
  out["flood.icmp"] = spoken(tracking.icmp);
  out["flood.reject"] = spoken(tracking.reject);
  out["flood.half_open"] = spoken(tracking.half_open);
  out["flood.half_open_per_target"] = spoken(tracking.half_open_per_target);
  out["flood.udp"] = spoken(tracking.udp);
  out["flood.scan_ports"] = spoken(tracking.scan_ports);
  out["flood.scan_hosts"] = spoken(tracking.scan_hosts);
  out["flood.scan_window"] = spoken_ms(tracking.scan_window_ms);
  out["flood.scan_block"] = spoken_ms(tracking.scan_block_ms);
  out["flood.syn_proxy"] = proxies[static_cast<std::size_t>(tracking.syn_proxy)];
}

Settings settings_of(const Model& model) {
  Settings out;
  out["link.arp"] = spoken(model.link.arp);
  out["link.nd"] = spoken(model.link.nd);
  out["link.ra"] = spoken(model.link.ra);
  out["link.dhcp"] = spoken(model.link.dhcp);
  put_tracking(model.tracking, out);
  out["rdma.icrc"] = model.rdma.check_icrc ? "check" : "trust";
  out["rdma.cnp"] = spoken(model.rdma.cnp);
  out["rdma.cm"] = spoken(model.rdma.cm);
  out["rdma.nak_penalty"] = spoken_ms(model.rdma.nak_penalty_ms);
  out["fleet.instances"] = std::to_string(model.instances);
  out["policy.mode"] = model.monitor ? "monitor" : "enforce";
  out["policy.monitor_until"] = model.monitor_until_s ? spoken_day(*model.monitor_until_s) : nothing;
  return out;
}

std::string reserve_of(const Segment* segment) {
  if (segment == nullptr || segment->reserve == 0) return nothing;
  return fmt::format("{:g} %", static_cast<double>(segment->reserve) / 100);
}

std::string class_of(const Segment& segment) {
  constexpr const char* classes[] = {"public", "internal", "restricted", "secret"};
  return segment.security_class ? classes[static_cast<std::size_t>(*segment.security_class)] : nothing;
}

std::string rate_of(const Segment& segment) {
  return segment.rate_bits_per_s ? spoken_rate(*segment.rate_bits_per_s) : nothing;
}

void compare_segments(const Model& old_model, const Model& new_model, std::vector<DiffSetting>& found) {
  const auto put = [&](const std::string& key, const std::string& before, const std::string& after) {
    if (before != after) found.push_back({key, before, after});
  };
  for (const Segment& segment : new_model.segments) {
    const Segment* before = counterpart(segment, old_model);
    put(fmt::format("segment.{}.reserve", segment.name), reserve_of(before), reserve_of(&segment));
    if (before == nullptr) continue;
    put(fmt::format("segment.{}.class", segment.name), class_of(*before), class_of(segment));
    put(fmt::format("segment.{}.rate", segment.name), rate_of(*before), rate_of(segment));
    put(fmt::format("segment.{}.hosts", segment.name), spoken(before->hosts), spoken(segment.hosts));
  }
  for (const Segment& segment : old_model.segments)
    if (counterpart(segment, new_model) == nullptr)
      put(fmt::format("segment.{}.reserve", segment.name), reserve_of(&segment), nothing);
}

std::string port_text(const JointClass& port, u32 index) {
  return index == 0 ? "any other port" : port.pattern + (port.kind == image::ClassKind::prefix ? "*" : "");
}

std::string macs_of(const JointSpace& space, u32 policy, u32 port_class) {
  const PortClassPlan& plan = space.plan(policy, port_class);
  if (!plan.pin) return "any";
  auto macs = space.models[policy]->ports[*plan.pin].macs;
  std::ranges::sort(macs);
  std::vector<std::string> texts;
  for (const auto& mac : macs) texts.push_back(fmt::format("{:02x}", fmt::join(mac, ":")));
  return texts.empty() ? "any" : fmt::format("{}", fmt::join(texts, ", "));
}

void compare_macs(const JointSpace& space, std::vector<DiffSetting>& found) {
  for (u32 index = 0; index < space.classes.size(); ++index) {
    if (space.classes[index].kind == image::ClassKind::network) continue;
    const std::string before = macs_of(space, old_policy, index), after = macs_of(space, new_policy, index);
    if (before != after)
      found.push_back({fmt::format("port.{}.macs", port_text(space.classes[index], index)), before, after});
  }
}

// As few prefixes as say it: those in the set, or those that are not.
DiffClaim claim_of(const AddressSet& set, bool is_ipv4, bool accepted) {
  AddressSet whole;
  add(whole, parse_prefix(is_ipv4 ? "0.0.0.0/0" : "::/0"));
  DiffClaim claim{{}, accepted, false, prefixes_of(set)};
  std::vector<std::string> others = prefixes_of(subtract(subtract(whole, set), impossible_sources()));
  if (others.size() < claim.prefixes.size()) {
    claim.all_but = true;
    claim.prefixes = std::move(others);
    if (claim.prefixes.empty()) claim.prefixes = {is_ipv4 ? "no IPv4 address" : "no IPv6 address"};
  }
  return claim;
}

}  // namespace

std::vector<DiffClaim> claims_between(const JointSpace& space) {
  std::map<std::tuple<bool, bool, u32>, AddressSet> sets;  // refused before accepted; IPv4 last; by class
  for (const JointZone& zone : space.sources) {
    if (zone.spoofed[old_policy] == zone.spoofed[new_policy]) continue;
    for (const Spot place : zone.places) {
      AddressSet& set = sets[{zone.spoofed[old_policy], zone.is_ipv4, place.port_class}];
      const AddressSet& more = space.addresses[place.atom];
      if (zone.is_ipv4) set.ipv4.insert(set.ipv4.end(), more.ipv4.begin(), more.ipv4.end());
      else set.ipv6.insert(set.ipv6.end(), more.ipv6.begin(), more.ipv6.end());
    }
  }
  std::vector<DiffClaim> claims;
  for (auto& [key, set] : sets) {
    const auto [accepted, is_ipv4, port_class] = key;
    normalise(set);
    DiffClaim claim = claim_of(set, is_ipv4, accepted);
    const auto like = std::ranges::find_if(claims, [&](const DiffClaim& one) {
      return one.accepted == claim.accepted && one.all_but == claim.all_but && one.prefixes == claim.prefixes;
    });
    const std::string port = port_text(space.classes[port_class], port_class);
    if (like != claims.end()) like->ports.push_back(port);
    else claims.emplace_back(std::move(claim)).ports.push_back(port);
  }
  return claims;
}

std::vector<DiffSetting> settings_between(const JointSpace& space) {
  const Model &old_model = *space.models[old_policy], &new_model = *space.models[new_policy];
  const Settings before = settings_of(old_model), after = settings_of(new_model);
  std::vector<DiffSetting> found;
  for (const auto& [key, value] : after)
    if (before.at(key) != value) found.push_back({key, before.at(key), value});
  compare_segments(old_model, new_model, found);
  compare_macs(space, found);
  for (DiffSetting& one : caps_between(old_model, new_model)) found.push_back(std::move(one));
  std::ranges::stable_sort(found, {}, &DiffSetting::key);
  return found;
}

}  // namespace weir::control
