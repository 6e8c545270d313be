#include "dataplane/ledger/storage.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <memory>
#include <utility>

namespace weir::ledger {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

class Folder {
 public:
  Folder(std::string path, Descriptor descriptor) : path_(std::move(path)), folder_(std::move(descriptor)) {}

  std::expected<std::optional<Bytes>, Error> read(const std::string& name) const {
    const Descriptor file(::openat(folder_.number(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.is_open() && errno == ENOENT) return std::nullopt;
    struct stat about{};
    if (!file.is_open() || ::fstat(file.number(), &about) != 0) return std::unexpected(wrong("read", name));
    Bytes bytes(static_cast<std::size_t>(about.st_size));
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t got = ::read(file.number(), bytes.data() + at, bytes.size() - at);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return std::unexpected(wrong("read", name));
      if (got == 0) bytes.resize(at);
      at += static_cast<std::size_t>(got);
    }
    return bytes;
  }

  Done create(const std::string& name) {
    file_ = Descriptor(::openat(folder_.number(), name.c_str(),
                                O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    return done(file_.is_open(), "create", name);
  }

  Done append(const std::string& name, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_.number(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return std::unexpected(wrong("write", name));
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
  }

  Done sync(const std::string& name) { return done(::fdatasync(file_.number()) == 0, "sync", name); }
  Done rename(const std::string& from, const std::string& to) {
    return done(::renameat(folder_.number(), from.c_str(), folder_.number(), to.c_str()) == 0, "rename", from);
  }
  Done sync_folder() { return done(::fsync(folder_.number()) == 0, "sync", "."); }

 private:
  Error wrong(const char* verb, const std::string& name) const {
    return system_error(std::string("cannot ") + verb + " " + path_ + "/" + name);
  }
  Done done(bool well, const char* verb, const std::string& name) const {
    if (well) return {};
    return std::unexpected(wrong(verb, name));
  }

  std::string path_;
  Descriptor folder_, file_;  // file_: the one that was created last
};

}  // namespace

std::expected<Storage, Error> files_in(const std::string& path) {
  Descriptor opened(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.is_open()) return std::unexpected(system_error("cannot open the ledger's folder " + path));
  if (::flock(opened.number(), LOCK_EX | LOCK_NB) != 0)
    return std::unexpected(system_error("cannot lock the ledger's folder " + path + " (another Weir writes it)"));
  const auto folder = std::make_shared<Folder>(path, std::move(opened));
  Storage made;
  made.read = [folder](const std::string& name) { return folder->read(name); };
  made.create = [folder](const std::string& name) { return folder->create(name); };
  made.append = [folder](const std::string& name, std::span<const std::byte> bytes) {
    return folder->append(name, bytes);
  };
  made.sync = [folder](const std::string& name) { return folder->sync(name); };
  made.rename = [folder](const std::string& from, const std::string& to) { return folder->rename(from, to); };
  made.sync_folder = [folder] { return folder->sync_folder(); };
  made.folder = path;
  return made;
}

}  // namespace weir::ledger
