// What verifying a transport checksum in software costs, per packet of 64 and of 1500 bytes, from memory that is in the
// first cache: our sum against DPDK's, SCTP's CRC; and RoCEv2's ICRC, of 1 and 4 KiB of payload, by tables and by the
// machine's own multiplication. `bench_checksum [rounds]`.
#include "dataplane/base/machine.hpp"
#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/icrc.hpp"
#include "tests/bench/rounds.hpp"

#include <rte_ip.h>

#include <cstdlib>

using namespace weir;

namespace {

constexpr u32 packets_per_round = 1 << 20;

u32 total = 0;  // so that nothing is left out

template <class Sum>
std::function<double()> each(u32 bytes, Sum sum) {
  return [bytes, sum] {
    alignas(64) static u8 frame[8192] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    return bench::timed_ns([&] {
             for (u32 n = 0; n < packets_per_round; ++n) {
               frame[n & 15] = static_cast<u8>(n);
               total += sum(frame + 34, bytes);
             }
           }) /
           packets_per_round;
  };
}

}  // namespace

int main(int count, char** words) {
  const u32 rounds = count > 1 ? static_cast<u32>(std::atol(words[1])) : 9;
  const auto own = [](const u8* at, u32 bytes) { return ones_sum(at, bytes); };
  const bool has_wide_vectors = machine_has_vectors_256();
  const auto verify = [has_wide_vectors](const u8* at, u32 bytes) {
    Headers headers{};
    headers.protocol = 1;  // no pseudo-header
    const ByteRun run{at, bytes};
    return u32{checksum_holds(headers, std::span(&run, 1), has_wide_vectors)};
  };
  const auto rival = [](const u8* at, u32 bytes) { return u32{rte_raw_cksum(at, bytes)}; };
  const auto crc = [](const u8* at, u32 bytes) { return crc32c(at, bytes, ~u32{0}); };
  // `at` is where the frame's UDP header stands.
  const auto icrc = [](bool has_carryless) {
    return [has_carryless](const u8* at, u32 bytes) {
      Headers headers{};
      headers.l3_offset = 14;
      headers.l4_offset = 34;
      headers.is_ipv4 = true;
      u8* frame = const_cast<u8*>(at) - 34;
      frame[38] = static_cast<u8>(bytes >> 8), frame[39] = static_cast<u8>(bytes);
      return icrc_of(headers, reinterpret_cast<const std::byte*>(frame), has_carryless);
    };
  };
  const bool carryless = machine_has_carryless();
  constexpr u32 around = 8 + 12 + 4;  // UDP, BTH, ICRC
  // Transport bytes of an Ethernet frame of 64 and of an IP packet of 1500.
  const bench::Rounds measured({{"ones_sum, 64-byte frame (26 bytes)", each(26, own)},
                                {"rte_raw_cksum, 64-byte frame", each(26, rival)},
                                {"ones_sum, 1500-byte packet (1480 bytes)", each(1480, own)},
                                {"rte_raw_cksum, 1500-byte packet", each(1480, rival)},
                                {"crc32c, 64-byte frame", each(26, crc)},
                                {"crc32c, 1500-byte packet", each(1480, crc)},
                                {"checksum_holds, 1500-byte packet", each(1480, verify)},
                                {"icrc, 1 KiB, tables", each(around + 1024, icrc(false))},
                                {"icrc, 1 KiB, carry-less", each(around + 1024, icrc(carryless))},
                                {"icrc, 4 KiB, tables", each(around + 4096, icrc(false))},
                                {"icrc, 4 KiB, carry-less", each(around + 4096, icrc(carryless))}},
                               rounds);
  measured.print_costs();
  measured.print_ratio("ones_sum / rte_raw_cksum, 64", 0, 1, "at most 1");
  measured.print_ratio("ones_sum / rte_raw_cksum, 1500", 2, 3, "at most 1");
  measured.print_ratio("checksum_holds / rte_raw_cksum, 1500", 6, 3, "at most 1");
  std::printf("  (sum %x)\n", total);
  return 0;
}
