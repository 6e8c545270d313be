// Each edit is one that people make: a statement goes, comes, moves, is renamed; a segment, a pin or a setting changes.
#include "tests/property/changed_model.hpp"

#include <algorithm>

namespace weir::naive {

using control::Model, control::Statement;

namespace {

void change_statement(Draw& draw, Model& model, const Model& other) {
  if (model.statements.empty()) return;
  const auto at = draw.below(model.statements.size());
  Statement& one = model.statements[at];
  switch (draw.below(9)) {
    case 0: model.statements.erase(model.statements.begin() + static_cast<std::ptrdiff_t>(at)); break;
    case 1: one.is_forbid = !one.is_forbid; break;
    case 2: one.expires_s = 1000 + static_cast<std::int64_t>(draw.below(4)); break;
    case 3: one.log = static_cast<control::Log>(draw.below(3)); break;
    case 4: one.name += "x"; break;
    case 5:
      if (!one.from_any && !model.segments.empty()) one.from = {static_cast<u32>(draw.below(model.segments.size()))};
      break;
    case 6:
      if (!one.to_any && !model.segments.empty()) one.to = {static_cast<u32>(draw.below(model.segments.size()))};
      break;
    case 7:
      if (!other.statements.empty()) one.services = other.statements[draw.below(other.statements.size())].services;
      break;
    default:
      one.syn_proxy = !one.is_forbid && !one.syn_proxy;
      one.reject = one.is_forbid && !one.reject;
      one.rdma.first_use = static_cast<u32>(draw.below(3));
      if (draw.one_in(2)) one.rdma.operations = static_cast<u8>(draw.below(128));
      if (draw.one_in(4)) one.rdma.protocols = static_cast<u16>(draw.below(4));
      one.inspections.clear();
      if (!model.inspections.empty() && !one.is_forbid)
        one.inspections = {static_cast<u32>(draw.below(model.inspections.size()))};
      break;
  }
  for (Statement& each : model.statements) {
    if (each.is_forbid) each.expires_s.reset(), each.syn_proxy = false, each.inspections.clear();
    else each.reject = false;
  }
}

void change_noun(Draw& draw, Model& model, const Model& other) {
  if (model.segments.empty()) return;
  control::Segment& segment = model.segments[draw.below(model.segments.size())];
  switch (draw.below(5)) {
    case 0: segment.reject = !segment.reject; break;
    case 1:
      if (segment.has_addresses && !other.segments.empty())
        segment.addresses = other.segments[draw.below(other.segments.size())].addresses;
      break;
    case 2: segment.name += "x"; break;
    case 3:
      if (!segment.attach.empty() && segment.has_addresses) segment.attach.clear();
      break;
    default:
      if (!model.ports.empty() && !other.segments.empty())
        model.ports[draw.below(model.ports.size())].addresses =
            other.segments[draw.below(other.segments.size())].addresses;
      break;
  }
}

}  // namespace

Model changed(Draw& draw, const Model& before) {
  const Model other = random_model(draw);
  if (draw.one_in(4)) return other;
  Model after = before;
  for (u64 i = draw.below(5); i > 0; --i) {
    if (draw.one_in(3)) change_noun(draw, after, other);
    else change_statement(draw, after, other);
  }
  std::ranges::sort(after.statements, {}, &Statement::name);
  return after;
}

void bind_to_networks(Draw& draw, Model& model) {
  for (control::Segment& segment : model.segments) {
    if (!segment.attach.empty() || !draw.one_in(2)) continue;
    segment.vnis = draw.one_in(3)   ? std::vector<u32>{100}
                   : draw.one_in(2) ? std::vector<u32>{100, 200}
                                    : std::vector<u32>{200};
  }
}

}  // namespace weir::naive
