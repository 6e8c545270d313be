#include "dataplane/edge/ports.hpp"

#include <fmt/format.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>

namespace weir::edge {
namespace {

constexpr u16 descriptors_wanted = 1024;
constexpr u32 pool_cache_frames = 256;
constexpr u32 capture_frames = 16384;
// Ethernet header and two VLAN tags. What a longer frame needs comes as a chain.
constexpr u32 link_bytes = RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;

Error dpdk_error(const Port& port, const char* act, int result) {
  return {fmt::format("port {}: {}: {}", port.device, act, rte_strerror(-result))};
}

std::string_view arguments_of(const rte_eth_dev_info& info) {
  const rte_devargs* devargs = rte_dev_devargs(info.device);
  return devargs != nullptr && devargs->args != nullptr ? devargs->args : "";
}

// What `key=` says among a device's arguments, or nothing.
std::string_view argument_of(const rte_eth_dev_info& info, std::string_view key) {
  std::string_view rest = arguments_of(info);
  const auto at = rest.find(key);
  if (at == rest.npos) return "";
  rest.remove_prefix(at + key.size());
  return rest.substr(0, rest.find(','));
}

// net_af_packet hands over frames as long as its ring's, whatever the MTU, and wants mbufs of that length.
u32 ring_frame_bytes(const rte_eth_dev_info& info) {
  const std::string_view text = argument_of(info, "framesz=");
  u32 bytes = 0;
  if (std::string_view(info.driver_name) == "net_af_packet")
    std::from_chars(text.data(), text.data() + text.size(), bytes);
  return bytes;
}

// A port that reads and writes capture files only: net_pcap without an interface, and not in a loop.
bool is_file_backed(const rte_eth_dev_info& info) {
  if (std::string_view(info.driver_name) != "net_pcap") return false;
  const std::string_view arguments = arguments_of(info);
  const auto has = [&](std::string_view text) { return arguments.find(text) != arguments.npos; };
  return !has("iface=") && !has("infinite_rx=1");
}

bool is_kernel_backed(const rte_eth_dev_info& info) {
  constexpr std::string_view drivers[] = {"net_af_packet", "net_af_xdp", "net_tap", "net_pcap"};
  return std::ranges::find(drivers, std::string_view(info.driver_name)) != std::end(drivers);
}

// Of the kernel's only net_tap; of the others who tries will see.
bool may_interrupt(const Port& port) { return !port.kernel_backed || port.driver == "net_tap"; }

// Where its interrupts can be waited for, and asked for. net_tap has nothing to be asked: its descriptor always tells.
bool interrupts(const Port& port) {
  if (rte_eth_dev_rx_intr_ctl_q_get_fd(port.id, 0) < 0) return false;
  if (port.driver == "net_tap") return true;
  return rte_eth_dev_rx_intr_enable(port.id, 0) == 0 && rte_eth_dev_rx_intr_disable(port.id, 0) == 0;
}

// What a queue holds: as many frames as were asked for, but for software ports, which have rings of their own. Those
// that do not tell count as the smallest that any of them has.
u32 ring_frames_of(const Port& port, u16 descriptors) {
  constexpr u32 unknown_ring_frames = 256;
  rte_eth_dev_info info{};
  if (rte_eth_dev_info_get(port.id, &info) != 0) return unknown_ring_frames;
  if (port.driver == "net_af_packet") {
    const std::string_view text = argument_of(info, "framecnt=");
    u32 frames = 512;  // its default
    std::from_chars(text.data(), text.data() + text.size(), frames);
    return frames;
  }
  const bool is_software = port.device.starts_with("net_") || port.driver.find("virtio") != std::string::npos;
  return is_software && port.driver != "net_af_xdp" ? unknown_ring_frames : descriptors;
}

// The fastest that the port can be, or says that it is: a link may come up faster than it was. One that tells neither
// counts as 10 Gb/s where the kernel brings its frames, which takes it longer than the wire would, and else as 100.
u32 megabits_of(const Port& port) {
  constexpr u32 speeds[] = {10, 100, 1000, 2500, 5000, 10'000, 20'000, 25'000, 40'000, 50'000, 56'000, 100'000,
                            200'000, 400'000};
  rte_eth_dev_info info{};
  rte_eth_link link{};
  u32 fastest = 0;
  if (rte_eth_link_get_nowait(port.id, &link) == 0 && link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
    fastest = link.link_speed;
  if (rte_eth_dev_info_get(port.id, &info) == 0)
    for (const u32 speed : speeds)
      if ((info.speed_capa & rte_eth_speed_bitflag(speed, RTE_ETH_LINK_FULL_DUPLEX)) != 0)
        fastest = std::max(fastest, speed);
  return fastest != 0 ? fastest : port.kernel_backed ? 10'000 : 100'000;
}

std::string known_devices() {
  std::string devices;
  for (u16 id = 0; id < RTE_MAX_ETHPORTS; ++id) {
    char name[RTE_ETH_NAME_MAX_LEN] = {};
    if (rte_eth_dev_is_valid_port(id) == 0 || rte_eth_dev_get_name_by_port(id, name) != 0) continue;
    devices += (devices.empty() ? "" : ", ") + std::string(name);
  }
  return devices.empty() ? "EAL has no port: give --vdev or -a after `--`" : "EAL has " + devices;
}

std::expected<Port, Error> find_port(const std::string& device, u16 index, const Options& options) {
  Port port{0, index, device, options.name_of(device), {}, {}, 1, 1, 0, 0, false, false, nullptr, 0, 0, false};
  if (rte_eth_dev_get_port_by_name(device.c_str(), &port.id) != 0)
    return std::unexpected(Error{fmt::format("no port `{}`: {}", device, known_devices())});
  rte_eth_dev_info info{};
  if (const int result = rte_eth_dev_info_get(port.id, &info); result != 0)
    return std::unexpected(dpdk_error(port, "cannot be asked", result));
  if (const int result = rte_eth_dev_get_mtu(port.id, &port.mtu); result != 0)
    return std::unexpected(dpdk_error(port, "has no MTU", result));
  port.frame_bytes = std::max(port.mtu + link_bytes, ring_frame_bytes(info));
  port.interface = argument_of(info, "iface=");
  port.driver = info.driver_name;
  port.file_backed = is_file_backed(info);
  port.kernel_backed = is_kernel_backed(info);
  port.rx_queues = std::clamp<u16>(static_cast<u16>(options.workers), 1, std::max<u16>(info.max_rx_queues, 1));
  port.tx_queues = info.max_tx_queues >= options.workers ? static_cast<u16>(options.workers) : u16{1};
  if (port.file_backed && info.max_rx_queues > 1)
    return std::unexpected(Error{fmt::format("port {}: give one rx_pcap and one tx_pcap a port", device)});
  if (port.tx_queues < options.workers) {
    port.turn = std::make_unique<rte_spinlock_t>();
    rte_spinlock_init(port.turn.get());
  }
  return port;
}

// Checksums that the port verifies on its way. Not of a paravirtual port: asked for that, its other end leaves them
// unfinished.
u64 checks_offered(const rte_eth_dev_info& info) {
  if (std::string_view(info.driver_name).find("virtio") != std::string_view::npos) return 0;
  return info.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
}

rte_eth_conf conf_of(const Port& port, const rte_eth_dev_info& info) {
  rte_eth_conf conf{};
  conf.intr_conf.rxq = port.interrupts;
  conf.rxmode.mtu = port.mtu;
  conf.rxmode.offloads = checks_offered(info);
  conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  const u64 spread = (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP) & info.flow_type_rss_offloads;
  if (port.rx_queues > 1 && spread != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = spread;
  }
  return conf;
}

// Everything up to, and without, rx and tx on. `descriptors` grows by what the port's rings may take from the pool.
std::expected<void, Error> configure(Port& port, u16& rx_descriptors, u16& tx_descriptors) {
  rte_eth_dev_info info{};
  int result = rte_eth_dev_info_get(port.id, &info);
  rte_eth_conf conf = conf_of(port, info);
  if (result == 0) result = rte_eth_dev_configure(port.id, port.rx_queues, port.tx_queues, &conf);
  if (result != 0 && port.interrupts) {  // it has none, perhaps
    port.interrupts = false;
    conf.intr_conf.rxq = 0;
    result = rte_eth_dev_configure(port.id, port.rx_queues, port.tx_queues, &conf);
  }
  if (result != 0)
    return std::unexpected(dpdk_error(
        port,
        fmt::format("does not take {} rx and {} tx queues with MTU {}", port.rx_queues, port.tx_queues, port.mtu)
            .c_str(),
        result));
  rx_descriptors = tx_descriptors = descriptors_wanted;
  result = rte_eth_dev_adjust_nb_rx_tx_desc(port.id, &rx_descriptors, &tx_descriptors);
  if (result != 0) return std::unexpected(dpdk_error(port, "cannot size its rings", result));
  return {};
}

std::expected<void, Error> start_port(const Port& port, rte_mempool* pool, u16 rx_descriptors, u16 tx_descriptors) {
  const int socket = rte_eth_dev_socket_id(port.id);
  int result = 0;
  for (u16 queue = 0; queue < port.rx_queues && result == 0; ++queue)
    result = rte_eth_rx_queue_setup(port.id, queue, rx_descriptors, socket, nullptr, pool);
  if (result != 0) return std::unexpected(dpdk_error(port, "rx queue", result));
  for (u16 queue = 0; queue < port.tx_queues && result == 0; ++queue)
    result = rte_eth_tx_queue_setup(port.id, queue, tx_descriptors, socket, nullptr);
  if (result != 0) return std::unexpected(dpdk_error(port, "tx queue", result));
  result = rte_eth_dev_start(port.id);
  if (result != 0) return std::unexpected(dpdk_error(port, "does not start", result));
  if (result = rte_eth_promiscuous_enable(port.id); result != 0 && !port.file_backed)
    fmt::print(stderr, "weir-dataplane: port {} does not do promiscuous mode ({}): it may miss frames\n", port.device,
               rte_strerror(-result));
  return {};
}

}  // namespace

std::expected<Ports, Error> Ports::open(const Options& options) {
  Ports ports;
  for (const PairOption& pair : options.pairs) {
    for (const std::string& device : {pair.inside, pair.outside}) {
      auto port = find_port(device, static_cast<u16>(ports.ports_.size()), options);
      if (!port) return std::unexpected(port.error());
      ports.ports_.push_back(std::move(*port));
    }
  }
  return ports;
}

bool Ports::all_file_backed() const {
  return std::all_of(ports_.begin(), ports_.end(), [](const Port& port) { return port.file_backed; });
}

bool Ports::any_with_program() const {
  return std::any_of(ports_.begin(), ports_.end(), [](const Port& port) { return port.driver == "net_af_xdp"; });
}

std::expected<void, Error> Ports::start(const PortNeeds& needs) {
  std::vector<u16> rx(ports_.size()), tx(ports_.size());
  u32 frames = needs.frames_inside + needs.workers * 2 * pool_cache_frames;
  u32 frame_bytes = RTE_MBUF_DEFAULT_DATAROOM;
  for (Port& port : ports_) {
    port.interrupts = needs.interrupts && may_interrupt(port);
    if (auto done = configure(port, rx[port.index], tx[port.index]); !done) return done;
    frames += u32{rx[port.index]} * port.rx_queues + u32{tx[port.index]} * port.tx_queues;
    frame_bytes = std::max(frame_bytes, port.frame_bytes);
  }
  if (all_file_backed()) frames += capture_frames;  // jumbo frames of a capture come as chains of many
  frame_bytes = std::min<u32>(frame_bytes, 0xffff - RTE_PKTMBUF_HEADROOM);
  pool_ = rte_pktmbuf_pool_create("weir-frames", frames, pool_cache_frames, 0,
                                  static_cast<u16>(frame_bytes + RTE_PKTMBUF_HEADROOM), SOCKET_ID_ANY);
  if (pool_ == nullptr)
    return std::unexpected(Error{fmt::format("no memory for {} frames of {} bytes ({}): give EAL more with -m", frames,
                                             frame_bytes, rte_strerror(rte_errno))});
  started_ = true;
  for (Port& port : ports_) {
    if (auto done = start_port(port, pool_, rx[port.index], tx[port.index]); !done) return done;
    port.ring_frames = ring_frames_of(port, rx[port.index]);
    port.megabits = megabits_of(port);
    port.interrupts = port.interrupts && interrupts(port);
  }
  return {};
}

void Ports::stop() {
  if (!started_) return;
  started_ = false;
  for (const Port& port : ports_) rte_eth_dev_stop(port.id);
  for (const Port& port : ports_) rte_eth_dev_close(port.id);
}

Ports::~Ports() { stop(); }

}  // namespace weir::edge
