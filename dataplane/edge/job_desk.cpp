#include "dataplane/edge/job_desk.hpp"

#include "dataplane/pipeline/rdma_path.hpp"

#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace weir::edge {
namespace {

constexpr auto inquiry_wait_max = std::chrono::seconds(5);

Refusal refused(std::string section, std::string sentence) {
  return {door::Result::refused, std::move(section), std::move(sentence)};
}

// Only files of which no read or write can wait.
std::expected<std::size_t, Refusal> size_of(int file) {
  struct stat facts{};
  if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode))
    return std::unexpected(refused("request", "the descriptor is not a regular file"));
  return static_cast<std::size_t>(facts.st_size);
}

bool write_all(int file, std::span<const std::byte> bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = pwrite(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    done += static_cast<std::size_t>(wrote);
  }
  return true;
}

std::expected<std::vector<std::byte>, Refusal> read_all(int file) {
  const auto size = size_of(file);
  if (!size) return std::unexpected(size.error());
  if (*size > lessons_bytes_most) return std::unexpected(refused("lessons", "larger than any export"));
  std::vector<std::byte> bytes(*size);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got = pread(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::unexpected(refused("lessons", "the file became shorter while it was read"));
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

void put_address(u64 (&to)[2], const Address& from) {
  to[0] = from.high;
  to[1] = from.low;
}

// The first ones, by their first count; what is left out is told.
void keep_most(std::vector<door::PairStatus>& pairs, door::Answer& answer) {
  std::ranges::sort(pairs, [](const door::PairStatus& a, const door::PairStatus& b) {
    return std::ranges::lexicographical_compare(b.counts, a.counts);
  });
  if (pairs.size() > door::pairs_shown_max) {
    answer.pairs_unnamed += pairs.size() - door::pairs_shown_max;
    pairs.resize(door::pairs_shown_max);
  }
  answer.pairs = static_cast<u32>(pairs.size());
}

}  // namespace

std::expected<JobKeys, Error> load_job_keys(const std::map<std::string, std::string>& files) {
  JobKeys keys;
  for (const auto& [job, path] : files) {
    const auto key = ledger::load_key(path);
    if (!key) return std::unexpected(Error{fmt::format("--job-key {}: {}", job, key.error().sentence)});
    keys.emplace(job, *key);
  }
  return keys;
}

JobDesk::JobDesk(JobKeys keys, Installer& installer, Inquiry& inquiry, Classroom& classroom, const StatsSegment& stats)
    : keys_(std::move(keys)), installer_(installer), inquiry_(inquiry), classroom_(classroom), stats_(stats) {
  // Where there is no chance, no two instances may be taken for one: then nothing of them is fresh.
  if (getrandom(self_, sizeof self_, 0) != ssize_t{sizeof self_}) self_[0] = self_[1] = wall_us();
}

void JobDesk::listen() {
  classroom_.read_board([&](const LearnedPair& pair) {
    if (pair.job == 0) return;
    if (notes_.size() == notes_most) notes_.pop_front();
    notes_.push_back(pair);
  });
}

// As far as the workers are: a capture has its own time.
Tick JobDesk::now() const {
  Tick latest = 0;
  for (u32 worker = 0; worker < stats_.workers(); ++worker)
    latest = std::max(latest, stats_.counters(worker).heartbeat.read());
  return latest;
}

std::expected<u32, Refusal> JobDesk::job_of(std::string_view name) const {
  const InstalledPolicy* const installed = installer_.current();
  if (installed != nullptr)
    for (u32 job = 0; job < installed->policy.jobs().size(); ++job)
      if (installed->policy.text(installed->policy.jobs()[job].name) == name) return job + 1;
  return std::unexpected(refused("job", "the policy in force has no job of this name"));
}

std::expected<const ledger::Key*, Refusal> JobDesk::key_of(std::string_view name) const {
  const auto found = keys_.find(name);
  if (found != keys_.end()) return &found->second;
  return std::unexpected(refused("key", "the dataplane was started without --job-key for this job"));
}

std::expected<void, Refusal> JobDesk::inquire(u32 about) {
  const u64 request = inquiry_.ask(about);
  const auto deadline = std::chrono::steady_clock::now() + inquiry_wait_max;
  while (!inquiry_.done(request)) {
    if (std::chrono::steady_clock::now() > deadline)
      return std::unexpected(Refusal{door::Result::busy, "", "not every worker has looked through its table yet"});
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return {};
}

std::expected<std::vector<door::PairStatus>, Refusal> JobDesk::members(std::string_view name, door::Answer& answer) {
  const auto job = job_of(name);
  if (!job) return std::unexpected(job.error());
  if (const auto asked = inquire(*job); !asked) return std::unexpected(asked.error());
  const InstalledPolicy& installed = *installer_.current();
  const Tick seal_after = installed.policy.jobs()[*job - 1].seal_after_us, at = now();
  const JobGate& gate = *installed.job_gates[*job - 1];
  const Tick began = gate.began();
  const bool is_sealed = gate.is_sealed(at, seal_after);
  answer.job_state = is_sealed ? door::JobState::sealed : began == 0 ? door::JobState::waiting : door::JobState::open;
  answer.job_began_us = began == 0 ? 0 : at - std::min(at, began);
  const Tick seals = is_sealed || began == 0 || seal_after == 0 ? at : began + seal_after;
  answer.job_seals_us = seals - std::min(seals, at);
  std::vector<door::PairStatus> pairs;
  inquiry_.each_pair([&](const MemberPair& one) {
    door::PairStatus& status = pairs.emplace_back();
    put_address(status.source, one.one);
    put_address(status.target, one.other);
    status.counts[0] = (one.halves + 1) / 2;
    status.counts[1] = one.open;
  });
  answer.pairs_unnamed = inquiry_.unnamed();
  keep_most(pairs, answer);
  return pairs;
}

std::expected<std::vector<door::PairStatus>, Refusal> JobDesk::alarms(door::Answer& answer) {
  if (const auto asked = inquire(Inquiry::about_alarms); !asked) return std::unexpected(asked.error());
  std::vector<door::PairStatus> pairs;
  inquiry_.each_alarm([&](const Alarms::Cell& cell) {
    door::PairStatus& status = pairs.emplace_back();
    put_address(status.source, cell.source);
    put_address(status.target, cell.target);
    std::ranges::copy(cell.counts, status.counts);
    status.is_of_source = cell.is_of_source();
    status.told = cell.told;
  });
  keep_most(pairs, answer);
  return pairs;
}

std::expected<u32, Refusal> JobDesk::export_to(int file, std::string_view name) {
  const auto job = job_of(name);
  if (!job) return std::unexpected(job.error());
  const auto key = key_of(name);
  if (!key) return std::unexpected(key.error());
  if (const auto size = size_of(file); !size) return std::unexpected(size.error());
  listen();
  const Tick at = now();
  Lecture lecture{{self_[0], self_[1]}, ++exports_, wall_us(), std::string(name), {}};
  for (LearnedPair pair : notes_) {
    if (pair.job != job_mark(name) || pair.learned_at + Lessons::patience_us <= at) continue;
    pair.learned_at = at - std::min(at, pair.learned_at);
    lecture.pairs.push_back(pair);
  }
  if (!write_all(file, write_lessons(lecture, **key)))
    return std::unexpected(refused("request", "the descriptor takes no bytes"));
  return static_cast<u32>(lecture.pairs.size());
}

// Whether policy lets these two open a queue pair of this job by NCCL's handshake, wherever the opener may be.
bool JobDesk::is_of_job(const LearnedPair& pair, u32 job) const {
  const InstalledPolicy& installed = *installer_.current();
  for (u32 port = 0; port < installed.ports; ++port) {
    const Judgement judgement = installed.policy.judge(
        rdma_question(installed, pair.opener, pair.replier, 0, port, 0), now());
    if (judgement.reason != Reason::flow_new) continue;
    const RdmaRights rights = rdma_rights(installed, judgement, image::transport_nccl);
    if (rights.reason == Reason::undecided && rights.job == job) return true;
  }
  return false;
}

std::expected<u32, Refusal> JobDesk::import_from(int file, std::string_view name) {
  const auto job = job_of(name);
  if (!job) return std::unexpected(job.error());
  const auto key = key_of(name);
  if (!key) return std::unexpected(key.error());
  const auto bytes = read_all(file);
  if (!bytes) return std::unexpected(bytes.error());
  auto lecture = read_lessons(*bytes, name, **key);
  if (!lecture) return std::unexpected(refused("lessons", lecture.error()));
  const image::Job& stated = installer_.current()->policy.jobs()[*job - 1];
  const Tick at = now();
  if (installer_.current()->job_gates[*job - 1]->is_sealed(at, stated.seal_after_us))
    return std::unexpected(refused("job", "the job is sealed: nothing is learned"));
  if (std::string stale = freshness_.use(*lecture, wall_us()); !stale.empty())
    return std::unexpected(refused("lessons", std::move(stale)));
  u32 taken = 0;
  for (LearnedPair& pair : lecture->pairs) {
    if ((stated.has_tag != 0 && pair.tag != stated.tag) || !is_of_job(pair, *job)) continue;
    pair.learned_at = at - std::min(at, pair.learned_at);
    pair.job = job_mark(name);
    taken += classroom_.announce(pair);
  }
  return taken;
}

}  // namespace weir::edge
