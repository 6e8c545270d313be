#include "dataplane/edge/frame.hpp"

#include <rte_ether.h>

#include <cstring>

namespace weir::edge {
namespace {

// Ports that take a VLAN tag off in the kernel or in hardware deliver it beside the frame.
bool put_tag_back(rte_mbuf*& mbuf) {
  if ((mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0) return true;
  return rte_vlan_insert(&mbuf) == 0;
}

void write_back(rte_mbuf* mbuf, const std::byte* flat) {
  for (rte_mbuf* part = mbuf; part != nullptr; part = part->next) {
    std::memcpy(rte_pktmbuf_mtod(part, void*), flat, part->data_len);
    flat += part->data_len;
  }
}

// net_pcap keeps 16 bits of a frame's length while it cuts it into a chain: beyond 65,535 bytes the chain holds less
// than it promises.
bool holds_what_it_promises(const rte_mbuf* mbuf) {
  u32 bytes = 0;
  for (const rte_mbuf* part = mbuf; part != nullptr; part = part->next) bytes += part->data_len;
  return bytes == mbuf->pkt_len;
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
  const bool is_whole = put_tag_back(mbuf) && mbuf->pkt_len <= flat_bytes && holds_what_it_promises(mbuf);
  frame.mbuf = mbuf;
  frame.port = port;
  std::byte* data = rte_pktmbuf_mtod(mbuf, std::byte*);
  if (is_whole && mbuf->nb_segs > 1) {
    rte_pktmbuf_read(mbuf, 0, mbuf->pkt_len, frame.flat);
    data = frame.flat;
  }
  return {data, is_whole ? mbuf->pkt_len : 0, port, time, token, {frame.answer, answer_bytes}};
}

Leaving end(Frame& frame, const Outcome& outcome, rte_mempool* pool) {
  rte_mbuf* mbuf = frame.mbuf;
  frame.mbuf = nullptr;
  const u16 across = frame.port ^ 1;
  switch (outcome.verdict) {
    case Verdict::forward: return {mbuf, across};
    case Verdict::rewrite:
      if (mbuf->nb_segs > 1) write_back(mbuf, frame.flat);
      return {mbuf, across};
    case Verdict::answer: {
      rte_mbuf* reply = answer_of(frame, outcome.answer_bytes, pool);
      rte_pktmbuf_free(mbuf);
      return {reply, frame.port};
    }
    case Verdict::hold:  // never an end: callers keep held frames
    case Verdict::drop: break;
  }
  rte_pktmbuf_free(mbuf);
  return {nullptr, across};
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
