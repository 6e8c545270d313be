// What a compiled policy charges, against its naive twin: random budgets and limits, random packets in both directions,
// every account with its reserves and every limit by name, in both decision forms; and whether covers meet exactly when
// two budgets share a (source, target, service).
// usage: charges_twin [MODELS, default 150] [PACKETS, default 400]
#include "control/compile/compile.hpp"
#include "dataplane/policy/charges.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/image_memory.hpp"
#include "tests/property/random_model.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>

using namespace weir;
using control::Model;

namespace {

using Names = std::set<std::string>;  // "b101/s103+2" and "l99": account with its reserves, limit
using Segments = std::vector<u32>;

bool shares(const Segments& a, const Segments& b) {
  return std::ranges::any_of(a, [&](u32 one) { return std::ranges::count(b, one) > 0; });
}

std::string named(std::string budget, std::string_view segment) {
  budget.push_back('/');
  return budget.append(segment);
}

// Of bytes from `source` to `target` on a connection whose first packet is `packet`.
Names expected(const Model& model, const Segments& source, const Segments& target, const naive::Packet& packet) {
  Names names;
  for (const control::Budget& budget : model.budgets) {
    const bool there = target.empty() || (budget.to_any ? !shares(budget.from, target) : shares(budget.to, target));
    const bool served = target.empty() || budget.any_service || naive::has_service(budget.services, packet);
    if (!there || !served || !shares(budget.from, source)) continue;
    u32 reserves = 0;
    for (std::size_t r = 0; r < budget.reserves.size(); ++r) {
      const auto& segment = budget.reserves[r].segment;
      const bool open = segment ? shares({*segment}, source) || shares({*segment}, target)
                                : naive::has_service(budget.reserves[r].services, packet);
      reserves |= u32{open} << r;
    }
    std::string tail = std::to_string(reserves);
    tail.insert(tail.begin(), '+');
    if (budget.scope == control::Budget::Scope::fleet) names.insert(budget.name + tail);
    else
      for (const u32 one : source)
        if (shares({one}, budget.from)) names.insert(named(budget.name, model.segments[one].name) + tail);
  }
  for (const control::Limit& limit : model.limits)
    if ((limit.from_any || shares(limit.from, source)) && (limit.to_any || shares(limit.to, target)) &&
        (limit.any_service || naive::has_service(limit.services, packet)))
      names.insert(limit.name);
  return names;
}

Names found(const Policy& policy, const Charges& charges, u32 charge) {
  Names names;
  for (const image::ChargeAccount& one : charges.accounts(charge)) {
    const image::Account& account = policy.view().accounts[one.account];
    std::string name(policy.text(policy.view().budgets[account.budget].name));
    if (account.segment != no_segment) name = named(name, policy.segment_name(static_cast<u16>(account.segment)));
    name.push_back('+');
    names.insert(name + std::to_string(one.reserves));
  }
  for (const u32 limit : charges.limits(charge))
    names.insert(std::string(policy.text(policy.view().limits[limit].name)));
  return names;
}

bool differ(u64 seed, const char* what, const Names& twin, const Names& compiled) {
  if (twin == compiled) return false;
  std::printf("seed %llu, %s: twin", static_cast<unsigned long long>(seed), what);
  for (const std::string& name : twin) std::printf(" %s", name.c_str());
  std::printf("; compiled");
  for (const std::string& name : compiled) std::printf(" %s", name.c_str());
  std::printf("\n");
  return true;
}

// Whoever is behind the port when the address may not be there.
Segments source_of(const naive::Policy& twin, const naive::Packet& packet) {
  return twin.is_spoofed(packet) ? twin.attached_to(packet.in_port) : twin.source_of(packet);
}

bool compare(u64 seed, naive::Draw& draw, const Model& model, const Policy& policy, u64 packets, u64& charged) {
  const naive::Policy twin(model);
  const Charges charges(policy);
  for (u64 i = 0; i < packets; ++i) {
    const naive::Packet packet = naive::random_packet(draw, model);
    naive::Packet back = packet;
    std::swap(back.in_port, back.out_port);
    std::swap(back.source, back.target);
    const Question question = naive::question_of(packet, policy);
    const FlowCharges both = charges.of(question);
    const Names forward = expected(model, source_of(twin, packet), twin.target_of(packet), packet);
    const Names reverse = expected(model, source_of(twin, back), twin.target_of(back), packet);
    charged += !forward.empty() && !reverse.empty();
    if (differ(seed, "forward", forward, found(policy, charges, both.forward))) return false;
    if (differ(seed, "reverse", reverse, found(policy, charges, both.reverse))) return false;
    const u32 port = charges.of_port(question.source_class);
    naive::Packet none = packet;  // a frame of no service: what names services counts it all the same
    none.protocol = 200;
    Names by_port = found(policy, charges, port), twins = expected(model, twin.attached_to(packet.in_port), {}, none);
    const auto bare = [](const Names& names) {
      Names cut;
      for (const std::string& name : names) cut.insert(name.substr(0, name.find('+')));
      return cut;
    };
    // Which services protocol 200 is in is not the question.
    std::erase_if(by_port, [](const std::string& name) { return name[0] == 'l'; });
    std::erase_if(twins, [](const std::string& name) { return name[0] == 'l'; });
    if (differ(seed, "port", bare(twins), bare(by_port))) return false;
  }
  return true;
}

// Covers against the charges: two budgets that charge one packet meet.
bool covers_hold(u64 seed, naive::Draw& draw, const Model& model, const Policy& policy, u64 packets) {
  const Charges charges(policy);
  const naive::Policy twin(model);
  const image::View& view = policy.view();
  const auto covers = [&](u32 first, u32 count) { return view.covers.subspan(first, count); };
  for (u64 i = 0; i < packets; ++i) {
    const naive::Packet packet = naive::random_packet(draw, model);
    // Frames for nobody, or of somebody who may not be there, are charged to all who could be meant.
    if (twin.is_spoofed(packet) || twin.target_of(packet).empty()) continue;
    const FlowCharges both = charges.of(naive::question_of(packet, policy));
    for (const image::ChargeAccount& a : charges.accounts(both.forward))
      for (const image::ChargeAccount& b : charges.accounts(both.forward)) {
        const image::Account &one = view.accounts[a.account], &two = view.accounts[b.account];
        const image::Budget &of_one = view.budgets[one.budget], &of_two = view.budgets[two.budget];
        if (places_meet(covers(one.sources_first, one.sources_count), covers(two.sources_first, two.sources_count)) &&
            places_meet(covers(of_one.targets_first, of_one.targets_count),
                        covers(of_two.targets_first, of_two.targets_count)) &&
            covers_meet(covers(of_one.services_first, of_one.services_count),
                        covers(of_two.services_first, of_two.services_count)))
          continue;
        std::printf("seed %llu: two budgets charge one packet and their covers do not meet\n",
                    static_cast<unsigned long long>(seed));
        return false;
      }
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  const u64 models = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 150;
  const u64 packets = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 400;
  u64 charged = 0;
  for (u64 seed = 0; seed < models; ++seed) {
    naive::Draw draw(seed);
    Model model = naive::random_model(draw);
    naive::add_budgets(draw, model);
    for (const auto form : {control::DecisionForm::matrix, control::DecisionForm::vectors}) {
      const auto compiled = control::compile(model, 1, form);
      if (!compiled) continue;
      const ImageMemory memory(compiled->image);
      const auto policy = verify(memory.bytes());
      if (!policy) {
        std::printf("seed %llu: %s %s\n", static_cast<unsigned long long>(seed),
                    std::string(policy.error().section).c_str(), std::string(policy.error().sentence).c_str());
        return 1;
      }
      if (!compare(seed, draw, model, *policy, packets, charged)) return 1;
      if (!covers_hold(seed, draw, model, *policy, packets)) return 1;
    }
  }
  std::printf("%llu packets of which both directions are charged: as the twin says\n",
              static_cast<unsigned long long>(charged));
  return charged * 20 > models * packets ? 0 : 1;
}
