#include "tools/weir/replay_run.hpp"

#include "dataplane/base/check.hpp"

#include <algorithm>
#include <cstdlib>

namespace weir {
namespace {

// In a file nobody aims collisions at a table that lives for one command, and the same run must give the same lines.
constexpr HashKey replay_secret{{0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89}};

constexpr u32 cells_count = 1u << 18;  // of limits

constexpr InspectorSize inspector_size{1u << 16, replay_reading};
constexpr WatchShare all_of_it{100'000'000'000, 1'000'000'000'000};  // nobody else waits for a capture

constexpr SipKey replay_cookie_secret{{0x452821e638d01377, 0xbe5466cf34e90c6c}};

// Zeroed, and touched only where flows are; the pages of an unused table cost nothing.
std::unique_ptr<std::byte, void (*)(std::byte*)> lent_memory(std::size_t needed) {
  const std::size_t bytes = needed + 64;
  auto* const memory = static_cast<std::byte*>(std::calloc(bytes, 1));
  WEIR_CHECK(memory != nullptr);
  return {memory, [](std::byte* at) { std::free(at); }};
}

std::span<std::byte> aligned(std::byte* memory, std::size_t needed) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  return {memory + (64 - address % 64) % 64, needed};
}

}  // namespace

ReplayRun::ReplayRun(const InstalledPolicy* policy, ledger::CaptureAccounts* accounts, u32 flows, Checksum checksum,
                     std::function<void(const Decided&)> decided)
    : policy_(policy),
      accounts_(accounts),
      checksum_(checksum),
      decided_(std::move(decided)),
      table_memory_(lent_memory(FlowTable::bytes_needed(flows))),
      flood_memory_(lent_memory(Floods::bytes_needed)),
      rdma_memory_(lent_memory(Rdma::bytes_needed)),
      dns_memory_(lent_memory(DnsLimits::bytes_needed)),
      inspecting_memory_(lent_memory(inspects() ? Inspector::bytes_needed(inspector_size) : 0)),
      cells_memory_(lent_memory(charges() ? cells_count * sizeof(LimitCells::Cell) : 0)),
      charging_memory_(lent_memory(charges() ? Charging::bytes_needed(flows) : 0)),
      table_(aligned(table_memory_.get(), FlowTable::bytes_needed(flows)), flows),
      floods_(aligned(flood_memory_.get(), Floods::bytes_needed), replay_secret),
      rdma_(aligned(rdma_memory_.get(), Rdma::bytes_needed), replay_secret),
      dns_(aligned(dns_memory_.get(), DnsLimits::bytes_needed), replay_secret),
      fragments_(std::make_unique<Reassembly>(replay_secret)),
      counters_{},
      events_(policy != nullptr && policy->shadow != nullptr ? std::make_unique<EventRing>() : nullptr),
      pipeline_(config_of(), table_, counters_) {}

PipelineConfig ReplayRun::config_of() {
  PipelineConfig config{.secret = replay_secret,
                        .cookie_secret = replay_cookie_secret,
                        .events = events_.get(),
                        .floods = &floods_,
                        .fragments = fragments_.get(),
                        .rdma = &rdma_,
                        .dns = &dns_,
                        .quarantine = &quarantine_,
                        .name_segments = true};
  if (inspects())
    config.inspector = &inspector_.emplace(aligned(inspecting_memory_.get(), Inspector::bytes_needed(inspector_size)),
                                           inspector_size, replay_secret, all_of_it, lanes_of_machine());
  if (!charges()) return config;
  const auto cells = aligned(cells_memory_.get(), cells_count * sizeof(LimitCells::Cell));
  cells_ = LimitCells({reinterpret_cast<LimitCells::Cell*>(cells.data()), cells_count});
  charging_.emplace(aligned(charging_memory_.get(), Charging::bytes_needed(table_.capacity())), table_.capacity(),
                    cells_, replay_secret, accounts_ == nullptr ? Lender{} : accounts_->lender());
  charging_->lend_to(config);
  return config;
}

void ReplayRun::take(const capture::MergedPacket& packet) {
  const u64 token = free_frame();
  Frame& frame = frames_[token];
  frame.bytes.assign(packet.bytes.begin(), packet.bytes.end());
  frame.captured_bytes = static_cast<u32>(packet.bytes.size());
  frame.bytes.resize(packet.bytes.size() + growth_bytes_max);
  frame.index = packets_++;
  frame.time = packet.time;
  frame.port = packet.side;
  frame.original_bytes = packet.original_bytes;
  frame.held = false;
  waiting_.push_back({frame.bytes.data(), frame.captured_bytes, frame.port, frame.time, token,
                      std::span(frame.answer), static_cast<u32>(frame.bytes.size()), checksum_});
  if (waiting_.size() == (accounts_ == nullptr ? burst_packets_max : 1)) burst();
}

void ReplayRun::settle() {
  burst();
  while (!pipeline_.idle()) burst();
}

void ReplayRun::finish() {
  settle();
  hand_on({outcomes_.data(), pipeline_.abandon(policy_, outcomes_)});
}

u64 ReplayRun::free_frame() {
  if (free_.empty()) {
    frames_.emplace_back();
    return frames_.size() - 1;
  }
  const u64 token = free_.back();
  free_.pop_back();
  return token;
}

void ReplayRun::burst() {
  if (accounts_ != nullptr) begin_packet();
  const BurstResult result = pipeline_.process(waiting_, policy_, outcomes_, {});
  if (accounts_ != nullptr) accounts_->end_packet(charging_->till());
  waiting_.clear();
  hand_on({outcomes_.data(), result.outcomes});
}

// Which packet this call decides, so that what it takes is counted at its time.
void ReplayRun::begin_packet() {
  inside_.push_back(waiting_.empty() ? std::nullopt : std::optional(waiting_.front().time));
  if (inside_.size() < stages) return;
  if (inside_.front()) accounts_->begin_packet(*inside_.front());
  inside_.pop_front();
}

// What had been held comes before the packet that ends it.
void ReplayRun::hand_on(std::span<const Outcome> outcomes) {
  for (std::size_t index = 0, last = 0; index < outcomes.size(); ++index) {
    for (last = std::max(last, index); last < outcomes.size() && frames_[outcomes[last].token].held;) ++last;
    if (last < outcomes.size()) latest_ = frames_[outcomes[last].token].time;
    hand_on(outcomes[index], latest_);
  }
}

void ReplayRun::hand_on(const Outcome& outcome, Tick ended) {
  Frame& frame = frames_[outcome.token];
  u64 flow_number = no_flow_number;
  if (outcome.flow != no_flow) {
    if (outcome.flow >= flow_numbers_.size()) flow_numbers_.resize(outcome.flow + 1, no_flow_number);
    if (outcome.flow_is_new) flow_numbers_[outcome.flow] = flows_++;
    flow_number = flow_numbers_[outcome.flow];
  }
  const u32 bytes = std::max(frame.captured_bytes, outcome.frame_bytes);
  decided_({frame.index, frame.time, frame.port, frame.original_bytes + (bytes - frame.captured_bytes),
            std::span(frame.bytes).first(bytes),
            std::span(frame.answer).first(outcome.answer_bytes), &outcome, flow_number, frame.held, ended});
  if (outcome.verdict == Verdict::hold) frame.held = true;
  else free_.push_back(outcome.token);
}

}  // namespace weir
