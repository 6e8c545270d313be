// Who steals from whom: hosts of segments, exits of assets, ports to try, and the bounds, asked once each.
#include "tools/weir/thief.hpp"

#include "control/model/address.hpp"
#include "control/report/report.hpp"
#include "tools/weir/commands.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>

namespace weir {
namespace {

constexpr u32 all_exits = ~u32{0};
constexpr u32 other_holders_max = 64;
constexpr std::string_view nobody = "198.51.100.9";  // of RFC 5737, which no segment has a reason to name
// Ports that policies open, tried beside those that this one names.
constexpr u16 usual_tcp[] = {22, 53, 80, 443, 2049, 4420, 8443, 9000, 29500};
constexpr u16 usual_udp[] = {53, 123, 443};
constexpr std::size_t ports_max = 64;  // of one protocol

std::array<u8, 16> bytes_of(control::Ipv6Number number) {
  std::array<u8, 16> made;
  for (int i = 15; i >= 0; --i, number >>= 8) made[static_cast<std::size_t>(i)] = static_cast<u8>(number);
  return made;
}

std::array<u8, 6> mac_of(u32 ipv4) {
  return {0x02,
          0x77,
          static_cast<u8>(ipv4 >> 24),
          static_cast<u8>(ipv4 >> 16),
          static_cast<u8>(ipv4 >> 8),
          static_cast<u8>(ipv4)};
}

// Not the first of a range, which people think of as the network, and in small ones the last.
template <class Number>
Number one_of(Number first, Number last) {
  const Number more = last - first;
  return first + (more < 7 ? more : Number{7});
}

std::vector<u16> ports_of(const control::Model* model, bool is_tcp) {
  std::vector<u16> ports;
  const auto add = [&](u16 port) {
    if (ports.size() < ports_max && std::ranges::find(ports, port) == ports.end()) ports.push_back(port);
  };
  if (model != nullptr)
    for (const control::Statement& statement : model->statements) {
      if (statement.is_forbid) continue;
      for (const control::PortRange& range : is_tcp ? statement.services.tcp : statement.services.udp)
        add(range.first == 0 ? u16{1} : range.first);
    }
  for (const u16 port : is_tcp ? std::span<const u16>(usual_tcp) : std::span<const u16>(usual_udp)) add(port);
  return ports;
}

}  // namespace

std::expected<ThiefTargets, std::string> ThiefTargets::open(const ThiefOptions& options) {
  ThiefTargets targets;
  if (auto read = targets.read_rules_of(options); !read) return std::unexpected(read.error());
  targets.find_candidates();
  const bool knows = targets.bounds_ != nullptr && !targets.bounds_->model().assets.empty();
  if (!knows && (options.from.empty() || options.to.empty()))
    return std::unexpected(options.policy + " names no asset: say --from and --to");
  for (const std::string& from : options.from.empty() ? targets.holders() : std::vector{options.from})
    for (const std::string& to : options.to.empty() ? targets.exits(from) : std::vector{options.to}) {
      auto pair = targets.pair_of(from, to);
      if (!pair) return std::unexpected(pair.error());
      targets.pairs_.push_back(std::move(*pair));
    }
  return targets;
}

std::expected<void, std::string> ThiefTargets::read_rules_of(const ThiefOptions& options) {
  auto file = open_policy(options.policy);
  if (!file) return std::unexpected("the policy does not hold\n" + file.error());
  image_ = std::make_unique<PolicyFile>(std::move(*file));
  file_ = image_.get();
  const auto now_s = time_of(options.at);
  if (!now_s) return std::unexpected(fmt::format("--at {}: not a date (YYYY-MM-DD)", options.at));
  Rules rules = 
      read_rules(options.policy, *now_s, first_generation, control::Purpose::enforce, Signatures::compiled);
  if (!rules.ok()) return {};  // an image
  rules_ = std::make_unique<Rules>(std::move(rules));
  bounds_ = std::make_unique<control::Bounds>(rules_->checked.model, *now_s);
  return {};
}

void ThiefTargets::find_candidates() {
  const control::Model* model = rules_ == nullptr ? nullptr : &rules_->checked.model;
  for (const bool is_tcp : {true, false})
    for (const u16 port : ports_of(model, is_tcp))
      for (const bool holder_dials : {true, false})
        candidates_.push_back({static_cast<u8>(is_tcp ? 6 : 17), port, holder_dials});
}

bool ThiefTargets::holds(u32 asset, u32 segment) const {
  const auto& held = bounds_->model().assets[asset].held;
  return std::ranges::find(held, segment) != held.end();
}

std::vector<std::string> ThiefTargets::holders() const {
  const control::Model& model = bounds_->model();
  std::vector<std::string> names;
  for (u32 segment = 0; segment < model.segments.size(); ++segment)
    for (u32 asset = 0; asset < model.assets.size(); ++asset)
      if (holds(asset, segment) && !model.segments[segment].addresses.ipv4.empty()) {
        names.push_back(model.segments[segment].name);
        break;
      }
  return names;
}

// Of every asset that the holder holds: open or closed, and what lies in no segment.
std::vector<std::string> ThiefTargets::exits(const std::string& holder) const {
  const control::Model& model = bounds_->model();
  ThiefPair pair;
  if (!place(holder, true, pair)) return {""};  // said by pair_of()
  std::vector<bool> is_exit(model.segments.size());
  for (u32 asset = 0; asset < model.assets.size(); ++asset) {
    if (!pair.holder || !holds(asset, *pair.holder)) continue;
    const control::AssetBound found = bounds_->of(asset, {});
    for (const control::Passage& passage : found.exits)
      if (passage.exit) is_exit[*passage.exit] = true;
    for (const u32 segment : found.closed) is_exit[segment] = true;
  }
  std::vector<std::string> names;
  for (u32 segment = 0; segment < model.segments.size(); ++segment)
    if (is_exit[segment] && !model.segments[segment].addresses.ipv4.empty())
      names.push_back(model.segments[segment].name);
  names.emplace_back(nobody);
  return names;
}

std::expected<ThiefPair, std::string> ThiefTargets::pair_of(const std::string& from, const std::string& to) const {
  ThiefPair pair;
  if (auto placed = place(from, true, pair); !placed) return std::unexpected("--from " + placed.error());
  if (auto placed = place(to, false, pair); !placed) return std::unexpected("--to " + placed.error());
  pair.scene.has_ipv6 = pair.scene.holder.has_ipv6() && pair.scene.accomplice.has_ipv6();
  if (pair.scene.other_holders.empty()) pair.scene.other_holders = {pair.scene.holder.ipv4};
  return pair;
}

std::expected<void, std::string> ThiefTargets::place(const std::string& who, bool is_holder, ThiefPair& pair) const {
  thief::End& end = is_holder ? pair.scene.holder : pair.scene.accomplice;
  (is_holder ? pair.holder_name : pair.accomplice_name) = who;
  const control::Model* model = rules_ == nullptr ? nullptr : &rules_->checked.model;
  const control::Prefix prefix = control::parse_prefix(who);
  if (prefix.fault == control::PrefixFault::none && prefix.is_ipv4 && prefix.length == 32) {
    end.ipv4 = prefix.ipv4.first;
    for (u32 segment = 0; model != nullptr && segment < model->segments.size(); ++segment)
      if (control::contains(model->segments[segment].addresses, end.ipv4)) {
        (is_holder ? pair.holder : pair.accomplice) = segment;
        break;
      }
  } else {
    const auto found = model == nullptr ? nullptr : &rules_->checked.names.nouns;
    const auto noun = found == nullptr ? decltype(found->find(who)){} : found->find(who);
    if (found == nullptr || noun == found->end() || noun->second.segments.size() != 1)
      return std::unexpected(fmt::format("{}: neither a segment nor an IPv4 address", control::harmless(who)));
    if (model->segments[noun->second.segments[0]].addresses.ipv4.empty())
      return std::unexpected(fmt::format("{}: has no IPv4 address; name one", control::harmless(who)));
    place_segment(noun->second.segments[0], is_holder, pair);
  }
  end.mac = mac_of(end.ipv4);
  if (model == nullptr) return {};
  for (const control::PortPin& pin : model->ports)
    if (pin.name == (is_holder ? pair.holder_port : pair.accomplice_port) && !pin.macs.empty()) end.mac = pin.macs[0];
  return {};
}

void ThiefTargets::place_segment(u32 segment, bool is_holder, ThiefPair& pair) const {
  const control::Model& model = rules_->checked.model;
  const control::Segment& named = model.segments[segment];
  thief::End& end = is_holder ? pair.scene.holder : pair.scene.accomplice;
  (is_holder ? pair.holder : pair.accomplice) = segment;
  control::AddressSet addresses = named.addresses;
  std::string& port = is_holder ? pair.holder_port : pair.accomplice_port;
  for (const std::string& name : named.attach) {
    if (name.ends_with('*')) continue;
    port = name;
    for (const control::PortPin& pin : model.ports)  // what else it claims is caught as spoofed
      if (pin.name == name && pin.has_addresses)
        addresses = control::subtract(addresses, control::subtract(addresses, pin.addresses));
    break;
  }
  if (addresses.ipv4.empty()) addresses = named.addresses;
  const control::Ipv4Range& range = addresses.ipv4.front();
  end.ipv4 = one_of(range.first, range.last);
  if (!addresses.ipv6.empty()) end.ipv6 = bytes_of(one_of(addresses.ipv6.front().first, addresses.ipv6.front().last));
  if (!is_holder) return;
  for (u32 i = 0; i < other_holders_max && range.first + i <= range.last; ++i)
    pair.scene.other_holders.push_back(range.first + i);
}

control::Bytes ThiefTargets::bound(const ThiefPair& pair, bool to_any, u64 length_s) const {
  if (bounds_ == nullptr || !pair.holder) return control::unlimited;
  const u32 exit = to_any || !pair.accomplice ? all_exits : *pair.accomplice;
  control::Bytes least = control::unlimited;
  for (u32 asset = 0; asset < bounds_->model().assets.size(); ++asset) {
    if (!holds(asset, *pair.holder)) continue;
    const auto [at, is_new] = known_.try_emplace({asset, exit, length_s}, control::unlimited);
    if (is_new) {
      const auto to = exit == all_exits ? std::nullopt : std::optional(std::vector<u32>{exit});
      at->second = bounds_->most(bounds_->ends(asset, to), length_s).bytes;
    }
    least = std::min(least, at->second);
  }
  return least;
}

}  // namespace weir
