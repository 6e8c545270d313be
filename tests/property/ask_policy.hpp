// Every question that a Policy answers, with drawn arguments: what a sound image of any contents must survive.
#pragma once
#include "dataplane/policy/charges.hpp"

namespace weir {

// What is looked at in what the rule opens.
inline u64 look_sum(const Policy& policy, u32 rule) {
  const image::Look& look = policy.look(rule);
  u64 sum = policy.has_looks() + look.protocols + policy.patterns().size();
  for (u64 index = 0; index < policy.inspections().size(); ++index)
    if (look.inspections >> index & 1) sum += policy.text(policy.inspections()[index].name).size();
  return sum + (look.dns == 0 ? 0 : policy.text(policy.dns_terms()[look.dns - 1].name).size());
}

// A checksum over the answers, so that no question is optimised away. `draw()` gives 64 random bits.
template <class Draw>
u64 ask_everything(const Policy& policy, Draw&& draw, u32 questions) {
  u64 sum = policy.generation() + policy.name().size() + policy.link().arp + policy.next_expiry(draw());
  const u64 classes = policy.view().port_classes.size();
  for (u32 i = 0; i < questions; ++i) {
    const u64 bits = draw();
    const bool is_ipv4 = bits & 1;
    const Address source = is_ipv4 ? Address::ipv4(static_cast<u32>(draw())) : Address{draw() >> 1, draw()};
    const Address target = is_ipv4 ? Address::ipv4(static_cast<u32>(draw())) : Address{draw(), draw()};
    constexpr u8 protocols[] = {6, 17, 132, 1, 58, 47};
    const Question question{source, target, static_cast<u16>(draw() % classes), static_cast<u16>(draw() % classes),
                            protocols[bits / 2 % 6], static_cast<u8>(bits >> 8), static_cast<u8>(bits >> 16),
                            static_cast<u16>(bits >> 24), (bits >> 41 & 7) == 0};
    const Tick now = bits >> 40 & 1 ? draw() % 2'000'000'000 : draw();
    Judgement judgement = policy.judge(question, now);
    sum += judgement.rule;
    policy.judge({&question, 1}, now, {&judgement, 1});
    sum += judgement.rule + policy.expires_at(judgement.decision) + policy.rule_of(judgement.decision) +
           static_cast<u64>(policy.log_of(judgement.decision)) + policy.wants_reject(judgement) +
           policy.wants_syn_proxy(judgement.decision);
    sum += policy.tracking().reserve_share[policy.reserve_of_source(judgement.source_zone)] +
           policy.tracking().reserve_share[policy.reserve_of_target(judgement.target_zone)];
    sum += policy.assets_of_source(judgement.source_zone) + policy.assets_of_target(judgement.target_zone);
    const u64 jobs = policy.jobs_of_source(judgement.source_zone) & policy.jobs_of_target(judgement.target_zone);
    for (u64 job = 0; job < policy.jobs().size(); ++job)
      if (jobs >> job & 1) sum += policy.text(policy.jobs()[job].name).size();
    sum += policy.has_rdma() + policy.rdma().nak_penalty_ms;
    if (const image::StaticPair* pair = policy.static_pair(source, target, static_cast<u32>(bits) & image::qp_max))
      sum += pair->peer_qp;
    if (judgement.rule != no_rule) {
      sum += policy.rdma_rule(judgement.rule).read_credit + look_sum(policy, judgement.rule);
      const RuleView rule = policy.rule(judgement.rule);
      for (const char letter : rule.name) sum += static_cast<u64>(letter);
      for (const char letter : rule.file) sum += static_cast<u64>(letter);
    }
    const u16 from = policy.source_segment(question.source_class, source);
    const u16 to = policy.target_segment(question.target_class, target);
    sum += policy.segment_name(from).size() + policy.segment_name(to).size();
    sum += policy.source_allowed(question.source_class, source);
    const Charges charges(policy);
    const FlowCharges both = charges.of(question);
    for (const u32 charge : {both.forward, both.reverse, charges.of_port(question.source_class),
                             charges.of_way(question, question.target_class, target, question.source_class, source)}) {
      for (const image::ChargeAccount& one : charges.accounts(charge)) {
        const image::Account& account = policy.view().accounts[one.account];
        const image::Budget& budget = policy.view().budgets[account.budget];
        sum += policy.text(budget.name).size() + policy.view().windows[budget.windows_first].bytes;
        const auto covers = [&](u32 first, u32 count) { return policy.view().covers.subspan(first, count); };
        sum += places_meet(covers(account.sources_first, account.sources_count),
                           covers(budget.targets_first, budget.targets_count));
      }
      for (const u32 limit : charges.limits(charge)) sum += policy.text(policy.view().limits[limit].name).size();
    }
    const u64 mac = draw();
    sum += policy.mac_allowed(question.source_class, reinterpret_cast<const u8*>(&mac));
    sum += policy.port_class(policy.text(policy.view().port_classes[question.source_class].pattern));
  }
  return sum;
}

}  // namespace weir
