#include "dataplane/scan/scan.hpp"

#include <hs.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

namespace weir {
namespace {

using Bytes = std::span<const std::byte>;

// Takes the next part of an image, and the zeros up to eight bytes after it.
struct Cutter {
  Bytes rest;
  bool fits = true;

  Bytes take(u64 bytes) {
    fits = fits && to_eight(bytes) <= rest.size();
    if (!fits) return {};
    const Bytes part = rest.first(bytes);
    rest = rest.subspan(to_eight(bytes));
    return part;
  }
  template <class Element>
  std::vector<Element> take_all(u64 count) {
    const Bytes part = take(count * sizeof(Element));
    std::vector<Element> made(part.size() / sizeof(Element));
    if (!part.empty()) std::memcpy(made.data(), part.data(), part.size());
    return made;
  }
};

hs_database* opened(Bytes bytes) {
  hs_database* database = nullptr;
  if (hs_deserialize_database(reinterpret_cast<const char*>(bytes.data()), bytes.size(), &database) != HS_SUCCESS)
    return nullptr;
  return database;
}

bool is_for(const hs_database* database, std::string_view mode) {
  char* info = nullptr;
  if (hs_database_info(database, &info) != HS_SUCCESS) return false;
  const bool fits = std::string_view(info).find(mode) != std::string_view::npos;
  std::free(info);
  return fits;
}

}  // namespace

void ScanPatterns::Free::operator()(hs_database* database) const { hs_free_database(database); }

std::expected<ScanPatterns, std::string> ScanPatterns::load(Bytes image) {
  const auto wrong = [](const char* what) { return std::unexpected(std::string("patterns: ") + what); };
  PatternImageHeader header{};
  if (image.size() < sizeof header) return wrong("too short");
  std::memcpy(&header, image.data(), sizeof header);
  if (header.magic != pattern_image_magic || header.zero != 0) return wrong("not an image of patterns");
  if (header.patterns > patterns_max || header.sets > pattern_sets_max) return wrong("too many");
  Cutter cutter{image.subspan(sizeof header)};
  ScanPatterns made;
  made.rows_ = cutter.take_all<PatternRow>(header.patterns);
  made.set_names_ = cutter.take_all<u32>(header.sets);
  const Bytes names = cutter.take(header.names_bytes);
  const Bytes streams = cutter.take(header.stream_bytes), packets = cutter.take(header.packet_bytes);
  if (!cutter.fits || !cutter.rest.empty()) return wrong("not as long as it says");
  made.names_.assign(reinterpret_cast<const char*>(names.data()), names.size());
  if (made.names_.empty() || made.names_.back() != '\0') return wrong("a name without an end");
  const auto is_named = [&](u32 name) { return name < made.names_.size(); };
  if (!std::ranges::all_of(made.set_names_, is_named)) return wrong("a set without a name");
  for (const PatternRow& row : made.rows_)
    if (!is_named(row.name) || row.set >= header.sets || row.at_beginning > 1 || row.zero != 0)
      return wrong("a pattern of no set");
  made.streams_.reset(opened(streams));
  made.packets_.reset(opened(packets));
  if (made.streams_ == nullptr || made.packets_ == nullptr)
    return wrong("compiled for another processor or version of Hyperscan");
  if (!is_for(made.streams_.get(), "STREAM") || !is_for(made.packets_.get(), "BLOCK"))
    return wrong("databases of the wrong kind");
  return made;
}

std::size_t ScanPatterns::stream_bytes() const {
  std::size_t bytes = 0;
  return hs_stream_size(streams_.get(), &bytes) == HS_SUCCESS ? bytes : 0;
}

// What one scan has found.
struct Scan::Seen {
  const ScanPatterns& patterns;
  ScanSets sets;
  bool is_beginning;
  ScanFound found = {};

  static int take(unsigned id, unsigned long long, unsigned long long, unsigned, void* context) {
    Seen& seen = *static_cast<Seen*>(context);
    const u64 set = u64{1} << seen.patterns.set_of(id);
    if ((seen.sets.all & set) == 0 || (!seen.is_beginning && seen.patterns.is_at_beginning(id))) return 0;
    const bool goes_first = (seen.sets.first & set) != 0 && (seen.sets.first & seen.found.sets) == 0;
    if (seen.found.sets == 0 || goes_first) seen.found.pattern = id;
    seen.found.sets |= set;
    return 0;
  }
};

Scan::Scan(const ScanPatterns& patterns) : patterns_(patterns) {
  static std::atomic<u64> serials{0};
  serial_ = ++serials;
}

std::expected<std::unique_ptr<Scan>, std::string> Scan::begin(const ScanPatterns& patterns, u32 streams) {
  std::unique_ptr<Scan> made(new Scan(patterns));
  if (hs_alloc_scratch(patterns.streams(), &made->scratch_) != HS_SUCCESS ||
      hs_alloc_scratch(patterns.packets(), &made->scratch_) != HS_SUCCESS)
    return std::unexpected("patterns: no memory to scan with");
  made->streams_.reserve(streams);
  for (u32 i = 0; i < streams; ++i) {
    hs_stream* stream = nullptr;
    if (hs_open_stream(patterns.streams(), 0, &stream) != HS_SUCCESS)
      return std::unexpected("patterns: no memory for streams");
    made->streams_.push_back(stream);
  }
  made->links_.resize(streams);
  made->pool_ = Pool<hs_stream*>(made->streams_, made->links_);
  return made;
}

Scan::~Scan() {
  for (hs_stream* stream : streams_) hs_close_stream(stream, nullptr, nullptr, nullptr);
  hs_free_scratch(scratch_);
}

Scanner Scan::scanner() {
  Scanner made;
  made.context = this;
  made.open_stream = [](void* context) { return static_cast<Scan*>(context)->open(); };
  made.close_stream = [](void* context, u32 stream) { static_cast<Scan*>(context)->pool_.give(stream); };
  made.serial = serial_;
  made.read_stream = [](void* context, u32 stream, std::span<const u8> bytes, const ScanSets& sets) {
    return static_cast<Scan*>(context)->read(stream, bytes, sets);
  };
  made.look_at = [](void* context, std::span<const u8> bytes, bool is_beginning, const ScanSets& sets) {
    return static_cast<Scan*>(context)->look(bytes, is_beginning, sets);
  };
  return made;
}

u32 Scan::open() {
  const u32 stream = pool_.take();
  if (stream != Pool<hs_stream*>::none) hs_reset_stream(pool_[stream], 0, scratch_, nullptr, nullptr);
  return stream;
}

ScanFound Scan::read(u32 stream, std::span<const u8> bytes, const ScanSets& sets) {
  Seen seen{patterns_, sets, true};
  const auto done = hs_scan_stream(pool_[stream], reinterpret_cast<const char*>(bytes.data()),
                                   static_cast<u32>(bytes.size()), 0, scratch_, Seen::take, &seen);
  WEIR_CHECK(done == HS_SUCCESS);
  return seen.found;
}

ScanFound Scan::look(std::span<const u8> bytes, bool is_beginning, const ScanSets& sets) {
  Seen seen{patterns_, sets, is_beginning};
  const auto done = hs_scan(patterns_.packets(), reinterpret_cast<const char*>(bytes.data()),
                            static_cast<u32>(bytes.size()), 0, scratch_, Seen::take, &seen);
  WEIR_CHECK(done == HS_SUCCESS);
  return seen.found;
}

}  // namespace weir
