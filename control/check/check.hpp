// Loaded rule files to a Model, with everything that is wrong found in one pass (E02xx to E04xx) and, when nothing is
// wrong, the lints (W…). It compiles nothing and judges no packet: tests are control/ask's affair.
#pragma once
#include "control/check/keys.hpp"
#include "control/check/resolve.hpp"
#include "control/source/load.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::control {

struct Checked {
  Sources sources;
  Diagnostics diagnostics;   // sorted
  Model model;               // whole only when ok()
  Names names;               // what a question may name
  std::vector<Test> tests;

  bool ok() const { return diagnostics.errors() == 0; }
};

// `now_s` is the present, in seconds since the Unix epoch: expiry and its warnings depend on it. To `read` a policy is
// to take words that are known and not enforced for what they mean (W0110), where the model has that; for whoever
// judges or compares policies, and never for what is installed.
Checked check(Loaded loaded, std::int64_t now_s, Purpose purpose = Purpose::enforce);

}  // namespace weir::control
