#include "tools/weir/thief_run.hpp"

#include "tools/capture/writer.hpp"
#include "tools/weir/replay_run.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <filesystem>
#include <utility>

namespace weir {
namespace {

constexpr u32 flows_capacity = 1 << 14;

// Lower case, and a hyphen for whatever a file's name had better not have.
std::string slug(const std::string& name) {
  std::string made;
  for (const char c : name) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (is_plain) made += c;
    else if (c >= 'A' && c <= 'Z') made += static_cast<char>(c - 'A' + 'a');
    else if (!made.empty() && made.back() != '-') made += '-';
  }
  return made;
}

// The two captures of a way, where they are wanted.
class Kept {
 public:
  std::expected<void, std::string> open(const std::string& directory, u32 number, const std::string& name) {
    std::error_code failure;
    std::filesystem::create_directories(directory, failure);
    if (failure) return std::unexpected(directory + ": cannot be made: " + failure.message());
    for (const char* side : {"inside", "outside"}) {
      auto writer =
          capture::PcapWriter::create(fmt::format("{}/{:02}-{}-{}.pcap", directory, number, slug(name), side));
      if (!writer) return std::unexpected(writer.error());
      writers_.push_back(std::move(*writer));
    }
    return {};
  }
  void write(const thief::Script::Step& step) {
    if (writers_.empty()) return;
    writers_[step.is_outward ? 0 : 1].write(step.time, std::as_bytes(std::span(*step.frame)),
                                            static_cast<u32>(step.frame->size()));
  }
  std::expected<void, std::string> close() {
    for (capture::PcapWriter& writer : writers_)
      if (auto closed = writer.close(); !closed) return closed;
    return {};
  }

 private:
  std::vector<capture::PcapWriter> writers_;
};

struct Sent {
  bool is_outward;
  u32 stolen;
  thief::Bytes frame;  // where it carries weights and may be written over
};

// Weights that were written over have not left: at least half as many bytes differ as there were.
bool is_written_over(const Sent& sent, const Decided& decided) {
  u32 differing = 0;
  for (std::size_t i = 0; i < std::min(sent.frame.size(), decided.frame.size()); ++i)
    differing += sent.frame[i] != static_cast<u8>(decided.frame[i]);
  return decided.outcome->reason == Reason::scrubbed && differing >= (sent.stolen + 1) / 2;
}

void count(WayResult& result, const Sent& sent, const Decided& decided) {
  const Outcome& outcome = *decided.outcome;
  if (outcome.verdict == Verdict::hold) return;  // its end counts
  result.answered += outcome.reason == Reason::syn_proxy_answered;
  if (!sent.is_outward) {
    result.left_bytes += outcome.answer_bytes;
    return;
  }
  const bool went_on = outcome.verdict == Verdict::forward || outcome.verdict == Verdict::rewrite;
  if (went_on) result.left_bytes += decided.original_bytes;
  if (sent.stolen == 0) return;
  ++result.tried;
  if (went_on && !is_written_over(sent, decided)) {
    ++result.passed;
    result.stolen_bytes += sent.stolen;
  } else {
    ++result.caught[outcome.reason];
  }
}

}  // namespace

std::expected<WayResult, std::string> ThiefRun::play(u64 bytes, const Act& act, const std::string& name) {
  const std::string_view views[] = {port_names_[0], port_names_[1]};
  InstalledPolicy installed = bind_ports(policy_, views);
  std::vector<LimitRate> rates(policy_.view().limits.size());
  write_limit_rates(policy_, rates);
  installed.limit_rates = rates;
  const auto scan = InstalledScan::make(policy_, 1, replay_reading, nullptr);
  if (!scan) return std::unexpected(scan.error());
  scan->lend_to(installed);
  std::optional<ledger::CaptureAccounts> accounts;
  if (!policy_.view().budgets.empty()) {
    const auto seats = accounts.emplace().prepare(policy_, port_names_);
    if (!seats) return std::unexpected(seats.error().sentence);
    installed.seats = *seats;
    accounts->in_force();
  }
  Kept kept;
  if (!name.empty() && !directory_.empty())
    if (auto opened = kept.open(directory_, ++written_, name); !opened) return std::unexpected(opened.error());
  WayResult result;
  std::vector<Sent> sent;
  thief::Bytes answer;
  ReplayRun run(&installed, accounts ? &*accounts : nullptr, flows_capacity, Checksum::unverified,
                [&](const Decided& decided) {
                  count(result, sent[decided.index], decided);
                  if (decided.outcome->verdict != Verdict::answer) return;
                  const auto* const first = reinterpret_cast<const u8*>(decided.answer.data());
                  answer.assign(first, first + decided.answer.size());
                });
  const auto take = [&](const thief::Script::Step& step) {
    const bool keeps = step.is_outward && step.stolen != 0 && policy_.looks_by_packet();
    sent.push_back({step.is_outward, step.stolen, keeps ? *step.frame : thief::Bytes{}});
    kept.write(step);
    run.take({step.time, static_cast<u8>(step.is_outward ? 0 : 1), static_cast<u32>(step.frame->size()),
              std::as_bytes(std::span(*step.frame))});
  };
  const auto settle = [&] {
    run.settle();
    return std::exchange(answer, {});
  };
  thief::Script script(bytes, take, settle);
  act(script);
  run.finish();
  if (auto closed = kept.close(); !closed) return std::unexpected(closed.error());
  return result;
}

std::expected<std::vector<thief::Door>, std::string> ThiefRun::find_doors(const thief::Scene& scene,
                                                                          std::span<const thief::Door> tried) {
  std::vector<thief::Door> doors;
  for (const thief::Door& door : tried) {
    // Whether the other end hears of it: an answer to it passes then, whoever began.
    const auto result = play(
        1,
        [&](thief::Script& script) {
          const thief::Bytes frame = thief::first_packet(scene, door);
          if (door.holder_dials) script.out(frame, 1);
          else script.in(frame);
          if (!door.holder_dials) script.out(thief::first_answer(scene, door), 1);
        },
        "");
    if (!result) return std::unexpected(result.error());
    if (result->passed != 0 || result->answered != 0) doors.push_back(door);
  }
  return doors;
}

std::expected<WayResult, std::string> ThiefRun::run(const thief::Scene& scene, const thief::Way& way) {
  return play(scene.bytes, [&](thief::Script& script) { way.act(scene, script); }, way.name);
}

}  // namespace weir
