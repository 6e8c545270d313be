// [inspect.NAME], the signature sets that it names, and the names of inspections in allows. Sets that are shipped lie
// within the program; others are files beside the root file. Whether an expression can be looked for, Hyperscan says;
// databases are made by whoever compiles.
#include "control/check/names.hpp"
#include "control/check/reading.hpp"
#include "control/check/resolver.hpp"
#include "control/inspect/expressions.hpp"
#include "control/inspect/patterns.hpp"
#include "control/inspect/shipped_sets.hpp"
#include "control/source/toml.hpp"
#include "dataplane/policy/image.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

constexpr std::string_view pattern_kinds[] = {"hex", "text", "regex"};

bool is_hex(std::string_view text) {
  std::size_t digits = 0;
  for (const char c : text) {
    const bool is_digit = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
    if (!is_digit && (c != ' ' || digits % 2 != 0)) return false;
    digits += is_digit;
  }
  return digits != 0 && digits % 2 == 0;
}

// Exactly one of `hex`, `text` and `regex`; false when that has been told to be wrong.
bool looks_for_one(const Node& pattern, Diagnostics& out) {
  const Entry* found = nullptr;
  for (const std::string_view kind : pattern_kinds) {
    const Entry* entry = pattern.find(kind);
    if (entry != nullptr && found != nullptr) {
      out.add("E0214", entry->key_span, fmt::format("`{}` beside `{}`", kind, found->key), "one pattern, one of them")
          .with(found->key_span, "said here");
      return false;
    }
    found = entry != nullptr ? entry : found;
  }
  if (found == nullptr) {
    out.add("E0214", pattern.span, "this pattern looks for nothing", "needs `hex`, `text` or `regex`")
        .helped("for example text = \"GGUF\"");
    return false;
  }
  if (found->key != "hex" || found->value.kind != NodeKind::string || is_hex(found->value.text)) return true;
  out.add("E0420", found->value.span, fmt::format("`{}` is not bytes in hex", found->value.text), "two digits a byte")
      .helped("for example hex = \"7B 22 5F 5F\"");
  return false;
}

// What is wrong with kinds and keys of a table has been told with the table.
bool is_told(Span span, const Diagnostics& out) {
  return std::ranges::any_of(out.all, [&](const Diagnostic& one) {
    return one.primary.span.file == span.file && one.primary.span.begin == span.begin && one.is_error();
  });
}

bool is_path(std::string_view text) { return text.find('/') != std::string_view::npos || text.ends_with(".toml"); }

}  // namespace

// Every pattern must be one that can be looked for.
void Resolver::check_expressions(const PatternSet& set) {
  for (const Pattern& pattern : set.patterns)
    if (const auto fault = expression_fault(pattern))
      out_.add("E0421", pattern.span, fmt::format("`{}` cannot be looked for: {}", pattern.name, *fault),
               "Hyperscan does not take it");
}

// A table of an inspection's own, or nothing when it has been told to be wrong.
std::optional<Pattern> Resolver::own_pattern(const Node& node, const Inspection& inspection) {
  if (node.kind != NodeKind::table || !looks_for_one(node, out_)) return std::nullopt;
  std::uint32_t at = 0;
  const std::size_t before = out_.all.size();
  Reading(node, out_).count("at", at, 0, pattern_at_max);
  if (out_.all.size() != before) return std::nullopt;
  auto pattern = read_pattern(node, inspection.name);
  if (!pattern) {
    if (!is_told(pattern.error().span, out_))
      out_.add("E0421", pattern.error().span, pattern.error().sentence, "in this pattern");
    return std::nullopt;
  }
  const std::uint64_t ends = std::uint64_t{at} + std::max<std::size_t>(pattern->bytes.size(), 1);
  if (pattern->at && ends > inspection.first_bytes) {
    out_.add("E0411", node.find("at")->value.span,
             fmt::format("this pattern ends behind the first {} bytes, which are all that is read in order",
                         inspection.first_bytes),
             fmt::format("ends at {}", ends))
        .helped(fmt::format("first = \"{} B\" or more", ends));
    return std::nullopt;
  }
  return std::move(*pattern);
}

// False when there is no such set, which has then been told.
bool Resolver::use_set(const Node& item) {
  if (item.kind != NodeKind::string) return false;
  if (pattern_sets_.contains(item.text)) return true;
  if (is_path(item.text)) return read_set_file(item);
  const auto found = std::ranges::find(shipped_sets(), item.text, &ShippedSet::name);
  if (found == shipped_sets().end()) {
    std::vector<std::string_view> known;
    for (const ShippedSet& one : shipped_sets()) known.push_back(one.name);
    unknown("E0215", "signature set", item, known);
    out_.all.back().note("a set of your own is a file: signatures = [\"sets/mine.toml\"]");
    return false;
  }
  auto set = read_pattern_set(item.text, fmt::format("{}.toml", item.text), std::string(found->text));
  if (!set) {
    out_.add("E0421", item.span, set.error(), "a fault of this program");
    return false;
  }
  for (Pattern& pattern : set->patterns) pattern.span = {~0u, 0, 0};
  pattern_sets_.emplace(item.text, std::move(*set));
  return true;
}

// Once, whoever names it: a set with a fault is an empty one.
bool Resolver::read_set_file(const Node& item) {
  PatternSet& made = pattern_sets_[item.text];
  made.name = item.text;
  const auto file = open_named(loaded_, loaded_.documents.front().file, item.text, item.span);
  const auto tree = file ? parse_toml(loaded_.sources, *file, loaded_.diagnostics) : std::nullopt;
  if (!tree) return false;
  auto set = read_pattern_set(item.text, *file, *tree);
  if (!set) {
    out_.add("E0421", set.error().span, set.error().sentence, "in this set of signatures")
        .with(item.span, "named here");
    return false;
  }
  made = std::move(*set);
  check_expressions(made);
  return true;
}

void Resolver::add_inspection(const NamedTable& table) {
  const Entry& entry = *table.entry;
  const auto [at, fresh] = inspections_.try_emplace(entry.key);
  if (!fresh) {
    out_.add("E0203", entry.key_span, fmt::format("inspection `{}` is defined twice", entry.key), "again here")
        .with(at->second.made.span, "first here");
    return;
  }
  Inspection& made = at->second.made;
  made.name = entry.key;
  made.span = entry.key_span;
  const Node& node = entry.value;
  read_inspection(node, made);
  if (const Node* named = value_of(node, "signatures"))
    for (const Node& item : named->items)
      if (use_set(item)) at->second.sets.push_back(item.text);
  const Node* patterns = value_of(node, "pattern");
  PatternSet own{fmt::format("inspect.{}", entry.key), {}};
  for (std::size_t i = 0; patterns != nullptr && i < patterns->items.size(); ++i)
    if (auto pattern = own_pattern(patterns->items[i], made)) own.patterns.push_back(std::move(*pattern));
  check_expressions(own);
  if (!own.patterns.empty()) {
    at->second.sets.push_back(own.name);
    pattern_sets_.emplace(own.name, std::move(own));
  }
  const bool weighs = made.tensors || made.opaque != Inspection::Opaque::allow;
  if (patterns == nullptr && node.find("signatures") == nullptr && !weighs)
    out_.add("E0214", entry.key_span, fmt::format("inspection `{}` looks for nothing", entry.key),
             "needs `signatures`, a pattern, `tensors = true` or `opaque`")
        .helped(fmt::format("[[inspect.{}.pattern]] with text = \"GGUF\"", entry.key));
}

// Everything but what is looked for.
void Resolver::read_inspection(const Node& node, Inspection& made) {
  const Reading values(node, out_);
  values.flag("tensors", made.tensors);
  made.out = !values.says("direction", "in");
  made.in = !values.says("direction", "out");
  std::uint64_t first = made.first_bytes;
  values.amount("first", KeyType::size, first, image::inspect_first_max);
  made.first_bytes = static_cast<std::uint32_t>(first);
  if (values.says("on_match", "alert")) made.on_match = Inspection::OnMatch::alert;
  if (values.says("on_match", "quarantine")) made.on_match = Inspection::OnMatch::quarantine;
  if (values.says("opaque", "alert")) made.opaque = Inspection::Opaque::alert;
  if (values.says("opaque", "deny")) made.opaque = Inspection::Opaque::deny;
  if (values.says("busy", "deny")) made.busy = Inspection::Busy::deny;
  values.share("max_quarantined", made.max_quarantined);
  made.monitor = monitors(node, made.monitor_until_s);
  const Entry* quarantined = node.find("max_quarantined");
  if (quarantined != nullptr && made.on_match != Inspection::OnMatch::quarantine)
    out_.add("W0411", quarantined->key_span, "`max_quarantined` without `on_match = \"quarantine\"`",
             "nothing is quarantined");
}

void Resolver::use_inspections(const Node& node, Statement& statement) {
  const Node* named = value_of(node, "inspect");
  if (named == nullptr) return;
  const auto use = [&](const Node& item) {
    if (item.kind != NodeKind::string) return;
    const auto found = inspections_.find(item.text);
    if (found != inspections_.end()) {
      found->second.used = true;
      statement.inspections.push_back(static_cast<std::uint32_t>(std::distance(inspections_.begin(), found)));
      return;
    }
    std::vector<std::string_view> known;
    for (const auto& [name, inspection] : inspections_) known.push_back(name);
    unknown("E0213", "inspection", item, known);
  };
  use(*named);
  for (const Node& item : named->items) use(item);
  std::ranges::sort(statement.inspections);
  const auto behind = std::ranges::unique(statement.inspections);
  statement.inspections.erase(behind.begin(), behind.end());
}

// Sets are numbered by name, so that no number depends on the order of files.
void Resolver::finish_inspections() {
  for (auto& [name, set] : pattern_sets_) made_.model.pattern_sets.push_back(std::move(set));
  for (auto& [name, inspection] : inspections_) {
    if (!inspection.used)
      out_.add("W0205", inspection.made.span, fmt::format("inspection `{}` is never named", name),
               "no allow asks for it")
          .helped(fmt::format("inspect = [\"{}\"] in an [[allow]]", name));
    std::ranges::sort(inspection.sets);
    for (const std::string& set : inspection.sets) {
      const auto number = static_cast<std::uint32_t>(std::distance(pattern_sets_.begin(), pattern_sets_.find(set)));
      auto& numbers = inspection.made.sets;
      if (numbers.empty() || numbers.back() != number) numbers.push_back(number);
    }
    made_.model.inspections.push_back(std::move(inspection.made));
  }
}

}  // namespace weir::control
