// How the engine asks whether bytes hold a signature: plain functions that are lent to it, since what finds them
// (dataplane/scan) is not the engine's to link. Two questions: the next bytes of a stream, where a signature may lie
// across segments, and a packet by itself. It says what was found, and decides nothing.
//
// Streams are opened at start, as many as there may be at once: when all are taken there is none, and what then happens
// to a flow is policy (it waits or is denied; it does not pass unseen). Threads: one scanner for each.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <span>

namespace weir {

struct Scanner {
  static constexpr u32 none = ~u32{0};

  void* context = nullptr;
  u32 (*open_stream)(void* context) = nullptr;  // its number, or none
  void (*close_stream)(void* context, u32 stream) = nullptr;
  u32 (*read_stream)(void* context, u32 stream, const u8* bytes, u32 count, u64 sets) = nullptr;
  u32 (*look_at)(void* context, const u8* bytes, u32 count, bool is_beginning, u64 sets) = nullptr;

  u32 open() const { return open_stream(context); }
  void close(u32 stream) const { close_stream(context, stream); }
  // The first pattern found that ends in these bytes, of the sets asked for (a bit each), or none. A pattern is found
  // once in a stream.
  u32 read(u32 stream, std::span<const u8> bytes, u64 sets) const {
    return read_stream(context, stream, bytes.data(), static_cast<u32>(bytes.size()), sets);
  }
  // In a packet by itself. What stands at a fixed offset is looked for only where a message begins.
  u32 look(std::span<const u8> bytes, bool is_beginning, u64 sets) const {
    return look_at(context, bytes.data(), static_cast<u32>(bytes.size()), is_beginning, sets);
  }
};

}  // namespace weir
