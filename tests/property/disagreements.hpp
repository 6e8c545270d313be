// Watches a shadow in random sequences: what it is said to disagree about is what the two models disagree about when
// they are asked one after the other, statement by statement; a flow that begins and a packet that is denied on which
// they do are told of, or have been within the minute before. That the shadow changes nothing else is seen by whoever
// compares outcomes with a twin that has never heard of it.
#pragma once
#include "dataplane/pipeline/burst.hpp"
#include "tests/property/choices.hpp"
#include "tests/property/naive_firewall.hpp"
#include "tests/property/sequence_policies.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

namespace weir {

class Disagreements {
 public:
  static constexpr u32 none = Policies::count;
  explicit Disagreements(const Policies& policies) : policies_(policies) {}

  void choose(Choices& choices) { shadow_ = choices.below(Policies::count + 1); }

  // `live` with the shadow of the moment; where it lies does not change.
  const InstalledPolicy* beside(const InstalledPolicy* live, u32 policy) {
    if (shadow_ == none) return live;
    const auto [found, is_new] = pairs_.try_emplace({policy, shadow_}, *live);
    if (is_new) found->second.shadow = policies_[shadow_].installed.get();
    if (is_new) found->second.installation = 100 + pairs_.size();
    return &found->second;
  }

  // What an event breaks, or null.
  const char* tell(const Event& event, u32 policy) {
    if (!is_of_shadow(event.kind)) return nullptr;
    ++told_;
    if (shadow_ == none) return "no shadow is told of where there is none";
    const bool would_pass = event.kind == EventKind::shadow_would_pass;
    const naive::MeantPacket asked = question_of(event);
    const Reason live = naive::Firewall::asked(asked, policies_[policy].model);
    const Reason shadow = naive::Firewall::asked(asked, policies_[shadow_].model);
    if ((live == Reason::flow_new) == (shadow == Reason::flow_new)) return "they disagree";
    if (would_pass != (shadow == Reason::flow_new)) return "they disagree as it is told";
    if (event.reason != (would_pass ? live : shadow)) return "who denies says why";
    if (shadow_generation_in(event.detail) != Policies::generation_of(shadow_)) return "the shadow's number is told";
    if (const char* fault = rule_fault(event.rule, live, policy)) return fault;
    const u32 rule = shadow_rule_in(event.detail);
    if (const char* fault = rule_fault(rule == no_shadow_rule ? no_rule : rule, shadow, shadow_)) return fault;
    times_[key_of(asked, would_pass, policy)].push_back(event.time);
    return nullptr;
  }

  // What an outcome breaks, or null. What is picked up in mid-stream may have been opened by either end.
  const char* see(const Outcome& outcome, const naive::MeantPacket& meant, u32 policy) {
    const bool is_picked_up = meant.protocol == 6 && (meant.tcp_flags & 0x12) != 0x02;
    if (shadow_ == none || meant.quotes || is_picked_up) return nullptr;
    const bool is_denied = outcome.flow == no_flow &&
                           (outcome.reason == Reason::no_allow || outcome.reason == Reason::forbidden ||
                            outcome.reason == Reason::expired || outcome.reason == Reason::rejected_reset ||
                            outcome.reason == Reason::rejected_unreachable);
    if (!is_denied && !outcome.flow_is_new) return nullptr;
    ++seen_;
    const bool would_pass = !naive::Firewall::is_denied(meant, policies_[shadow_].model);
    if (would_pass == outcome.flow_is_new) return nullptr;
    ++disagreed_;
    // A burst's events come before its outcomes, and may be later than the packet.
    const bool is_told = std::ranges::any_of(times_[key_of(meant, would_pass, policy)], [&](Tick time) {
      return time <= meant.time_us && meant.time_us - time < ShadowWatch::repeated_after;
    });
    return is_told ? nullptr : "a disagreement is told";
  }

  // Of all workers' counters after a run, what does not hold, or null.
  template <class Workers>
  const char* fault(const Workers& workers) const {
    u64 compared = 0, disagreed = 0, untold = 0;
    for (const auto& worker : workers) {
      compared += worker->counters.shadow_compared.read(), untold += worker->counters.shadow_untold.read();
      disagreed += worker->counters.shadow_would_pass.read() + worker->counters.shadow_would_deny.read();
    }
    if (disagreed != told_ + untold) return "what is not told of a shadow is counted";
    return compared >= seen_ && disagreed >= disagreed_ ? nullptr : "questions to a shadow are counted";
  }
  u64 told() const { return told_; }

 private:
  using Key = std::tuple<bool, bool, control::Ipv6Number, control::Ipv6Number, unsigned, unsigned, u64, u64>;

  static control::Ipv6Number number_of(const Address& address) {
    if (address.is_ipv4()) return swap(static_cast<u32>(address.low));
    return control::Ipv6Number{swap(address.high)} << 64 | swap(address.low);
  }
  static bool is_icmp(unsigned protocol) { return protocol == 1 || protocol == 58; }

  static naive::MeantPacket question_of(const Event& event) {
    naive::MeantPacket asked;
    asked.ipv6 = !event.source.is_ipv4();
    asked.source = number_of(event.source), asked.target = number_of(event.target);
    asked.protocol = event.protocol, asked.time_us = event.time;
    if (is_icmp(event.protocol))
      asked.icmp_type = static_cast<u8>(event.target_port >> 8), asked.icmp_code = static_cast<u8>(event.target_port);
    else asked.target_port = event.target_port;
    return asked;
  }

  // Policies are told apart by their generations, as in events.
  Key key_of(const naive::MeantPacket& asked, bool would_pass, u32 policy) const {
    const bool has_port = asked.protocol == 6 || asked.protocol == 17;
    const unsigned number = is_icmp(asked.protocol) ? asked.icmp_type * 256u + asked.icmp_code
                            : has_port              ? asked.target_port
                                                    : 0u;
    return {would_pass, asked.ipv6, asked.source, asked.target, asked.protocol, number,
            Policies::generation_of(policy), Policies::generation_of(shadow_)};
  }

  // The rule that an answer goes with; monitor mode lets forbids pass.
  const char* rule_fault(u32 rule, Reason reason, u32 policy) const {
    const Policy& image = policies_[policy].installed->policy;
    if ((reason == Reason::no_allow) != (rule == no_rule)) return "who has decided is told";
    if (rule == no_rule) return nullptr;
    if (rule >= image.rules_count()) return "a rule that is told is one";
    return reason == Reason::forbidden && !image.rule(rule).is_forbid ? "what forbids is a forbid" : nullptr;
  }

  const Policies& policies_;
  u32 shadow_ = none;
  std::map<std::pair<u32, u32>, InstalledPolicy> pairs_;
  std::map<Key, std::vector<Tick>> times_;
  u64 told_ = 0, seen_ = 0, disagreed_ = 0;
};

}  // namespace weir
