// A worker's part in telling its live flows: some records are looked at between two bursts and copied into memory that
// it has had since the start, until that is full or the table has ended. It allocates nothing and waits for nobody.
//
// Threads: the worker's, while it is asked; then the door's.
#pragma once
#include "dataplane/flow/queue_pair.hpp"
#include "dataplane/flow/table.hpp"
#include "dataplane/packet/numbers.hpp"
#include "dataplane/pipeline/slot.hpp"
#include "dataplane/share/flow_rows.hpp"

#include <vector>

namespace weir::edge {

// By what a worker tells which rule allowed a flow.
struct FlowSight {
  const InstalledPolicy* policy;  // null: none
  u32 epoch;                      // the mark of flows that it has judged, epoch_stale where it has judged none
  Tick now;
};

class FlowRows {
 public:
  static constexpr u32 rows_most = 4096, records_per_round = 512;

  FlowRows() { rows_.reserve(rows_most); }
  void begin(bool anew) {
    rows_.clear();
    if (anew) next_ = 0, at_end_ = false;
  }
  // False when there is more to do for this request.
  bool copy(const FlowTable& table, const FlowSight& sight, u32 worker) {
    const u32 end = std::min(table.used(), next_ + records_per_round);
    for (; next_ < end && rows_.size() < rows_most; ++next_)
      if (table.is_live(next_)) rows_.push_back(row_of(table.record(next_), sight, worker));
    at_end_ = next_ >= table.used();
    return at_end_ || rows_.size() == rows_most;
  }
  bool at_end() const { return at_end_; }
  std::vector<door::FlowRow>& rows() { return rows_; }

  static door::FlowRow row_of(const FlowRecord& record, const FlowSight& sight, u32 worker) {
    const FlowKey& key = record.key;
    const FlowClass flow_class = key.flow_class();
    const bool source_is_a = record.opener_is_a != 0;
    const Address& source = source_is_a ? key.a : key.b;
    const Address& target = source_is_a ? key.b : key.a;
    door::FlowRow row{};
    row.source[0] = source.high, row.source[1] = source.low;
    row.target[0] = target.high, row.target[1] = target.low;
    row.scope = key.scope;
    row.protocol = protocol_of(key);
    if (flow_class == FlowClass::tcp || flow_class == FlowClass::udp || flow_class == FlowClass::sctp) {
      row.source_port = swap(source_is_a ? key.a_number : key.b_number);
      row.target_port = swap(source_is_a ? key.b_number : key.a_number);
    } else if (flow_class == FlowClass::icmp4 || flow_class == FlowClass::icmp6) {
      row.target_port = static_cast<u16>(record.icmp_type() << 8 | record.icmp_code());
    } else if (flow_class == FlowClass::rdma) {
      row.qp = qp_of(key);
      row.qp_is_of_source = target_is_a(key) == source_is_a;
    }
    const bool is_current = sight.policy != nullptr && sight.epoch != epoch_stale && record.epoch == sight.epoch;
    row.judged = record.epoch == epoch_stale ? door::Judged::revoked
                 : is_current                ? door::Judged::now
                                             : door::Judged::before;
    row.rule = is_current ? sight.policy->policy.rule_of(record.decision) : no_rule;
    row.left_ms = left_ms(record, sight.now);
    row.state = record.state;
    row.port = static_cast<u8>(2 * key.pair() + (record.opener_on_inside ? 0 : 1));
    row.worker = static_cast<u8>(worker);
    return row;
  }

 private:
  static u8 protocol_of(const FlowKey& key) {
    switch (key.flow_class()) {
      case FlowClass::tcp: return protocol_tcp;
      case FlowClass::icmp4: return protocol_icmp;
      case FlowClass::icmp6: return protocol_icmp6;
      case FlowClass::sctp: return protocol_sctp;
      case FlowClass::ip: return static_cast<u8>(key.a_number);
      case FlowClass::udp:
      case FlowClass::rdma: break;
    }
    return protocol_udp;
  }
  static u32 left_ms(const FlowRecord& record, Tick now) {
    const Beat present = beat_of(now);
    if (deadline_passed(record.deadline, present)) return 0;
    return static_cast<u32>(static_cast<Beat>(record.deadline - present) * beat_us / 1000);
  }

  std::vector<door::FlowRow> rows_;
  u32 next_ = 0;
  bool at_end_ = true;
};

}  // namespace weir::edge
