#include "dataplane/flow/bills.hpp"

namespace weir {
namespace {

u32 items_of(const Bill& bill) { return u32{bill.limits_count} + bill.draws_count[0] + bill.draws_count[1]; }

u32 tag_of(const Bill& bill) {
  u64 hash = u64{bill.limits_count} << 16 | u64{bill.draws_count[0]} << 8 | bill.draws_count[1];
  for (u32 i = 0; i < items_of(bill); ++i) hash = fold_multiply(hash ^ bill.items[i], 0x9e37'79b9'7f4a'7c15);
  return static_cast<u32>(hash ^ hash >> 32);
}

bool same(const Bill& a, const Bill& b) {
  return a.limits_count == b.limits_count && a.draws_count[0] == b.draws_count[0] &&
         a.draws_count[1] == b.draws_count[1] && std::memcmp(a.items, b.items, items_of(a) * sizeof(u64)) == 0;
}

}  // namespace

u32 Bills::take(const Bill& content) {
  if (content.is_empty()) return no_bill;
  const u32 tag = tag_of(content);
  u32& head = heads_[tag & mask_];
  for (u32 at = head; at != 0; at = bills_[at].next) {
    if (bills_[at].tag != tag || !same(bills_[at], content)) continue;
    ++bills_[at].flows;
    return at;
  }
  const u32 bill = free_ != 0 ? free_ : fresh_;
  if (bill >= capacity_) return bill_refused;
  if (free_ != 0) free_ = bills_[bill].next;
  else ++fresh_;
  bills_[bill] = content;
  bills_[bill].flows = 1;
  bills_[bill].tag = tag;
  bills_[bill].next = head;
  head = bill;
  ++live_;
  return bill;
}

void Bills::release(u32 bill) {
  if (bill == no_bill) return;
  Bill& gone = bills_[bill];
  for (const LimitUse& use : gone.limits()) limits_->leave(use.cell);
  if (--gone.flows != 0) return;
  u32* link = &heads_[gone.tag & mask_];
  while (*link != bill) link = &bills_[*link].next;
  *link = gone.next;
  gone.next = free_;
  free_ = bill;
  --live_;
}

}  // namespace weir
