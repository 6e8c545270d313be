// One row a rule, a job, a direction of a declared queue pair; and the settings.
#include "control/compile/rdma.hpp"

#include "control/compile/monitor.hpp"
#include "control/compile/rows.hpp"
#include "dataplane/packet/key.hpp"
#include "dataplane/policy/policy.hpp"

#include <algorithm>

namespace weir::control {

namespace {

// A forbid has no terms, but for one that only watches (monitored()).
image::RdmaRule rule_of(const Statement& statement) {
  if (statement.is_forbid && !statement.rdma.operations) return {};
  const RdmaTerms& terms = statement.rdma;
  return {.read_credit = terms.read_credit,
          .read_mtu = terms.read_mtu,
          .first_use = terms.first_use,
          .operations = terms.operations.value_or(image::rdma_default_operations),
          .read_unless_asset = !terms.operations,
          .zero = {}};
}

Address address_of(const AddressSet& one) {
  if (!one.ipv4.empty()) return Address::ipv4(swap(one.ipv4.front().first));
  const Ipv6Number number = one.ipv6.front().first;
  return {swap(static_cast<u64>(number >> 64)), swap(static_cast<u64>(number))};
}

// A direction that two declarations share has the peer that one of them states.
void put_pairs(const Model& model, std::vector<image::StaticPair>& pairs) {
  for (const QueuePair& one : model.queue_pairs) {
    const Address from = address_of(one.from), to = address_of(one.to);
    const u32 from_qp = one.from_qp.value_or(image::no_peer_qp), to_qp = one.to_qp.value_or(image::no_peer_qp);
    const u32 line = model.line_of(one.span);
    if (one.to_qp) pairs.push_back({from.high, from.low, to.high, to.low, to_qp, from_qp, 0, line});
    if (one.from_qp) pairs.push_back({to.high, to.low, from.high, from.low, from_qp, to_qp, 1, line});
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const image::StaticPair& a, const image::StaticPair& b) {
    if (stands_before(a, b) || stands_before(b, a)) return stands_before(a, b);
    return a.peer_qp < b.peer_qp;
  });
  const auto same = [](const image::StaticPair& a, const image::StaticPair& b) {
    return !stands_before(a, b) && !stands_before(b, a);
  };
  pairs.erase(std::unique(pairs.begin(), pairs.end(), same), pairs.end());
}

}  // namespace

void put_rdma(const Model& model, std::span<const u32> order, const std::vector<image::Text>& files,
              Contents& contents) {
  for (const u32 index : order) contents.rdma_rules.push_back(rule_of(model.statements[index]));
  for (const Job& job : model.jobs) {
    image::Job row{};
    row.name = contents.text(job.name);
    row.file = file_of(files, job.span);
    row.line = model.line_of(job.span);
    row.read_mtu = job.read_mtu;
    row.read_credit = job.read_credit;
    row.seal_after_us = job.seal_after_us;
    row.tag = job.tag.value_or(0);
    row.has_tag = job.tag.has_value();
    row.transports = job.transports;
    row.operations = job.operations;
    row.burst = job.burst;
    row.window_us = job.burst == 0 ? 0 : job.window_us;
    row.ratio = job.burst == 0 ? 0 : job.ratio;
    row.uet = job.uet.value_or(0);
    row.has_uet = job.uet.has_value();
    contents.jobs.push_back(row);
  }
  put_pairs(model, contents.static_pairs);
  image::RdmaSettings row{};
  row.cnp = {model.rdma.cnp.interval, model.rdma.cnp.tolerance};
  row.cm = {model.rdma.cm.interval, model.rdma.cm.tolerance};
  row.nak_penalty_ms = model.rdma.nak_penalty_ms;
  row.icrc = static_cast<u8>(model.rdma.check_icrc ? Checksums::check : Checksums::trust);
  row.used = model.opens_rdma();
  row.reads_handshakes = std::ranges::any_of(model.statements, [](const Statement& one) {
    return !one.is_forbid && !one.services.rdma.empty() && one.name != monitor_rule;
  });
  contents.rdma.push_back(row);
}

}  // namespace weir::control
