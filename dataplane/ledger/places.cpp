#include "dataplane/ledger/places.hpp"

#include <time.h>

#include <fstream>

namespace weir::ledger {
namespace {

constexpr const char* anchor_file = "ledger-head";
constexpr const char* boot_id_path = "/proc/sys/kernel/random/boot_id";

u64 now_us(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<u64>(now.tv_sec) * 1'000'000 + static_cast<u64>(now.tv_nsec) / 1000;
}

// -1: no hexadecimal digit.
int digit_of(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

}  // namespace

std::expected<Settings, Error> settings_of(const Places& places) {
  const auto key = load_key(places.key);
  if (!key) return std::unexpected(key.error());
  auto storage = files_in(places.folder);
  if (!storage) return std::unexpected(storage.error());
  Settings made;
  made.storage = std::move(*storage);
  made.key = *key;
  if (places.anchor.empty()) return made;
  auto elsewhere = files_in(places.anchor);
  if (!elsewhere) return std::unexpected(Error{"of its anchor: " + elsewhere.error().sentence});
  made.anchor = anchor_in(std::move(*elsewhere), anchor_file, *key);
  return made;
}

std::expected<Clocks, Error> Clocks::of_this_boot() {
  std::ifstream file(boot_id_path);
  std::string text;
  Clocks made;
  u32 digits = 0;
  if (std::getline(file, text))
    for (const char letter : text) {
      const int digit = digit_of(letter);
      if (digit < 0 || digits == 32) continue;
      u64& half = made.boot_.boot[digits++ / 16];
      half = half << 4 | static_cast<u64>(digit);
    }
  if (digits != 32)
    return std::unexpected(Error{std::string(boot_id_path) + " says no boot id: nobody could tell what time went by"});
  return made;
}

Reading Clocks::read() const {
  Reading reading;
  reading.clock = boot_;
  reading.clock.boottime_us = now_us(CLOCK_BOOTTIME);
  reading.clock.steady_us = now_us(CLOCK_MONOTONIC_RAW);
  reading.wall_us = now_us(CLOCK_REALTIME);
  return reading;
}

}  // namespace weir::ledger
