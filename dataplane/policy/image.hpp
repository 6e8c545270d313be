// The shape of a policy image: one header, one table of sections, and the sections, all in native (little-endian)
// integers and offsets, never pointers. It says what stands where; verify() says what must hold, docs/image.md what it
// means. An image is local to a machine: what travels between machines is the rule source.
//
// Invariants: every section starts on 64 bytes, in the order of WEIR_IMAGE_SECTIONS, without overlap, gaps are zero,
// the image ends with the last section padded to 64 bytes. Threads: read-only once verified.
#pragma once
#include "dataplane/base/bytes.hpp"
#include "dataplane/base/rate.hpp"
#include "dataplane/policy/image_inspect.hpp"

#include <span>
#include <type_traits>

namespace weir::image {

using weir::u16, weir::u32, weir::u64, weir::u8, weir::Rate;  // so that image::element names every element below

inline constexpr u64 magic = 0x31'47'4d'49'52'49'45'57;  // "WEIRIMG1"
inline constexpr u32 version = 8;
inline constexpr u64 alignment_bytes = 64;

struct Header {
  u64 magic;
  u32 version;
  u32 sections_count;
  u64 total_bytes;
  u64 checksum;    // checksum_of() everything after this field
  u64 generation;
  u64 reserved[3]; // zero
};
static_assert(sizeof(Header) == 64);
inline constexpr u64 checksummed_from = 32;

struct SectionEntry {
  u32 id;             // its place in the table
  u32 element_bytes;
  u64 offset;
  u64 count;          // elements
};

enum class Form : u32 {
  matrix = 0,   // (source zone, target zone) -> row; (row, service) -> decision
  vectors = 1,  // per field value a sparse set of rules; the lowest common rule decides
};

inline constexpr u32 link_arp = 1, link_nd = 2, link_ra = 4, link_dhcp = 8;

struct Meta {
  Text name;
  u32 link;               // link_* bits
  Form form;
  u32 atoms_count;        // pieces of the address space; 0 is what nobody named
  u32 source_zones_count, target_zones_count;
  u32 services_count;
  u32 words_count;        // Form::vectors: words of a rule set
  u32 ipv4_root_bits, ipv6_root_bits;
  u32 charge_services_count;  // services that some budget or limit tells apart
  u32 instances;              // enforcement points that share every budget; amounts are those of one
  u32 link_kib_a_day;         // of each kind of [link], per port
  u64 monitor_until;          // the first Tick at which a forbid denies; 0: always
};

// Longest-prefix structure (the construction of "Poptrie", Asai and Ohara 2015): a direct root, then 64-way nodes.
// Root entry: an atom, or node_flag | node. In a node, slot s with its bit in `children` leads to node child_base +
// rank of s among the children; any other slot to leaf leaf_base + rank - 1, counting bits of `leaf_starts` up to s.
struct TrieNode {
  u64 children;
  u64 leaf_starts;
  u32 child_base;  // above the node's own index: no cycles
  u32 leaf_base;
};
inline constexpr u32 node_flag = u32{1} << 31;
inline constexpr u32 stride_bits = 6;

// Ports with the same rights, then networks. Class 0 is every port that nobody named. A network is the inside of a
// tunnel with a number: the first is every one that no segment is bound to.
enum class ClassKind : u32 {
  name,
  prefix,
  network,
};
inline constexpr u32 network_unbound = ~u32{0};
inline constexpr u32 network_max = 0xff'ffff;

struct PortClass {
  Text pattern;  // without the star
  ClassKind kind;
  u32 network;  // its number, or network_unbound; 0 for ports
  u32 source_row, target_row;  // of source_zones and target_zones
  u32 segments_first, segments_count;  // of class_segments: those attached, or bound, to it
  u32 macs_first, macs_count;
  u32 charge;  // as the source of frames without an address: an index of charge_sources
};

inline constexpr u16 zone_spoofed = 0xffff;

// Which table of service atoms a packet is looked up in, and by what number.
enum class ServiceField : u32 {
  tcp,
  udp,
  sctp,  // target port
  icmp4,
  icmp6,  // type << 8 | code
  protocol,  // the IP protocol number, every other protocol
  rdma,      // connection-manager port; 0: a queue pair that needs none
};
inline constexpr u32 service_fields_count = 7;
inline constexpr u32 service_page_entries = 256;

// Rule sets (Form::vectors) are bit sets; bit_rules says which rule a bit stands for. Rules for every target have words
// of their own: a rule of a source and a target is in the groups of both, or in the source's list.
struct RuleList {
  u32 first;  // of list_words
  u32 pairs;  // elements / 2; the last may be empty
};
struct ListWord {
  u64 bits;
  u32 word;
  u32 zero;
};
// Up to 64 words of a set, those that are not zero one after another from rule_words[base].
struct RuleGroup {
  u64 summary;  // bit w: word w of this group is not zero
  u32 base;     // above 0
  u32 zero;
};
inline constexpr u32 group_words = 64;
inline constexpr u32 groups_max = 32;
inline constexpr u32 chunk_words_count = 8;

struct Decision {
  u64 expires;  // first Tick at which it does not hold; all ones: never
  u32 rule;  // no_rule for decision 0
  u16 next;  // what decides once this has expired; below the own index, 0 for nothing. Form::matrix only
  u8 allow;
  u8 log : 2;
  u8 syn_proxy : 1;  // an allow: its handshakes are answered before the target hears of them
  u8 reject : 1;     // a forbid: what it denies is answered with a reset or an unreachable
  u8 zero : 4;
};
static_assert(sizeof(Decision) == 16);

struct Rule {
  Text name, file;
  u32 line;
  u32 is_forbid;
};

struct Segment {
  Text name;
  u32 has_addresses;
  u32 is_bound;  // to networks: outside them no address is in it
};

struct Mac {
  u8 bytes[6];
  u8 zero[2];
};

// [state], [flood] and the reserves: how flows are kept, whatever is decided about them. Every field has a value, also
// where the policy says nothing. The key of a field (control/check/keys.cpp) says `enforced` once the engine obeys it.
inline constexpr u32 timeout_slots = 32;    // by Timeout; those that no Timeout names are 0
inline constexpr u32 reserve_classes = 16;  // class 0 has no reserve
inline constexpr u16 reserve_whole = 10'000;
inline constexpr u32 sweep_ms_min = 100, sweep_ms_max = 600'000;
inline constexpr u32 scan_window_ms_min = 1'000, scan_window_ms_max = 3'600'000;
inline constexpr u32 scan_block_ms_max = 86'400'000;
inline constexpr u32 scan_count_max = 400;  // what the 128 bits of a sketch still tell apart
struct Tracking {
  Rate new_per_source, new_per_target, icmp, reject;
  u32 half_open, half_open_per_target, udp;          // ceilings; 0: none
  u32 scan_ports, scan_hosts;                        // 0: not looked for
  u32 scan_window_ms, scan_block_ms;                 // block 0: counted only
  u32 sweep_ms;
  u32 timeout_ms[timeout_slots];
  u16 reserve_share[reserve_classes];    // of reserve_whole; together at most that
  u16 reserve_segment[reserve_classes];  // whose it is, no_segment where there is none
  u8 profile;    // Profile
  u8 pick_up;    // 1: a flow may begin in the middle
  u8 checksums;  // Checksums
  u8 fragments;  // Fragments
  u8 syn_proxy;  // SynProxy
  u8 zero[3];
};
static_assert(sizeof(Tracking) == 296);

// What more is known of a source or target zone.
struct ZoneFacts {
  u8 reserve;  // class; 0: none
  u8 reject;   // sources only: what is denied to them is answered
  u16 charge;  // what it is to budgets and limits: as a source an index of charge_sources; as a target a number there
  u32 zero;
  u64 assets;  // bit a: it holds asset a (of more than 64, one whose number has these lowest six bits)
  u64 jobs;    // bit j: it is a member of job j
};

// What counts and limits a packet: charges.hpp has the lookup, docs/image.md the meaning.
inline constexpr u32 charge_nowhere = 0;  // the target that is in no segment
struct ChargeSource {
  u32 first, count;  // of charge_targets, ascending by target
  u32 otherwise;     // the row for every other target
};
struct ChargeTarget {
  u32 target;
  u32 row;  // of charge_rows
};
struct Charge {
  u32 accounts_first, accounts_count;  // of charge_accounts: what bytes that go this way draw on
  u32 limits_first, limits_count;      // of charge_limits: what connections that are dialled this way meet
};
struct ChargeAccount {
  u32 account;
  u32 reserves;  // bit r: this traffic may use reserve r of the account's budget
};

enum class Exceed : u8 { deny, throttle, alert };
enum class Scope : u8 { fleet, segment, host };
enum class Count : u8 { wire, payload };
struct Budget {
  Text name, file;
  u32 line;
  u32 windows_first, windows_count;
  u32 reserves_first, reserves_count;
  u32 accounts_first, accounts_count;
  u32 targets_first, targets_count;    // of covers
  u32 services_first, services_count;  // of covers
  u32 max_share;                       // of every window, of reserve_whole; 0: none
  u32 surcharge;                       // bytes a packet, with Count::payload
  Count count;
  Exceed on_exceed;
  Scope scope;
  u8 opens_empty;
  u64 throttle_bits_per_s;  // with Exceed::throttle
  u64 monitor_until;        // the first Tick at which it denies; 0: always
  u64 alerts[2];            // bit p: tell at p per cent
};
static_assert(sizeof(Budget) == 104);
struct Window {
  u64 bytes;
  u32 length_s;  // 0: a lifetime
  u32 zero;
};
struct Reserve {
  Text name;  // of the segment or the service that has it
  u32 share;  // of reserve_whole
  u32 zero;
};
// One counter of a budget, or one for each host of a segment.
struct Account {
  u32 budget;
  u32 segment;  // no_segment: of the whole fleet
  u32 hosts;    // Scope::host: as many accounts there can be; else 0
  u32 sources_first, sources_count;  // of covers
};
// A range of what a budget covers, in numbers of 128 bits. Names of ports are the first 16 bytes, left-justified. A
// place is a port and an address or network: what is known by one alone has every one of the other.
enum class CoverKind : u32 { port, ipv4, ipv6, network, tcp, udp, sctp, icmp4, icmp6, protocol, rdma, other };
inline constexpr u32 cover_kinds_count = 12;
inline constexpr u32 cover_ranges_max = 256;  // of one side; beyond that the nearest are joined
struct Cover {
  u64 first_high, first_low, last_high, last_low;
  CoverKind kind;
  u32 zero;
};
struct Limit {
  Text name, file;
  u32 line;
  u32 connections;  // at once; 0: no limit
  u64 rate_bits_per_s, burst_bytes;  // 0: no limit
  Rate packets, new_connections;
  u64 monitor_until;
  u32 per;  // control::Limit::Per: rule, source, target, pair
  u32 zero;
};

// X(identifier, element, sentence)
#define WEIR_IMAGE_SECTIONS(X)                                                                            \
  X(meta, Meta, "counts, the decision form and [link]; one element")                                                \
  X(ipv4_root, u32, "IPv4: atom or node by the first root bits of an address")                                      \
  X(ipv4_nodes, TrieNode, "IPv4: nodes of 64 slots")                                                                \
  X(ipv4_leaves, u32, "IPv4: atoms of the slots that are not nodes, runs stored once")                              \
  X(ipv6_root, u32, "IPv6: atom or node by the first root bits of an address")                                      \
  X(ipv6_nodes, TrieNode, "IPv6: nodes of 64 slots")                                                                \
  X(ipv6_leaves, u32, "IPv6: atoms of the slots that are not nodes, runs stored once")                              \
  X(port_classes, PortClass, "which port names belong together, what they may be; networks, ascending")             \
  X(source_zones, u16, "rows of one source zone (or spoofed) per atom; each port class has one row")                \
  X(target_zones, u16, "rows of one target zone per atom; each port class has one row")                             \
  X(service_pages, u16, "per service field 256 page numbers, by the high byte")                                     \
  X(service_atoms, u16, "pages of 256 services, by the low byte")                                                   \
  X(matrix_rows, u16, "matrix: row number by source zone and target zone")                                          \
  X(matrix_cells, u16, "matrix: decision by row and service")                                                       \
  X(target_groups, RuleGroup, "vectors: by target zone and group of words, the rules whose `to` names it")          \
  X(source_lists, RuleList, "vectors: by source zone, its rules that have no `to`")                                 \
  X(list_words, ListWord, "vectors: words of those lists")                                                          \
  X(source_groups, RuleGroup, "vectors: by source zone and group of words, the rules whose `from` names it")        \
  X(rule_words, u64, "vectors: words of those groups; the first is 0")                                              \
  X(always_words, u64, "vectors: by word, the rules that have no `from`")                                           \
  X(always_summaries, u64, "vectors: by group, which words of always_words are not zero")                           \
  X(service_chunks, u32, "vectors: by service and 8 words, a chunk")                                                \
  X(chunk_words, u64, "vectors: by chunk, 8 words of the rules whose `with` has a service")                         \
  X(bit_rules, u16, "vectors: by bit its rule, ascending in a word; neighbours share targets")                      \
  X(decisions, Decision, "what a packet gets; 0 is the default, deny; 1 + r is rule r")                             \
  X(expiries, u64, "the distinct ticks at which a decision expires, ascending")                                     \
  X(rules, Rule, "forbids, then allows, each from the most specific to the widest")                                 \
  X(segments, Segment, "segments and lists, by name")                                                               \
  X(atom_starts, u32, "by atom, and one more: where its segments start in atom_segments")                           \
  X(atom_segments, u16, "the segments that contain an atom, narrowest first")                                       \
  X(class_segments, u16, "the segments attached to a port class or bound to a network, ascending")                  \
  X(macs, Mac, "the source addresses that a port class may use, ascending")                                         \
  X(source_facts, ZoneFacts, "by source zone: reserve, whether denials are answered, charge_sources, assets, jobs")    \
  X(target_facts, ZoneFacts, "by target zone: reserve, number in charge_targets, assets, jobs")                        \
  X(charge_services, u16, "by service: which budgets and limits name it; a column of charge_rows")                  \
  X(charge_sources, ChargeSource, "by source: its targets that budgets or limits single out")                       \
  X(charge_targets, ChargeTarget, "targets of a source, ascending")                                                 \
  X(charge_rows, u32, "charge by row and charge service")                                                           \
  X(charges, Charge, "what counts and limits one direction; 0 is nothing")                                          \
  X(charge_accounts, ChargeAccount, "the accounts of a charge, ascending")                                          \
  X(charge_limits, u32, "the limits of a charge, ascending")                                                        \
  X(budgets, Budget, "by name")                                                                                     \
  X(windows, Window, "of a budget: shortest first, a lifetime last")                                                \
  X(budget_reserves, Reserve, "of a budget: parts that only one segment or service may use")                        \
  X(accounts, Account, "of a budget: one, or one for each segment of `from`")                                       \
  X(covers, Cover, "ranges that budgets and accounts cover: by kind, ascending, disjoint")                          \
  X(limits, Limit, "by name")                                                                                       \
  X(tracking, Tracking, "[state], [flood] and reserves; one element")                                               \
  X(rdma_rules, RdmaRule, "by rule: what its queue pairs may do")                                                   \
  X(jobs, Job, "by name; bit j of a zone's jobs is job j")                                                          \
  X(static_pairs, StaticPair, "directions of declared queue pairs, ascending")                                      \
  X(rdma, RdmaSettings, "[rdma]; one element")                                                                      \
  X(inspections, Inspection, "by name; bit i of a look is inspection i")                                            \
  X(looks, Look, "by rule: what is looked at in what it opens")                                                     \
  X(patterns, u8, "signatures (dataplane/inspect/pattern_image.hpp); empty where no inspection has any")            \
  X(dns_terms, DnsTerms, "by name: what DNS may carry")                                                             \
  X(strings, u8, "names and file names, UTF-8")

enum class Section : u32 {
#define WEIR_SECTION(identifier, element, sentence) identifier,
  WEIR_IMAGE_SECTIONS(WEIR_SECTION)
#undef WEIR_SECTION
      count
};
#define WEIR_SECTION(identifier, element, sentence) \
  static_assert(std::has_unique_object_representations_v<element>, "no padding: the same rules give the same bytes");
WEIR_IMAGE_SECTIONS(WEIR_SECTION)
#undef WEIR_SECTION
inline constexpr u32 sections_count = static_cast<u32>(Section::count);
inline constexpr u64 sections_end = sizeof(Header) + sections_count * sizeof(SectionEntry);

constexpr u64 aligned(u64 bytes) { return (bytes + alignment_bytes - 1) / alignment_bytes * alignment_bytes; }

// Where the sections lie in one image.
struct View {
  const Header* header = nullptr;
#define WEIR_SECTION(identifier, element, sentence) std::span<const element> identifier;
  WEIR_IMAGE_SECTIONS(WEIR_SECTION)
#undef WEIR_SECTION
  u32 atoms_count = 0;  // copies of the meta fields that every judgement needs
  u32 target_zones_count = 0, services_count = 0;
  u32 charge_services_count = 0;
  u32 words_count = 0, groups_count = 0, chunks_count = 0;  // of one rule set
  u32 ipv4_root_bits = 0, ipv6_root_bits = 0;
  u32 port_classes_count = 0;    // port_classes from here on are networks
  u32 forbids_count = 0;         // the rules below this are forbids
  Form form = Form::matrix;
  bool has_looks = false;        // some look is not empty
  bool looks_by_packet = false;  // some look is_by_packet()
};

// 64 bits over bytes whose count is a multiple of 8 (checked by the caller). Each step is a bijection of the running
// state for a given word and of the word for a given state, and each lane's end enters the result by a bijection too:
// two inputs of equal length that differ in one aligned word never have the same checksum.
u64 checksum_of(std::span<const std::byte> bytes);

}  // namespace weir::image
