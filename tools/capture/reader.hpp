// Packets out of a capture file, one at a time: pcap (both byte orders, micro- and nanoseconds) and pcapng (any
// sections, interfaces, options and blocks). Only Ethernet. It holds one packet, whatever the file's length, and never
// guesses: what does not hold is an error with its offset.
//
// Sources: draft-ietf-opsawg-pcap (pcap), draft-ietf-opsawg-pcapng (pcapng).
#pragma once
#include "dataplane/base/tick.hpp"
#include "tools/capture/byte_stream.hpp"

#include <span>
#include <variant>

namespace weir::capture {

inline constexpr u32 frame_bytes_max = 256 * 1024;
inline constexpr u32 interfaces_max = 4096;  // of one pcapng section
// Seconds of a pcap are 32 bits wide; a later time could not be written out again.
inline constexpr Tick time_max = Tick{0xffff'ffff} * tick_second + 999'999;

struct CapturedPacket {
  Tick time = 0;                     // as captured, cut to whole microseconds; may step back
  u64 offset = 0;                    // of its header in the file, for messages
  u32 interface = 0;                 // of its pcapng section; 0 in pcap
  u32 original_bytes = 0;            // on the wire; never below bytes.size()
  std::span<const std::byte> bytes;  // what the snap length left; valid until the next packet is read
};

class PcapReader {
 public:
  // `stream` stands before the file header.
  static std::expected<PcapReader, CaptureError> open(ByteStream stream);
  // False at the end of the file.
  std::expected<bool, CaptureError> next(CapturedPacket& packet);
  const std::string& name() const { return stream_.name(); }

 private:
  explicit PcapReader(ByteStream stream) : stream_(std::move(stream)) {}
  u32 field(const std::byte* at) const;

  ByteStream stream_;
  bool swapped_ = false;
  u32 fractions_per_microsecond_ = 1;
};

class PcapngReader {
 public:
  static std::expected<PcapngReader, CaptureError> open(ByteStream stream);
  std::expected<bool, CaptureError> next(CapturedPacket& packet);
  const std::string& name() const { return stream_.name(); }

 private:
  // What an interface description says of its packets' times and sizes.
  struct Interface {
    u32 snap_bytes = 0;        // 0: no limit
    u8 resolution = 6;         // if_tsresol: 10^-n, or 2^-n with the high bit
    std::int64_t offset_s = 0; // if_tsoffset
  };
  struct Block {
    u64 offset;
    u32 type, bytes;
    u32 left;                  // of the body, not yet taken
  };

  explicit PcapngReader(ByteStream stream) : stream_(std::move(stream)) {}
  u16 field16(const std::byte* at) const;
  u32 field32(const std::byte* at) const;
  std::expected<bool, CaptureError> begin_block(Block& block);
  std::expected<void, CaptureError> end_block(Block& block);
  std::expected<std::span<const std::byte>, CaptureError> body(Block& block, u32 bytes, const char* what);
  std::expected<void, CaptureError> section(Block& block);
  std::expected<void, CaptureError> interface_description(Block& block);
  std::expected<void, CaptureError> interface_option(const Block& block, Interface& interface, u16 code,
                                                     std::span<const std::byte> value);
  std::expected<void, CaptureError> packet(Block& block, CapturedPacket& packet);
  std::expected<void, CaptureError> simple_packet(Block& block, CapturedPacket& packet);
  std::expected<void, CaptureError> frame(Block& block, CapturedPacket& packet, u32 captured_bytes);
  std::expected<Tick, CaptureError> time_of(const Block& block, const Interface& interface, u64 units) const;

  ByteStream stream_;
  bool swapped_ = false;
  std::vector<Interface> interfaces_;  // of the current section
  std::vector<std::byte> frame_;       // the options behind a frame are read before it is handed out
  Tick last_time_ = 0;                 // simple packets have none of their own
};

class CaptureReader {
 public:
  static std::expected<CaptureReader, CaptureError> open(const std::string& path);
  static std::expected<CaptureReader, CaptureError> over(std::span<const std::byte> bytes, std::string name);

  std::expected<bool, CaptureError> next(CapturedPacket& packet) {
    return std::visit([&](auto& reader) { return reader.next(packet); }, reader_);
  }
  const std::string& name() const {
    return std::visit([](const auto& reader) -> const std::string& { return reader.name(); }, reader_);
  }
  bool is_pcapng() const { return std::holds_alternative<PcapngReader>(reader_); }

 private:
  static std::expected<CaptureReader, CaptureError> from(ByteStream stream);
  explicit CaptureReader(std::variant<PcapReader, PcapngReader> reader) : reader_(std::move(reader)) {}

  std::variant<PcapReader, PcapngReader> reader_;
};

}  // namespace weir::capture
