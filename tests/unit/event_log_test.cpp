// The event log: every event is a line or is counted, whatever the file does: turns over, is renamed, is not there, is
// full, is a pipe that nobody reads.
#include "control/see/event_log.hpp"
#include "tests/unit/stats_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

using namespace weir;

namespace {

// The dataplane's side of a stats file: pushes into its rings.
struct Rings {
  Written file;
  std::byte* base = nullptr;
  see::StatsFile stats;
  see::Names names{{}, {}};
  u64 pushed = 0;
  Tick now = 1'700'000'000 * tick_second;

  Rings() : stats(std::move(*see::StatsFile::open(file.path, see::StatsFile::Access::take))) {
    const int fd = open(file.path.c_str(), O_RDWR | O_CLOEXEC);
    base = static_cast<std::byte*>(mmap(nullptr, file.bytes.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    REQUIRE(base != MAP_FAILED);
    close(fd);
  }
  ~Rings() { munmap(base, file.bytes.size()); }
  Rings(const Rings&) = delete;

  std::string path(const char* name) const { return file.folder / name; }
  void push(u32 count, u32 worker = 0) {
    auto* const rings = reinterpret_cast<EventRing*>(base + file.rings_offset());
    for (u32 i = 0; i < count; ++i) {
      Event one = event(now + pushed);
      one.source_port = static_cast<u16>(++pushed);
      rings[worker].push(one);
    }
  }
};

std::vector<nlohmann::json> lines_of(const std::string& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

std::size_t flows_in(const std::vector<nlohmann::json>& lines) {
  return static_cast<std::size_t>(
      std::ranges::count_if(lines, [](const auto& one) { return one["event_type"] == "flow"; }));
}

u64 told(const std::vector<nlohmann::json>& lines, const char* what) {
  u64 sum = 0;
  for (const auto& line : lines)
    if (line["event_type"] == "stats") sum += line["weir"][what].get<u64>();
  return sum;
}

}  // namespace

TEST_CASE("every event is a line, from the rings of all workers") {
  Rings rings;
  see::EventLog log({.path = rings.path("log")});
  rings.push(100, 0), rings.push(50, 1);
  CHECK(log.drain(rings.stats, rings.names, rings.now) == 150);
  CHECK(log.drain(rings.stats, rings.names, rings.now) == 0);
  const auto lines = lines_of(rings.path("log"));
  CHECK(flows_in(lines) == 150);
  CHECK(lines.size() == 150);
  CHECK(log.fault().empty());
  CHECK_FALSE(log.counts().any());
}

TEST_CASE("what found its ring full is counted and told once") {
  Rings rings;
  see::EventLog log({.path = rings.path("log")});
  rings.push(events_per_ring + 10);
  log.drain(rings.stats, rings.names, rings.now);
  log.drain(rings.stats, rings.names, rings.now += tick_second);
  log.drain(rings.stats, rings.names, rings.now += tick_second);
  CHECK(log.counts().lost == 10);
  CHECK(told(lines_of(rings.path("log")), "lost") == 10);
}

TEST_CASE("more lines than a second may have are suppressed, counted and told in the next") {
  Rings rings;
  see::EventLog log({.path = rings.path("log"), .lines_per_second = 30});
  rings.push(100);
  log.drain(rings.stats, rings.names, rings.now);
  CHECK(lines_of(rings.path("log")).size() == 30);
  rings.push(5);
  log.drain(rings.stats, rings.names, rings.now += tick_second);
  const auto lines = lines_of(rings.path("log"));
  CHECK(flows_in(lines) == 35);
  CHECK(told(lines, "suppressed") == 70);
}

TEST_CASE("a log turns over by size, keeps so many files and loses no line") {
  Rings rings;
  see::EventLog log({.path = rings.path("log"), .turn_over_bytes = 20'000, .keep = 3});
  std::size_t written = 0;
  for (u32 round = 0; round < 8; ++round) {
    rings.push(40);
    log.drain(rings.stats, rings.names, rings.now);
    written += 40;
    std::size_t found = 0;
    for (const char* name : {"log.3", "log.2", "log.1", "log"}) found += flows_in(lines_of(rings.path(name)));
    if (!std::filesystem::exists(rings.path("log.3"))) CHECK(found == written);
    CHECK_FALSE(std::filesystem::exists(rings.path("log.4")));
  }
  CHECK(std::filesystem::exists(rings.path("log.3")));
  for (const char* name : {"log", "log.1", "log.2", "log.3"})
    CHECK(std::filesystem::file_size(rings.path(name)) <= 20'000);
}

TEST_CASE("a log that was renamed is written on until it is told to open it anew") {
  Rings rings;
  see::EventLog log({.path = rings.path("log")});
  rings.push(3);
  log.drain(rings.stats, rings.names, rings.now);
  std::filesystem::rename(rings.path("log"), rings.path("old"));
  rings.push(4);
  log.drain(rings.stats, rings.names, rings.now);
  log.reopen();
  rings.push(5);
  log.drain(rings.stats, rings.names, rings.now);
  CHECK(flows_in(lines_of(rings.path("old"))) == 7);
  CHECK(flows_in(lines_of(rings.path("log"))) == 5);
}

TEST_CASE("a log that cannot be made holds nothing up, is reported, and is written once it can be") {
  Rings rings;
  see::EventLog log({.path = rings.path("none/log")});
  rings.push(10);
  CHECK(log.drain(rings.stats, rings.names, rings.now) == 10);
  CHECK(log.fault().find("No such file") != std::string::npos);
  std::filesystem::create_directory(rings.path("none"));
  rings.push(1);
  log.drain(rings.stats, rings.names, rings.now += 2 * tick_second);
  CHECK(log.fault().empty());
  CHECK(flows_in(lines_of(rings.path("none/log"))) == 11);
}

TEST_CASE("a full disk costs lines, which are counted, and never time") {
  Rings rings;
  see::EventLog log({.path = "/dev/full", .lines_per_second = 0});
  for (u32 round = 0; round < 10; ++round) {
    rings.push(4000);
    CHECK(log.drain(rings.stats, rings.names, rings.now) == 4000);
  }
  CHECK(log.fault().find("No space left") != std::string::npos);
  CHECK(log.counts().unwritten > 10'000);
  CHECK(log.counts().unwritten + log.lines() == 40'000);
}

TEST_CASE("a pipe that nobody reads holds nothing up, and gets whole lines when somebody does") {
  std::signal(SIGPIPE, SIG_IGN);
  Rings rings;
  REQUIRE(mkfifo(rings.path("pipe").c_str(), 0600) == 0);
  see::EventLog log({.path = rings.path("pipe"), .lines_per_second = 0});
  rings.push(10);
  CHECK(log.drain(rings.stats, rings.names, rings.now) == 10);
  CHECK(log.fault().find("No such device") != std::string::npos);
  const int reader = open(rings.path("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  std::string read_so_far;
  const auto read_all = [&] {
    char room[65536];
    for (ssize_t got = 0; (got = read(reader, room, sizeof room)) > 0;) read_so_far.append(room, std::size_t(got));
  };
  rings.push(4000);
  log.drain(rings.stats, rings.names, rings.now += 2 * tick_second);
  CHECK(log.fault().find("temporarily unavailable") != std::string::npos);
  for (u32 turn = 0; turn < 100 && !log.fault().empty(); ++turn) {
    read_all();
    rings.push(1);
    log.drain(rings.stats, rings.names, rings.now);
  }
  read_all();
  close(reader);
  std::istringstream text(read_so_far);
  std::size_t lines = 0;
  for (std::string line; std::getline(text, line); ++lines) CHECK(nlohmann::json::accept(line));
  CHECK(lines == log.lines());
  CHECK(log.counts().unwritten == 0);
  rings.push(1);
  log.drain(rings.stats, rings.names, rings.now);  // the reader has gone: an error, no signal
  CHECK_FALSE(log.fault().empty());
}

TEST_CASE("an event that is none is counted and not shown") {
  Rings rings;
  see::EventLog log({.path = rings.path("log")});
  auto* const ring = reinterpret_cast<EventRing*>(rings.base + rings.file.rings_offset());
  Event bad = event(1);
  bad.kind = static_cast<EventKind>(event_kinds);
  ring->push(bad);
  bad = event(1);
  bad.reason = static_cast<Reason>(reasons_count);
  ring->push(bad);
  log.drain(rings.stats, rings.names, rings.now);
  log.drain(rings.stats, rings.names, rings.now += tick_second);
  const auto lines = lines_of(rings.path("log"));
  CHECK(flows_in(lines) == 0);
  CHECK(told(lines, "unsound") == 2);
}
