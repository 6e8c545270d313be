// One line a budget, account, limit and charge; read through the tables themselves.
#include "tools/weir/dump_budgets.hpp"

#include "dataplane/policy/charges.hpp"

#include <fmt/format.h>

namespace weir {
namespace {

std::string shown(const image::Cover& cover) {
  constexpr std::string_view kinds[] = {"port", "ipv4",  "ipv6",  "network",  "tcp",  "udp",
                                        "sctp", "icmp4", "icmp6", "protocol", "rdma", "other"};
  const auto number = [](u64 high, u64 low) {
    return high == 0 ? fmt::format("{:x}", low) : fmt::format("{:x}{:016x}", high, low);
  };
  return fmt::format("{} {}-{}", kinds[static_cast<u32>(cover.kind)], number(cover.first_high, cover.first_low),
                     number(cover.last_high, cover.last_low));
}

std::string covered(const Policy& policy, std::string_view what, u32 first, u32 count) {
  std::string line = fmt::format("  {}:", what);
  for (const image::Cover& cover : policy.view().covers.subspan(first, count))
    line += fmt::format(" {},", shown(cover));
  if (line.back() == ',') line.pop_back();
  return line;
}

std::string mode(u64 monitor_until) {
  if (monitor_until == 0) return "";
  return monitor_until == ~u64{0} ? ", monitor" : fmt::format(", monitor until {} s", monitor_until / tick_second);
}

void put_budget(const Policy& policy, u32 index, std::vector<std::string>& out) {
  constexpr std::string_view exceeds[] = {"deny", "throttle", "alert"}, scopes[] = {"fleet", "segment", "host"};
  const image::View& view = policy.view();
  const image::Budget& one = view.budgets[index];
  std::string line = fmt::format("budget {}: `{}` at {}:{}, {}", index, policy.text(one.name), policy.text(one.file),
                                 one.line, exceeds[static_cast<u32>(one.on_exceed)]);
  if (one.throttle_bits_per_s != 0) line += fmt::format(" {} bit/s", one.throttle_bits_per_s);
  line += fmt::format(", scope {}", scopes[static_cast<u32>(one.scope)]);
  if (one.count == image::Count::payload) line += fmt::format(", payload + {} a packet", one.surcharge);
  if (one.max_share != 0) line += fmt::format(", max_share {}", one.max_share);
  if (one.opens_empty != 0) line += ", opens empty";
  for (u32 percent = 1; percent <= 100; ++percent)
    if (one.alerts[percent / 64] >> percent % 64 & 1) line += fmt::format(", tells at {} %", percent);
  out.push_back(line + mode(one.monitor_until));
  for (const image::Window& window : view.windows.subspan(one.windows_first, one.windows_count))
    out.push_back(window.length_s == 0 ? fmt::format("  {} bytes ever", window.bytes)
                                       : fmt::format("  {} bytes in {} s", window.bytes, window.length_s));
  for (const image::Reserve& reserve : view.budget_reserves.subspan(one.reserves_first, one.reserves_count))
    out.push_back(fmt::format("  reserve {} of 10000 for {}", reserve.share,
                              reserve.name.bytes == 0 ? "a service" : policy.text(reserve.name)));
  out.push_back(covered(policy, "targets", one.targets_first, one.targets_count));
  out.push_back(covered(policy, "services", one.services_first, one.services_count));
  for (u32 account = one.accounts_first; account < one.accounts_first + one.accounts_count; ++account) {
    const image::Account& each = view.accounts[account];
    std::string head = fmt::format("account {}", account);
    if (each.segment != no_segment) head += fmt::format(" of {}", policy.segment_name(static_cast<u16>(each.segment)));
    if (each.hosts != 0) head += fmt::format(", {} hosts", each.hosts);
    out.push_back(covered(policy, head, each.sources_first, each.sources_count));
  }
}

std::string rate_of(const Rate& rate) {
  return fmt::format("one each {:.3f} us, {} at once", static_cast<double>(rate.interval) / rate_units_per_tick,
                     rate.tolerance / rate.interval + 1);
}

// Accounts with the reserves that they may use, and limits.
std::string contents_of(const Charges& charges, u32 charge) {
  std::string line;
  for (const image::ChargeAccount& one : charges.accounts(charge))
    line += fmt::format(" account {}{}", one.account, one.reserves == 0 ? "" : fmt::format("+{:x}", one.reserves));
  for (const u32 limit : charges.limits(charge)) line += fmt::format(" limit {}", limit);
  return line.empty() ? " nothing" : line;
}

}  // namespace

std::vector<std::string> budget_lines(const Policy& policy) {
  std::vector<std::string> out;
  const image::View& view = policy.view();
  if (!view.budgets.empty()) out.push_back(fmt::format("amounts of one of {} instances", view.meta[0].instances));
  for (u32 index = 0; index < view.budgets.size(); ++index) put_budget(policy, index, out);
  return out;
}

std::vector<std::string> limit_lines(const Policy& policy) {
  constexpr std::string_view pers[] = {"rule", "source", "target", "pair"};
  std::vector<std::string> out;
  const image::View& view = policy.view();
  for (u32 index = 0; index < view.limits.size(); ++index) {
    const image::Limit& one = view.limits[index];
    std::string line = fmt::format("limit {}: `{}` at {}:{}, per {}", index, policy.text(one.name),
                                   policy.text(one.file), one.line, pers[one.per]);
    if (one.rate_bits_per_s != 0)
      line += fmt::format(", {} bit/s, {} bytes at once", one.rate_bits_per_s, one.burst_bytes);
    if (one.packets.limits()) line += fmt::format(", packets {}", rate_of(one.packets));
    if (one.new_connections.limits()) line += fmt::format(", connections {}", rate_of(one.new_connections));
    if (one.connections != 0) line += fmt::format(", {} connections", one.connections);
    out.push_back(line + mode(one.monitor_until));
  }
  return out;
}

std::vector<std::string> charge_lines(const Policy& policy) {
  std::vector<std::string> out;
  const image::View& view = policy.view();
  const Charges charges(policy);
  if (!charges.any()) return out;
  const u32 columns = view.charge_services_count;
  const auto put = [&](u32 source, std::string_view target, u32 row) {
    for (u32 column = 0; column < columns; ++column)
      if (const u32 charge = view.charge_rows[u64{row} * columns + column]; charge != 0)
        out.push_back(
            fmt::format("source {} > {} service {}:{}", source, target, column, contents_of(charges, charge)));
  };
  for (u32 source = 0; source < view.charge_sources.size(); ++source) {
    const image::ChargeSource& from = view.charge_sources[source];
    for (const image::ChargeTarget& at : view.charge_targets.subspan(from.first, from.count))
      put(source, at.target == image::charge_nowhere ? "nowhere" : fmt::format("target {}", at.target), at.row);
    put(source, "other targets", from.otherwise);
  }
  return out;
}

}  // namespace weir
