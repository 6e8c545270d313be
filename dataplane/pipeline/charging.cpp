// Limits of an image in the units of their cells.
#include "dataplane/pipeline/charging.hpp"

namespace weir {

void write_limit_rates(const Policy& policy, std::span<LimitRate> rates) {
  const auto limits = policy.view().limits;
  WEIR_CHECK(rates.size() == limits.size());
  for (std::size_t i = 0; i < limits.size(); ++i) {
    const image::Limit& limit = limits[i];
    rates[i] = limit_rate(limit.rate_bits_per_s, limit.burst_bytes, limit.packets, limit.new_connections);
    rates[i].connections = limit.connections;
    rates[i].per = limit.per;
    rates[i].monitor_until = limit.monitor_until;
    u64 name = 0x9e37'79b9'7f4a'7c15;
    for (const char c : policy.text(limit.name)) name = fold_multiply(name ^ static_cast<u8>(c), 0xc2b2'ae3d'27d4'eb4f);
    rates[i].identity = name;
  }
}

}  // namespace weir
