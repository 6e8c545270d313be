// The pcap half of reader.hpp, and the choice between the two formats.
#include "tools/capture/reader.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::capture {
namespace {

constexpr u32 magic_microseconds = 0xa1b2c3d4;
constexpr u32 magic_nanoseconds = 0xa1b23c4d;
constexpr u32 pcapng_section_header = 0x0a0d0d0a;
constexpr u32 link_type_ethernet = 1;
constexpr std::size_t file_header_bytes = 24;
constexpr std::size_t packet_header_bytes = 16;

}  // namespace

u32 PcapReader::field(const std::byte* at) const {
  const u32 value = load<u32>(at);
  return swapped_ ? swap(value) : value;
}

std::expected<PcapReader, CaptureError> PcapReader::open(ByteStream stream) {
  PcapReader reader(std::move(stream));
  const auto header = reader.stream_.take(file_header_bytes);
  if (header.size() < file_header_bytes) return std::unexpected(reader.stream_.cut_off(0, "the pcap file header"));
  const u32 magic = load<u32>(header.data());
  reader.swapped_ = magic == swap(magic_microseconds) || magic == swap(magic_nanoseconds);
  reader.fractions_per_microsecond_ = reader.field(header.data()) == magic_nanoseconds ? 1000 : 1;
  const u32 version = reader.swapped_ ? swap(load<u16>(header.data() + 4)) : load<u16>(header.data() + 4);
  if (version != 2) return std::unexpected(reader.stream_.error(4, fmt::format("pcap version {}, not 2", version)));
  const u32 link = reader.field(header.data() + 20);
  if ((link & 0xffff) != link_type_ethernet)
    return std::unexpected(reader.stream_.error(20, fmt::format("link type {}, not Ethernet (1)", link & 0xffff)));
  // Bit 26 says that the frames end in a checksum, the top four bits how many 16-bit words of it.
  if ((link & 1u << 26) != 0 && link >> 28 != 0)
    return std::unexpected(reader.stream_.error(20, "the frames carry their Ethernet checksum (FCS); strip it first"));
  return reader;
}

std::expected<bool, CaptureError> PcapReader::next(CapturedPacket& packet) {
  const u64 start = stream_.offset();
  const auto header = stream_.take(packet_header_bytes);
  if (header.empty() && stream_.failure() == 0) return false;
  if (header.size() < packet_header_bytes) return std::unexpected(stream_.cut_off(start, "a packet's header"));
  const u64 seconds = field(header.data());
  const u32 fraction = field(header.data() + 4);
  const u32 bytes = field(header.data() + 8);
  packet.time = std::min(seconds * tick_second + fraction / fractions_per_microsecond_, time_max);
  packet.offset = start;
  packet.interface = 0;
  packet.original_bytes = std::max(bytes, field(header.data() + 12));
  if (bytes > frame_bytes_max)
    return std::unexpected(
        stream_.error(start + 8, fmt::format("a packet of {} bytes; the largest frame is {}", bytes, frame_bytes_max)));
  packet.bytes = stream_.take(bytes);
  if (packet.bytes.size() < bytes)
    return std::unexpected(stream_.cut_off(start, fmt::format("a packet of {} bytes", bytes)));
  return true;
}

std::expected<CaptureReader, CaptureError> CaptureReader::open(const std::string& path) {
  auto stream = ByteStream::open(path);
  if (!stream) return std::unexpected(stream.error());
  return from(std::move(*stream));
}

std::expected<CaptureReader, CaptureError> CaptureReader::over(std::span<const std::byte> bytes, std::string name) {
  return from(ByteStream::over(bytes, std::move(name)));
}

std::expected<CaptureReader, CaptureError> CaptureReader::from(ByteStream stream) {
  const auto head = stream.peek(4);
  if (head.size() < 4) return std::unexpected(stream.cut_off(0, "the first four bytes: no capture"));
  const u32 magic = load<u32>(head.data());
  const auto as_capture = [](auto reader) -> std::expected<CaptureReader, CaptureError> {
    if (!reader) return std::unexpected(reader.error());
    return CaptureReader(std::move(*reader));
  };
  if (magic == pcapng_section_header) return as_capture(PcapngReader::open(std::move(stream)));
  for (const u32 known : {magic_microseconds, magic_nanoseconds})
    if (magic == known || magic == swap(known)) return as_capture(PcapReader::open(std::move(stream)));
  return std::unexpected(stream.error(0, fmt::format("neither pcap nor pcapng (first bytes {:08x})", swap(magic))));
}

}  // namespace weir::capture
