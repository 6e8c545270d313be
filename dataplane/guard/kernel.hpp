// The guard's programs and maps in the kernel: loaded from the binary itself, or found again by their pins. A policy is
// written into the slot that no frame is judged by, and put in force with one store; a frame reads that number once, so
// no frame is judged by two policies.
//
// Threads: one at a time; the pins' folder has a lock for several processes (pins.hpp).
#pragma once
#include "dataplane/guard/tables.hpp"

#include <array>
#include <expected>
#include <memory>
#include <string>
#include <utility>
#include <vector>

struct bpf_object;

namespace weir::guard {

// A descriptor of its own.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();
  int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

// The names under which maps and programs are pinned, in this order.
enum class Map { policies, in_force, interfaces, settings, running, leases, flows, ring, counts };
inline constexpr const char* map_names[] = {"policies", "in_force", "interfaces", "settings", "running",
                                            "leases",   "flows",    "ring",       "counts"};
inline constexpr std::size_t maps_count = std::size(map_names);
enum class Program { guard_in_xdp, guard_in_tc, guard_out_tc };
inline constexpr const char* program_names[] = {"guard_in_xdp", "guard_in_tc", "guard_out_tc"};
inline constexpr std::size_t programs_count = std::size(program_names);

struct Room {
  u32 policy_bytes = 1u << 20;  // a power of two
  u32 flows = 65536;
};
// Twice what these tables need, and a MiB at least: changes of policy stay within what was there at the beginning.
Room room_for(const Tables& tables, u32 flows);

struct Count {
  u64 packets, bytes;
};

class Kernel {
 public:
  // Loads; nothing is pinned or attached, and no policy is in force: everything would be dropped. The error has the
  // kernel's own words.
  static std::expected<Kernel, Error> load(Room room);
  // Finds what is pinned in a folder.
  static std::expected<Kernel, Error> open(const std::string& folder);
  std::expected<void, Error> pin(const std::string& folder) const;

  // One flip: from its return on no frame is judged by what was in force before.
  std::expected<void, Error> install(const Tables& tables);
  std::expected<u64, Error> generation() const;  // 0: no policy
  std::expected<guard_policy, Error> head() const;  // of the policy in force; all zero: none
  u32 in_force() const;  // 0: none, else the number of its slot and 1

  std::expected<void, Error> set_interface(u32 ifindex, const guard_interface& interface);
  std::vector<std::pair<u32, guard_interface>> interfaces() const;
  void remove_interface(u32 ifindex);

  guard_settings settings() const;
  std::expected<void, Error> set_settings(const guard_settings& own);

  // Bytes in leases that may still leave by them, all together.
  u64 leased(u64 now_ns) const;

  Count count(u32 slot, guard_way way, u8 reason) const;
  u64 flows_count() const;
  u32 room() const { return room_; }

  int map(Map one) const { return maps_[static_cast<std::size_t>(one)].number(); }
  int program(Program one) const { return programs_[static_cast<std::size_t>(one)].number(); }

 private:
  // The slots' memory, for as long as the call of `use` takes; a slot is `room` and guard_pad bytes.
  template <class Use>
  std::expected<void, Error> with_slots(Use&& use) const;

  std::array<Descriptor, maps_count> maps_;
  std::array<Descriptor, programs_count> programs_;
  u32 room_ = 0;
  u32 cpus_ = 0;
};

// Until no program runs any more that began before: what it reads or pays from may then be settled.
void wait_for_programs();
// CLOCK_BOOTTIME.
u64 boot_ns();
// What the time of day is ahead of it, in microseconds.
u64 clock_us();
std::string words_of(int error);

}  // namespace weir::guard
