// Scans installed files as if each were sent, and lists what the shipped signature sets find in them: whole files as
// streams, and packets' worths from the middle of each. Not a test of its own: what an honest file is depends on the
// machine. usage: false_matches SETS FOLDER...   ends with 1 if there was less than 1 GiB to scan.
#include "control/inspect/compile_patterns.hpp"
#include "dataplane/scan/scan.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

using namespace weir;
namespace files = std::filesystem;

namespace {

struct Finding {
  u64 count = 0;
  std::vector<std::string> examples;
};

struct Survey {
  const ScanPatterns& patterns;
  Scanner scanner;
  u64 bytes = 0, streams = 0, packets = 0;
  std::map<std::string, Finding> in_streams, in_packets;

  void note(std::map<std::string, Finding>& findings, u32 pattern, const files::path& path) {
    if (pattern == Scanner::none) return;
    const std::string name = fmt::format("{}/{}", patterns.set_name(patterns.set_of(pattern)), patterns.name(pattern));
    Finding& finding = findings[name];
    ++finding.count;
    if (finding.examples.size() < 3) finding.examples.push_back(path);
  }

  // In segments of 1460 bytes: one finding for each in which a pattern ends.
  void scan(const files::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::vector<u8> segment(1460);
    const u32 stream = scanner.open();
    u64 size = 0;
    while (file.read(reinterpret_cast<char*>(segment.data()), static_cast<std::streamsize>(segment.size())) ||
           file.gcount() > 0) {
      const std::span<const u8> part(segment.data(), static_cast<std::size_t>(file.gcount()));
      note(in_streams, scanner.read(stream, part, {~u64{0}, 0}).pattern, path);
      if (size != 0 && size / part.size() % 16 == 7)
        note(in_packets, scanner.look(part, false, {~u64{0}, 0}).pattern, path), ++packets;
      size += part.size();
    }
    scanner.close(stream);
    bytes += size;
    ++streams;
  }
};

std::vector<control::PatternSet> sets_in(const files::path& folder) {
  std::vector<control::PatternSet> sets;
  for (const auto& entry : files::directory_iterator(folder)) {
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    auto set = control::read_pattern_set(entry.path().stem(), entry.path(), text.str());
    if (!set) throw std::runtime_error(set.error());
    sets.push_back(std::move(*set));
  }
  return sets;
}

void print(const char* where, const std::map<std::string, Finding>& findings) {
  std::printf("%s:\n", where);
  for (const auto& [name, finding] : findings) {
    std::printf("  %8llu  %s\n", static_cast<unsigned long long>(finding.count), name.c_str());
    for (const std::string& example : finding.examples) std::printf("              %s\n", example.c_str());
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::cerr << "usage: false_matches SETS FOLDER...\n";
    return 2;
  }
  const auto image = control::compile_patterns(sets_in(arguments[1]));
  if (!image) throw std::runtime_error(image.error().sentence);
  const auto patterns = ScanPatterns::load(*image);
  if (!patterns) throw std::runtime_error(patterns.error());
  const auto scan = *Scan::begin(*patterns, 1);
  Survey survey{*patterns, scan->scanner(), 0, 0, 0, {}, {}};
  for (int i = 2; i < count; ++i)
    for (const auto& entry :
         files::recursive_directory_iterator(arguments[i], files::directory_options::skip_permission_denied))
      if (entry.is_regular_file() && !entry.is_symlink()) survey.scan(entry.path());
  std::printf("%llu files, %.2f GiB, %llu packets besides, %u patterns, %zu bytes of image, %zu bytes a stream\n",
              static_cast<unsigned long long>(survey.streams), static_cast<double>(survey.bytes) / (1u << 30),
              static_cast<unsigned long long>(survey.packets), patterns->count(), image->size(),
              patterns->stream_bytes());
  print("in streams, by segment", survey.in_streams);
  print("in packets by themselves", survey.in_packets);
  return survey.bytes < (u64{1} << 30);
}
