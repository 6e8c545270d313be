#include "tests/bench/nftables_rival.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace weir::bench {
namespace {

constexpr const char* flows_max_file = "/proc/sys/net/netfilter/nf_conntrack_max";
constexpr const char* buckets_file = "/proc/sys/net/netfilter/nf_conntrack_buckets";

// The next hop on both sides: its frames go nowhere.
constexpr const char* network = R"(
  sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  ip link set lo up
  ip link add in0 type veth peer name in1
  ip link add out0 type veth peer name out1
  ip link set in0 address 02:00:00:00:00:02 up
  ip link set in1 up
  ip link set out0 up
  ip link set out1 up
  sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.in0.rp_filter=0
  ip address add 10.2.0.2/24 dev out0
  ip neighbour add 10.2.0.1 lladdr 02:00:00:00:00:09 nud permanent dev out0
  ip route add 10.0.0.0/15 via 10.2.0.1 dev out0
)";

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

std::string read(const char* path) {
  std::string value;
  std::getline(std::ifstream(path), value);
  return value;
}

void write(const char* path, const std::string& value) { std::ofstream(path) << value << std::flush; }

void shell(const std::string& commands) {
  if (std::system(("set -e\n" + commands).c_str()) != 0) fail(commands.c_str());
}

}  // namespace

ConntrackRoom::ConntrackRoom(std::uint32_t flows)
    : flows_before_(read(flows_max_file)), buckets_before_(read(buckets_file)) {
  write(buckets_file, std::to_string(2 * flows));  // a flow stands in it twice
  write(flows_max_file, std::to_string(2 * flows));
}

ConntrackRoom::~ConntrackRoom() {
  write(buckets_file, buckets_before_);
  write(flows_max_file, flows_before_);
}

struct NftablesRival::Program {
  bpf_object* object = nullptr;
  weir_injection* told = nullptr;  // the programs' only variable
  int inject = -1, device = 0;

  std::uint64_t run(weir_order& order, weir_phase phase, xdp_action verdict, std::uint32_t count) {
    told->order = order;
    told->phase = phase;
    told->verdict = verdict;
    told->arrived = 0;
    unsigned char frame[weir_frame_bytes] = {};
    xdp_md context{};
    context.data_end = sizeof frame;
    context.ingress_ifindex = static_cast<std::uint32_t>(device);
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof frame, .ctx_in = &context,
                .ctx_size_in = sizeof context, .repeat = static_cast<int>(count), .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
                .batch_size = 64);
    if (bpf_prog_test_run_opts(inject, &options) != 0) fail("XDP live frames");
    order = told->order;
    return told->arrived;
  }
};

NftablesRival::NftablesRival(const char* program) : program_(std::make_unique<Program>()) {
  if (unshare(CLONE_NEWNET) != 0) fail("a network namespace");
  shell(network);
  Program& own = *program_;
  own.object = bpf_object__open_file(program, nullptr);
  if (own.object == nullptr || bpf_object__load(own.object) != 0) fail(program);
  own.inject = bpf_program__fd(bpf_object__find_program_by_name(own.object, "weir_inject"));
  own.device = static_cast<int>(if_nametoindex("in0"));
  const int variables = bpf_map__fd(bpf_object__find_map_by_name(own.object, ".bss"));
  void* const at = mmap(nullptr, sizeof(weir_injection), PROT_READ | PROT_WRITE, MAP_SHARED, variables, 0);
  if (at == MAP_FAILED) fail("the programs' variables");
  own.told = static_cast<weir_injection*>(at);
  // Attached, the device has what an XDP frame needs to say where it came in.
  if (bpf_xdp_attach(own.device, own.inject, XDP_FLAGS_DRV_MODE, nullptr) != 0) fail("XDP on veth");
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(if_nametoindex("out0")), .attach_point = BPF_TC_EGRESS);
  LIBBPF_OPTS(bpf_tc_opts, arrive,
              .prog_fd = bpf_program__fd(bpf_object__find_program_by_name(own.object, "weir_arrive")));
  if (bpf_tc_hook_create(&hook) != 0 || bpf_tc_attach(&hook, &arrive) != 0) fail("tc on veth");
}

NftablesRival::~NftablesRival() { bpf_object__close(program_->object); }

void NftablesRival::install(const std::string& ruleset) {
  FILE* nft = popen("nft -f -", "w");
  if (nft == nullptr) fail("nft");
  std::fputs(("flush ruleset\n" + ruleset).c_str(), nft);
  if (pclose(nft) != 0) fail("nft does not take the ruleset");
  forget_flows();
}

// As `conntrack -F` asks it (linux/netfilter/nfnetlink_conntrack.h): delete, and no filter.
void NftablesRival::forget_flows() {
  struct {
    nlmsghdr head;
    nfgenmsg body;
  } request{{sizeof request, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, NLM_F_REQUEST | NLM_F_ACK, 1, 0},
            {AF_UNSPEC, NFNETLINK_V0, 0}};
  char answer[256] = {};
  const int netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
  const bool asked = ::send(netlink, &request, sizeof request, 0) == sizeof request &&
                     recv(netlink, answer, sizeof answer, 0) >= static_cast<ssize_t>(NLMSG_LENGTH(sizeof(int)));
  close(netlink);
  if (!asked || flows() != 0) fail("conntrack does not forget");
}

std::uint32_t NftablesRival::flows() const {
  return static_cast<std::uint32_t>(std::stoul(read("/proc/sys/net/netfilter/nf_conntrack_count")));
}

std::uint64_t NftablesRival::send(weir_order& order, weir_phase phase, std::uint32_t count) {
  return program_->run(order, phase, XDP_PASS, count);
}

void NftablesRival::send_nowhere(weir_order& order, std::uint32_t count) {
  program_->run(order, weir_ack, XDP_DROP, count);
}

}  // namespace weir::bench
