// What it costs a packet that its allow asks about DNS, ICMP payloads and header fields, beside the same packet of an
// allow that asks for nothing, under a policy where others ask and where nobody does. One flow a packet of 1,024, hot
// caches, checksums verified by the port.
// usage: bench_covert [ROUNDS]
#include "control/compile/compile.hpp"
#include "dataplane/packet/checksum.hpp"
#include "dataplane/pipeline/burst.hpp"
#include "dataplane/pipeline/dns_limits.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/bench/pages.hpp"
#include "tests/bench/rounds.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>

using namespace weir;

namespace {

constexpr u32 flows = 1024, passes = 20;
constexpr u16 plain_port = 9000, asked_port = 53, stream_port = 443, scrubbed_port = 8443;
constexpr HashKey secret{{0x9e37, 0x5121'0fe2'12bf'6c42, 0xe114'b56d'be3d'6501, 0x632f'63b0'2d00'ac52}};

using Frame = std::vector<std::byte>;

void put(Frame& frame, std::initializer_list<u32> bytes) {
  for (const u32 byte : bytes) frame.push_back(static_cast<std::byte>(byte));
}
void put16(Frame& frame, u32 number) { put(frame, {number >> 8 & 255, number & 255}); }

// From 10.0.0.1 to 10.1.0.1, or `back`, of which the transport is `rest`.
Frame framed(u8 protocol, const Frame& rest, u32 back = 0) {
  Frame frame;
  put(frame, {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0});
  put16(frame, static_cast<u32>(20 + rest.size()));
  put(frame, {0x12, 0x34, 0x40, 0, 64, protocol, 0, 0, 10, back, 0, 1, 10, back ^ 1, 0, 1});
  u8* const ip = reinterpret_cast<u8*>(frame.data()) + 14;
  put_sum(ip + 10, ones_sum(ip, 20));
  frame.insert(frame.end(), rest.begin(), rest.end());
  return frame;
}

// A query for one of as many names as there are flows.
Frame query(u32 flow, u16 port) {
  Frame udp, message;
  put(message, {1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0});
  for (const std::string& label : {fmt::format("host-{:04}", flow), std::string("example"), std::string("org")}) {
    put(message, {static_cast<u32>(label.size())});
    for (const char letter : label) put(message, {static_cast<u32>(letter)});
  }
  put(message, {0, 0, 1, 0, 1});
  put16(udp, 20000 + flow);
  put16(udp, port);
  put16(udp, static_cast<u32>(8 + message.size()));
  put16(udp, 0);
  udp.insert(udp.end(), message.begin(), message.end());
  return framed(17, udp);
}

Frame echo(u32 flow, u32 bytes) {
  Frame message;
  put(message, {8, 0, 0, 0});
  put16(message, flow + 1);
  put16(message, 1);
  message.resize(8 + bytes, std::byte{0x77});
  return framed(1, message);
}

// A segment with timestamps and nothing else; both sides begin at 0.
Frame segment(u32 flow, u16 port, u8 flags, u32 back = 0) {
  Frame tcp;
  put16(tcp, back != 0 ? port : 20000 + flow);
  put16(tcp, back != 0 ? 20000 + flow : port);
  put(tcp, {0, 0, 0, flags == tcp_ack ? 1u : 0u, 0, 0, 0, (flags & tcp_ack) != 0 ? 1u : 0u, 8 << 4, flags, 0xff, 0xff});
  put(tcp, {0, 0, 0, 0, 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8});
  return framed(6, tcp, back);
}

struct Bench {
  std::vector<std::byte> storage;
  std::unique_ptr<InstalledPolicy> installed;
  bench::Pages table_memory{FlowTable::bytes_needed(1 << 14), false}, dns_memory{DnsLimits::bytes_needed, false};
  FlowTable table{table_memory.span(), 1 << 14};
  DnsLimits dns{dns_memory.span(), secret};
  WorkerCounters counters{};
  Pipeline pipeline{PipelineConfig{.secret = secret, .dns = &dns}, table, counters};
  Tick now = 1'700'000'000'000'000;

  explicit Bench(bool asks) {
    control::Model model;
    model.name = "bench";
    model.files = {"bench.toml"};
    model.line_starts = {{0}};
    for (const u32 first : {0x0a000001u, 0x0a010001u}) {
      control::Segment segment;
      segment.name = first == 0x0a000001u ? "inside" : "outside";
      segment.has_addresses = true;
      segment.addresses.ipv4 = {{first, first}};
      model.segments.push_back(segment);
    }
    const auto allow = [&](const char* name) -> control::Statement& {
      control::Statement one;
      one.name = name, one.from = {0}, one.to = {1};
      return model.statements.emplace_back(one);
    };
    control::DnsTerms terms;
    terms.name = "terms", terms.name_bytes = 80, terms.information_bytes = 1 << 20, terms.domains = 100;
    terms.queries = {1, 1'000'000'000};
    model.dns_terms = {terms};
    model.statements.reserve(4);
    auto& names = allow("a-names");
    names.services.udp = {{asked_port, asked_port}};
    auto& pings = allow("b-pings");
    pings.services.icmp4 = {{0x800, 0x800}};
    auto& clean = allow("c-clean");
    clean.services.tcp = {{scrubbed_port, scrubbed_port}};
    if (asks) names.covert.dns = 0, clean.covert.scrub = true;
    if (asks) pings.covert.icmp_payload = control::CovertTerms::IcmpPayload::normalise;
    auto& plain = allow("d-plain");
    plain.services.udp = {{plain_port, plain_port}}, plain.services.tcp = {{stream_port, stream_port}};
    const auto compiled = control::compile(model, 1);
    if (!compiled) throw std::runtime_error(compiled.error().sentence);
    storage.resize(compiled->image.size() + 64);
    auto* const at = storage.data() + (64 - reinterpret_cast<std::uintptr_t>(storage.data()) % 64) % 64;
    std::memcpy(at, compiled->image.data(), compiled->image.size());
    const auto policy = verify({at, compiled->image.size()});
    if (!policy) throw std::runtime_error(std::string(policy.error().sentence));
    const std::string_view ports[] = {"inside", "outside"};
    installed = std::make_unique<InstalledPolicy>(bind_ports(*policy, ports));
  }

  void pass(std::vector<Frame>& frames, Reason expected, u16 port = 0) {
    Outcome outcomes[outcomes_max];
    for (std::size_t first = 0; first < frames.size(); first += burst_packets_max) {
      Packet burst[burst_packets_max];
      const auto count = static_cast<u32>(std::min<std::size_t>(burst_packets_max, frames.size() - first));
      for (u32 i = 0; i < count; ++i)
        burst[i] = {frames[first + i].data(), static_cast<u32>(frames[first + i].size()), port, ++now, i, {}, 0,
                    Checksum::good, false};
      const auto result = pipeline.process_at_once({burst, count}, installed.get(), outcomes, {});
      for (u32 i = 0; i < result.outcomes; ++i)
        if (outcomes[i].reason != expected)
          throw std::runtime_error(fmt::format("{}, not {}", row(outcomes[i].reason).name, row(expected).name));
    }
  }

  // ns a packet. Frames are as they came each time: what was written over is put back, which every contender pays.
  double round(const std::vector<Frame>& frames, Reason expected) {
    std::vector<Frame> sent = frames;
    const auto put_back = [&] {
      for (std::size_t i = 0; i < frames.size(); ++i) std::memcpy(sent[i].data(), frames[i].data(), frames[i].size());
    };
    const double idle = bench::timed_ns([&] { for (u32 i = 0; i < passes; ++i) put_back(); });
    const double busy = bench::timed_ns([&] { for (u32 i = 0; i < passes; ++i) put_back(), pass(sent, expected); });
    return (busy - idle) / (passes * static_cast<double>(frames.size()));
  }
};

template <class Make>
std::vector<Frame> each_flow(Make make) {
  std::vector<Frame> frames;
  for (u32 flow = 0; flow < flows; ++flow) frames.push_back(make(flow));
  return frames;
}

}  // namespace

int main(int count, char** arguments) {
  const u32 rounds = count > 1 ? static_cast<u32>(std::atoi(arguments[1])) : 15;
  Bench nobody(false), others(true);
  struct Case {
    const char* name;
    std::vector<Frame> first, frames;
    Bench* bench;
    Reason opens, passes;
  };
  using enum Reason;
  const auto to = [](u16 port) { return each_flow([port](u32 flow) { return query(flow, port); }); };
  const auto tcp = [](u16 port, u8 flags, u32 back = 0) {
    return each_flow([=](u32 flow) { return segment(flow, port, flags, back); });
  };
  const auto echoes = each_flow([](u32 flow) { return echo(flow, 56); });
  std::vector<Case> cases = {
      {"UDP, nobody asks", to(plain_port), to(plain_port), &nobody, flow_new, flow_established},
      {"UDP, others ask", to(plain_port), to(plain_port), &others, flow_new, flow_established},
      {"DNS, nobody asks", to(asked_port), to(asked_port), &nobody, flow_new, flow_established},
      {"DNS by terms", to(asked_port), to(asked_port), &others, flow_new, flow_established},
      {"ping of 56 bytes, nobody asks", echoes, echoes, &nobody, flow_new, flow_established},
      {"ping of 56 bytes, normalised", echoes, echoes, &others, scrubbed, scrubbed},
      {"ACK with timestamps, nobody asks", tcp(scrubbed_port, tcp_syn), tcp(scrubbed_port, tcp_ack), &nobody, flow_new,
       flow_established},
      {"ACK with timestamps, others ask", tcp(stream_port, tcp_syn), tcp(stream_port, tcp_ack), &others, flow_new,
       flow_established},
      {"ACK with timestamps, scrubbed", tcp(scrubbed_port, tcp_syn), tcp(scrubbed_port, tcp_ack), &others, scrubbed,
       scrubbed},
  };
  for (Case& one : cases) {
    auto opening = one.first;
    one.bench->pass(opening, one.opens);
    if (static_cast<u8>(opening[0][23]) != protocol_tcp) continue;
    auto answers = tcp(load_be16(&opening[0][36]), tcp_syn | tcp_ack, 1);
    one.bench->pass(answers, one.passes, 1);
  }
  std::vector<std::vector<double>> costs(cases.size());
  for (u32 round = 0; round < rounds; ++round)
    for (std::size_t i = 0; i < cases.size(); ++i)
      costs[i].push_back(cases[i].bench->round(cases[i].frames, cases[i].passes));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto spread = bench::spread_of(costs[i]);
    fmt::print("{:40} {:7.1f} ns ({:.1f} to {:.1f})\n", cases[i].name, spread.median, spread.least, spread.most);
  }
}
