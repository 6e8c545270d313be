// Who may change what judges; and what the dataplane stands on.
#include "control/doctor/ask.hpp"
#include "control/doctor/look.hpp"

#include <cstdlib>
#include <fstream>

namespace weir::control {
namespace {

// linux/capability.h
constexpr unsigned long long cap_net_admin = 1ull << 12, cap_net_raw = 1ull << 13, cap_sys_module = 1ull << 16,
                             cap_sys_admin = 1ull << 21, cap_bpf = 1ull << 39;
constexpr auto caps_that_go_round = cap_net_admin | cap_net_raw | cap_sys_module | cap_sys_admin | cap_bpf;

// A number of proc or sys that must be at least so much.
void ask_number(const Machine& machine, std::vector<Finding>& findings, const char* question, const std::string& path,
                long least, const std::string& good, const std::string& bad, const std::string& advice) {
  const auto number = number_of(machine.root, path);
  if (!number) findings.push_back({question, Health::unknown, "/" + path + " cannot be read", advice});
  else if (*number >= least) findings.push_back({question, Health::pass, good, ""});
  else findings.push_back({question, Health::fail, bad, advice});
}

struct Process {
  unsigned long user = 0;
  unsigned long long capabilities = 0;
  std::string name;
  bool is_read = false;
};

Process process_of(const std::string& path) {
  Process made;
  std::ifstream file(path);
  bool user = false, capabilities = false;
  for (std::string line; std::getline(file, line);) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) continue;
    const std::string value = line.substr(tab + 1);
    if (line.starts_with("Name:")) made.name = value;
    if (line.starts_with("Uid:")) made.user = std::strtoul(value.c_str(), nullptr, 10), user = true;
    if (!line.starts_with("CapEff:")) continue;
    made.capabilities = std::strtoull(value.c_str(), nullptr, 16);
    capabilities = true;
  }
  made.is_read = user && capabilities;
  return made;
}

}  // namespace

void ask_privileges(const Machine& machine, std::vector<Finding>& findings) {
  std::string found;
  std::size_t seen = 0;
  for (const std::string& name : names_in(machine.root, "proc").value_or(std::vector<std::string>())) {
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const Process one = process_of(machine.root + "/proc/" + name + "/status");
    seen += one.is_read;
    if (one.user != 0 && (one.capabilities & caps_that_go_round) != 0)
      found += (found.empty() ? "" : ", ") + one.name + " (" + name + ")";
  }
  const char* advice = "take CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF, CAP_SYS_ADMIN and CAP_SYS_MODULE from them";
  if (!found.empty())
    findings.push_back({"privileges", Health::fail, "not root, and may go round the guard: " + found, advice});
  else if (seen == 0)
    findings.push_back({"privileges", Health::unknown, "no process can be seen", "run as root, with proc mounted"});
  else
    findings.push_back({"privileges", Health::unknown,
                        "of " + std::to_string(seen) +
                            " processes only root's may; who can become root, and what starts later, cannot be seen",
                        "leave no way to root on the machine"});
}

void ask_forwarding(const Machine& machine, std::vector<Finding>& findings) {
  const auto ipv4 = number_of(machine.root, "proc/sys/net/ipv4/ip_forward");
  const auto ipv6 = number_of(machine.root, "proc/sys/net/ipv6/conf/all/forwarding");
  const char* advice = "sysctl net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0";
  if (ipv4.value_or(0) != 0 || ipv6.value_or(0) != 0)
    findings.push_back({"forwarding", Health::fail, "the kernel routes between interfaces", advice});
  else if (!ipv4 || (names_in(machine.root, "proc/sys/net/ipv6") && !ipv6))
    findings.push_back({"forwarding", Health::unknown, "/proc/sys/net cannot be read", advice});
  else findings.push_back({"forwarding", Health::pass, "the kernel routes nothing between interfaces", ""});
}

void ask_bpf(const Machine& machine, std::vector<Finding>& findings) {
  ask_number(machine, findings, "bpf", "proc/sys/kernel/unprivileged_bpf_disabled", 1, "root alone loads programs",
             "anybody may load programs into the kernel", "sysctl kernel.unprivileged_bpf_disabled=1");
}

void ask_lockdown(const Machine& machine, std::vector<Finding>& findings) {
  const auto line = line_of(machine.root, "sys/kernel/security/lockdown");
  const char* advice = "boot with lockdown=integrity (confidentiality also takes programs their helpers)";
  if (!line) findings.push_back({"lockdown", Health::unknown, "the kernel does not say, or has no lockdown", advice});
  else if (line->find("[none]") != std::string::npos)
    findings.push_back({"lockdown", Health::fail, "root may write into the running kernel", advice});
  else findings.push_back({"lockdown", Health::pass, *line, ""});
}

void ask_modules(const Machine& machine, std::vector<Finding>& findings) {
  const bool may_load = number_of(machine.root, "proc/sys/kernel/modules_disabled").has_value();
  if (!may_load && line_of(machine.root, "proc/sys/kernel/ostype")) {
    findings.push_back({"modules", Health::pass, "the kernel has no loadable modules", ""});
    return;
  }
  ask_number(machine, findings, "modules", "proc/sys/kernel/modules_disabled", 1, "no more can be loaded",
             "root may load a module that goes round everything", "sysctl kernel.modules_disabled=1 after the start");
}

void ask_kexec(const Machine& machine, std::vector<Finding>& findings) {
  ask_number(machine, findings, "kexec", "proc/sys/kernel/kexec_load_disabled", 1, "no other kernel can be started",
             "root may start another kernel", "sysctl kernel.kexec_load_disabled=1");
}

void ask_boot(const Machine& machine, std::vector<Finding>& findings) {
  const std::string name = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
  std::ifstream file(machine.root + "/" + name, std::ios::binary);
  char bytes[5] = {};
  const char* advice = "turn UEFI Secure Boot on";
  if (!file.read(bytes, sizeof bytes))
    findings.push_back({"boot", Health::unknown, "the firmware does not say", advice});
  else if (bytes[4] == 1) findings.push_back({"boot", Health::pass, "UEFI Secure Boot is on", ""});
  else findings.push_back({"boot", Health::fail, "UEFI Secure Boot is off", advice});
}

void ask_iommu(const Machine& machine, std::vector<Finding>& findings) {
  const auto groups = names_in(machine.root, "sys/kernel/iommu_groups");
  const char* advice = "turn the IOMMU on, in firmware and kernel (intel_iommu=on, or arm-smmu)";
  if (!groups) findings.push_back({"iommu", Health::unknown, "the kernel does not say", advice});
  else if (groups->empty()) findings.push_back({"iommu", Health::fail, "devices reach all memory", advice});
  else findings.push_back({"iommu", Health::pass, std::to_string(groups->size()) + " groups", ""});
}

void ask_hugepages(const Machine& machine, std::vector<Finding>& findings) {
  const auto sizes = names_in(machine.root, "sys/kernel/mm/hugepages");
  const char* advice = "reserve some at boot: hugepages=N, by the dataplane's --flows";
  long pages = 0;
  bool read = false;
  for (const std::string& size : sizes.value_or(std::vector<std::string>())) {
    const auto number = number_of(machine.root, "sys/kernel/mm/hugepages/" + size + "/nr_hugepages");
    read = read || number.has_value();
    pages += number.value_or(0);
  }
  if (!read) findings.push_back({"hugepages", Health::unknown, "the kernel does not say", advice});
  else if (pages == 0) findings.push_back({"hugepages", Health::fail, "none are reserved", advice});
  else findings.push_back({"hugepages", Health::pass, std::to_string(pages) + " reserved", ""});
}

void ask_clock(const Machine& machine, std::vector<Finding>& findings) {
  const auto clock = line_of(machine.root, "sys/devices/system/clocksource/clocksource0/current_clocksource");
  const char* advice = "find out why the kernel gave the counter up (dmesg, clocksource), and how far its rate is off";
  if (!clock) findings.push_back({"clock", Health::unknown, "the kernel does not say", advice});
  else if (*clock == "tsc" || *clock == "arch_sys_counter") findings.push_back({"clock", Health::pass, *clock, ""});
  else findings.push_back({"clock", Health::fail, "the kernel's clock is " + *clock, advice});
}

// A port that DPDK has is not the kernel's to ask.
void ask_rss(const Machine& machine, std::vector<Finding>& findings) {
  const char* advice = "compare the workers' `received` in the dataplane's counters";
  std::string one_queue;
  std::size_t seen = 0;
  for (const std::string& name : machine.dataplane_interfaces) {
    std::size_t queues = 0;
    const std::string at = "sys/class/net/" + name + "/queues";
    for (const std::string& queue : names_in(machine.root, at).value_or(std::vector<std::string>()))
      queues += queue.starts_with("rx-");
    if (queues == 1) one_queue += (one_queue.empty() ? "" : ", ") + name;
    seen += queues != 0;
  }
  if (!one_queue.empty()) findings.push_back({"rss", Health::fail, "one queue alone: " + one_queue, advice});
  else if (seen != 0 && seen == machine.dataplane_interfaces.size())
    findings.push_back({"rss", Health::pass, "several queues each", ""});
  else findings.push_back({"rss", Health::unknown, "a port that DPDK has is not the kernel's to ask", advice});
}

}  // namespace weir::control
