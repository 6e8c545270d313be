#include "tools/capture/merge.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <algorithm>
#include <charconv>

namespace weir::capture {

std::expected<bool, CaptureError> MergedInput::next(MergedPacket& packet) {
  Input* chosen = nullptr;
  for (auto& input : inputs_) {
    if (!input || input->ended) continue;
    if (input->wanted) {
      const auto read = input->reader.next(input->head);
      if (!read) return std::unexpected(read.error());
      input->wanted = false;
      if ((input->ended = !*read)) continue;
    }
    if (chosen == nullptr || input->head.time < chosen->head.time) chosen = &*input;
  }
  if (chosen == nullptr) return false;
  chosen->wanted = true;
  const auto side = side_of(*chosen);
  if (!side) return std::unexpected(side.error());
  last_time_ = std::max(last_time_, chosen->head.time);
  packet = {last_time_, *side, chosen->head.original_bytes, chosen->head.bytes};
  return true;
}

std::expected<u8, CaptureError> MergedInput::side_of(const Input& input) const {
  const CapturedPacket& packet = input.head;
  if (sides_ == Sides::by_file) return static_cast<u8>(inputs_[0] && &input == &*inputs_[0] ? 0 : 1);
  if (sides_ == Sides::by_interface) {
    if (packet.interface < 2) return static_cast<u8>(packet.interface);
    return std::unexpected(CaptureError{
        input.reader.name(), packet.offset,
        fmt::format("a packet of interface {}: 0 is the inside port and 1 the outside, else give --inside-prefix",
                    packet.interface)});
  }
  const auto source = claimed_source(packet.bytes);
  const bool inside = std::ranges::any_of(prefixes_, [&](const Prefix& prefix) { return prefix.covers(source); });
  return static_cast<u8>(inside ? 0 : 1);
}

MergedInput MergedInput::pair(std::optional<CaptureReader> inside, std::optional<CaptureReader> outside) {
  MergedInput merged;
  if (inside) merged.inputs_[0].emplace(std::move(*inside));
  if (outside) merged.inputs_[1].emplace(std::move(*outside));
  return merged;
}

MergedInput MergedInput::by_interface(CaptureReader reader) {
  MergedInput merged = pair(std::move(reader), std::nullopt);
  merged.sides_ = Sides::by_interface;
  return merged;
}

MergedInput MergedInput::by_prefix(CaptureReader reader, std::vector<Prefix> prefixes) {
  MergedInput merged = pair(std::move(reader), std::nullopt);
  merged.sides_ = Sides::by_prefix;
  merged.prefixes_ = std::move(prefixes);
  return merged;
}

std::optional<Prefix> Prefix::parse(const std::string& text) {
  Prefix prefix;
  const auto slash = text.find('/');
  const std::string address = text.substr(0, slash);
  if (inet_pton(AF_INET, address.c_str(), prefix.bytes.data()) == 1) prefix.address_bytes = 4;
  else if (inet_pton(AF_INET6, address.c_str(), prefix.bytes.data()) == 1) prefix.address_bytes = 16;
  else return std::nullopt;
  prefix.bits = prefix.address_bytes * 8;
  if (slash == std::string::npos) return prefix;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data() + slash + 1, last, prefix.bits);
  if (error != std::errc{} || end != last || prefix.bits > prefix.address_bytes * 8) return std::nullopt;
  return prefix;
}

bool Prefix::covers(std::span<const std::byte> address) const {
  if (address.size() != address_bytes) return false;
  if (std::memcmp(address.data(), bytes.data(), bits / 8) != 0) return false;
  if (bits % 8 == 0) return true;
  const auto differing = static_cast<u8>(address[bits / 8]) ^ bytes[bits / 8];
  return differing >> (8 - bits % 8) == 0;
}

std::span<const std::byte> claimed_source(std::span<const std::byte> frame) {
  std::size_t l3 = 14;
  for (int tags = 0; tags < 2 && frame.size() >= l3; ++tags) {
    const u16 type = load_be16(frame.data() + l3 - 2);
    if (type != 0x8100 && type != 0x88a8) break;
    l3 += 4;
  }
  if (frame.size() < l3) return {};
  const auto address = [&](std::size_t at, std::size_t bytes) -> std::span<const std::byte> {
    return frame.size() < l3 + at + bytes ? std::span<const std::byte>{} : frame.subspan(l3 + at, bytes);
  };
  switch (load_be16(frame.data() + l3 - 2)) {
    case 0x0800: return address(12, 4);
    case 0x86dd: return address(8, 16);
    case 0x0806: return address(14, 4);
    default: return {};
  }
}

}  // namespace weir::capture
