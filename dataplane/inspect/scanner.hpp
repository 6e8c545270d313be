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

// What is looked for, signature sets by a bit each. Of what several sets find at once, a pattern of a set in `first` is
// named before others.
struct ScanSets {
  u64 all = 0, first = 0;
};

struct ScanFound {
  u64 sets = 0;  // those of which something was found
  u32 pattern = ~u32{0};
};

struct Scanner {
  static constexpr u32 none = ~u32{0};

  void* context = nullptr;
  u64 serial = 0;  // tells apart whatever a process has scanned with; 0: nothing to scan with
  u32 (*open_stream)(void* context) = nullptr;  // its number, or none
  void (*close_stream)(void* context, u32 stream) = nullptr;
  ScanFound (*read_stream)(void* context, u32 stream, std::span<const u8> bytes, const ScanSets& sets) = nullptr;
  ScanFound (*look_at)(void* context, std::span<const u8> bytes, bool is_beginning, const ScanSets& sets) = nullptr;

  u32 open() const { return open_stream(context); }
  void close(u32 stream) const { close_stream(context, stream); }
  // What ends in these bytes, of the sets asked for. A pattern is found once in a stream.
  ScanFound read(u32 stream, std::span<const u8> bytes, const ScanSets& sets) const {
    return read_stream(context, stream, bytes, sets);
  }
  // In a packet by itself. What stands at a fixed offset is looked for only where a message begins.
  ScanFound look(std::span<const u8> bytes, bool is_beginning, const ScanSets& sets) const {
    return look_at(context, bytes, is_beginning, sets);
  }
};

}  // namespace weir
