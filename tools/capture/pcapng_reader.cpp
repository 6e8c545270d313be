// The pcapng half of reader.hpp.
#include "tools/capture/reader.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <limits>
#include <utility>

namespace weir::capture {
namespace {

enum BlockType : u32 {
  section_header = 0x0a0d0d0a,
  interface_block = 1,
  obsolete_packet = 2,
  simple_packet_block = 3,
  enhanced_packet = 6,
};
constexpr u32 byte_order_magic = 0x1a2b3c4d;
constexpr u32 block_frame_bytes = 12;  // type and length before the body, the length again behind it
constexpr u16 link_type_ethernet = 1;
enum OptionCode : u16 { option_end = 0, if_tsresol = 9, if_fcslen = 13, if_tsoffset = 14 };

u32 padded(u32 bytes) { return (bytes + 3) & ~u32{3}; }

}  // namespace

u16 PcapngReader::field16(const std::byte* at) const { return swapped_ ? swap(load<u16>(at)) : load<u16>(at); }
u32 PcapngReader::field32(const std::byte* at) const { return swapped_ ? swap(load<u32>(at)) : load<u32>(at); }

std::expected<PcapngReader, CaptureError> PcapngReader::open(ByteStream stream) {
  PcapngReader reader(std::move(stream));
  Block block{};
  if (auto begun = reader.begin_block(block); !begun) return std::unexpected(begun.error());
  if (auto done = reader.section(block); !done) return std::unexpected(done.error());
  return reader;
}

std::expected<bool, CaptureError> PcapngReader::next(CapturedPacket& packet) {
  for (;;) {
    Block block{};
    const auto begun = begin_block(block);
    if (!begun || !*begun) return begun;
    const bool is_packet =
        block.type == enhanced_packet || block.type == obsolete_packet || block.type == simple_packet_block;
    const auto done = block.type == section_header        ? section(block)
                      : block.type == interface_block     ? interface_description(block)
                      : block.type == simple_packet_block ? simple_packet(block, packet)
                      : is_packet                         ? this->packet(block, packet)
                                                          : end_block(block);
    if (!done) return std::unexpected(done.error());
    if (is_packet) return true;
  }
}

// A section header says the byte order of everything up to the next one, its own length included.
std::expected<bool, CaptureError> PcapngReader::begin_block(Block& block) {
  block.offset = stream_.offset();
  const auto head = stream_.peek(block_frame_bytes);
  if (head.empty() && stream_.failure() == 0) return false;
  if (head.size() < block_frame_bytes) return std::unexpected(stream_.cut_off(block.offset, "a block's header"));
  if (load<u32>(head.data()) == section_header) {
    const u32 magic = load<u32>(head.data() + 8);
    if (magic != byte_order_magic && magic != swap(byte_order_magic))
      return std::unexpected(stream_.error(block.offset + 8, "a section header without its byte-order magic"));
    swapped_ = magic != byte_order_magic;
  }
  block.type = field32(head.data());
  block.bytes = field32(head.data() + 4);
  if (block.bytes < block_frame_bytes || block.bytes % 4 != 0)
    return std::unexpected(stream_.error(block.offset + 4, fmt::format("a block length of {}", block.bytes)));
  block.left = block.bytes - block_frame_bytes;
  stream_.skip(8);
  return true;
}

std::expected<void, CaptureError> PcapngReader::end_block(Block& block) {
  if (!stream_.skip(block.left))
    return std::unexpected(stream_.cut_off(block.offset, fmt::format("a block of {} bytes", block.bytes)));
  const auto tail = stream_.take(4);
  if (tail.size() < 4)
    return std::unexpected(stream_.cut_off(block.offset, fmt::format("a block of {} bytes", block.bytes)));
  if (const u32 again = field32(tail.data()); again != block.bytes)
    return std::unexpected(
        stream_.error(block.offset, fmt::format("a block begins with length {}, ends with {}", block.bytes, again)));
  return {};
}

// The next `bytes` of the block's body.
std::expected<std::span<const std::byte>, CaptureError> PcapngReader::body(Block& block, u32 bytes, const char* what) {
  if (block.left < bytes)
    return std::unexpected(
        stream_.error(block.offset, fmt::format("a block of {} bytes is too short for {}", block.bytes, what)));
  const auto taken = stream_.take(bytes);
  if (taken.size() < bytes)
    return std::unexpected(stream_.cut_off(block.offset, fmt::format("a block of {} bytes", block.bytes)));
  block.left -= bytes;
  return taken;
}

std::expected<void, CaptureError> PcapngReader::section(Block& block) {
  const auto fixed = body(block, 16, "a section header");
  if (!fixed) return std::unexpected(fixed.error());
  if (const u16 major = field16(fixed->data() + 4); major != 1)
    return std::unexpected(stream_.error(block.offset + 12, fmt::format("pcapng version {}, not 1", major)));
  interfaces_.clear();
  return end_block(block);
}

std::expected<void, CaptureError> PcapngReader::interface_description(Block& block) {
  const auto fixed = body(block, 8, "an interface description");
  if (!fixed) return std::unexpected(fixed.error());
  if (const u16 link = field16(fixed->data()); link != link_type_ethernet)
    return std::unexpected(stream_.error(
        block.offset + 8, fmt::format("interface {} has link type {}, not Ethernet (1)", interfaces_.size(), link)));
  if (interfaces_.size() == interfaces_max)
    return std::unexpected(stream_.error(block.offset, fmt::format("more than {} interfaces", interfaces_max)));
  Interface interface;
  interface.snap_bytes = field32(fixed->data() + 4);
  while (block.left >= 4) {
    const auto option = body(block, 4, "an option");
    if (!option) return std::unexpected(option.error());
    const u16 code = field16(option->data()), bytes = field16(option->data() + 2);
    if (code == option_end) break;
    const auto value = body(block, padded(bytes), "an interface option");
    if (!value) return std::unexpected(value.error());
    const auto taken = interface_option(block, interface, code, value->first(bytes));
    if (!taken) return taken;
  }
  interfaces_.push_back(interface);
  return end_block(block);
}

std::expected<void, CaptureError> PcapngReader::interface_option(const Block& block, Interface& interface, u16 code,
                                                                 std::span<const std::byte> value) {
  const auto wrong = [&](const char* name) {
    return std::unexpected(stream_.error(block.offset, fmt::format("an {} option of {} bytes", name, value.size())));
  };
  if (code == if_tsresol) {
    if (value.size() != 1) return wrong("if_tsresol");
    interface.resolution = static_cast<u8>(value[0]);
  } else if (code == if_tsoffset) {
    if (value.size() != 8) return wrong("if_tsoffset");
    const u64 raw = load<u64>(value.data());
    interface.offset_s = static_cast<std::int64_t>(swapped_ ? swap(raw) : raw);
  } else if (code == if_fcslen) {
    if (value.size() != 1) return wrong("if_fcslen");
    if (value[0] != std::byte{0})
      return std::unexpected(
          stream_.error(block.offset, "the frames carry their Ethernet checksum (FCS); strip it first"));
  }
  return {};
}

std::expected<void, CaptureError> PcapngReader::packet(Block& block, CapturedPacket& packet) {
  const auto fixed = body(block, 20, "a packet block");
  if (!fixed) return std::unexpected(fixed.error());
  const std::byte* at = fixed->data();
  packet.interface = block.type == obsolete_packet ? field16(at) : field32(at);
  if (packet.interface >= interfaces_.size())
    return std::unexpected(
        stream_.error(block.offset + 8, fmt::format("a packet of interface {}, but the section describes only {}",
                                                    packet.interface, interfaces_.size())));
  const auto time = time_of(block, interfaces_[packet.interface], u64{field32(at + 4)} << 32 | field32(at + 8));
  if (!time) return std::unexpected(time.error());
  packet.time = last_time_ = *time;
  packet.original_bytes = field32(at + 16);
  return frame(block, packet, field32(at + 12));
}

// No time and no captured length of its own: the last time stands, the interface's snap length cuts.
std::expected<void, CaptureError> PcapngReader::simple_packet(Block& block, CapturedPacket& packet) {
  if (interfaces_.empty())
    return std::unexpected(stream_.error(block.offset, "a simple packet before any interface description"));
  const auto fixed = body(block, 4, "a simple packet block");
  if (!fixed) return std::unexpected(fixed.error());
  packet.interface = 0;
  packet.time = last_time_;
  packet.original_bytes = field32(fixed->data());
  const u32 snap_bytes = interfaces_[0].snap_bytes;
  return frame(block, packet, snap_bytes == 0 ? packet.original_bytes : std::min(packet.original_bytes, snap_bytes));
}

std::expected<void, CaptureError> PcapngReader::frame(Block& block, CapturedPacket& packet, u32 captured_bytes) {
  if (captured_bytes > frame_bytes_max)
    return std::unexpected(stream_.error(
        block.offset, fmt::format("a packet of {} bytes; the largest frame is {}", captured_bytes, frame_bytes_max)));
  const auto bytes = body(block, captured_bytes, "its packet");
  if (!bytes) return std::unexpected(bytes.error());
  packet.offset = block.offset;
  frame_.assign(bytes->begin(), bytes->end());
  packet.bytes = frame_;
  packet.original_bytes = std::max(packet.original_bytes, captured_bytes);
  return end_block(block);
}

std::expected<Tick, CaptureError> PcapngReader::time_of(const Block& block, const Interface& interface,
                                                        u64 units) const {
  // 64 bits of units times 10^6 fit 84 bits; a finer unit than any 64-bit count of it makes zero.
  unsigned __int128 time = units;
  const u32 exponent = interface.resolution & 0x7f;
  if ((interface.resolution & 0x80) != 0) {
    time = time * tick_second >> exponent;
  } else {
    for (u32 finer = 6; finer < exponent && time != 0; ++finer) time /= 10;
    for (u32 coarser = exponent; coarser < 6; ++coarser) time *= 10;
  }
  const auto offset = static_cast<__int128>(interface.offset_s) * static_cast<__int128>(tick_second);
  const __int128 sum = static_cast<__int128>(time) + offset;
  if (sum < 0 || sum > static_cast<__int128>(time_max))
    return std::unexpected(stream_.error(block.offset, "a time before 1970 or after 2106"));
  return static_cast<Tick>(sum);
}

}  // namespace weir::capture
