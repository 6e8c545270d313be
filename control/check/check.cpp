// Shape, names, classes, and lints when nothing is wrong: warnings about a broken policy would be noise.
#include "control/check/check.hpp"

#include "control/check/classes.hpp"
#include "control/check/lints.hpp"
#include "control/check/shape.hpp"
#include "control/model/breakglass.hpp"

namespace weir::control {

Checked check(Loaded loaded, std::int64_t now_s, Purpose purpose) {
  Diagnostics out;
  check_shape(loaded, purpose, out);
  // A file that could not be read or parsed would make every name in it unknown: one fault, told once.
  if (loaded.diagnostics.errors() > 0) {
    out.all.insert(out.all.end(), loaded.diagnostics.all.begin(), loaded.diagnostics.all.end());
    out.sort();
    return {std::move(loaded.sources), std::move(out), {}, {}, {}};
  }
  Resolved resolved = resolve(loaded, now_s, out);
  std::vector<const AddressSet*> sets;
  for (const Segment& segment : resolved.model.segments) sets.push_back(&segment.addresses);
  const Cells cells = split(sets);
  check_classes(resolved, out);
  check_breakglass(resolved.model, out);
  out.all.insert(out.all.end(), loaded.diagnostics.all.begin(), loaded.diagnostics.all.end());
  if (out.errors() == 0) lint(resolved, cells, now_s, out);
  out.sort();
  // Judged as if they were open, breakglass allows stand aside from here on.
  return {std::move(loaded.sources), std::move(out), closed(std::move(resolved.model)), std::move(resolved.names),
          std::move(resolved.tests)};
}

}  // namespace weir::control
