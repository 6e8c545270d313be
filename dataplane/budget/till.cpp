// What seldom happens: purses that run low, hosts that are new, and the talk with the keeper.
#include "dataplane/budget/till.hpp"

#include <algorithm>

namespace weir {

// No alternative held it so far: all of them are asked for, and with a lender at hand one may hold it now.
bool Till::some_holds(std::span<const Draw> alternatives, const Load& load) {
  for (const Draw& draw : alternatives)
    if (holds(draw, bytes_of(draw, load))) return true;
  for (const Draw& draw : alternatives)
    if (!draw.is_bucket) ask(draw.purse, bytes_of(draw, load));
  if (lender_.lend == nullptr) return false;
  return std::ranges::any_of(alternatives, [&](const Draw& draw) { return holds(draw, bytes_of(draw, load)); });
}

// A debit has left little: the keeper hears of it before there is nothing. An open purse only has to be told of.
void Till::used_up(const Draw& draw, u64 bytes) {
  if (draw.purse == no_purse) return;
  if (draw.is_open) {
    if (slots_[draw.purse].over != 0) use(draw.purse);
    if (lender_.lend != nullptr) lender_.lend(lender_.self, *this, draw.purse, 0);
  } else if (!draw.is_bucket && lender_.lend == nullptr) {
    ask(draw.purse, bytes);
  }
}

void Till::ask(u32 purse, u64 least) {
  if (purse == no_purse) return;
  if (lender_.lend != nullptr) return lender_.lend(lender_.self, *this, purse, least);
  if (!slots_[purse].asked) slots_[purse].asked = note({purse, 0, least, {}});
}

// Full: it is asked for again by the next packet.
bool Till::note(const Note& note) {
  if (notes_count_ == notes_max) return false;
  notes_[notes_count_++] = note;
  return true;
}

void Till::use(u32 purse) {
  if (purse == no_purse || slots_[purse].place != 0) return;
  active_[active_count_++] = purse;
  slots_[purse].place = active_count_ & (purses_max * 2 - 1);
}

u64 Till::hash_of(u32 seat, const Address& host) const {
  const u64 mixed = fold_multiply(host.high ^ secret_.words[0] ^ 0x9e37'79b9'7f4a'7c15, host.low ^ secret_.words[1]);
  return fold_multiply(mixed ^ seat ^ secret_.words[2], secret_.words[3] ^ 0xc2b2'ae3d'27d4'eb4f);
}

u32 Till::host_purse(u32 seat, const Address& host) {
  const u64 hash = hash_of(seat, host);
  Host* place = nullptr;
  for (u32 i = 0; i < host_probes; ++i) {
    Host& one = hosts_[(hash + i) & (hosts_max - 1)];
    if (one.seat == seat && one.host == host) {
      if (one.first != no_purse || lender_.open_host != nullptr) return one.first;
      place = &one;
      break;
    }
    if (one.seat == 0 || (place == nullptr && one.first == no_purse)) place = &one;
    if (one.seat == 0) break;
  }
  if (place == nullptr) return no_purse;
  if (lender_.open_host != nullptr) {
    *place = {host, seat, lender_.open_host(lender_.self, seat, host)};
    return place->first;
  }
  if (place->seat != seat || !(place->host == host)) {
    *place = {host, seat, no_purse};
    if (!note({no_purse, seat, 0, host})) place->seat = 0;
  }
  return no_purse;
}

void Till::take(const PurseGift& gift) {
  if (gift.kind == PurseGift::Kind::host) {
    const u64 hash = hash_of(gift.number, gift.host);
    for (u32 i = 0; i < host_probes; ++i) {
      Host& one = hosts_[(hash + i) & (hosts_max - 1)];
      if (one.seat == gift.number && one.host == gift.host) one.first = static_cast<u32>(gift.bytes);
    }
    return;
  }
  Slot& slot = slots_[checked(gift.number)];
  if (gift.kind == PurseGift::Kind::give_back) {
    slot.gives_back = 1;
    note({gift.number, 0, 0, {}});
    return;
  }
  slot.asked = 0;
  if (gift.bytes == 0) return;
  slot.purse.put(gift.bytes);
  slot.low = static_cast<u32>(std::min<u64>(slot.purse.left() / 2, ~u32{0}));
  use(gift.number);
}

PurseNews Till::news_of(u32 purse, u64 least) {
  Slot& slot = slots_[purse];
  PurseNews news{.number = purse, .over = std::exchange(slot.over, 0), .least = least};
  const Purse::Report report = slot.gives_back ? slot.purse.give_back() : slot.purse.report();
  news.spent = report.spent;
  news.returned = report.returned;
  if (news.spent != 0) slot.idle = 0;
  if (slot.gives_back) slot.low = 0;
  slot.gives_back = 0;
  return news;
}

// What an idle purse keeps is below `low`, so that the next debit asks for more.
PurseNews Till::idle_news_of(u32 purse) {
  Slot& slot = slots_[purse];
  PurseNews news = news_of(purse, 0);
  if ((news.spent | news.over) != 0 || slot.asked || ++slot.idle < rounds_idle) return news;
  const u64 kept = std::min(slot.purse.left(), kept_bytes);
  news.returned += slot.purse.give_back().returned - kept;
  if (kept != 0) slot.purse.put(kept);
  slot.low = kept_bytes + 1;
  slot.idle = 0;
  leave(purse);
  return news;
}

void Till::leave(u32 purse) {
  const u32 place = slots_[purse].place - 1, last = active_[--active_count_];
  active_[place] = last;
  slots_[last].place = (place + 1) & (purses_max * 2 - 1);
  slots_[purse].place = 0;
}

u32 Till::tell(Tick now, std::span<PurseNews> news) {
  u32 told = 0;
  while (notes_count_ != 0 && told < news.size()) {
    const Note& note = notes_[--notes_count_];
    if (note.seat == 0) news[told++] = news_of(note.purse, note.least);
    else news[told++] = {.kind = PurseNews::Kind::host, .number = note.seat, .host = note.host};
  }
  if (left_in_round_ == 0 && now - round_began_ >= round_us) {
    round_began_ = now;
    left_in_round_ = active_count_;
  }
  for (u32 looks = 0; looks < looks_max && told < news.size() && left_in_round_ != 0 && active_count_ != 0; ++looks) {
    --left_in_round_;
    if (cursor_ >= active_count_) cursor_ = 0;
    const u32 purse = active_[cursor_];
    const PurseNews one = idle_news_of(purse);
    cursor_ += slots_[purse].place != 0;
    if ((one.spent | one.returned | one.over) != 0) news[told++] = one;
  }
  return told;
}

}  // namespace weir
