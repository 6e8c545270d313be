// A sweep over the ends of all ranges. The set of segments that contain the present address is a state; each end
// toggles one member. A known (state, member) leads to its next state without looking at the set, so that a list of a
// million prefixes inside a hundred segments costs a million steps and not a hundred million.
#include "control/compile/atoms.hpp"

#include "control/compile/sequences.hpp"

#include <algorithm>

namespace weir::control {

namespace {

template <class Number>
struct End {
  Number at;
  u32 member;
};

class Sweep {
 public:
  Sweep() { sets_.intern({}); }

  template <class Number, class Range>
  std::vector<Piece<Number>> run(const Model& model, std::vector<Range> AddressSet::* ranges) {
    std::vector<End<Number>> ends = ends_of<Number>(model, ranges);
    std::vector<Piece<Number>> pieces{{0, 0}};
    u32 state = 0;
    for (std::size_t i = 0; i < ends.size();) {
      const Number at = ends[i].at;
      for (; i < ends.size() && ends[i].at == at; ++i) state = toggled(state, ends[i].member);
      if (pieces.back().first == at) pieces.back().atom = state;
      else if (pieces.back().atom != state) pieces.push_back({at, state});
    }
    return pieces;
  }

  std::span<const u32> set(u32 state) const { return sets_.at(state); }
  u32 states_count() const { return sets_.count(); }

 private:
  template <class Number, class Range>
  static std::vector<End<Number>> ends_of(const Model& model, std::vector<Range> AddressSet::* ranges) {
    std::vector<End<Number>> ends;
    const auto add = [&](const AddressSet& set, u32 member) {
      for (const Range& range : set.*ranges) {
        ends.push_back({range.first, member});
        if (range.last != static_cast<Number>(~Number{0})) ends.push_back({range.last + 1, member});
      }
    };
    u32 member = 0;
    for (const Segment& segment : model.segments) {
      if (segment.has_addresses) add(segment.addresses, member);
      ++member;
    }
    for (const PortPin& pin : model.ports) {
      if (pin.has_addresses) add(pin.addresses, member);
      ++member;
    }
    std::sort(ends.begin(), ends.end(), [](const End<Number>& a, const End<Number>& b) {
      return a.at != b.at ? a.at < b.at : a.member < b.member;
    });
    return ends;
  }

  u32 toggled(u32 state, u32 member) {
    const u64 step = u64{state} << 32 | member;
    const u32 fresh = static_cast<u32>(steps_.size());
    const u32 known = index_.find_or_add(hash_step(0, step), fresh, [&](u32 at) { return steps_[at].step == step; });
    if (known != fresh) return steps_[known].to;
    const std::span<const u32> from = sets_.at(state);
    const auto place = std::lower_bound(from.begin(), from.end(), member);
    next_.assign(from.begin(), place);
    if (place == from.end() || *place != member) {
      next_.push_back(member);
      next_.insert(next_.end(), place, from.end());
    } else {
      next_.insert(next_.end(), place + 1, from.end());
    }
    steps_.push_back({step, sets_.intern(next_)});
    return steps_.back().to;
  }

  struct Step {
    u64 step;
    u32 to;
  };
  Sequences<u32> sets_;
  HashIndex index_;
  std::vector<Step> steps_;
  std::vector<u32> next_;
};

// States that a sweep only passed through, between ends at one address, get no number.
constexpr u32 unused = ~u32{0};

template <class Number>
void number_pieces(std::vector<Piece<Number>>& pieces, const Sweep& sweep, std::vector<u32>& atom_of, Atoms& atoms) {
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    u32& atom = atom_of[pieces[i].atom];
    if (atom == unused) {
      atom = atoms.count();
      const auto set = sweep.set(pieces[i].atom);
      atoms.members.insert(atoms.members.end(), set.begin(), set.end());
      atoms.starts.push_back(atoms.members.size());
      atoms.addresses.push_back(0);
    }
    pieces[i].atom = atom;
    const bool is_last = i + 1 == pieces.size();
    const u128 size = is_last ? u128{static_cast<Number>(~Number{0})} - pieces[i].first + 1
                              : u128{pieces[i + 1].first} - pieces[i].first;
    u128& total = atoms.addresses[atom];
    total = size == 0 || total + size < total ? ~u128{0} : total + size;
  }
}

}  // namespace

Atoms split(const Model& model) {
  Sweep sweep;
  Atoms atoms;
  atoms.ipv4 = sweep.run<u32>(model, &AddressSet::ipv4);
  atoms.ipv6 = sweep.run<u128>(model, &AddressSet::ipv6);
  std::vector<u32> atom_of(sweep.states_count(), unused);
  atom_of[0] = 0;
  atoms.starts.push_back(0);
  atoms.addresses.push_back(0);
  number_pieces(atoms.ipv4, sweep, atom_of, atoms);
  number_pieces(atoms.ipv6, sweep, atom_of, atoms);
  return atoms;
}

}  // namespace weir::control
