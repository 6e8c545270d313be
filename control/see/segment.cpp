#include "control/see/segment.hpp"

#include "dataplane/share/door.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::see {
namespace {

Failure failed(const std::string& path, const char* act) {
  const auto kind = errno == EACCES || errno == EPERM ? Failure::Kind::forbidden : Failure::Kind::absent;
  return {kind, fmt::format("{}: cannot {} it: {}", path, act, strerror(errno))};
}

Failure foreign(const std::string& path, std::string_view why) {
  return {Failure::Kind::foreign, fmt::format("{}: {}", path, why)};
}

// `count` things of `each` bytes from `offset` on lie inside `bytes`.
bool fits(u64 offset, u64 count, u64 each, u64 bytes) { return offset <= bytes && count <= (bytes - offset) / each; }

}  // namespace

std::expected<StatsFile, Failure> StatsFile::open(const std::string& path, Access access) {
  const bool takes = access == Access::take;
  const int file = ::open(path.c_str(), (takes ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return std::unexpected(failed(path, takes ? "take events of" : "open"));
  StatsFile made;
  made.path_ = path;
  made.file_ = file;
  struct stat facts{};
  if (fstat(file, &facts) != 0) return std::unexpected(failed(path, "look at"));
  made.device_ = facts.st_dev;
  made.inode_ = facts.st_ino;
  const auto bytes = static_cast<std::size_t>(facts.st_size);
  if (!S_ISREG(facts.st_mode) || bytes < sizeof(StatsHeader))
    return std::unexpected(foreign(path, "this is no stats file of weir-dataplane: it is too short"));
  if (takes && flock(file, LOCK_EX | LOCK_NB) != 0)
    return std::unexpected(Failure{Failure::Kind::taken, path + ": another process takes its events"});
  void* const base = mmap(nullptr, bytes, takes ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, file, 0);
  if (base == MAP_FAILED) return std::unexpected(failed(path, "map"));
  made.base_ = static_cast<std::byte*>(base);
  made.bytes_ = bytes;
  if (auto sound = made.check(); !sound) return std::unexpected(sound.error());
  if (takes) return made;
  close(file);
  made.file_ = -1;
  return made;
}

std::expected<void, Failure> StatsFile::check() const {
  const StatsHeader& it = header();
  if (__atomic_load_n(&it.magic, __ATOMIC_ACQUIRE) != StatsHeader::magic_value)
    return std::unexpected(foreign(path_, "this is no stats file of this version of weir-dataplane"));
  if (it.reasons != reasons_count || it.reasons_table != door::reasons_table_value)
    return std::unexpected(foreign(path_, "its table of reasons is not this command's: use the `weir` it came with"));
  if (it.slab_bytes != sizeof(WorkerCounters) || it.ring_bytes != sizeof(EventRing))
    return std::unexpected(
        foreign(path_, "its counters have another shape: use the `weir` that came with the dataplane"));
  const bool counts = it.workers >= 1 && it.workers <= workers_max && it.ports <= ports_max;
  const bool aligned = (it.slabs_offset | it.rings_offset | it.banks_offset | it.bank_bytes) % 64 == 0;
  if (!counts || !aligned || !fits(it.slabs_offset, it.workers, sizeof(WorkerCounters), bytes_) ||
      !fits(it.rings_offset, it.workers, sizeof(EventRing), bytes_) ||
      !fits(it.ports_offset, it.ports, sizeof(PortName), bytes_) ||
      (it.bank_bytes != 0 && !fits(it.banks_offset, rule_banks, it.bank_bytes, bytes_)))
    return std::unexpected(foreign(path_, "it is torn: what its header promises does not lie in it"));
  return {};
}

StatsFile::StatsFile(StatsFile&& other) noexcept { *this = std::move(other); }

StatsFile& StatsFile::operator=(StatsFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(base_, other.base_);
  std::swap(bytes_, other.bytes_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  std::swap(file_, other.file_);
  return *this;
}

StatsFile::~StatsFile() {
  if (base_ != nullptr) munmap(base_, bytes_);
  if (file_ >= 0) close(file_);
}

const WorkerCounters& StatsFile::counters(u32 worker) const {
  return reinterpret_cast<const WorkerCounters*>(base_ + header().slabs_offset)[worker];
}

const EventRing& StatsFile::events(u32 worker) const {
  return reinterpret_cast<const EventRing*>(base_ + header().rings_offset)[worker];
}

std::span<const RuleHits> StatsFile::hits(u32 bank, u64 rules) const {
  const StatsHeader& it = header();
  const u64 rows = rules > decisions_max ? 0 : hits_rows(rules, it.workers);
  if (it.banks_offset == 0 || rows * sizeof(RuleHits) > it.bank_bytes) return {};
  return {reinterpret_cast<const RuleHits*>(base_ + it.banks_offset + bank * it.bank_bytes), rows};
}

bool StatsFile::take(u32 worker, Event& event) {
  return takes() && reinterpret_cast<EventRing*>(base_ + header().rings_offset)[worker].pop(event);
}

std::string_view StatsFile::port_name(u32 port) const {
  if (port >= header().ports) return {};
  const auto& name = reinterpret_cast<const PortName*>(base_ + header().ports_offset)[port];
  return {name.text, strnlen(name.text, sizeof name.text)};
}

std::vector<std::string> StatsFile::port_names() const {
  std::vector<std::string> names;
  for (u32 port = 0; port < header().ports; ++port) names.emplace_back(port_name(port));
  return names;
}

bool StatsFile::is_replaced() const {
  struct stat facts{};
  return stat(path_.c_str(), &facts) == 0 && (facts.st_ino != inode_ || facts.st_dev != device_);
}

}  // namespace weir::see
