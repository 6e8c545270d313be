// Ways out of the machine: interfaces, hardware, the management controller.
#include "control/doctor/ask.hpp"
#include "control/doctor/look.hpp"

#include <algorithm>

namespace weir::control {
namespace {

constexpr std::string_view bluefield_devices[] = {"0xa2d2", "0xa2d6", "0xa2dc", "0xa2df"};

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

struct PciDevice {
  std::string name, vendor, device, driver;  // driver empty: none
};

// Of class 02, network controllers. Nothing: the bus cannot be read.
std::optional<std::vector<PciDevice>> network_hardware(const Machine& machine) {
  const std::string bus = "sys/bus/pci/devices";
  const auto names = names_in(machine.root, bus);
  if (!names) return std::nullopt;
  std::vector<PciDevice> found;
  for (const std::string& name : *names) {
    const std::string at = bus + "/" + name;
    if (!line_of(machine.root, at + "/class").value_or("").starts_with("0x02")) continue;
    found.push_back({name, line_of(machine.root, at + "/vendor").value_or(""),
                     line_of(machine.root, at + "/device").value_or(""),
                     target_of(machine.root, at + "/driver").value_or("")});
  }
  return found;
}

bool is_bluefield(const PciDevice& device) {
  return device.vendor == "0x15b3" && std::find(std::begin(bluefield_devices), std::end(bluefield_devices),
                                                device.device) != std::end(bluefield_devices);
}

Finding about(const Machine& machine, const KernelInterface& one) {
  const std::string question = "interface " + one.name;
  const bool is_dataplane = std::find(machine.dataplane_interfaces.begin(), machine.dataplane_interfaces.end(),
                                      one.name) != machine.dataplane_interfaces.end();
  if (one.is_guarded && one.guard_fault.empty())
    return {question, Health::pass, one.guard_closes ? "the guard holds it closed" : "the guard judges it, both ways",
            ""};
  if (one.is_guarded)
    return {question, Health::fail, "the guard: " + one.guard_fault,
            "find out who did that; detach the guard and attach it anew"};
  if (machine.guard_unseen && !is_dataplane)
    return {question, Health::unknown, "whether the guard judges it cannot be seen: " + *machine.guard_unseen,
            "run as root, and with --pins where the guard is pinned elsewhere"};
  if (is_dataplane && machine.dataplane_beats == true)
    return {question, Health::unknown, "said to be the dataplane's, which goes on; the kernel has it as well",
            "guard it too: weir-guard attach --beside-xdp " + one.name};
  if (is_dataplane)
    return {question, Health::fail, "said to be the dataplane's, which is not seen to go on", "see `dataplane`"};
  if (!one.is_up)
    return {question, Health::unknown, "nobody judges it; it is down now, and nothing keeps it down",
            "guard it, or take its driver away"};
  return {question, Health::fail, "up, and nobody judges what goes through it",
          "weir-guard attach --interface " + one.name + "=PORT, or give it to the dataplane"};
}

}  // namespace

void ask_interfaces(const Machine& machine, std::vector<Finding>& findings) {
  for (const KernelInterface& one : machine.interfaces) findings.push_back(about(machine, one));
  if (machine.interfaces.empty())
    findings.push_back({"interfaces", Health::unknown, "no interface is seen", "run where they are: nsenter --net"});
}

void ask_dataplane(const Machine& machine, std::vector<Finding>& findings) {
  if (!machine.dataplane_beats)
    findings.push_back({"dataplane", Health::unknown, "nobody said where its counters are", "give --stats FILE"});
  else if (*machine.dataplane_beats) findings.push_back({"dataplane", Health::pass, "every worker goes on", ""});
  else
    findings.push_back(
        {"dataplane", Health::fail, "a worker does not go on, or there is none", "start weir-dataplane"});
}

void ask_dpu(const Machine& machine, std::vector<Finding>& findings) {
  const auto hardware = network_hardware(machine);
  if (!hardware) {
    findings.push_back({"dpu", Health::unknown, "the PCI bus cannot be read", "look by hand"});
    return;
  }
  const bool has = std::any_of(hardware->begin(), hardware->end(), is_bluefield);
  if (!has)
    findings.push_back({"dpu", Health::fail,
                        "no BlueField is seen: this machine judges itself, and its root can end that",
                        "run Weir on a DPU in front of it"});
  else
    findings.push_back({"dpu", Health::unknown, "a BlueField is there; who may configure it is in its firmware",
                        "mlxprivhost -d DEVICE query, and mlxconfig -d DEVICE q INTERNAL_CPU_MODEL: the host must be "
                        "restricted"});
}

void ask_verbs(const Machine& machine, std::vector<Finding>& findings) {
  const auto devices = names_in(machine.root, "sys/class/infiniband");
  if (devices && !devices->empty())
    findings.push_back({"verbs", Health::fail,
                        "RDMA devices: " + joined(*devices) + ": whoever may open them sends past every program here",
                        "unload the driver's RDMA part, or have a DPU in front"});
  else if (names_in(machine.root, "sys/class")) findings.push_back({"verbs", Health::pass, "no RDMA device", ""});
  else findings.push_back({"verbs", Health::unknown, "sys cannot be read", "mount it"});
}

void ask_nics(const Machine& machine, std::vector<Finding>& findings) {
  const auto hardware = network_hardware(machine);
  if (!hardware) {
    findings.push_back({"nics", Health::unknown, "the PCI bus cannot be read", "look by hand"});
    return;
  }
  std::vector<std::string> without, lent;
  for (const PciDevice& one : *hardware) {
    if (one.driver.empty()) without.push_back(one.name);
    if (one.driver.starts_with("vfio") || one.driver.starts_with("uio") || one.driver.starts_with("igb_uio"))
      lent.push_back(one.name);
  }
  if (!without.empty())
    findings.push_back({"nics", Health::fail,
                        "network hardware without a driver, which any driver could take: " + joined(without),
                        "take it out, or give it to the dataplane"});
  else if (!lent.empty())
    findings.push_back({"nics", Health::unknown,
                        "lent to programs: " + joined(lent) + ": whose they are cannot be seen",
                        "compare with the dataplane's ports"});
  else findings.push_back({"nics", Health::pass, "the kernel has all network hardware on the PCI bus", ""});
}

void ask_bmc(const Machine& machine, std::vector<Finding>& findings) {
  const auto devices = names_in(machine.root, "dev");
  if (!devices) {
    findings.push_back({"bmc", Health::unknown, "dev cannot be read", "look by hand"});
    return;
  }
  std::vector<std::string> found;
  for (const std::string& name : *devices)
    if (name.starts_with("ipmi") || name.starts_with("mei")) found.push_back("/dev/" + name);
  for (const std::string& name : names_in(machine.root, "sys/class/net").value_or(std::vector<std::string>())) {
    const auto driver = target_of(machine.root, "sys/class/net/" + name + "/device/driver").value_or("");
    if (driver.starts_with("cdc_") || driver.starts_with("rndis")) found.push_back(name + " (" + driver + ")");
  }
  if (!found.empty())
    findings.push_back({"bmc", Health::fail,
                        "ways to a management controller, which has a network of its own: " + joined(found),
                        "unload these drivers, and turn host interfaces off in the controller"});
  else
    findings.push_back({"bmc", Health::unknown,
                        "no driver for a way to a management controller is loaded; whether there is one cannot be seen",
                        "turn IPMI over KCS and the host's USB network off in its firmware"});
}

void ask_radio(const Machine& machine, std::vector<Finding>& findings) {
  std::vector<std::string> found;
  for (const char* folder : {"sys/class/ieee80211", "sys/class/bluetooth", "sys/class/wwan"})
    for (const std::string& name : names_in(machine.root, folder).value_or(std::vector<std::string>()))
      found.push_back(name);
  if (!found.empty())
    findings.push_back({"radio", Health::fail, "there is " + joined(found), "take it out, or unload its driver"});
  else if (names_in(machine.root, "sys/class")) findings.push_back({"radio", Health::pass, "none", ""});
  else findings.push_back({"radio", Health::unknown, "sys cannot be read", "mount it"});
}

}  // namespace weir::control
