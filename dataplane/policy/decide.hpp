// Zones and service to judgement, in either decision form. Only a policy with an `expires` reads decisions here:
// without one, a decision's number says its rule, and the rule's number whether it is a forbid.
#pragma once
#include "dataplane/policy/lookup.hpp"

namespace weir::image {

inline Judgement judged(const View& view, u32 rule, u32 decision, u16 from, u16 to, Tick now) {
  if (decision == 0) return {Reason::no_allow, 0, no_rule, from, to};
  const bool denies = rule < view.forbids_count && now >= view.meta[0].monitor_until;
  return {denies ? Reason::forbidden : Reason::flow_new, static_cast<u16>(decision), rule, from, to};
}

// Follows the chain of a matrix cell past decisions that have expired. What expired first is named when nothing
// else covers.
inline Judgement decide_chain(const View& view, u16 cell, u16 from, u16 to, Tick now) {
  u16 index = cell;
  while (index != 0 && now >= view.decisions[index].expires) {
    if (!view.decisions[index].allow) break;  // a forbid has no end, whatever the time
    index = view.decisions[index].next;
  }
  if (index == 0 && cell != 0) return {Reason::expired, cell, view.decisions[cell].rule, from, to};
  return judged(view, view.decisions[index].rule, index, from, to, now);
}

inline const u16& matrix_row(const View& view, u16 from, u16 to) {
  return view.matrix_rows[u64{from} * view.target_zones_count + to];
}
inline const u16& matrix_cell(const View& view, u16 row, u16 service) {
  return view.matrix_cells[u64{row} * view.services_count + service];
}

inline Judgement decide_matrix(const View& view, u16 cell, u16 from, u16 to, Tick now) {
  if (!view.expiries.empty()) [[unlikely]] return decide_chain(view, cell, from, to, now);
  return judged(view, u32{cell} - 1, cell, from, to, now);
}

// Calls seen(word, bits) for every word in which rules may be in all three sets, with those rules.
template <class Seen>
inline void for_shared_rules(const View& view, u16 from, u16 to, u16 service, Seen&& seen) {
  const RuleGroup* source = view.source_groups.data() + u64{from} * view.groups_count;
  const RuleGroup* target = view.target_groups.data() + u64{to} * view.groups_count;
  const u32* chunks = view.service_chunks.data() + u64{service} * view.chunks_count;
  const u64 *stored = view.rule_words.data(), *always = view.always_words.data();
  const auto with = [&](u32 word) {
    return view.chunk_words[chunks[word / chunk_words_count] * chunk_words_count + word % chunk_words_count];
  };
  // All groups first: one loop over what is left mistakes its end once, not once a group.
  u64 words[groups_max];
  u32 groups = 0;
  for (u32 group = 0; group < view.groups_count; ++group) {
    words[group] = target[group].summary & (source[group].summary | view.always_summaries[group]);
    groups |= u32{words[group] != 0} << group;
  }
  while (groups != 0) {
    const u32 group = static_cast<u32>(__builtin_ctz(groups));
    const u32 in_group = static_cast<u32>(__builtin_ctzll(words[group])), word = group * group_words + in_group;
    words[group] &= words[group] - 1;
    groups ^= u32{words[group] == 0} << group;
    const u64 of_target = stored[target[group].base + count_of(up_to(target[group].summary, in_group)) - 1];
    // A word that the source does not store reads the one before its own, which is always there, and drops it.
    const u64 up_to_word = up_to(source[group].summary, in_group);
    const u64 of_source = stored[source[group].base + count_of(up_to_word) - 1] & (0 - (up_to_word >> 63));
    seen(word, of_target & (of_source | always[word]) & with(word));
  }
  const RuleList wide = view.source_lists[from];
  const ListWord* at = view.list_words.data() + wide.first;
  for (u32 pair = 0; pair < wide.pairs; ++pair, at += 2) {
    seen(at[0].word, at[0].bits & with(at[0].word));
    seen(at[1].word, at[1].bits & with(at[1].word));
  }
}

// The lowest common rule that has not expired; the lowest that has, when there is no other.
inline Judgement decide_expiring(const View& view, u16 from, u16 to, u16 service, Tick now) {
  u32 best = no_rule, expired = no_rule;
  for_shared_rules(view, from, to, service, [&](u32 word, u64 bits) {
    for (; bits != 0; bits &= bits - 1) {
      const u32 rule = view.bit_rules[word * 64 + static_cast<u32>(__builtin_ctzll(bits))];
      const bool is_over = rule >= view.forbids_count && now >= view.decisions[rule + 1].expires;
      u32& lowest = is_over ? expired : best;
      lowest = rule < lowest ? rule : lowest;
    }
  });
  if (best == no_rule && expired != no_rule)
    return {Reason::expired, static_cast<u16>(expired + 1), expired, from, to};
  return judged(view, best, best + 1, from, to, now);
}

// No branch on whether a word holds a rule of all three, which cannot be foreseen. In a word the
// lowest bit is the lowest rule; no bit gives all ones.
inline Judgement decide_vectors(const View& view, u16 from, u16 to, u16 service, Tick now) {
  if (!view.expiries.empty()) [[unlikely]] return decide_expiring(view, from, to, service, now);
  u32 best = no_rule;
  for_shared_rules(view, from, to, service, [&](u32 word, u64 bits) {
    const u32 first = static_cast<u32>(__builtin_ctzll(bits | u64{1} << 63));
    const u32 rule = view.bit_rules[word * 64 + first] | (u32{bits != 0} - 1);
    best = rule < best ? rule : best;
  });
  return judged(view, best, best + 1, from, to, now);
}

inline Judgement decide(const View& view, u16 from, u16 to, u16 service, Tick now) {
  if (view.form == Form::vectors) return decide_vectors(view, from, to, service, now);
  return decide_matrix(view, matrix_cell(view, matrix_row(view, from, to), service), from, to, now);
}

}  // namespace weir::image
