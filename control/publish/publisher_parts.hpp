// What the files of the publisher have in common.
#pragma once
#include "control/publish/publisher.hpp"

namespace weir::control {

struct Publisher::Standing {
  std::uint64_t generation;
  Bundle bundle;
  Rules rules;
};

struct Publisher::Judged {
  StandingPtr standing;  // null where it may not come into force
  std::string text;      // diagnostics, for people
  std::size_t errors = 0, warnings = 0;
};

struct Publisher::Comparison {
  bool is_same = false;
  std::string diff, bound;                 // as text
  std::vector<std::string> why_two;        // reasons for a second signature
};

// What comes into force, and its fallback.
struct Publisher::Pair {
  HistoryEntry entry;
  StandingPtr made;
  HistoryEntry fallback_entry = {};
  StandingPtr fallback = nullptr;
};

// The policy that denies everything, where nothing else is known.
inline Bundle deny_all() { return {"lockdown.toml", {{"lockdown.toml", "version = 1\npolicy.name = \"lockdown\"\n"}}}; }

std::string time_text(std::int64_t unix_s);  // RFC 3339

}  // namespace weir::control
