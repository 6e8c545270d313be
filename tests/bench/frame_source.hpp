// Frames for benchmarks of the pipeline, made as they are taken: what a device would have written a moment ago; and a
// policy that allows them.
#pragma once
#include "control/model/model.hpp"
#include "dataplane/flow/idle_times.hpp"
#include "dataplane/packet/parse.hpp"
#include "dataplane/pipeline/burst.hpp"

#include <cstring>
#include <random>
#include <span>
#include <vector>

namespace weir::bench {

inline constexpr u32 packets_per_round = 1 << 20;

// Frames of N flows written into a small ring of hot buffers, as a device would: the four addresses' bytes that change
// and the ports. Both halves of a pair of addresses add up to the same sum, so one header checksum fits all, and TCP's
// differs by port and flags alone.
class FrameSource {
 public:
  static constexpr Tick start = 1'700'000'000 * tick_second;
  FrameSource(u32 flows, bool is_rdma) : flows_(flows), is_rdma_(is_rdma), frames_(buffers * frame_bytes_max) {
    for (u32 i = 0; i < buffers; ++i) make_template(&frames_[i * frame_bytes_max]);
    std::mt19937 random(7);
    order_.resize(packets_per_round);
    for (u32& flow : order_) flow = static_cast<u32>(u64{random()} * flows >> 32);
  }

  u32 frame_bytes() const { return is_rdma_ ? 66 : 64; }
  Checksum checksum = Checksum::good;  // what the port says
  Tick now = start;                    // when the frames come

  // The next packets, TCP segments with these flags, from the opener or the replier.
  std::span<const Packet> next(u8 flags, bool sequential) {
    for (u32 i = 0; i < burst_packets_max; ++i) {
      const u32 flow = sequential ? sequence_++ % flows_ : order_[at_++ % packets_per_round];
      std::byte* frame = &frames_[buffer_++ % buffers * frame_bytes_max];
      write_flow(frame, flow, flags);
      burst_[i] = {frame, frame_bytes(), 0, now, flow, {}, 0, checksum};
    }
    return burst_;
  }

 private:
  static constexpr u32 buffers = 128;  // more than are inside the pipeline at once
  static constexpr u32 frame_bytes_max = 128;

  void make_template(std::byte* at) const {
    // SEND only, eight bytes.
    const u8 rdma[] = {2,  0, 0, 0, 0,   2, 2,    0,    0, 0,  0, 1, 8, 0, 0x45, 0,    0, 52, 0, 0, 0x40, 0, 64, 17,
                       0,  0, 10, 0, 0,  0, 10,   1,    0, 0,  192, 0, 0x12, 0xb7, 0,  32, 0, 0, 4, 0, 0xff, 0xff, 0, 0,
                       0,  2, 0, 0, 0,   1};
    const u8 tcp[] = {2, 0,  0, 0, 0, 2,  2, 0, 0, 0, 0, 1, 8,  0, 0x45, 0, 0, 40, 0, 0, 0x40, 0,    64,   6, 0,
                        0, 10, 0, 0, 0, 10, 1, 0, 0, 0, 0, 0, 80, 0, 0,    0, 1, 0,  0, 0, 1,    0x50, 0x10, 4, 0};
    is_rdma_ ? std::memcpy(at, rdma, sizeof rdma) : std::memcpy(at, tcp, sizeof tcp);
    write_flow(at, 0, 0x10);
    u32 sum = 0;
    for (u32 i = 14; i < 34; i += 2) sum += load_be16(at + i);
    sum = (sum & 0xffff) + (sum >> 16);
    const u16 header_sum = swap(static_cast<u16>(~(sum + (sum >> 16))));
    std::memcpy(at + 24, &header_sum, 2);
  }
  void write_flow(std::byte* at, u32 flow, u8 flags) const {
    const u16 low = static_cast<u16>(flow), high = static_cast<u16>(~low);
    const u16 port = swap(static_cast<u16>(1024 + (flow >> 16)));
    std::memcpy(at + 28, &low, 2);
    std::memcpy(at + 32, &high, 2);
    if (is_rdma_) {
      at[48] = static_cast<std::byte>(flow >> 16), at[49] = std::byte{2};  // the queue pair
      return;
    }
    std::memcpy(at + 34, &port, 2);
    at[47] = static_cast<std::byte>(flags);
    // 10.0 + 10.1 + ffff of the addresses, protocol and length, target port, two sequence numbers, offset, window.
    const u32 fixed = 0x0a00 + 0x0a01 + 0xffff + 6 + 20 + 80 + 1 + 1 + 0x5000 + 0x0400;
    const u32 sum = fixed + 1024 + (flow >> 16) + flags;
    const u16 tcp_sum = swap(static_cast<u16>(~((sum & 0xffff) + (sum >> 16))));
    std::memcpy(at + 50, &tcp_sum, 2);
  }

  u32 flows_;
  bool is_rdma_;
  std::vector<std::byte> frames_;
  std::vector<u32> order_;
  Packet burst_[burst_packets_max];
  u32 at_ = 0, sequence_ = 0, buffer_ = 0;
};

// Every connection's handshake is taken as done: what is measured is the established packet, within its window.
inline void establish(FlowTable& table) {
  for (u32 flow = 0; flow < table.used(); ++flow) {
    FlowRecord& record = table.record(flow);
    record.set_state(static_cast<u8>(TcpState::established));
    record.opener_scale = record.replier_scale = 7;
    record.replier_window_log2 = 16;
    record.end[0] = record.end[1] = 1;
    record.edge[0] = record.edge[1] = 1 << 16;
    table.set_deadline(flow, static_cast<Beat>(beat_of(FrameSource::start) + IdleTimes().of_tcp[record.state]));
  }
}

inline control::Model model_of_frames() {
  control::Model model;
  model.name = "bench";
  model.files = {"bench.toml"};
  model.line_starts = {{0}};
  for (u32 i = 0; i < 2; ++i) {
    control::Segment segment;
    segment.name = i == 0 ? "inner" : "outer";
    segment.has_addresses = true;
    segment.addresses.ipv4 = {{0x0a000000 + (i << 16), 0x0a00ffff + (i << 16)}};
    model.segments.push_back(segment);
  }
  control::Statement allow;
  allow.name = "web";
  allow.from = {0}, allow.to = {1}, allow.services.tcp = {{80, 80}};
  model.statements = {allow};
  return model;
}

}  // namespace weir::bench
