// A machine that is unkind to a program, for tests: preloaded, it moves the wall clock by what stands in a file, and
// lets writes to one file wait for as long as the file says so. Clocks that nobody can set stay as they are.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

// The file, as who tests writes it.
struct Unkindness {
  volatile std::int64_t shift_s;   // to the wall clock
  volatile std::uint64_t hangs;    // writes to a file whose name ends in WEIR_UNKIND_TO wait while it is not 0
};

const Unkindness* unkindness() {
  static const Unkindness* const one = [] {
    const char* const path = std::getenv("WEIR_UNKIND");
    const int file = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    void* const at = file < 0 ? MAP_FAILED : mmap(nullptr, sizeof(Unkindness), PROT_READ, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    return at == MAP_FAILED ? nullptr : static_cast<const Unkindness*>(at);
  }();
  return one;
}

bool is_the_file(int file) {
  const char* const end = std::getenv("WEIR_UNKIND_TO");
  if (end == nullptr) return false;
  char link[32] = "/proc/self/fd/", digits[16];
  int count = 0;
  for (int rest = file; rest != 0 || count == 0; rest /= 10) digits[count++] = static_cast<char>('0' + rest % 10);
  for (std::size_t at = std::strlen(link); count > 0; link[at] = '\0') link[at++] = digits[--count];
  char path[4096];
  const ssize_t length = readlink(link, path, sizeof path);
  const std::size_t wanted = std::strlen(end);
  return length >= static_cast<ssize_t>(wanted) &&
         std::memcmp(path + length - static_cast<ssize_t>(wanted), end, wanted) == 0;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const long result = syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) && unkindness() != nullptr)
    time->tv_sec += unkindness()->shift_s;
  return static_cast<int>(result);
}

time_t time(time_t* into) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (into != nullptr) *into = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(timeval* __restrict into, void* __restrict) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  into->tv_sec = now.tv_sec, into->tv_usec = now.tv_nsec / 1000;
  return 0;
}

ssize_t write(int file, const void* bytes, size_t count) {
  while (unkindness() != nullptr && unkindness()->hangs != 0 && is_the_file(file)) {
    const timespec little{0, 10'000'000};
    syscall(SYS_nanosleep, &little, nullptr);
  }
  return syscall(SYS_write, file, bytes, count);
}

}
