#include "dataplane/edge/frame.hpp"

#include "dataplane/base/check.hpp"

#include <rte_ether.h>

#include <cstring>

namespace weir::edge {
namespace {

// Ports that take a VLAN tag off in the kernel or in hardware deliver it beside the frame.
bool put_tag_back(rte_mbuf*& mbuf) {
  if ((mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0) return true;
  return rte_vlan_insert(&mbuf) == 0;
}

// Copies a chain; returns how many bytes there are, which a port that lost some does not say. Longer ones are cut.
u32 flatten(const rte_mbuf* mbuf, std::byte* flat) {
  u32 bytes = 0;
  for (const rte_mbuf* part = mbuf; part != nullptr; part = part->next) {
    if (bytes + part->data_len > flat_bytes) break;
    std::memcpy(flat + bytes, rte_pktmbuf_mtod(part, const void*), part->data_len);
    bytes += part->data_len;
  }
  return bytes;
}

void write_back(rte_mbuf* mbuf, const std::byte* flat) {
  for (rte_mbuf* part = mbuf; part != nullptr; part = part->next) {
    std::memcpy(rte_pktmbuf_mtod(part, void*), flat, part->data_len);
    flat += part->data_len;
  }
}

// Gives a rewritten frame its length; the engine has written no further than the room that it was shown.
void grow(rte_mbuf* mbuf, u32 bytes) {
  if (bytes > mbuf->pkt_len) WEIR_CHECK(rte_pktmbuf_append(mbuf, static_cast<u16>(bytes - mbuf->pkt_len)) != nullptr);
}

// The port's word on the transport checksum, where it speaks of the outermost packet. "None" (unfinished, or UDP's
// zero) is no word: such a frame would not be taken by its target either.
Checksum checksum_of(const rte_mbuf* mbuf) {
  if ((mbuf->packet_type & RTE_PTYPE_TUNNEL_MASK) != 0 ||
      (mbuf->packet_type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_FRAG)
    return Checksum::unverified;
  switch (mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) {
    case RTE_MBUF_F_RX_L4_CKSUM_GOOD: return Checksum::good;
    case RTE_MBUF_F_RX_L4_CKSUM_BAD: return Checksum::bad;
    default: return Checksum::unverified;
  }
}

rte_mbuf* answer_of(const Frame& frame, u16 bytes, rte_mempool* pool) {
  rte_mbuf* mbuf = bytes <= answer_bytes ? rte_pktmbuf_alloc(pool) : nullptr;
  char* room = mbuf != nullptr ? rte_pktmbuf_append(mbuf, bytes) : nullptr;
  if (room != nullptr) {
    std::memcpy(room, frame.answer, bytes);
    return mbuf;
  }
  rte_pktmbuf_free(mbuf);
  return nullptr;
}

}  // namespace

Packet show(Frame& frame, rte_mbuf* mbuf, u16 port, Tick time, u64 token) {
  const bool has_tags = put_tag_back(mbuf);
  frame.mbuf = mbuf;
  frame.port = port;
  std::byte* data = rte_pktmbuf_mtod(mbuf, std::byte*);
  u32 bytes = mbuf->data_len, room = bytes + rte_pktmbuf_tailroom(mbuf);
  if (mbuf->nb_segs > 1) {
    bytes = room = flatten(mbuf, frame.flat);  // a chain does not grow
    data = frame.flat;
  }
  frame.is_cut = bytes != mbuf->pkt_len;
  return {data, has_tags ? bytes : 0, port, time, token, {frame.answer, answer_bytes}, has_tags ? room : 0,
          checksum_of(mbuf)};
}

Leaving end(Frame& frame, const Outcome& outcome, rte_mempool* pool) {
  rte_mbuf* mbuf = frame.mbuf;
  frame.mbuf = nullptr;
  Leaving leaving{mbuf, static_cast<u16>(frame.port ^ 1)};
  if (outcome.answer_bytes != 0) {
    leaving.answer = answer_of(frame, outcome.answer_bytes, pool);
    leaving.lost += leaving.answer == nullptr;
  }
  if (outcome.verdict == Verdict::forward || outcome.verdict == Verdict::rewrite) {
    if (!frame.is_cut) {
      if (outcome.verdict == Verdict::rewrite) {
        if (mbuf->nb_segs > 1) write_back(mbuf, frame.flat);
        else grow(mbuf, outcome.frame_bytes);
      }
      return leaving;
    }
    ++leaving.lost;
  }
  rte_pktmbuf_free(mbuf);
  leaving.mbuf = nullptr;
  return leaving;
}

std::expected<FrameRoom, Error> FrameRoom::make(u32 count) {
  constexpr std::size_t room = flat_bytes + answer_bytes;
  auto memory = Mapping::sparse(count * room);
  if (!memory) return std::unexpected(memory.error());
  FrameRoom frames;
  frames.memory_ = std::move(*memory);
  frames.frames_.resize(count);
  std::byte* at = frames.memory_.bytes().data();
  for (Frame& frame : frames.frames_) {
    frame.answer = at;
    frame.flat = at + answer_bytes;
    at += room;
  }
  return frames;
}

}  // namespace weir::edge
