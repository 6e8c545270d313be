// What both ends of an NCCL connection are read to say, in one go and in every cut; shared by a test and a fuzzer.
// Throws std::runtime_error where a cut, or the way through a StreamReader, makes a difference.
#pragma once
#include "dataplane/inspect/nccl.hpp"
#include "dataplane/inspect/reader.hpp"

#include <functional>
#include <stdexcept>
#include <vector>

namespace weir {

struct NcclEnd {
  NcclReading reading;
  NcclPairs pairs;
};

using ReadNccl = std::function<NcclEnd(std::span<const u8>)>;

inline void must_hold(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

inline bool same(const NcclPairs& one, const NcclPairs& other) {
  const auto equal = [](const auto& some, const auto& others, u32 count) {
    return std::equal(some.begin(), some.begin() + count, others.begin(), [](const auto& entry, const auto& peer) {
      return entry.queue_pair == peer.queue_pair && entry.device == peer.device;
    });
  };
  return one.count == other.count && one.devices == other.devices && equal(one.entries, other.entries, one.count) &&
         equal(one.probing, other.probing, nccl_devices_max) && equal(one.recovery, other.recovery, nccl_devices_max) &&
         std::equal(one.addresses.begin(), one.addresses.begin() + one.devices, other.addresses.begin());
}

inline void must_be_same(const NcclEnd& part, const NcclEnd& whole) {
  must_hold(part.reading.answer == whole.reading.answer && part.reading.layout == whole.reading.layout &&
                part.reading.magic == whole.reading.magic && part.reading.type == whole.reading.type,
            "a cut changes the answer");
  if (part.reading.answer == NcclAnswer::pairs) must_hold(same(part.pairs, whole.pairs), "a cut changes the pairs");
}

// Of the first bytes: undecided until `wanted_bytes` are there, and then as at the end.
inline void check_beginning(const ReadNccl& read, std::span<const u8> stream, std::size_t bytes) {
  const NcclEnd part = read(stream.first(bytes)), whole = read(stream);
  if (part.reading.answer != NcclAnswer::undecided) return must_be_same(part, whole);
  must_hold(part.reading.wanted_bytes > bytes && part.reading.wanted_bytes <= nccl_bytes_max, "what is wanted");
  if (part.reading.wanted_bytes > stream.size())
    return must_hold(whole.reading.answer == NcclAnswer::undecided, "decided without what is wanted");
  const NcclEnd before = read(stream.first(part.reading.wanted_bytes - 1));
  must_hold(before.reading.answer == NcclAnswer::undecided, "decided before what is wanted is there");
  const NcclEnd then = read(stream.first(part.reading.wanted_bytes));
  must_hold(then.reading.answer != NcclAnswer::undecided || then.reading.wanted_bytes > part.reading.wanted_bytes,
            "what is wanted decides nothing");
}

// In two segments, the second one first, through the reader.
inline void check_cut(const ReadNccl& read, std::span<const u8> stream, std::size_t cut) {
  std::vector<u8> history(nccl_bytes_max);
  const u32 begin = 0xffff'fc00;
  StreamReader reader(begin, nccl_bytes_max);
  const auto first = stream.first(cut), second = stream.subspan(cut);
  const u32 second_begin = begin + static_cast<u32>(cut);
  if (cut != 0 && !second.empty())
    must_hold(reader.offer(second_begin, second, history).answer == StreamReader::Answer::ahead, "ahead");
  reader.offer(begin, first, history);
  NcclEnd part = read(reader.so_far(history));
  reader.offer(second_begin, second, history);
  if (part.reading.answer == NcclAnswer::undecided) part = read(reader.so_far(history));
  must_be_same(part, read(stream));
}

}  // namespace weir
