#include "control/inspect/compile_patterns.hpp"

#include "control/inspect/expressions.hpp"
#include "dataplane/inspect/pattern_image.hpp"

#include <fmt/format.h>
#include <hs.h>

#include <cstdlib>
#include <memory>

namespace weir::control {
namespace {

constexpr Span nowhere{~0u, 0, 0};

struct Free {
  void operator()(hs_database_t* database) const { hs_free_database(database); }
  void operator()(char* bytes) const { std::free(bytes); }
};

struct All {
  std::vector<std::string> expressions;
  std::vector<unsigned> flags, ids;
  std::vector<PatternRow> rows;
  std::vector<u32> set_names;
  std::vector<Span> spans;  // by row
  std::string names;

  u32 name(const std::string& text) {
    const auto at = static_cast<u32>(names.size());
    names += text;
    names += '\0';
    return at;
  }
};

All gather(std::span<const PatternSet> sets) {
  All all;
  for (const PatternSet& set : sets) {
    const auto set_number = static_cast<u8>(all.set_names.size());
    all.set_names.push_back(all.name(set.name));
    for (const Pattern& pattern : set.patterns) {
      const u32 name = all.name(pattern.name);
      for (std::string& expression : expressions_of(pattern)) {
        const bool at_beginning = expression.starts_with('^');
        all.ids.push_back(static_cast<unsigned>(all.rows.size()));
        all.flags.push_back(flags_of(pattern));
        all.spans.push_back(pattern.span);
        all.rows.push_back({name, set_number, static_cast<u8>(at_beginning), 0});
        all.expressions.push_back(std::move(expression));
      }
    }
  }
  return all;
}

using Database = std::unique_ptr<hs_database_t, Free>;

std::expected<Database, PatternsFault> database_of(const All& all, unsigned mode) {
  std::vector<const char*> expressions;
  for (const std::string& expression : all.expressions) expressions.push_back(expression.c_str());
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  const auto count = static_cast<unsigned>(expressions.size());
  if (hs_compile_multi(expressions.data(), all.flags.data(), all.ids.data(), count, mode, nullptr, &database, &error) ==
      HS_SUCCESS)
    return Database(database);
  const bool has_place = error->expression >= 0;
  const std::size_t place = has_place ? static_cast<std::size_t>(error->expression) : 0;
  const std::string sentence =
      has_place ? fmt::format("set `{}`, pattern `{}`: {}", &all.names[all.set_names[all.rows[place].set]],
                              &all.names[all.rows[place].name], error->message)
                : fmt::format("patterns: {}", error->message);
  hs_free_compile_error(error);
  return std::unexpected(PatternsFault{sentence, has_place ? all.spans[place] : nowhere});
}

void append(std::vector<std::byte>& image, const void* bytes, std::size_t count) {
  const auto* begin = static_cast<const std::byte*>(bytes);
  image.insert(image.end(), begin, begin + count);
  image.resize(to_eight(image.size()));
}

struct Serial {
  std::unique_ptr<char, Free> bytes;
  std::size_t count = 0;
};

std::expected<Serial, PatternsFault> serial_of(const All& all, unsigned mode) {
  const auto database = database_of(all, mode);
  if (!database) return std::unexpected(database.error());
  Serial made;
  char* bytes = nullptr;
  if (hs_serialize_database(database->get(), &bytes, &made.count) != HS_SUCCESS)
    return std::unexpected(PatternsFault{"patterns: no memory", nowhere});
  made.bytes.reset(bytes);
  return made;
}

}  // namespace

std::expected<std::vector<std::byte>, PatternsFault> compile_patterns(std::span<const PatternSet> sets) {
  const All all = gather(sets);
  if (sets.size() > pattern_sets_max)
    return std::unexpected(
        PatternsFault{fmt::format("{} signature sets; {} fit", sets.size(), pattern_sets_max), nowhere});
  if (all.rows.empty() || all.rows.size() > patterns_max)
    return std::unexpected(
        PatternsFault{fmt::format("{} patterns; 1 to {} fit", all.rows.size(), patterns_max), nowhere});
  const auto streams = serial_of(all, HS_MODE_STREAM), packets = serial_of(all, HS_MODE_BLOCK);
  if (!streams || !packets) return std::unexpected(streams ? packets.error() : streams.error());
  const PatternImageHeader header{pattern_image_magic,
                                  static_cast<u32>(all.rows.size()),
                                  static_cast<u32>(all.set_names.size()),
                                  static_cast<u32>(all.names.size()),
                                  static_cast<u32>(streams->count),
                                  static_cast<u32>(packets->count),
                                  0};
  std::vector<std::byte> image;
  append(image, &header, sizeof header);
  append(image, all.rows.data(), all.rows.size() * sizeof(PatternRow));
  append(image, all.set_names.data(), all.set_names.size() * sizeof(u32));
  append(image, all.names.data(), all.names.size());
  append(image, streams->bytes.get(), streams->count);
  append(image, packets->bytes.get(), packets->count);
  return image;
}

}  // namespace weir::control
