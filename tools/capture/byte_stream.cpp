#include "tools/capture/byte_stream.hpp"

#include "dataplane/base/check.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <utility>

namespace weir::capture {

std::string CaptureError::text() const { return path + ": byte " + std::to_string(offset) + ": " + sentence; }

std::expected<ByteStream, CaptureError> ByteStream::open(const std::string& path) {
  ByteStream stream;
  stream.name_ = path;
  stream.file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (stream.file_ < 0)
    return std::unexpected(stream.error(0, std::string("cannot be opened: ") + std::strerror(errno)));
  stream.buffer_.resize(2 * take_bytes_max);
  return stream;
}

ByteStream ByteStream::over(std::span<const std::byte> bytes, std::string name) {
  ByteStream stream;
  stream.name_ = std::move(name);
  stream.ready_ = bytes;
  return stream;
}

ByteStream::ByteStream(ByteStream&& other) noexcept
    : name_(std::move(other.name_)),
      file_(std::exchange(other.file_, -1)),
      buffer_(std::move(other.buffer_)),
      ready_(std::exchange(other.ready_, {})),
      offset_(other.offset_),
      failure_(other.failure_) {}

ByteStream& ByteStream::operator=(ByteStream&& other) noexcept {
  std::swap(name_, other.name_);
  std::swap(file_, other.file_);
  std::swap(buffer_, other.buffer_);
  std::swap(ready_, other.ready_);
  std::swap(offset_, other.offset_);
  std::swap(failure_, other.failure_);
  return *this;
}

ByteStream::~ByteStream() {
  if (file_ >= 0) ::close(file_);
}

void ByteStream::fill(std::size_t bytes) {
  WEIR_CHECK(bytes <= take_bytes_max);
  if (file_ < 0 || ready_.size() >= bytes) return;
  if (!ready_.empty()) std::memmove(buffer_.data(), ready_.data(), ready_.size());
  std::size_t have = ready_.size();
  while (have < bytes && failure_ == 0) {
    const ssize_t got = ::read(file_, buffer_.data() + have, buffer_.size() - have);
    if (got > 0) have += static_cast<std::size_t>(got);
    else if (got == 0) break;
    else if (errno != EINTR) failure_ = errno;
  }
  ready_ = {buffer_.data(), have};
}

std::span<const std::byte> ByteStream::peek(std::size_t bytes) {
  fill(bytes);
  return ready_.first(std::min(bytes, ready_.size()));
}

std::span<const std::byte> ByteStream::take(std::size_t bytes) {
  const auto taken = peek(bytes);
  ready_ = ready_.subspan(taken.size());
  offset_ += taken.size();
  return taken;
}

bool ByteStream::skip(u64 bytes) {
  while (bytes > 0) {
    const auto step = static_cast<std::size_t>(std::min<u64>(bytes, take_bytes_max));
    if (take(step).size() < step) return false;
    bytes -= step;
  }
  return true;
}

CaptureError ByteStream::error(u64 offset, std::string sentence) const { return {name_, offset, std::move(sentence)}; }

CaptureError ByteStream::cut_off(u64 offset, const std::string& what) const {
  if (failure_ != 0) return error(offset_, std::string("reading failed: ") + std::strerror(failure_));
  return error(offset, "the file ends inside " + what);
}

}  // namespace weir::capture
