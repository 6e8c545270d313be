// The doctor over machines made of files: what holds passes, what does not fails, and what is not there is unknown.
#include "control/doctor/doctor.hpp"

#include <unistd.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>

using namespace weir::control;
namespace fs = std::filesystem;

namespace {

// A folder with proc, sys and dev of a machine on which all is well.
class Files {
 public:
  Files() : root_(fs::temp_directory_path() / ("weir-doctor-" + std::to_string(getpid()))) {
    fs::remove_all(root_);
    for (const char* folder : {"sys/bus/pci/devices", "sys/class", "dev", "proc/1", "sys/kernel/iommu_groups/0"})
      fs::create_directories(root_ / folder);
    write("proc/1/status", "Name:\tinit\nUid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n");
    write("proc/sys/net/ipv4/ip_forward", "0");
    write("proc/sys/kernel/ostype", "Linux");
    write("proc/sys/kernel/unprivileged_bpf_disabled", "2");
    write("proc/sys/kernel/modules_disabled", "1");
    write("proc/sys/kernel/kexec_load_disabled", "1");
    write("sys/kernel/security/lockdown", "none [integrity] confidentiality");
    write("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", std::string("\6\0\0\0\1", 5));
    write("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512");
    write("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc");
    write("sys/class/net/p0/queues/rx-0/x", "");
    write("sys/class/net/p0/queues/rx-1/x", "");
    device("0000:03:00.0", "0x15b3", "0xa2dc", "mlx5_core");
  }
  ~Files() { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << text;
  }
  void remove(const std::string& path) { fs::remove_all(root_ / path); }
  void device(const std::string& name, const std::string& vendor, const std::string& kind, const std::string& driver) {
    const std::string at = "sys/bus/pci/devices/" + name + "/";
    write(at + "class", "0x020000");
    write(at + "vendor", vendor);
    write(at + "device", kind);
    if (!driver.empty()) fs::create_symlink("../../drivers/" + driver, root_ / (at + "driver"));
  }

  Machine machine() const {
    Machine made;
    made.root = root_;
    made.dataplane_interfaces = {"p0"};
    made.dataplane_beats = true;
    KernelInterface one;
    one.name = "oob0";
    one.is_up = one.is_guarded = true;
    made.interfaces = {one};
    return made;
  }

 private:
  fs::path root_;
};

std::map<std::string, Health> healths(const Machine& machine) {
  std::map<std::string, Health> found;
  for (const Finding& one : examine(machine)) {
    CHECK(!one.reason.empty());
    CHECK(one.advice.empty() == (one.health == Health::pass));
    found[one.question] = one.health;
  }
  return found;
}

}  // namespace

TEST_CASE("what holds passes, and what nobody can see stays unknown") {
  Files files;
  const auto found = healths(files.machine());
  for (const auto& [question, health] : found) {
    INFO(question);
    const bool can_be_seen = question != "dpu" && question != "bmc" && question != "privileges";
    CHECK(health == (can_be_seen ? Health::pass : Health::unknown));
  }
  CHECK(found.size() == assumptions().size());
  CHECK(verdict_of(examine(files.machine())) == 3);
}

TEST_CASE("each way round is found") {
  struct Break {
    const char *question, *path, *text;
  };
  const Break breaks[] = {
      {"dpu", "sys/bus/pci/devices/0000:03:00.0/device", "0x1017"},
      {"verbs", "sys/class/infiniband/mlx5_0/x", ""},
      {"nics", "sys/bus/pci/devices/0000:04:00.0/class", "0x020000"},
      {"bmc", "dev/ipmi0", ""},
      {"radio", "sys/class/bluetooth/hci0/x", ""},
      {"privileges", "proc/77/status", "Name:\tthief\nUid:\t1000\t1000\nCapEff:\t0000000000002000\n"},
      {"forwarding", "proc/sys/net/ipv6/conf/all/forwarding", "1"},
      {"bpf", "proc/sys/kernel/unprivileged_bpf_disabled", "0"},
      {"lockdown", "sys/kernel/security/lockdown", "[none] integrity confidentiality"},
      {"modules", "proc/sys/kernel/modules_disabled", "0"},
      {"kexec", "proc/sys/kernel/kexec_load_disabled", "0"},
      {"boot", "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\6\1\1\1\2"},
      {"hugepages", "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0"},
      {"clock", "sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet"},
  };
  for (const Break& one : breaks) {
    Files files;
    files.write(one.path, one.text);
    INFO(one.question);
    CHECK(healths(files.machine())[one.question] == Health::fail);
    CHECK(verdict_of(examine(files.machine())) == 1);
  }
  Files files;
  files.remove("sys/kernel/iommu_groups/0");
  files.remove("sys/class/net/p0/queues/rx-1");
  const auto found = healths(files.machine());
  CHECK((found.at("iommu") == Health::fail && found.at("rss") == Health::fail));
}

TEST_CASE("a machine of which nothing can be read passes in nothing") {
  Files files;
  Machine machine;
  machine.root = files.machine().root + "/nowhere";
  for (const auto& [question, health] : healths(machine)) {
    INFO(question);
    CHECK(health == Health::unknown);
  }
}

TEST_CASE("an interface passes only where its frames are judged") {
  Files files;
  Machine machine = files.machine();
  KernelInterface& one = machine.interfaces[0];
  const auto health = [&] { return healths(machine)["interface oob0"]; };
  CHECK(health() == Health::pass);
  one.guard_fault = "out: detached by somebody";
  CHECK(health() == Health::fail);
  one = {};
  one.name = "oob0";
  CHECK(health() == Health::unknown);
  one.is_up = true;
  CHECK(health() == Health::fail);
  machine.guard_unseen = "only root may ask";
  CHECK(health() == Health::unknown);
  machine.dataplane_interfaces = {"oob0"};
  CHECK(health() == Health::unknown);
  machine.dataplane_beats = false;
  CHECK(health() == Health::fail);
}
