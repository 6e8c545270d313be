// A fixed number of slots for what only some flows need: inspection states, histories. Taking and giving back cost a
// few instructions; when all are taken there is none, and what then happens is the caller's policy. It refuses, at the
// price of the process, a slot that is given back twice.
//
// Memory is lent: the slots themselves, and a word for each. A slot keeps what it held; whoever takes it begins anew.
// Invariants: a slot is free, and in the list, or taken. Threads: one.
#pragma once
#include "dataplane/base/bytes.hpp"
#include "dataplane/base/check.hpp"

#include <span>

namespace weir {

template <class Element>
class Pool {
 public:
  static constexpr u32 none = ~u32{0};

  Pool() = default;
  // As many `links` as `slots`.
  Pool(std::span<Element> slots, std::span<u32> links) : slots_(slots), links_(links) {
    WEIR_CHECK(links.size() == slots.size() && slots.size() < taken);
    for (u32 i = 0; i < slots.size(); ++i) links_[i] = i + 1 < slots.size() ? i + 1 : none;
    free_ = slots.empty() ? none : 0;
  }

  // A slot's number, or none.
  u32 take() {
    if (free_ == none) return none;
    const u32 slot = free_;
    free_ = links_[slot], links_[slot] = taken;
    ++taken_count_;
    return slot;
  }

  void give(u32 slot) {
    WEIR_CHECK(slot < slots_.size() && links_[slot] == taken);
    links_[slot] = free_, free_ = slot;
    --taken_count_;
  }

  bool is_taken(u32 slot) const { return links_[slot] == taken; }
  Element& operator[](u32 slot) { return slots_[slot]; }
  const Element& operator[](u32 slot) const { return slots_[slot]; }
  u32 taken_count() const { return taken_count_; }
  u32 count() const { return static_cast<u32>(slots_.size()); }

 private:
  static constexpr u32 taken = none - 1;

  std::span<Element> slots_;
  std::span<u32> links_;  // of a free slot the next free one
  u32 free_ = none, taken_count_ = 0;
};

}  // namespace weir
