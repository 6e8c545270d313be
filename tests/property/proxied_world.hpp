// A client, the engine as SYN proxy, a server, and four wires that lose, repeat and reorder by choice. The ends are
// ideal (ideal_tcp.hpp): whatever Weir does between them must look to each like the other.
#pragma once
#include "tests/property/contract.hpp"
#include "tests/property/ideal_wire.hpp"
#include "tests/property/sequence.hpp"

#include <deque>
#include <memory>

namespace weir {

// The engine with one worker, packets one by one, watched.
class OneByOne {
 public:
  struct Result {
    Outcome outcome;
    ideal::Bytes frame, answer;  // what leaves across and back; empty where nothing does
  };

  explicit OneByOne(u32 flows = 64) : flows_(flows), engine_(make()) {}

  Result judge(const ideal::Bytes& frame, u16 port, Tick now, const InstalledPolicy& policy, u32 growth,
               Checksum checksum = Checksum::unverified) {
    std::vector<std::byte> room(frame.size() + growth);
    std::memcpy(room.data(), frame.data(), frame.size());
    std::fill(answer_.begin(), answer_.end(), ContractWatch::untouched);
    const Packet packet{room.data(), static_cast<u32>(frame.size()), port, now, ++token_, answer_,
                        static_cast<u32>(room.size()), checksum};
    watch_.enter(packet);
    Outcome outcomes[outcomes_max];
    u32 ended = engine_->pipeline.process({&packet, 1}, &policy, outcomes, {}).outcomes;
    while (ended == 0) ended = engine_->pipeline.drain(&policy, outcomes);
    if (const auto broken = watch_.check(outcomes[0])) throw std::runtime_error(*broken);
    Result result{outcomes[0], {}, {}};
    ++ended_[static_cast<u8>(outcomes[0].reason)];
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(room.data());
    if (outcomes[0].verdict == Verdict::forward) result.frame = frame;
    if (outcomes[0].verdict == Verdict::rewrite) result.frame.assign(bytes, bytes + outcomes[0].frame_bytes);
    const auto* answer = reinterpret_cast<const std::uint8_t*>(answer_.data());
    result.answer.assign(answer, answer + outcomes[0].answer_bytes);
    return result;
  }
  u64 ended_as(Reason reason) const { return ended_[static_cast<u8>(reason)]; }
  u64 dropped() const {
    u64 sum = 0;
    for (std::size_t i = 0; i < reasons_count; ++i) sum += reason_rows[i].verdict == Verdict::drop ? ended_[i] : 0;
    return sum;
  }
  FlowTable& table() { return engine_->table; }

  // Another takes up what this one knows.
  void restart(const InstalledPolicy& policy, Tick now) {
    const std::unique_ptr<Engine> before = std::exchange(engine_, make());
    Keeping out(before->pipeline), in(engine_->pipeline);
    in.begin(now, out.cookies_until());
    std::vector<KeptFlow> rows(flows_);
    rows.resize(out.take_out(&policy, now, rows));
    ideal::expect(out.left_behind() == 0, "nothing is left behind");
    for (const KeptFlow& row : rows)
      ideal::expect(is_sound(row, 1) && in.put_in(row, 0) == Keeping::Fate::taken, "all is taken");
    engine_->pipeline.age(now, &policy);  // as a worker does in each round
  }

 private:
  struct Engine {
    struct alignas(64) Line {
      std::byte bytes[64];
    };
    Engine(u32 flows, u64 number)
        : lines(FlowTable::bytes_needed(flows) / 64 + 1),
          table(std::as_writable_bytes(std::span(lines)), flows),
          pipeline({.secret = {{number, 2, 3, 5}}, .cookie_secret = {{7, 11}}}, table, counters) {}
    std::vector<Line> lines;
    FlowTable table;
    WorkerCounters counters;
    Pipeline pipeline;
  };
  std::unique_ptr<Engine> make() { return std::make_unique<Engine>(flows_, ++engines_); }

  const u32 flows_;
  u64 engines_ = 0;
  std::unique_ptr<Engine> engine_;
  ContractWatch watch_;
  std::vector<std::byte> answer_ = std::vector<std::byte>(256);
  u64 token_ = 0;
  u64 ended_[reasons_count] = {};
};

inline ideal::Path path_outward(bool ipv6, u16 client_port = 40000) {
  if (!ipv6) return {{10, 0, 0, 1}, {10, 1, 0, 1}, client_port, 443};
  return {{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1},
          client_port, 443};
}

// A policy that lets path_outward() through, with every handshake proxied and nothing limited.
class Proxying {
 public:
  Proxying() {
    control::Model model = Policies()[0].model;
    model.tracking = {};
    model.tracking.syn_proxy = control::Tracking::SynProxy::always;
    const auto compiled = control::compile(model, 1);
    if (!compiled) throw std::runtime_error(compiled.error().sentence);
    storage_.resize(compiled->image.size() / sizeof(Line) + 1);
    std::memcpy(storage_.data(), compiled->image.data(), compiled->image.size());
    const auto verified = verify({reinterpret_cast<std::byte*>(storage_.data()), compiled->image.size()});
    if (!verified) throw std::runtime_error(std::string(verified.error().sentence));
    const std::string_view names[] = {"inside", "outside"};
    policy_ = std::make_unique<InstalledPolicy>(bind_ports(*verified, names));
  }
  const InstalledPolicy& policy() const { return *policy_; }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> storage_;
  std::unique_ptr<InstalledPolicy> policy_;
};

inline const Proxying& proxying() {
  static const Proxying one;
  return one;
}

struct Conditions {
  bool ipv6 = false, tagged = false, padded = false;
  u32 growth = 128;  // bytes by which a frame may grow
  u32 impaired = 0;  // of 256 frames, so many are lost, and so many repeated, and so many overtaken
  u32 restarts = 0;  // of 256 steps, so many are restarts
  u32 altered = 0;   // of 256 frames of the client's, so many come once more before, with a byte altered
};

class ProxiedWorld {
 public:
  ProxiedWorld(const InstalledPolicy& policy, const Conditions& conditions, const ideal::Traits& client,
               const ideal::Traits& server, std::function<u32(u32)> below)
      : policy_(policy),
        conditions_(conditions),
        path_(path_outward(conditions.ipv6)),
        below_(std::move(below)),
        client_(client, below_),
        server_(server, below_) {
    path_.tagged = conditions.tagged;
  }

  // Whether both streams arrived within so many steps.
  bool run(u32 steps) {
    client_.open();
    for (u32 step = 0; step < steps && !finished(); ++step) {
      if (conditions_.restarts != 0 && below_(256) < conditions_.restarts) engine_.restart(policy_, now_);
      send(client_, path_, Wire::from_client);
      send(server_, path_.back(), Wire::from_server);
      const bool quiet = std::ranges::all_of(wires_, [](const auto& wire) { return wire.empty(); });
      if (quiet || below_(64) == 0) {
        now_ += 200'000;
        (below_(2) ? client_ : server_).tick();
      } else if (!quiet) {
        now_ += 10;
        carry(static_cast<Wire>(pick_wire()));
      }
    }
    return finished();
  }
  bool finished() const { return client_.done(server_) && server_.done(client_); }
  OneByOne& engine() { return engine_; }

 private:
  enum class Wire { from_client, from_server, to_server, to_client };

  std::deque<ideal::Bytes>& wire(Wire which) { return wires_[static_cast<std::size_t>(which)]; }

  void send(ideal::Host& host, const ideal::Path& path, Wire onto) {
    for (const ideal::Segment& segment : host.out)
      put(onto, ideal::frame_of(path, 6, ideal::tcp_header(path, segment), conditions_.padded));
    host.out.clear();
  }

  void put(Wire onto, const ideal::Bytes& frame) {
    if (frame.empty() || below_(256) < conditions_.impaired) return;
    auto& queue = wire(onto);
    const bool overtakes = !queue.empty() && below_(256) < conditions_.impaired;
    queue.insert(overtakes ? queue.end() - 1 : queue.end(), frame);
    if (below_(256) < conditions_.impaired) queue.push_back(frame);
  }

  u32 pick_wire() {
    u32 which = below_(4);
    while (wires_[which].empty()) which = (which + 1) % 4;
    return which;
  }

  void carry(Wire from) {
    const ideal::Bytes frame = wire(from).front();
    wire(from).pop_front();
    switch (from) {
      case Wire::from_client:
        if (below_(256) < conditions_.altered) alter(frame);
        return cross(frame, 0, Wire::to_server, Wire::to_client);
      case Wire::from_server: return cross(frame, 1, Wire::to_client, Wire::to_server);
      case Wire::to_server: return server_.take(read(path_, frame), client_);
      case Wire::to_client: return client_.take(read(path_.back(), frame), server_);
    }
  }

  static ideal::Segment read(const ideal::Path& path, const ideal::Bytes& frame) {
    return ideal::read_tcp(path, ideal::read_frame(path, frame, 6));
  }

  // Nobody sees what becomes of it, so it may end the flow but deceive no one. Its checksum counts as right.
  void alter(ideal::Bytes frame) {
    frame[12 + below_(static_cast<u32>(std::min<std::size_t>(frame.size(), 80)) - 12)] ^=
        static_cast<std::uint8_t>(1 + below_(255));
    engine_.judge(frame, 0, now_, policy_, conditions_.growth, Checksum::good);
  }

  void cross(const ideal::Bytes& frame, u16 port, Wire across, Wire back) {
    const auto result = engine_.judge(frame, port, now_, policy_, conditions_.growth);
    const bool answers = result.outcome.verdict == Verdict::answer;
    ideal::expect(!answers || result.answer.size() <= frame.size(), "no answer longer than what it answers");
    put(across, result.frame);
    put(back, result.answer);
  }

  const InstalledPolicy& policy_;
  const Conditions conditions_;
  ideal::Path path_;
  std::function<u32(u32)> below_;
  ideal::Host client_, server_;
  OneByOne engine_;
  std::deque<ideal::Bytes> wires_[4];
  Tick now_ = Tick{1'700'000'000} * tick_second;
};

}  // namespace weir
