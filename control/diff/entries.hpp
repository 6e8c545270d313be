// Rectangles of both families to entries in words, each with an example that both compiled policies have been asked.
#pragma once
#include "control/diff/diff.hpp"
#include "control/diff/words.hpp"

namespace weir::control {

class EntryMaker {
 public:
  // All outlive it. Threads: one.
  EntryMaker(const JointSpace& space, const Regions& regions, const Fates& fates,
             std::array<const PolicySide*, 2> sides, std::int64_t now_s);

  // By kind, family of the words and words. The error is a sentence.
  std::expected<std::vector<DiffEntry>, std::string> make();

 private:
  struct Draft {
    std::vector<const Rectangle*> rectangles;  // one, or one of each family
    Called from, to;
    ServicePoints points;
    DiffEntry entry;
  };
  Draft draft(const Rectangle& rectangle);
  bool join(Draft& ipv4, const Draft& ipv6) const;
  void add_family(Draft& draft);
  void add_statements(Draft& draft) const;
  enum class Found : u8 { some, none, contradicted };  // none: its only packets go to where they come from
  Found add_example(Draft& draft) const;
  bool is_borne_out(DiffEntry& entry) const;
  static bool allows(const DiffEntry& entry, u32 policy);
  std::vector<DiffPlaces> places_of(const std::vector<JointZone>& zones, const Draft& draft, bool is_source) const;

  const JointSpace& space_;
  const Regions& regions_;
  const Fates& fates_;
  std::array<const PolicySide*, 2> sides_;
  std::int64_t now_s_;
  Namer namer_;
};

}  // namespace weir::control
