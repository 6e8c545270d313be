#include "dataplane/edge/link_watch.hpp"

#include "dataplane/edge/dataplane.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <rte_ethdev.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <optional>

namespace weir::edge {
namespace {

constexpr auto look_period = std::chrono::milliseconds(250);

std::string interface_of(u16 port) {
  rte_eth_dev_info info{};
  char name[IF_NAMESIZE] = "";
  if (rte_eth_dev_info_get(port, &info) != 0 || info.if_index == 0 || if_indextoname(info.if_index, name) == nullptr)
    return "";
  return name;
}

// As the kernel has it, in this process's network namespace; an interface that is gone is down.
bool is_running(const std::string& interface) {
  const int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (any < 0) return true;  // nothing is known
  ifreq asked{};
  interface.copy(asked.ifr_name, IF_NAMESIZE - 1);
  const bool is_there = ioctl(any, SIOCGIFFLAGS, &asked) == 0;
  close(any);
  return is_there && (asked.ifr_flags & IFF_UP) != 0 && (asked.ifr_flags & IFF_RUNNING) != 0;
}

// A port that does not tell counts as up.
bool tells_up(u16 port) {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(port, &link) != 0 || link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace

LinkWatch::LinkWatch(const Ports& ports, const StatsSegment& stats, const OrdinaryCores& ordinary) : stats_(stats) {
  for (const Port& port : ports.all()) links_.push_back({port.id, port.index, port.name, interface_of(port.id)});
  thread_ = std::jthread([this, ordinary](const std::stop_token& stop) { ordinary.enter(), run(stop); });
}

void LinkWatch::run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any bell;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    look();
    bell.wait_for(lock, stop, look_period, [] { return false; });
  }
}

void LinkWatch::look() {
  u64 down = 0;
  for (Link& link : links_) {
    const bool is_up = link.interface.empty() ? tells_up(link.id) : is_running(link.interface);
    if (is_up != link.is_up)
      say(fmt::format("port {}: link {}", link.name, is_up ? "up again" : "DOWN: nothing comes in or leaves by it"));
    link.is_up = is_up;
    if (!is_up) down |= u64{1} << link.index;
  }
  stats_.header().links_down.set(down);
}

}  // namespace weir::edge
