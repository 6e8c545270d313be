// Bounds of every field that is followed or computed with: which inspections a rule asks for, which sets an inspection
// looks for, how long the parts of the patterns say that they are.
#include "dataplane/policy/check_inspect.hpp"

#include "dataplane/inspect/pattern_image.hpp"
#include "dataplane/policy/policy.hpp"

namespace weir::image {

namespace {

using Sentence = std::string_view;

bool fits(Text text, const View& view) { return u64{text.offset} + text.bytes <= view.strings.size(); }

template <class Word>
bool is_word(Word word, Word last) {
  return static_cast<u8>(word) <= static_cast<u8>(last);
}

// Bits from `count` on are zero.
bool only_below(u64 bits, u64 count) { return count >= 64 || bits >> count == 0; }

// Of no patterns a header of zeros.
PatternImageHeader patterns_of(const View& view) {
  if (view.patterns.size() < sizeof(PatternImageHeader)) return {};
  return load<PatternImageHeader>(view.patterns.data());
}

Sentence check_patterns(const View& view) {
  if (view.patterns.empty()) return {};
  if (view.patterns.size() < sizeof(PatternImageHeader)) return "is shorter than a header";
  const PatternImageHeader header = patterns_of(view);
  if (header.magic != pattern_image_magic) return "is not an image of patterns";
  if (header.zero != 0) return "has a reserved field that is not zero";
  if (header.patterns > patterns_max || header.sets > pattern_sets_max) return "has too many patterns or sets";
  const u64 rows = header.patterns * sizeof(PatternRow) + to_eight(header.sets * sizeof(u32));
  const u64 rest = to_eight(header.names_bytes) + to_eight(header.stream_bytes) + to_eight(header.packet_bytes);
  if (sizeof header + rows + rest != view.patterns.size()) return "is not as long as its parts";
  return {};
}

Sentence check_inspections(const View& view) {
  if (view.inspections.size() > inspections_max) return "is too long";
  const u32 sets = patterns_of(view).sets;
  for (const Inspection& one : view.inspections) {
    if (!fits(one.name, view) || !fits(one.file, view)) return "names text outside the strings";
    if (one.first_bytes == 0 || one.first_bytes > inspect_first_max) return "reads too much, or nothing";
    if (!only_below(one.sets, sets)) return "looks for a set that is not there";
    if (one.max_quarantined > reserve_whole) return "may cut off more than every host";
    if (one.ways == 0 || one.ways > inspect_both) return "looks at no direction, or one that does not exist";
    if (one.tensors > 1) return "has a flag that is neither 0 nor 1";
    if (!is_word(one.on_match, OnMatch::quarantine) || !is_word(one.opaque, Opaque::deny) ||
        !is_word(one.busy, Busy::deny))
      return "has a word that does not exist";
    if (one.zero != 0) return "has a reserved field that is not zero";
  }
  return {};
}

Sentence check_looks(View& view) {
  if (view.looks.size() != view.rules.size()) return "does not have one element for each rule";
  for (u64 index = 0; index < view.looks.size(); ++index) {
    const Look& one = view.looks[index];
    if ((one.zero[0] | one.zero[1]) != 0) return "has a reserved field that is not zero";
    if (!only_below(one.inspections, view.inspections.size())) return "asks for an inspection that is not there";
    if (one.protocols >> spoken_protocols != 0) return "names a protocol that does not exist";
    if (one.dns > view.dns_terms.size()) return "has terms of DNS that are not there";
    if (!is_word(one.icmp_payload, IcmpPayload::deny) || one.scrub > 1) return "has a word that does not exist";
    if (view.rules[index].is_forbid && !one.is_empty()) return "looks at what a forbid opens";
    view.has_looks |= !one.is_empty();
    view.looks_by_packet |= one.is_by_packet();
  }
  return {};
}

Sentence check_dns_terms(const View& view) {
  if (view.dns_terms.size() > dns_terms_max) return "is too long";
  for (const DnsTerms& one : view.dns_terms) {
    if (!fits(one.name, view) || !fits(one.file, view)) return "names text outside the strings";
    if (one.queries.interval > rate_interval_max || one.queries.tolerance > rate_tolerance_max)
      return "has a rate that cannot be kept";
    if (one.window_s > dns_window_s_max) return "has a window out of bounds";
    if ((one.information_bytes_max | one.domains_max) != 0 && one.window_s == 0)
      return "bounds information without a window";
  }
  return {};
}

}  // namespace

std::string_view check_inspect(View& view, Section section) {
  switch (section) {
    case Section::inspections: return check_inspections(view);
    case Section::looks: return check_looks(view);
    case Section::patterns: return check_patterns(view);
    case Section::dns_terms: return check_dns_terms(view);
    default: return {};
  }
}

}  // namespace weir::image
