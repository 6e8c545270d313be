#include "dataplane/guard/heartbeat.hpp"

#include "dataplane/share/stats.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir::guard {

bool Heartbeat::goes_on() {
  if (at_ == nullptr && !open()) return false;
  const auto& header = *reinterpret_cast<const StatsHeader*>(at_);
  bool all = header.workers != 0;
  for (u32 worker = 0; worker < header.workers; ++worker) {
    const u64 slab = header.slabs_offset + u64{worker} * header.slab_bytes;
    const u64 now = reinterpret_cast<const WorkerCounters*>(at_ + slab)->heartbeat.read();
    all = all && now != last_[worker];
    last_[worker] = now;
  }
  if (!all) forget();
  return all;
}

// A segment that this build can read; its beats count from here on.
bool Heartbeat::open() {
  const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat about{};
  const bool found = file >= 0 && fstat(file, &about) == 0;
  bytes_ = found ? static_cast<std::size_t>(about.st_size) : 0;
  void* const at = bytes_ < sizeof(StatsHeader) ? MAP_FAILED : mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, file, 0);
  if (file >= 0) close(file);
  if (at == MAP_FAILED) return false;
  at_ = static_cast<const std::byte*>(at);
  const auto& header = *reinterpret_cast<const StatsHeader*>(at_);
  const bool sound = header.magic == StatsHeader::magic_value && header.slab_bytes == sizeof(WorkerCounters) &&
                     header.workers <= workers_max &&
                     header.slabs_offset + u64{header.workers} * header.slab_bytes <= bytes_;
  if (!sound) return forget(), false;
  last_.resize(header.workers);
  return true;
}

// What was seen last stays: a file that is found again has to have gone on.
void Heartbeat::forget() {
  if (at_ != nullptr) munmap(const_cast<std::byte*>(at_), bytes_);
  at_ = nullptr;
}

}  // namespace weir::guard
