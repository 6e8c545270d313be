#include "dataplane/guard/decisions.hpp"

#include "dataplane/guard/tables.hpp"
#include "dataplane/policy/decide.hpp"

namespace weir::guard {
namespace {

constexpr u64 questions_max = u64{1} << 25, cells_max = u64{1} << 26;
constexpr u64 never = ~u64{0};

}  // namespace

// Number 0 denies: it is what a table that holds nothing leads to.
Decisions::Decisions(const Policy& policy) : policy_(policy) {
  nodes_.push_back({never, no_rule, 0, static_cast<u8>(Reason::no_allow), 0});
}

u16 Decisions::source(u16 zone) {
  const auto [at, is_new] = source_numbers_.emplace(zone, static_cast<u16>(sources_.size()));
  if (is_new) sources_.push_back(zone);
  return at->second;
}

u16 Decisions::target(u16 zone) {
  const auto [at, is_new] = target_numbers_.emplace(zone, static_cast<u16>(targets_.size()));
  if (is_new) targets_.push_back(zone);
  return at->second;
}

// Whether an allow asks for nothing that only the dataplane does.
bool Decisions::is_kept(u32 rule, u16 decision) const {
  return policy_.look(rule).is_empty() && !policy_.wants_syn_proxy(decision);
}

std::expected<u16, Error> Decisions::number_of(const guard_node& node) {
  const auto key = std::pair(u64{node.until_us}, std::pair(u32{node.rule}, u32{node.next} << 8 | node.reason));
  if (const auto known = known_nodes_.find(key); known != known_nodes_.end()) return known->second;
  if (nodes_.size() > 0xffff) return std::unexpected(Error{"more kinds of decision than a guard has room for"});
  const u16 number = static_cast<u16>(nodes_.size());
  nodes_.push_back(node);
  return known_nodes_[key] = number;
}

// What the engine says now, until its allow ends; what it says then, and so on.
std::expected<u16, Error> Decisions::chain(u16 from, u16 to, u16 service, Tick now, u32 depth) {
  if (depth >= guard_chain_max)
    return std::unexpected(Error{"more allows that end one after the other over the same than a guard follows"});
  const Judgement said = image::decide(policy_.view(), from, to, service, now);
  guard_node node{never, said.rule, 0, static_cast<u8>(said.reason), 0};
  if (said.reason == Reason::flow_new) {
    const Tick ends = policy_.expires_at(said.decision);
    if (!is_kept(said.rule, said.decision)) {
      node.reason = static_cast<u8>(Reason::guard_unenforced);
      denied_.insert(said.rule);
    }
    if (ends != never) {
      const auto next = chain(from, to, service, ends, depth + 1);
      if (!next) return next;
      node.until_us = ends;
      node.next = *next;
    }
  }
  return number_of(node);
}

// In the image's matrix many pairs of zones share a row.
std::expected<u32, Error> Decisions::row(u16 from, u16 to) {
  const image::View& view = policy_.view();
  const u32 shared = view.form == image::Form::matrix ? image::matrix_row(view, from, to) : 0;
  if (view.form == image::Form::matrix)
    if (const auto known = image_rows_.find(shared); known != image_rows_.end()) return known->second;
  std::vector<u16> cells(view.services_count);
  for (u32 service = 0; service < view.services_count; ++service) {
    const auto one = chain(from, to, static_cast<u16>(service), 0, 0);
    if (!one) return std::unexpected(one.error());
    cells[service] = *one;
  }
  const auto [at, is_new] = known_rows_.emplace(cells, static_cast<u32>(known_rows_.size()));
  if (is_new) cells_.insert(cells_.end(), cells.begin(), cells.end());
  if (view.form == image::Form::matrix) image_rows_[shared] = at->second;
  return at->second;
}

std::expected<void, Error> Decisions::make() {
  const image::View& view = policy_.view();
  const u64 pairs = sources_.size() * targets_.size();
  if (view.form == image::Form::vectors && pairs * view.services_count > questions_max)
    return std::unexpected(Error{"the policy tells more zones and services apart than a guard has room for"});
  if (pairs > questions_max) return std::unexpected(Error{"the policy has more zones than a guard has room for"});
  for (const u16 from : sources_)
    for (const u16 to : targets_) {
      const auto one = row(from, to);
      if (!one) return std::unexpected(one.error());
      rows_.push_back(*one);
      if (cells_.size() > cells_max) return std::unexpected(Error{"the policy's decisions are too many for a guard"});
    }
  return {};
}

std::vector<std::string> Decisions::notes() const {
  std::vector<std::string> lines;
  for (const u32 rule : denied_)
    lines.push_back("allow " + std::string(policy_.rule(rule).name) +
                    ": denied, since it asks for what only the dataplane does (inspection, DNS terms, SYN proxy)");
  return lines;
}

}  // namespace weir::guard
