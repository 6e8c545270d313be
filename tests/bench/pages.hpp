// Memory for benchmarks: zeroed, faulted in, of 2 MiB pages where the machine has or can get them. Contenders that are
// compared get pages of the same kind.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <span>

namespace weir::bench {

// Reserves 2 MiB pages while it lives, where this process may (root), and puts the number back as it was.
class PageReserve {
 public:
  explicit PageReserve(std::size_t bytes) {
    const long wanted = static_cast<long>((bytes >> 21) + 1);
    long free = 0;
    std::ifstream("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") >> free;
    std::ifstream(knob) >> before_;
    if (free < wanted) {
      std::ofstream(knob) << before_ + wanted - free << std::flush;
      std::ifstream(knob) >> raised_;
      std::ifstream("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") >> free;
    }
    enough_ = free >= wanted;
  }
  ~PageReserve() {
    long now = 0;
    std::ifstream(knob) >> now;
    if (raised_ > 0 && now == raised_) std::ofstream(knob) << before_ << std::flush;
  }
  PageReserve(const PageReserve&) = delete;

  bool enough() const { return enough_; }

 private:
  static constexpr const char* knob = "/proc/sys/vm/nr_hugepages";
  long before_ = 0, raised_ = 0;
  bool enough_ = false;
};

// A mapping that lives until the process ends or it is dropped.
class Pages {
 public:
  Pages(std::size_t bytes, bool huge) : bytes_((bytes + (1 << 21) - 1) >> 21 << 21) {
    const int kind = huge ? MAP_HUGETLB : 0;
    at_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | kind, -1, 0);
    if (at_ == MAP_FAILED) {
      std::perror("bench: no memory");
      std::exit(1);
    }
    if (!huge) madvise(at_, bytes_, MADV_NOHUGEPAGE);
  }
  ~Pages() { munmap(at_, bytes_); }
  Pages(const Pages&) = delete;

  std::span<std::byte> span() { return {static_cast<std::byte*>(at_), bytes_}; }
  template <class T>
  T* as() {
    return static_cast<T*>(at_);
  }

 private:
  std::size_t bytes_;
  void* at_;
};

}  // namespace weir::bench
