// The SYN proxy: Weir answers a client's SYN itself, with a cookie and keeping nothing, and only when the client has
// shown by returning the cookie that it hears what is sent to its address, does a flow begin and the target hear of it.
//
//   client              Weir                       server
//     | -- SYN ---------> |                          |    answered, nothing kept
//     | <- SYN-ACK cookie |                          |    window 0: nothing to be sent yet
//     | -- ACK ---------> | -- SYN, same number ---> |    a flow, pending
//     |                   | <-------------- SYN-ACK  |
//     | <- ACK, window -- | -- ACK ----------------> |    established, numbers translated from here on
//
// A handshake in fragments has no room for an answer, and is not proxied but dropped.
// No timer runs: while the server is silent, each segment with which the client asks whether the window is still closed
// becomes a SYN again. Sources: RFC 4987 3.6, RFC 9293 3.8.6.1 (probing closed windows).
#include "dataplane/flow/translation.hpp"
#include "dataplane/pipeline/flood.hpp"
#include "dataplane/pipeline/known_flow.hpp"

#include <algorithm>

namespace weir {
namespace {

constexpr u16 mss_assumed_ipv4 = 536, mss_assumed_ipv6 = 1220;  // RFC 9293 3.7.1
// What Ethernet carries: the server's own is not known yet.
constexpr u16 mss_answered_ipv4 = 1460, mss_answered_ipv6 = 1440;
constexpr u32 window_max = 0xffff;
constexpr u32 probe_bytes_max = 1;  // of data, in a segment that asks whether a window is still closed

u8* tcp_of(const Packet& packet, const Headers& headers) {
  return reinterpret_cast<u8*>(packet.data) + headers.l4_offset;
}

u32 header_bytes(const Headers& headers) { return headers.payload_offset - u32{headers.l4_offset}; }

CookieSubject subject_of(const Headers& headers, u32 sequence) {
  return {headers.source, headers.target, headers.source_port, headers.target_port, headers.key.scope, sequence};
}

bool is_bare_ack(u8 flags) { return (flags & (tcp_ack | tcp_syn | tcp_fin | tcp_rst)) == tcp_ack; }

// What the client's windows were last; its peer may send so much.
u32 client_window(const FlowRecord& record) { return record.edge[1] - record.end[1]; }

}  // namespace

// Whether policy wants a handshake proxied that it allows. What is in a tunnel is not: an answer would need one too.
bool Pipeline::proxies(const InstalledPolicy& installed, const Headers& headers, u16 decision) {
  if (headers.tunnels != 0) return false;
  if (installed.policy.wants_syn_proxy(decision) || installed.syn_proxy == SynProxy::always) return true;
  return installed.syn_proxy == SynProxy::pressure && is_pressed(installed);
}

// From half of what half-open flows may be until they are below a quarter; of a quarter of the table, where no ceiling
// is stated.
bool Pipeline::is_pressed(const InstalledPolicy& installed) {
  if (config_.floods == nullptr) return false;
  const u32 stated = installed.policy.tracking().half_open, most = stated != 0 ? stated : table_.capacity() / 4;
  const u32 half_open = config_.floods->census().half_open();
  pressed_ = half_open >= (pressed_ ? most / 4 : most / 2);
  return pressed_;
}

void Pipeline::answer_syn(const Entry& entry, Outcome& outcome) {
  const Headers& headers = entry.headers;
  const std::span<const std::byte> frame(entry.packet.data, entry.packet.bytes);
  const TcpNumbers syn = tcp_numbers(entry.packet, headers);
  TcpOptions offered = read_options(tcp_of(entry.packet, headers), header_bytes(headers));
  if (offered.mss == 0) offered.mss = headers.is_ipv4 ? mss_assumed_ipv4 : mss_assumed_ipv6;
  BareSegment segment{0, syn.sequence + 1, tcp_syn | tcp_ack, 0, offered};
  segment.options.mss = std::min(offered.mss, headers.is_ipv4 ? mss_answered_ipv4 : mss_answered_ipv6);
  if (offered.window_scale != no_scale) segment.options.window_scale = proxy_scale;
  segment.options = options_within(segment.options, options_room(entry.packet.answer, frame, headers));
  if (segment.options.window_scale == no_scale) offered.window_scale = no_scale;
  offered.sack_permitted = segment.options.sack_permitted;
  segment.sequence = cookie_of(config_.cookie_secret, subject_of(headers, syn.sequence), offered, now_);
  // Who asks by a group's link address would have us speak for the group.
  const bool to_group = (static_cast<u8>(frame[0]) & 1) != 0;
  const u32 bytes = to_group ? 0 : answer_segment(entry.packet.answer, frame, headers, segment);
  outcome.reason = bytes == 0 ? Reason::syn_proxy_unanswered : Reason::syn_proxy_answered;
  outcome.answer_bytes = static_cast<u16>(bytes);
  if (bytes != 0) cookies_until_ = now_ + cookie_life_max;
}

// A segment without a flow, while cookies may come back. True when it ends here: it brought one, so that policy is
// asked again, and a flow begins.
bool Pipeline::open_by_cookie(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  if (!is_bare_ack(headers.tcp_flags) || headers.payload_bytes > probe_bytes_max || headers.tunnels != 0) return false;
  if (entry.packet.answer.empty()) return false;
  const TcpNumbers ack = tcp_numbers(entry.packet, headers);
  const u32 cookie = ack.acknowledgement - 1;
  // A probe repeats the number before its next.
  u32 sequence = ack.sequence - 1;
  if (!cookie_holds(config_.cookie_secret, subject_of(headers, sequence), cookie, now_) &&
      !cookie_holds(config_.cookie_secret, subject_of(headers, ++sequence), cookie, now_)) {
    outcome.reason = Reason::syn_cookie_bad;
    return false;
  }
  const Judgement judgement = judge_packet(entry, installed, true);
  outcome.reason = judgement.reason;
  outcome.rule = judgement.rule;
  if (!passes_floods(entry, installed, judgement, outcome)) return true;
  open_flow(entry, installed, judgement, true, true, outcome);
  if (outcome.flow == no_flow) return true;

  FlowRecord& record = table_.record(outcome.flow);
  if (config_.floods != nullptr) config_.floods->census().leave(record);
  const TcpOptions options = options_of_cookie(cookie);
  const u32 window = window_bytes(options.window_scale, static_cast<u16>(ack.window));
  table_.offset(outcome.flow) = cookie;
  record.attended = 1;
  record.set_state(static_cast<u32>(TcpState::syn_sent));
  record.opener_scale = options.window_scale & 15;
  record.replier_scale = 0;
  record.opener_window_log2 = log2_of(window) & 31;
  record.replier_window_log2 = 0;
  record.end[0] = record.edge[0] = sequence + 1;
  record.end[1] = cookie + 1;
  record.edge[1] = record.end[1] + window;
  stand(outcome.flow);
  if (config_.floods != nullptr) config_.floods->census().enter(record);
  table_.set_deadline(outcome.flow, new_deadline(record, now_beat_, idle_));
  ask_server(entry, outcome);
  return true;
}

// Makes the client's segment the SYN that the server gets.
void Pipeline::ask_server(const Entry& entry, Outcome& outcome) {
  const FlowRecord& record = table_.record(outcome.flow);
  BareSegment syn{record.end[0] - 1, 0, tcp_syn, static_cast<u16>(std::min(client_window(record), window_max)),
                  options_of_cookie(table_.offset(outcome.flow))};
  replace(entry, syn, Reason::syn_proxy_opened, outcome);
}

void Pipeline::replace(const Entry& entry, BareSegment& segment, Reason reason, Outcome& outcome) {
  const Packet& packet = entry.packet;
  outcome.frame_bytes = replace_segment(packet.data, packet.bytes, packet.room, entry.headers, segment);
  outcome.reason = reason;
}

// A segment of a flow whose handshake was answered here, in by the right side.
void Pipeline::proxied_packet(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 from,
                              Outcome& outcome) {
  const Headers& headers = entry.headers;
  FlowRecord& record = table_.record(flow);
  if (record.state == static_cast<u32>(TcpState::syn_sent)) {
    outcome.reason = Reason::syn_proxy_pending;
    if (entry.packet.answer.empty()) return;
    return from == 0 ? pending_client(entry, flow, outcome) : pending_server(entry, flow, outcome);
  }
  const u32 offset = table_.offset(flow);
  u8* const tcp = tcp_of(entry.packet, headers);
  const u32 bytes = header_bytes(headers);
  const TcpFate fate = follow_translated(record, from, tcp, bytes, headers.payload_bytes, offset, installed.tcp);
  if (fate != TcpFate::passes && fate != TcpFate::challenges && fate != TcpFate::loose)
    return tcp_rest(entry, installed, flow, fate, outcome);
  if (fate != TcpFate::challenges) table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
  else if (from == 0 && tcp_opens(headers.tcp_flags)) asked_.note(flow, syn_of(tcp_numbers(entry.packet, headers)));
  translate_segment(tcp, bytes, record, from, offset);
  outcome.frame_bytes = entry.packet.bytes;
  outcome.reason = Reason::flow_translated;
}

// Before the server has answered, a client may ask again or give up. What it stated last of its window counts, also
// where that is less (RFC 9293, section 3.10.7.4: of equal numbers the later one).
void Pipeline::pending_client(const Entry& entry, u32 flow, Outcome& outcome) {
  FlowRecord& record = table_.record(flow);
  const TcpNumbers segment = tcp_numbers(entry.packet, entry.headers);
  outcome.reason = Reason::syn_proxy_pending;
  if (segment.flags & tcp_rst) {
    if (segment.sequence != record.end[0]) {
      outcome.reason = Reason::tcp_bad_rst;
      return;
    }
    record.set_state(static_cast<u32>(TcpState::reset));
    table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
    BareSegment reset{record.end[0], 0, tcp_rst, 0, {}};
    return replace(entry, reset, Reason::flow_translated, outcome);
  }
  if (!is_bare_ack(segment.flags) || segment.payload > probe_bytes_max) return;
  if (segment.acknowledgement != record.end[1] || record.end[0] - segment.sequence > 1) return;
  const u32 window = window_bytes(record.opener_scale, static_cast<u16>(segment.window));
  record.edge[1] = record.end[1] + window;
  record.opener_window_log2 = log2_of(window) & 31;
  table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
  ask_server(entry, outcome);
}

// The server accepts, refuses, or says something that is no answer to our SYN.
void Pipeline::pending_server(const Entry& entry, u32 flow, Outcome& outcome) {
  FlowRecord& record = table_.record(flow);
  const TcpNumbers segment = tcp_numbers(entry.packet, entry.headers);
  const bool answers = (segment.flags & tcp_ack) && segment.acknowledgement == record.end[0];
  if (segment.flags & tcp_rst) {
    if (!answers) {
      outcome.reason = Reason::tcp_bad_rst;
      return;
    }
    record.set_state(static_cast<u32>(TcpState::reset));
    table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
    BareSegment reset{record.end[1], record.end[0], tcp_rst | tcp_ack, 0, {}};
    return replace(entry, reset, Reason::flow_translated, outcome);
  }
  if (!answers || (segment.flags & tcp_syn) == 0) {
    outcome.reason = Reason::syn_proxy_pending;
    return;
  }
  if (segment.payload != 0) {
    outcome.reason = Reason::tcp_syn_data;
    return;
  }
  table_.offset(flow) = record.end[1] - 1 - segment.sequence;
  const TcpOptions options = read_options(tcp_of(entry.packet, entry.headers), header_bytes(entry.headers));
  if (record.opener_scale != no_scale) record.replier_scale = options.window_scale & 15;
  record.set_state(static_cast<u32>(TcpState::established));
  table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
  join(entry, flow, outcome);
}

// The server's SYN-ACK becomes the window for which the client waits, and its acknowledgement goes to the server.
void Pipeline::join(const Entry& entry, u32 flow, Outcome& outcome) {
  const Packet& packet = entry.packet;
  FlowRecord& record = table_.record(flow);
  const TcpNumbers answer = tcp_numbers(packet, entry.headers);
  const u32 client_scale = record.opener_scale, window = client_window(record);
  const u32 client_units = record.replier_scale == no_scale || client_scale == no_scale ? 0 : client_scale;
  BareSegment to_server{record.end[0], answer.sequence + 1, tcp_ack,
                        static_cast<u16>(std::min(window >> client_units, window_max)), {}};
  outcome.answer_bytes = static_cast<u16>(
      answer_segment(packet.answer, {packet.data, packet.bytes}, entry.headers, to_server));
  // The window of a SYN-ACK is not scaled, ours is.
  const u32 scale = client_scale == no_scale ? 0 : proxy_scale;
  const u32 units = answer.window == 0 ? 0 : std::max(answer.window >> scale, 1u);
  record.edge[0] = record.end[0] + (units << scale);
  record.replier_window_log2 = log2_of(units << scale) & 31;
  BareSegment to_client{record.end[1], record.end[0], tcp_ack, static_cast<u16>(units), {}};
  replace(entry, to_client, Reason::syn_proxy_joined, outcome);
}

// An ICMP error that passes, about a translated segment: what it quotes goes back to the numbers of its sender.
void Pipeline::translate_error(const Entry& entry, u32 flow, u32 quoted_from, Outcome& outcome) {
  const Headers& headers = entry.headers;
  if (table_.record(flow).state == static_cast<u32>(TcpState::syn_sent)) return;
  u8* const frame = reinterpret_cast<u8*>(entry.packet.data);
  const u32 end = std::min(headers.payload_offset + headers.payload_bytes, entry.packet.bytes);
  const u32 bytes = end - headers.quote_offset;
  if (!translate_quote(frame + headers.quote_offset, bytes, frame + headers.l4_offset + 2, quoted_from,
                       table_.offset(flow)))
    return;
  outcome.reason = Reason::icmp_translated;
  outcome.frame_bytes = entry.packet.bytes;
}

}  // namespace weir
