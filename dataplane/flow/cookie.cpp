// The bits of a cookie.
#include "dataplane/flow/cookie.hpp"

namespace weir {
namespace {

constexpr u32 memory_mask = 0xff;

u32 memory_of(const TcpOptions& options) {
  u32 index = 0;
  while (index + 1 < std::size(cookie_mss) && cookie_mss[index + 1] <= options.mss) ++index;
  return u32{options.window_scale} << 4 | u32{options.sack_permitted} << 3 | index;
}

u32 slot_of(Tick now) { return static_cast<u32>(now >> cookie_slot_shift); }

SipHash begin(const SipKey& key, const CookieSubject& subject) {
  SipHash hash(key);
  hash.add(subject.client.high).add(subject.client.low).add(subject.target.high).add(subject.target.low);
  return hash.add(u64{subject.client_port} << 48 | u64{subject.target_port} << 32 | subject.scope);
}

// 24 bits of a slot's number come round after 17 years.
u32 end(SipHash hash, const CookieSubject& subject, u32 memory, u32 slot) {
  hash.add(u64{subject.sequence} << 32 | static_cast<u32>(slot << 8 | memory));
  return (static_cast<u32>(hash.finish()) & ~memory_mask) | memory;
}

}  // namespace

u32 cookie_of(const SipKey& key, const CookieSubject& subject, const TcpOptions& options, Tick now) {
  return end(begin(key, subject), subject, memory_of(options), slot_of(now));
}

bool cookie_holds(const SipKey& key, const CookieSubject& subject, u32 cookie, Tick now) {
  const SipHash beginning = begin(key, subject);
  const u32 memory = cookie & memory_mask, slot = slot_of(now);
  return end(beginning, subject, memory, slot) == cookie || end(beginning, subject, memory, slot - 1) == cookie;
}

TcpOptions options_of_cookie(u32 cookie) {
  return {cookie_mss[cookie & 7], static_cast<u8>(cookie >> 4 & 15), (cookie & 8) != 0};
}

}  // namespace weir
