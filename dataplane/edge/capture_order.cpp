#include "dataplane/edge/capture_order.hpp"

#include "dataplane/edge/frame.hpp"

#include <rte_ethdev.h>
#include <rte_mbuf_dyn.h>

#include <algorithm>

namespace weir::edge {

CaptureOrder::CaptureOrder(const Ports& ports, std::function<bool()> wait)
    : pool_(ports.pool()),
      wait_(std::move(wait)),
      timestamp_offset_(rte_mbuf_dynfield_lookup(RTE_MBUF_DYNFIELD_TIMESTAMP_NAME, nullptr)) {
  for (u16 side = 0; side < 2; ++side)
    for (const Port& port : ports.all())
      if ((port.index & 1) == side) inputs_.push_back({&port, {}, 0, 0, false});
}

CaptureOrder::~CaptureOrder() {
  for (Input& input : inputs_)
    for (; input.first < input.count; ++input.first) rte_pktmbuf_free(input.mbufs[input.first]);
}

bool CaptureOrder::next(CapturedFrame& frame) {
  Input* chosen = nullptr;
  for (Input& input : inputs_) {
    if (input.first == input.count && !input.has_ended && !fill(input)) return false;
    if (input.has_ended) continue;
    if (chosen == nullptr || time_of(input) < time_of(*chosen)) chosen = &input;
  }
  if (chosen == nullptr) return false;
  last_ = std::max(last_, time_of(*chosen));
  frame = {chosen->mbufs[chosen->first++], chosen->port->index, last_};
  return true;
}

bool CaptureOrder::fill(Input& input) {
  const u32 mbufs_per_frame = flat_bytes / RTE_MBUF_DEFAULT_DATAROOM;
  u16 wanted = burst_packets_max;
  while (rte_mempool_avail_count(pool_) < wanted * mbufs_per_frame)
    if (!wait_()) return false;
  input.first = 0;
  input.count = rte_eth_rx_burst(input.port->id, 0, input.mbufs.data(), wanted);
  input.has_ended = input.count == 0;
  return true;
}

// Captures after 2038 keep 32 bits of seconds, which libpcap takes as negative.
Tick CaptureOrder::time_of(const Input& input) const {
  constexpr Tick era = (Tick{1} << 32) * tick_second;
  if (timestamp_offset_ < 0) return 0;
  const Tick time = *RTE_MBUF_DYNFIELD(input.mbufs[input.first], timestamp_offset_, rte_mbuf_timestamp_t*);
  return static_cast<std::int64_t>(time) < 0 ? time + era : time;
}

}  // namespace weir::edge
