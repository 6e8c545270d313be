// The table of assumptions, and the examination of a machine by it.
#include "control/doctor/ask.hpp"
#include "control/doctor/doctor.hpp"

#include <algorithm>
#include <iterator>

namespace weir::control {
namespace {

// The list: what Weir's figures and verdicts take for granted about the machine that it runs on.
constexpr Assumption table[] = {
    {"interfaces", "every interface of the machine is judged by the dataplane or by the guard", ask_interfaces},
    {"dataplane", "the dataplane's workers go on", ask_dataplane},
    {"dpu", "Weir runs on a DPU whose host cannot configure it", ask_dpu},
    {"verbs", "no RDMA device reaches the wire past the kernel and past Weir", ask_verbs},
    {"nics", "no other network hardware is without an owner", ask_nics},
    {"bmc", "nothing on the machine speaks to its management controller", ask_bmc},
    {"radio", "there is no wireless or serial modem", ask_radio},
    {"privileges", "only root may open packet sockets, load programs into the kernel or change the network",
     ask_privileges},
    {"forwarding", "the kernel forwards no packets of its own accord", ask_forwarding},
    {"bpf", "who is not root may load no program into the kernel", ask_bpf},
    {"lockdown", "root may not change the running kernel", ask_lockdown},
    {"modules", "no module can be loaded into the kernel", ask_modules},
    {"kexec", "no other kernel can be started in its place", ask_kexec},
    {"boot", "the firmware starts only what is signed", ask_boot},
    {"iommu", "devices reach only the memory that is theirs", ask_iommu},
    {"hugepages", "there is memory in huge pages for the dataplane", ask_hugepages},
    {"clock", "the processor's own steady counter is the clock", ask_clock},
    {"rss", "the port spreads flows over the workers' queues", ask_rss},
};

}  // namespace

std::span<const Assumption> assumptions() { return table; }

std::string_view health_name(Health health) {
  constexpr std::string_view names[] = {"pass", "fail", "unknown"};
  return names[static_cast<int>(health)];
}

std::vector<Finding> examine(const Machine& machine) {
  std::vector<Finding> findings;
  for (const Assumption& one : table) one.ask(machine, findings);
  return findings;
}

int verdict_of(std::span<const Finding> findings) {
  const auto some = [&](Health health) {
    return std::any_of(findings.begin(), findings.end(), [&](const Finding& one) { return one.health == health; });
  };
  return some(Health::fail) ? 1 : some(Health::unknown) || findings.empty() ? 3 : 0;
}

}  // namespace weir::control
