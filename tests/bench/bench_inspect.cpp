// What looking for signatures costs: our scanner against bare Hyperscan on the same patterns and bytes (P11's base), a
// packet by itself and a stream in segments, by 20, 100 and 500 patterns of 1460 bytes; reading in order; recognising.
// usage: bench_inspect [ROUNDS]
#include "control/inspect/compile_patterns.hpp"
#include "dataplane/inspect/opening.hpp"
#include "dataplane/inspect/reader.hpp"
#include "dataplane/inspect/watch.hpp"
#include "dataplane/scan/scan.hpp"
#include "tests/bench/pattern_load.hpp"
#include "tests/bench/rounds.hpp"

#include <fmt/format.h>
#include <hs.h>

#include <cstdlib>
#include <random>

using namespace weir;

namespace {

constexpr u32 segment_bytes = 1460, segments = 4096;

struct Traffic {
  std::vector<u8> bytes;
  explicit Traffic(bool is_text) : bytes(bench::random_bytes(std::size_t{segments} * segment_bytes, is_text)) {}
  std::span<const u8> segment(u32 i) const {
    return std::span(bytes).subspan(std::size_t{i} * segment_bytes, segment_bytes);
  }
};

int ignore(unsigned, unsigned long long, unsigned long long, unsigned, void* context) {
  ++*static_cast<u64*>(context);
  return 0;
}

struct Bare {
  hs_scratch_t* scratch = nullptr;
  hs_stream_t* stream = nullptr;
  explicit Bare(const ScanPatterns& patterns) {
    if (hs_alloc_scratch(patterns.packets(), &scratch) != HS_SUCCESS ||
        hs_alloc_scratch(patterns.streams(), &scratch) != HS_SUCCESS ||
        hs_open_stream(patterns.streams(), 0, &stream) != HS_SUCCESS)
      std::abort();
  }
  ~Bare() {
    hs_close_stream(stream, nullptr, nullptr, nullptr);
    hs_free_scratch(scratch);
  }
};

const char* chars(std::span<const u8> bytes) { return reinterpret_cast<const char*>(bytes.data()); }

// A flow that is watched for its first 64 KiB, and then anew; each segment is acknowledged.
class Watched {
 public:
  explicit Watched(const Scanner& scanner)
      : watches_(1),
        histories_(1),
        links_(2),
        all_(Pool<Watch>(watches_, std::span(links_).first(1)),
             Pool<WatchHistory>(histories_, std::span(links_).last(1)), HashKey{{1, 2, 3, 4}},
             {100'000'000'000, 1'000'000'000}, lanes_of_machine()) {
    all_.use(scanner);
    wish_.sets[0] = 1, wish_.first_bytes = 65536;
  }

  bool take(std::span<const u8> segment) {
    if (slot_ == Watches::none || sequence_ - begin_ > 65536 - segment.size()) {
      if (slot_ != Watches::none) all_.end(slot_);
      begin_ = sequence_;
      slot_ = all_.begin_stream(wish_);
      all_.restart(slot_, wish_, 0, sequence_);
      all_.restart(slot_, wish_, 1, 1);
    }
    const WatchStep step = all_.segment(slot_, wish_, 9, 0, sequence_, 1, segment, ++now_);
    sequence_ += static_cast<u32>(segment.size());
    all_.segment(slot_, wish_, 9, 1, 1, sequence_, {}, now_);
    return step.found != 0;
  }

 private:
  std::vector<Watch> watches_;
  std::vector<WatchHistory> histories_;
  std::vector<u32> links_;
  Watches all_;
  WatchWish wish_;
  u32 slot_ = Watches::none, sequence_ = 100, begin_ = 0;
  Tick now_ = 1;
};

void bench_patterns(u32 count, const Traffic& traffic, const char* kind, unsigned rounds) {
  const control::PatternSet set = bench::random_set(count);
  const auto image = control::compile_patterns(std::span(&set, 1));
  const auto patterns = ScanPatterns::load(*image);
  const auto scan = *Scan::begin(*patterns, 2);
  const Scanner scanner = scan->scanner();
  Bare bare(*patterns);
  u64 found = 0;
  const auto each = [&](auto&& one) {
    return [&, one] {
      return bench::timed_ns([&] {
               for (u32 i = 0; i < segments; ++i) one(traffic.segment(i));
             }) /
             segments;
    };
  };
  const u32 stream = scanner.open();
  std::vector<u8> history(65536);
  StreamReader reader;
  u32 sequence = 0;
  Watched watched(scanner);
  const bench::Rounds result(
      {{"bare hs_scan", each([&](auto segment) {
          hs_scan(patterns->packets(), chars(segment), segment_bytes, 0, bare.scratch, ignore, &found);
        })},
       {"a packet by itself", each([&](auto segment) { found += scanner.look(segment, false, {1, 0}).sets != 0; })},
       {"bare hs_scan_stream", each([&](auto segment) {
          hs_scan_stream(bare.stream, chars(segment), segment_bytes, 0, bare.scratch, ignore, &found);
        })},
       {"a stream's next segment",
        each([&](auto segment) { found += scanner.read(stream, segment, {1, 0}).sets != 0; })},
       {"the same through the reader, 64 KiB of each stream", each([&](auto segment) {
          if (reader.delivered_bytes() + segment_bytes > 65536 || reader.is_complete())
            reader = StreamReader(sequence, 65536);
          const auto step = reader.offer(sequence, segment, history);
          sequence += segment_bytes;
          found += scanner.read(stream, step.fresh, {1, 0}).sets != 0;
        })},
       {"a watched flow's segment, and its acknowledgement",
        each([&](auto segment) { found += watched.take(segment); })}},
      rounds);
  std::printf("%u patterns, %s, %u bytes; %zu bytes of image, %zu bytes a stream\n", count, kind, segment_bytes,
              image->size(), patterns->stream_bytes());
  result.print_costs();
  result.print_ratio("a packet / bare", 1, 0, "P11's base");
  result.print_ratio("a segment / bare", 3, 2, "");
  result.print_ratio("a segment through the reader / bare", 4, 2, "");
  result.print_ratio("a watched segment / bare", 5, 2, "");
}

void bench_opening(unsigned rounds) {
  const std::string request = "GET /index.html HTTP/1.1\r\nHost: example.org\r\nUser-Agent: a\r\nAccept: */*\r\n\r\n";
  const std::span<const u8> bytes(reinterpret_cast<const u8*>(request.data()), request.size());
  const std::vector<u8> noise(64, 0xee);
  u64 sum = 0;
  const auto each = [&](std::span<const u8> opening) {
    return [&sum, opening] {
      return bench::timed_ns([&] {
               for (u32 i = 0; i < 10'000; ++i) sum += static_cast<u64>(recognise({opening, {}}));
             }) /
             10'000;
    };
  };
  const bench::Rounds result({{"an HTTP request of 75 bytes", each(bytes)}, {"what is none", each(noise)}}, rounds);
  std::printf("recognising an opening (%llu)\n", static_cast<unsigned long long>(sum & 1));
  result.print_costs();
}

}  // namespace

int main(int count, char** arguments) {
  const unsigned rounds = count > 1 ? static_cast<unsigned>(std::atoi(arguments[1])) : 9;
  for (const bool is_text : {false, true})
    for (const u32 patterns : {20u, 100u, 500u})
      bench_patterns(patterns, Traffic(is_text), is_text ? "letters" : "random bytes", rounds);
  bench_opening(rounds);
}
