// The packets of a port pair in the order in which they are judged: two captures merged by time (ties inside first,
// then file order), or one capture whose packets are told apart by interface or by source address. Time never goes
// back: a step back is held at the last time.
#pragma once
#include "tools/capture/reader.hpp"

#include <array>
#include <optional>

namespace weir::capture {

// An address range by its leading bits; IPv4 as four bytes, IPv6 as sixteen.
struct Prefix {
  std::array<u8, 16> bytes{};
  u32 address_bytes = 4;
  u32 bits = 0;

  // "10.20.0.0/18", "fd20:a::/48", or an address alone. Bits behind the length are ignored.
  static std::optional<Prefix> parse(const std::string& text);
  bool covers(std::span<const std::byte> address) const;
};

// The source address as a frame claims it (IPv4, IPv6, the sender of ARP; behind up to two VLAN tags), 4 or 16 bytes;
// empty when there is none. Only tells the sides of a single capture apart: nothing is decided by it.
std::span<const std::byte> claimed_source(std::span<const std::byte> frame);

struct MergedPacket {
  Tick time;
  u8 side;                           // 0 inside, 1 outside
  u32 original_bytes;
  std::span<const std::byte> bytes;  // valid until the next packet is asked for
};

class MergedInput {
 public:
  // Either may be absent.
  static MergedInput pair(std::optional<CaptureReader> inside, std::optional<CaptureReader> outside);
  // pcapng: interface 0 is the inside port, 1 the outside; another number is an error.
  static MergedInput by_interface(CaptureReader reader);
  // Inside when the source lies in one of `prefixes`, outside otherwise and when the frame claims no source.
  static MergedInput by_prefix(CaptureReader reader, std::vector<Prefix> prefixes);

  // False when everything has been handed out.
  std::expected<bool, CaptureError> next(MergedPacket& packet);

 private:
  enum class Sides { by_file, by_interface, by_prefix };
  struct Input {
    CaptureReader reader;
    CapturedPacket head{};
    bool wanted = true;   // head is used up: read before looking
    bool ended = false;
  };

  std::expected<u8, CaptureError> side_of(const Input& input) const;

  Sides sides_ = Sides::by_file;
  std::optional<Input> inputs_[2];   // by side, or the first alone
  std::vector<Prefix> prefixes_;
  Tick last_time_ = 0;
};

}  // namespace weir::capture
