// Bytes of a file or of memory, forward only, through one buffer of fixed size: a file of any length is read without
// being held. It knows no format; it counts the offset for messages.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <expected>
#include <string>
#include <vector>

namespace weir::capture {

// What is wrong with a capture, and where. `offset` is that of the block or field which does not hold.
struct CaptureError {
  std::string path;
  u64 offset = 0;
  std::string sentence;

  std::string text() const;  // "a.pcap: byte 24: the packet ..."
};

class ByteStream {
 public:
  static constexpr std::size_t take_bytes_max = 512 * 1024;

  static std::expected<ByteStream, CaptureError> open(const std::string& path);
  // Reads `bytes`, which outlive the stream.
  static ByteStream over(std::span<const std::byte> bytes, std::string name);

  ByteStream(ByteStream&& other) noexcept;
  ByteStream& operator=(ByteStream&& other) noexcept;
  ~ByteStream();

  // The next `bytes` (at most take_bytes_max) bytes, valid until the next call; fewer only at the end of the file.
  std::span<const std::byte> take(std::size_t bytes);
  // The same without moving on.
  std::span<const std::byte> peek(std::size_t bytes);
  // Moves on without looking; false when the file ends before.
  bool skip(u64 bytes);

  u64 offset() const { return offset_; }
  const std::string& name() const { return name_; }
  // An errno of a failed read: what looks like the end of the file is none. 0 when all is well.
  int failure() const { return failure_; }
  CaptureError error(u64 offset, std::string sentence) const;
  // For what the file ended in the middle of ("the packet's 60 bytes").
  CaptureError cut_off(u64 offset, const std::string& what) const;

 private:
  ByteStream() = default;
  void fill(std::size_t bytes);

  std::string name_;
  int file_ = -1;                        // -1: everything is in `ready_` from the start
  std::vector<std::byte> buffer_;
  std::span<const std::byte> ready_;     // read, not yet taken
  u64 offset_ = 0;                       // of ready_'s start in the file
  int failure_ = 0;
};

}  // namespace weir::capture
