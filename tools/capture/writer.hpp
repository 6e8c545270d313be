// Packets into a capture file: pcap in microseconds, or pcapng with a comment on each packet. The times are the
// caller's; nothing here asks a clock. Errors stick and are told by close(), so that writing needs no check per packet.
#pragma once
#include "dataplane/base/tick.hpp"

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::capture {

// A file written through a buffer. Truncates what was there. `-` is standard output.
class OutputFile {
 public:
  static std::expected<OutputFile, std::string> create(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  // What was written is with the kernel, for who reads along.
  void flush();
  // False once a write has failed.
  bool is_well() const { return failure_ == 0; }
  // Flushes and closes; the first error since create(), as a sentence that names the file.
  std::expected<void, std::string> close();

 private:
  OutputFile(std::string path, int file);

  std::string path_;
  int file_;
  int failure_ = 0;  // errno of the first write that failed
  std::vector<std::byte> buffer_;
};

class PcapWriter {
 public:
  static std::expected<PcapWriter, std::string> create(const std::string& path);
  void write(Tick time, std::span<const std::byte> frame, u32 original_bytes);
  std::expected<void, std::string> close() { return file_.close(); }

 private:
  explicit PcapWriter(OutputFile file) : file_(std::move(file)) {}
  OutputFile file_;
};

class PcapngWriter {
 public:
  // One Ethernet interface for each name, in microseconds.
  static std::expected<PcapngWriter, std::string> create(const std::string& path,
                                                         std::span<const std::string> interface_names);
  // `comment` is UTF-8, shown beside the packet; cut at 65,535 bytes, absent when empty.
  void write(u32 interface, Tick time, std::span<const std::byte> frame, u32 original_bytes, std::string_view comment);
  void flush() { file_.flush(); }
  bool is_well() const { return file_.is_well(); }
  std::expected<void, std::string> close() { return file_.close(); }

 private:
  explicit PcapngWriter(OutputFile file) : file_(std::move(file)) {}
  void block(u32 type);

  OutputFile file_;
  std::vector<std::byte> body_;  // of the block being made
};

}  // namespace weir::capture
