// Many questions in step: each stage does the same loads for all of them, so that a burst waits for memory about as
// often as one question does, and every walk takes the same branches whatever it finds.
#include "dataplane/policy/decide.hpp"

namespace weir {

namespace {

using namespace image;

constexpr u32 lanes = 32;

inline void prefetch(const void* at) { __builtin_prefetch(at); }

template <class Number>
inline u32 slot_of(Number rest) {
  return static_cast<u32>(rest >> (sizeof(Number) * 8 - stride_bits));
}

// Addresses on their way to their atoms, all one level down at a time. A lane that has come to its leaf's node stays
// there; one that the root answers walks along from node 0 and is put right at the end.
template <class Number>
struct Walk {
  u32 count = 0;
  Number rest[2 * lanes];  // the bits not yet used, from the top
  u32 node[2 * lanes];
  u32 entry[2 * lanes];    // of the root

  void start(const Trie& trie) {
    const u32* root = trie.root;
    const u32 root_bits = trie.root_bits;
    for (u32 i = 0; i < count; ++i) {
      const u32 found = root[static_cast<u32>(rest[i] >> (sizeof(Number) * 8 - root_bits))];
      entry[i] = found;
      rest[i] = static_cast<Number>(rest[i] << root_bits);
      node[i] = found & node_flag ? found & ~node_flag : 0;
    }
  }

  // False when none moved.
  bool descend(const Trie& trie) {
    const TrieNode* nodes = trie.nodes;
    u64 moved = 0;
    for (u32 i = 0; i < count; ++i) {
      const TrieNode& at = nodes[node[i]];
      const u64 children = up_to(at.children, slot_of(rest[i]));
      const u32 next = at.child_base + count_of(children) - 1;
      const Number shifted = static_cast<Number>(rest[i] << stride_bits);
      node[i] = own_bit(children) ? next : node[i];
      rest[i] = own_bit(children) ? shifted : rest[i];
      moved |= children;
    }
    return own_bit(moved);
  }

  void finish(const Trie& trie, u32* atoms) {
    const TrieNode* nodes = trie.nodes;
    const u32* leaves = trie.leaves;
    for (u32 i = 0; i < count; ++i) {
      const u32* leaf = leaves + leaf_index(nodes[node[i]], slot_of(rest[i]));
      leaf = entry[i] & node_flag ? leaf : &entry[i];
      atoms[i] = *leaf;
    }
  }

  void run(const Trie& trie, bool has_nodes, u32* atoms) {
    start(trie);
    if (!has_nodes) {
      for (u32 i = 0; i < count; ++i) atoms[i] = entry[i];
      return;
    }
    for (u32 depth = trie.root_bits; depth + stride_bits < sizeof(Number) * 8; depth += stride_bits)
      if (!descend(trie)) break;
    finish(trie, atoms);
  }
};

// Fills atoms[2 i] and atoms[2 i + 1] for the source and target of each question i of the family.
template <class Number, class Convert>
void find_atoms(const Trie& trie, bool has_nodes, std::span<const Question> questions, bool is_ipv4, Convert number,
                u32* atoms) {
  Walk<Number> walk;
  u32 lane_of[lanes];
  for (u32 i = 0; i < questions.size(); ++i) {
    if (questions[i].source.is_ipv4() != is_ipv4) continue;
    lane_of[walk.count / 2] = i;
    walk.rest[walk.count++] = number(questions[i].source);
    walk.rest[walk.count++] = number(questions[i].target);
  }
  if (walk.count == 0) return;
  if (walk.count == 2 * questions.size()) return walk.run(trie, has_nodes, atoms);
  u32 found[2 * lanes];
  walk.run(trie, has_nodes, found);
  for (u32 i = 0; i < walk.count; ++i) atoms[2 * lane_of[i / 2] + i % 2] = found[i];
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

void decide_by_vectors(const View& view, const Lanes& lane, Tick now, Judgement* judgements) {
  for (u32 i = 0; i < lane.count; ++i) {
    prefetch(&view.target_lists[lane.to[i]]);
    prefetch(&view.source_lists[lane.from[i]]);
    for (u32 group = 0; group < view.groups_count; group += 4)
      prefetch(view.source_groups.data() + u64{lane.from[i]} * view.groups_count + group);
  }
  for (u32 i = 0; i < lane.count; ++i) {
    const RuleList named = view.target_lists[lane.to[i]];
    for (u32 pair = 0; pair < named.pairs; pair += 2) prefetch(view.list_words.data() + named.first + 2 * pair);
    prefetch(view.list_words.data() + view.source_lists[lane.from[i]].first);
  }
  for (u32 i = 0; i < lane.count; ++i)
    for (u32 group = 0; group < view.groups_count; ++group)
      prefetch(view.rule_words.data() + view.source_groups[u64{lane.from[i]} * view.groups_count + group].base);
  for (u32 i = 0; i < lane.count; ++i)
    judgements[i] = decide_vectors(view, lane.from[i], lane.to[i], lane.service[i], now);
}

}  // namespace

void Policy::judge(std::span<const Question> all, Tick now, std::span<Judgement> judgements) const {
  for (u64 first = 0; first < all.size(); first += lanes) {
    const auto questions = all.subspan(first, all.size() - first < lanes ? all.size() - first : lanes);
    u32 atoms[2 * lanes] = {};
    find_atoms<u32>(ipv4_trie(view_), !view_.ipv4_nodes.empty(), questions, true, ipv4_number, atoms);
    find_atoms<u128>(ipv6_trie(view_), !view_.ipv6_nodes.empty(), questions, false, ipv6_number, atoms);
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
