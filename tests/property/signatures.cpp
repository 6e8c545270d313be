// The shipped signature sets, compiled and scanned with: each thing they name is found where it may stand, however the
// stream is cut and ordered, in base64 as well; and what is changed on the way again is named. WEIR_SIGNATURES: the
// folder of the sets.
#include "control/inspect/compile_patterns.hpp"
#include "dataplane/inspect/reader.hpp"
#include "dataplane/scan/scan.hpp"
#include "tests/property/signature_samples.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

using namespace weir;

namespace {

constexpr u64 every_set = ~u64{0};

std::vector<control::PatternSet> shipped_sets() {
  const char* folder = std::getenv("WEIR_SIGNATURES");
  if (folder == nullptr) throw std::runtime_error("WEIR_SIGNATURES: the folder of the sets");
  std::vector<control::PatternSet> sets;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    auto set = control::read_pattern_set(entry.path().stem(), entry.path(), text.str());
    if (!set) throw std::runtime_error(set.error());
    sets.push_back(std::move(*set));
  }
  return sets;
}

struct World {
  std::vector<std::byte> image;
  ScanPatterns patterns;
  std::unique_ptr<Scan> scan;
  Scanner scanner;

  explicit World(const std::vector<control::PatternSet>& sets, u32 streams = 4) {
    auto compiled = control::compile_patterns(sets);
    if (!compiled) throw std::runtime_error(compiled.error().sentence);
    image = std::move(*compiled);
    auto loaded = ScanPatterns::load(image);
    if (!loaded) throw std::runtime_error(loaded.error());
    patterns = std::move(*loaded);
    scan = *Scan::begin(patterns, streams);
    scanner = scan->scanner();
  }

  std::string named(u32 pattern) const {
    return pattern == Scanner::none
               ? ""
               : std::string(patterns.set_name(patterns.set_of(pattern))) + "/" + std::string(patterns.name(pattern));
  }
  // All that is found in a stream that comes in these parts.
  std::set<std::string> found(const std::vector<std::span<const u8>>& parts, u64 sets = every_set) {
    std::set<std::string> names;
    const u32 stream = scanner.open();
    for (const auto part : parts)
      if (const ScanFound seen = scanner.read(stream, part, {sets, 0}); seen.sets != 0)
        names.insert(named(seen.pattern));
    scanner.close(stream);
    return names;
  }
  // A byte at a time tells each by itself.
  std::set<std::string> found_in(const std::string& text, u64 sets = every_set) {
    std::vector<std::span<const u8>> parts;
    for (std::size_t i = 0; i < text.size(); ++i) parts.push_back(bytes_of(text).subspan(i, 1));
    return found(parts, sets);
  }
  static std::span<const u8> bytes_of(const std::string& text) {
    return {reinterpret_cast<const u8*>(text.data()), text.size()};
  }
};

World& shipped() {
  static World world(shipped_sets());
  return world;
}

std::string random_text(std::mt19937_64& random, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) text += static_cast<char>(random());
  return text;
}

// RFC 4648, sections 4 and 5.
std::string base64(const std::string& bytes, bool is_url_safe) {
  std::string letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  letters += is_url_safe ? "-_" : "+/";
  std::string made;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    u32 group = 0;
    for (std::size_t j = i; j < i + 3; ++j) group = group << 8 | (j < bytes.size() ? static_cast<u8>(bytes[j]) : 0u);
    for (int shift = 18; shift >= 0; shift -= 6) made += letters[group >> shift & 63];
  }
  return made;
}

}  // namespace

TEST_CASE("each is found at the beginning, and in mid-stream exactly where it may stand there") {
  std::mt19937_64 random(9);
  for (const SignatureSample& sample : signature_samples()) {
    const std::string name = sample.set + "/" + sample.name;
    INFO(name);
    CHECK(shipped().found_in(sample.bytes).contains(name));
    const auto later = shipped().found_in(random_text(random, 1000) + sample.bytes);
    CHECK(later.contains(name) == sample.anywhere);
  }
}

TEST_CASE("every pattern of the shipped sets has a sample") {
  std::set<std::string> sampled, shipped_names;
  for (const SignatureSample& sample : signature_samples()) sampled.insert(sample.set + "/" + sample.name);
  for (u32 i = 0; i < shipped().patterns.count(); ++i) shipped_names.insert(shipped().named(i));
  CHECK(sampled == shipped_names);
}

TEST_CASE("each is found however it is cut in two, and when the second part comes first") {
  for (const SignatureSample& sample : signature_samples()) {
    const auto bytes = World::bytes_of(sample.bytes);
    const u32 begin = 0xffff'fff0;
    const auto whole = shipped().found_in(sample.bytes);
    u32 missed = 0;
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
      std::vector<u8> history(4096);
      StreamReader reader(begin, 4096);
      std::vector<std::span<const u8>> read;
      const auto offer = [&](std::size_t from, std::span<const u8> part) {
        const auto step = reader.offer(begin + static_cast<u32>(from), part, history);
        if (step.answer == StreamReader::Answer::fresh) read.push_back(step.fresh);
        return step.answer;
      };
      CHECK(offer(cut, bytes.subspan(cut)) == StreamReader::Answer::ahead);
      offer(0, bytes.first(cut));
      offer(cut, bytes.subspan(cut));
      const auto names = shipped().found(read);
      // Two parts tell of two at most; whichever they are, they are of those in the whole.
      missed += names.empty() || !std::includes(whole.begin(), whole.end(), names.begin(), names.end());
    }
    INFO(sample.set + "/" + sample.name);
    CHECK(missed == 0);
  }
}

TEST_CASE("what is sent again with other bytes is named before it is scanned") {
  const std::string harmless(512, 'a'), weights = safetensors_file();
  std::vector<u8> history(4096);
  StreamReader reader(1, 4096);
  CHECK(reader.offer(1, World::bytes_of(harmless), history).answer == StreamReader::Answer::fresh);
  CHECK(reader.offer(1, World::bytes_of(weights), history).answer == StreamReader::Answer::differs);
}

TEST_CASE("base64 is found at each alignment, in both alphabets, whatever stands around it") {
  std::mt19937_64 random(10);
  using namespace std::string_literals;
  const std::vector<std::pair<std::string, std::string>> coded = {
      {"weights/gguf", "GGUF\x03\0\0\0"s},
      {"weights/safetensors", R"("data_offsets":[)"},
      {"weights/pytorch", "/data.pkl"},
      {"weights/numpy", "\x93NUMPY\x01\0"s},
      {"weights/hdf5", "\x89HDF\r\n\x1a\n"s},
      {"weights/pytorch", "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"s}};
  for (const auto& [name, bytes] : coded)
    for (u32 before = 0; before < 12; ++before)
      for (const bool is_url_safe : {false, true}) {
        const std::string text = base64(random_text(random, before) + bytes + random_text(random, 5), is_url_safe);
        INFO(name << " after " << before << " bytes: " << text);
        CHECK(shipped().found_in(text).contains(name));
      }
}

TEST_CASE("cores in base64 are the published ones") {
  using namespace std::string_literals;
  const auto cores = [](const std::string& bytes) {
    std::set<std::string> made;
    for (unsigned before = 0; before < 3; ++before) made.insert(control::base64_core(bytes, before));
    return made;
  };
  CHECK(cores("GGUF\x03\0\0\0"s) == std::set<std::string>{"R0dVRgMAAA", "dHVUYDAAAA", "HR1VGAwAAA"});
  CHECK(cores(R"("data_offsets":[)") ==
        std::set<std::string>{"ImRhdGFfb2Zmc2V0cyI6W", "JkYXRhX29mZnNldHMiOl", "iZGF0YV9vZmZzZXRzIjpb"});
  CHECK(cores("\x93NUMPY\x01\0"s) == std::set<std::string>{"k05VTVBZAQ", "NOVU1QWQEA", "TTlVNUFkBA"});
  CHECK(cores("/data.pkl") == std::set<std::string>{"L2RhdGEucGts", "9kYXRhLnBrb", "vZGF0YS5wa2"});
}

TEST_CASE("a packet by itself: what stands at the beginning only where a message begins") {
  World& world = shipped();
  const std::string tensorrt("ftrt\0\0\0\0", 8), gguf("GGUF\3\0\0\0", 8);
  const auto look = [&](const std::string& text, bool is_beginning) {
    return world.named(world.scanner.look(World::bytes_of(text), is_beginning, {every_set, 0}).pattern);
  };
  CHECK(look(tensorrt, true) == "weights/tensorrt");
  CHECK(look(tensorrt, false) == "");
  CHECK(look(gguf, false) == "weights/gguf");
}

TEST_CASE("only the sets that are asked for, and no more streams than there are") {
  World& world = shipped();
  u32 weights = 0;
  while (world.patterns.set_name(weights) != "weights") ++weights;
  const std::string gguf("GGUF\3\0\0\0", 8);
  CHECK(world.found_in(gguf, u64{1} << weights).size() == 1);
  CHECK(world.found_in(gguf, ~(u64{1} << weights)).empty());
  std::vector<u32> streams;
  for (u32 i = 0; i < 4; ++i) streams.push_back(world.scanner.open());
  CHECK(world.scanner.open() == Scanner::none);
  for (const u32 stream : streams) world.scanner.close(stream);
  CHECK(world.scan->open_streams() == 0);
}

TEST_CASE("sixteen MiB of noise hold nothing that may stand anywhere") {
  std::mt19937_64 random(11);
  u32 found = 0;
  for (u32 i = 0; i < 16384; ++i) {
    u64 block[128];
    for (u64& word : block) word = random();
    const std::span<const u8> bytes(reinterpret_cast<const u8*>(block), sizeof block);
    found += shipped().scanner.look(bytes, false, {every_set, 0}).sets != 0;
  }
  CHECK(found == 0);
}

TEST_CASE("an image that is cut short or changed is refused, or means something that is in it") {
  const auto& image = shipped().image;
  for (std::size_t bytes = 0; bytes < image.size(); bytes += 1 + bytes / 8)
    CHECK(!ScanPatterns::load(std::span(image).first(bytes)));
  const std::size_t described = sizeof(PatternImageHeader) + shipped().patterns.count() * sizeof(PatternRow);
  for (std::size_t at = 0; at < described; ++at) {
    std::vector<std::byte> changed = image;
    changed[at] ^= std::byte{0x41};
    if (const auto loaded = ScanPatterns::load(changed))
      for (u32 i = 0; i < loaded->count(); ++i) CHECK(loaded->set_of(i) < loaded->sets());
  }
}

TEST_CASE("what is wrong in a set's file is said, with its line") {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"version = 2", "1: `version` is 1"},
      {"[[pattern]]\nname = 'a'\ntext = 'b'", "1: `version = 1` is missing"},
      {"version = 1", "1: no [[pattern]]"},
      {"version = 1\nname = 'x'", "2: a signature set has"},
      {"version = 1\n[[pattern]]\ntext = 'b'", "2: a pattern needs a `name`"},
      {"version = 1\n[[pattern]]\nname = 'a'", "2: `a` needs one of"},
      {"version = 1\n[[pattern]]\nname = 'a'\ntext = 'b'\nhex = '00'", "2: `a` needs one of"},
      {"version = 1\n[[pattern]]\nname = 'a'\nhex = '0'", "4: `hex` is pairs"},
      {"version = 1\n[[pattern]]\nname = 'a'\ntext = 'b'\nat = -1", "5: `at` is 0 to 4096"},
      {"version = 1\n[[pattern]]\nname = 'a'\ntext = 'b'\nbase64 = true", "2: `a` is too short for base64"},
      {"version = 1\n[[pattern]]\nname = 'a'\nregex = 'b+'\nbase64 = true", "2: `a`: base64 is for bytes"},
      {"version = 1\n[[pattern]]\nname = 'a'\nregex = '^b'", "4: say `at = 0`"},
      {"version = 1\n[[pattern]]\nname = 'a'\ntext = 3", "4: `text` is text, not an integer"},
      {"version = 1\n[[pattern]]\nname = 'a'\nletters = 'b'", "4: a pattern has no `letters`"}};
  for (const auto& [text, expected] : wrong) {
    const auto set = control::read_pattern_set("x", "x.toml", text);
    INFO(text);
    REQUIRE(!set);
    CHECK_THAT(set.error(), Catch::StartsWith("x.toml:" + expected));
  }
  const control::PatternSet broken{"mine", {{"open", "", "a(b", {}, false, false}}};
  const auto compiled = control::compile_patterns(std::span(&broken, 1));
  REQUIRE(!compiled);
  CHECK_THAT(compiled.error().sentence, Catch::StartsWith("set `mine`, pattern `open`: "));
}
