// Flows that come, are looked into and go, at random, over policies that inspect, do not, and inspect otherwise, in a
// table and an inspector that are always short of room: nobody keeps a watch who is no flow, every stream comes back,
// no mark opens a flow of datagrams, and a planned restart keeps no flow that is looked into. Under sanitizers it also
// reads no byte that is not there.
#include "control/compile/compile.hpp"
#include "control/inspect/compile_patterns.hpp"
#include "dataplane/pipeline/keeping.hpp"
#include "dataplane/policy/verify.hpp"
#include "dataplane/scan/installed_scan.hpp"
#include "tests/property/image_memory.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <random>
#include <set>

using namespace weir;

namespace {

constexpr u32 capacity = 24;
constexpr InspectorSize size{8, 3};
constexpr HashKey secret{{1, 2, 3, 4}};
const std::string mark = "the words that may not leave", other_mark = "what else may not leave";

enum Kind { inspects, plain, inspects_otherwise, kinds };

control::Model model_of(Kind kind) {
  control::Model model;
  model.name = "watched", model.files = {"watched.toml"}, model.line_starts = {{0}};
  for (u32 i = 0; i < 2; ++i) {
    control::Segment segment;
    segment.name = i == 0 ? "inner" : "outer", segment.has_addresses = true;
    segment.addresses.ipv4 = {{0x0a000000 + (i << 16), 0x0a00ffff + (i << 16)}};
    model.segments.push_back(segment);
  }
  const auto allow = [&](const char* name, std::uint16_t port, bool looks, std::uint16_t protocols) {
    control::Statement made;
    made.name = name, made.from = {0}, made.to = {1};
    made.services.tcp = made.services.udp = {{port, port}};
    if (protocols != 0) made.services.udp.clear();
    if (looks && kind != plain) made.inspections = {0};
    if (kind != plain) made.rdma.protocols = protocols;
    model.statements.push_back(made);
  };
  allow("a", 9000, true, 0);
  allow("b", 9001, kind == inspects_otherwise, 0);
  allow("c", 9002, false, kind == inspects ? 1u << (static_cast<u32>(Opening::nvme_tcp) - 1) : 0);
  if (kind == plain) return model;
  control::Inspection inspection;
  inspection.name = "marks", inspection.sets = {0}, inspection.first_bytes = 4096, inspection.tensors = true;
  model.inspections = {inspection};
  control::PatternSet set{"marks", {{"mark", kind == inspects ? mark : other_mark, "", {}, false, false}}};
  model.pattern_sets = {set};
  return model;
}

struct Installed {
  std::unique_ptr<ImageMemory> image;
  std::unique_ptr<InstalledPolicy> policy;
  InstalledScan scan;

  void make(Kind kind, u64 generation) {
    const control::Model model = model_of(kind);
    std::vector<std::byte> patterns;
    if (!model.pattern_sets.empty()) patterns = *control::compile_patterns(model.pattern_sets);
    const auto compiled = control::compile(model, generation, control::DecisionForm::automatic, patterns);
    REQUIRE(compiled);
    image = std::make_unique<ImageMemory>(compiled->image);
    const std::string_view names[] = {"inside", "outside"};
    const Policy verified = verify(image->bytes()).value();
    policy = std::make_unique<InstalledPolicy>(bind_ports(verified, names));
    policy->installation = generation;
    scan = *InstalledScan::make(verified, 1, size.reading, nullptr);
    scan.lend_to(*policy);
  }
};

struct Lines {
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> lines;
  explicit Lines(std::size_t bytes) : lines(bytes / 64 + 1) {}
  std::span<std::byte> span() { return std::as_writable_bytes(std::span(lines)); }
};

struct Meant {
  u32 from;  // the client (0) or the server
  u16 client_port, server_port;
  bool is_tcp;
  u8 flags;
  u32 sequence, acknowledged;
  std::string payload;
};

void put16(std::vector<std::byte>& at, std::size_t offset, u32 value) {
  at[offset] = std::byte(value >> 8 & 255), at[offset + 1] = std::byte(value & 255);
}

std::vector<std::byte> frame_of(const Meant& one) {
  const std::size_t header = one.is_tcp ? 20 : 8;
  std::vector<std::byte> frame(34 + header + one.payload.size());
  const u8 head[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64};
  std::memcpy(frame.data(), head, sizeof head);
  frame[23] = std::byte(one.is_tcp ? 6 : 17);
  put16(frame, 16, static_cast<u32>(20 + header + one.payload.size()));
  for (const u32 side : {0u, 1u}) {
    const std::size_t at = (side ^ one.from) == 0 ? 26 : 30;
    put16(frame, at, 0x0a00 + side), put16(frame, at + 2, 1);
    put16(frame, 34 + 2 * (side ^ one.from), side == 0 ? one.client_port : one.server_port);
  }
  u32 sum = 0;
  for (u32 at = 14; at < 34; at += 2) sum += load_be16(&frame[at]);
  sum = (sum & 0xffff) + (sum >> 16);
  put16(frame, 24, ~(sum + (sum >> 16)) & 0xffff);
  if (one.is_tcp) {
    put16(frame, 38, one.sequence >> 16), put16(frame, 40, one.sequence);
    put16(frame, 42, one.acknowledged >> 16), put16(frame, 44, one.acknowledged);
    frame[46] = std::byte{0x50}, frame[47] = std::byte{one.flags};
    put16(frame, 48, 0xffff);
  } else {
    put16(frame, 38, static_cast<u32>(8 + one.payload.size()));
  }
  std::memcpy(frame.data() + 34 + header, one.payload.data(), one.payload.size());
  return frame;
}

class World {
 public:
  explicit World(u32 seed) : random_(seed) {
    for (u32 kind = 0; kind < kinds; ++kind) installed_[kind].make(static_cast<Kind>(kind), ++generation_);
  }

  void step() {
    const u32 chance = below(100);
    if (chance == 0) flip();
    else if (chance == 1 && below(4) == 0) pipeline_.flush();
    else if (chance == 2) now_ += below(90'000'000);
    else if (chance == 3) keep();
    else send();
    now_ += below(20'000);
    REQUIRE(inspector_.watches().live() <= table_.live());
    REQUIRE(inspector_.watches().reading() <= size.reading);
  }
  void end() {
    pipeline_.flush();
    CHECK(inspector_.watches().live() == 0);
    CHECK(inspector_.watches().reading() == 0);
  }
  const std::set<Reason>& met() const { return met_; }
  u64 kept() const { return kept_; }
  u64 left_behind() const { return left_behind_; }

 private:
  u32 below(u64 count) { return static_cast<u32>(random_() % count); }

  // The same policy under a new number, or another; its scanner made anew, as where the patterns have changed. An edge
  // that frees what a policy had lent says first that it is over.
  void flip() {
    current_ = below(kinds);
    installed_[current_].make(static_cast<Kind>(current_), ++generation_);
    pipeline_.adopt(installed_[current_].policy.get());
  }

  void keep() {
    const InstalledPolicy* const policy = installed_[current_].policy.get();
    KeptFlow rows[capacity];
    Keeping keeping(pipeline_);
    const u32 count = keeping.take_out(policy, now_, rows);
    for (u32 row = 0; row < count; ++row) {
      FlowKey key{};
      std::memcpy(static_cast<void*>(&key), rows[row].record, sizeof key);
      const u32 flow = table_.find(key, hash_of(key, secret), no_flow);
      const FlowRecord& record = table_.record(flow);
      REQUIRE(inspector_.watch_of(flow) == Inspector::none);
      const bool is_judged = record.epoch != epoch_stale && record.epoch == pipeline_.epoch_of(policy);
      const u16 server_port = swap(record.opener_is_a ? key.b_number : key.a_number);
      REQUIRE(!(is_judged && is_looked_into(server_port, key.flow_class() == FlowClass::tcp)));
    }
    kept_ += count;
    left_behind_ += keeping.left_behind();
  }
  // As model_of() has it.
  bool is_looked_into(u16 server_port, bool is_tcp) const {
    if (current_ == inspects) return server_port == 9000 || (is_tcp && server_port == 9002);
    return current_ == inspects_otherwise && server_port != 9002;
  }

  void send() {
    Talk& talk = talks_[below(std::size(talks_))];
    const auto number = static_cast<u32>(&talk - talks_);
    const auto client_port = static_cast<u16>(5000 + number), server_port = static_cast<u16>(9000 + number % 3);
    Meant one{below(2), client_port, server_port, below(5) != 0, tcp_ack, 0, 0, {}};
    if (below(12) == 0) talk = {below(8) == 0 ? ~0u - 40 : static_cast<u32>(random_()), static_cast<u32>(random_())};
    const u32 size_of_it = below(3) == 0 ? 0 : 1 + below(900);
    one.payload = std::string(size_of_it, below(3) == 0 ? 'y' : 'x');
    const bool is_marked = below(6) == 0;
    if (is_marked) one.payload += below(2) ? mark : other_mark;
    const u8 rare[] = {tcp_syn, tcp_syn | tcp_ack, tcp_fin | tcp_ack, tcp_rst | tcp_ack, tcp_syn, tcp_syn | tcp_ack};
    if (below(3) == 0) one.flags = rare[below(std::size(rare))];
    if ((one.flags & tcp_syn) != 0) one.payload.clear(), one.from = (one.flags & tcp_ack) != 0;
    const bool is_again = below(4) == 0;
    one.sequence = talk.next[one.from] + (is_again ? -below(50) : below(15) == 0 ? below(50) : 0);
    one.acknowledged = talk.next[one.from ^ 1];
    const Reason reason = judge(one);
    met_.insert(reason);
    const bool passes = verdict_of(reason) == Verdict::forward;
    if (passes && (one.flags & (tcp_syn | tcp_fin)) != 0 && one.is_tcp) ++talk.next[one.from];
    if (passes && one.is_tcp && !is_again) talk.next[one.from] = one.sequence + static_cast<u32>(one.payload.size()) +
                                                                 ((one.flags & (tcp_syn | tcp_fin)) != 0);
    // A datagram is searched by itself: no mark of the policy in force passes among a flow's first bytes.
    if (one.is_tcp || !is_marked || current_ == plain || one.server_port != 9000) return;
    const std::string& wanted = current_ == inspects ? mark : other_mark;
    if (one.payload.find(wanted) != std::string::npos && reason == Reason::flow_new) FAIL("a mark has passed");
  }

  Reason judge(const Meant& one) {
    std::vector<std::byte> frame = frame_of(one);
    const Packet packet{frame.data(), static_cast<u32>(frame.size()), static_cast<u16>(one.from), now_, 1, {}, 0,
                        Checksum::good};
    const InstalledPolicy* policy = installed_[current_].policy.get();
    Outcome outcomes[outcomes_max];
    REQUIRE(pipeline_.process_at_once({&packet, 1}, policy, outcomes, {}).outcomes == 1);
    return outcomes[0].reason;
  }

  struct Talk {
    u32 next[2] = {1000, 90'000};
  };

  std::mt19937_64 random_;
  Installed installed_[kinds];
  u64 generation_ = 0;
  u32 current_ = 0;
  Tick now_ = 1'700'000'000 * tick_second;
  Talk talks_[40];
  std::set<Reason> met_;
  u64 kept_ = 0, left_behind_ = 0;
  Lines table_memory_{FlowTable::bytes_needed(capacity)}, inspecting_{Inspector::bytes_needed(size)};
  FlowTable table_{table_memory_.span(), capacity};
  Inspector inspector_{inspecting_.span(), size, secret, {20'000'000, 200'000}, Lanes::plain};
  WorkerCounters counters_{};
  Pipeline pipeline_{PipelineConfig{.secret = secret, .inspector = &inspector_}, table_, counters_};
};

}  // namespace

TEST_CASE("watches live as long as their flows, and no longer") {
  std::set<Reason> met;
  for (u32 seed = 1; seed <= 6; ++seed) {
    World world(seed);
    for (u32 step = 0; step < 15'000; ++step) world.step();
    world.end();
    met.insert(world.met().begin(), world.met().end());
    CHECK((world.kept() > 100 && world.left_behind() > 100));
  }
  for (const Reason reason : {Reason::inspect_signature, Reason::inspect_protocol, Reason::inspect_full,
                              Reason::stream_ahead, Reason::stream_differs, Reason::flow_established})
    CHECK((met.contains(reason) ? row(reason).name : "nothing") == row(reason).name);
}
