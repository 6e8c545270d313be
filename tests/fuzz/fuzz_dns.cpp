// Fuzzes DNS messages: what is read lies inside the message, its name is whole, its options are too, nothing shorter is
// the same message, and a sketch never forgets what it has just counted.
#include "dataplane/inspect/dns_sketch.hpp"

#include <cstdlib>
#include <vector>

using namespace weir;

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<u8> exact(data, data + size);  // so that a read behind the end is one behind what is allocated
  DnsMessage message;
  if (!read_dns(exact, message)) return 0;
  const std::span<const u8> name = message.name;
  must(name.data() == exact.data() + dns_header_bytes && name.size() <= dns_name_bytes_max && name.back() == 0);
  std::size_t at = 0;
  while (name[at] != 0) {
    must(name[at] < 64);
    at += name[at] + 1u;
  }
  must(at + 1 == name.size());
  const u32 below = registered_at(name);
  must(below < name.size());
  std::size_t options = 0;
  each_dns_option(message.options, [&](u16, std::span<const u8> one) { options += 4 + one.size(); });
  must(options == message.options.size());
  DnsMessage shorter;
  must(!read_dns(std::span(exact).first(size - 1), shorter));
  if (message.is_answer) return 0;
  alignas(64) static std::byte memory[DnsSketch::bytes_needed];
  DnsSketch sketch(memory, HashKey{{1, 2, 3, 4}});
  static Tick now = Tick{1} << 50;
  now += 10 * tick_second;
  const DnsSketch::Terms terms{1 << 20, 1 << 20, 4 * tick_second};
  must(sketch.ask(1, message, terms, now) == DnsSketch::Answer::fits);
  must(sketch.ask(1, message, {1, 1, 4 * tick_second}, now) == DnsSketch::Answer::fits);
  return 0;
}
