// That the two policies of the flip tests are fit for them: whichever tables of the one stand beside tables of the
// other, some conversation gets a verdict or a rule that neither policy gives. Otherwise no test could see a mixture.
#include "control/compile/write.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/flip_policies.hpp"
#include "tests/property/image_memory.hpp"

#include <catch2/catch.hpp>

namespace weir {
namespace {

control::Contents contents_of(const image::View& view) {
  control::Contents contents;
#define WEIR_SECTION(identifier, element, sentence) \
  contents.identifier.assign(view.identifier.begin(), view.identifier.end());
  WEIR_IMAGE_SECTIONS(WEIR_SECTION)
#undef WEIR_SECTION
  return contents;
}

// What a judgement walks through, in its order. Sections that mean something only together are one table.
constexpr u32 tables_count = 6;
void take_table(control::Contents& into, const control::Contents& from, u32 table) {
  switch (table) {
    case 0:
      into.ipv4_root = from.ipv4_root;
      into.ipv4_nodes = from.ipv4_nodes;
      into.ipv4_leaves = from.ipv4_leaves;
      return;
    case 1: into.source_zones = from.source_zones; return;
    case 2: into.target_zones = from.target_zones; return;
    case 3:
      into.service_pages = from.service_pages;
      into.service_atoms = from.service_atoms;
      return;
    case 4:
      into.matrix_rows = from.matrix_rows;
      into.matrix_cells = from.matrix_cells;
      return;
    default:
      into.decisions = from.decisions;
      into.rules = from.rules;
      into.rdma_rules = from.rdma_rules;
      into.looks = from.looks;
      into.strings = from.strings;
      into.meta = from.meta;
      into.segments = from.segments;
      into.port_classes = from.port_classes;
  }
}

bool is_judged_as_meant(const Policy& policy, const Dialogue& conversation) {
  const Judgement judgement = policy.judge({.source = conversation.source(),
                                            .target = conversation.target(),
                                            .source_class = 0,
                                            .target_class = 0,
                                            .protocol = 17,
                                            .icmp_type = 0,
                                            .icmp_code = 0,
                                            .target_port = conversation.port},
                                           0);
  if (!conversation.is_allowed()) return judgement.reason == Reason::no_allow && judgement.rule == no_rule;
  return judgement.reason == Reason::flow_new && judgement.rule < policy.rules_count() &&
         policy.rule(judgement.rule).name == conversation.rule;
}

bool all_as_meant(const Policy& policy) {
  const auto as_meant = [&](const Dialogue& conversation) { return is_judged_as_meant(policy, conversation); };
  return std::ranges::all_of(conversations, as_meant);
}

TEST_CASE("a mixture of the two policies always gives itself away") {
  const ImageMemory a(flip_image(FlipSide::a, 1)), b(flip_image(FlipSide::b, 2));
  const auto policy_a = verify(a.bytes()), policy_b = verify(b.bytes());
  REQUIRE(policy_a);
  REQUIRE(policy_b);
  REQUIRE(all_as_meant(*policy_a));
  REQUIRE(all_as_meant(*policy_b));

  const control::Contents contents_a = contents_of(policy_a->view()), contents_b = contents_of(policy_b->view());
  const auto bytes_a = write_image(contents_a, 1), bytes_b = write_image(contents_b, 1);
  u32 judged = 0, refused = 0;
  for (u32 chosen = 0; chosen < 1u << tables_count; ++chosen) {
    control::Contents mixed = contents_a;
    for (u32 table = 0; table < tables_count; ++table)
      if (chosen >> table & 1) take_table(mixed, contents_b, table);
    const ImageMemory memory(write_image(mixed, 1));
    const auto is_like = [&](const control::Contents& whole) {
      control::Contents same = whole;  // but for what no judgement reads
      for (u32 table = 0; table < tables_count; ++table) take_table(same, mixed, table);
      control::Contents other = mixed;
      for (u32 table = 0; table < tables_count; ++table) take_table(other, whole, table);
      return write_image(same, 1) == write_image(whole, 1) && write_image(other, 1) == write_image(mixed, 1);
    };
    if (is_like(contents_a) || is_like(contents_b)) continue;
    const auto policy = verify(memory.bytes());
    if (!policy) {
      ++refused;
      continue;
    }
    INFO("tables of B (bits): " << chosen);
    CHECK_FALSE(all_as_meant(*policy));
    ++judged;
  }
  WARN(judged << " mixtures give themselves away, " << refused << " are no image at all");
  CHECK(judged > 0);
  CHECK(bytes_a != bytes_b);
}

}  // namespace
}  // namespace weir
