// What verifying a transport checksum in software costs, per packet of 64 and of 1500 bytes, from memory that is in the
// first cache: our sum against DPDK's, and SCTP's CRC. `bench_checksum [rounds]`.
#include "dataplane/base/machine.hpp"
#include "dataplane/packet/checksum.hpp"
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
    alignas(64) static u8 frame[2048] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
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
  // Transport bytes of an Ethernet frame of 64 and of an IP packet of 1500.
  const bench::Rounds measured({{"ones_sum, 64-byte frame (26 bytes)", each(26, own)},
                                {"rte_raw_cksum, 64-byte frame", each(26, rival)},
                                {"ones_sum, 1500-byte packet (1480 bytes)", each(1480, own)},
                                {"rte_raw_cksum, 1500-byte packet", each(1480, rival)},
                                {"crc32c, 64-byte frame", each(26, crc)},
                                {"crc32c, 1500-byte packet", each(1480, crc)},
                                {"checksum_holds, 1500-byte packet", each(1480, verify)}},
                               rounds);
  measured.print_costs();
  measured.print_ratio("ones_sum / rte_raw_cksum, 64", 0, 1, "at most 1");
  measured.print_ratio("ones_sum / rte_raw_cksum, 1500", 2, 3, "at most 1");
  measured.print_ratio("checksum_holds / rte_raw_cksum, 1500", 6, 3, "at most 1");
  std::printf("  (sum %x)\n", total);
  return 0;
}
