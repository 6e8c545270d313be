// Ceilings in the order in which they are asked: the source's, the target's, the protocol's.
#include "dataplane/pipeline/flood.hpp"

#include "dataplane/packet/numbers.hpp"

namespace weir {
namespace {

template <class Element>
std::span<Element> cut(std::span<std::byte>& memory, u32 count) {
  const std::span<Element> part(reinterpret_cast<Element*>(memory.data()), count);
  memory = memory.subspan(part.size_bytes());
  return part;
}

}  // namespace

Floods::Floods(std::span<std::byte> memory, const HashKey& secret) : secret_(secret) {
  WEIR_CHECK(memory.size() >= bytes_needed);
  WEIR_CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) % alignof(RateTable::Set) == 0);
  sources_ = RateTable(cut<RateTable::Set>(memory, rate_sets));
  targets_ = RateTable(cut<RateTable::Set>(memory, rate_sets));
  scanners_ = ScanTable(cut<ScanTable::Cell>(memory, scan_cells));
  census_ = FlowCensus(cut<u32>(memory, census_counters), secret);
}

void Floods::begin(const Policy& policy) {
  const image::Tracking& tracking = policy.tracking();
  new_per_source_ = tracking.new_per_source;
  new_per_target_ = tracking.new_per_target;
  icmp_ = tracking.icmp;
  reject_ = tracking.reject;
  half_open_ = tracking.half_open;
  half_open_per_target_ = tracking.half_open_per_target;
  udp_ = tracking.udp;
  scans_ = {scan_bits_of(tracking.scan_ports), scan_bits_of(tracking.scan_hosts),
            Tick{tracking.scan_window_ms} * 1000, Tick{tracking.scan_block_ms} * 1000};
  watches_ = policy.limits_floods();
}

ScanTable::Finding Floods::attempt(const Headers& headers, Tick now) {
  if (!scans_.any()) return ScanTable::Finding::nothing;
  const u32 message = u32{headers.icmp_type} << 8 | headers.icmp_code;
  const u32 number = is_icmp_protocol(headers.protocol) ? message : headers.target_port;
  const u64 port = fold_multiply((u64{headers.protocol} << 32 | number) ^ secret_.words[2], secret_.words[3]);
  return scanners_.attempt(source_of(headers), port, target_of(headers), now, scans_);
}

Reason Floods::opens(const Headers& headers, Tick now) {
  const u64 at = rate_time(now);
  if (new_per_source_.limits() && !sources_.take(source_of(headers), at, new_per_source_)) return Reason::flood_source;
  if (new_per_target_.limits() && !targets_.take(target_of(headers), at, new_per_target_)) return Reason::flood_target;
  if (icmp_.limits() && is_icmp_protocol(headers.protocol) && !conforms(icmp_due_, at, icmp_))
    return Reason::flood_icmp;
  return ceiling(headers);
}

Reason Floods::ceiling(const Headers& headers) const {
  if (headers.protocol == protocol_tcp) {
    if (half_open_ != 0 && census_.half_open() >= half_open_) return Reason::flood_half_open;
    if (half_open_per_target_ != 0 && census_.half_open_toward(target_of(headers)) >= half_open_per_target_)
      return Reason::flood_half_open;
  }
  if (udp_ != 0 && headers.protocol == protocol_udp && census_.udp() >= udp_) return Reason::flood_udp;
  return Reason::flow_new;
}

}  // namespace weir
