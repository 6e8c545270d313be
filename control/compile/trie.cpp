// The root is as wide as the policy is large: a wider one saves levels, a narrower one stays in the cache. The widths
// are those that 6-bit strides divide the rest of both families by.
#include "control/compile/trie.hpp"

#include <algorithm>

namespace weir::control {

namespace {

template <class Number>
class TrieBuilder {
 public:
  explicit TrieBuilder(std::span<const Piece<Number>> pieces) : pieces_(pieces) {}

  TrieTables build() {
    tables_.root_bits = root_bits();
    const u32 shift = bits - tables_.root_bits;
    u32 piece = 0;
    tables_.root.resize(u64{1} << tables_.root_bits);
    for (u64 slot = 0; slot < tables_.root.size();) {
      const Number first = static_cast<Number>(Number(slot) << shift);
      piece = piece_at(piece, first);
      if (ends_in(piece, first, shift)) {
        tables_.root[slot++] = child(first, tables_.root_bits, piece) | image::node_flag;
        continue;
      }
      const bool is_last = piece + 1 == pieces_.size();
      const u64 end = is_last ? tables_.root.size() : static_cast<u64>(pieces_[piece + 1].first >> shift);
      std::fill(tables_.root.begin() + slot, tables_.root.begin() + end, pieces_[piece].atom);
      slot = end;
    }
    for (std::size_t index = 0; index < tables_.nodes.size(); ++index) fill(index);
    return std::move(tables_);
  }

 private:
  static constexpr u32 bits = sizeof(Number) * 8;
  struct Job {
    Number first;
    u32 depth;
    u32 piece;  // that contains `first`
  };

  u32 root_bits() const {
    if (pieces_.size() <= 1) return 2;
    if (pieces_.size() <= 512) return 8;
    return bits == 32 && pieces_.size() > 2'000 ? 20 : 14;
  }
  u32 piece_at(u32 piece, Number address) const {
    while (piece + 1 < pieces_.size() && pieces_[piece + 1].first <= address) ++piece;
    return piece;
  }
  // Whether the piece ends before the 2^shift addresses from `first` do.
  bool ends_in(u32 piece, Number first, u32 shift) const {
    const Number last = first | static_cast<Number>((Number{1} << shift) - 1);
    return piece + 1 < pieces_.size() && pieces_[piece + 1].first <= last;
  }
  u32 child(Number first, u32 depth, u32 piece) {
    jobs_.push_back({first, depth, piece});
    tables_.nodes.push_back({});
    return static_cast<u32>(tables_.nodes.size() - 1);
  }

  void fill(std::size_t index) {
    const Job job = jobs_[index];
    const u32 shift = bits - job.depth - image::stride_bits;
    image::TrieNode node{0, 0, static_cast<u32>(tables_.nodes.size()), static_cast<u32>(tables_.leaves.size())};
    u32 piece = job.piece;
    for (u32 slot = 0; slot < 64; ++slot) {
      const Number first = job.first | static_cast<Number>(Number{slot} << shift);
      piece = piece_at(piece, first);
      if (ends_in(piece, first, shift)) {
        child(first, job.depth + image::stride_bits, piece);
        node.children |= u64{1} << slot;
      } else if (node.leaf_starts == 0 || tables_.leaves.back() != pieces_[piece].atom) {
        tables_.leaves.push_back(pieces_[piece].atom);
        node.leaf_starts |= u64{1} << slot;
      }
    }
    if (node.children == 0) node.child_base = 0;
    tables_.nodes[index] = node;
  }

  std::span<const Piece<Number>> pieces_;
  std::vector<Job> jobs_;
  TrieTables tables_;
};

}  // namespace

TrieTables build_trie(std::span<const Piece<u32>> pieces) { return TrieBuilder<u32>(pieces).build(); }
TrieTables build_trie(std::span<const Piece<u128>> pieces) { return TrieBuilder<u128>(pieces).build(); }

}  // namespace weir::control
