// Rules of one policy come in the order of its image: forbids first, then allows from the most specific on. So a
// service's chain ends with the first forbid or allow without an end.
#include "control/diff/fate.hpp"

#include "dataplane/policy/image.hpp"

#include <algorithm>

namespace weir::control {

namespace {

bool equal_but_for_time(FatePiece a, const FatePiece& b) {
  a.until_s = b.until_s;
  return a == b;
}

FatePiece allowed_by(const Statement& statement, u32 inspections, bool is_rdma) {
  FatePiece piece{.until_s = statement.expires_s.value_or(no_end),
                  .allowed = 1,
                  .log = static_cast<std::uint8_t>(statement.log),
                  .syn_proxy = statement.syn_proxy,
                  .inspections = inspections};
  const RdmaTerms& terms = statement.rdma;
  if (!is_rdma) {
    piece.protocols = terms.protocols;
    return piece;
  }
  piece.operations = terms.operations.value_or(image::rdma_default_operations);
  piece.read_unless_asset = !terms.operations;
  piece.read_mtu = terms.read_mtu;
  piece.first_use = terms.first_use;
  piece.read_credit = terms.read_credit;
  return piece;
}

}  // namespace

Fates::Fates(const JointSpace& space, std::int64_t now_s) : space_(space), now_s_(now_s) {
  const std::size_t services = space.points.size();
  for (const bool is_ipv4 : {false, true})
    for (const ServicePoints& points : space.points)
      lives_[is_ipv4].push_back(!empty(points_in_family(points, is_ipv4)));
  for (const ServicePoints& points : space.points)
    is_rdma_.push_back(!points[static_cast<std::size_t>(image::ServiceField::rdma)].empty());
  for (auto& chains : chains_) chains.assign(services, open_chain);
  is_touched_.assign(services, false);
}

std::vector<Differing> Fates::compare(const PairKind& kind) {
  for (const u32 rule : kind.rules)
    if (!kind.spoofed[space_.policy_of(rule)]) cover(space_.policy_of(rule), rule);
  // What no rule covers is denied by both, and answered or not by the source's segment alone; so are the rest's chains
  // of nothing.
  std::array<bool, 2> answers{};
  for (const u32 policy : {old_policy, new_policy}) answers[policy] = kind.rejects[policy] && !kind.spoofed[policy];
  if (answers[0] != answers[1])
    for (u32 service = 0; service < is_touched_.size(); ++service)
      if (!is_touched_[service]) touched_.push_back(service);
  std::sort(touched_.begin(), touched_.end());
  std::vector<Differing> found;
  for (const u32 service : touched_) {
    Differing one{service, {}};
    for (const u32 policy : {old_policy, new_policy}) {
      one.fates[policy] = fate_of(chains_[policy][service], answers[policy], is_rdma_[service]);
      chains_[policy][service] = open_chain;
    }
    is_touched_[service] = false;
    if (one.fates[0] != one.fates[1] && lives_[kind.is_ipv4][service]) found.push_back(one);
  }
  touched_.clear();
  return found;
}

void Fates::cover(u32 policy, u32 rule) {
  const Statement& statement = space_.statement(rule);
  if (!statement.is_forbid && statement.expires_s && *statement.expires_s <= now_s_) return;
  for (const u32 service : space_.services_of_set[space_.service_set_of[rule]]) {
    if (!is_touched_[service]) touched_.push_back(service);
    is_touched_[service] = true;
    u32& chain = chains_[policy][service];
    chain = extended(chain, rule);
  }
}

bool Fates::is_closed(u32 chain) const {
  if (chain == open_chain) return false;
  const Statement& last = space_.statement(links_[chain].rule);
  return last.is_forbid || !last.expires_s;
}

u32 Fates::extended(u32 chain, u32 rule) {
  if (is_closed(chain)) return chain;
  const u32 fresh = static_cast<u32>(links_.size());
  const u32 known = chain_index_.find_or_add(
      hash_step(chain, rule), fresh, [&](u32 at) { return links_[at].before == chain && links_[at].rule == rule; });
  if (known == fresh) links_.push_back({chain, rule});
  return known;
}

u32 Fates::denied(bool rejects) {
  const FatePiece piece{.until_s = no_end, .rejects = rejects};
  return fates_.intern({&piece, 1});
}

u32 Fates::fate_of(u32 chain, bool rejects, bool is_rdma) {
  if (chain == open_chain) return denied(rejects);
  const u64 key = u64{chain} << 2 | u64{rejects} << 1 | u64{is_rdma};
  const u32 fresh = static_cast<u32>(known_.size());
  const u32 known = fate_index_.find_or_add(hash_step(0, key), fresh, [&](u32 at) { return known_[at].key == key; });
  if (known != fresh) return known_[known].fate;
  std::vector<u32> rules;
  for (u32 at = chain; at != open_chain; at = links_[at].before) rules.push_back(links_[at].rule);
  std::vector<FatePiece> pieces;
  std::int64_t reached_s = now_s_;
  const auto append = [&](FatePiece piece) {
    if (piece.until_s <= reached_s) return;
    reached_s = piece.until_s;
    if (!pieces.empty() && equal_but_for_time(pieces.back(), piece)) pieces.back().until_s = piece.until_s;
    else pieces.push_back(piece);
  };
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
    const Statement& statement = space_.statement(*rule);
    const auto log = static_cast<std::uint8_t>(statement.log);
    const std::uint8_t answered = statement.reject || rejects;
    if (statement.is_forbid) append({.until_s = no_end, .log = log, .rejects = answered});
    else append(allowed_by(statement, space_.looked_by[*rule], is_rdma));
  }
  append({.until_s = no_end, .rejects = rejects});
  known_.push_back({key, fates_.intern(pieces)});
  return known_.back().fate;
}

}  // namespace weir::control
