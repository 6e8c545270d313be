// What a rectangle's sides and services are called in the operator's words: segments, groups, lists and services of
// either policy where these say it exactly, prefixes and port numbers for the rest. It rounds nothing.
#pragma once
#include "control/check/resolve.hpp"
#include "control/diff/region.hpp"

#include <map>
#include <string>
#include <vector>

namespace weir::control {

enum class Side : u8 { source, target };

// A name and the zones that it means in one family and domain.
struct Word {
  std::string text;        // the name, with whose it is where both policies have it and mean others
  std::string name;
  u32 policy;
  std::vector<u32> zones;  // ascending, never empty
};

// The words for one side in one family and domain, and by zone those that have it.
struct Lexicon {
  std::vector<Word> words;
  std::map<u32, std::vector<u32>> of_zone;
  std::array<Word, 3> everybody;  // by ChangeKind: whoever can be befallen by it
  std::map<u32, std::vector<u32>> ports_of_atom;  // ascending: the classes on which an atom is in some zone

  // Words that lie in `zones`, largest first, each adding something; `left` is what none of them has.
  std::vector<const Word*> cover(const std::vector<u32>& zones, u32 preferred, std::vector<u32>& left) const;
  // "trainers except lab": the word with the most of `left` for which the exceptions have words too, or null.
  const Word* cover_with_exceptions(ChangeKind kind, const std::vector<u32>& zones, u32 preferred,
                                    const std::vector<u32>& left, std::vector<const Word*>& exceptions) const;
};

struct NamedPoints {
  std::string text;
  ServicePoints points;
};

// Zones in words. `names` are the positive words among them, for a look at what they mean in the other family.
struct Called {
  std::string text;
  std::vector<std::string> names;
};

class Namer {
 public:
  // `names` may be null: then segments alone have names. All outlive it. Threads: one.
  Namer(const JointSpace& space, std::array<const Names*, 2> names) : space_(space), names_(names) {
    read(Side::source);
    read(Side::target);
  }

  // The zones of one side of a rectangle. Words of `preferred` win over equal ones of the other policy.
  Called call(Side side, const Rectangle& rectangle, ChangeKind kind, u32 preferred) const;
  // Whether any of the words means somebody in the other family.
  bool means_somebody(Side side, u32 domain, bool is_ipv4, const Called& called) const;

  // Services of the families given, by the names of both policies or as numbers.
  std::string call_services(const ServicePoints& points, bool ipv4, bool ipv6, u32 preferred);

  // "network 100, 101", "a network that no segment is bound to"; empty for the wire.
  std::string call_domain(u32 domain) const;

 private:
  const Lexicon& words_in(Side side, u32 domain, bool is_ipv4) const { return words_.at({side, domain, is_ipv4}); }
  void read(Side side);
  void add_everybody(Side side, Lexicon& lexicon, const std::vector<u32>& zones) const;
  std::vector<Word> segment_words(Side side, const std::vector<u32>& zones, u32 policy) const;
  std::string addresses_of(Side side, const std::vector<u32>& zones) const;
  struct Group {
    std::vector<u32> classes, atoms;  // ascending: each of the atoms on each of the classes
  };
  std::string call_group(Side side, const Lexicon& lexicon, const Group& group, bool is_ipv4, std::size_t& cost) const;

  const JointSpace& space_;
  std::array<const Names*, 2> names_;
  std::map<std::tuple<Side, u32, bool>, Lexicon> words_;
  std::map<std::tuple<bool, bool, u32>, std::vector<NamedPoints>> services_;  // by families and preferred policy
};

// An address set as prefixes, IPv4 first; ranges that are none are cut into several.
std::vector<std::string> prefixes_of(const AddressSet& set);
// "tcp/443, udp/53", as numbers alone.
std::vector<std::string> numbers_of(const ServicePoints& points);
ServicePoints unite(const ServicePoints& a, const ServicePoints& b);
bool equal(const ServicePoints& a, const ServicePoints& b);

}  // namespace weir::control
