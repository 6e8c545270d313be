// Damaged ledgers: the input is a list of patches to a sound one, whose frames are sealed again after them where the
// first byte is odd, as nobody without the key could; or (first byte 255) a file itself. Recovery never crashes. A file
// that was not sealed again is closed, or yields what an authentic prefix of it says, with every lease spent: never
// less.
#include "dataplane/ledger/ledger.hpp"
#include "tests/property/crash_disk.hpp"

using namespace weir;
using namespace weir::ledger;

namespace {

constexpr u64 second = 1'000'000, hour = 3600 * second;

Reading at(u64 us) { return {{{7, 7}, us, us}, us}; }

Identity identity(u8 number) {
  Identity made;
  made.bytes[0] = number;
  return made;
}

struct Sound {
  Bytes bytes;
  std::vector<u64> ends;  // of its frames
  std::vector<std::array<u64, 2>> totals;  // of both accounts, leases included, after each frame
};

Settings settings(test::CrashDisk& disk) { return {disk.storage(), "ledger", {}, {}, 1, u64{64} << 20}; }

u64 total_of(const Books& books, u8 number) {
  const Book* book = books.find(identity(number));
  return book == nullptr ? 0 : book->state.total + book->state.outstanding;
}

const Sound& sound() {
  static const Sound made = [] {
    Sound sound;
    test::CrashDisk disk(1);
    auto ledger = *Ledger::begin(settings(disk), at(second), true, "fuzz");
    Statement statement{"egress", {}};
    statement.rule.windows = {WindowRule{100'000, hour, 64}, {900'000, 24 * hour, 80}, {5'000'000, 0, 0}};
    statement.rule.windows_count = 3;
    const auto shared = std::make_shared<const Statement>(statement);
    const Number one = ledger.account(identity(1), shared, {{}, false, true});
    const Number two = ledger.account(identity(2), shared, {{identity(1)}, true, true});
    for (u64 i = 0; i < 12; ++i) {
      ledger.advance(at((i + 2) * 200 * second));
      ledger.want(0, one, 3000, 3000);
      ledger.want(1, two, 500, 700);
      if (!ledger.commit()) std::abort();
      ledger.settle(one, 2000, 1000);
      if (i == 7) ledger.forgive(two, "fuzz");
    }
    if (!ledger.commit(true)) std::abort();
    sound.bytes = disk.contents("ledger");
    Books books;
    const auto walked = walk("ledger", sound.bytes, Key{}, [&](const Frame& frame) {
      const Done done = books.apply(frame);
      sound.ends.push_back(frame.offset + sizeof(FrameHeader) + frame.payload.size() + sizeof(Tag));
      sound.totals.push_back({total_of(books, 1), total_of(books, 2)});
      return done;
    });
    if (!walked) std::abort();
    return sound;
  }();
  return made;
}

void seal_again(Bytes& bytes) {
  Tag previous{};
  for (u64 offset = 0; offset + sizeof(FrameHeader) + sizeof(Tag) <= bytes.size();) {
    auto header = load<FrameHeader>(bytes.data() + offset);
    const u64 room = bytes.size() - offset - sizeof(FrameHeader) - sizeof(Tag);
    if (header.payload_bytes > std::min(room, payload_bytes_max)) return;
    if (offset != 0) header.previous = previous;
    Bytes frame;
    const auto payload = std::span<const std::byte>(bytes).subspan(offset + sizeof(FrameHeader), header.payload_bytes);
    append_frame(frame, header, payload, Key{}, previous);
    std::copy(frame.begin(), frame.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    offset += frame.size();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size == 0) return 0;
  const Sound& base = sound();
  const auto input = std::as_bytes(std::span(data + 1, size - 1));
  const bool is_whole = data[0] == 255, is_sealed = data[0] % 2 == 1;
  Bytes bytes = is_whole ? Bytes(input.begin(), input.end()) : base.bytes;
  for (std::size_t i = 0; !is_whole && i + 4 <= input.size(); i += 4) {
    const u64 place = load<u16>(input.data() + i) % bytes.size();
    if (data[1 + i + 2] == 255) bytes.resize(std::max<u64>(place, 1));
    else bytes[place] ^= input[i + 3];
  }
  if (is_sealed) seal_again(bytes);
  test::CrashDisk disk(1);
  disk.put("ledger", bytes);
  auto ledger = Ledger::open(settings(disk), at(hour));
  if (!ledger || is_sealed) return 0;
  u64 same = 0;  // as many frames as are untouched
  while (same < base.ends.size() && base.ends[same] <= bytes.size() &&
         std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(base.ends[same]), base.bytes.begin()))
    ++same;
  if (same == 0) std::abort();  // opened, and nothing of it was authentic
  for (const u8 account : {u8{1}, u8{2}})
    if (total_of(ledger->books(), account) < base.totals[same - 1][account - 1]) std::abort();
  return 0;
}
