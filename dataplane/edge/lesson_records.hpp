// What one instance tells another of queue pairs that it has read of in handshakes: records of one job, by addresses
// and numbers, under the tag of the job's key, with the time, who made them, and how many that one has made before.
// Who carries them can read them, lose them, and hand them over once; he cannot make, change or mix them.
//
// Layout, little-endian: Head, then `count` Records, then 32 bytes: keyed BLAKE2b of all before, and of a word that
// tells such tags from the ledger's. It decides nothing about policy.
#pragma once
#include "dataplane/ledger/key.hpp"
#include "dataplane/rdma/lessons.hpp"

#include <expected>
#include <map>
#include <string>
#include <vector>

namespace weir::edge {

struct LessonHead {
  u64 magic;
  u64 exporter[2];  // chosen at random when it started
  u64 number;       // of this export, ascending from 1
  u64 time_us;      // the exporter's wall clock
  char job[64];     // NUL-terminated
  u64 count;
};
struct LessonRecord {
  u64 opener[2], replier[2];  // words of Address
  u32 opener_qp, replier_qp;
  u64 tag;
  u64 age_us;                 // since it was learned
};
inline constexpr u64 lessons_magic = 0x3130'4e4f'5353'454c;  // "LESSON01"
inline constexpr std::size_t lessons_most = 65'536;
inline constexpr std::size_t lessons_bytes_most =
    sizeof(LessonHead) + lessons_most * sizeof(LessonRecord) + sizeof(ledger::Tag);

struct Lecture {
  u64 exporter[2];
  u64 number, time_us;
  std::string job;
  std::vector<LearnedPair> pairs;  // learned_at: their age
};

// At most lessons_most pairs, a job's name of at most 63 bytes.
std::vector<std::byte> write_lessons(const Lecture& lecture, const ledger::Key& key);
// What was written, of this job and with this key; or why it is not taken.
std::expected<Lecture, std::string> read_lessons(std::span<const std::byte> bytes, std::string_view job,
                                                 const ledger::Key& key);

// Each export is taken once, and only while it is fresh.
class Freshness {
 public:
  static constexpr u64 slack_us = 60'000'000;
  static constexpr std::size_t exporters_most = 256;
  // Why it is not fresh, or nothing; then it is used up.
  std::string use(const Lecture& lecture, u64 now_us);

 private:
  struct Last {
    u64 number, time_us;
  };
  std::map<std::array<u64, 2>, Last> last_;
};

}  // namespace weir::edge
