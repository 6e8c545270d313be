// A word may be used where each of its zones is wholly inside. The largest words come first; what is left over is told
// as a word with exceptions if that says it exactly, and in prefixes if nothing does.
#include "control/diff/words.hpp"

#include "control/model/address.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {

namespace {

constexpr std::size_t prefixes_shown = 6, exceptions_tried = 8, exceptions_max = 4;
constexpr const char* everybody = "anyone";

std::string joined(const std::vector<std::string>& parts, std::string_view between = ", ") {
  return fmt::format("{}", fmt::join(parts, between));
}

std::vector<u32> without(const std::vector<u32>& a, const std::vector<u32>& b) {
  std::vector<u32> rest;
  std::ranges::set_difference(a, b, std::back_inserter(rest));
  return rest;
}

template <class Number, class Range>
void cut(const Range& range, unsigned bits, std::vector<std::string>& out) {
  Number first = range.first;
  while (true) {
    unsigned host = 0;
    while (host < bits) {
      const Number mask =
          host + 1 == bits ? static_cast<Number>(~Number{0}) : static_cast<Number>((Number{1} << (host + 1)) - 1);
      if ((first & mask) != 0 || mask > static_cast<Number>(range.last - first)) break;
      ++host;
    }
    const Number mask = host == bits ? static_cast<Number>(~Number{0}) : static_cast<Number>((Number{1} << host) - 1);
    out.push_back(host == 0 ? show(first) : fmt::format("{}/{}", show(first), bits - host));
    const Number last = static_cast<Number>(first | mask);
    if (last == range.last) return;
    first = static_cast<Number>(last + 1);
  }
}

// By word that has one of the zones: how many of them.
std::map<u32, std::size_t> counts(const Lexicon& lexicon, const std::vector<u32>& zones) {
  std::map<u32, std::size_t> found;
  for (const u32 zone : zones)
    if (const auto words = lexicon.of_zone.find(zone); words != lexicon.of_zone.end())
      for (const u32 word : words->second) ++found[word];
  return found;
}

}  // namespace

std::vector<const Word*> Lexicon::cover(const std::vector<u32>& zones, u32 preferred, std::vector<u32>& left) const {
  std::vector<const Word*> fitting, used;
  for (const auto& [word, count] : counts(*this, zones))
    if (count == words[word].zones.size()) fitting.push_back(&words[word]);
  std::ranges::stable_sort(fitting, [&](const Word* a, const Word* b) {
    if (a->zones.size() != b->zones.size()) return a->zones.size() > b->zones.size();
    return (a->policy == preferred) > (b->policy == preferred);
  });
  left = zones;
  for (const Word* word : fitting) {
    if (left.empty()) break;
    std::vector<u32> rest = without(left, word->zones);
    if (rest.size() == left.size()) continue;
    left = std::move(rest);
    used.push_back(word);
  }
  return used;
}

const Word* Lexicon::cover_with_exceptions(ChangeKind kind, const std::vector<u32>& zones, u32 preferred,
                                           const std::vector<u32>& left, std::vector<const Word*>& exceptions) const {
  std::vector<std::pair<std::size_t, const Word*>> tried;
  for (const auto& [word, gain] : counts(*this, left))
    if (gain > 1 || left.size() == 1) tried.emplace_back(gain, &words[word]);
  tried.emplace_back(left.size(), &everybody[static_cast<std::size_t>(kind)]);
  std::ranges::stable_sort(tried, [&](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first > b.first;
    return a.second->zones.size() < b.second->zones.size();
  });
  if (tried.size() > exceptions_tried) tried.resize(exceptions_tried);
  for (const auto& [gain, word] : tried) {
    std::vector<u32> rest;
    exceptions = cover(without(word->zones, zones), preferred, rest);
    // What a segment has gained says less by its old name than by its addresses.
    const bool is_clear = std::ranges::all_of(exceptions, [&](const Word* one) { return one->text == one->name; });
    if (rest.empty() && exceptions.size() <= exceptions_max && is_clear) return word;
  }
  return nullptr;
}

std::vector<std::string> prefixes_of(const AddressSet& set) {
  std::vector<std::string> out;
  for (const Ipv4Range& range : set.ipv4) cut<std::uint32_t>(range, 32, out);
  for (const Ipv6Range& range : set.ipv6) cut<Ipv6Number>(range, 128, out);
  return out;
}

// Segments of one policy: each with the zones in which every place is in it; none that has part of a zone.
std::vector<Word> Namer::segment_words(Side side, const std::vector<u32>& zones, u32 policy) const {
  const Model& model = *space_.models[policy];
  std::vector<std::vector<u32>> zones_of(model.segments.size());
  std::vector<bool> is_cut(model.segments.size(), false);
  std::vector<u32> inside, all;
  for (const u32 index : zones) {
    const JointZone& zone = (side == Side::source ? space_.sources : space_.targets)[index];
    if (side == Side::source && zone.spoofed[policy]) continue;
    all.clear();
    for (const Spot place : zone.places) {
      const PortClassPlan& plan = space_.plan(policy, place.port_class);
      if (side == Side::source) source_segments(model, space_.atoms[policy], plan, place.atom, inside);
      else target_segments(model, space_.atoms[policy], plan, place.atom, inside);
      all.insert(all.end(), inside.begin(), inside.end());
    }
    std::ranges::sort(all);
    for (std::size_t i = 0, next = 0; i < all.size(); i = next) {
      while (next < all.size() && all[next] == all[i]) ++next;
      if (next - i == zone.places.size()) zones_of[all[i]].push_back(index);
      else is_cut[all[i]] = true;
    }
  }
  std::vector<Word> words;
  const auto add = [&](const std::string& text, const std::vector<u32>& segments) {
    Word word{text, text, policy, {}};
    for (const u32 segment : segments) {
      if (is_cut[segment]) return;
      word.zones.insert(word.zones.end(), zones_of[segment].begin(), zones_of[segment].end());
    }
    std::ranges::sort(word.zones);
    word.zones.erase(std::unique(word.zones.begin(), word.zones.end()), word.zones.end());
    if (!word.zones.empty()) words.push_back(std::move(word));
  };
  for (u32 segment = 0; segment < model.segments.size(); ++segment) add(model.segments[segment].name, {segment});
  if (names_[policy] != nullptr)
    for (const auto& [name, noun] : names_[policy]->nouns)
      if (noun.kind == NounKind::group) add(name, noun.segments);
  return words;
}

// A name that means others in the other policy, on any wire or in any network and of either family, says whose it is.
void Namer::read(Side side) {
  const auto& known = side == Side::source ? space_.sources : space_.targets;
  std::map<std::pair<u32, bool>, std::vector<u32>> arenas;
  for (u32 zone = 0; zone < known.size(); ++zone) arenas[{known[zone].domain, known[zone].is_ipv4}].push_back(zone);
  for (const JointClass& port : space_.classes)
    for (const bool is_ipv4 : {false, true}) arenas[{port.domain, is_ipv4}];
  std::map<std::string, bool> differs;
  for (const auto& [arena, zones] : arenas) {
    Lexicon& lexicon = words_[{side, arena.first, arena.second}];
    lexicon.words = segment_words(side, zones, new_policy);
    std::map<std::string, std::size_t> by_name;
    for (std::size_t i = 0; i < lexicon.words.size(); ++i) by_name.emplace(lexicon.words[i].text, i);
    for (Word& word : segment_words(side, zones, old_policy)) {
      const auto same = by_name.find(word.text);
      const bool is_known = same != by_name.end();
      if (is_known && lexicon.words[same->second].zones == word.zones) continue;
      differs[word.text] |= is_known;
      lexicon.words.push_back(std::move(word));
    }
    add_everybody(side, lexicon, zones);
  }
  for (auto& [arena, lexicon] : words_) {
    if (std::get<0>(arena) != side) continue;
    for (Word& word : lexicon.words) {
      word.name = word.text;
      if (const auto found = differs.find(word.text); found != differs.end() && found->second)
        word.text += word.policy == new_policy ? " (new)" : " (old)";
    }
  }
}

void Namer::add_everybody(Side side, Lexicon& lexicon, const std::vector<u32>& zones) const {
  const auto& known = side == Side::source ? space_.sources : space_.targets;
  for (const u32 zone : zones)
    for (const Spot place : known[zone].places) lexicon.ports_of_atom[place.atom].push_back(place.port_class);
  for (auto& [atom, classes] : lexicon.ports_of_atom) std::ranges::sort(classes);
  for (u32 word = 0; word < lexicon.words.size(); ++word)
    for (const u32 zone : lexicon.words[word].zones) lexicon.of_zone[zone].push_back(word);
  for (const ChangeKind kind : {ChangeKind::newly_allowed, ChangeKind::newly_denied, ChangeKind::treated_otherwise}) {
    Word& all = lexicon.everybody[static_cast<std::size_t>(kind)];
    all = {everybody, everybody, new_policy, {}};
    for (const u32 zone : zones) {
      const bool never = (kind == ChangeKind::newly_allowed && known[zone].spoofed[new_policy]) ||
                         (kind == ChangeKind::newly_denied && known[zone].spoofed[old_policy]);
      if (!never) all.zones.push_back(zone);
    }
  }
}

Called Namer::call(Side side, const Rectangle& rectangle, ChangeKind kind, u32 preferred) const {
  const std::vector<u32>& zones = side == Side::source ? rectangle.sources : rectangle.targets;
  const Lexicon& lexicon = words_in(side, rectangle.domain, rectangle.is_ipv4);
  if (zones == lexicon.everybody[static_cast<std::size_t>(kind)].zones) return {everybody, {everybody}};
  std::vector<u32> left;
  std::vector<std::string> parts;
  Called called;
  for (const Word* word : lexicon.cover(zones, preferred, left)) {
    parts.push_back(word->text);
    called.names.push_back(word->text);
  }
  while (!left.empty()) {
    std::vector<const Word*> exceptions;
    const Word* word = lexicon.cover_with_exceptions(kind, zones, preferred, left, exceptions);
    if (word == nullptr) break;
    std::vector<std::string> but;
    for (const Word* one : exceptions) but.push_back(one->text);
    parts.push_back(fmt::format("{} except {}", word->text, joined(but, " and ")));
    called.names.push_back(word->text);
    left = without(left, word->zones);
  }
  if (!left.empty()) parts.push_back(addresses_of(side, left));
  called.text = joined(parts);
  return called;
}

bool Namer::means_somebody(Side side, u32 domain, bool is_ipv4, const Called& called) const {
  const Lexicon& lexicon = words_in(side, domain, is_ipv4);
  return std::ranges::any_of(called.names, [&](const std::string& name) {
    return name == everybody || std::ranges::any_of(lexicon.words, [&](const Word& word) { return word.text == name; });
  });
}

// Addresses on the same ports, in as few prefixes as say it: those that are meant, or those that are not.
std::string Namer::call_group(Side side, const Lexicon& lexicon, const Group& group, bool is_ipv4,
                              std::size_t& cost) const {
  AddressSet set, whole;
  bool everywhere = true;  // there is no other port on which any of them may be
  for (const u32 atom : group.atoms) {
    const AddressSet& more = space_.addresses[atom];
    if (is_ipv4) set.ipv4.insert(set.ipv4.end(), more.ipv4.begin(), more.ipv4.end());
    else set.ipv6.insert(set.ipv6.end(), more.ipv6.begin(), more.ipv6.end());
    everywhere = everywhere && lexicon.ports_of_atom.at(atom) == group.classes;
  }
  normalise(set);
  add(whole, parse_prefix(is_ipv4 ? "0.0.0.0/0" : "::/0"));
  const AddressSet& nobody = side == Side::source ? impossible_sources() : impossible_targets();
  std::vector<std::string> shown = prefixes_of(set), others = prefixes_of(subtract(subtract(whole, set), nobody));
  const bool all_but = others.size() < shown.size();
  if (all_but) shown = std::move(others);
  cost += shown.size() + 1;
  const std::size_t more = shown.size() > prefixes_shown ? shown.size() - prefixes_shown : 0;
  shown.resize(shown.size() - more);
  std::string text = fmt::format("{}{}", joined(shown, all_but ? " and " : ", "),
                                 more != 0 ? fmt::format(" and {} more prefixes", more) : "");
  if (all_but) text = shown.empty() ? "any address" : fmt::format("any address except {}", text);
  if (everywhere) return text;
  std::vector<std::string> ports;
  for (const u32 one : group.classes) {
    const JointClass& port = space_.classes[one];
    ports.push_back(one == 0 ? "any other port" : port.pattern + (port.kind == image::ClassKind::prefix ? "*" : ""));
  }
  return fmt::format("{} on {}", text, joined(ports, " and "));
}

// Told by address with its ports, or by port with its addresses, whichever is shorter.
std::string Namer::addresses_of(Side side, const std::vector<u32>& zones) const {
  const auto& known = side == Side::source ? space_.sources : space_.targets;
  const bool is_ipv4 = known[zones.front()].is_ipv4;
  const Lexicon& lexicon = words_in(side, known[zones.front()].domain, is_ipv4);
  std::map<u32, std::vector<u32>> classes_of, atoms_of;
  for (const u32 zone : zones)
    for (const Spot place : known[zone].places) {
      classes_of[place.atom].push_back(place.port_class);
      atoms_of[place.port_class].push_back(place.atom);
    }
  std::map<std::vector<u32>, std::vector<u32>> by_classes, by_atoms;
  for (auto& [atom, classes] : classes_of) {
    std::ranges::sort(classes);
    by_classes[classes].push_back(atom);
  }
  for (auto& [port_class, atoms] : atoms_of) {
    std::ranges::sort(atoms);
    by_atoms[atoms].push_back(port_class);
  }
  std::vector<std::string> texts[2];
  std::size_t costs[2] = {0, 0};
  for (const auto& [classes, atoms] : by_classes)
    texts[0].push_back(call_group(side, lexicon, {classes, atoms}, is_ipv4, costs[0]));
  for (const auto& [atoms, classes] : by_atoms)
    texts[1].push_back(call_group(side, lexicon, {classes, atoms}, is_ipv4, costs[1]));
  return joined(texts[costs[1] < costs[0]]);
}

std::string Namer::call_domain(u32 domain) const {
  if (domain == 0) return "";
  const auto found = std::ranges::find(space_.classes, domain, &JointClass::domain);
  if (found->networks.empty()) return "a network that no segment is bound to";
  return fmt::format("network {}", fmt::join(found->networks, ", "));
}

}  // namespace weir::control
