// The dataplane's stats segment as another process sees it: the counters, the event rings and the names of ports. It
// believes nothing that it has not checked: a foreign, torn or shorter file is an error with a sentence. It never
// writes a counter; who takes events moves the rings' tails and nothing else.
//
// Threads: one. Any number of processes may look; one at a time takes (a lock on the file says so).
#pragma once
#include "dataplane/share/events.hpp"
#include "dataplane/share/stats.hpp"

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::see {

struct Failure {
  enum class Kind { absent, foreign, forbidden, taken } kind;  // taken: another process takes the events
  std::string sentence;
};

class StatsFile {
 public:
  enum class Access { look, take };
  static std::expected<StatsFile, Failure> open(const std::string& path, Access access = Access::look);
  StatsFile(StatsFile&& other) noexcept;
  StatsFile& operator=(StatsFile&& other) noexcept;
  ~StatsFile();

  const std::string& path() const { return path_; }
  u32 workers() const { return header().workers; }
  u64 generation() const { return header().generation.read(); }
  const WorkerCounters& counters(u32 worker) const;
  const EventRing& events(u32 worker) const;
  // What rules have met, of one bank; rules of the policy of its generation, or 0 while it is prepared.
  const RuleBank& bank(u32 bank) const { return header().banks[bank]; }
  // The rows of that bank as they lie now, for this many rules: before first, then by worker. Empty where the file has
  // none, or not so many.
  std::span<const RuleHits> hits(u32 bank, u64 rules) const;
  bool has_hits() const { return header().banks_offset != 0; }
  u64 began_us() const { return header().began_us; }
  // Only where it was opened to take.
  bool take(u32 worker, Event& event);
  bool takes() const { return file_ >= 0; }
  // By Event::port; "" for what the segment does not name.
  std::string_view port_name(u32 port) const;
  std::vector<std::string> port_names() const;
  // Whether a new dataplane has put another file in its place: time to open it again.
  bool is_replaced() const;

 private:
  StatsFile() = default;
  const StatsHeader& header() const { return *reinterpret_cast<const StatsHeader*>(base_); }
  std::expected<void, Failure> check() const;

  std::string path_;
  std::byte* base_ = nullptr;
  std::size_t bytes_ = 0;
  u64 device_ = 0, inode_ = 0;
  int file_ = -1;  // holds the lock of who takes
};

}  // namespace weir::see
