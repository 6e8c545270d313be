// What a planned restart takes of the time in which nothing is forwarded, besides the ports' and EAL's own: flows out
// of a table into a file, and from the file into another table under another secret, in nanoseconds a flow.
// `bench_keep [flows] [folder]`; the folder is made, /dev/shm/weir-bench-keep where none is named, and removed again.
#include "dataplane/edge/keep_folder.hpp"
#include "tests/bench/pages.hpp"
#include "tests/bench/rounds.hpp"

#include <filesystem>
#include <memory>

using namespace weir;

namespace {

constexpr Tick now = 1'700'000'000 * tick_second;

FlowKey flow_key(u32 number) {
  const u64 bits = (number + 1) * 0x9e3779b97f4a7c15;
  bool swapped;
  return make_key(Address::ipv4(swap(0x0a00'0000 + static_cast<u32>(bits >> 40 & 0xffff))), static_cast<u16>(number),
                  Address::ipv4(swap(0x0b00'0000 + (number >> 16))), swap(u16{80}),
                  FlowKey::scope_of(FlowClass::tcp, 0, 0), swapped);
}

struct Side {
  Side(u32 capacity, u64 number)
      : secret{{number, 2, 3, 5}},
        memory(FlowTable::bytes_needed(capacity), false),
        table(memory.span(), capacity),
        pipeline({.secret = secret}, table, counters) {}
  HashKey secret;
  bench::Pages memory;
  FlowTable table;
  WorkerCounters counters;
  Pipeline pipeline;
};

struct Bench {
  explicit Bench(u32 count, std::string path) : flows(count), folder_path(std::move(path)), before(count, 1) {
    before.pipeline.age(now, nullptr);  // its first sight of the time empties the table
    for (u32 i = 0; i < flows; ++i) {
      const FlowKey key = flow_key(i);
      const u32 flow = before.table.insert(key, hash_of(key, before.secret), static_cast<Beat>(beat_of(now) + 10'000));
      if (flow == no_flow) std::exit(1);
      before.table.record(flow).set_state(FlowRecord::state_established);
      before.table.record(flow).epoch = 1;
    }
  }

  u64 fill(std::span<std::byte> into, const edge::RunId& run) {
    edge::KeptHead head{};
    head.magic = edge::KeptHead::magic_value;
    head.layout = edge::KeptHead::layout_value;
    head.row_bytes = sizeof(KeptFlow);
    head.boot_id[0] = 'b';
    head.run = run;
    const std::span rows(reinterpret_cast<KeptFlow*>(into.data() + edge::places_of(head).flows), flows);
    Keeping keeping(before.pipeline);
    while (const u32 count = keeping.take_out(nullptr, now, rows.subspan(head.flows))) head.flows += count;
    head.total_bytes = edge::places_of(head).total;
    std::memcpy(into.data(), &head, sizeof head);
    reinterpret_cast<edge::KeptHead*>(into.data())->checksum = edge::kept_checksum(into.first(head.total_bytes));
    return head.total_bytes;
  }

  double write() {
    folder.reset();
    auto opened = edge::KeepFolder::open(folder_path);
    if (!opened || !opened->begin({{1, ++runs}})) std::exit(1);
    folder = std::make_unique<edge::KeepFolder>(std::move(*opened));
    edge::KeptHead most{};
    most.flows = flows;
    const double ns = bench::timed_ns([&] {
      const auto fills = [&](std::span<std::byte> into) { return fill(into, {{1, runs}}); };
      if (!folder->write(edge::places_of(most).total, fills)) std::exit(1);
    });
    return ns / flows;
  }

  double read() {
    auto after = std::make_unique<Side>(flows, runs + 1);
    u64 taken = 0;
    const double ns = bench::timed_ns([&] {
      const auto left = folder->begin({{1, runs + 1}});
      if (!left) std::exit(1);
      const auto state = edge::read_kept(left->state.bytes(), {"b", left->run, 0, 1, 0});
      if (!state) std::exit(1);
      Keeping into(after->pipeline);
      into.begin(now, 0);
      for (const KeptFlow& row : state->flows) taken += into.put_in(row, 0) == Keeping::Fate::taken;
    });
    if (taken != flows) std::exit(1);
    return ns / flows;
  }

  const u32 flows;
  const std::string folder_path;
  Side before;
  u64 runs = 0;
  std::unique_ptr<edge::KeepFolder> folder;
};

}  // namespace

int main(int count, char** words) {
  const u32 flows = count > 1 ? static_cast<u32>(std::atol(words[1])) : 1 << 20;
  const std::string path = count > 2 ? words[2] : "/dev/shm/weir-bench-keep";
  auto bench = std::make_unique<Bench>(flows, path);
  const bench::Rounds measured({{"one flow written", [&] { return bench->write(); }},
                                {"one flow read, checked and put in", [&] { return bench->read(); }}},
                               7);
  std::printf("%u flows, %zu bytes each, in %s\n", flows, sizeof(KeptFlow), path.c_str());
  measured.print_costs();
  bench.reset();
  std::filesystem::remove_all(path);
}
