// Memory for benchmarks: zeroed, faulted in, of 2 MiB pages where the machine has or can get them. Contenders that are
// compared get pages of the same kind.
#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
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
// since others may add and give back meanwhile. A child gives back, when this process lets go of it or ends, however
// it ends. Make it before the memory, which the child would otherwise share.
class PageReserve {
 public:
  explicit PageReserve(std::size_t bytes) {
    const long wanted = static_cast<long>((bytes >> 21) + 1);
    long spare = read("free_hugepages") - read("resv_hugepages");
    if (spare < wanted && start_keeper()) {
      const long before = read("nr_hugepages");
      write(before + wanted - spare);
      const long added = read("nr_hugepages") - before;
      if (::write(pipe_, &added, sizeof added) != sizeof added) std::perror("bench: pages are not given back");
      spare = read("free_hugepages") - read("resv_hugepages");
    }
    enough_ = spare >= wanted;
  }
  ~PageReserve() {
    if (pipe_ < 0) return;
    close(pipe_);
    waitpid(keeper_, nullptr, 0);
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

  bool start_keeper() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    keeper_ = fork();
    if (keeper_ == 0) {
      close(ends[1]);
      keep(ends[0]);
    }
    close(ends[0]);
    if (keeper_ < 0) close(ends[1]);
    else pipe_ = ends[1];
    return keeper_ > 0;
  }
  // Reads until nobody holds the other end any more; what ends a whole group of processes spares it.
  [[noreturn]] static void keep(int from) {
    setsid();
    long added = 0, last = 0;
    while (::read(from, &last, sizeof last) == sizeof last) added = last;
    if (added > 0) write(std::max(0l, read("nr_hugepages") - added));
    _exit(0);
  }

  pid_t keeper_ = -1;
  int pipe_ = -1;
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
