// See acl_rival.hpp.
#include "tests/bench/acl_rival.hpp"

#include <rte_acl.h>
#include <rte_errno.h>

#include <cstdio>
#include <cstdlib>

namespace weir::bench {

namespace {

constexpr u32 fields_count = 5;
RTE_ACL_RULE_DEF(Rule, fields_count);

// A field's type, bytes, number, 4-byte word of input, offset.
constexpr rte_acl_field_def fields[fields_count] = {
    {RTE_ACL_FIELD_TYPE_BITMASK, 1, 0, 0, 0},
    {RTE_ACL_FIELD_TYPE_MASK, 4, 1, 1, offsetof(AclHeader, source)},
    {RTE_ACL_FIELD_TYPE_MASK, 4, 2, 2, offsetof(AclHeader, target)},
    {RTE_ACL_FIELD_TYPE_RANGE, 2, 3, 3, offsetof(AclHeader, source_port)},
    {RTE_ACL_FIELD_TYPE_RANGE, 2, 4, 3, offsetof(AclHeader, target_port)},
};

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "bench: rte_acl: %s: %s\n", what, rte_strerror(rte_errno));
  std::exit(1);
}

Rule converted(const AclRule& from) {
  Rule rule{};
  rule.data = {1, from.priority, from.answer};
  rule.field[0].value.u8 = from.protocol;
  rule.field[0].mask_range.u8 = from.protocol_mask;
  rule.field[1].value.u32 = from.source;
  rule.field[1].mask_range.u32 = from.source_bits;
  rule.field[2].value.u32 = from.target;
  rule.field[2].mask_range.u32 = from.target_bits;
  rule.field[3].mask_range.u16 = 0xffff;
  rule.field[4].value.u16 = from.port_first;
  rule.field[4].mask_range.u16 = from.port_last;
  return rule;
}

}  // namespace

Acl::Acl(const char* name, std::span<const AclRule> rules) {
  const rte_acl_param parameters{name, 0, RTE_ACL_RULE_SZ(fields_count), static_cast<u32>(rules.size())};
  context_ = rte_acl_create(&parameters);
  if (context_ == nullptr) give_up("no context");
  std::vector<Rule> converted_rules;
  for (const AclRule& rule : rules) converted_rules.push_back(converted(rule));
  if (rte_acl_add_rules(context_, reinterpret_cast<const rte_acl_rule*>(converted_rules.data()),
                        static_cast<u32>(rules.size())) != 0)
    give_up("rules refused");
}

Acl::~Acl() { rte_acl_free(context_); }

bool Acl::build() {
  rte_acl_config config{};
  config.num_categories = 1;
  config.num_fields = fields_count;
  std::copy(std::begin(fields), std::end(fields), config.defs);
  return rte_acl_build(context_, &config) == 0;
}

bool Acl::use(const char* instructions) {
  const std::string_view name = instructions;
  const auto algorithm = name == "avx512x32"   ? RTE_ACL_CLASSIFY_AVX512X32
                                         : name == "avx512x16" ? RTE_ACL_CLASSIFY_AVX512X16
                                         : name == "avx2"      ? RTE_ACL_CLASSIFY_AVX2
                                         : name == "sse"       ? RTE_ACL_CLASSIFY_SSE
                                                               : RTE_ACL_CLASSIFY_DEFAULT;
  return rte_acl_set_ctx_classify(context_, algorithm) == 0;
}

void Acl::classify(const u8** headers, u32* answers, u32 count) const {
  if (rte_acl_classify(context_, headers, answers, count, 1) != 0) std::abort();
}

}  // namespace weir::bench
