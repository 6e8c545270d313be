#include "dataplane/pipeline/shadow_watch.hpp"

#include "dataplane/packet/numbers.hpp"

namespace weir {

void ShadowWatch::note(const InstalledPolicy& installed, const Judgement& live, const Judgement& shadow,
                       const Question& question, const Encounter& met) {
  counters_.shadow_compared.add(1);
  const bool passes = live.reason == Reason::flow_new, would_pass = shadow.reason == Reason::flow_new;
  if (passes == would_pass) return;
  (would_pass ? counters_.shadow_would_pass : counters_.shadow_would_deny).add(1);
  const u16 icmp_message = static_cast<u16>(question.icmp_type << 8 | question.icmp_code);
  const Event event{met.time,
                    static_cast<u32>(installed.generation),
                    live.rule,
                    question.source,
                    question.target,
                    met.source_port,
                    is_icmp_protocol(question.protocol) ? icmp_message : question.target_port,
                    would_pass ? EventKind::shadow_would_pass : EventKind::shadow_would_deny,
                    would_pass ? live.reason : shadow.reason,
                    question.protocol,
                    static_cast<u8>(met.port),
                    shadow_detail(shadow.rule, installed.shadow->generation),
                    met.place};
  if (events_ == nullptr || events_->is_half_full() || is_told_lately(event)) return counters_.shadow_untold.add(1);
  events_->push(event);
}

// By a keyed mark, so that nobody can choose what displaces what; a mark that is displaced is told once more.
bool ShadowWatch::is_told_lately(const Event& event) {
  const u64 service = u64{event.target_port} << 32 | u64{event.protocol} << 24 | u64{event.port} << 16 |
                      u64{static_cast<u8>(event.kind)} << 8 | static_cast<u8>(event.reason);
  u64 mark = fold_multiply(event.source.high ^ secret_.words[0], event.source.low ^ secret_.words[1]);
  mark = fold_multiply(mark ^ event.target.high, event.target.low ^ secret_.words[2]);
  mark = fold_multiply(mark ^ service, (u64{event.place} << 32 | event.rule) ^ secret_.words[3]);
  mark = fold_multiply(mark ^ secret_.words[0], (u64{event.detail} << 32 | event.generation) ^ secret_.words[1]) | 1;
  Told& told = told_[(mark >> 32) % places];
  if (told.mark == mark && event.time - told.time < repeated_after) return true;
  told = {mark, event.time};
  return false;
}

}  // namespace weir
