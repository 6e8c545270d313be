// Prints how often the tensor tests speak of each kind of data, by packet and by flow, over TCP segments and RDMA
// payloads, and fails where a promise of docs/inspection.md is broken. Flows of 64 KiB for floats, of 2 MiB for
// quantised and opaque data; three in four packets are TCP segments of 1448 bytes, the others RDMA payloads of 4096
// and 1024.
//
// detector_table [FLOWS [SEED]]           so many long flows (and 32 times as many short ones) of every kind
// detector_table --files FOLDER...        every file there, cut into such flows: nothing may be found
// detector_table --command COMMAND        what a shell command prints, cut into such flows: nothing may be found
#include "dataplane/inspect/quantised.hpp"
#include "dataplane/inspect/tensor.hpp"
#include "tests/property/tensor_corpus.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace weir;
using namespace weir::corpus;

namespace {

constexpr u32 short_bytes = 64 << 10, long_bytes = 2 << 20;
const Lanes lanes = lanes_of_machine();

struct Tally {
  u64 packets = 0, packets_found = 0, short_flows = 0, short_found = 0;
  u64 long_flows = 0, quantised = 0, opaque = 0;
  u64 bytes = 0;
};

void take_short(Tally& tally, const u8* at, u32 bytes, u32 packet_bytes) {
  TensorVotes votes;
  bool is_found = false;
  for (u32 done = 0; done < bytes; done += packet_bytes) {
    const FloatCounts counts = count_floats(at + done, std::min(packet_bytes, bytes - done), lanes);
    if (counts.bytes >= sample_bytes_min) {
      ++tally.packets;
      tally.packets_found += float_kind(counts) != FloatKind::none;
    }
    votes.take(counts);
    is_found |= votes.is_tensor();
  }
  ++tally.short_flows;
  tally.short_found += is_found;
}

void take_long(Tally& tally, const u8* at, u32 bytes) {
  ByteWatch watch;
  bool is_quantised = false, is_opaque = false;
  for (u32 done = 0; done < bytes; done += 16384) {  // a window closes no more often
    watch.take(at + done, std::min(16384u, bytes - done));
    is_quantised |= watch.is_quantised();
    is_opaque |= watch.is_opaque();
  }
  ++tally.long_flows;
  tally.quantised += is_quantised;
  tally.opaque += is_opaque;
}

void take(Tally& tally, const u8* at, u32 bytes) {
  static constexpr u32 packet_bytes[] = {1448, 1448, 4096, 1448, 1448, 1448, 1024, 1448};
  for (u32 done = 0, turn = 0; done < bytes; done += short_bytes, ++turn)
    take_short(tally, at + done, std::min(short_bytes, bytes - done), packet_bytes[turn % 8]);
  take_long(tally, at, bytes);
  tally.bytes += bytes;
}

void print_head() {
  std::printf("%-26s %22s %22s %18s %18s\n", "", "float, by packet", "float, 64 KiB flow", "quantised, 2 MiB",
              "opaque, 2 MiB");
}

void print_part(u64 part, u64 whole, int width) {
  char text[64];
  std::snprintf(text, sizeof text, "%llu of %llu", static_cast<unsigned long long>(part),
                static_cast<unsigned long long>(whole));
  std::printf(" %*s", width, text);
}

void print(const std::string& name, const Tally& tally) {
  std::printf("%-26s", name.c_str());
  print_part(tally.packets_found, tally.packets, 22);
  print_part(tally.short_found, tally.short_flows, 22);
  print_part(tally.quantised, tally.long_flows, 18);
  print_part(tally.opaque, tally.long_flows, 18);
  std::printf("\n");
  std::fflush(stdout);
}

// With the rule of three where none was found: 95 % sure.
void print_bound(const char* what, u64 found, u64 flows) {
  std::printf("%s: %llu of %llu flows", what, static_cast<unsigned long long>(found),
              static_cast<unsigned long long>(flows));
  if (found == 0 && flows != 0)
    std::printf(", so fewer than %.1e of all (rule of three)", 3.0 / static_cast<double>(flows));
  std::printf("\n");
}

// Whether the promises hold.
bool judge(const Kind& kind, const Tally& tally) {
  const auto share = [](u64 part, u64 whole) { return static_cast<double>(part) / static_cast<double>(whole); };
  if (kind.expect == Expect::floats)
    return share(tally.short_found, tally.short_flows) >= 0.999 && tally.quantised == 0;
  if (kind.expect == Expect::quantised) return share(tally.quantised, tally.long_flows) >= 0.99;
  if (kind.expect == Expect::opaque) return tally.opaque == tally.long_flows && tally.quantised == 0;
  return kind.expect == Expect::either || (tally.short_found == 0 && tally.quantised == 0);
}

int corpus_table(u64 flows, u64 seed) {
  print_head();
  Tally rest;
  int broken = 0;
  for (const Kind& kind : all_kinds()) {
    Tally tally;
    for (u64 flow = 0; flow < flows; ++flow) take(tally, Stream(kind, seed + flow).next(long_bytes), long_bytes);
    print(kind.name, tally);
    if (!judge(kind, tally)) std::printf("  a promise is broken\n"), ++broken;
    if (kind.expect != Expect::nothing) continue;
    rest.short_flows += tally.short_flows, rest.short_found += tally.short_found;
    rest.long_flows += tally.long_flows, rest.quantised += tally.quantised;
  }
  print_bound("floats where there are none", rest.short_found, rest.short_flows);
  print_bound("quantised where there are none", rest.quantised, rest.long_flows);
  return broken != 0;
}

int judge_found(const Tally& tally) {
  print_head();
  print("all", tally);
  print_bound("floats", tally.short_found, tally.short_flows);
  print_bound("quantised", tally.quantised, tally.long_flows);
  return tally.short_found + tally.quantised != 0;
}

// The rest of what `input` gives, in flows of 2 MiB; says what is found in it.
void take_all(Tally& tally, std::istream& input, const std::string& name) {
  static std::vector<u8> held(long_bytes);
  const u64 floats = tally.short_found, quantised = tally.quantised;
  while (input.read(reinterpret_cast<char*>(held.data()), long_bytes), input.gcount() > 0)
    take(tally, held.data(), static_cast<u32>(input.gcount()));
  if (tally.short_found != floats || tally.quantised != quantised)
    std::printf("%s: floats in %llu flows, quantised in %llu\n", name.c_str(),
                static_cast<unsigned long long>(tally.short_found - floats),
                static_cast<unsigned long long>(tally.quantised - quantised));
}

int file_table(int count, char** folders) {
  Tally tally;
  for (int i = 0; i < count; ++i)
    for (const auto& entry : std::filesystem::recursive_directory_iterator(
             folders[i], std::filesystem::directory_options::skip_permission_denied)) {
      if (!entry.is_regular_file() || entry.is_symlink() || entry.file_size() < sample_bytes_min) continue;
      std::ifstream input(entry.path(), std::ios::binary);
      take_all(tally, input, entry.path().string());
    }
  return judge_found(tally);
}

int command_table(const char* command) {
  std::FILE* pipe = popen(command, "r");
  if (pipe == nullptr) return std::perror("popen"), 2;
  Tally tally;
  std::vector<u8> held(long_bytes);
  while (const std::size_t got = std::fread(held.data(), 1, held.size(), pipe))
    take(tally, held.data(), static_cast<u32>(got));
  return pclose(pipe) != 0 ? 2 : judge_found(tally);
}

}  // namespace

int main(int count, char** words) {
  const std::string first = count > 1 ? words[1] : "4";
  if (first == "--files") return file_table(count - 2, words + 2);
  if (first == "--command" && count > 2) return command_table(words[2]);
  return corpus_table(static_cast<u64>(std::atol(first.c_str())),
                      count > 2 ? static_cast<u64>(std::atol(words[2])) : 1);
}
