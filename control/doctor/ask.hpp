// How one finds out about each assumption. Each adds at least one finding. Internal to control/doctor.
#pragma once
#include "control/doctor/doctor.hpp"

namespace weir::control {

// ask_ways.cpp: ways out of the machine
void ask_interfaces(const Machine& machine, std::vector<Finding>& findings);
void ask_dataplane(const Machine& machine, std::vector<Finding>& findings);
void ask_dpu(const Machine& machine, std::vector<Finding>& findings);
void ask_verbs(const Machine& machine, std::vector<Finding>& findings);
void ask_nics(const Machine& machine, std::vector<Finding>& findings);
void ask_bmc(const Machine& machine, std::vector<Finding>& findings);
void ask_radio(const Machine& machine, std::vector<Finding>& findings);
// ask_kernel.cpp: who may change what judges, and what the dataplane stands on
void ask_privileges(const Machine& machine, std::vector<Finding>& findings);
void ask_forwarding(const Machine& machine, std::vector<Finding>& findings);
void ask_bpf(const Machine& machine, std::vector<Finding>& findings);
void ask_lockdown(const Machine& machine, std::vector<Finding>& findings);
void ask_modules(const Machine& machine, std::vector<Finding>& findings);
void ask_kexec(const Machine& machine, std::vector<Finding>& findings);
void ask_boot(const Machine& machine, std::vector<Finding>& findings);
void ask_iommu(const Machine& machine, std::vector<Finding>& findings);
void ask_hugepages(const Machine& machine, std::vector<Finding>& findings);
void ask_clock(const Machine& machine, std::vector<Finding>& findings);
void ask_rss(const Machine& machine, std::vector<Finding>& findings);

}  // namespace weir::control
