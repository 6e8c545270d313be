// Rules that would allow what was seen: a draft for a person to read, with `owner` and `why` left to write. It proposes
// no class, no budget's bytes and no identity: events do not tell them.
#pragma once
#include "control/check/check.hpp"
#include "control/recommend/seen.hpp"

#include <string>
#include <vector>

namespace weir::control {

struct Draft {
  std::string rules;               // TOML, to stand at the end of the root file
  std::vector<std::string> left;   // sentences: what was seen and is not in it
  std::size_t allows = 0;
};

// `policy` gives services their names, and may be any that resolves. What was met fewer than `least` times is left out.
Draft draft_of(const Seen& seen, const Checked& policy, std::uint64_t least);

// The rules as if somebody had written owner and why: to be judged, not to be kept.
std::string as_if_owned(const Draft& draft);

}  // namespace weir::control
