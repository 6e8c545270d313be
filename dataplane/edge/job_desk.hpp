// What the door does about jobs besides sealing them: who has queue pairs now, what alarms count, and lessons for and
// from other instances. A lesson from outside opens nothing by itself: it is believed with the tag of the job's key,
// while the job is not sealed, and about members, and then waits for its first packet like any other, which policy
// judges.
//
// Threads: the door's.
#pragma once
#include "dataplane/edge/classroom.hpp"
#include "dataplane/edge/inquiry.hpp"
#include "dataplane/edge/install.hpp"
#include "dataplane/edge/lesson_records.hpp"

#include <deque>

namespace weir::edge {

using JobKeys = std::map<std::string, ledger::Key, std::less<>>;  // by the job's name
// From --job-key NAME=FILE.
std::expected<JobKeys, Error> load_job_keys(const std::map<std::string, std::string>& files);

class JobDesk {
 public:
  JobDesk(JobKeys keys, Installer& installer, Inquiry& inquiry, Classroom& classroom, const StatsSegment& stats);

  // Takes what workers have read since; often enough that no ring runs full.
  void listen();

  // Fills what the answer says of a job, and the pairs that follow it, the ones with most first.
  std::expected<std::vector<door::PairStatus>, Refusal> members(std::string_view job, door::Answer& answer);
  std::expected<std::vector<door::PairStatus>, Refusal> alarms(door::Answer& answer);
  // What has been read of the job's handshakes in the last ten minutes goes into this file; how many pairs.
  std::expected<u32, Refusal> export_to(int file, std::string_view job);
  // What another instance has exported; how many pairs wait for their first packet now.
  std::expected<u32, Refusal> import_from(int file, std::string_view job);

 private:
  static constexpr std::size_t notes_most = lessons_most;

  std::expected<void, Refusal> inquire(u32 about);
  std::expected<u32, Refusal> job_of(std::string_view name) const;
  std::expected<const ledger::Key*, Refusal> key_of(std::string_view name) const;
  bool is_of_job(const LearnedPair& pair, u32 job) const;
  Tick now() const;

  const JobKeys keys_;
  Installer& installer_;
  Inquiry& inquiry_;
  Classroom& classroom_;
  const StatsSegment& stats_;
  std::deque<LearnedPair> notes_;  // in the order in which they were learned
  u64 self_[2];                    // as an exporter
  u64 exports_ = 0;
  Freshness freshness_;
};

}  // namespace weir::edge
