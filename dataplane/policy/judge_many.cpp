// Many questions in step: each stage does the same loads for all of them, so that a burst waits for memory about as
// often as one question does, and every walk takes the same branches whatever it finds.
#include "dataplane/policy/decide.hpp"
#include "dataplane/policy/walk.hpp"

namespace weir {

namespace {

using namespace image;

constexpr u32 lanes = walk_lanes / 2;

inline void prefetch(const void* at) { __builtin_prefetch(at); }

// Fills atoms[2 i] and atoms[2 i + 1] for the source and target of each question i of the family.
template <class Number, class Convert, class Run>
void find_atoms(std::span<const Question> questions, bool is_ipv4, Convert number, Run run, u32* atoms) {
  Number addresses[walk_lanes];
  u32 lane_of[lanes];
  u32 count = 0;
  for (u32 i = 0; i < questions.size(); ++i) {
    if (questions[i].source.is_ipv4() != is_ipv4) continue;
    lane_of[count / 2] = i;
    addresses[count++] = number(questions[i].source);
    addresses[count++] = number(questions[i].target);
  }
  if (count == 0) return;
  if (count == 2 * questions.size()) return run({addresses, count}, atoms);
  u32 found[walk_lanes];
  run({addresses, count}, found);
  for (u32 i = 0; i < count; ++i) atoms[2 * lane_of[i / 2] + i % 2] = found[i];
}

struct Lanes {
  u32 count;
  u16 from[lanes], to[lanes], service[lanes];  // from: 0 for spoofed
};

void decide_by_matrix(const View& view, const Lanes& lane, Tick now, Judgement* judgements) {
  const u16* places[lanes];
  for (u32 i = 0; i < lane.count; ++i) {
    places[i] = &matrix_row(view, lane.from[i], lane.to[i]);
    prefetch(places[i]);
  }
  for (u32 i = 0; i < lane.count; ++i) {
    places[i] = &matrix_cell(view, *places[i], lane.service[i]);
    prefetch(places[i]);
  }
  for (u32 i = 0; i < lane.count; ++i)
    judgements[i] = decide_matrix(view, *places[i], lane.from[i], lane.to[i], now);
}

inline void decide_by_vectors(const View& view, const Lanes& lane, Tick now, Judgement* judgements) {
  const u32 groups = view.groups_count;
  for (u32 i = 0; i < lane.count; ++i) {
    prefetch(&view.source_lists[lane.from[i]]);
    for (u32 group = 0; group < groups; group += 4) {
      prefetch(view.source_groups.data() + u64{lane.from[i]} * groups + group);
      prefetch(view.target_groups.data() + u64{lane.to[i]} * groups + group);
    }
  }
  const u64* words = view.rule_words.data();
  for (u32 i = 0; i < lane.count; ++i) {
    prefetch(view.list_words.data() + view.source_lists[lane.from[i]].first);
    for (u32 group = 0; group < groups; ++group) {
      prefetch(words + view.source_groups[u64{lane.from[i]} * groups + group].base);
      prefetch(words + view.target_groups[u64{lane.to[i]} * groups + group].base);
    }
  }
  for (u32 i = 0; i < lane.count; ++i)
    judgements[i] = decide_vectors(view, lane.from[i], lane.to[i], lane.service[i], now);
}

}  // namespace

void Policy::judge(std::span<const Question> all, Tick now, std::span<Judgement> judgements) const {
  const Trie ipv4 = ipv4_trie(view_), ipv6 = ipv6_trie(view_);
  const auto walk_ipv4 = [&](std::span<const u32> addresses, u32* atoms) {
    wide_ ? walk_ipv4_wide(ipv4, addresses, atoms) : walk_ipv4_plain(ipv4, addresses, atoms);
  };
  const auto walk_ipv6 = [&](std::span<const u128> addresses, u32* atoms) { walk_ipv6_plain(ipv6, addresses, atoms); };
  for (u64 first = 0; first < all.size(); first += lanes) {
    const auto questions = all.subspan(first, all.size() - first < lanes ? all.size() - first : lanes);
    u32 atoms[2 * lanes] = {};
    find_atoms<u32>(questions, true, ipv4_number, walk_ipv4, atoms);
    find_atoms<u128>(questions, false, ipv6_number, walk_ipv6, atoms);
    Lanes lane;
    lane.count = static_cast<u32>(questions.size());
    u32 spoofed = 0;
    for (u32 i = 0; i < lane.count; ++i) {
      lane.service[i] = service_of(view_, questions[i], questions[i].source.is_ipv4());
      const u16 from = source_zone(checked(questions[i].source_class), atoms[2 * i]);
      spoofed |= u32{from == zone_spoofed} << i;
      lane.from[i] = from == zone_spoofed ? u16{0} : from;
      lane.to[i] = target_zone(checked(questions[i].target_class), atoms[2 * i + 1]);
    }
    Judgement* out = judgements.data() + first;
    if (view_.form == Form::matrix) decide_by_matrix(view_, lane, now, out);
    else decide_by_vectors(view_, lane, now, out);
    for (; spoofed != 0; spoofed &= spoofed - 1)
      out[__builtin_ctz(spoofed)] = {Reason::spoofed, 0, no_rule, zone_unknown, zone_unknown};
  }
}

}  // namespace weir
