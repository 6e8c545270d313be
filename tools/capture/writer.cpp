#include "tools/capture/writer.hpp"

#include "tools/capture/reader.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::capture {
namespace {

constexpr std::size_t buffer_bytes = 1 << 20;

template <class T>
void append(std::vector<std::byte>& to, T value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void append_padded(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
  to.resize((to.size() + 3) & ~std::size_t{3});
}

void append_option(std::vector<std::byte>& to, u16 code, std::span<const std::byte> value) {
  append(to, code);
  append(to, static_cast<u16>(value.size()));
  append_padded(to, value);
}

// The longest front of `text` that fits an option without cutting a character.
std::string_view option_text(std::string_view text) {
  std::size_t bytes = std::min<std::size_t>(text.size(), 0xffff);
  if (bytes < text.size())
    while (bytes > 0 && (static_cast<u8>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

OutputFile::OutputFile(std::string path, int file) : path_(std::move(path)), file_(file) {
  buffer_.reserve(buffer_bytes);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      failure_(other.failure_),
      buffer_(std::exchange(other.buffer_, {})) {}

OutputFile::~OutputFile() {
  if (file_ >= 0) (void)close();
}

std::expected<OutputFile, std::string> OutputFile::create(const std::string& path) {
  const int file = path == "-" ? ::dup(STDOUT_FILENO)
                               : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return std::unexpected(path + ": cannot be written: " + std::strerror(errno));
  return OutputFile(path, file);
}

void OutputFile::write(std::span<const std::byte> bytes) {
  if (buffer_.size() + bytes.size() > buffer_bytes) flush();
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

void OutputFile::flush() {
  for (std::size_t done = 0; done < buffer_.size() && failure_ == 0;) {
    const ssize_t wrote = ::write(file_, buffer_.data() + done, buffer_.size() - done);
    if (wrote >= 0) done += static_cast<std::size_t>(wrote);
    else if (errno != EINTR) failure_ = errno;
  }
  buffer_.clear();
}

std::expected<void, std::string> OutputFile::close() {
  flush();
  if (::close(std::exchange(file_, -1)) != 0 && failure_ == 0) failure_ = errno;
  if (failure_ != 0) return std::unexpected(path_ + ": writing failed: " + std::strerror(failure_));
  return {};
}

std::expected<PcapWriter, std::string> PcapWriter::create(const std::string& path) {
  auto file = OutputFile::create(path);
  if (!file) return std::unexpected(file.error());
  struct {
    u32 magic = 0xa1b2c3d4;
    u16 major = 2, minor = 4;
    u32 zone = 0, accuracy = 0, snap_bytes = frame_bytes_max, link = 1;
  } const header;
  file->write(std::as_bytes(std::span(&header, 1)));
  return PcapWriter(std::move(*file));
}

void PcapWriter::write(Tick time, std::span<const std::byte> frame, u32 original_bytes) {
  const u32 header[] = {static_cast<u32>(time / tick_second), static_cast<u32>(time % tick_second),
                        static_cast<u32>(frame.size()), original_bytes};
  file_.write(std::as_bytes(std::span(header)));
  file_.write(frame);
}

std::expected<PcapngWriter, std::string> PcapngWriter::create(const std::string& path,
                                                              std::span<const std::string> interface_names) {
  auto file = OutputFile::create(path);
  if (!file) return std::unexpected(file.error());
  PcapngWriter writer(std::move(*file));
  append(writer.body_, u32{0x1a2b3c4d});
  append(writer.body_, u32{1});        // version 1.0
  append(writer.body_, ~u64{0});       // the section's length is not given
  append_option(writer.body_, 4, as_bytes("weir"));  // shb_userappl
  append(writer.body_, u32{0});
  writer.block(0x0a0d0d0a);
  for (const std::string& name : interface_names) {
    append(writer.body_, u32{1});      // Ethernet
    append(writer.body_, frame_bytes_max);
    append_option(writer.body_, 2, as_bytes(option_text(name)));  // if_name
    append_option(writer.body_, 9, as_bytes("\6"));               // if_tsresol: microseconds
    append(writer.body_, u32{0});
    writer.block(1);
  }
  return writer;
}

void PcapngWriter::write(u32 interface, Tick time, std::span<const std::byte> frame, u32 original_bytes,
                         std::string_view comment) {
  append(body_, interface);
  append(body_, static_cast<u32>(time >> 32));
  append(body_, static_cast<u32>(time));
  append(body_, static_cast<u32>(frame.size()));
  append(body_, original_bytes);
  append_padded(body_, frame);
  if (!comment.empty()) {
    append_option(body_, 1, as_bytes(option_text(comment)));
    append(body_, u32{0});
  }
  block(6);
}

void PcapngWriter::block(u32 type) {
  const u32 bytes = static_cast<u32>(body_.size() + 12);
  const u32 head[] = {type, bytes};
  file_.write(std::as_bytes(std::span(head)));
  file_.write(body_);
  file_.write(std::as_bytes(std::span(&bytes, 1)));
  body_.clear();
}

}  // namespace weir::capture
