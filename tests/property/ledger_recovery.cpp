// A ledger's file as it is found: torn, damaged, of another key, missing, older than its anchor, on a disk that
// refuses; and how far it grows. Every sentence names the file and says what to do.
#include "dataplane/ledger/ledger.hpp"
#include "tests/property/crash_disk.hpp"

#include <unistd.h>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace weir;
using namespace weir::ledger;
using weir::test::CrashDisk;

namespace {

constexpr u64 second = 1'000'000, hour = 3600 * second;

Reading at(u64 us) { return {{{7, 7}, us, us}, us}; }

Identity identity(u64 number) {
  Identity made;
  std::memcpy(made.bytes.data(), &number, sizeof number);
  return made;
}

std::shared_ptr<const Statement> statement(std::initializer_list<WindowRule> windows) {
  Statement made{"egress", {}};
  for (const WindowRule& window : windows) made.rule.windows[made.rule.windows_count++] = window;
  return std::make_shared<const Statement>(made);
}

const auto hourly = statement({{100'000, hour, 64}, {1'000'000, 24 * hour, 64}, {20'000'000, 0, 0}});

struct Desk {
  CrashDisk disk{1}, other{2};
  Settings settings(bool anchored = false) {
    Settings made{disk.storage(), "ledger", {}, {}, 1, u64{64} << 20};
    if (anchored) made.anchor = anchor_in(other.storage(), "head", made.key);
    return made;
  }
};

u64 lease(Ledger& ledger, Number number, u64 bytes) {
  ledger.want(1, number, bytes, bytes);
  const auto granted = ledger.commit();
  return granted && !granted->empty() ? granted->front().bytes : 0;
}

// One account, three leases, of which the last is out; and the file after each commit.
struct Written {
  Desk desk;
  std::vector<u64> ends;
};

void write_some(Written& to, bool anchored = false, const std::string& why = "a test") {
  auto ledger = Ledger::begin(to.desk.settings(anchored), at(second), true, why);
  REQUIRE(ledger);
  const Number number = ledger->account(identity(1), hourly, {{}, false, true});
  REQUIRE(ledger->commit());
  to.ends.push_back(to.desk.disk.contents("ledger").size());
  for (u64 i = 0; i < 3; ++i) {
    ledger->advance(at((2 + i) * second));
    if (i != 0) ledger->settle(number, 10'000, 0);
    REQUIRE(lease(*ledger, number, 10'000) == 10'000);
    to.ends.push_back(to.desk.disk.contents("ledger").size());
  }
}

bool says(const Error& error, std::initializer_list<const char*> words) {
  for (const char* word : words)
    if (error.sentence.find(word) == std::string::npos) {
      WARN(error.sentence << " does not say: " << word);
      return false;
    }
  return true;
}

}  // namespace

TEST_CASE("a torn end is cut, and what was leased counts as spent, wherever the tear is") {
  Written written;
  write_some(written);
  const Bytes whole = written.desk.disk.contents("ledger");
  for (u64 length = written.ends[0]; length <= whole.size(); ++length) {
    Desk desk;
    desk.disk.put("ledger", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
    auto ledger = Ledger::open(desk.settings(), at(100 * second));
    REQUIRE(ledger);
    u64 leases = 0;
    while (leases < 3 && length >= written.ends[leases + 1]) ++leases;
    const Book* book = ledger->books().find(identity(1));
    REQUIRE(book != nullptr);
    CHECK(book->state.total == leases * 10'000);
    CHECK(book->state.outstanding == 0);
  }
}

TEST_CASE("damage before the end is closed, every byte of it, and the sentence says where") {
  Written written;
  write_some(written);
  const Bytes whole = written.desk.disk.contents("ledger");
  for (u64 byte = 0; byte < written.ends[2]; ++byte) {
    Desk desk;
    Bytes damaged = whole;
    damaged[byte] ^= std::byte{0x40};
    desk.disk.put("ledger", damaged);
    auto ledger = Ledger::open(desk.settings(), at(100 * second));
    REQUIRE(!ledger);
    REQUIRE(says(ledger.error(), {"disk/ledger", "byte ", "start a new ledger"}));
  }
}

TEST_CASE("frames left out or exchanged are seen") {
  Written written;
  write_some(written);
  const Bytes whole = written.desk.disk.contents("ledger");
  const auto part = [&](u64 from, u64 to) {
    return Bytes(whole.begin() + static_cast<std::ptrdiff_t>(from), whole.begin() + static_cast<std::ptrdiff_t>(to));
  };
  const auto& ends = written.ends;
  for (const auto& parts : {std::vector<Bytes>{part(0, ends[0]), part(ends[1], whole.size())},
                            std::vector<Bytes>{part(0, ends[0]), part(ends[1], ends[2]), part(ends[0], ends[1])}}) {
    Bytes joined;
    for (const Bytes& one : parts) joined.insert(joined.end(), one.begin(), one.end());
    Desk desk;
    desk.disk.put("ledger", joined);
    const auto ledger = Ledger::open(desk.settings(), at(100 * second));
    REQUIRE(!ledger);
    CHECK(says(ledger.error(), {"byte ", "a frame is missing"}));
  }
}

TEST_CASE("missing, of another key, empty: closed") {
  Desk desk;
  const auto missing = Ledger::open(desk.settings(), at(second));
  REQUIRE(!missing);
  CHECK(says(missing.error(), {"disk/ledger is missing", "stays closed", "start a new one"}));
  Written written;
  write_some(written);
  Settings other = written.desk.settings();
  other.key.bytes[3] = 9;
  CHECK(says(Ledger::open(other, at(second)).error(), {"no ledger of this key"}));
  written.desk.disk.put("ledger", {});
  CHECK(says(Ledger::open(written.desk.settings(), at(second)).error(), {"ends within its snapshot"}));
}

TEST_CASE("an older copy is closed by its anchor, and so is another ledger") {
  Written written;
  write_some(written, true);
  const Bytes whole = written.desk.disk.contents("ledger");
  written.desk.disk.put("ledger", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(written.ends[2])));
  CHECK(says(Ledger::open(written.desk.settings(true), at(100 * second)).error(), {"older copy", "head"}));
  Written stranger;
  write_some(stranger, false, "another one");
  Desk& desk = stranger.desk;
  {
    auto ledger = Ledger::open(desk.settings(), at(100 * second));
    REQUIRE(ledger);
  }
  desk.other.put("head", written.desk.other.contents("head"));
  CHECK(says(Ledger::open(desk.settings(true), at(101 * second)).error(), {"another ledger"}));
  written.desk.disk.put("ledger", whole);
  CHECK(Ledger::open(written.desk.settings(true), at(100 * second)));
  written.desk.other.put("head", {});
  CHECK(says(Ledger::open(written.desk.settings(true), at(100 * second)).error(), {"head", "damaged"}));
}

TEST_CASE("a new ledger after a loss opens everything as spent, sets the old one aside and is anchored") {
  Written written;
  write_some(written, true);
  written.desk.disk.put("ledger", Bytes(50));
  auto begun = Ledger::begin(written.desk.settings(true), at(200 * second), false, "the disk was exchanged");
  REQUIRE(begun);
  CHECK(written.desk.disk.contents("ledger.before-" + std::to_string(200 * second)).size() == 50);
  const Number number = begun->account(identity(1), hourly, {{}, false, true});
  REQUIRE(begun->commit());
  CHECK(lease(*begun, number, 1) == 0);
  begun->advance(at(200 * second + 25 * hour));
  CHECK(lease(*begun, number, 1) == 0);  // its lifetime may be over
  begun->forgive(number, "counted at the far end");
  CHECK(lease(*begun, number, 1) == 1);
  auto again = Ledger::open(written.desk.settings(true), at(201 * second + 25 * hour));
  REQUIRE(again);
  REQUIRE(again->books().notes().size() == 2);
  CHECK(again->books().notes()[0].text == "began: the disk was exchanged");
  CHECK(again->books().notes()[1].text == "forgave egress: counted at the far end");
}

TEST_CASE("who comes back adds what others counted meanwhile, once") {
  Desk desk;
  auto ledger = Ledger::begin(desk.settings(), at(second), true, "a test");
  REQUIRE(ledger);
  const auto spend = [&](Number number, u64 bytes) {
    REQUIRE(lease(*ledger, number, bytes) == bytes);
    ledger->settle(number, bytes, 0);
  };
  const Number whole = ledger->account(identity(1), hourly, {{}, false, true});
  spend(whole, 700);
  SECTION("after a rollback of a split") {
    const Number left = ledger->account(identity(2), hourly, {{identity(1)}, true, false});
    const Number right = ledger->account(identity(3), hourly, {{identity(1)}, true, false});
    ledger->retire(whole);
    REQUIRE(ledger->commit());
    CHECK(ledger->view(right).state().total == 700);
    ledger->advance(at(600 * second));
    spend(left, 10);
    spend(right, 20);
    CHECK(ledger->account(identity(1), hourly, {{identity(2), identity(3)}, true, false}) == whole);
    CHECK(ledger->view(whole).state().total == 730);
    CHECK(ledger->view(whole).spent(0) >= 730);
    CHECK(ledger->view(whole).spent(0) <= 762);
  }
  SECTION("when some of it had no budget meanwhile") {
    const Number part = ledger->account(identity(2), hourly, {{identity(1)}, true, false});
    spend(part, 5);
    spend(whole, 300);  // of the other part
    ledger->retire(whole);
    REQUIRE(ledger->commit());
    spend(part, 40);
    ledger->account(identity(1), hourly, {{identity(2)}, false, true});
    CHECK(ledger->view(whole).state().total >= 1040);
    CHECK(ledger->view(whole).spent(0) >= 1040);
    CHECK(ledger->view(whole).state().known_since == 0);
  }
  SECTION("when nobody says that it was nothing") {
    ledger->retire(whole);
    REQUIRE(ledger->commit());
    ledger->account(identity(1), hourly, {{}, false, false});
    REQUIRE(ledger->commit());
    CHECK(lease(*ledger, whole, 1) == 0);
    ledger->advance(at(30 * hour));
    CHECK(lease(*ledger, whole, 1) == 1);
  }
}

TEST_CASE("a first ledger is begun once") {
  Written written;
  write_some(written, true);
  CHECK(
      says(Ledger::begin(written.desk.settings(true), at(second), true, "again").error(), {"disk/ledger", "is there"}));
  written.desk.disk.restore({});
  CHECK(says(Ledger::begin(written.desk.settings(true), at(second), true, "again").error(), {"head", "has seen"}));
  CHECK(Ledger::begin(written.desk.settings(true), at(second), false, "lost"));
}

TEST_CASE("a full disk closes the ledger, and no lease comes of it any more") {
  Written written;
  write_some(written);
  auto ledger = Ledger::open(written.desk.settings(), at(100 * second));
  REQUIRE(ledger);
  const Number number = ledger->account(identity(1), hourly, {});
  REQUIRE(ledger->commit());
  written.desk.disk.fill_up(20);
  ledger->want(1, number, 100, 100);
  const auto refused = ledger->commit();
  REQUIRE(!refused);
  CHECK(says(refused.error(), {"disk/ledger", "No space left", "stays closed"}));
  written.desk.disk.fill_up(~u64{0});
  ledger->want(1, number, 100, 100);
  CHECK(!ledger->commit());
  CHECK(Ledger::open(written.desk.settings(), at(101 * second)));
}

TEST_CASE("a ledger of a year stays within four snapshots, and forgets whom it may") {
  Desk desk;
  Settings settings = desk.settings();
  settings.compact_over_bytes = 100'000;
  auto ledger = Ledger::begin(settings, at(second), true, "a test");
  REQUIRE(ledger);
  constexpr u64 accounts = 20;
  const auto daily = statement({{1'000'000, hour, 64}, {10'000'000, 24 * hour, 64}, {100'000'000, 720 * hour, 64}});
  std::vector<Number> numbers(accounts);
  u64 longest = 0, minutes = 0, names = 0;
  for (u64 now = second; now < 365 * 24 * hour; now += 600 * second, ++minutes) {
    ledger->advance(at(now));
    if (minutes % (6 * 24 * 7) == 0)
      for (Number& number : numbers) {  // a policy a week, of which every budget covers something new
        if (names >= accounts) ledger->retire(number);
        number = ledger->account(identity(++names), daily, {{identity(names - accounts)}, true, true});
      }
    for (const Number number : numbers) ledger->want(0, number, 1500, 3000);
    const auto granted = ledger->commit(true);
    REQUIRE(granted);
    const std::vector<Granted> leases(granted->begin(), granted->end());
    for (const Granted& one : leases) ledger->settle(one.account, one.bytes / 2, one.bytes - one.bytes / 2);
    longest = std::max(longest, ledger->file_bytes());
  }
  std::printf("a year: the file never had more than %llu bytes; %llu accounts of %llu known at its end\n",
              static_cast<unsigned long long>(longest), static_cast<unsigned long long>(ledger->books().count()),
              static_cast<unsigned long long>(names));
  CHECK(longest < 1'000'000);
  CHECK(ledger->books().count() < 8 * accounts);  // a month and what is in force
}

TEST_CASE("on real files: written, locked, found again, unreadable") {
  char name[] = "/tmp/weir-ledger-XXXXXX";
  REQUIRE(::mkdtemp(name) != nullptr);
  const std::string folder = name;
  std::filesystem::create_directory(folder + "/anchor");
  const auto settings = [&] {
    Settings made{files_in(folder).value(), "ledger", {}, {}, 1, 4096};
    made.anchor = anchor_in(files_in(folder + "/anchor").value(), "head", made.key);
    return made;
  };
  u64 leased = 0;
  {
    auto ledger = Ledger::begin(settings(), at(second), true, "a test");
    REQUIRE(ledger);
    const Number number = ledger->account(identity(1), hourly, {{}, false, true});
    for (u64 i = 0; i < 60; ++i) leased += lease(*ledger, number, 1000);
    CHECK(leased == 60'000);
    CHECK(says(files_in(folder).error(), {"cannot lock", folder.c_str()}));
  }
  {
    auto ledger = Ledger::open(settings(), at(3 * second));
    REQUIRE(ledger);
    CHECK(ledger->books().find(identity(1))->state.total == leased);
  }
  std::ofstream(folder + "/ledger", std::ios::binary | std::ios::app) << "half a frame";
  CHECK(Ledger::open(settings(), at(4 * second)));
  std::filesystem::remove(folder + "/ledger");
  CHECK(says(Ledger::open(settings(), at(5 * second)).error(), {folder.c_str(), "missing"}));
  std::filesystem::remove_all(folder);
  CHECK(says(files_in(folder).error(), {"cannot open", folder.c_str()}));
}

TEST_CASE("a key is long enough and nobody else's") {
  const std::string path = "/tmp/weir-ledger-key-" + std::to_string(::getpid());
  std::ofstream(path) << "short";
  std::filesystem::permissions(path, std::filesystem::perms(0600));
  CHECK(says(load_key(path).error(), {path.c_str(), "5 bytes"}));
  std::ofstream(path) << std::string(40, 'k');
  CHECK(load_key(path).has_value());
  std::filesystem::permissions(path, std::filesystem::perms(0640));
  CHECK(says(load_key(path).error(), {path.c_str(), "chmod 600"}));
  std::filesystem::remove(path);
  CHECK(says(load_key(path).error(), {path.c_str(), "No such file"}));
}
