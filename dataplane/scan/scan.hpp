// Finds signatures in bytes with Hyperscan: patterns that control/inspect compiled, and for each worker a Scanner over
// them. It takes all its memory at start; scanning allocates nothing. It judges no packet.
//
// Threads: patterns are immutable and shared; a worker's scan is its own.
#pragma once
#include "dataplane/inspect/pattern_image.hpp"
#include "dataplane/inspect/pool.hpp"
#include "dataplane/inspect/scanner.hpp"

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct hs_database;
struct hs_scratch;
struct hs_stream;

namespace weir {

class ScanPatterns {
 public:
  // The error is a sentence.
  static std::expected<ScanPatterns, std::string> load(std::span<const std::byte> image);

  u32 count() const { return static_cast<u32>(rows_.size()); }
  std::string_view name(u32 pattern) const { return &names_[rows_[pattern].name]; }
  u32 set_of(u32 pattern) const { return rows_[pattern].set; }
  bool is_at_beginning(u32 pattern) const { return rows_[pattern].at_beginning != 0; }
  u32 sets() const { return static_cast<u32>(set_names_.size()); }
  std::string_view set_name(u32 set) const { return &names_[set_names_[set]]; }
  // Of one stream that is open.
  std::size_t stream_bytes() const;
  const hs_database* streams() const { return streams_.get(); }
  const hs_database* packets() const { return packets_.get(); }

 private:
  struct Free {
    void operator()(hs_database* database) const;
  };
  std::vector<PatternRow> rows_;
  std::vector<u32> set_names_;
  std::string names_;
  std::unique_ptr<hs_database, Free> streams_, packets_;
};

class Scan {
 public:
  // As many streams as may be open at once. `patterns` must outlive it.
  static std::expected<std::unique_ptr<Scan>, std::string> begin(const ScanPatterns& patterns, u32 streams);
  ~Scan();
  Scan(const Scan&) = delete;

  Scanner scanner();
  u32 open_streams() const { return pool_.taken_count(); }

 private:
  explicit Scan(const ScanPatterns& patterns);
  struct Seen;
  u32 open();
  ScanFound read(u32 stream, std::span<const u8> bytes, const ScanSets& sets);
  ScanFound look(std::span<const u8> bytes, bool is_beginning, const ScanSets& sets);

  const ScanPatterns& patterns_;
  u64 serial_;
  hs_scratch* scratch_ = nullptr;
  std::vector<hs_stream*> streams_;
  std::vector<u32> links_;
  Pool<hs_stream*> pool_;
};

}  // namespace weir
