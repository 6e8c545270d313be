// Fragments: held until their datagram is whole, then judged once as if it had come whole, and released together in
// order of arrival; or dropped together. Nothing passes of a datagram that is not whole and free of contradiction.
#include "dataplane/base/check.hpp"
#include "dataplane/pipeline/known_flow.hpp"

namespace weir {
namespace {

// The pieces as one transport, in order of offset.
bool datagram_intact(const Headers& headers, std::span<const Piece> pieces, bool has_wide_vectors) {
  const Piece* sorted[datagram_pieces_max];
  u32 count = 0;
  for (const Piece& piece : pieces) {
    u32 at = count++;
    for (; at != 0 && sorted[at - 1]->offset > piece.offset; --at) sorted[at] = sorted[at - 1];
    sorted[at] = &piece;
  }
  ByteRun runs[datagram_pieces_max];
  for (u32 i = 0; i < count; ++i)
    runs[i] = {reinterpret_cast<const u8*>(sorted[i]->frame) + sorted[i]->payload_offset,
               sorted[i]->end - sorted[i]->offset};
  const u32 before_bytes = headers.l4_offset - u32{sorted[0]->payload_offset};  // IPv6 extension headers
  runs[0].at += before_bytes;
  runs[0].bytes -= before_bytes;
  return checksum_holds(headers, std::span(runs, count), has_wide_vectors);
}

}  // namespace

void Pipeline::decide_fragment(const Entry& entry, const InstalledPolicy& installed) {
  Reassembly::Step step{fragment_doubt(entry, installed)};
  if (step.reason == Reason::undecided) {
    const Packet& packet = entry.packet;
    step = config_.fragments->add(entry.headers, packet.port, {.frame = packet.data, .token = packet.token,
                                                               .frame_bytes = packet.bytes}, packet.time);
    if (step.reason == Reason::undecided) {
      decide_datagram(entry, config_.fragments->take(step.datagram), installed);
      late_ = config_.fragments->next_end();
      return;
    }
    if (step.reason != Reason::fragment_held && step.datagram != Reassembly::none)
      drop_held(config_.fragments->take(step.datagram), step.reason, packet.port, installed.generation);
    late_ = config_.fragments->next_end();
  }
  Outcome& outcome = *out_++;
  outcome = Outcome{.token = entry.packet.token,
                    .generation = installed.generation,
                    .verdict = verdict_of(step.reason),
                    .reason = step.reason};
  count_outcome(entry, outcome);
  if (config_.name_segments) name_segments(entry, installed, outcome);
}

// What is asked of a fragment before it may take room.
Reason Pipeline::fragment_doubt(const Entry& entry, const InstalledPolicy& installed) {
  if (const Reason doubt = port_doubt(entry, installed); doubt != Reason::undecided) return doubt;
  if (!installed.policy.source_allowed(installed.port_class[entry.packet.port], entry.headers.source))
    return Reason::spoofed;
  return config_.fragments != nullptr && installed.holds_fragments ? Reason::undecided : Reason::fragment;
}

// `last` came last and so is the last piece. Another worker's datagram goes there, where it is gathered once more.
void Pipeline::decide_datagram(const Entry& last, std::span<const Piece> pieces, const InstalledPolicy& installed) {
  const Piece* first = pieces.data();
  u32 whole_bytes = 0;
  for (const Piece& piece : pieces) {
    if (piece.offset == 0) first = &piece;
    whole_bytes += piece.end - piece.offset;
  }
  Entry whole{last.packet, {}, no_flow};
  whole.packet.data = const_cast<std::byte*>(first->frame);
  whole.packet.bytes = first->frame_bytes;
  whole.packet.answer = {};
  whole.packet.room = 0;
  const ParseContext context{config_.secret, whole.packet.port / 2u};
  parse_datagram(whole.headers, {first->frame, first->frame_bytes}, whole_bytes, context);
  ReasonCounter& held = counters_.reasons[static_cast<u8>(Reason::fragment_held)];
  for (const Piece& piece : pieces.first(pieces.size() - 1)) {
    held.packets.add(~u64{0});
    held.bytes.add(-u64{piece.frame_bytes});
  }
  const u32 owner = owner_of(whole.headers.hash, config_.workers);
  if (whole.headers.well_formed() && owner != config_.self) {
    for (const Piece& piece : pieces) *astray_++ = {piece.token, owner, true};
    return;
  }
  if (whole.headers.well_formed()) {
    const bool is_good = last.packet.checksum == Checksum::good || installed.trusts_checksums ||
                         datagram_intact(whole.headers, pieces, installed.has_wide_vectors);
    whole.packet.checksum = is_good ? Checksum::good : Checksum::bad;
  }
  for (const Piece& piece : pieces) datagram_bytes_ += piece.frame_bytes;
  datagram_frames_ = static_cast<u32>(pieces.size());
  if (mirroring_.ring != nullptr) note_flow(whole);
  Outcome outcome;
  decide_whole(whole, installed, outcome);
  datagram_bytes_ = datagram_frames_ = 0;
  if (config_.name_segments) name_segments(whole, installed, outcome);
  for (const Piece& piece : pieces) {
    outcome.token = piece.token;
    outcome.frame_bytes = outcome.verdict == Verdict::rewrite ? piece.frame_bytes : 0;
    whole.packet.data = const_cast<std::byte*>(piece.frame);
    whole.packet.bytes = piece.frame_bytes;
    whole.headers.payload_offset = piece.payload_offset;
    *out_++ = outcome;
    count_outcome(whole, outcome);
    outcome.flow_is_new = false;
  }
}

// Frames that had been held and never leave.
void Pipeline::drop_held(std::span<const Piece> pieces, Reason reason, u16 port, u64 generation) {
  ReasonCounter& held = counters_.reasons[static_cast<u8>(Reason::fragment_held)];
  mirroring_.before = {};
  for (const Piece& piece : pieces) {
    held.packets.add(~u64{0});
    held.bytes.add(-u64{piece.frame_bytes});
    Entry entry{{}, {}, no_flow};
    entry.packet.data = const_cast<std::byte*>(piece.frame);
    entry.packet.bytes = piece.frame_bytes;
    entry.packet.port = port;
    entry.packet.time = now_;
    parse_into(entry.headers, {piece.frame, piece.frame_bytes}, {config_.secret, port / 2u});
    Outcome& outcome = *out_++;
    outcome = Outcome{.token = piece.token, .generation = generation, .reason = reason};
    count_outcome(entry, outcome);
  }
}

void Pipeline::drop_late(Tick now, u64 generation) {
  if (config_.fragments == nullptr) return;
  Reassembly& fragments = *config_.fragments;
  while (fragments.next_end() <= now) {
    const Reassembly::Over over = fragments.take_over();
    drop_held(over.pieces, over.reason, over.port, generation);
  }
  late_ = fragments.next_end();
}

}  // namespace weir
