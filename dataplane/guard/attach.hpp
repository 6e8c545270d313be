// Where the guard's programs sit: put before an interface's frames, found again by pins, looked after. A pinned link
// ends with its pin; what sits at clsact, on kernels without TCX, stays until somebody takes it away. It judges not.
#pragma once
#include "dataplane/guard/kernel.hpp"

namespace weir::guard {

inline constexpr const char* default_folder = "/sys/fs/bpf/weir";

struct Order {
  std::string name;      // of the interface
  std::string words[2];  // by guard_way
  bool beside_xdp = false;  // in by tc: XDP is another's, such as net_af_xdp's
  bool needs_beat = false;
  bool by_clsact = false;   // also where the kernel has TCX
};

// `NAME=MACHINE[:WIRE]`.
std::expected<Order, Error> order_of(const std::string& text);

// Both ways, pinned in `folder`; the interface is in the guard's table before any frame comes. On an error nothing of
// it stays.
std::expected<guard_interface, Error> attach(Kernel& kernel, const std::string& folder, const Order& order, u32 slot);
void detach(Kernel& kernel, const std::string& folder, u32 ifindex, const guard_interface& interface);

// What is to be said of one way of an interface now: an empty sentence where the expected program is the first that
// sees its frames.
std::string fault_of(const Kernel& kernel, const std::string& folder, u32 ifindex, const guard_interface& interface,
                     guard_way way);

// A folder in bpffs, or why not.
std::expected<void, Error> check_folder(const std::string& folder);
// Every pin in the folder goes, and the folder.
void unpin(const std::string& folder);

std::string_view hook_name(u32 hook);

}  // namespace weir::guard
