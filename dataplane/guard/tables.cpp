#include "dataplane/guard/tables.hpp"

#include "dataplane/guard/decisions.hpp"
#include "dataplane/policy/charges.hpp"

#include <algorithm>
#include <map>

namespace weir::guard {
namespace {

constexpr u64 bytes_max = u64{1} << 28, charge_places_max = u64{1} << 24;
constexpr u64 day_ns = u64{86'400} * 1'000'000'000;

// Sections one behind the other, each on eight bytes.
class Layout {
 public:
  Layout() : bytes_(sizeof(guard_policy)) {}
  template <class T>
  u32 add(std::span<const T> values) {
    bytes_.resize((bytes_.size() + 7) / 8 * 8);
    const u64 at = bytes_.size();
    const auto raw = std::as_bytes(values);
    bytes_.insert(bytes_.end(), raw.begin(), raw.end());
    return static_cast<u32>(at);
  }
  std::vector<std::byte> take(const guard_policy& head) {
    std::memcpy(bytes_.data(), &head, sizeof head);
    return std::move(bytes_);
  }
  bool fits() const { return bytes_.size() < bytes_max; }

 private:
  std::vector<std::byte> bytes_;
};

class Maker {
 public:
  Maker(const Policy& policy, u64 clock_us) : policy_(policy), view_(policy.view()) {
    head_.generation = policy.generation();
    head_.clock_us = clock_us;
  }

  std::expected<Tables, Error> make(std::span<const Interface> interfaces) {
    addresses();
    for (const Interface& one : interfaces)
      if (auto done = slot(one); !done) return std::unexpected(done.error());
    services();
    if (auto done = decisions(); !done) return std::unexpected(done.error());
    if (auto done = charges(); !done) return std::unexpected(done.error());
    settings();
    if (!layout_.fits()) return std::unexpected(Error{"the policy's tables are larger than a guard has room for"});
    made_.bytes = layout_.take(head_);
    return std::move(made_);
  }

 private:
  void addresses() {
    head_.ipv4 = {layout_.add(view_.ipv4_root), layout_.add(view_.ipv4_nodes), layout_.add(view_.ipv4_leaves),
                  view_.ipv4_root_bits};
    head_.ipv6 = {layout_.add(view_.ipv6_root), layout_.add(view_.ipv6_nodes), layout_.add(view_.ipv6_leaves),
                  view_.ipv6_root_bits};
    static_assert(sizeof(guard_trie_node) == sizeof(image::TrieNode));
  }

  std::expected<void, Error> slot(const Interface& one) {
    for (const u32 way : {guard_in, guard_out}) {
      const auto found = class_of(policy_, one.words[way]);
      if (!found) return std::unexpected(found.error());
      guard_side& side = head_.slots[one.slot].side[way];
      const image::PortClass& entry = view_.port_classes[*found];
      side.places = places(*found);
      side.is_attached = *found != 0;
      if (entry.macs_count > guard_macs_max)
        return std::unexpected(Error{"port " + one.words[way] + " pins more MAC addresses than the guard compares"});
      std::vector<u64> macs;
      for (const image::Mac& mac : view_.macs.subspan(entry.macs_first, entry.macs_count)) {
        u64 number = 0;
        std::memcpy(&number, mac.bytes, sizeof mac.bytes);
        macs.push_back(number);
      }
      side.macs = layout_.add<u64>(macs);
      side.macs_count = entry.macs_count;
    }
    return {};
  }

  // What every atom is behind a port of this class.
  u32 places(u16 port_class) {
    if (const auto known = places_.find(port_class); known != places_.end()) return known->second;
    const image::PortClass& entry = view_.port_classes[port_class];
    std::vector<guard_place> all(view_.atoms_count);
    for (u32 atom = 0; atom < view_.atoms_count; ++atom) {
      const u16 source = view_.source_zones[u64{entry.source_row} * view_.atoms_count + atom];
      const u16 target = view_.target_zones[u64{entry.target_row} * view_.atoms_count + atom];
      guard_place& place = all[atom];
      place.source_zone = source == image::zone_spoofed ? u16{guard_spoofed} : decided_.source(source);
      place.target_zone = decided_.target(target);
      if (view_.charge_sources.empty()) continue;
      place.source_charge =
          source == image::zone_spoofed ? static_cast<u16>(entry.charge) : view_.source_facts[source].charge;
      place.target_charge = view_.target_facts[target].charge;
    }
    return places_[port_class] = layout_.add<guard_place>(all);
  }

  void services() {
    head_.service_pages = layout_.add(view_.service_pages);
    head_.service_atoms = layout_.add(view_.service_atoms);
    head_.services_count = view_.services_count;
  }

  std::expected<void, Error> decisions() {
    if (auto done = decided_.make(); !done) return done;
    head_.rows = layout_.add<u32>(decided_.rows());
    head_.cells = layout_.add<u16>(decided_.cells());
    head_.nodes = layout_.add<guard_node>(decided_.nodes());
    head_.targets_count = decided_.targets_count();
    for (const std::string& note : decided_.notes()) made_.notes.push_back(note);
    return {};
  }

  // Row of charges by source and target, without the search that the image has in its place.
  std::expected<void, Error> charges() {
    head_.charge_columns = std::max(view_.charge_services_count, u32{1});
    head_.charge_services = layout_.add(view_.charge_services);
    u32 targets = 1;
    for (const image::ChargeTarget& one : view_.charge_targets) targets = std::max(targets, one.target + 1);
    for (const image::ZoneFacts& facts : view_.target_facts) targets = std::max(targets, u32{facts.charge} + 1);
    const u64 sources = std::max<u64>(view_.charge_sources.size(), 1);
    if (sources * targets > charge_places_max)
      return std::unexpected(Error{"budgets and limits tell more places apart than a guard has room for"});
    std::vector<u32> rows(sources * targets);
    for (u64 source = 0; source < view_.charge_sources.size(); ++source) {
      const image::ChargeSource& from = view_.charge_sources[source];
      std::fill_n(rows.begin() + static_cast<std::ptrdiff_t>(source * targets), targets, from.otherwise);
      for (const image::ChargeTarget& one : view_.charge_targets.subspan(from.first, from.count))
        rows[source * targets + one.target] = one.row;
    }
    head_.charge_targets_count = targets;
    head_.charge_rows = layout_.add<u32>(rows);
    const std::vector<u32> nothing(head_.charge_columns);
    head_.charge_cells = view_.charge_rows.empty() ? layout_.add<u32>(nothing) : layout_.add(view_.charge_rows);
    accounts();
    return {};
  }

  void accounts() {
    std::map<u32, u32> numbers;
    std::vector<guard_charge> all;
    for (const image::Charge& charge : view_.charges) {
      std::vector<u32> own;
      for (const auto& one : view_.charge_accounts.subspan(charge.accounts_first, charge.accounts_count)) {
        const image::Budget& budget = view_.budgets[view_.accounts[one.account].budget];
        if (budget.on_exceed == image::Exceed::alert) continue;  // bounds nothing
        const auto [at, is_new] = numbers.emplace(one.account, static_cast<u32>(made_.leases.size()));
        if (is_new) made_.leases.push_back({one.account, budget.count == image::Count::payload ? budget.surcharge : 0});
        own.push_back(at->second);
      }
      all.push_back({layout_.add<u32>(own), static_cast<u32>(own.size()), charge.limits_count});
    }
    if (all.empty()) all.push_back({});
    head_.charges = layout_.add<guard_charge>(all);
  }

  void settings() {
    const image::Tracking& tracking = policy_.tracking();
    std::copy(std::begin(tracking.timeout_ms), std::end(tracking.timeout_ms), head_.timeout_ms);
    head_.link = view_.meta[0].link;
    const u64 half = policy_.link().bytes_a_day / 2;
    head_.link_byte_ns = half == 0 ? day_ns : (day_ns - 1) / half + 1;
    head_.link_ahead_ns = half * head_.link_byte_ns;
    for (const image::Budget& budget : view_.budgets)
      if (budget.on_exceed == image::Exceed::alert)
        note("budget " + std::string(policy_.text(budget.name)) + ": alerts, which the guard does not count");
    for (const image::Limit& limit : view_.limits)
      note("limit " + std::string(policy_.text(limit.name)) + ": what it covers is denied");
    if (policy_.limits_floods()) note("[flood]: ceilings and scans are not watched");
    if (policy_.has_rdma()) note("RDMA: denied");
    note("[state]: TCP by its flags alone; fragments, IP options and extension headers are denied");
  }
  void note(std::string line) { made_.notes.push_back(std::move(line)); }

  const Policy policy_;
  const image::View& view_;
  Layout layout_;
  Decisions decided_{policy_};
  std::map<u16, u32> places_;
  guard_policy head_{};
  Tables made_;
};

}  // namespace

std::expected<u16, Error> class_of(const Policy& policy, std::string_view word) {
  if (word.empty()) return policy.port_class(word);  // 0, unless the policy attaches every port there is
  const image::View& view = policy.view();
  u16 found = 0, count = 0;
  for (u32 segment = 0; segment < view.segments.size(); ++segment) {
    if (policy.segment_name(static_cast<u16>(segment)) != word) continue;
    for (u32 one = 1; one < view.port_classes_count; ++one) {
      const image::PortClass& entry = view.port_classes[one];
      const auto own = view.class_segments.subspan(entry.segments_first, entry.segments_count);
      if (std::find(own.begin(), own.end(), segment) != own.end()) found = static_cast<u16>(one), ++count;
    }
    if (count > 1)
      return std::unexpected(Error{"segment " + std::string(word) + " is attached to several ports: name one of them"});
    return found;
  }
  found = policy.port_class(word);
  if (found == 0) return std::unexpected(Error{"the policy has no segment and no port named " + std::string(word)});
  return found;
}

std::expected<Tables, Error> tables_of(const Policy& policy, std::span<const Interface> interfaces, u64 clock_us) {
  for (const Interface& one : interfaces)
    if (one.slot >= guard_slots_max) return std::unexpected(Error{"more interfaces than a guard has room for"});
  return Maker(policy, clock_us).make(interfaces);
}

}  // namespace weir::guard
