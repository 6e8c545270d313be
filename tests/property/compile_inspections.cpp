// What an image says of inspections is what its model says, read naively: each inspection field by field, for each rule
// the inspections and protocols of the statement by its name, and the sets and patterns by theirs. An image without
// databases says the same and is one that no loader takes.
#include "control/check/rdma_words.hpp"
#include "control/compile/compile.hpp"
#include "control/inspect/compile_patterns.hpp"
#include "control/inspect/expressions.hpp"
#include "dataplane/policy/verify.hpp"
#include "dataplane/scan/scan.hpp"
#include "tests/property/image_memory.hpp"
#include "tests/property/random_inspections.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <set>

using namespace weir;
using control::Inspection, control::Model, control::Statement;

namespace {

std::set<std::string> sets_of(const Model& model, const Inspection& one) {
  std::set<std::string> names;
  for (const u32 set : one.sets) names.insert(model.pattern_sets[set].name);
  return names;
}

// Of the image: the names of the sets with a bit in `sets`.
std::set<std::string> sets_of(const std::vector<std::string>& names, u64 sets) {
  std::set<std::string> found;
  for (std::size_t set = 0; set < names.size(); ++set)
    if ((sets >> set & 1) != 0) found.insert(names[set]);
  return found;
}

u64 monitor_until(const Inspection& one) {
  if (!one.monitor) return 0;
  return one.monitor_until_s ? static_cast<u64>(*one.monitor_until_s) * 1'000'000 : ~u64{0};
}

void compare_inspections(const Model& model, const Policy& policy, const std::vector<std::string>& set_names) {
  REQUIRE(policy.inspections().size() == model.inspections.size());
  for (std::size_t i = 0; i < model.inspections.size(); ++i) {
    const Inspection& said = model.inspections[i];
    const image::Inspection& row = policy.inspections()[i];
    CHECK(policy.text(row.name) == said.name);
    CHECK(row.line == model.line_of(said.span));
    CHECK(row.first_bytes == said.first_bytes);
    CHECK(((row.ways & 1) != 0) == said.out);
    CHECK(((row.ways & 2) != 0) == said.in);
    CHECK((row.tensors != 0) == said.tensors);
    CHECK((row.on_match == image::OnMatch::quarantine) == (said.on_match == Inspection::OnMatch::quarantine));
    CHECK((row.on_match == image::OnMatch::alert) == (said.on_match == Inspection::OnMatch::alert));
    CHECK((row.opaque == image::Opaque::deny) == (said.opaque == Inspection::Opaque::deny));
    CHECK((row.opaque == image::Opaque::alert) == (said.opaque == Inspection::Opaque::alert));
    CHECK((row.busy == image::Busy::deny) == (said.busy == Inspection::Busy::deny));
    CHECK(row.max_quarantined == said.max_quarantined);
    CHECK(row.monitor_until == monitor_until(said));
    CHECK(sets_of(set_names, row.sets) == sets_of(model, said));
  }
}

u64 compare_looks(const Model& model, const Policy& policy) {
  u64 looking = 0;
  REQUIRE(policy.rules_count() == model.statements.size());
  for (const Statement& said : model.statements) {
    u32 rule = 0;
    while (policy.rule(rule).name != said.name) ++rule;
    const image::Look& look = policy.look(rule);
    std::set<std::string> asked, found;
    for (const u32 one : said.inspections) asked.insert(model.inspections[one].name);
    for (u32 i = 0; i < 64; ++i)
      if ((look.inspections >> i & 1) != 0) found.insert(std::string(policy.text(policy.inspections()[i].name)));
    CHECK(found == asked);
    CHECK(look.protocols == (said.is_forbid ? 0 : said.rdma.protocols));
    looking += !asked.empty() || look.protocols != 0;
  }
  CHECK(policy.has_looks() == (looking != 0));
  return looking;
}

// By set, what each of its patterns is called, as often as it has a way to be found.
std::map<std::string, std::multiset<std::string>> patterns_of(const Model& model) {
  std::map<std::string, std::multiset<std::string>> found;
  for (const control::PatternSet& set : model.pattern_sets)
    for (const control::Pattern& one : set.patterns)
      for (std::size_t way = 0; way < expressions_of(one).size(); ++way) found[set.name].insert(one.name);
  return found;
}

}  // namespace

TEST_CASE("an image asks for what its model asks for") {
  u64 looking = 0, with_patterns = 0;
  for (u64 seed = 0; seed < 60; ++seed) {
    INFO("seed " << seed);
    naive::Draw draw(seed);
    Model model = naive::random_model(draw);
    naive::add_inspections(draw, model);
    std::vector<std::string> set_names;
    std::vector<std::byte> patterns;
    if (!model.pattern_sets.empty() && model.pattern_sets.size() < 8) {
      patterns = *control::compile_patterns(model.pattern_sets);
      const auto loaded = *ScanPatterns::load(patterns);
      for (u32 set = 0; set < loaded.sets(); ++set) set_names.emplace_back(loaded.set_name(set));
      std::map<std::string, std::multiset<std::string>> found;
      for (u32 one = 0; one < loaded.count(); ++one)
        found[std::string(loaded.set_name(loaded.set_of(one)))].insert(std::string(loaded.name(one)));
      CHECK(found == patterns_of(model));
      ++with_patterns;
    } else {
      for (const control::PatternSet& set : model.pattern_sets) set_names.push_back(set.name);
    }
    const ImageMemory memory(control::compile(model, 1, control::DecisionForm::automatic, patterns)->image);
    const auto policy = verify(memory.bytes());
    REQUIRE(policy);
    compare_inspections(model, *policy, set_names);
    looking += compare_looks(model, *policy);
    if (!patterns.empty())
      CHECK(std::ranges::equal(policy->patterns(), patterns));
    else if (!model.pattern_sets.empty())
      CHECK_FALSE(ScanPatterns::load(policy->patterns()));
    else
      CHECK(policy->patterns().empty());
  }
  CHECK(looking > 100);
  CHECK(with_patterns > 10);
}

TEST_CASE("more inspections or sets than bits are refused by name") {
  Model model;
  model.inspections.resize(65);
  CHECK(control::compile(model, 1).error().code == "E0620");
  model.inspections.resize(64);
  model.pattern_sets.resize(65);
  CHECK(control::compile(model, 1).error().code == "E0621");
  model.pattern_sets.resize(64);
  model.inspections[63].sets = {0, 63};
  const ImageMemory memory(control::compile(model, 1)->image);
  const auto policy = verify(memory.bytes());
  REQUIRE(policy);
  CHECK(policy->inspections()[63].sets == (u64{1} << 63 | 1));
}
