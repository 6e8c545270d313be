// Binding a policy to the ports of this process.
#include "dataplane/pipeline/slot.hpp"

#include "dataplane/base/check.hpp"
#include "dataplane/base/machine.hpp"

namespace weir {

InstalledPolicy bind_ports(const Policy& policy, std::span<const std::string_view> names) {
  WEIR_CHECK(names.size() <= ports_max);
  const bool has_identities = policy.has_identities();
  InstalledPolicy installed{
      policy.generation(), policy.generation(), policy, {}, static_cast<u32>(names.size()), 0, 0, 0, has_identities};
  const image::Tracking& tracking = policy.tracking();
  installed.tcp = {static_cast<Profile>(tracking.profile) == Profile::loose, tracking.pick_up != 0};
  installed.syn_proxy = static_cast<SynProxy>(tracking.syn_proxy);
  installed.trusts_checksums = static_cast<Checksums>(tracking.checksums) == Checksums::trust;
  installed.has_wide_vectors = machine_has_vectors_256();
  installed.checks_icrc = static_cast<Checksums>(policy.rdma().icrc) == Checksums::check;
  installed.has_carryless = machine_has_carryless();
  installed.holds_fragments = static_cast<Fragments>(tracking.fragments) == Fragments::whole;
  for (u32 job = 0; job < policy.jobs().size(); ++job)
    installed.uet_jobs |= u64{policy.jobs()[job].has_uet != 0} << job % 64;
  for (u32 port = 0; port < names.size(); ++port) {
    installed.port_class[port] = policy.port_class(names[port]);
    if (installed.port_class[port] != 0) installed.named_ports |= 1u << port;
    if (policy.pins_macs(installed.port_class[port])) installed.mac_pinned_ports |= 1u << port;
    else installed.plain_ports |= 1u << port;
  }
  return installed;
}

}  // namespace weir
