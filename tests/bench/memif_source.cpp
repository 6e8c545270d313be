// Sends frames over one memif port at a stated rate and counts what comes back by another: the generator for P12. Told
// rates (frames a second, 0: as fast as it can) and seconds on standard input, a pair a line, it answers with a line
// `sent received late`, the last being bursts that went out over a millisecond after their time.
// `memif_source EAL-ARGUMENTS -- [FLOWS]`, with two `--vdev net_memif` among them.
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr std::uint16_t burst = 32, ring = 1024;
constexpr unsigned mbufs = 32768, frame_bytes = 60;

[[noreturn]] void give_up(const char* why) {
  std::fprintf(stderr, "memif_source: %s\n", why);
  std::exit(1);
}

void start(std::uint16_t port, rte_mempool* pool) {
  rte_eth_conf conf{};
  if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 || rte_eth_rx_queue_setup(port, 0, ring, 0, nullptr, pool) != 0 ||
      rte_eth_tx_queue_setup(port, 0, ring, 0, nullptr) != 0 || rte_eth_dev_start(port) != 0)
    give_up("a port does not start");
}

// Ethernet, IPv4, UDP without a checksum, from 10.0.x.y to 10.1.x.y, whose sum does not depend on x and y.
void write_template(std::uint8_t* at) {
  const std::uint8_t bytes[] = {2,  0, 0, 0, 0,  2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0,    46, 0, 0, 0x40,
                                0, 64, 17, 0, 0, 10, 0, 0, 0, 10, 1, 0xff, 0xff, 0x10, 0, 0, 80, 0, 26, 0, 0};
  std::memset(at, 0, frame_bytes);
  std::memcpy(at, bytes, sizeof bytes);
  std::uint32_t sum = 0;
  for (unsigned i = 14; i < 34; i += 2) sum += static_cast<std::uint32_t>(at[i] << 8 | at[i + 1]);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = ~(sum + (sum >> 16));
  at[24] = static_cast<std::uint8_t>(sum >> 8), at[25] = static_cast<std::uint8_t>(sum);
}

struct Source {
  rte_mempool* pool;
  unsigned flows;
  std::uint8_t frame[frame_bytes];
  unsigned next = 0;

  std::uint16_t send() {
    rte_mbuf* made[burst];
    if (rte_pktmbuf_alloc_bulk(pool, made, burst) != 0) return 0;
    for (rte_mbuf* one : made) {
      auto* const data = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(one, frame_bytes));
      std::memcpy(data, frame, frame_bytes);
      const auto low = static_cast<std::uint16_t>(next), high = static_cast<std::uint16_t>(~low);
      std::memcpy(data + 28, &low, 2);
      std::memcpy(data + 32, &high, 2);
      next = (next + 1) % flows;
    }
    const std::uint16_t sent = rte_eth_tx_burst(0, 0, made, burst);
    for (std::uint16_t i = sent; i < burst; ++i) rte_pktmbuf_free(made[i]);
    return sent;
  }
};

unsigned receive() {
  rte_mbuf* got[2 * burst];
  const std::uint16_t count = rte_eth_rx_burst(1, 0, got, 2 * burst);
  for (std::uint16_t i = 0; i < count; ++i) rte_pktmbuf_free(got[i]);
  return count;
}

// What the ring does not take counts as sent: it was due.
void run(Source& source, double rate, double seconds) {
  const double hz = static_cast<double>(rte_get_tsc_hz());
  const auto began = rte_rdtsc(), ends = began + static_cast<std::uint64_t>(seconds * hz);
  const double gap = rate > 0 ? burst * hz / rate : 0;
  std::uint64_t sent = 0, taken = 0, received = 0, late = 0, bursts = 0;
  for (std::uint64_t now = began; now < ends; now = rte_rdtsc()) {
    const auto due = began + static_cast<std::uint64_t>(static_cast<double>(bursts) * gap);
    if (now >= due) {
      taken += source.send(), sent += burst, ++bursts;
      late += rate > 0 && static_cast<double>(now - due) > hz / 1000;
    }
    received += receive();
  }
  for (const auto until = rte_rdtsc() + static_cast<std::uint64_t>(0.05 * hz); rte_rdtsc() < until;)
    received += receive();
  std::printf("%llu %llu %llu\n", static_cast<unsigned long long>(rate > 0 ? sent : taken),
              static_cast<unsigned long long>(received), static_cast<unsigned long long>(late));
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** words) {
  const int eal = rte_eal_init(count, words);
  if (eal < 0 || rte_eth_dev_count_avail() != 2) give_up("it needs two ports");
  rte_mempool* const pool = rte_pktmbuf_pool_create("frames", mbufs, 256, 0, 2048, SOCKET_ID_ANY);
  if (pool == nullptr) give_up("no memory for frames");
  start(0, pool), start(1, pool);
  Source source{pool, count - eal > 1 ? static_cast<unsigned>(std::atoi(words[eal + 1])) : 10'000u, {}};
  write_template(source.frame);
  for (double rate, seconds; std::scanf("%lf %lf", &rate, &seconds) == 2;) run(source, rate, seconds);
  return 0;
}
