#include "dataplane/edge/keep_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace weir::edge {
namespace {

constexpr const char* kept_name = "kept";
constexpr const char* fresh_name = "kept.new";
constexpr const char* run_name = "run";
constexpr u64 state_bytes_most = u64{1} << 40;

// A file of ours that nobody else may open; or what it is instead.
std::string doubt_of(const struct stat& facts) {
  if (!S_ISREG(facts.st_mode)) return "it is no regular file";
  if (facts.st_uid != geteuid()) return "it belongs to somebody else";
  if ((facts.st_mode & 07777) != 0600)
    return fmt::format("its mode is {:04o} and should be 0600", facts.st_mode & 07777u);
  return facts.st_nlink > 1 ? "it has another name besides" : "";
}

// All of it, or false.
bool read_all(int file, std::span<std::byte> into) {
  for (std::size_t done = 0; done < into.size();) {
    const ssize_t got = pread(file, into.data() + done, into.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

bool write_word(int file, std::size_t at, u64 word) {
  return pwrite(file, &word, sizeof word, static_cast<off_t>(at)) == ssize_t{sizeof word};
}

// The file's length is reserved first: a mapping of what the disk has no room for ends the process.
std::expected<u64, Error> fill_file(int file, u64 bytes_most, const std::function<u64(std::span<std::byte>)>& fill) {
  if (const int failed = posix_fallocate(file, 0, static_cast<off_t>(bytes_most)); failed != 0) {
    errno = failed;
    return std::unexpected(system_error(fmt::format("no room for {} bytes", bytes_most)));
  }
  void* const data = mmap(nullptr, bytes_most, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (data == MAP_FAILED) return std::unexpected(system_error("cannot be mapped"));
  const u64 bytes = fill({static_cast<std::byte*>(data), bytes_most});
  munmap(data, bytes_most);
  if (ftruncate(file, static_cast<off_t>(bytes)) == 0 && fsync(file) == 0) return bytes;
  return std::unexpected(system_error("cannot be written"));
}

}  // namespace

std::expected<KeepFolder, Error> KeepFolder::open(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return std::unexpected(system_error("cannot make " + path));
  const int opened = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (opened < 0) return std::unexpected(system_error("cannot open " + path));
  KeepFolder folder(path, opened);
  struct stat facts{};
  if (fstat(opened, &facts) != 0) return std::unexpected(system_error("cannot look at " + path));
  if (facts.st_uid != geteuid() || (facts.st_mode & 022) != 0)
    return std::unexpected(Error{path + ": others may write in it"});
  folder.run_ = openat(opened, run_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
  if (folder.run_ < 0 || fstat(folder.run_, &facts) != 0) return std::unexpected(folder.wrong(run_name));
  if (const std::string doubt = doubt_of(facts); !doubt.empty())
    return std::unexpected(Error{fmt::format("{}/{}: {}", path, run_name, doubt)});
  if (flock(folder.run_, LOCK_EX | LOCK_NB) != 0)
    return std::unexpected(Error{path + ": another dataplane keeps its state there"});
  return folder;
}

KeepFolder::KeepFolder(KeepFolder&& other) noexcept { *this = std::move(other); }

KeepFolder& KeepFolder::operator=(KeepFolder&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(folder_, other.folder_);
  std::swap(run_, other.run_);
  return *this;
}

KeepFolder::~KeepFolder() {
  if (run_ >= 0) close(run_);
  if (folder_ >= 0) close(folder_);
}

Error KeepFolder::wrong(const char* what) const { return system_error(path_ + "/" + what); }

std::expected<KeepFolder::Left, Error> KeepFolder::begin(const RunId& self) {
  Left left{};
  left.has_run = read_all(run_, std::as_writable_bytes(std::span(&left.run, 1)));
  auto state = take();
  if (state) left.state = std::move(*state);
  else left.why = state.error();
  if (unlinkat(folder_, kept_name, 0) != 0 && errno != ENOENT) return std::unexpected(wrong(kept_name));
  if (unlinkat(folder_, fresh_name, 0) != 0 && errno != ENOENT) return std::unexpected(wrong(fresh_name));
  const bool is_written = pwrite(run_, &self, sizeof self, 0) == ssize_t{sizeof self} &&
                          ftruncate(run_, sizeof self) == 0 && fsync(run_) == 0 && fsync(folder_) == 0;
  if (!is_written) return std::unexpected(wrong(run_name));
  return left;
}

// A copy in memory of our own. Nothing where there is no state; else why it cannot be one.
std::expected<Mapping, std::string> KeepFolder::take() const {
  const int file = openat(folder_, kept_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return Mapping{};
  if (file < 0) return std::unexpected(wrong(kept_name).sentence);
  struct stat facts{};
  std::string doubt = fstat(file, &facts) == 0 ? doubt_of(facts) : "it cannot be looked at";
  if (doubt.empty() && facts.st_size == 0) doubt = "it is empty";
  if (doubt.empty() && static_cast<u64>(facts.st_size) > state_bytes_most) doubt = "it is too large";
  Mapping memory;
  if (doubt.empty()) {
    auto made = Mapping::anonymous(static_cast<std::size_t>(facts.st_size));
    if (made) memory = std::move(*made);
    if (!made || !read_all(file, memory.bytes())) doubt = "it cannot be read";
  }
  close(file);
  if (!doubt.empty()) return std::unexpected(fmt::format("{}/{}: {}", path_, kept_name, doubt));
  return memory;
}

std::expected<void, Error> KeepFolder::write(u64 bytes_most, const std::function<u64(std::span<std::byte>)>& fill) {
  const int file = openat(folder_, fresh_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return std::unexpected(wrong(fresh_name));
  auto filled = fill_file(file, bytes_most, fill);
  constexpr std::size_t mark_at = offsetof(KeptHead, mark);
  const bool stands = filled && fchmod(file, 0600) == 0 && renameat(folder_, fresh_name, folder_, kept_name) == 0 &&
                      fsync(folder_) == 0 && write_word(file, mark_at, KeptHead::mark_value) && fsync(file) == 0;
  Error why = wrong(kept_name);
  if (!filled) why.sentence = fmt::format("{}/{}: {}", path_, fresh_name, filled.error().sentence);
  close(file);
  if (stands) return {};
  unlinkat(folder_, fresh_name, 0);
  unlinkat(folder_, kept_name, 0);
  return std::unexpected(why);
}

}  // namespace weir::edge
