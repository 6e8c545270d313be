// A flood of everything an attacker outside can make, poured into one pipeline while flows that were established before
// carry their traffic through it. It tells what became of every packet; whether that is well, the caller judges.
#pragma once
#include "dataplane/pipeline/burst.hpp"
#include "dataplane/policy/policy.hpp"
#include "tests/property/flood_frames.hpp"
#include "tests/property/image_memory.hpp"

#include <array>
#include <memory>
#include <random>
#include <vector>

namespace weir::flood {

// What a packet is part of; the attack begins with syn_random.
enum class Kind : u8 {
  opening,
  established,
  syn_random,
  syn_random_ipv6,
  syn_denied,
  udp_one_way,
  echo_one_way,
  mid_stream,
  syn_ack_stray,
  flags_bad,
  fragment,
  aimed_data,
  aimed_reset,
  aimed_flags,
  aimed_checksum,
  icmp_error,
  spoofed,
  garbage,
};
inline constexpr const char* kind_names[] = {"handshakes before the flood",
                                             "established flows",
                                             "SYN, random sources",
                                             "SYN, random sources, IPv6",
                                             "SYN that policy denies",
                                             "UDP, one way",
                                             "ICMP echo, one way",
                                             "ACK without a flow",
                                             "SYN-ACK without a flow",
                                             "null, xmas, SYN+FIN, ...",
                                             "fragments",
                                             "aimed: data out of window",
                                             "aimed: RST out of window",
                                             "aimed: SYN, FIN, SYN-ACK",
                                             "aimed: bad checksum",
                                             "ICMP errors that quote flows",
                                             "spoofed sources",
                                             "garbage"};
inline constexpr u32 kinds_count = std::size(kind_names);

struct Plan {
  u32 established = 100'000;
  u64 attack = 10'000'000;
  u32 attack_per_packet = 10;  // packets of attack for each of an established flow
  Tick step_us = 1;  // between packets
  u32 capacity = 1 << 20;
};

struct Fates {
  std::array<u64, 5> of;  // by Verdict; hold: still held
  u64 sum() const { return of[0] + of[1] + of[2] + of[3] + of[4]; }
};

struct Result {
  std::array<Fates, kinds_count> kinds{};
  std::array<u64, kinds_count> offered{};
  std::array<u64, reasons_count> reasons{};
  std::array<std::array<u64, reasons_count>, kinds_count> reasons_of{};
  u64 lost = 0;  // packets of established flows that were not forwarded as such
  u64 flows_lost = 0;  // flows of which a packet was lost in either direction at any time
};

class Flood {
 public:
  // `memory` for a table of plan.capacity flows.
  Flood(const Plan& plan, std::span<std::byte> memory);
  ~Flood();
  Flood(const Flood&) = delete;

  void open();  // the established flows
  void pour();  // the attack, and traffic of the established flows
  void finish();  // once more a packet each way of each flow; then nothing is inside
  const Result& result() const { return result_; }
  const WorkerCounters& counters() const { return counters_; }
  u32 live() const { return table_.live(); }

 private:
  struct Flow {
    enum class Class : u8 { tcp, udp, echo };
    Host inside, outside;
    u16 inside_port, outside_port;
    Class what;
    bool opened_inside, lost = false;
    u32 next[2];  // TCP: the next sequence number of inside, of outside
  };
  struct Slot {
    Kind kind;
    bool held;
    u32 flow;
  };

  u64 any() { return random_(); }
  void send(Kind kind, u32 flow, const Frame& frame, u16 port, Checksum checksum = Checksum::good);
  std::byte* room() { return &frames_[std::size_t{free_.back()} * 2 * frame_room]; }
  void send_burst();
  void settle(u32 count);
  void settle_all();
  void flow_tcp(u32 flow, bool from_inside, u8 flags, u32 data_bytes, Kind kind);
  void flow_packet(u32 flow, bool from_inside, Kind kind);
  void attack_packet();
  void attack_alone(Kind kind);
  void attack_aimed(Kind kind);
  Host stranger(bool ipv6) { return {ipv6, false, any()}; }
  Host server(bool ipv6) { return {ipv6, true, 1 + any() % 60'000}; }

  Plan plan_;
  std::mt19937_64 random_{9};
  FlowTable table_;
  WorkerCounters counters_;
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<ImageMemory> image_;
  std::unique_ptr<InstalledPolicy> policy_;
  std::vector<Flow> flows_;
  std::vector<std::byte> frames_;  // by slot: the frame and room for an answer
  std::vector<Slot> slots_;
  std::vector<u32> free_;
  std::array<Packet, burst_packets_max> burst_;
  std::vector<Outcome> outcomes_;
  u32 in_burst_ = 0;
  Tick now_ = 1'700'000'000 * tick_second;
  Result result_;
};

// Every packet has exactly one end or is held, as outcomes and as counters have it.
bool accounts_for_every_packet(const Flood& flood);

}  // namespace weir::flood
