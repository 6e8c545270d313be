// Ten million packets of attack while 100,000 established flows carry traffic through the same pipeline, whose table
// the attack fills: what became of every packet, and a verdict. `bench_flood [attack packets] [flows] [table]`; the
// result is 1 where a flow lost a packet, a packet is not accounted for or memory grew. As root it borrows 2 MiB pages.
#include "tests/bench/pages.hpp"
#include "tests/bench/rounds.hpp"
#include "tests/property/flood.hpp"

#include <malloc.h>

using namespace weir;
using namespace weir::flood;

namespace {

long resident_bytes() {
  char text[64] = {};
  const int file = open("/proc/self/statm", O_RDONLY);
  if (file < 0 || read(file, text, sizeof text - 1) <= 0) std::exit(1);
  close(file);
  return std::strtol(std::strchr(text, ' '), nullptr, 10) * sysconf(_SC_PAGESIZE);
}

unsigned long long number(u64 value) { return value; }

void print(const Flood& flood) {
  const Result& result = flood.result();
  std::printf("%-28s %12s %12s %12s %10s %8s\n", "", "offered", "forwarded", "dropped", "answered", "held");
  const auto row = [](const char* name, u64 offered, const Fates& fates) {
    const auto of = [&](Verdict verdict) { return fates.of[static_cast<u8>(verdict)]; };
    std::printf("%-28s %12llu %12llu %12llu %10llu %8llu\n", name, number(offered),
                number(of(Verdict::forward) + of(Verdict::rewrite)), number(of(Verdict::drop)),
                number(of(Verdict::answer)), number(of(Verdict::hold)));
  };
  Fates all{};
  u64 offered = 0;
  for (u32 kind = 0; kind < kinds_count; ++kind) {
    row(kind_names[kind], result.offered[kind], result.kinds[kind]);
    offered += result.offered[kind];
    for (u32 verdict = 0; verdict < all.of.size(); ++verdict) all.of[verdict] += result.kinds[kind].of[verdict];
  }
  row("all", offered, all);
  std::printf("by reason:");
  for (u32 reason = 0; reason < reasons_count; ++reason)
    if (result.reasons[reason] != 0)
      std::printf(" %s %llu", std::string(reason_rows[reason].name).c_str(), number(result.reasons[reason]));
  std::printf("\n");
}

}  // namespace

int main(int count, char** words) {
  Plan plan;
  if (count > 1) plan.attack = static_cast<u64>(std::atof(words[1]));
  if (count > 2) plan.established = std::max(static_cast<u32>(std::atof(words[2])), 10u);
  if (count > 3) plan.capacity = static_cast<u32>(std::atof(words[3]));
  const std::size_t table_bytes = FlowTable::bytes_needed(plan.capacity);
  static const bench::PageReserve reserve(table_bytes);
  bench::Pages memory(table_bytes, reserve.enough());
  Flood flood(plan, memory.span());
  flood.open();
  std::printf("table of %u flows (%zu MiB, %s pages), %u established, %llu packets of attack\n", plan.capacity,
              table_bytes >> 20, reserve.enough() ? "2 MiB" : "4 KiB", flood.live(), number(plan.attack));
  std::fflush(stdout);
  const std::size_t heap_before = mallinfo2().uordblks;
  const long resident_before = resident_bytes();
  const double ns = bench::timed_ns([&] { flood.pour(); });
  const long resident_grown = resident_bytes() - resident_before;
  const long heap_grown = static_cast<long>(mallinfo2().uordblks) - static_cast<long>(heap_before);
  const u32 live = flood.live();
  flood.finish();
  print(flood);

  const Result& result = flood.result();
  const bool accounted = accounts_for_every_packet(flood);
  std::printf("%.1f ns a packet, frames included; %u flows live at the end of the flood\n",
              ns / static_cast<double>(plan.attack + plan.attack / plan.attack_per_packet), live);
  std::printf("memory: resident %+ld bytes, heap %+ld bytes\n", resident_grown, heap_grown);
  std::printf("established flows that lost a packet: %llu (%llu packets); every packet accounted for: %s\n",
              number(result.flows_lost), number(result.lost), accounted ? "yes" : "no");
  // Resident: the kernel may count a page of the stack or of a library late.
  const bool holds = result.flows_lost == 0 && accounted && heap_grown == 0 && resident_grown < (256 << 10);
  std::printf("%s\n", holds ? "holds: no established flow lost a packet" : "does not hold");
  return holds ? 0 : 1;
}
