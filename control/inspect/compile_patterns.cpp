#include "control/inspect/compile_patterns.hpp"

#include "dataplane/inspect/pattern_image.hpp"

#include <fmt/format.h>
#include <hs.h>

#include <cctype>
#include <cstdlib>
#include <memory>

namespace weir::control {
namespace {

struct Free {
  void operator()(hs_database_t* database) const { hs_free_database(database); }
  void operator()(char* bytes) const { std::free(bytes); }
};

// Byte by byte, so that nothing in it has a meaning.
std::string literally(std::string_view bytes) {
  std::string made;
  for (const char one : bytes) {
    const auto byte = static_cast<unsigned char>(one);
    made += std::isalnum(byte) != 0 ? std::string(1, one) : fmt::format("\\x{:02x}", byte);
  }
  return made;
}

// Either alphabet: standard, and URL-safe (RFC 4648, section 5).
std::string either_alphabet(std::string_view core) {
  std::string made;
  for (const char letter : core) {
    if (letter == '+') made += "[+\\-]";
    else if (letter == '/') made += "[\\/_]";
    else made += letter;
  }
  return made;
}

struct All {
  std::vector<std::string> expressions;
  std::vector<unsigned> flags, ids;
  std::vector<PatternRow> rows;
  std::vector<u32> set_names;
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
        all.flags.push_back(HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH | (pattern.any_case ? HS_FLAG_CASELESS : 0u));
        all.rows.push_back({name, set_number, static_cast<u8>(at_beginning), 0});
        all.expressions.push_back(std::move(expression));
      }
    }
  }
  return all;
}

using Database = std::unique_ptr<hs_database_t, Free>;

std::expected<Database, std::string> database_of(const All& all, unsigned mode) {
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
  return std::unexpected(sentence);
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

std::expected<Serial, std::string> serial_of(const All& all, unsigned mode) {
  const auto database = database_of(all, mode);
  if (!database) return std::unexpected(database.error());
  Serial made;
  char* bytes = nullptr;
  if (hs_serialize_database(database->get(), &bytes, &made.count) != HS_SUCCESS)
    return std::unexpected("patterns: no memory");
  made.bytes.reset(bytes);
  return made;
}

}  // namespace

std::vector<std::string> expressions_of(const Pattern& pattern) {
  std::string found = pattern.regex.empty() ? literally(pattern.bytes) : pattern.regex;
  if (pattern.at) {
    const std::string gap = *pattern.at == 0 ? "" : fmt::format(".{{{}}}", *pattern.at);
    found = fmt::format("^{}(?:{})", gap, found);
  }
  std::vector<std::string> made = {found};
  for (unsigned before = 0; pattern.base64 && before < 3; ++before)
    made.push_back(either_alphabet(base64_core(pattern.bytes, before)));
  return made;
}

std::expected<std::vector<std::byte>, std::string> compile_patterns(std::span<const PatternSet> sets) {
  const All all = gather(sets);
  if (sets.size() > pattern_sets_max)
    return std::unexpected(fmt::format("{} signature sets; {} fit", sets.size(), pattern_sets_max));
  if (all.rows.empty() || all.rows.size() > patterns_max)
    return std::unexpected(fmt::format("{} patterns; 1 to {} fit", all.rows.size(), patterns_max));
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
