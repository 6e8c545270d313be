// What `weir fmt` promises: formatting twice is formatting once, and the text says the same: keys, values and comments
// by their letters, the tree by its parser. Of every rule file here, and of random TOML with everything in odd places.
// `format FOLDER`, where rule files are; WEIR_PROPERTY_SCALE multiplies how many texts are drawn (default 1).
#include "control/format/format.hpp"
#include "control/source/toml.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

using namespace weir::control;

namespace {

[[noreturn]] void fail(const std::string& what, const std::string& text, const std::string& made) {
  std::printf("does not hold: %s\n--- text\n%s\n--- formatted\n%s\n", what.c_str(), text.c_str(), made.c_str());
  std::exit(1);
}

std::optional<Node> tree_of(const std::string& text) {
  Sources sources;
  sources.add("one.toml", "one.toml", text);
  Diagnostics told;
  auto tree = parse_toml(sources, 0, told);
  if (tree) tree->has_header = false;  // of the whole file it says whether a bracket is its first letter
  return tree;
}

// A tree as text, with what is no date by its letters: written here and not from the formatter's own comparison.
std::string said(const Node& node, const std::string& text) {
  std::string made = "(" + std::to_string(static_cast<int>(node.kind)) + (node.has_header ? "h " : " ");
  if (node.kind == NodeKind::other_time) made += text.substr(node.span.begin, node.span.end - node.span.begin);
  made += node.text + "|" + std::to_string(node.integer) + "|" + std::to_string(node.floating);
  for (const Entry& entry : node.entries) made += entry.key + "=" + said(entry.value, text);
  for (const Node& item : node.items) made += "," + said(item, text);
  return made + ")";
}

void must_hold(const std::string& text) {
  const auto once = format_rules(text);
  if (!once) fail("what is TOML can be formatted: " + once.error(), text, "");
  const auto twice = format_rules(*once);
  if (!twice || *twice != *once) fail("formatting twice is formatting once", *once, twice ? *twice : twice.error());
  if (said(*tree_of(text), text) != said(*tree_of(*once), *once)) fail("the tree is the same", text, *once);
  if (once->find("\n\n\n") != once->npos && text.find("\"\"\"") == text.npos && text.find("'''") == text.npos)
    fail("never two blank lines", text, *once);
  if (!once->empty() && !once->ends_with("\n")) fail("the last line ends", text, *once);
}

// How many rule files were formatted: those that some parser takes.
unsigned all_files(const std::filesystem::path& folder) {
  unsigned count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".toml") continue;
    std::stringstream text;
    text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    if (!tree_of(text.str())) continue;
    must_hold(text.str());
    ++count;
  }
  return count;
}

class Writer {
 public:
  explicit Writer(unsigned seed) : random_(seed) {}

  std::string text() {
    std::string made;
    for (unsigned lines = below(12); lines != 0; --lines) made += line();
    for (unsigned tables = below(5); tables != 0; --tables) {
      const std::string name = "t" + std::to_string(number_++);
      const bool is_of_array = below(3) == 0;
      made += blanks() + (is_of_array ? "[[" : "[") + blanks() + name + blanks() + (is_of_array ? "]]" : "]") + end();
      for (unsigned lines = below(8); lines != 0; --lines) made += line();
    }
    return made;
  }

 private:
  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  std::string blanks() { return below(3) ? std::string() : std::string(below(6), below(4) ? ' ' : '\t'); }
  std::string comment() {
    static const char* const texts[] = {"# plain", "#", "# [a] = \"x\"  ", "# \xc3\xa4\xe2\x94\x80 wide", "#:schema x"};
    return texts[below(5)];
  }
  std::string end() { return blanks() + (below(4) ? "" : comment()) + (below(8) ? "\n" : "\r\n"); }
  std::string line() {
    if (below(6) == 0) return end();
    return blanks() + key() + blanks() + "=" + blanks() + value(0) + end();
  }
  std::string key() {
    const std::string name = "k" + std::to_string(number_++);
    switch (below(8)) {
      case 0: return "\"" + name + " = [\"";
      case 1: return "'" + name + "#'";
      case 2: return name + blanks() + "." + blanks() + "b-" + std::to_string(number_++);
      default: return name + std::string(below(10), 'x');
    }
  }
  std::string scalar() {
    static const char* const texts[] = {
        "1", "-17", "0x1f", "1_000", "1.5", "inf", "-0.0", "true", "false", "2026-11-22", "2026-11-22T07:32:00Z",
        "2026-11-22 07:32:00.5", "07:32:00", "\"a # b\"", "\"\"", "''", "'[{,='", "\"\\\"q\\\\\"",
        "\"\"\"\n  two   \n\n\n lines # no comment\\\n   joined \"\" end\"\"\"\"",
        "'''\nraw \\ ''x'' \t\n'''", "\"\xc3\xbc\"",
        "\"a rather long text that makes lines of some length together with others\""};
    return texts[below(std::size(texts))];
  }
  std::string value(unsigned depth) {
    if (depth < 3 && below(4) == 0) return array(depth);
    if (depth < 3 && below(6) == 0) return table(depth);
    return scalar();
  }
  std::string gap() {
    if (below(3) != 0) return blanks();
    std::string made;
    for (unsigned lines = 1 + below(3); lines != 0; --lines) made += end() + blanks();
    return made;
  }
  std::string array(unsigned depth) {
    std::string made = "[" + gap();
    const bool of_tables = below(4) == 0;
    for (unsigned items = below(6); items != 0; --items) {
      made += of_tables ? table(depth + 1) : "\"" + std::to_string(number_++) + std::string(below(40), 'y') + "\"";
      made += gap();
      if (items > 1 || below(2)) made += "," + gap();
    }
    return made + "]";
  }
  std::string table(unsigned depth) {
    std::string made = "{" + blanks();
    for (unsigned items = below(4); items != 0; --items)
      made += key() + blanks() + "=" + blanks() + value(depth + 1) + blanks() + (items > 1 ? "," : "") + blanks();
    return made + "}";
  }

  std::mt19937_64 random_;
  unsigned number_ = 0;
};

}  // namespace

int main(int count, char** words) {
  if (count != 2) return std::puts("usage: format FOLDER"), 2;
  const unsigned files = all_files(words[1]);
  const char* const scale = std::getenv("WEIR_PROPERTY_SCALE");
  const unsigned texts = 2000 * (scale != nullptr ? static_cast<unsigned>(std::atoi(scale)) : 1);
  unsigned formatted = 0;
  for (unsigned seed = 0; seed < texts; ++seed) {
    const std::string text = Writer(seed).text();
    if (!tree_of(text)) continue;  // toml11 does not take all that TOML has
    must_hold(text);
    ++formatted;
  }
  std::printf("%u rule files and %u of %u random texts say the same in their layout\n", files, formatted, texts);
  return files > 50 && formatted > texts / 2 ? 0 : 1;
}
