// What the tensor tests cost per packet, from memory that is in the first cache: counts by width of vectors against the
// definition a byte at a time, the vote, and the windows of byte values. `bench_tensor [rounds]`.
#include "dataplane/inspect/quantised.hpp"
#include "dataplane/inspect/tensor.hpp"
#include "tests/bench/rounds.hpp"
#include "tests/property/tensor_corpus.hpp"

#include <cstdlib>

using namespace weir;

namespace {

constexpr u32 packets_per_round = 1 << 18;

u64 total = 0;  // so that nothing is left out

// What the counts are, a byte at a time.
u64 count_by_definition(const u8* at, u32 bytes) {
  FloatCounts counts;
  for (u32 i = 0; i < bytes; ++i) {
    const u32 size = at[i] & 0x7f, place = i & 3;
    if (size >= 0x3a && size <= 0x3e) ++counts.weight[place];
    if (size >= 0x10 && size <= 0x37) ++counts.half[place];
    if (at[i] >= 0x80) ++counts.negative[place];
    if ((at[i] & 2) != 0) ++counts.second[place];
    if (((at[i] ^ at[i] >> 1) & 1) != 0) ++counts.uneven[place];
  }
  return u64{counts.weight[1]} + counts.half[1] + counts.negative[1] + counts.second[1] + counts.uneven[1];
}

template <class Work>
std::function<double()> each(u32 bytes, Work work) {
  return [bytes, work]() mutable {
    static std::vector<u8> held = [] {
      corpus::Stream stream(corpus::tensor_kinds().front(), 1);
      const u8* at = stream.next(8192);
      return std::vector<u8>(at, at + 8192);
    }();
    return bench::timed_ns([&] {
             for (u32 n = 0; n < packets_per_round; ++n) total += work(held.data() + (n & 63), bytes);
           }) /
           packets_per_round;
  };
}

}  // namespace

int main(int count, char** words) {
  const u32 rounds = count > 1 ? static_cast<u32>(std::atol(words[1])) : 9;
  std::vector<bench::Contender> contenders;
  for (const u32 bytes : {1400u, 4096u}) {
    const std::string suffix = ", " + std::to_string(bytes) + " bytes";
    contenders.push_back({"counts, a byte at a time" + suffix, each(bytes, count_by_definition)});
    for (const Lanes lanes : {Lanes::plain, Lanes::wide_256, Lanes::wide_512}) {
      if (lanes > lanes_of_machine()) continue;
      static const char* const names[] = {"counts, baseline", "counts, AVX2", "counts, AVX-512"};
      contenders.push_back({names[static_cast<int>(lanes)] + suffix, each(bytes, [lanes](const u8* at, u32 length) {
                              return u64{count_floats(at, length, lanes).weight[1]};
                            })});
    }
    contenders.push_back({"counts and vote" + suffix, each(bytes, [votes = TensorVotes(), lanes = lanes_of_machine()](
                                                                      const u8* at, u32 length) mutable {
                            votes.take(count_floats(at, length, lanes));
                            return u64{votes.is_tensor()};
                          })});
    contenders.push_back({"windows" + suffix, each(bytes, [watch = ByteWatch()](const u8* at, u32 length) mutable {
                            watch.take(at, length);
                            return u64{watch.is_quantised()};
                          })});
  }
  const bench::Rounds measured(std::move(contenders), rounds);
  measured.print_costs();
  std::printf("  (sum %llx)\n", static_cast<unsigned long long>(total));
  return 0;
}
