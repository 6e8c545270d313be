// Edit distance with adjacent swaps (optimal string alignment), over three rows.
#include "control/check/names.hpp"

#include <algorithm>

namespace weir::control {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_tail(char c) { return is_lower(c) || (c >= '0' && c <= '9') || c == '-'; }

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> older(b.size() + 1), old(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) old[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({old[j] + 1, now[j - 1] + 1, old[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], older[j - 2] + 1);
    }
    std::swap(older, old);
    std::swap(old, now);
  }
  return old[b.size()];
}

}  // namespace

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && is_lower(text[0]) && std::ranges::all_of(text, is_tail);
}

std::string name_like(std::string_view text) {
  std::string made;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_' || c == ' ' || c == '.') c = '-';
    if (is_tail(c) && (!made.empty() || is_lower(c)) && made.size() < 63) made += c;
  }
  return made;
}

std::string nearest(std::string_view wanted, std::span<const std::string_view> known) {
  if (wanted.size() > 128) return "";
  std::size_t best = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  std::string_view found;
  for (const std::string_view one : known) {
    const std::size_t apart = one.size() > wanted.size() ? one.size() - wanted.size() : wanted.size() - one.size();
    if (apart >= best) continue;
    if (const std::size_t edits = distance(wanted, one); edits < best) {
      best = edits;
      found = one;
    }
  }
  return std::string(found);
}

std::string listing(std::span<const std::string_view> words, std::size_t most) {
  std::string out;
  for (std::size_t i = 0; i < words.size() && i < most; ++i) {
    if (i > 0) out += i + 1 == words.size() ? " and " : ", ";
    out += '`';
    out += words[i];
    out += '`';
  }
  if (words.size() > most) out += " and " + std::to_string(words.size() - most) + " more";
  return out;
}

}  // namespace weir::control
