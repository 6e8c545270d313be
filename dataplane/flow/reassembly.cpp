#include "dataplane/flow/reassembly.hpp"

#include "dataplane/base/check.hpp"

namespace weir {
namespace {

constexpr u32 port_share = 2, source_share = 4;  // of what there is, the part that one may have

// A sixteen-bit identification comes round in seconds (RFC 4963): what is older is likely of another datagram.
constexpr Tick wait = 2 * tick_second;

// The two bits of RFC 3168, section 5.
u8 ecn_of(const Headers& headers, const std::byte* frame) {
  const u8* ip = reinterpret_cast<const u8*>(frame) + headers.l3_offset;
  return headers.is_ipv4 ? ip[1] & 3 : ip[1] >> 4 & 3;
}

u32 offset_of(const Headers& headers) { return headers.fragment & 0xfff8; }
bool is_last(const Headers& headers) { return (headers.fragment & 1) == 0; }

}  // namespace

Reassembly::Reassembly(const HashKey& secret) : secret_(secret) {
  static_assert(held_datagrams_max < nil && held_frames_max < nil);
  heads_.fill(nil);
  for (u32 i = 0; i < held_datagrams_max; ++i) datagrams_[i].next = static_cast<u16>(i + 1);
  for (u32 i = 0; i < held_frames_max; ++i) pieces_[i].next = static_cast<u16>(i + 1);
  datagrams_.back().next = nil;
  pieces_.back().next = nil;
}

Reassembly::Step Reassembly::add(const Headers& headers, u16 port, Piece piece, Tick now) {
  WEIR_CHECK(port < ports_max);
  const u64 name = u64{headers.key.b_number} << 16 | headers.key.a_number;
  const u64 mixed = fold_multiply(headers.hash ^ secret_.words[0], name ^ u64{port} << 40 ^ secret_.words[1]);
  const u32 bucket = static_cast<u32>(mixed) % buckets;
  u32 index = find(headers, port, bucket);
  if (index == none && (index = begin(headers, port, bucket, now)) == none) return {Reason::fragment_table_full};
  Datagram& datagram = datagrams_[index];
  if (datagram.poison != Reason::undecided) return {datagram.poison};

  piece.offset = offset_of(headers);
  piece.end = piece.offset + headers.payload_bytes;
  piece.payload_offset = headers.payload_offset;
  const Reason reason = doubt(datagram, headers, piece);
  if (reason == Reason::fragment_duplicate) return {reason};
  if (reason != Reason::undecided) {
    datagram.poison = reason;
    return {reason, index};
  }
  const u8 ecn = ecn_of(headers, piece.frame);
  (ecn != 0 ? datagram.marks_ecn : datagram.is_plain) = true;
  datagram.has_first |= piece.offset == 0;
  if (is_last(headers)) datagram.whole_bytes = piece.end;
  append(datagram, piece);
  return {datagram.received_bytes == datagram.whole_bytes ? Reason::undecided : Reason::fragment_held, index};
}

// Why the piece cannot stand beside those that are there, in the order in which it is asked; or undecided. Every answer
// but a duplicate poisons, and whether there is one does not depend on the order of arrival.
Reason Reassembly::doubt(const Datagram& datagram, const Headers& headers, const Piece& piece) const {
  const bool beyond = piece.end > datagram.whole_bytes;
  const bool other_end = is_last(headers) && (datagram.whole_bytes == unknown ? datagram.reach >= piece.end
                                                                              : datagram.whole_bytes != piece.end);
  const bool ends_early = !is_last(headers) && piece.end == datagram.whole_bytes;
  const u8 ecn = ecn_of(headers, piece.frame);
  const bool other_ecn = ecn != 0 ? datagram.is_plain : datagram.marks_ecn;
  if (beyond || other_end || ends_early || headers.protocol != datagram.protocol || other_ecn)
    return Reason::fragment_mixed;
  if (const Reason reason = compare(datagram, piece); reason != Reason::undecided) return reason;
  if (datagram.pieces == datagram_pieces_max) return Reason::fragment_many;
  return has_room(sources_[datagram.source], ports_[datagram.port]) ? Reason::undecided : Reason::fragment_table_full;
}

// Against the pieces that are there. In order of arrival nearly every piece begins where all others have ended.
Reason Reassembly::compare(const Datagram& datagram, const Piece& piece) const {
  if (piece.offset >= datagram.reach) return Reason::undecided;
  for (u16 at = datagram.first_piece; at != nil; at = pieces_[at].next) {
    const Piece& other = pieces_[at];
    if (piece.offset >= other.end || other.offset >= piece.end) continue;
    if (piece.offset != other.offset || piece.end != other.end) return Reason::fragment_overlap;
    const bool same = std::memcmp(piece.frame + piece.payload_offset, other.frame + other.payload_offset,
                                  piece.end - piece.offset) == 0;
    return same ? Reason::fragment_duplicate : Reason::fragment_differs;
  }
  return Reason::undecided;
}

bool Reassembly::has_room(const Share& source, const Share& port) const {
  return free_piece_ != nil && source.pieces < held_frames_max / source_share &&
         port.pieces < held_frames_max / port_share;
}

u32 Reassembly::find(const Headers& headers, u16 port, u32 bucket) const {
  for (u16 at = heads_[bucket]; at != nil; at = datagrams_[at].next) {
    const Datagram& datagram = datagrams_[at];
    // Protocol is part of an IPv4 datagram's name (RFC 791 2.3), not of an IPv6 one's (RFC 8200 4.5).
    if (datagram.key == headers.key && datagram.port == port &&
        (!headers.is_ipv4 || datagram.protocol == headers.protocol))
      return at;
  }
  return none;
}

u32 Reassembly::begin(const Headers& headers, u16 port, u32 bucket, Tick now) {
  const u64 mixed = fold_multiply(headers.source.high ^ secret_.words[2], headers.source.low ^ secret_.words[3]);
  const u16 source = static_cast<u16>(mixed % source_buckets);
  Share& share = sources_[source];
  if (free_datagram_ == nil || share.datagrams == held_datagrams_max / source_share ||
      ports_[port].datagrams == held_datagrams_max / port_share || !has_room(share, ports_[port]))
    return none;
  const u16 index = free_datagram_;
  Datagram& datagram = datagrams_[index];
  free_datagram_ = datagram.next;
  datagram = {headers.key, now + wait, unknown, 0, 0, port, source, nil, nil, heads_[bucket], newest_, nil, 0,
              static_cast<u16>(bucket), Reason::undecided, headers.protocol, false, false, false};
  heads_[bucket] = index;
  (newest_ == nil ? oldest_ : datagrams_[newest_].newer) = index;
  newest_ = index;
  ++share.datagrams;
  ++ports_[port].datagrams;
  return index;
}

void Reassembly::append(Datagram& datagram, const Piece& piece) {
  const u16 index = free_piece_;
  free_piece_ = pieces_[index].next;
  pieces_[index] = piece;
  pieces_[index].next = nil;
  (datagram.last_piece == nil ? datagram.first_piece : pieces_[datagram.last_piece].next) = index;
  datagram.last_piece = index;
  datagram.received_bytes += piece.end - piece.offset;
  if (piece.end > datagram.reach) datagram.reach = piece.end;
  ++datagram.pieces;
  ++sources_[datagram.source].pieces;
  ++ports_[datagram.port].pieces;
  ++held_;
}

std::span<const Piece> Reassembly::take(u32 index) {
  Datagram& datagram = datagrams_[index];
  const auto pieces = empty(datagram);
  if (datagram.poison == Reason::undecided) forget(index);
  return pieces;
}

Reassembly::Over Reassembly::take_over() {
  const u32 index = oldest_;
  Datagram& datagram = datagrams_[index];
  const Over over{datagram.has_first ? Reason::fragment_timeout : Reason::fragment_no_first, datagram.port,
                  empty(datagram)};
  forget(index);
  return over;
}

std::span<const Piece> Reassembly::empty(Datagram& datagram) {
  u32 count = 0;
  for (u16 at = datagram.first_piece; at != nil;) {
    taken_[count++] = pieces_[at];
    const u16 next = pieces_[at].next;
    pieces_[at].next = free_piece_;
    free_piece_ = at;
    at = next;
  }
  held_ -= count;
  sources_[datagram.source].pieces = static_cast<u16>(sources_[datagram.source].pieces - count);
  ports_[datagram.port].pieces = static_cast<u16>(ports_[datagram.port].pieces - count);
  datagram.first_piece = datagram.last_piece = nil;
  datagram.pieces = 0;
  return {taken_.data(), count};
}

void Reassembly::forget(u32 index) {
  Datagram& datagram = datagrams_[index];
  u16* link = &heads_[datagram.bucket];
  while (*link != index) link = &datagrams_[*link].next;
  *link = datagram.next;
  (datagram.older == nil ? oldest_ : datagrams_[datagram.older].newer) = datagram.newer;
  (datagram.newer == nil ? newest_ : datagrams_[datagram.newer].older) = datagram.older;
  --sources_[datagram.source].datagrams;
  --ports_[datagram.port].datagrams;
  datagram.next = free_datagram_;
  free_datagram_ = static_cast<u16>(index);
}

}  // namespace weir
