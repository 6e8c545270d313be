// A policy as one HTML page that needs nothing else: no network, no script, no other file. Whatever came out of a rule
// file is escaped.
#pragma once
#include "control/bound/bound.hpp"
#include "control/diff/reach.hpp"
#include "tools/weir/rules.hpp"

#include <map>
#include <string>
#include <vector>

namespace weir {

// What people say of a statement, as its file has it; empty where it says nothing.
struct Said {
  std::string owner, why, ticket, expires;
};

struct ReportFacts {
  const Rules& rules;
  std::string day;                          // on which it was judged
  std::vector<control::Reach> reach;
  std::vector<Said> said;                   // by Model::statements, then Model::breakglass
  const control::Bounds* bounds;            // null without assets
  std::size_t claims = 0, held = 0;         // of [[test]]
};

std::string html_page(const ReportFacts& facts);
// Text between tags or in quotes.
std::string escaped(std::string_view text);

}  // namespace weir
