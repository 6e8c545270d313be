#include "dataplane/edge/telemetry.hpp"

#include <rte_telemetry.h>

#include <charconv>
#include <cstring>
#include <mutex>
#include <string>

namespace weir::edge {
namespace {

// Commands stay registered for as long as the process lives, and carry no pointer: this is what they ask.
std::mutex mutex;
const StatsSegment* asked = nullptr;

// What counts for who looks at ports as well; the stats file has the rest.
constexpr std::pair<const char*, Counter WorkerCounters::*> rows[] = {
    {"received", &WorkerCounters::received},           {"handed_over", &WorkerCounters::handed_over},
    {"unsent", &WorkerCounters::unsent},               {"bursts", &WorkerCounters::bursts},
    {"flows_live", &WorkerCounters::flows_live},       {"flows_opened", &WorkerCounters::flows_opened},
    {"flows_expired", &WorkerCounters::flows_expired}, {"heartbeat_us", &WorkerCounters::heartbeat},
    {"slept_us", &WorkerCounters::slept_us},
};

int reasons(const char*, const char*, rte_tel_data* told) {
  const std::lock_guard lock(mutex);
  if (asked == nullptr) return -1;
  rte_tel_data_start_dict(told);
  for (std::size_t reason = 0; reason < reasons_count; ++reason) {
    u64 packets = 0, bytes = 0;
    for (u32 worker = 0; worker < asked->workers(); ++worker) {
      packets += asked->counters(worker).reasons[reason].packets.read();
      bytes += asked->counters(worker).reasons[reason].bytes.read();
    }
    if (packets == 0) continue;
    const std::string name(reason_rows[reason].name);
    rte_tel_data_add_dict_u64(told, (name + "_packets").c_str(), packets);
    rte_tel_data_add_dict_u64(told, (name + "_bytes").c_str(), bytes);
  }
  return 0;
}

int workers(const char*, const char* which, rte_tel_data* told) {
  const std::lock_guard lock(mutex);
  if (asked == nullptr) return -1;
  if (which == nullptr || *which == '\0') {
    rte_tel_data_start_array(told, RTE_TEL_INT_VAL);
    for (u32 worker = 0; worker < asked->workers(); ++worker)
      rte_tel_data_add_array_int(told, static_cast<int>(worker));
    return 0;
  }
  u32 worker = 0;
  const char* const end = which + std::strlen(which);
  const auto [stopped, fault] = std::from_chars(which, end, worker);
  if (fault != std::errc() || stopped != end || worker >= asked->workers()) return -1;
  rte_tel_data_start_dict(told);
  for (const auto& [name, counter] : rows)
    rte_tel_data_add_dict_u64(told, name, (asked->counters(worker).*counter).read());
  return 0;
}

}  // namespace

Telemetry::Telemetry(const StatsSegment& stats) {
  // What fails here was registered before, or is told by no socket.
  rte_telemetry_register_cmd("/weir/reasons", reasons, "Packets and bytes by reason, of all workers. No parameters");
  rte_telemetry_register_cmd("/weir/workers", workers, "The workers; with a number, what that one has counted");
  const std::lock_guard lock(mutex);
  asked = &stats;
}

Telemetry::~Telemetry() {
  const std::lock_guard lock(mutex);
  asked = nullptr;
}

}  // namespace weir::edge
