// P11: a TCP segment that is read in order and scanned, against the same segment uninspected plus Hyperscan alone over
// its payload. Segments of 1460 bytes with an acknowledgement for each eighth, one flow of 6 MB a round, by the
// signature sets that Weir ships and by 20, 100 and 500 literals; and what the segment costs once the first bytes are
// over, with and without the tensor tests.
// usage: bench_inspected [ROUNDS]
#include "control/compile/compile.hpp"
#include "control/inspect/compile_patterns.hpp"
#include "control/inspect/shipped_sets.hpp"
#include "dataplane/pipeline/burst.hpp"
#include "dataplane/policy/verify.hpp"
#include "dataplane/scan/installed_scan.hpp"
#include "tests/bench/pages.hpp"
#include "tests/bench/pattern_load.hpp"
#include "tests/bench/rounds.hpp"

#include <hs.h>

#include <cstdlib>
#include <cstring>
#include <memory>

using namespace weir;

namespace {

constexpr u32 payload_bytes = 1460, segments = 4096, segments_per_answer = 8, frame_bytes_max = 1536;
constexpr u32 client_syn = 1'000, server_syn = 9'000'000;
constexpr HashKey secret{{1, 2, 3, 4}};
constexpr Tick start = 1'700'000'000 * tick_second;

struct Frame {
  std::byte bytes[frame_bytes_max];
  u32 length;
  u16 port;  // it comes in by
};

void put16(std::byte* at, u32 value) { at[0] = std::byte(value >> 8 & 255), at[1] = std::byte(value & 255); }
void put32(std::byte* at, u32 value) { put16(at, value >> 16), put16(at + 2, value); }

// From the client (0, inside) or the server. The port says that the transport's checksum is right.
Frame frame_of(u32 from, u8 flags, u32 sequence, u32 acknowledged, std::span<const u8> payload) {
  Frame made{};
  const u8 head[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6};
  std::memcpy(made.bytes, head, sizeof head);
  // A SYN offers a window scale of 14.
  const bool is_syn = (flags & tcp_syn) != 0;
  const u32 tcp_bytes = is_syn ? 24 : 20;
  std::byte* const tcp = made.bytes + 34;
  put16(made.bytes + 16, static_cast<u32>(20 + tcp_bytes + payload.size()));
  put32(made.bytes + 26 + 4 * from, 0x0a00'0001), put32(made.bytes + 30 - 4 * from, 0x0a01'0001);
  u32 sum = 0;
  for (u32 at = 14; at < 34; at += 2) sum += load_be16(made.bytes + at);
  sum = (sum & 0xffff) + (sum >> 16);
  put16(made.bytes + 24, ~(sum + (sum >> 16)) & 0xffff);
  put16(tcp + 2 * (from ^ 1), 80);
  put32(tcp + 4, sequence), put32(tcp + 8, acknowledged);
  tcp[12] = std::byte(tcp_bytes << 2), tcp[13] = std::byte{flags};
  put16(tcp + 14, 0xffff);
  const u8 scale[] = {3, 3, 14, 0};
  if (is_syn) std::memcpy(tcp + 20, scale, sizeof scale);
  std::memcpy(tcp + tcp_bytes, payload.data(), payload.size());
  made.length = static_cast<u32>(34 + tcp_bytes + payload.size());
  made.port = static_cast<u16>(from);
  return made;
}

// The bytes of one conversation, the same for every contender.
struct Talk {
  std::vector<u8> text;
  std::vector<Frame> handshake, frames;

  explicit Talk(bool is_text) : text(bench::random_bytes(std::size_t{segments} * payload_bytes, is_text)) {
    handshake = {frame_of(0, tcp_syn, client_syn, 0, {}),
                 frame_of(1, tcp_syn | tcp_ack, server_syn, client_syn + 1, {}),
                 frame_of(0, tcp_ack, client_syn + 1, server_syn + 1, {})};
    for (u32 i = 0; i < segments; ++i) {
      frames.push_back(frame_of(0, tcp_ack, client_syn + 1 + i * payload_bytes, server_syn + 1, segment(i)));
      if (i % segments_per_answer == segments_per_answer - 1)
        frames.push_back(frame_of(1, tcp_ack, server_syn + 1, client_syn + 1 + (i + 1) * payload_bytes, {}));
    }
  }
  std::span<const u8> segment(u32 i) const {
    return std::span(text).subspan(std::size_t{i} * payload_bytes, payload_bytes);
  }
  void set_client_port(u32 number) {
    for (auto* all : {&handshake, &frames})
      for (Frame& one : *all) put16(one.bytes + 34 + 2 * one.port, number);
  }
};

using Sets = std::vector<control::PatternSet>;

enum class Wish { nothing, all_read, first_over, tensors };

// A pipeline under a policy that inspects so much.
class World {
 public:
  World(Wish wish, const Sets& sets) {
    control::Model model;
    model.name = "bench", model.files = {"bench.toml"}, model.line_starts = {{0}};
    for (u32 i = 0; i < 2; ++i) {
      control::Segment segment;
      segment.name = i == 0 ? "inner" : "outer", segment.has_addresses = true;
      segment.addresses.ipv4 = {{0x0a000000 + (i << 16), 0x0a00ffff + (i << 16)}};
      model.segments.push_back(segment);
    }
    control::Statement allow;
    allow.name = "web", allow.from = {0}, allow.to = {1}, allow.services.tcp = {{80, 80}};
    std::vector<std::byte> patterns;
    if (wish != Wish::nothing) {
      control::Inspection inspection;
      for (u32 set = 0; set < sets.size(); ++set) inspection.sets.push_back(set);
      inspection.name = "bench", inspection.tensors = wish == Wish::tensors;
      inspection.first_bytes = wish == Wish::all_read ? 16u << 20 : 1;
      model.pattern_sets = sets, model.inspections = {inspection};
      allow.inspections = {0};
      patterns = *control::compile_patterns(sets);
    }
    model.statements = {allow};
    const auto compiled = control::compile(model, 1, control::DecisionForm::automatic, patterns);
    if (!compiled) std::exit(1);
    std::memcpy(image_.span().data(), compiled->image.data(), compiled->image.size());
    const std::string_view names[] = {"inside", "outside"};
    const Policy policy = verify(image_.span().first(compiled->image.size())).value();
    installed_ = std::make_unique<InstalledPolicy>(bind_ports(policy, names));
    scan_ = *InstalledScan::make(policy, 1, 4, nullptr);
    scan_.lend_to(*installed_);
  }

  // Of one segment, its share of the acknowledgements with it.
  double cost_ns(Talk& talk) {
    talk.set_client_port(1024 + flows_++ % 60'000);
    run(talk.handshake);
    const double ns = bench::timed_ns([&] { run(talk.frames); });
    pipeline_->flush();
    return ns / segments;
  }

 private:
  void run(std::vector<Frame>& frames) {
    Packet burst[burst_packets_max];
    u64 passed = 0;
    const auto count = [&](u32 outcomes) {
      for (u32 i = 0; i < outcomes; ++i) passed += outcomes_[i].verdict == Verdict::forward;
    };
    for (std::size_t at = 0; at < frames.size(); at += burst_packets_max) {
      const std::size_t some = std::min<std::size_t>(burst_packets_max, frames.size() - at);
      for (std::size_t i = 0; i < some; ++i)
        burst[i] = {frames[at + i].bytes, frames[at + i].length, frames[at + i].port, start, at + i, {}, 0,
                    Checksum::good};
      count(pipeline_->process({burst, some}, installed_.get(), outcomes_, {}).outcomes);
    }
    while (!pipeline_->idle()) count(pipeline_->drain(installed_.get(), outcomes_));
    if (passed != frames.size()) std::fprintf(stderr, "%zu of %zu packets passed\n", std::size_t{passed},
                                              frames.size()), std::exit(1);
  }

  static constexpr u32 capacity = 1024;
  static constexpr InspectorSize size{16, 4};
  bench::Pages image_{64 << 20, false}, table_memory_{FlowTable::bytes_needed(capacity), false};
  bench::Pages inspecting_{Inspector::bytes_needed(size), false};
  FlowTable table_{table_memory_.span(), capacity};
  WorkerCounters counters_{};
  Inspector inspector_{inspecting_.span(), size, secret, {100'000'000'000, 1'000'000'000'000}, lanes_of_machine()};
  InstalledScan scan_;
  std::unique_ptr<InstalledPolicy> installed_;
  std::unique_ptr<Pipeline> pipeline_ = std::make_unique<Pipeline>(
      PipelineConfig{.secret = secret, .inspector = &inspector_}, table_, counters_);
  Outcome outcomes_[outcomes_max];
  u32 flows_ = 0;
};

int ignore(unsigned, unsigned long long, unsigned long long, unsigned, void* context) {
  ++*static_cast<u64*>(context);
  return 0;
}

// Hyperscan alone, one stream a round.
class Bare {
 public:
  explicit Bare(const Sets& sets) : patterns_(*ScanPatterns::load(*control::compile_patterns(sets))) {
    if (hs_alloc_scratch(patterns_.streams(), &scratch_) != HS_SUCCESS ||
        hs_open_stream(patterns_.streams(), 0, &stream_) != HS_SUCCESS)
      std::abort();
  }
  ~Bare() {
    hs_close_stream(stream_, nullptr, nullptr, nullptr);
    hs_free_scratch(scratch_);
  }
  double cost_ns(const Talk& talk) {
    hs_reset_stream(stream_, 0, scratch_, nullptr, nullptr);
    return bench::timed_ns([&] {
             for (u32 i = 0; i < segments; ++i) {
               const auto* const text = reinterpret_cast<const char*>(talk.segment(i).data());
               hs_scan_stream(stream_, text, payload_bytes, 0, scratch_, ignore, &found_);
             }
           }) /
           segments;
  }

 private:
  ScanPatterns patterns_;
  hs_scratch_t* scratch_ = nullptr;
  hs_stream_t* stream_ = nullptr;
  u64 found_ = 0;
};

Sets shipped() {
  Sets sets;
  for (const control::ShippedSet& one : control::shipped_sets())
    sets.push_back(*control::read_pattern_set(std::string(one.name), "shipped", std::string(one.text)));
  return sets;
}

void measure(Talk& talk, const Sets& sets, unsigned rounds) {
  World plain(Wish::nothing, sets), read(Wish::all_read, sets), over(Wish::first_over, sets), both(Wish::tensors, sets);
  Bare bare(sets);
  const bench::Rounds result({{"uninspected", [&] { return plain.cost_ns(talk); }},
                              {"Hyperscan alone", [&] { return bare.cost_ns(talk); }},
                              {"read in order and scanned", [&] { return read.cost_ns(talk); }},
                              {"after the first bytes", [&] { return over.cost_ns(talk); }},
                              {"after the first bytes, with tensors", [&] { return both.cost_ns(talk); }}},
                             rounds);
  result.print_costs();
  result.print_ratio("P11: inspected / (uninspected + Hyperscan alone)", 2, {0, 1}, "gate 1.15");
}

}  // namespace

int main(int count, char** arguments) {
  const unsigned rounds = count > 1 ? static_cast<unsigned>(std::atoi(arguments[1])) : 9;
  for (const bool is_text : {false, true}) {
    Talk talk(is_text);
    std::vector<std::pair<std::string, Sets>> contenders = {{"the sets that Weir ships", shipped()}};
    for (const u32 patterns : {20u, 100u, 500u})
      contenders.emplace_back(std::to_string(patterns) + " patterns", Sets{bench::random_set(patterns)});
    for (const auto& [name, sets] : contenders) {
      std::printf("%s, %s, %u bytes a segment\n", name.c_str(), is_text ? "letters" : "random bytes", payload_bytes);
      measure(talk, sets, rounds);
    }
  }
}
