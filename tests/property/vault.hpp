// A vault, an engine that judges what leaves it, and a bank that lends: what left by either port and what it cost.
#pragma once
#include "control/compile/compile.hpp"
#include "dataplane/pipeline/burst.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/image_memory.hpp"
#include "tests/unit/parse_frame.hpp"

#include <sys/mman.h>
#include <catch2/catch.hpp>

#include <new>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace weir::test {

// Zeroed pages, which cost nothing until they are touched: a till is mostly empty.
class Room {
 public:
  explicit Room(std::size_t bytes)
      : all_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
        bytes_(bytes) {
    if (all_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~Room() { munmap(all_, bytes_); }
  Room(const Room&) = delete;
  std::span<std::byte> span() { return {static_cast<std::byte*>(all_), bytes_}; }

 private:
  void* all_;
  std::size_t bytes_;
};

// Lends what is asked for until told not to.
struct Bank {
  static void lend(void* self, Till& till, u32 purse, u64 least) {
    Bank& bank = *static_cast<Bank*>(self);
    bank.spent += till.report(purse).spent;
    if (bank.lends && purse != bank.closed) till.put(purse, least + bank.more);
  }
  u64 spent = 0;
  bool lends = true;
  u64 more = 10'000;  // than is asked for, so that who pays twice can
  u32 closed = no_purse;
};

class World {
 public:
  explicit World(const InstalledPolicy& installed)
      : installed_(installed),
        till_memory_(Till::bytes_needed()),
        till_(till_memory_.span(), {&bank_, Bank::lend, nullptr}),
        bills_(bill_memory_.span(), bills, cells_),
        table_(table_memory_.span(), flows),
        floods_(flood_memory_.span(), secret),
        rdma_(rdma_memory_.span(), secret),
        fragments_(secret),
        pipeline_({.secret = secret,
                   .floods = &floods_,
                   .fragments = &fragments_,
                   .rdma = &rdma_,
                   .till = &till_,
                   .bills = &bills_},
                  table_, counters_) {}

  struct Left {
    u64 out = 0, in = 0, debited = 0;
    std::vector<Reason> reasons;
  };
  // What leaves by either port, and what that cost.
  Left send(std::vector<u8> frame, u16 port) {
    frames_.push_back(std::move(frame));
    std::vector<u8>& kept = frames_.back();
    const std::size_t bytes = kept.size();
    kept.resize(bytes + 64);
    answers_.emplace_back(512);
    Packet packet{};
    packet.data = reinterpret_cast<std::byte*>(kept.data());
    packet.bytes = static_cast<u32>(bytes);
    packet.room = static_cast<u32>(kept.size());
    packet.port = port;
    packet.time = now += 1000;
    packet.token = sizes_.size();
    packet.answer = answers_.back();
    sizes_.push_back({packet.bytes, port});
    Left left;
    const u64 before = spent();
    collect(pipeline_.process({&packet, 1}, &installed_, outcomes_, {}).outcomes, left);
    while (!pipeline_.idle()) collect(pipeline_.drain(&installed_, outcomes_), left);
    left.debited = spent() - before;
    return left;
  }
  Left send(std::string_view text, u16 port) { return send(test::frame_of(text), port); }

  // Everything that is lent is taken back, and no more is lent.
  void close() {
    bank_.lends = false;
    till_.take({PurseGift::Kind::give_back, 1, 0, {}});
    PurseNews news[8];
    for (u32 i = till_.tell(now, news); i != 0; --i) bank_.spent += news[i - 1].spent;
    CHECK(till_.left(1) == 0);
  }
  u64 spent() {
    for (const u32 purse : {1u, 2u}) bank_.spent += till_.report(purse).spent;
    return bank_.spent;
  }

  Bank& bank() { return bank_; }

  Tick now = 1'700'000'000'000'000;

 private:
  static constexpr u32 flows = 4096, bills = 64;
  static constexpr HashKey secret{{1, 2, 3, 4}};
  struct Sent {
    u32 bytes;
    u16 port;
  };
  void collect(u32 count, Left& left) {
    for (u32 i = 0; i < count; ++i) {
      const Outcome& outcome = outcomes_[i];
      const Sent& sent = sizes_[outcome.token];
      if (outcome.verdict == Verdict::hold) continue;
      left.reasons.push_back(outcome.reason);
      reached.insert(outcome.reason);
      u64& across = sent.port == 0 ? left.out : left.in;
      u64& back = sent.port == 0 ? left.in : left.out;
      if (outcome.verdict == Verdict::forward) across += sent.bytes;
      if (outcome.verdict == Verdict::rewrite) across += outcome.frame_bytes;
      back += outcome.answer_bytes;
    }
  }

  const InstalledPolicy& installed_;
  Bank bank_;
  Room till_memory_;
  Till till_;
  std::vector<LimitCells::Cell> cell_memory_ = std::vector<LimitCells::Cell>(16);
  LimitCells cells_{cell_memory_};
  Room bill_memory_{Bills::bytes_needed(bills)};
  Bills bills_;
  Room table_memory_{FlowTable::bytes_needed(flows)};
  FlowTable table_;
  WorkerCounters counters_;
  Room flood_memory_{Floods::bytes_needed};
  Floods floods_;
  Room rdma_memory_{Rdma::bytes_needed};
  Rdma rdma_;
  Reassembly fragments_;
  Pipeline pipeline_;
  Outcome outcomes_[outcomes_max];
  std::vector<Sent> sizes_;
  std::vector<std::vector<u8>> frames_;
  std::vector<std::vector<std::byte>> answers_;

 public:
  std::set<Reason> reached;
};

class Installed {
 public:
  explicit Installed(const control::Model& model) : compiled_(control::compile(model, 1)) {
    if (!compiled_) throw std::runtime_error(compiled_.error().sentence);
    image_.emplace(compiled_->image);
    const auto policy = verify(image_->bytes());
    if (!policy) throw std::runtime_error(std::string(policy.error().sentence));
    const std::string_view names[] = {"inside", "outside"};
    policy_.emplace(bind_ports(*policy, names));
    policy_->seats = seats_;
  }
  const InstalledPolicy& operator*() const { return *policy_; }

 private:
  decltype(control::compile(control::Model{}, 1)) compiled_;
  std::optional<ImageMemory> image_;
  std::optional<InstalledPolicy> policy_;
  AccountSeat seats_[1] = {{0, 1, 0}};
};

}  // namespace weir::test
