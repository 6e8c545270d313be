// What an operator does to a ledger, with a reason that stays in it: begins a new one, or forgives a budget what left.
// Whoever writes a ledger holds its lock: one that a dataplane has open is refused.
#pragma once
#include "dataplane/ledger/places.hpp"

namespace weir {

struct LedgerAct {
  std::string begin, forgive;  // one of them: a folder; a budget's name
  ledger::Places places;
  bool is_first = false;  // begin: nothing can have been lost
  std::string why;
};

// What was done, as a sentence.
std::expected<std::string, ledger::Error> act_on_ledger(LedgerAct act);

}  // namespace weir
