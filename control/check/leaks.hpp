// Where an allow lets bytes flow down in class, and whether budgets cover it: exact set algebra over (source, target,
// service), with sources and targets as the dataplane tells them apart (control/compile/identity.hpp). It says nothing
// to anybody; classes.cpp does.
#pragma once
#include "control/model/model.hpp"

#include <cstdint>
#include <vector>

namespace weir::control {

// Bytes that leave `from` for `to` on connections of one allow.
struct Leak {
  std::uint32_t statement;
  std::uint32_t from, to;        // segments that the allow names
  std::uint32_t higher, lower;   // segments whose classes count: those, or others with the same addresses
  bool by_replies;               // the allow's `to` sends
  ServiceSet left;               // what no budget covers; of an alerted one empty
  bool partly;                   // a budget covers something of it
  std::vector<std::uint32_t> alerts;  // budgets that only alert and cover the rest
};

struct Leaks {
  std::vector<Leak> open;        // one for each allow that leaks: the worst
  std::vector<Leak> alerted;     // one for each allow that only alerting budgets cover, and no asset is held there
  bool too_many = false;         // more pairs than can be looked at; the two above are not whole
};

// The class that counts. A list without one is the worst on either side; a segment without one accuses nobody (E0302).
Class class_as_source(const Segment& segment);
Class class_as_target(const Segment& segment);

// Of each breakglass allow among the statements that no budgets which deny or throttle cover, one flow: of whatever
// holds an asset, to whomever; where no asset is named, of both sides.
Leaks find_unbudgeted(const Model& model);

inline constexpr std::uint64_t leak_pairs_max = 50'000'000;
Leaks find_leaks(const Model& model);

}  // namespace weir::control
