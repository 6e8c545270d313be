// What the doctor learns from the kernel about the guard. It changes nothing there.
#include "tools/weir/doctor.hpp"

#include "dataplane/guard/attach.hpp"
#include "dataplane/guard/heartbeat.hpp"

#include <unistd.h>
#include <cerrno>
#include <chrono>
#include <thread>

namespace weir {

void ask_guard(const std::string& pins, control::Machine& machine) {
  if (geteuid() != 0) {
    machine.guard_unseen = "only root may ask the kernel";
    return;
  }
  // No pins: there is no guard. Pins that do not open: there may be one.
  if (access((pins + "/in_force").c_str(), F_OK) != 0 && errno == ENOENT) return;
  const auto kernel = guard::Kernel::open(pins);
  if (!kernel) {
    machine.guard_unseen = kernel.error().sentence;
    return;
  }
  const guard::guard_settings own = kernel->settings();
  for (const auto& [ifindex, interface] : kernel->interfaces())
    for (control::KernelInterface& one : machine.interfaces) {
      if (one.name != interface.name) continue;
      one.is_guarded = true;
      one.guard_closes =
          interface.needs_beat != 0 && own.last_policy == 0 && guard::boot_ns() - own.beat_ns > own.silence_ns;
      for (const auto way : {guard::guard_in, guard::guard_out})
        if (const std::string fault = guard::fault_of(*kernel, pins, ifindex, interface, way); !fault.empty())
          one.guard_fault = std::string(way == guard::guard_in ? "in: " : "out: ") + fault;
      if (kernel->generation().value_or(0) == 0) one.guard_fault = "no policy is in force";
    }
}

std::optional<bool> dataplane_beats(const std::string& stats) {
  if (stats.empty()) return std::nullopt;
  guard::Heartbeat heartbeat(stats);
  (void)heartbeat.goes_on();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  return heartbeat.goes_on();
}

}  // namespace weir
