// The rarer segments: opening, closing, resets, options, and the naming of what is refused.
#include "dataplane/flow/window.hpp"

#include <algorithm>

namespace weir {
namespace {

constexpr u32 opener = 0, replier = 1;
static_assert(FlowRecord::state_established == static_cast<u32>(TcpState::established));

TcpState state_of(const FlowRecord& record) { return static_cast<TcpState>(record.state); }
bool is_opening(TcpState state) { return state < TcpState::established; }
void move_to(FlowRecord& record, TcpState state) { record.set_state(static_cast<u32>(state)); }

void set_scale(FlowRecord& record, u32 from, u32 scale) {
  if (from == opener)
    record.opener_scale = scale & 15;
  else
    record.replier_scale = scale & 15;
}

void set_window_log2(FlowRecord& record, u32 from, u32 log2) {
  if (from == opener)
    record.opener_window_log2 = log2 & 31;
  else
    record.replier_window_log2 = log2 & 31;
}

void widen(FlowRecord& record, u32 from, u32 window) {
  const u32 log2 = log2_of(window);
  if (log2 > window_log2_of(record, from)) set_window_log2(record, from, log2);
}

bool in_window(const FlowRecord& record, u32 from, const TcpNumbers& segment, u32 limit) {
  const u32 oldest = record.end[from] - reach_of(record, from ^ 1) - old_slack;
  // Not by the end of the data, which may lie half a round ahead and look old. What has room ends before that.
  const auto room = static_cast<std::int32_t>(limit - segment.sequence);
  return room >= static_cast<std::int32_t>(segment.payload) &&
         at_or_after(segment.sequence + segment.payload, oldest);
}
bool ack_in_range(const FlowRecord& record, u32 from, u32 acknowledgement) {
  const u32 sent = record.end[from ^ 1], oldest = sent - ack_reach_of(reach_of(record, from)) - old_slack;
  return at_or_after(sent, acknowledgement) & at_or_after(acknowledgement, oldest);
}

// Takes over the numbers of a segment that passes, of a flow past its handshake.
void take_numbers(FlowRecord& record, u32 from, const TcpNumbers& segment) {
  record.end[from] = later(segment.sequence + segment.payload + segment.is_fin(), record.end[from]);
  const u32 scaled = segment.window << FlowRecord::scale(record.bits(), from);
  const u32 window = scaled + (scaled == 0);  // a closed window still takes a probe
  record.edge[from ^ 1] = later(segment.acknowledgement + window, record.edge[from ^ 1]);
  widen(record, from, window);
}

// The first option of this kind, or null.
const u8* option(const TcpNumbers& segment, u8 kind) {
  const u8* found = nullptr;
  walk_options(segment.header + tcp_bytes_least, segment.header_bytes() - tcp_bytes_least, [&](const u8* at) {
    if (found == nullptr && *at == kind) found = at;
  });
  return found;
}

u32 offered_scale(const TcpNumbers& segment) {
  const u8* found = option(segment, option_scale);
  if (found == nullptr || found[1] != 3) return no_scale;
  return std::min(found[2], scale_max);
}

// Selective acknowledgements must not name what was never sent either (RFC 2018, section 3).
bool sack_holds(const FlowRecord& record, u32 from, const TcpNumbers& segment) {
  const u8* found = option(segment, option_sack);
  if (found == nullptr) return true;
  if (found[1] % 8 != 2) return false;
  for (const u8* block = found + 2; block < found + found[1]; block += 8)
    if (!at_or_after(record.end[from ^ 1], swap(load<u32>(block + 4)))) return false;
  return true;
}

// The numbers of a SYN or SYN-ACK: its sender starts here. Windows in such segments are not scaled.
void begin_side(FlowRecord& record, u32 from, const TcpSyn& syn) {
  record.end[from] = record.edge[from] = syn.next;
  set_scale(record, from, syn.scale);
  set_window_log2(record, from, 0);
  widen(record, from, syn.window);
}
void begin_side(FlowRecord& record, u32 from, const TcpNumbers& segment) { begin_side(record, from, syn_of(segment)); }

void permit(FlowRecord& record, u32 to, u32 edge) {
  record.edge[to] = later(edge, record.edge[to]);
}

// Both SYNs are acknowledged. Windows count in units only if both sides offered to.
void end_handshake(FlowRecord& record) {
  if (record.opener_scale == no_scale || record.replier_scale == no_scale) {
    set_scale(record, opener, 0);
    set_scale(record, replier, 0);
  }
}

// RFC 9293, section 3.10.7.3: a SYN that is refused is acknowledged by the RST. Else RFC 5961, section 3.2: exactly the
// next number, or the endpoint is left to ask for it; what is ahead of all that was sent would only serve a guess.
TcpFate follow_rst(FlowRecord& record, u32 from, const TcpNumbers& segment, const TcpProfile& profile) {
  const TcpState state = state_of(record);
  if (state == TcpState::syn_sent) {
    const bool refused = (segment.flags & tcp_ack) && segment.acknowledgement == record.end[opener];
    if (from == replier && !refused) return TcpFate::bad_rst;
    if (from == opener && segment.sequence != record.end[opener]) return TcpFate::challenges;
  } else if (segment.sequence != record.end[from]) {
    if (is_opening(state)) return TcpFate::bad_rst;
    const u32 oldest = record.end[from] - reach_of(record, from ^ 1) - old_slack;
    const bool ahead = at_or_after(segment.sequence, record.end[from]);
    const bool near = ahead ? at_or_after(record.edge[from], segment.sequence) : at_or_after(segment.sequence, oldest);
    if (!near || (ahead && !profile.loose)) return TcpFate::bad_rst;
    if (!profile.loose) return TcpFate::challenges;
  }
  move_to(record, TcpState::reset);
  return TcpFate::passes;
}

TcpFate follow_syn(FlowRecord& record, u32 from, const TcpNumbers& segment, TcpStep step, const TcpProfile& profile) {
  if (segment.payload != 0 && !profile.loose) return TcpFate::bad_data;
  if (step.judged()) return TcpFate::judged;
  if (step.challenges()) return TcpFate::challenges;
  if (step.reopens()) return TcpFate::reopens;
  const bool again = segment.sequence + 1 + segment.payload == record.end[from];
  if (state_of(record) == TcpState::syn_sent || state_of(record) == TcpState::syn_both) {
    begin_side(record, from, segment);  // also with another number: it starts anew
    return TcpFate::passes;
  }
  if (again) return TcpFate::passes;
  return from == opener ? TcpFate::challenges : TcpFate::bad_state;
}

// A SYN-ACK acknowledges the other's SYN, and nothing else.
TcpFate follow_syn_ack(FlowRecord& record, u32 from, const TcpNumbers& segment, TcpStep step,
                       const TcpProfile& profile) {
  if (segment.payload != 0 && !profile.loose) return TcpFate::bad_data;
  const TcpState state = state_of(record);
  const bool again = segment.sequence + 1 + segment.payload == record.end[from];
  if (!is_opening(state)) {
    if (!again) return TcpFate::bad_window;
    return ack_in_range(record, from, segment.acknowledgement) ? TcpFate::passes : TcpFate::bad_ack;
  }
  // Data in a SYN need not be acknowledged with it (RFC 7413).
  const u32 unacknowledged = record.end[from ^ 1] - segment.acknowledgement;
  if (unacknowledged > (profile.loose ? 0xffffu : 0u)) return TcpFate::bad_ack;
  const bool begins = from == replier && (state == TcpState::syn_sent || state == TcpState::syn_received);
  if (!begins && !again) return TcpFate::bad_window;
  if (begins) begin_side(record, from, segment);
  permit(record, from ^ 1, segment.acknowledgement + segment.window + (segment.window == 0));  // room for a probe
  if (step.next() == TcpState::established) end_handshake(record);
  record.set_state(step.value);
  return TcpFate::passes;
}

// The segment of an acceptable flow with unacceptable numbers: named, or let through by the loose profile.
TcpFate out_of(TcpFate named, const TcpProfile& profile) { return profile.loose ? TcpFate::loose : named; }

// Where a FIN may stand: after all the data, and always in the same place. It may stand on the last number sent: an
// acknowledgement that its sender sent after it may have overtaken it, or a FIN before it was lost.
bool fin_holds(const FlowRecord& record, u32 from, const TcpNumbers& segment) {
  const u32 end = segment.sequence + segment.payload + 1;
  if (tcp_fin_sent(record.state, from)) return end == record.end[from];
  return at_or_after(end, record.end[from]);
}

TcpFate follow_data(FlowRecord& record, u32 from, const TcpNumbers& segment, TcpStep step, const TcpProfile& profile) {
  const bool unknown = window_log2_of(record, from ^ 1) == FlowRecord::window_unknown;
  const u32 limit = tcp_fin_sent(record.state, from) && !segment.is_fin() ? record.end[from] : record.edge[from];
  if (!in_window(record, from, segment, limit) || (segment.is_fin() && !fin_holds(record, from, segment)))
    return out_of(TcpFate::bad_window, profile);
  const u32 ahead = segment.acknowledgement - record.end[from ^ 1];
  const bool catches_up = unknown && ahead - 1 < u32{1} << window_log2_max;  // of what passed before the flow was known
  if (!catches_up && !ack_in_range(record, from, segment.acknowledgement)) return out_of(TcpFate::bad_ack, profile);
  if (!catches_up && !sack_holds(record, from, segment)) return out_of(TcpFate::bad_ack, profile);
  if (catches_up) record.end[from ^ 1] = segment.acknowledgement;
  if (is_opening(state_of(record))) end_handshake(record);
  take_numbers(record, from, segment);
  record.set_state(step.value);
  return TcpFate::passes;
}

// The first acknowledgement that ends a handshake has the exact number, which nobody can guess.
TcpFate follow_first(FlowRecord& record, u32 from, const TcpNumbers& segment, TcpStep step,
                     const TcpProfile& profile) {
  if (!profile.loose && segment.acknowledgement != record.end[from ^ 1]) return TcpFate::bad_ack;
  if (!in_window(record, from, segment, record.edge[from])) return TcpFate::bad_window;
  if (!ack_in_range(record, from, segment.acknowledgement)) return TcpFate::bad_ack;
  return follow_data(record, from, segment, step, profile);
}

// The replier's answer to data in a SYN (RFC 7413), before it is acknowledged: as far as the SYN's window goes.
TcpFate follow_early(FlowRecord& record, u32 from, const TcpNumbers& segment) {
  if (!in_window(record, from, segment, record.edge[from] + reach_of(record, from ^ 1))) return TcpFate::bad_window;
  const u32 end = segment.sequence + segment.payload;
  record.end[from] = later(end, record.end[from]);
  return TcpFate::passes;
}

// An acknowledgement that changes nothing: of an older connection to a SYN, of its SYN to one of another number, or
// after a reset by an endpoint to which its number was not exact.
TcpFate follow_challenge(FlowRecord& record, u32 from, const TcpNumbers& segment, const TcpProfile& profile) {
  const TcpState state = state_of(record);
  if (state == TcpState::syn_received && profile.loose && segment.payload != 0)
    return follow_early(record, from, segment);
  if (segment.payload != 0) return TcpFate::bad_state;
  if (state == TcpState::syn_received && segment.sequence != record.end[from]) return TcpFate::bad_window;
  if (state != TcpState::reset) return TcpFate::challenges;
  if (!in_window(record, from, segment, record.edge[from])) return TcpFate::bad_window;
  return ack_in_range(record, from, segment.acknowledgement) ? TcpFate::challenges : TcpFate::bad_ack;
}

}  // namespace

TcpFate follow_rare(FlowRecord& record, u32 from, const TcpNumbers& segment, const TcpProfile& profile) {
  const TcpState state = state_of(record);
  const TcpSegment kind = tcp_segment(segment.flags, segment.acknowledgement == record.end[from ^ 1]);
  const TcpStep step = tcp_step(state, static_cast<TcpSender>(from), kind);
  if (step.refused()) return TcpFate::bad_state;
  switch (kind) {
    case TcpSegment::rst: return follow_rst(record, from, segment, profile);
    case TcpSegment::syn: return follow_syn(record, from, segment, step, profile);
    case TcpSegment::syn_ack: return follow_syn_ack(record, from, segment, step, profile);
    default: break;
  }
  if (step.challenges()) return follow_challenge(record, from, segment, profile);
  return is_opening(state) ? follow_first(record, from, segment, step, profile)
                           : follow_data(record, from, segment, step, profile);
}

TcpSyn syn_of(const TcpNumbers& syn) {
  return {syn.sequence + 1 + syn.payload, static_cast<u16>(syn.window), static_cast<u8>(offered_scale(syn))};
}

void open_tcp(FlowRecord& record, const TcpNumbers& first) { open_again(record, syn_of(first)); }

void open_again(FlowRecord& record, const TcpSyn& syn) {
  move_to(record, TcpState::syn_sent);
  begin_side(record, opener, syn);
}

void second_syn(FlowRecord& record, const TcpNumbers& syn) {
  begin_side(record, replier, syn);
  move_to(record, TcpState::syn_both);
}

void pick_up_tcp(FlowRecord& record, u32 from, const TcpNumbers& segment) {
  for (const u32 side : {opener, replier}) {
    set_scale(record, side, scale_max);
    set_window_log2(record, side, FlowRecord::window_unknown);
  }
  record.end[from] = segment.sequence + segment.payload + segment.is_fin();
  record.edge[from] = record.end[from] + (u32{1} << (window_log2_max - 1));
  record.end[from ^ 1] = record.edge[from ^ 1] = segment.acknowledgement;
  permit(record, from ^ 1, segment.acknowledgement + (segment.window << scale_max));
  const TcpState fin = from == opener ? TcpState::fin_opener : TcpState::fin_replier;
  move_to(record, segment.is_fin() ? fin : TcpState::established);
}

bool quote_holds(const FlowRecord& record, u32 from, u32 sequence) {
  if (from == replier && state_of(record) == TcpState::syn_sent) return false;  // it has not spoken
  const u32 oldest = record.end[from] - reach_of(record, from ^ 1) - old_slack;
  return at_or_after(record.end[from], sequence) && at_or_after(sequence, oldest);
}

}  // namespace weir
