// What is wrong with an operator's rules: a stable code, one sentence, the places in the text that show it, notes, and
// help with the literal edit. Plain data; it is shown by control/report, never printed from here.
#pragma once
#include "control/model/model.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::control {

// A place and what it shows. An empty text underlines without words.
struct Label {
  Span span;
  std::string text;
};

struct Diagnostic {
  std::string_view code;        // a row of the catalogue (control/report/catalogue.hpp); E… error, W… warning
  std::string sentence;
  Label primary;
  std::vector<Label> secondary;
  std::vector<std::string> notes;
  std::vector<std::string> help;

  bool is_error() const { return code.front() == 'E'; }
  Diagnostic& with(Span span, std::string text) {
    secondary.push_back({span, std::move(text)});
    return *this;
  }
  Diagnostic& note(std::string text) {
    notes.push_back(std::move(text));
    return *this;
  }
  Diagnostic& helped(std::string text) {
    help.push_back(std::move(text));
    return *this;
  }
};

// Everything found in one run, in the order it was found until sort().
struct Diagnostics {
  std::vector<Diagnostic> all;

  // The reference is good until the next add().
  Diagnostic& add(std::string_view code, Span span, std::string sentence, std::string label = "") {
    return all.emplace_back(Diagnostic{code, std::move(sentence), {span, std::move(label)}, {}, {}, {}});
  }
  std::size_t errors() const {
    return static_cast<std::size_t>(std::ranges::count_if(all, [](const auto& one) { return one.is_error(); }));
  }
  std::size_t warnings() const { return all.size() - errors(); }
  // By file and place; what shares a place stays in the order it was found.
  void sort() {
    std::ranges::stable_sort(
        all, {}, [](const Diagnostic& one) { return std::pair(one.primary.span.file, one.primary.span.begin); });
  }
};

}  // namespace weir::control
