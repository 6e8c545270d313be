// Capture files: every format variant gives the same packets, every damage an error that says where, what is written
// is read back, and two captures merge by time.
#include "tools/capture/merge.hpp"
#include "tools/capture/writer.hpp"

#include <bit>
#include <catch2/catch.hpp>
#include <filesystem>
#include <random>

using namespace weir;
using namespace weir::capture;

namespace {

// Little by little, in either byte order.
struct File {
  bool big = false;
  std::vector<std::byte> bytes{};

  template <class T>
  File& add(T value) {
    const T ordered = big && sizeof(T) > 1 ? swap_any(value) : value;
    const auto raw = std::as_bytes(std::span(&ordered, 1));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
    return *this;
  }
  File& add_text(std::string_view text) {
    for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
    return *this;
  }
  File& pad() { return bytes.resize((bytes.size() + 3) & ~std::size_t{3}), *this; }
  File& block(u32 type, const File& body) {
    add(type).add(static_cast<u32>(body.bytes.size() + 12));
    bytes.insert(bytes.end(), body.bytes.begin(), body.bytes.end());
    return add(static_cast<u32>(body.bytes.size() + 12));
  }

  static u8 swap_any(u8 v) { return v; }
  template <class T>
  static T swap_any(T value) {
    return swap(value);
  }
};

File pcap_header(bool big, u32 magic, u32 link = 1) {
  return File{big}.add(magic).add(u16{2}).add(u16{4}).add(u32{0}).add(u32{0}).add(u32{65535}).add(link);
}
File section(bool big) {
  return File{big}.block(0x0a0d0d0a, File{big}.add(u32{0x1a2b3c4d}).add(u16{1}).add(u16{0}).add(~u64{0}));
}
File interface(bool big, u32 snap = 0, u16 link = 1) { return File{big}.add(link).add(u16{0}).add(snap); }
File enhanced(bool big, u32 number, u64 units, std::string_view frame, u32 original) {
  return File{big}
      .add(number)
      .add(static_cast<u32>(units >> 32))
      .add(static_cast<u32>(units))
      .add(static_cast<u32>(frame.size()))
      .add(original)
      .add_text(frame)
      .pad();
}

struct Row {
  Tick time;
  u32 interface, original_bytes;
  std::string bytes;
  bool operator==(const Row&) const = default;
};

std::expected<std::vector<Row>, CaptureError> rows_of(std::span<const std::byte> bytes) {
  auto reader = CaptureReader::over(bytes, "memory");
  if (!reader) return std::unexpected(reader.error());
  std::vector<Row> rows;
  for (CapturedPacket packet;;) {
    const auto more = reader->next(packet);
    if (!more) return std::unexpected(more.error());
    if (!*more) return rows;
    rows.push_back({packet.time, packet.interface, packet.original_bytes,
                    std::string(reinterpret_cast<const char*>(packet.bytes.data()), packet.bytes.size())});
  }
}
std::string error_of(const File& file) {
  const auto rows = rows_of(file.bytes);
  REQUIRE_FALSE(rows);
  return rows.error().text();
}

}  // namespace

TEST_CASE("pcap in both byte orders and both resolutions") {
  for (const bool big : {false, true})
    for (const bool nanoseconds : {false, true}) {
      File file = pcap_header(big, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
      file.add(u32{1700000000})
          .add(u32{nanoseconds ? 123'456'999u : 123'456u})
          .add(u32{3})
          .add(u32{60})
          .add_text("abc");
      file.add(u32{1700000001}).add(u32{0}).add(u32{0}).add(u32{0});
      const auto rows = rows_of(file.bytes);
      REQUIRE(rows);
      CHECK(*rows == std::vector<Row>{{1700000000123456, 0, 60, "abc"}, {1700000001000000, 0, 0, ""}});
    }
}

TEST_CASE("pcapng blocks, sections and options in both byte orders") {
  for (const bool big : {false, true}) {
    File file = section(big);
    const File unknown = File{big}.add(u32{1}).add(u32{2}).add(u32{3});
    file.block(0x0bad, unknown);
    file.block(1, interface(big).add(u16{9}).add(u16{1}).add(u8{9}).pad().add(u16{0}).add(u16{0}));  // nanoseconds
    file.block(1, interface(big, 2)
                      .add(u16{2})
                      .add(u16{3})
                      .add_text("eth")
                      .pad()
                      .add(u16{9})
                      .add(u16{1})
                      .add(u8{0x80 | 10})
                      .pad()                        // 1/1024 s
                      .add(u16{14})
                      .add(u16{8})
                      .add(u64{1000}));
    file.block(6,
               enhanced(big, 0, 5'000'001'999, "hello", 90).add(u16{1}).add(u16{2}).add_text("hi").pad().add(u32{0}));
    file.block(6, enhanced(big, 1, 512, "x", 1));
    file.block(
        2, File{big}.add(u16{1}).add(u16{7}).add(u32{0}).add(u32{1024}).add(u32{1}).add(u32{9}).add_text("y").pad());
    file.block(3, File{big}.add(u32{3}).add_text("abc").pad());
    const File next = section(!big);  // another byte order, and interfaces count from 0 again
    file.bytes.insert(file.bytes.end(), next.bytes.begin(), next.bytes.end());
    file.big = !big;
    file.block(1, interface(!big, 2));
    file.block(6, enhanced(!big, 0, 7, "z", 1));
    file.block(3, File{!big}.add(u32{100}).add_text("ab").pad());
    const auto rows = rows_of(file.bytes);
    if (!rows) FAIL(rows.error().text());
    CHECK(*rows == std::vector<Row>{{5'000'001, 0, 90, "hello"},
                                    {1'000'500'000, 1, 1, "x"},
                                    {1'001'000'000, 1, 9, "y"},
                                    {1'001'000'000, 0, 3, "abc"},
                                    {7, 0, 1, "z"},
                                    {7, 0, 100, "ab"}});
  }
}

TEST_CASE("time resolutions from whole seconds to the finest") {
  const auto time_with = [](u8 resolution, u64 units) {
    File file = section(false);
    file.block(1, interface(false).add(u16{9}).add(u16{1}).add(resolution).pad());
    file.block(6, enhanced(false, 0, units, "", 0));
    const auto rows = rows_of(file.bytes);
    return rows ? std::to_string(rows->at(0).time) : rows.error().text();
  };
  CHECK(time_with(0, 3) == "3000000");
  CHECK(time_with(3, 1234) == "1234000");
  CHECK(time_with(6, 1234) == "1234");
  CHECK(time_with(12, 1'999'999) == "1");
  CHECK(time_with(127, ~u64{0}) == "0");
  CHECK(time_with(0x80, 3) == "3000000");
  CHECK(time_with(0x80 | 32, u64{3} << 31) == "1500000");
  CHECK(time_with(0xff, ~u64{0}) == "0");
  CHECK(time_with(0, ~u64{0}).find("after 2106") != std::string::npos);
}

TEST_CASE("every damage is named with its place") {
  const auto with = [](File file, u32 value) { return file.add(value); };
  CHECK(error_of(File{}.add(u32{0x12345678})) == "memory: byte 0: neither pcap nor pcapng (first bytes 78563412)");
  CHECK(error_of(File{}) == "memory: byte 0: the file ends inside the first four bytes: no capture");
  CHECK(error_of(pcap_header(false, 0xa1b2c3d4, 113)) == "memory: byte 20: link type 113, not Ethernet (1)");
  CHECK(error_of(pcap_header(false, 0xa1b2c3d4, 1 | 1u << 26 | 2u << 28)).find("FCS") != std::string::npos);
  CHECK(error_of(with(pcap_header(false, 0xa1b2c3d4), 1)) == "memory: byte 24: the file ends inside a packet's header");
  CHECK(error_of(pcap_header(false, 0xa1b2c3d4).add(u64{0}).add(u32{262145}).add(u32{262145})) ==
        "memory: byte 32: a packet of 262145 bytes; the largest frame is 262144");
  CHECK(error_of(pcap_header(true, 0xa1b2c3d4).add(u64{0}).add(u32{9}).add(u32{9}).add_text("abc")) ==
        "memory: byte 24: the file ends inside a packet of 9 bytes");
  CHECK(error_of(section(false).block(1, interface(false, 0, 276))) ==
        "memory: byte 36: interface 0 has link type 276, not Ethernet (1)");
  CHECK(error_of(section(false).block(6, enhanced(false, 0, 0, "", 0))) ==
        "memory: byte 36: a packet of interface 0, but the section describes only 0");
  CHECK(error_of(section(false).block(3, File{}.add(u32{0}))) ==
        "memory: byte 28: a simple packet before any interface description");
  CHECK(error_of(section(false).add(u32{6}).add(u32{13}).add(u32{0})) == "memory: byte 32: a block length of 13");
  CHECK(error_of(section(false).add(u32{9}).add(u32{12}).add(u32{16})) ==
        "memory: byte 28: a block begins with length 12, ends with 16");
  CHECK(error_of(section(false).add(u32{9}).add(u32{100}).add(u32{16})) ==
        "memory: byte 28: the file ends inside a block of 100 bytes");
  CHECK(error_of(section(false)
                     .block(1, interface(false))
                     .block(6, File{}.add(u64{0}).add(u32{0}).add(u32{8}).add(u32{8}).add(u32{0}))) ==
        "memory: byte 48: a block of 36 bytes is too short for its packet");
  CHECK(error_of(section(false).block(0x0a0d0d0a, File{}.add(u32{1}).add(u64{0}).add(u32{0}))) ==
        "memory: byte 36: a section header without its byte-order magic");
}

TEST_CASE("a file cut anywhere gives its first packets, then an error or its end") {
  File whole = section(true);
  whole.block(1, interface(true));
  for (u32 number = 0; number < 5; ++number) whole.block(6, enhanced(true, 0, number, "frame", 5));
  for (std::size_t bytes = 0; bytes <= whole.bytes.size(); ++bytes) {
    const std::vector<std::byte> cut(whole.bytes.begin(), whole.bytes.begin() + static_cast<std::ptrdiff_t>(bytes));
    const auto rows = rows_of(cut);
    const bool at_block = bytes == 28 || (bytes >= 48 && (bytes - 48) % 40 == 0);
    CHECK(rows.has_value() == at_block);
  }
}

TEST_CASE("what is written is read back") {
  const auto path = std::filesystem::temp_directory_path() / ("weir-capture-" + std::to_string(std::random_device{}()));
  std::mt19937 random(3);
  std::vector<Row> rows;
  auto pcap = PcapWriter::create(path.string() + ".pcap");
  const std::string names[] = {"inside", "outside"};
  auto pcapng = PcapngWriter::create(path.string() + ".pcapng", names);
  REQUIRE((pcap && pcapng));
  for (u32 number = 0; number < 2000; ++number) {
    Row row{1'700'000'000'000'000 + number * 999'983ull, number % 2, 0,
            std::string(number == 7 ? frame_bytes_max : random() % 3000, 'x')};
    row.original_bytes = static_cast<u32>(row.bytes.size()) + random() % 2;
    const auto frame = std::as_bytes(std::span(row.bytes.data(), row.bytes.size()));
    pcap->write(row.time, frame, row.original_bytes);
    pcapng->write(row.interface, row.time, frame, row.original_bytes,
                  std::string(number == 9 ? 100'000 : number % 5, 'c'));
    rows.push_back(std::move(row));
  }
  REQUIRE((pcap->close() && pcapng->close()));
  for (const bool is_pcapng : {false, true}) {
    auto reader = CaptureReader::open(path.string() + (is_pcapng ? ".pcapng" : ".pcap"));
    REQUIRE(reader);
    CHECK(reader->is_pcapng() == is_pcapng);
    CapturedPacket packet;
    for (const Row& row : rows) {
      const auto more = reader->next(packet);
      REQUIRE((more && *more));
      REQUIRE(packet.time == row.time);
      REQUIRE(packet.interface == (is_pcapng ? row.interface : 0));
      REQUIRE(packet.original_bytes == row.original_bytes);
      REQUIRE(packet.bytes.size() == row.bytes.size());
    }
    const auto end = reader->next(packet);
    CHECK((end && !*end));
    std::filesystem::remove(path.string() + (is_pcapng ? ".pcapng" : ".pcap"));
  }
  CHECK(PcapWriter::create("/nonexistent/x.pcap").error() ==
        "/nonexistent/x.pcap: cannot be written: No such file or directory");
  auto full = PcapWriter::create("/dev/full");
  REQUIRE(full);
  const auto closed = full->close();
  REQUIRE_FALSE(closed);
  CHECK(closed.error() == "/dev/full: writing failed: No space left on device");
  CHECK(CaptureReader::open("/nonexistent/x.pcap").error().sentence == "cannot be opened: No such file or directory");
}

TEST_CASE("two captures merge by time, ties inside first, and time never goes back") {
  const auto capture = [](std::initializer_list<std::pair<u32, const char*>> packets) {
    File file = pcap_header(false, 0xa1b2c3d4);
    for (const auto& [microseconds, text] : packets)
      file.add(u32{0}).add(microseconds).add(u32{1}).add(u32{1}).add_text(text);
    return file.bytes;
  };
  const auto inside = capture({{10, "a"}, {20, "b"}, {15, "c"}, {30, "d"}});
  const auto outside = capture({{5, "e"}, {20, "f"}, {20, "g"}, {25, "h"}});
  auto merged = MergedInput::pair(*CaptureReader::over(inside, "in"), *CaptureReader::over(outside, "out"));
  std::string order;
  MergedPacket packet;
  while (*merged.next(packet))
    order += std::to_string(packet.time) + (packet.side == 0 ? "i" : "o") + static_cast<char>(packet.bytes[0]) + ' ';
  CHECK(order == "5oe 10ia 20ib 20ic 20of 20og 25oh 30id ");
  auto alone = MergedInput::pair(std::nullopt, *CaptureReader::over(outside, "out"));
  REQUIRE(*alone.next(packet));
  CHECK(packet.side == 1);
}

TEST_CASE("one capture is split by interface or by source address") {
  File file = section(false);
  for (int number = 0; number < 3; ++number) file.block(1, interface(false));
  file.block(6, enhanced(false, 1, 1, "x", 1))
      .block(6, enhanced(false, 0, 2, "x", 1))
      .block(6, enhanced(false, 2, 3, "x", 1));
  auto merged = MergedInput::by_interface(*CaptureReader::over(file.bytes, "in"));
  MergedPacket packet;
  REQUIRE(*merged.next(packet));
  CHECK(packet.side == 1);
  REQUIRE(*merged.next(packet));
  CHECK(packet.side == 0);
  CHECK(merged.next(packet).error().text().starts_with("in: byte 160: a packet of interface 2"));

  const std::string mac(12, 'm'), address("\x0a\x14\x00\x07", 4);
  const auto ipv4 = mac + std::string("\x08\x00", 2) + std::string(12, 'h') + address + "....";
  const auto tagged = mac + std::string("\x81\x00\x00\x05", 4) + ipv4.substr(12);
  const auto arp = mac + "\x08\x06" + std::string(14, 'h') + address;
  const auto ipv6 = mac + "\x86\xdd" + std::string(8, 'h') + "\xfd\x20" + std::string(14, 'a');
  const auto source = [](const std::string& frame) {
    return claimed_source(std::as_bytes(std::span(frame.data(), frame.size())));
  };
  const auto covers = [&](const char* prefix, const std::string& frame) {
    return Prefix::parse(prefix)->covers(source(frame));
  };
  for (const auto& frame : {ipv4, tagged, arp}) {
    CHECK(covers("10.20.0.0/18", frame));
    CHECK(covers("10.20.0.7", frame));
    CHECK_FALSE(covers("10.20.0.8/29", frame));
    CHECK_FALSE(covers("::/0", frame));
    CHECK(covers("0.0.0.0/0", frame));
  }
  CHECK(covers("fd20::/15", ipv6));
  CHECK_FALSE(covers("fd21::/16", ipv6));
  CHECK(source(ipv4.substr(0, 29)).empty());
  CHECK(source("").empty());
  for (const char* wrong : {"", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "10.0.0.0/", "10.0.0.0/8x", "10.0.0.0/-1"})
    CHECK_FALSE(Prefix::parse(wrong));
}
