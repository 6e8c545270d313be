#include "tests/property/random_inspections.hpp"

#include <algorithm>
#include <string>

namespace weir::naive {

namespace {

std::string numbered(const char* stem, u64 number) { return std::string(stem).append(std::to_string(number)); }

control::PatternSet random_set(Draw& draw, std::string name) {
  control::PatternSet set{std::move(name), {}};
  for (u64 i = 1 + draw.below(3); i > 0; --i) {
    control::Pattern pattern;
    pattern.name = numbered("p", draw.below(5));
    for (u64 bytes = 8 + draw.below(9); bytes > 0; --bytes)
      pattern.bytes += static_cast<char>('a' + draw.below(26));
    pattern.base64 = draw.one_in(3);
    if (!pattern.base64 && draw.one_in(2)) pattern.at = static_cast<u32>(draw.below(4097));
    set.patterns.push_back(std::move(pattern));
  }
  return set;
}

control::Inspection random_inspection(Draw& draw, u64 number, std::size_t sets) {
  control::Inspection one;
  one.name = numbered("i", number);
  one.span = {0, static_cast<u32>(draw.below(40)), 0};
  one.first_bytes = static_cast<u32>(1 + draw.below(4096) * 4096 + number);
  one.out = draw.one_in(2);
  one.in = !one.out || draw.one_in(2);
  one.tensors = draw.one_in(2);
  one.on_match = static_cast<control::Inspection::OnMatch>(draw.below(3));
  one.opaque = static_cast<control::Inspection::Opaque>(draw.below(3));
  one.busy = static_cast<control::Inspection::Busy>(draw.below(2));
  one.max_quarantined = static_cast<u32>(1 + draw.below(10'000));
  for (u32 set = 0; set < sets; ++set)
    if (draw.one_in(2)) one.sets.push_back(set);
  one.monitor = draw.one_in(4);
  if (one.monitor && draw.one_in(2)) one.monitor_until_s = static_cast<std::int64_t>(1000 + draw.below(1000));
  return one;
}

}  // namespace

void add_inspections(Draw& draw, control::Model& model) {
  for (u64 count = draw.one_in(9) ? 64 : draw.below(6), i = 0; i < count; ++i)
    model.pattern_sets.push_back(random_set(draw, numbered("s", 100 + i)));
  for (u64 count = draw.one_in(9) ? 64 : draw.below(8), i = 0; i < count; ++i)
    model.inspections.push_back(random_inspection(draw, 100 + i, model.pattern_sets.size()));
  for (control::Statement& statement : model.statements)
    for (u32 i = 0; i < model.inspections.size() && !statement.is_forbid; ++i)
      if (draw.one_in(4)) statement.inspections.push_back(i);
}

}  // namespace weir::naive
