#include "dataplane/guard/attach.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

namespace weir::guard {
namespace {

// Linux 6.6, which older headers do not name.
constexpr u32 tcx_ingress = 46, tcx_egress = 47, before_all = 1u << 3;
constexpr long bpffs_magic = 0xcafe4a11;

std::unexpected<Error> failed(const std::string& what) { return std::unexpected(Error{what + ": " + words_of(errno)}); }

std::string pin_of(const std::string& folder, const guard_interface& interface, u32 way) {
  return folder + "/link-" + interface.name + (way == guard_in ? "-in" : "-out");
}

u32 id_of(int program) {
  bpf_prog_info info{};
  u32 bytes = sizeof info;
  return bpf_obj_get_info_by_fd(program, &info, &bytes) == 0 ? info.id : 0;
}

Program program_of(u32 hook, u32 way) {
  if (way == guard_out) return Program::guard_out_tc;
  return hook == hook_xdp || hook == hook_xdp_generic ? Program::guard_in_xdp : Program::guard_in_tc;
}

bool is_ethernet(const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, sizeof request.ifr_name - 1);
  const Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return ioctl(any.number(), SIOCGIFHWADDR, &request) == 0 && request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
}

// BPF_LINK_CREATE for TCX, before every program that is there.
int link_tcx(int program, u32 ifindex, u32 way) {
  struct {
    u32 program, ifindex, type, flags, relative, zero;
    u64 revision;
  } request{static_cast<u32>(program), ifindex, way == guard_in ? tcx_ingress : tcx_egress, before_all, 0, 0, 0};
  return static_cast<int>(syscall(SYS_bpf, BPF_LINK_CREATE, &request, sizeof request));
}

// The programs of a TCX hook, first to last.
std::vector<u32> tcx_programs(u32 ifindex, u32 way) {
  u32 ids[64] = {};
  struct {
    u32 ifindex, type, query_flags, attach_flags;
    u64 ids;
    u32 count, zero;
    u64 attach_flags_of, link_ids, link_flags_of, revision;
  } request{ifindex, way == guard_in ? tcx_ingress : tcx_egress, 0, 0, reinterpret_cast<u64>(ids), 64, 0, 0, 0, 0, 0};
  if (syscall(SYS_bpf, BPF_PROG_QUERY, &request, sizeof request) != 0) return {};
  return {ids, ids + request.count};
}

bpf_tc_hook clsact_of(u32 ifindex, u32 way) {
  bpf_tc_hook hook{};
  hook.sz = sizeof hook;
  hook.ifindex = static_cast<int>(ifindex);
  hook.attach_point = way == guard_in ? BPF_TC_INGRESS : BPF_TC_EGRESS;
  return hook;
}

bpf_tc_opts filter_of(int program) {
  bpf_tc_opts options{};
  options.sz = sizeof options;
  options.handle = 1;
  options.priority = 1;
  options.prog_fd = program;
  return options;
}

// Tries one hook; the link, or -1 for clsact, which has none; errno where it is refused.
bool put(const Kernel& kernel, u32 hook, u32 ifindex, u32 way, int& link) {
  const int program = kernel.program(program_of(hook, way));
  if (hook == hook_xdp || hook == hook_xdp_generic) {
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = hook == hook_xdp ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
    link = bpf_link_create(program, static_cast<int>(ifindex), BPF_XDP, &options);
    return link >= 0;
  }
  if (hook == hook_tcx) return (link = link_tcx(program, ifindex, way)) >= 0;
  bpf_tc_hook place = clsact_of(ifindex, way);
  bpf_tc_opts options = filter_of(program);
  const int made = bpf_tc_hook_create(&place);
  if (made != 0 && made != -EEXIST) return errno = -made, false;
  const int attached = bpf_tc_attach(&place, &options);
  link = -1;
  return attached == 0 || (errno = -attached, false);
}

std::expected<u32, Error> put_one_of(const Kernel& kernel, const std::string& folder, const guard_interface& interface,
                                     u32 ifindex, u32 way, std::span<const guard_hook> hooks) {
  for (const guard_hook hook : hooks) {
    int link = -1;
    if (!put(kernel, hook, ifindex, way, link)) {
      if (errno == EBUSY)
        return std::unexpected(Error{std::string(interface.name) +
                                     ": another XDP program is there; where that is meant, attach --beside-xdp"});
      continue;
    }
    if (link < 0) return hook;
    const Descriptor owned(link);
    const std::string pin = pin_of(folder, interface, way);
    if (bpf_obj_pin(link, pin.c_str()) != 0) return failed("pinning " + pin);
    return hook;
  }
  return failed(std::string(interface.name) + ": the kernel takes no program " + (way == guard_in ? "in" : "out"));
}

std::string fault_of_link(const Kernel& kernel, const std::string& pin, u32 ifindex, u32 hook, u32 way) {
  const Descriptor link(bpf_obj_get(pin.c_str()));
  if (!link) return "its pin " + pin + " is gone: detached by somebody";
  bpf_link_info info{};
  u32 bytes = sizeof info;
  if (bpf_obj_get_info_by_fd(link.number(), &info, &bytes) != 0) return "its link cannot be asked";
  const u32 wanted = id_of(kernel.program(program_of(hook, way)));
  if (info.prog_id != wanted) return "its link runs another program: replaced by somebody";
  if (info.xdp.ifindex != ifindex) return "its link holds no interface: the interface is gone, or detached by somebody";
  if (hook != hook_tcx) {
    u32 found = 0;
    const u32 flags = hook == hook_xdp ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
    const bool asked = bpf_xdp_query_id(static_cast<int>(ifindex), static_cast<int>(flags), &found) == 0;
    return asked && found == wanted ? "" : "another XDP program sees its frames";
  }
  const std::vector<u32> programs = tcx_programs(ifindex, way);
  return !programs.empty() && programs[0] == wanted ? "" : "another program sees its frames before the guard";
}

}  // namespace

std::string_view hook_name(u32 hook) {
  constexpr std::string_view names[] = {"nothing", "xdp", "xdp-generic", "tcx", "clsact"};
  return names[hook < std::size(names) ? hook : 0];
}

std::expected<Order, Error> order_of(const std::string& text) {
  const std::size_t is = text.find('=');
  if (is == 0 || is == std::string::npos)
    return std::unexpected(Error{text + ": write NAME=PORT, NAME=SEGMENT or NAME=MACHINE:WIRE"});
  const std::size_t colon = text.find(':', is);
  Order order{.name = text.substr(0, is), .words = {}};
  order.words[guard_out] = text.substr(is + 1, colon == std::string::npos ? colon : colon - is - 1);
  if (colon != std::string::npos) order.words[guard_in] = text.substr(colon + 1);
  if (order.name.size() >= guard_name_max || order.words[0].size() >= guard_word_max ||
      order.words[1].size() >= guard_word_max)
    return std::unexpected(Error{text + ": too long a name"});
  return order;
}

std::expected<guard_interface, Error> attach(Kernel& kernel, const std::string& folder, const Order& order, u32 slot) {
  const u32 ifindex = if_nametoindex(order.name.c_str());
  if (ifindex == 0) return failed("interface " + order.name);
  if (!is_ethernet(order.name)) return std::unexpected(Error{order.name + ": only Ethernet interfaces can be guarded"});
  guard_interface made{};
  made.slot = slot;
  made.needs_beat = order.needs_beat;
  order.name.copy(made.name, sizeof made.name - 1);
  for (const u32 way : {guard_in, guard_out}) order.words[way].copy(made.words[way], guard_word_max - 1);
  // Out first: what is open for a moment is closed to what comes back.
  if (auto done = kernel.set_interface(ifindex, made); !done) return std::unexpected(done.error());
  constexpr guard_hook by_tc[] = {hook_tcx, hook_clsact}, by_xdp[] = {hook_xdp, hook_xdp_generic};
  const std::span tc = order.by_clsact ? std::span(by_tc).last(1) : std::span(by_tc);
  const auto out = put_one_of(kernel, folder, made, ifindex, guard_out, tc);
  if (out) made.hooks[guard_out] = *out;
  const auto in =
      out ? put_one_of(kernel, folder, made, ifindex, guard_in, order.beside_xdp ? tc : std::span(by_xdp)) : out;
  if (in) made.hooks[guard_in] = *in;
  if (in)
    if (auto done = kernel.set_interface(ifindex, made); done) return made;
  detach(kernel, folder, ifindex, made);
  return std::unexpected(in.error());
}

void detach(Kernel& kernel, const std::string& folder, u32 ifindex, const guard_interface& interface) {
  for (const u32 way : {guard_in, guard_out}) {
    unlink(pin_of(folder, interface, way).c_str());
    if (interface.hooks[way] != hook_clsact) continue;
    bpf_tc_hook place = clsact_of(ifindex, way);
    bpf_tc_opts options = filter_of(0);
    bpf_tc_detach(&place, &options);
  }
  kernel.remove_interface(ifindex);
}

std::string fault_of(const Kernel& kernel, const std::string& folder, u32 ifindex, const guard_interface& interface,
                     guard_way way) {
  const u32 hook = interface.hooks[way];
  char name[IF_NAMESIZE] = {};
  if (if_indextoname(ifindex, name) == nullptr) return "the interface is gone";
  if (std::strcmp(name, interface.name) != 0) return "the interface is called " + std::string(name) + " now";
  if (hook != hook_clsact) return fault_of_link(kernel, pin_of(folder, interface, way), ifindex, hook, way);
  bpf_tc_hook place = clsact_of(ifindex, way);
  bpf_tc_opts options = filter_of(0);
  if (bpf_tc_query(&place, &options) != 0) return "its filter is gone: detached by somebody";
  return options.prog_id == id_of(kernel.program(program_of(hook, way))) ? "" : "its filter runs another program";
}

std::expected<void, Error> check_folder(const std::string& folder) {
  struct statfs found{};
  const std::string parent = std::filesystem::path(folder).parent_path();
  if (statfs(parent.c_str(), &found) != 0) return failed(parent);
  if (found.f_type != bpffs_magic)
    return std::unexpected(Error{parent + " is no bpffs: mount -t bpf bpf /sys/fs/bpf (and in a network namespace use "
                                          "nsenter, since `ip netns exec` hides it)"});
  return {};
}

void unpin(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) unlink(entry.path().c_str());
  rmdir(folder.c_str());
}

}  // namespace weir::guard
