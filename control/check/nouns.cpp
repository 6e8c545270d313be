// Segments, lists, groups, services and ports. Segments and lists get their final index by sorting names, so that no
// index depends on the order of files.
#include "control/check/names.hpp"
#include "control/check/ports.hpp"
#include "control/check/resolver.hpp"
#include "control/check/values.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

constexpr std::string_view kind_names[] = {"segment", "group", "list"};
constexpr std::size_t list_faults_max = 10;
constexpr std::size_t group_levels_max = 64;

// A single text counts as a list of one.
template <class Use>
void each_text(const Node& node, Use use) {
  if (node.kind == NodeKind::string) use(node);
  for (const Node& item : node.items)
    if (item.kind == NodeKind::string) use(item);
}

void bad_prefix(std::string_view text, const Prefix& prefix, Span span, Diagnostics& out) {
  if (prefix.fault == PrefixFault::host_bits) {
    out.add("E0404", span, fmt::format("`{}` has bits set behind its prefix length", text), "not where a prefix begins")
        .helped(fmt::format("the prefix is \"{}\"", show(prefix)))
        .note(fmt::format("one address alone is written without a length: \"{}\"", text.substr(0, text.find('/'))));
  } else if (prefix.fault == PrefixFault::bad_length) {
    out.add("E0403", span, fmt::format("`{}` has no prefix length that fits it", text),
            prefix.is_ipv4 ? "an IPv4 length is 0 to 32" : "an IPv6 length is 0 to 128");
  } else {
    out.add("E0403", span, fmt::format("`{}` is not an address or a prefix", text), "not an address")
        .note(
            "an address is four numbers below 256 without leading zeros, or IPv6 as RFC 4291 writes it; names are "
            "not looked up")
        .helped("for example \"10.20.0.0/18\" or \"fd20:a::/48\"");
  }
}

bool parse_mac(std::string_view text, std::array<std::uint8_t, 6>& mac) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
  };
  if (text.size() != 17) return false;
  for (std::size_t i = 0; i < 6; ++i) {
    const int high = digit(text[3 * i]), low = digit(text[3 * i + 1]);
    if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':' && text[3 * i + 2] != '-')) return false;
    mac[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

// Whether some port's name fits both patterns.
bool patterns_meet(std::string_view a, std::string_view b) {
  const bool a_open = a.ends_with('*'), b_open = b.ends_with('*');
  const std::string_view a_stem = a.substr(0, a.size() - a_open), b_stem = b.substr(0, b.size() - b_open);
  return a_open && b_open ? a_stem.starts_with(b_stem) || b_stem.starts_with(a_stem)
         : a_open         ? b.starts_with(a_stem)
         : b_open         ? a.starts_with(b_stem)
                          : a == b;
}

template <class Range>
bool ranges_meet(const std::vector<Range>& a, const std::vector<Range>& b) {
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i].last < b[j].first) ++i;
    else if (b[j].last < a[i].first) ++j;
    else return true;
  }
  return false;
}

}  // namespace

std::vector<NamedTable> Resolver::tables(std::string_view kind) const {
  std::vector<NamedTable> found;
  for (const Document& document : loaded_.documents)
    if (const Entry* entry = document.tree.find(kind))
      for (const Entry& child : entry->value.entries)
        if (child.value.kind == NodeKind::table) found.push_back({document.file, &child});
  return found;
}

bool Resolver::claim_name(const std::string& name, NounKind kind, Span span) {
  const auto [at, fresh] = made_.names.nouns.try_emplace(name, Noun{kind, span, {}, false});
  if (fresh) return true;
  const auto& first = at->second;
  out_.add("E0203", span, fmt::format("the name `{}` is taken", name),
           fmt::format("a {} again", kind_names[static_cast<std::size_t>(kind)]))
      .with(first.span, fmt::format("first a {} here", kind_names[static_cast<std::size_t>(first.kind)]))
      .note("segments, groups and lists share one namespace");
  return false;
}

void Resolver::collect_nouns() {
  for (const NamedTable& table : tables("segment")) add_segment(table);
  for (const NamedTable& table : tables("list")) add_list(table);
  std::ranges::sort(segments_, {}, &Segment::name);
  for (std::uint32_t i = 0; i < segments_.size(); ++i) made_.names.nouns.find(segments_[i].name)->second.segments = {i};
  made_.model.segments = std::move(segments_);
  resolve_groups();
  for (const NamedTable& table : tables("port")) add_port_pin(table);
  std::ranges::sort(made_.model.ports, {}, &PortPin::name);
  add_services();
  check_shared_ports();
  for (const NamedTable& table : tables("asset")) add_asset(table);
  std::ranges::sort(made_.model.assets, {}, &Asset::name);
  check_pins_of_assets();
  for (const NamedTable& table : tables("job")) add_job(table);
  for (const NamedTable& table : tables("inspect")) add_inspection(table);
  for (const NamedTable& table : tables("dns")) add_dns_terms(table);
  std::ranges::sort(made_.model.jobs, {}, &Job::name);
}

AddressSet Resolver::addresses(const Node& node) {
  AddressSet set;
  each_text(node, [&](const Node& item) {
    const Prefix prefix = parse_prefix(item.text);
    if (prefix.fault == PrefixFault::none) add(set, prefix);
    else bad_prefix(item.text, prefix, item.span, out_);
  });
  normalise(set);
  return set;
}

std::optional<Class> Resolver::class_of(const Entry& table, Span& span) const {
  const Entry* entry = table.value.find("class");
  if (entry == nullptr) return std::nullopt;
  span = entry->value.span;
  constexpr std::string_view classes[] = {"public", "internal", "restricted", "secret"};
  const auto found = std::ranges::find(classes, entry->value.text);
  if (found == std::end(classes)) return std::nullopt;
  return static_cast<Class>(found - std::begin(classes));
}

void Resolver::add_segment(const NamedTable& table) {
  const Entry& entry = *table.entry;
  if (!claim_name(entry.key, NounKind::segment, entry.key_span)) return;
  Segment segment;
  segment.name = entry.key;
  segment.span = entry.key_span;
  const Entry* cidr = entry.value.find("cidr");
  const Entry* except = entry.value.find("except");
  const Entry* attach = entry.value.find("attach");
  segment.has_addresses = cidr != nullptr || except != nullptr;
  if (segment.has_addresses) {
    segment.addresses = cidr != nullptr ? addresses(cidr->value) : globally_routable();
    if (except != nullptr) segment.addresses = subtract(segment.addresses, addresses(except->value));
  }
  if (attach != nullptr)
    each_text(attach->value, [&](const Node& item) {
      const std::string_view stem = std::string_view(item.text).substr(0, item.text.size() - item.text.ends_with('*'));
      if (item.text != "*" && !is_port_name(stem))
        out_.add("E0204", item.span, fmt::format("`{}` is no port name or pattern", item.text), "")
            .note("a pattern is the beginning of a port's name with one `*` at its end");
      segment.attach.push_back(item.text);
    });
  segment.security_class = class_of(entry, segment.class_span);
  read_segment_shares(segment, entry.value);
  read_capacity(segment, entry.value);
  if (!segment.has_addresses && attach == nullptr && segment.vnis.empty())
    out_.add("E0104", entry.key_span, fmt::format("[segment.{}] says nothing that could be in it", entry.key),
             "needs `cidr`, `except`, `attach` or `vni`");
  if (attach != nullptr && !segment.vnis.empty())
    out_.add("E0208", attach->key_span,
             fmt::format("[segment.{}] is attached to a port and lives in a network", entry.key),
             "what a port sends is outside every network")
        .helped("attach the segment of the tunnel's own addresses, and bind another one with `vni`");
  std::ranges::sort(segment.attach);
  segments_.push_back(std::move(segment));
}

void Resolver::add_list(const NamedTable& table) {
  const Entry& entry = *table.entry;
  if (!claim_name(entry.key, NounKind::list, entry.key_span)) return;
  Segment segment;
  segment.name = entry.key;
  segment.span = entry.key_span;
  segment.is_list = segment.has_addresses = true;
  segment.security_class = class_of(entry, segment.class_span);
  const Entry* path = entry.value.find("file");
  if (path != nullptr && path->value.kind == NodeKind::string) {
    const auto file = open_named(loaded_, table.file, path->value.text, path->value.span);
    if (file) read_list(segment, *file);
  }
  segments_.push_back(std::move(segment));
}

void Resolver::read_list(Segment& segment, std::uint32_t file) {
  const std::string_view text = loaded_.sources.files[file].text;
  std::size_t faults = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t newline = std::min(text.find('\n', begin), text.size());
    std::size_t first = begin, end = std::min(text.substr(0, newline).find('#', begin), newline);
    begin = newline + 1;
    while (first < end && (text[first] == ' ' || text[first] == '\t')) ++first;
    while (end > first && (text[end - 1] == ' ' || text[end - 1] == '\t' || text[end - 1] == '\r')) --end;
    if (first == end) continue;
    const Prefix prefix = parse_prefix(text.substr(first, end - first));
    if (prefix.fault == PrefixFault::none) add(segment.addresses, prefix);
    else if (++faults <= list_faults_max)
      bad_prefix(text.substr(first, end - first), prefix,
                 {file, static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(end)}, out_);
  }
  if (faults > list_faults_max)
    out_.add("E0410", segment.span,
             fmt::format("{} more lines of this list are not prefixes", faults - list_faults_max));
  normalise(segment.addresses);
}

void Resolver::add_port_pin(const NamedTable& table) {
  const Entry& entry = *table.entry;
  PortPin pin;
  pin.name = entry.key;
  pin.span = entry.key_span;
  const Entry* pinned = entry.value.find("addresses");
  pin.has_addresses = pinned != nullptr;
  if (pinned != nullptr) pin.addresses = addresses(pinned->value);
  if (const Entry* macs = entry.value.find("macs")) add_macs(pin, macs->value);
  const auto same = std::ranges::find(made_.model.ports, pin.name, &PortPin::name);
  if (same != made_.model.ports.end())
    out_.add("E0203", pin.span, fmt::format("port `{}` is pinned twice", pin.name), "again here")
        .with(same->span, "first here");
  made_.model.ports.push_back(std::move(pin));
}

void Resolver::add_macs(PortPin& pin, const Node& macs) {
  each_text(macs, [&](const Node& item) {
    std::array<std::uint8_t, 6> mac{};
    if (!parse_mac(item.text, mac))
      out_.add("E0409", item.span, fmt::format("`{}` is not a MAC address", item.text), "six bytes in hex")
          .helped("for example \"02:00:5e:00:00:07\"");
    else if ((mac[0] & 1) != 0 || std::ranges::all_of(mac, [](auto byte) { return byte == 0; }))
      out_.add("E0409", item.span, fmt::format("`{}` is no address that one port can have", item.text),
               "a group or zero");
    else pin.macs.push_back(mac);
  });
  std::ranges::sort(pin.macs);
  pin.macs.erase(std::unique(pin.macs.begin(), pin.macs.end()), pin.macs.end());
}

void Resolver::add_services() {
  for (const NamedTable& table : tables("service")) {
    const Entry& entry = *table.entry;
    ServiceSet set = read_service(entry.value, out_);
    const bool says_something =
        std::ranges::any_of(entry.value.entries, [](const Entry& one) { return one.key != "about"; });
    if (!says_something)
      out_.add("E0207", entry.key_span, fmt::format("service `{}` has no ports", entry.key), "names nothing")
          .helped(fmt::format("{} = {{ tcp = [443] }}", entry.key));
    const std::uint16_t spoken = read_spoken(entry.value);
    ServiceSet elsewhere = set;
    elsewhere.tcp.clear(), elsewhere.rdma.clear();
    if (spoken != 0 && (set.tcp.empty() || !empty(elsewhere)))
      out_.add("E0216", entry.value.find("protocol")->value.span,
               fmt::format("service `{}` is recognised by its first bytes, {}", entry.key,
                           set.tcp.empty() ? "and has no TCP port" : "which only TCP has"),
               set.tcp.empty() ? "needs `tcp`" : fmt::format("beside {}", show(elsewhere)))
          .helped(set.tcp.empty() ? "tcp = [\"1-65535\"] where any port will do"
                                  : "give what is not TCP a service and an [[allow]] of its own");
    const auto [at, fresh] =
        made_.names.services.try_emplace(
            entry.key, Service{entry.key_span, std::move(set), false, spoken});
    if (!fresh)
      out_.add("E0203", entry.key_span, fmt::format("service `{}` is defined twice", entry.key), "again here")
          .with(at->second.span, "first here")
          .note("files merge as sets, so that neither could win")
          .helped("give one of them another name, or keep one");
  }
}

void Resolver::resolve_groups() {
  for (const NamedTable& table : tables("group"))
    if (claim_name(table.entry->key, NounKind::group, table.entry->key_span)) groups_[table.entry->key] = table.entry;
  for (const auto& [name, entry] : groups_) {
    std::vector<std::string> path;
    if (expand_group(name, path)) continue;
    out_.add("E0107", entry->key_span, fmt::format("group `{}` nests deeper than {} levels", name, group_levels_max),
             "too many groups within groups")
        .helped("name the segments themselves");
    return;
  }
}

bool Resolver::expand_group(const std::string& name, std::vector<std::string>& path) {
  Noun& noun = made_.names.nouns.find(name)->second;
  const Entry* members = groups_.at(name)->value.find("members");
  if (!noun.segments.empty() || members == nullptr) return true;
  if (path.size() >= group_levels_max) return false;
  bool whole = true;
  path.push_back(name);
  each_text(members->value, [&](const Node& item) {
    const auto found = made_.names.nouns.find(item.text);
    if (found == made_.names.nouns.end()) return unknown_noun(item);
    found->second.used = true;
    if (std::ranges::find(path, item.text) != path.end()) {
      out_.add("E0205", item.span, fmt::format("group `{}` contains itself", item.text), "leads back to it")
          .with(found->second.span, "defined here");
      return;
    }
    if (found->second.kind == NounKind::group) whole = expand_group(item.text, path) && whole;
    noun.segments.insert(noun.segments.end(), found->second.segments.begin(), found->second.segments.end());
  });
  path.pop_back();
  std::ranges::sort(noun.segments);
  noun.segments.erase(std::unique(noun.segments.begin(), noun.segments.end()), noun.segments.end());
  return whole;
}

// Two segments on one port are told apart by address.
void Resolver::check_shared_ports() {
  const auto& segments = made_.model.segments;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].attach.empty()) continue;
    for (std::size_t j = i + 1; j < segments.size(); ++j) {
      const bool meet = std::ranges::any_of(segments[i].attach, [&](const auto& a) {
        return std::ranges::any_of(segments[j].attach, [&](const auto& b) { return patterns_meet(a, b); });
      });
      if (!meet) continue;
      const auto &a = segments[i], &b = segments[j];
      if (a.has_addresses && b.has_addresses && !ranges_meet(a.addresses.ipv4, b.addresses.ipv4) &&
          !ranges_meet(a.addresses.ipv6, b.addresses.ipv6))
        continue;
      out_.add("E0206", b.span, fmt::format("`{}` and `{}` share a port and cannot be told apart", a.name, b.name),
               "attached to a port of the other")
          .with(a.span, "overlaps with this one")
          .note("two segments on one port are told apart by address, so their addresses must not overlap");
    }
  }
}

}  // namespace weir::control
