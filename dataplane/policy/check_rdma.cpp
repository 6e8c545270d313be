// Bounds of every field that the engine follows or computes with: operations, credits, rates, who is in which job.
#include "dataplane/policy/check_rdma.hpp"

#include "dataplane/policy/policy.hpp"

namespace weir::image {

namespace {

using Sentence = std::string_view;

bool holds(const Rate& rate) {
  return rate.limits() && rate.interval <= rate_interval_max && rate.tolerance <= rate_tolerance_max;
}

bool fits(Text text, const View& view) { return u64{text.offset} + text.bytes <= view.strings.size(); }

bool is_mtu(u32 mtu) { return mtu >= rdma_mtu_least && mtu <= rdma_mtu_most && std::has_single_bit(mtu); }

Sentence check_rules(const View& view) {
  if (view.rdma_rules.size() != view.rules.size()) return "does not have one element for each rule";
  for (u64 index = 0; index < view.rdma_rules.size(); ++index) {
    const RdmaRule& one = view.rdma_rules[index];
    for (const u8 zero : one.zero)
      if (zero != 0) return "has a reserved field that is not zero";
    if (one.operations > rdma_operations_all || one.read_unless_asset > 1) return "has a word that does not exist";
    if (view.rules[index].is_forbid && view.meta[0].monitor_until == 0) {
      if ((one.read_credit | one.read_mtu | one.first_use | one.operations | one.read_unless_asset) != 0)
        return "lets a forbid open queue pairs";
      continue;
    }
    if (!is_mtu(one.read_mtu)) return "has a path MTU that no RDMA port has";
    if (one.read_credit == 0 || one.read_credit > read_credit_max) return "has a credit out of bounds";
    if (one.first_use > first_use_max) return "learns too many queue pairs by first use";
  }
  return {};
}

bool watch_holds(const Job& one) {
  if (one.burst == 0) return one.window_us == 0 && one.ratio == 0;
  return one.burst <= burst_bytes_max && one.window_us != 0 && one.window_us <= watch_window_us_max && one.ratio >= 2 &&
         one.ratio <= watch_ratio_most;
}

Sentence check_jobs(const View& view) {
  if (view.jobs.size() > jobs_max) return "is too long";
  for (const Job& one : view.jobs) {
    if (!fits(one.name, view) || !fits(one.file, view)) return "names text outside the strings";
    if (one.transports == 0 || one.transports > transport_every)
      return "has a transport that does not exist";
    if (one.operations > rdma_operations_all || one.has_tag > 1) return "has a word that does not exist";
    if (one.has_tag == 0 && one.tag != 0) return "has a tag that it does not have";
    if (one.read_mtu != 0 && !is_mtu(one.read_mtu)) return "has a path MTU that no RDMA port has";
    if (one.read_credit > read_credit_max || one.seal_after_us > seal_after_us_max) return "has a number out of bounds";
    const bool is_job_id = one.has_uet != 0 ? one.uet <= uet_job_max : one.uet == 0;
    if (one.has_uet > 1 || !is_job_id) return "has a JobID that is none";
    if (!watch_holds(one)) return "has a watch out of bounds";
    for (const u8 zero : one.zero)
      if (zero != 0) return "has a reserved field that is not zero";
  }
  return {};
}

Sentence check_static_pairs(const View& view) {
  if (view.static_pairs.size() > static_pairs_max) return "is too long";
  for (u64 index = 0; index < view.static_pairs.size(); ++index) {
    const StaticPair& one = view.static_pairs[index];
    if (index > 0 && !stands_before(view.static_pairs[index - 1], one)) return "is not ascending";
    if (one.qp > qp_max || (one.peer_qp > qp_max && one.peer_qp != no_peer_qp)) return "has a number that no queue has";
    if (one.answers > 1) return "has a flag that is neither 0 nor 1";
  }
  return {};
}

Sentence check_settings(const View& view) {
  if (view.rdma.size() != 1) return "is not exactly one element";
  const RdmaSettings& row = view.rdma[0];
  if (!holds(row.cnp) || !holds(row.cm)) return "has a rate that cannot be kept";
  if (row.nak_penalty_ms == 0 || row.nak_penalty_ms > nak_penalty_ms_max) return "has a penalty out of bounds";
  if (row.icrc > static_cast<u8>(Checksums::trust) || row.used > 1) return "has a word that does not exist";
  if (row.reads_handshakes > row.used) return "learns queue pairs that nothing opens";
  return row.zero == 0 ? Sentence{} : "has a reserved field that is not zero";
}

}  // namespace

std::string_view check_rdma(const View& view, Section section) {
  switch (section) {
    case Section::rdma_rules: return check_rules(view);
    case Section::jobs: return check_jobs(view);
    case Section::static_pairs: return check_static_pairs(view);
    case Section::rdma: return check_settings(view);
    default: return {};
  }
}

}  // namespace weir::image
