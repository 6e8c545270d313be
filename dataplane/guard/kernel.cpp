#include "dataplane/guard/kernel.hpp"

#include "dataplane/guard/object.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <thread>

namespace weir::guard {
namespace {

constexpr u32 zero = 0;

std::unexpected<Error> failed(const std::string& what, int error = errno) {
  return std::unexpected(Error{what + ": " + words_of(error)});
}

// What the verifier says last, for an error.
std::string last_lines(const std::vector<char>& log) {
  const std::string text(log.data());
  if (text.empty()) return {};
  const std::size_t from = text.size() > 4000 ? text.find('\n', text.size() - 4000) : 0;
  return "\n" + text.substr(from == std::string::npos ? 0 : from);
}

u64 ns_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<u64>(time.tv_sec) * 1'000'000'000 + static_cast<u64>(time.tv_nsec);
}

struct Closer {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};

// The values that the programs take as constants, in the order of guard.bpf.c.
std::expected<void, Error> set_constants(bpf_object* object, u32 room, u32 has_fragments) {
  bpf_map* constants = nullptr;
  bpf_object__for_each_map(constants, object) {
    if (std::string_view(bpf_map__name(constants)).ends_with(".rodata")) break;
  }
  size_t bytes = 0;
  void* const at = constants == nullptr ? nullptr : const_cast<void*>(bpf_map__initial_value(constants, &bytes));
  if (at == nullptr || bytes != 2 * sizeof(u32)) return failed("the guard's object has other constants", EINVAL);
  const u32 values[] = {room - 1, has_fragments};
  std::memcpy(at, values, sizeof values);
  return {};
}

std::expected<std::unique_ptr<bpf_object, Closer>, Error> loaded(Room room, bool has_fragments, bool tell) {
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "weir_guard");
  std::unique_ptr<bpf_object, Closer> object(
      bpf_object__open_mem(guard::object().data(), guard::object().size(), &options));
  if (object == nullptr) return failed("the guard's object does not open");
  if (auto done = set_constants(object.get(), room.policy_bytes, has_fragments); !done)
    return std::unexpected(done.error());
  bpf_map__set_value_size(bpf_object__find_map_by_name(object.get(), "policies"), room.policy_bytes + guard_pad);
  for (const char* name : {"flows", "ring"})
    bpf_map__set_max_entries(bpf_object__find_map_by_name(object.get(), name), room.flows);
  bpf_program* in = bpf_object__find_program_by_name(object.get(), "guard_in_xdp");
  if (has_fragments) bpf_program__set_flags(in, bpf_program__flags(in) | BPF_F_XDP_HAS_FRAGS);
  std::vector<char> log(1 << 16);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) if (tell)
      bpf_program__set_log_buf(program, log.data(), log.size());
  if (const int error = bpf_object__load(object.get()); error != 0)
    return std::unexpected(
        Error{"the kernel does not take the guard's programs: " + words_of(-error) + last_lines(log)});
  return object;
}

int quiet(libbpf_print_level, const char*, va_list) { return 0; }

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) close(number_);
}

void wait_for_programs() {
  constexpr auto long_enough = std::chrono::milliseconds(200);  // a frame takes microseconds
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0) std::this_thread::sleep_for(long_enough);
}

u64 boot_ns() { return ns_of(CLOCK_BOOTTIME); }
u64 clock_us() { return ns_of(CLOCK_REALTIME) / 1000 - ns_of(CLOCK_BOOTTIME) / 1000; }
std::string words_of(int error) { return std::strerror(error); }

Room room_for(const Tables& tables, u32 flows) {
  return {.policy_bytes = std::bit_ceil(std::max(static_cast<u32>(2 * tables.bytes.size()), 1u << 20)), .flows = flows};
}

std::expected<Kernel, Error> Kernel::load(Room room) {
  libbpf_set_print(quiet);
  auto object = loaded(room, true, false);
  if (!object) object = loaded(room, false, true);  // before Linux 5.18 a frame lies in one buffer
  if (!object) return std::unexpected(object.error());
  Kernel made;
  made.room_ = room.policy_bytes;
  made.cpus_ = static_cast<u32>(libbpf_num_possible_cpus());
  for (std::size_t i = 0; i < maps_count; ++i)
    made.maps_[i] = Descriptor(dup(bpf_map__fd(bpf_object__find_map_by_name(object->get(), map_names[i]))));
  for (std::size_t i = 0; i < programs_count; ++i)
    made.programs_[i] =
        Descriptor(dup(bpf_program__fd(bpf_object__find_program_by_name(object->get(), program_names[i]))));
  if (auto done = made.set_settings({.beat_ns = 0, .silence_ns = 0, .last_policy = 0, .flows_max = room.flows}); !done)
    return std::unexpected(done.error());
  return made;
}

std::expected<Kernel, Error> Kernel::open(const std::string& folder) {
  libbpf_set_print(quiet);
  Kernel made;
  for (std::size_t i = 0; i < maps_count; ++i) {
    made.maps_[i] = Descriptor(bpf_obj_get((folder + "/" + map_names[i]).c_str()));
    if (!made.maps_[i]) return failed("no guard at " + folder + ": " + map_names[i]);
  }
  for (std::size_t i = 0; i < programs_count; ++i) {
    made.programs_[i] = Descriptor(bpf_obj_get((folder + "/" + program_names[i]).c_str()));
    if (!made.programs_[i]) return failed("no guard at " + folder + ": " + program_names[i]);
  }
  made.cpus_ = static_cast<u32>(libbpf_num_possible_cpus());
  bpf_map_info info{};
  u32 bytes = sizeof info;
  if (bpf_obj_get_info_by_fd(made.map(Map::policies), &info, &bytes) != 0) return failed("the guard's policies");
  made.room_ = info.value_size - guard_pad;
  return made;
}

std::expected<void, Error> Kernel::pin(const std::string& folder) const {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return failed(folder, error.value());
  for (std::size_t i = 0; i < maps_count; ++i)
    if (bpf_obj_pin(maps_[i].number(), (folder + "/" + map_names[i]).c_str()) != 0)
      return failed("pinning " + folder + "/" + map_names[i]);
  for (std::size_t i = 0; i < programs_count; ++i)
    if (bpf_obj_pin(programs_[i].number(), (folder + "/" + program_names[i]).c_str()) != 0)
      return failed("pinning " + folder + "/" + program_names[i]);
  return {};
}

std::expected<void, Error> Kernel::install(const Tables& tables) {
  if (tables.bytes.size() > room_)
    return std::unexpected(Error{"the policy's tables have " + std::to_string(tables.bytes.size()) +
                                 " bytes, and the guard was attached with room for " + std::to_string(room_) +
                                 ": detach and attach it with this policy"});
  const u32 spare = in_force() == 1 ? 1 : 0;
  const auto written = with_slots([&](std::byte* slots, u64 slot_bytes) {
    std::byte* const at = slots + spare * slot_bytes;
    std::memcpy(at, tables.bytes.data(), tables.bytes.size());
    const u64 serial = boot_ns();
    std::memcpy(at + offsetof(guard_policy, serial), &serial, sizeof serial);
  });
  if (!written) return written;
  const u32 number = spare + 1;
  if (bpf_map_update_elem(map(Map::in_force), &zero, &number, BPF_ANY) != 0) return failed("putting a policy in force");
  wait_for_programs();
  return {};
}

template <class Use>
std::expected<void, Error> Kernel::with_slots(Use&& use) const {
  const u64 slot_bytes = u64{room_} + guard_pad;
  void* const at = mmap(nullptr, 2 * slot_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map(Map::policies), 0);
  if (at == MAP_FAILED) return failed("the guard's policies");
  use(static_cast<std::byte*>(at), slot_bytes);
  munmap(at, 2 * slot_bytes);
  return {};
}

u32 Kernel::in_force() const {
  u32 number = 0;
  bpf_map_lookup_elem(map(Map::in_force), &zero, &number);
  return number;
}

std::expected<guard_policy, Error> Kernel::head() const {
  guard_policy made{};
  const auto read = with_slots([&](const std::byte* slots, u64 slot_bytes) {
    if (const u32 number = in_force(); number != 0) std::memcpy(&made, slots + (number - 1) * slot_bytes, sizeof made);
  });
  if (!read) return std::unexpected(read.error());
  return made;
}

std::expected<u64, Error> Kernel::generation() const {
  const auto one = head();
  if (!one) return std::unexpected(one.error());
  return one->generation;
}

std::expected<void, Error> Kernel::set_interface(u32 ifindex, const guard_interface& interface) {
  if (bpf_map_update_elem(map(Map::interfaces), &ifindex, &interface, BPF_ANY) != 0)
    return failed("interface " + std::string(interface.name));
  return {};
}

std::vector<std::pair<u32, guard_interface>> Kernel::interfaces() const {
  std::vector<std::pair<u32, guard_interface>> all;
  u32 key = 0, next = 0;
  for (int error = bpf_map_get_next_key(map(Map::interfaces), nullptr, &next); error == 0;
       key = next, error = bpf_map_get_next_key(map(Map::interfaces), &key, &next)) {
    guard_interface one{};
    if (bpf_map_lookup_elem(map(Map::interfaces), &next, &one) == 0) all.emplace_back(next, one);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second.slot < b.second.slot; });
  return all;
}

void Kernel::remove_interface(u32 ifindex) { bpf_map_delete_elem(map(Map::interfaces), &ifindex); }

guard_settings Kernel::settings() const {
  guard_settings own{};
  bpf_map_lookup_elem(map(Map::settings), &zero, &own);
  return own;
}

std::expected<void, Error> Kernel::set_settings(const guard_settings& own) {
  if (bpf_map_update_elem(map(Map::settings), &zero, &own, BPF_ANY) != 0) return failed("settings");
  return {};
}

u64 Kernel::leased(u64 now_ns) const {
  u64 sum = 0;
  for (u32 number = 0; number < 2 * guard_leases_max; ++number) {
    guard_lease one{};
    if (bpf_map_lookup_elem(map(Map::leases), &number, &one) == 0 && now_ns < one.until_ns && one.left > 0)
      sum += static_cast<u64>(one.left);
  }
  return sum;
}

Count Kernel::count(u32 slot, guard_way way, u8 reason) const {
  std::vector<guard_count> each(cpus_);
  const u32 row = (slot * 2 + way) * guard_reasons_max + reason;
  Count sum{};
  if (bpf_map_lookup_elem(map(Map::counts), &row, each.data()) != 0) return sum;
  for (const guard_count& one : each) sum.packets += one.packets, sum.bytes += one.bytes;
  return sum;
}

u64 Kernel::flows_count() const {
  u64 count = 0;
  guard_key key{}, next{};
  for (int error = bpf_map_get_next_key(map(Map::flows), nullptr, &next); error == 0;
       key = next, error = bpf_map_get_next_key(map(Map::flows), &key, &next))
    ++count;
  return count;
}

}  // namespace weir::guard
