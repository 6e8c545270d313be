// What one connection is charged in at most, against a naive count: of random policies with too many budgets, those
// that compile let no random packet meet more than charge_items_max, and those that are refused (E0616) have one that
// does, which random packets find for eight in ten of them: a pair of two families is refused too. What compiles is
// also verified, and refused by verify() when one charge is made too full behind the compiler's back.
// usage: crowds [MODELS, default 120] [PACKETS, default 3000]
#include "control/compile/compile.hpp"
#include "dataplane/base/limits.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/image_memory.hpp"
#include "tests/property/random_model.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

using namespace weir;
using control::Budget;

namespace {

using Segments = std::vector<u32>;

bool shares(const Segments& a, const Segments& b) {
  return std::ranges::any_of(a, [&](u32 one) { return std::ranges::count(b, one) > 0; });
}

// Places in which bytes from `source` to `target` may be counted; without a target, to nobody.
u64 draws(const control::Model& model, const Segments& source, const Segments& target, const naive::Packet& packet) {
  u64 count = 0;
  for (const Budget& budget : model.budgets) {
    const bool is_there = target.empty() || (budget.to_any ? !shares(budget.from, target) : shares(budget.to, target));
    const bool is_served = target.empty() || budget.any_service || naive::has_service(budget.services, packet);
    if (!is_there || !is_served || !shares(budget.from, source)) continue;
    u64 each = 1 + (budget.on_exceed == Budget::Exceed::throttle);
    each += budget.scope != Budget::Scope::host && budget.max_share != 0;
    for (const Budget::Reserve& reserve : budget.reserves)
      each += reserve.segment ? shares({*reserve.segment}, source) || shares({*reserve.segment}, target)
                              : naive::has_service(reserve.services, packet);
    const auto inside = std::ranges::count_if(source, [&](u32 one) { return shares({one}, budget.from); });
    count += each * (budget.scope == Budget::Scope::fleet ? 1 : static_cast<u64>(inside));
  }
  return count;
}

u64 limits(const control::Model& model, const Segments& source, const Segments& target, const naive::Packet& packet) {
  return static_cast<u64>(std::ranges::count_if(model.limits, [&](const control::Limit& limit) {
    return (limit.from_any || shares(limit.from, source)) && (limit.to_any || shares(limit.to, target)) &&
           (limit.any_service || naive::has_service(limit.services, packet));
  }));
}

Segments source_of(const naive::Policy& twin, const naive::Packet& packet) {
  return twin.is_spoofed(packet) ? twin.attached_to(packet.in_port) : twin.source_of(packet);
}

// A service at the edge of one that is charged, which numbers drawn from a hat seldom are.
void aim(naive::Draw& draw, const control::Model& model, naive::Packet& packet) {
  using control::ServiceSet;
  std::vector<const ServiceSet*> sets;
  for (const Budget& budget : model.budgets) {
    sets.push_back(&budget.services);
    for (const Budget::Reserve& reserve : budget.reserves) sets.push_back(&reserve.services);
  }
  for (const control::Limit& limit : model.limits) sets.push_back(&limit.services);
  if (sets.empty()) return;
  const ServiceSet& set = *sets[draw.below(sets.size())];
  constexpr std::vector<control::PortRange> ServiceSet::* families[] = {
      &ServiceSet::tcp, &ServiceSet::udp, &ServiceSet::sctp, &ServiceSet::rdma, &ServiceSet::icmp4, &ServiceSet::icmp6};
  constexpr u8 protocols[] = {6, 17, 132, 17, 1, 58};
  const u64 family = draw.below(7);
  packet.is_rdma = family == 3;
  if (family == 6) {
    if (!set.protocols.empty()) packet.protocol = set.protocols[draw.below(set.protocols.size())];
    return;
  }
  const auto& ranges = set.*families[family];
  packet.protocol = protocols[family];
  if (ranges.empty()) return;
  const control::PortRange range = ranges[draw.below(ranges.size())];
  packet.target_port = draw.one_in(2) ? range.first : range.last;
  packet.icmp_type = static_cast<u8>(packet.target_port >> 8), packet.icmp_code = static_cast<u8>(packet.target_port);
}

// The most that one of so many random packets, or a frame for nobody from where it comes, is charged in.
u64 fullest(naive::Draw& draw, const control::Model& model, u64 packets) {
  const naive::Policy twin(model);
  u64 most = 0;
  for (u64 i = 0; i < packets; ++i) {
    naive::Packet packet = naive::random_packet(draw, model);
    if (draw.one_in(2)) aim(draw, model, packet);
    naive::Packet back = packet;
    std::swap(back.in_port, back.out_port);
    std::swap(back.source, back.target);
    const Segments source = source_of(twin, packet), target = twin.target_of(packet);
    most = std::max(most, draws(model, source, {}, packet));
    if (target.empty()) continue;
    most = std::max(most, limits(model, source, target, packet) + draws(model, source, target, packet) +
                              draws(model, source_of(twin, back), twin.target_of(back), packet));
  }
  return most;
}

void crowd(naive::Draw& draw, control::Model& model) {
  naive::add_budgets(draw, model);
  control::Model more = model;
  for (u64 copies = draw.below(4); copies > 0; --copies) {
    more.budgets.clear(), more.limits.clear();
    naive::add_budgets(draw, more);
    for (Budget& one : more.budgets) one.name.push_back(static_cast<char>('a' + copies)), model.budgets.push_back(one);
    for (auto& one : more.limits) one.name.push_back(static_cast<char>('a' + copies)), model.limits.push_back(one);
  }
}

// A charge that claims every account from some place on: refused once that is too much.
bool refuses_too_full(const std::vector<std::byte>& sound) {
  ImageMemory memory(sound);
  const std::span<std::byte> bytes = memory.bytes();
  const auto entry_of = [&](image::Section section) {
    return load<image::SectionEntry>(bytes.data() + sizeof(image::Header) +
                                     static_cast<u32>(section) * sizeof(image::SectionEntry));
  };
  const auto charges = entry_of(image::Section::charges), accounts = entry_of(image::Section::charge_accounts);
  if (charges.count < 2 || accounts.count <= charge_items_max) return true;
  auto charge = load<image::Charge>(bytes.data() + charges.offset + sizeof(image::Charge));
  charge.accounts_first = 0, charge.accounts_count = charge_items_max + 1;
  std::memcpy(bytes.data() + charges.offset + sizeof charge, &charge, sizeof charge);
  const u64 sum = image::checksum_of(bytes.subspan(image::checksummed_from));
  std::memcpy(bytes.data() + offsetof(image::Header, checksum), &sum, sizeof sum);
  const auto policy = verify(bytes);
  return !policy && policy.error().section == "charges";
}

}  // namespace

int main(int count, char** arguments) {
  const u64 models = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 120;
  const u64 packets = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 3000;
  u64 held = 0, refused = 0, found = 0, near = 0;
  for (u64 seed = 0; seed < models; ++seed) {
    naive::Draw draw(seed);
    control::Model model = naive::random_model(draw);
    crowd(draw, model);
    const auto compiled = control::compile(model, 1);
    const bool is_crowded = !compiled && compiled.error().code == "E0616";
    if (!compiled && !is_crowded) continue;
    u64 most = fullest(draw, model, packets);
    for (u32 again = 0; is_crowded && most <= charge_items_max && again < 10; ++again)
      most = std::max(most, fullest(draw, model, packets));
    near += most > charge_items_max - 6 && most <= charge_items_max + 6;
    if (is_crowded) {
      ++refused;
      found += most > charge_items_max;
      continue;
    }
    ++held;
    if (most > charge_items_max) {
      std::printf("seed %llu: %llu places\n", static_cast<unsigned long long>(seed),
                  static_cast<unsigned long long>(most));
      return 1;
    }
    const ImageMemory memory(compiled->image);
    if (!verify(memory.bytes()) || !refuses_too_full(compiled->image)) {
      std::printf("seed %llu: verify() does not say what it should\n", static_cast<unsigned long long>(seed));
      return 1;
    }
  }
  std::printf("%llu policies have room, %llu do not, of which packets show %llu; %llu of all are near the edge\n",
              static_cast<unsigned long long>(held), static_cast<unsigned long long>(refused),
              static_cast<unsigned long long>(found), static_cast<unsigned long long>(near));
  return held * 10 > models && refused * 10 > models && found * 10 >= refused * 8 && near * 20 > models ? 0 : 1;
}
