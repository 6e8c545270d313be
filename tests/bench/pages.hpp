// Memory for benchmarks: zeroed, faulted in, of 2 MiB pages where the machine has or can get them. Contenders that are
// compared get pages of the same kind.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <span>
#include <string>

namespace weir::bench {

// Reserves 2 MiB pages while it lives, where this process may (root), and gives back what it added: as a difference,
// since others may add and give back meanwhile. Keep it in a static, so that exit() gives back too.
class PageReserve {
 public:
  explicit PageReserve(std::size_t bytes) {
    const long wanted = static_cast<long>((bytes >> 21) + 1);
    long spare = read("free_hugepages") - read("resv_hugepages");
    if (spare < wanted) {
      const long before = read("nr_hugepages");
      write(before + wanted - spare);
      added_ = read("nr_hugepages") - before;
      spare = read("free_hugepages") - read("resv_hugepages");
    }
    enough_ = spare >= wanted;
  }
  ~PageReserve() {
    if (added_ > 0) write(std::max(0l, read("nr_hugepages") - added_));
  }
  PageReserve(const PageReserve&) = delete;

  bool enough() const { return enough_; }

 private:
  static std::string file(const char* name) { return std::string("/sys/kernel/mm/hugepages/hugepages-2048kB/") + name; }
  static long read(const char* name) {
    long value = 0;
    std::ifstream(file(name)) >> value;
    return value;
  }
  static void write(long value) { std::ofstream(file("nr_hugepages")) << value << std::flush; }

  long added_ = 0;
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
