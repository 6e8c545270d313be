// What budgets are, for their keeper: amounts for one instance, and coverage as ranges that another policy's can be
// compared with.
#include "control/compile/charges.hpp"

#include "control/compile/rows.hpp"
#include "dataplane/policy/policy.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace weir::control {

namespace {

using image::Cover;
using image::CoverKind;

u128 first_of(const Cover& one) { return u128{one.first_high} << 64 | one.first_low; }
u128 last_of(const Cover& one) { return u128{one.last_high} << 64 | one.last_low; }
Cover range(CoverKind kind, u128 first, u128 last) {
  return {static_cast<u64>(first >> 64),
          static_cast<u64>(first),
          static_cast<u64>(last >> 64),
          static_cast<u64>(last),
          kind,
          0};
}

// The names that fit a pattern, by their first 16 bytes.
Cover names(const std::string& pattern) {
  const bool open = pattern.ends_with('*');
  const std::size_t stem = pattern.size() - open;
  u128 first = 0, last = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    const auto byte = static_cast<u8>(i < stem ? pattern[i] : '\0');
    first = first << 8 | byte;
    last = last << 8 | (open && i >= stem ? 0xff : byte);
  }
  return range(CoverKind::port, first, last);
}

void join(std::vector<Cover>& covers) {
  std::sort(covers.begin(), covers.end(), [](const Cover& a, const Cover& b) {
    return a.kind != b.kind ? a.kind < b.kind : first_of(a) < first_of(b);
  });
  std::vector<Cover> made;
  for (const Cover& one : covers) {
    const bool touches = !made.empty() && made.back().kind == one.kind &&
                         (last_of(made.back()) == ~u128{0} || first_of(one) <= last_of(made.back()) + 1);
    if (!touches) made.push_back(one);
    else if (last_of(one) > last_of(made.back())) made.back() = range(one.kind, first_of(made.back()), last_of(one));
  }
  covers = std::move(made);
}

// Joins the nearest neighbours until few enough are left: the cover only grows.
void shorten(std::vector<Cover>& covers) {
  if (covers.size() <= image::cover_ranges_max) return;
  std::vector<std::pair<u128, std::size_t>> gaps;
  for (std::size_t i = 1; i < covers.size(); ++i)
    if (covers[i].kind == covers[i - 1].kind) gaps.emplace_back(first_of(covers[i]) - last_of(covers[i - 1]), i);
  const std::size_t joined = std::min(gaps.size(), covers.size() - image::cover_ranges_max);
  std::nth_element(gaps.begin(), gaps.begin() + static_cast<std::ptrdiff_t>(joined) - 1, gaps.end());
  for (std::size_t i = 0; i < joined; ++i) {
    const Cover& before = covers[gaps[i].second - 1];
    covers.push_back(range(before.kind, last_of(before), first_of(covers[gaps[i].second])));
  }
  join(covers);
}

std::vector<Cover> complement(const std::vector<Cover>& covers) {
  std::vector<Cover> made;
  for (const auto& [kind, most] :
       {std::pair(CoverKind::ipv4, u128{0xffffffff}), std::pair(CoverKind::ipv6, ~u128{0})}) {
    u128 next = 0;
    bool full = false;
    for (const Cover& one : covers) {
      if (one.kind != kind) continue;
      if (first_of(one) > next) made.push_back(range(kind, next, first_of(one) - 1));
      full = last_of(one) == most;
      next = last_of(one) + 1;
    }
    if (!full) made.push_back(range(kind, next, most));
  }
  // Who is behind a port or inside a network may always be somebody else.
  made.insert(made.begin(), range(CoverKind::port, 0, ~u128{0}));
  made.push_back(range(CoverKind::network, 0, image::network_max));
  return made;
}

std::vector<Cover> cover_of(const ServiceSet& set, bool everything_else) {
  std::vector<Cover> made;
  constexpr CoverKind kinds[] = {CoverKind::tcp,   CoverKind::udp,   CoverKind::sctp,
                                 CoverKind::icmp4, CoverKind::icmp6, CoverKind::protocol,
                                 CoverKind::rdma};
  const ServicePoints points = points_of(set);
  for (u32 field = 0; field < image::service_fields_count; ++field)
    for (const PortRange& one : points[field]) made.push_back(range(kinds[field], one.first, one.last));
  if (everything_else) made.push_back(range(CoverKind::other, 0, 0));
  join(made);
  shorten(made);
  return made;
}

class Writer {
 public:
  Writer(const Model& model, const ChargeSides& sides, const std::vector<image::Text>& files, Contents& contents)
      : model_(model), sides_(sides), files_(files), contents_(contents) {}

  void run() {
    u32 account = 0;
    for (u32 b = 0; b < model_.budgets.size(); ++b) budget(b, account);
    for (const Limit& limit : model_.limits) put(limit);
  }

 private:
  std::pair<u32, u32> put(const std::vector<Cover>& covers) {
    std::vector<u64> key;
    for (const Cover& one : covers)
      key.insert(key.end(), {one.first_high, one.first_low, one.last_high, one.last_low, static_cast<u64>(one.kind)});
    const auto [known, fresh] = known_.try_emplace(key, static_cast<u32>(contents_.covers.size()));
    if (fresh) contents_.covers.insert(contents_.covers.end(), covers.begin(), covers.end());
    return {known->second, static_cast<u32>(covers.size())};
  }

  void budget(u32 b, u32& account) {
    const Budget& stated = model_.budgets[b];
    image::Budget row{};
    row.name = contents_.text(stated.name);
    row.file = file_of(files_, stated.span);
    row.line = model_.line_of(stated.span);
    row.count = static_cast<image::Count>(stated.count);
    row.on_exceed = static_cast<image::Exceed>(stated.on_exceed);
    row.scope = static_cast<image::Scope>(stated.scope);
    row.opens_empty = stated.opens_empty;
    row.max_share = stated.scope == Budget::Scope::host ? 0 : stated.max_share;  // beside it, nothing uses it
    row.surcharge = stated.surcharge;
    row.throttle_bits_per_s = stated.throttle_bits_per_s / model_.instances;
    row.monitor_until = monitored_until(stated.monitor, stated.monitor_until_s);
    for (const u8 percent : stated.alert_at) row.alerts[percent / 64] |= u64{1} << percent % 64;
    row.windows_first = static_cast<u32>(contents_.windows.size());
    row.windows_count = static_cast<u32>(stated.windows.size());
    for (const Window& window : stated.windows)
      contents_.windows.push_back({window.bytes / model_.instances, static_cast<u32>(window.length_s), 0});
    row.reserves_first = static_cast<u32>(contents_.budget_reserves.size());
    row.reserves_count = static_cast<u32>(stated.reserves.size());
    for (const Budget::Reserve& reserve : stated.reserves)
      contents_.budget_reserves.push_back(
          {reserve.segment ? contents_.text(model_.segments[*reserve.segment].name) : image::Text{}, reserve.share, 0});
    std::tie(row.targets_first, row.targets_count) =
        put(control::cover_of(model_, stated.to_any ? stated.from : stated.to, stated.to_any));
    std::tie(row.services_first, row.services_count) = put(cover_of(stated.services, stated.any_service));
    row.accounts_first = account;
    for (; account < sides_.accounts().size() && sides_.accounts()[account].budget == b; ++account)
      put_account(account);
    row.accounts_count = account - row.accounts_first;
    contents_.budgets.push_back(row);
  }

  void put_account(u32 account) {
    const auto& [b, segment] = sides_.accounts()[account];
    const std::vector<u32> alone = segment ? std::vector<u32>{*segment} : model_.budgets[b].from;
    const auto [first, count] = put(control::cover_of(model_, alone, false));
    const bool hosts = model_.budgets[b].scope == Budget::Scope::host;
    contents_.accounts.push_back(
        {b, segment.value_or(no_segment), hosts ? most_hosts(model_.segments[*segment]) : 0, first, count});
  }

  void put(const Limit& stated) {
    const auto rate = [](const Frequency& one) { return Rate{one.interval, one.tolerance}; };
    contents_.limits.push_back({contents_.text(stated.name), file_of(files_, stated.span), model_.line_of(stated.span),
                                stated.connections, stated.rate_bits_per_s, stated.burst_bytes, rate(stated.packets),
                                rate(stated.new_connections), monitored_until(stated.monitor, stated.monitor_until_s),
                                static_cast<u32>(stated.per), 0});
  }

  const Model& model_;
  const ChargeSides& sides_;
  const std::vector<image::Text>& files_;
  Contents& contents_;
  std::map<std::vector<u64>, u32> known_;  // covers by their content
};

}  // namespace

std::vector<Cover> cover_of(const Model& model, std::span<const u32> segments, bool outside) {
  std::vector<Cover> made;
  const auto add_all = [&](CoverKind kind, u128 most) {
    if (!outside) made.push_back(range(kind, 0, most));
  };
  for (const u32 index : segments) {
    const Segment& segment = model.segments[index];
    const bool by_port = segment.vnis.empty() && !segment.has_addresses;
    for (const u32 network : segment.vnis) made.push_back(range(CoverKind::network, network, network));
    if (!by_port) add_all(CoverKind::port, ~u128{0});
    if (!segment.vnis.empty()) continue;
    for (const auto [first, last] : segment.addresses.ipv4) made.push_back(range(CoverKind::ipv4, first, last));
    for (const auto [first, last] : segment.addresses.ipv6) made.push_back(range(CoverKind::ipv6, first, last));
    if (!by_port) continue;
    for (const std::string& pattern : segment.attach) made.push_back(names(pattern));
    add_all(CoverKind::ipv4, 0xffffffff);
    add_all(CoverKind::ipv6, ~u128{0});
  }
  join(made);
  if (outside) made = complement(made);
  shorten(made);
  return made;
}

void put_budgets(const Model& model, const ChargeSides& sides, const std::vector<image::Text>& files,
                 Contents& contents) {
  contents.meta[0].instances = model.instances;
  Writer(model, sides, files, contents).run();
}

}  // namespace weir::control
