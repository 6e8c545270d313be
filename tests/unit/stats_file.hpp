// A stats file of two workers as the dataplane writes it, in a folder of its own, for tests of who reads it. It goes
// with the fixture.
#pragma once
#include "control/see/segment.hpp"
#include "dataplane/share/door.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>

namespace weir {

struct Written {
  std::filesystem::path folder, path;
  std::vector<std::byte> bytes;
  static constexpr u32 workers = 2;

  Written() {
    std::string pattern = (std::filesystem::temp_directory_path() / "weir-see-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    folder = pattern;
    path = folder / "stats";
    const u32 ports = 192, slabs = ports + 2 * sizeof(PortName), rings = slabs + workers * sizeof(WorkerCounters);
    bytes.resize(rings + workers * sizeof(EventRing));
    new (bytes.data()) StatsHeader{.magic = StatsHeader::magic_value,
                                   .workers = workers,
                                   .reasons = static_cast<u32>(reasons_count),
                                   .slab_bytes = sizeof(WorkerCounters),
                                   .slabs_offset = slabs,
                                   .rings_offset = rings,
                                   .ring_bytes = sizeof(EventRing),
                                   .generation = {},
                                   .reasons_table = door::reasons_table_value,
                                   .ports = 2,
                                   .ports_offset = ports,
                                   .links_down = {}};
    std::memcpy(bytes.data() + ports, "pf0hpf", 6);
    std::memcpy(bytes.data() + ports + sizeof(PortName), "p0", 2);
    for (u32 worker = 0; worker < workers; ++worker) {
      const u64 counted[] = {100 + worker, 7};
      std::memcpy(bytes.data() + slabs + worker * sizeof(WorkerCounters), counted, sizeof counted);
    }
    write();
  }
  ~Written() { std::filesystem::remove_all(folder); }
  void write() const {
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  }
  u32 rings_offset() const { return reinterpret_cast<const StatsHeader*>(bytes.data())->rings_offset; }
  StatsHeader& header() { return *reinterpret_cast<StatsHeader*>(bytes.data()); }
  // The sentence with which it is refused; "" when it is taken.
  std::string refused() const {
    write();
    const auto opened = see::StatsFile::open(path);
    if (opened) return "";
    CHECK(opened.error().kind == see::Failure::Kind::foreign);
    return opened.error().sentence;
  }
};

inline Address address(const char* text) {
  u8 wire[16] = {};
  if (inet_pton(AF_INET, text, wire) == 1) return Address::ipv4(load<u32>(wire));
  REQUIRE(inet_pton(AF_INET6, text, wire) == 1);
  return Address::ipv6(wire);
}

inline Event event(u64 number) {
  return {number, 1, 0, address("10.0.0.1"), address("10.0.0.2"), 1, 2, EventKind::flow_opened, Reason::flow_new, 6, 0};
}

}  // namespace weir
