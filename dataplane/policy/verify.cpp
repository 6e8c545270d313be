// Complete verification of an image: first the frame (header, table of sections), then the checksum, then every index
// of every section against what it points into. Only then is there a Policy.
//
// Each check returns the sentence that says what does not hold, or an empty one.
#include "dataplane/policy/verify.hpp"

#include "dataplane/base/machine.hpp"
#include "dataplane/policy/check_charges.hpp"
#include "dataplane/policy/check_inspect.hpp"
#include "dataplane/policy/check_rdma.hpp"
#include "dataplane/policy/check_tracking.hpp"
#include "dataplane/policy/walk.hpp"

namespace weir {

namespace {

using namespace image;
using Sentence = std::string_view;

Sentence unless(bool holds, Sentence wrong) { return holds ? Sentence{} : wrong; }

constexpr Sentence matrix_only = "stands in an image of a matrix";

constexpr std::string_view section_names[] = {
#define WEIR_SECTION(identifier, element, sentence) #identifier,
    WEIR_IMAGE_SECTIONS(WEIR_SECTION)
#undef WEIR_SECTION
};

Sentence check_header(std::span<const std::byte> bytes) {
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment_bytes != 0) return "is not aligned to 64 bytes";
  if (bytes.size() < sections_end) return "is shorter than a header and a table of sections";
  if (bytes.size() > image_bytes_max) return "is longer than an image may be";
  const auto& header = *reinterpret_cast<const Header*>(bytes.data());
  if (header.magic != magic) return "is not a policy image";
  if (header.version != version) return "has a version that this program does not read";
  if (header.total_bytes != bytes.size() || bytes.size() % alignment_bytes != 0) return "is cut short or has a tail";
  if (header.sections_count != sections_count) return "has the wrong number of sections";
  if (header.checksum != checksum_of(bytes.subspan(checksummed_from))) return "has been damaged: wrong checksum";
  for (const u64 word : header.reserved)
    if (word != 0) return "has reserved fields that are not zero";
  return {};
}

bool all_zero(std::span<const std::byte> bytes) {
  std::byte any{0};
  for (const std::byte byte : bytes) any |= byte;
  return any == std::byte{0};
}

// Reads the table of sections. `end` is where the previous section ended.
Sentence check_section(std::span<const std::byte> bytes, u32 id, u32 element_bytes, u64& end, SectionEntry& entry) {
  entry = load<SectionEntry>(bytes.data() + sizeof(Header) + id * sizeof(SectionEntry));
  if (entry.id != id || entry.element_bytes != element_bytes) return "does not stand where it belongs";
  if (entry.offset != aligned(end)) return "overlaps another section, leaves a gap or is not aligned";
  if (entry.offset > bytes.size() || entry.count > (bytes.size() - entry.offset) / element_bytes)
    return "reaches over the end of the image";
  if (!all_zero(bytes.subspan(end, entry.offset - end))) return "is preceded by padding that is not zero";
  end = entry.offset + entry.count * element_bytes;
  return {};
}

template <class Element>
std::span<const Element> elements(std::span<const std::byte> bytes, const SectionEntry& entry) {
  return {reinterpret_cast<const Element*>(bytes.data() + entry.offset), entry.count};
}

bool fits(Text text, const View& view) { return u64{text.offset} + text.bytes <= view.strings.size(); }

template <class Index>
bool all_below(std::span<const Index> values, u64 limit) {
  u64 highest = 0;
  for (const Index value : values) highest = value > highest ? value : highest;
  return values.empty() || highest < limit;
}

Sentence check_meta(View& view) {
  if (view.meta.size() != 1) return "is not exactly one element";
  const Meta& meta = view.meta[0];
  if (!fits(meta.name, view)) return "names text outside the strings";
  if (meta.link > (link_arp | link_nd | link_ra | link_dhcp)) return "has [link] bits that do not exist";
  if (meta.form != Form::matrix && meta.form != Form::vectors) return "has an unknown decision form";
  if (meta.atoms_count == 0 || meta.atoms_count >= node_flag) return "counts no atoms or too many";
  if (meta.source_zones_count == 0 || meta.source_zones_count > zones_max) return "counts no zones or too many";
  if (meta.target_zones_count == 0 || meta.target_zones_count > zones_max) return "counts no zones or too many";
  if (meta.services_count == 0 || meta.services_count > services_max) return "counts no services or too many";
  if (meta.words_count > (meta.form == Form::matrix ? 0 : groups_max * group_words)) return "counts too many words";
  if (meta.charge_services_count == 0 || meta.charge_services_count > services_max)
    return "counts no services of charges or too many";
  if (meta.instances == 0) return "is of no instance";
  view.atoms_count = meta.atoms_count;
  view.target_zones_count = meta.target_zones_count;
  view.services_count = meta.services_count;
  view.charge_services_count = meta.charge_services_count;
  view.words_count = meta.words_count;
  view.groups_count = (meta.words_count + group_words - 1) / group_words;
  view.chunks_count = (meta.words_count + chunk_words_count - 1) / chunk_words_count;
  view.ipv4_root_bits = meta.ipv4_root_bits;
  view.ipv6_root_bits = meta.ipv6_root_bits;
  view.form = meta.form;
  return {};
}

// Nodes are numbered as the root names them.
Sentence check_root(std::span<const u32> root, u32 root_bits, u32 address_bits, u32 atoms, u32& nodes) {
  if (root_bits == 0 || root_bits > 20 || (address_bits - root_bits) % stride_bits != 0)
    return "has a root width that strides do not divide";
  if (root.size() != u64{1} << root_bits) return "does not have one entry for each value of the root bits";
  nodes = 0;
  for (const u32 entry : root)
    if (entry & node_flag ? (entry & ~node_flag) != nodes++ : entry >= atoms) return "leads outside nodes or atoms";
  return {};
}

// Nodes and leaves are numbered breadth first without a gap, so that every node has one parent and a known depth; those
// of the last depth, where the address ends, have no children.
Sentence check_nodes(std::span<const TrieNode> nodes, u64 leaves, u32 from_root, u32 levels) {
  u64 next_node = from_root, next_leaf = 0, level_end = from_root;
  if (from_root > nodes.size()) return "has fewer nodes than the root names";
  for (u64 index = 0; index < nodes.size(); ++index) {
    if (index == level_end) {
      level_end = next_node;
      --levels;
    }
    const TrieNode& node = nodes[index];
    if (node.children & node.leaf_starts) return "has a slot that is both child and leaf";
    if (node.children != 0 && (levels <= 1 || node.child_base != next_node)) return "has children in the wrong place";
    next_node += static_cast<u32>(std::popcount(node.children));
    if (next_node <= index) return "has a node that nothing leads to";
    if (~node.children == 0) continue;
    if (!(node.leaf_starts >> std::countr_one(node.children) & 1)) return "has a slot before its first leaf";
    if (node.leaf_base != next_leaf) return "has leaves in the wrong place";
    next_leaf += static_cast<u32>(std::popcount(node.leaf_starts));
  }
  return unless(next_node == nodes.size() && next_leaf == leaves, "does not lead to every node and leaf");
}

// Ports, at least the one for those that nobody named; then networks, at least the one for those that nobody bound.
Sentence check_networks(View& view) {
  const auto classes = view.port_classes;
  u32 ports = 0;
  for (; ports < classes.size() && classes[ports].kind < ClassKind::network; ++ports)
    if (classes[ports].network != 0) return "gives a port the number of a network";
  if (ports == 0 || ports > port_classes_max || ports == classes.size())
    return "lacks ports or networks, or has too many";
  for (u64 index = ports; index < classes.size(); ++index) {
    const PortClass& entry = classes[index];
    if (entry.kind != ClassKind::network) return "has a port behind a network, or a kind that does not exist";
    if (entry.pattern.bytes != 0 || entry.macs_count != 0) return "gives a network what only ports have";
    if (index == ports ? entry.network != network_unbound || entry.segments_count != 0 : entry.network > network_max)
      return "has a network whose number cannot be";
    if (index > ports + 1 && entry.network <= classes[index - 1].network) return "has networks that do not ascend";
  }
  view.port_classes_count = ports;
  return {};
}

Sentence check_port_classes(View& view) {
  const u64 source_rows = view.source_zones.size() / view.atoms_count;
  const u64 target_rows = view.target_zones.size() / view.atoms_count;
  if (view.port_classes.size() > port_classes_max + networks_max + 1) return "is too long";
  for (const PortClass& entry : view.port_classes) {
    if (!fits(entry.pattern, view)) return "names text outside the strings";
    if (entry.source_row >= source_rows || entry.target_row >= target_rows) return "leads to a row that is not there";
    if (u64{entry.segments_first} + entry.segments_count > view.class_segments.size())
      return "has segments outside class_segments";
    if (u64{entry.macs_first} + entry.macs_count > view.macs.size()) return "has addresses outside macs";
  }
  if (const Sentence wrong = check_networks(view); !wrong.empty()) return wrong;
  const PortClass& unattached = view.port_classes[0];
  if (unattached.pattern.bytes != 0 || unattached.segments_count != 0 || unattached.macs_count != 0)
    return "gives rights to ports that nobody named";
  return {};
}

Sentence check_source_zones(const View& view) {
  if (view.source_zones.size() % view.atoms_count != 0) return "does not hold whole rows";
  const u32 zones = view.meta[0].source_zones_count;
  for (const u16 zone : view.source_zones)
    if (zone >= zones && zone != zone_spoofed) return "names a zone that is not there";
  return {};
}

Sentence check_target_zones(const View& view) {
  if (view.target_zones.size() % view.atoms_count != 0) return "does not hold whole rows";
  return unless(all_below(view.target_zones, view.target_zones_count), "names a zone that is not there");
}

Sentence check_service_pages(const View& view) {
  if (view.service_pages.size() != service_fields_count * 256) return "does not have 256 pages for each field";
  if (view.service_atoms.size() % service_page_entries != 0) return "leads to pages that are not whole";
  return unless(all_below(view.service_pages, view.service_atoms.size() / service_page_entries),
                "leads to a page that is not there");
}

Sentence check_matrix_rows(const View& view) {
  if (view.form != Form::matrix) return unless(view.matrix_rows.empty(), "stands in an image of vectors");
  if (view.matrix_rows.size() != u64{view.meta[0].source_zones_count} * view.target_zones_count)
    return "does not have one row for each pair of zones";
  if (view.matrix_cells.size() % view.services_count != 0) return "leads to rows that are not whole";
  return unless(all_below(view.matrix_rows, view.matrix_cells.size() / view.services_count),
                "leads to a row that is not there");
}

Sentence check_matrix_cells(const View& view) {
  if (view.form != Form::matrix && !view.matrix_cells.empty()) return "stands in an image of vectors";
  return unless(all_below(view.matrix_cells, view.decisions.size()), "names a decision that is not there");
}

// In an image of a matrix the sections of vectors are empty: their counts are multiples of none.
u64 of_vectors(const View& view, u64 count) { return view.form == Form::vectors ? count : 0; }

Sentence check_lists(const View& view, std::span<const RuleList> lists, u64 zones) {
  if (lists.size() != of_vectors(view, zones)) return "does not have one list for each zone";
  for (const RuleList& list : lists)
    if (list.first + 2 * u64{list.pairs} > view.list_words.size()) return "has words outside list_words";
  return {};
}

Sentence check_list_words(const View& view) {
  for (const ListWord& word : view.list_words) {
    if (word.word >= view.words_count) return "names a word that is not there";
    if (word.zero != 0) return "has a reserved field that is not zero";
  }
  return {};
}

Sentence check_groups(const View& view, std::span<const RuleGroup> groups, u64 zones) {
  if (groups.size() != of_vectors(view, zones * view.groups_count)) return "does not have its groups for each zone";
  const u64 last_words = view.words_count % group_words;
  const u64 beyond = last_words == 0 ? 0 : ~u64{0} << last_words;
  for (u64 index = 0; index < groups.size(); ++index) {
    const RuleGroup& group = groups[index];
    if ((index + 1) % view.groups_count == 0 && (group.summary & beyond) != 0) return "names a word that is not there";
    if (group.zero != 0) return "has a reserved field that is not zero";
    if (group.base == 0 || u64{group.base} + static_cast<u32>(std::popcount(group.summary)) > view.rule_words.size())
      return "has words outside rule_words";
  }
  return {};
}

Sentence check_rule_words(const View& view) {
  if (view.form == Form::matrix) return unless(view.rule_words.empty(), matrix_only);
  return unless(!view.rule_words.empty() && view.rule_words[0] == 0, "does not begin with an empty word");
}

Sentence check_service_chunks(const View& view) {
  const u64 chunks = u64{view.services_count} * view.chunks_count;
  if (view.service_chunks.size() != of_vectors(view, chunks)) return "does not have its chunks for each service";
  if (view.chunk_words.size() % chunk_words_count != 0) return "leads to chunks that are not whole";
  return unless(all_below(view.service_chunks, view.chunk_words.size() / chunk_words_count),
                "leads to a chunk that is not there");
}

Sentence check_bit_rules(const View& view) {
  if (view.bit_rules.size() != 64 * u64{view.words_count}) return "does not have 64 bits for each word";
  for (u64 bit = 1; bit < view.bit_rules.size(); ++bit)
    if (bit % 64 != 0 && view.bit_rules[bit] < view.bit_rules[bit - 1]) return "does not ascend within a word";
  return unless(all_below(view.bit_rules, view.rules.size()), "names a rule that is not there");
}

Sentence check_decisions(const View& view) {
  if (view.decisions.size() <= view.rules.size()) return "does not have one decision for each rule";
  if (view.decisions.size() > u64{decisions_max} + 1) return "is too long";
  const Decision& nothing = view.decisions[0];
  if (nothing.rule != no_rule || nothing.allow || nothing.next || nothing.expires != ~u64{0})
    return "does not begin with the default, deny";
  for (u64 index = 1; index < view.decisions.size(); ++index) {
    const Decision& decision = view.decisions[index];
    if (decision.rule >= view.rules.size()) return "names a rule that is not there";
    if (index <= view.rules.size() && decision.rule != index - 1) return "is not in the order of the rules";
    if (decision.next >= index) return "has a chain that does not go down";
    if (decision.allow > 1 || decision.allow == view.rules[decision.rule].is_forbid) return "contradicts its rule";
    if (decision.log > static_cast<u8>(Log::all)) return "has a log setting that does not exist";
    if (decision.zero != 0) return "has a reserved field that is not zero";
    if (decision.syn_proxy && !decision.allow) return "proxies the handshakes of a forbid";
    if (decision.reject && decision.allow) return "rejects what an allow denies";
    if (!decision.allow && decision.expires != ~u64{0}) return "lets a forbid expire";
  }
  const u32 flags = nothing.log | nothing.zero | nothing.syn_proxy | nothing.reject;
  return unless(flags == 0, "does not begin with the default, deny");
}

Sentence check_expiries(const View& view) {
  for (u64 index = 1; index < view.expiries.size(); ++index)
    if (view.expiries[index] <= view.expiries[index - 1]) return "is not ascending";
  return {};
}

Sentence check_rules(View& view) {
  if (view.rules.size() >= decisions_max) return "is too long";
  for (u64 index = 0; index < view.rules.size(); ++index) {
    const Rule& rule = view.rules[index];
    if (!fits(rule.name, view) || !fits(rule.file, view)) return "names text outside the strings";
    if (rule.is_forbid > 1) return "has a flag that is neither 0 nor 1";
    view.forbids_count += rule.is_forbid;
    if (index > 0 && rule.is_forbid > view.rules[index - 1].is_forbid) return "has an allow before a forbid";
  }
  return {};
}

Sentence check_segments(const View& view) {
  if (view.segments.size() >= no_segment) return "is too long";
  for (const Segment& segment : view.segments) {
    if (!fits(segment.name, view)) return "names text outside the strings";
    if (segment.has_addresses > 1 || segment.is_bound > 1) return "has a flag that is neither 0 nor 1";
  }
  return {};
}

Sentence check_atom_starts(const View& view) {
  if (view.atom_starts.size() != u64{view.atoms_count} + 1) return "does not have one start for each atom";
  for (u64 atom = 0; atom < view.atoms_count; ++atom)
    if (view.atom_starts[atom + 1] < view.atom_starts[atom]) return "is not ascending";
  return unless(view.atom_starts.back() == view.atom_segments.size(), "does not end where atom_segments ends");
}

// Every section by name; those whose contents are free have no check. `nodes_of_root` goes from a root to its nodes.
Sentence check_contents(View& view, Section section, u32& nodes_of_root) {
  switch (section) {
    case Section::ipv4_root:
      return check_root(view.ipv4_root, view.ipv4_root_bits, 32, view.atoms_count, nodes_of_root);
    case Section::ipv4_nodes:
      return check_nodes(view.ipv4_nodes, view.ipv4_leaves.size(), nodes_of_root, (32 - view.ipv4_root_bits) / 6);
    case Section::ipv6_root:
      return check_root(view.ipv6_root, view.ipv6_root_bits, 128, view.atoms_count, nodes_of_root);
    case Section::ipv6_nodes:
      return check_nodes(view.ipv6_nodes, view.ipv6_leaves.size(), nodes_of_root, (128 - view.ipv6_root_bits) / 6);
    case Section::ipv4_leaves: return unless(all_below(view.ipv4_leaves, view.atoms_count), "names no atom");
    case Section::ipv6_leaves: return unless(all_below(view.ipv6_leaves, view.atoms_count), "names no atom");
    case Section::port_classes: return check_port_classes(view);
    case Section::source_zones: return check_source_zones(view);
    case Section::target_zones: return check_target_zones(view);
    case Section::source_facts:
      return check_zone_facts(view.source_facts, view.meta[0].source_zones_count, 1, view);
    case Section::target_facts: return check_zone_facts(view.target_facts, view.target_zones_count, 0, view);
    case Section::tracking: return check_tracking(view);
    case Section::service_pages: return check_service_pages(view);
    case Section::service_atoms:
      return unless(all_below(view.service_atoms, view.services_count), "names a service that is not there");
    case Section::matrix_rows: return check_matrix_rows(view);
    case Section::matrix_cells: return check_matrix_cells(view);
    case Section::target_groups: return check_groups(view, view.target_groups, view.target_zones_count);
    case Section::source_lists: return check_lists(view, view.source_lists, view.meta[0].source_zones_count);
    case Section::list_words: return check_list_words(view);
    case Section::source_groups: return check_groups(view, view.source_groups, view.meta[0].source_zones_count);
    case Section::rule_words: return check_rule_words(view);
    case Section::always_words: return unless(view.always_words.size() == view.words_count, "is not one for each word");
    case Section::always_summaries:
      return unless(view.always_summaries.size() == view.groups_count, "is not one for each group");
    case Section::service_chunks: return check_service_chunks(view);
    case Section::chunk_words: return unless(view.form == Form::vectors || view.chunk_words.empty(), matrix_only);
    case Section::bit_rules: return check_bit_rules(view);
    case Section::decisions: return check_decisions(view);
    case Section::expiries: return check_expiries(view);
    case Section::rules: return check_rules(view);
    case Section::segments: return check_segments(view);
    case Section::atom_starts: return check_atom_starts(view);
    case Section::atom_segments:
    case Section::class_segments:
      return unless(all_below(section == Section::atom_segments ? view.atom_segments : view.class_segments,
                              view.segments.size()), "names a segment that is not there");
    default: break;
  }
  if (const Sentence wrong = check_rdma(view, section); !wrong.empty()) return wrong;
  if (const Sentence wrong = check_inspect(view, section); !wrong.empty()) return wrong;
  return check_charges(view, section);
}

}  // namespace

std::expected<Policy, ImageError> verify(std::span<const std::byte> bytes) {
  if (const Sentence wrong = check_header(bytes); !wrong.empty()) return std::unexpected(ImageError{"image", wrong});
  View view;
  view.header = reinterpret_cast<const Header*>(bytes.data());
  u64 end = sections_end;
  SectionEntry entry;
#define WEIR_SECTION(identifier, element, sentence)                                                                    \
  if (const Sentence wrong = check_section(bytes, static_cast<u32>(Section::identifier), sizeof(element), end, entry); \
      !wrong.empty())                                                                                                  \
    return std::unexpected(ImageError{#identifier, wrong});                                                            \
  view.identifier = elements<element>(bytes, entry);
  WEIR_IMAGE_SECTIONS(WEIR_SECTION)
#undef WEIR_SECTION
  if (aligned(end) != bytes.size() || !all_zero(bytes.subspan(end)))
    return std::unexpected(ImageError{"image", "has something behind its last section"});
  if (const Sentence wrong = check_meta(view); !wrong.empty()) return std::unexpected(ImageError{"meta", wrong});
  u32 nodes_of_root = 0;
  for (u32 section = 0; section < sections_count; ++section)
    if (const Sentence wrong = check_contents(view, static_cast<Section>(section), nodes_of_root); !wrong.empty())
      return std::unexpected(ImageError{section_names[section], wrong});
  for (const Section section : {Section::port_classes, Section::source_facts})
    if (const Sentence wrong = check_zone_charges(view, section); !wrong.empty())
      return std::unexpected(ImageError{section_names[static_cast<u32>(section)], wrong});
  return Policy(view, machine_has_vectors_512());
}

}  // namespace weir
