#include "dataplane/edge/memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <utility>

namespace weir::edge {

std::size_t huge_page_bytes() {
  std::ifstream meminfo("/proc/meminfo");
  for (std::string word; meminfo >> word;) {
    std::size_t kib = 0;
    if (word == "Hugepagesize:" && meminfo >> kib) return kib * 1024;
  }
  return 0;
}

std::expected<Mapping, Error> Mapping::anonymous(std::size_t bytes) {
  const std::size_t huge = huge_page_bytes();
  if (huge != 0 && bytes >= huge) {
    const std::size_t mapped = (bytes + huge - 1) / huge * huge;
    void* data = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    if (data != MAP_FAILED) return Mapping(data, bytes, mapped, true);
  }
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return std::unexpected(system_error("cannot map " + std::to_string(bytes) + " bytes"));
  madvise(data, bytes, MADV_HUGEPAGE);  // a wish: where the kernel cannot, nothing is lost
  return Mapping(data, bytes, bytes, false);
}

std::expected<Mapping, Error> Mapping::sparse(std::size_t bytes) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) return std::unexpected(system_error("cannot map " + std::to_string(bytes) + " bytes"));
  return Mapping(data, bytes, bytes, false);
}

std::expected<Mapping, Error> Mapping::file(const std::string& path, std::size_t bytes) {
  const std::string fresh = path + ".new";
  unlink(fresh.c_str());
  const int fd = open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return std::unexpected(system_error("cannot create " + fresh));
  void* data = MAP_FAILED;
  if (ftruncate(fd, static_cast<off_t>(bytes)) == 0)
    data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED || rename(fresh.c_str(), path.c_str()) != 0) {
    const Error error = system_error("cannot make " + path);
    if (data != MAP_FAILED) munmap(data, bytes);
    unlink(fresh.c_str());
    close(fd);
    return std::unexpected(error);
  }
  close(fd);
  return Mapping(data, bytes, bytes, false);
}

Mapping::Mapping(void* data, std::size_t bytes, std::size_t mapped, bool is_huge)
    : data_(static_cast<std::byte*>(data)), bytes_(bytes), mapped_bytes_(mapped), is_huge_(is_huge) {}

Mapping::Mapping(Mapping&& other) noexcept { *this = std::move(other); }

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(is_huge_, other.is_huge_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) munmap(data_, mapped_bytes_);
}

}  // namespace weir::edge
