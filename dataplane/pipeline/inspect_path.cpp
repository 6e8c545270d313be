// Flows that policy inspects: each packet is followed like any other, and then looked into before it may pass. What an
// inspection finds ends the flow, cuts off the port that it came from, or is told. A flow for which there is no watch,
// a fragment, and what inspection has no time for do not pass.
#include "dataplane/pipeline/known_flow.hpp"

#include <bit>

namespace weir {
namespace {

template <class Each>
void each_inspection(const InstalledPolicy& installed, u64 bits, const Each& each) {
  for (; bits != 0; bits &= bits - 1) each(installed.policy.inspections()[static_cast<u32>(std::countr_zero(bits))]);
}

// What `one` is concerned with of what was found in bytes that `from` sent.
u8 concern_of(const image::Inspection& one, u32 from, const WatchStep& step) {
  if ((one.ways >> from & 1) == 0) return 0;
  u8 concern = one.tensors ? step.found & (found_tensor | found_quantised) : 0;
  if ((one.sets & step.signatures.sets) != 0) concern |= found_signature;
  if (one.opaque != image::Opaque::allow) concern |= step.found & found_opaque;
  return concern;
}

Reason reason_of_found(u8 found) {
  if ((found & found_signature) != 0) return Reason::inspect_signature;
  if ((found & found_protocol) != 0) return Reason::inspect_protocol;
  return (found & (found_tensor | found_quantised)) != 0 ? Reason::inspect_tensor : Reason::inspect_opaque;
}

// How many ports an inspection may cut off: always one, so that the word means something on a small machine.
u32 most_quarantined(const InstalledPolicy& installed, const image::Inspection& one) {
  const u32 named = static_cast<u32>(std::popcount(installed.named_ports));
  return std::max(1u, named * one.max_quarantined / u32{image::reserve_whole});
}

}  // namespace

// A watch for a flow that is about to begin, where its rule wants one; or why it does not begin. One that begins with a
// SYN gets its watch with its first bytes (`later`): whoever only knocks takes nobody's room.
Reason Pipeline::take_watch(const InstalledPolicy& installed, u32 rule, const FlowKey& key, bool in_order,
                            u32& watch) {
  watch = Inspector::none;
  if (!installed.policy.has_looks()) return Reason::undecided;
  const image::Look& look = installed.policy.look(rule);
  if (look.inspections == 0 && look.protocols == 0) return Reason::undecided;
  const bool is_tcp = key.flow_class() == FlowClass::tcp;
  if (config_.inspector == nullptr || rule >= installed.wishes.size()) return Reason::inspect_full;
  const WatchWish& wish = installed.wishes[rule];
  if (!wish.looks() || (!is_tcp && look.inspections == 0)) return Reason::undecided;
  if (is_tcp && !in_order && wish.protocols != 0) return Reason::inspect_protocol;
  watch = is_tcp && in_order ? Inspector::later : config_.inspector->watches().begin_packets();
  return watch == Inspector::none ? Reason::inspect_full : Reason::undecided;
}

// The packets of the flow do not go the short way any more. Nothing in it is translated.
void Pipeline::attend(u32 flow) {
  table_.record(flow).attended = 1;
  table_.offset(flow) = 0;
}

void Pipeline::watch_flow(u32 flow, u32 watch) {
  attend(flow);
  if (watch != Inspector::later) config_.inspector->add(flow, watch);
}

// Of a flow that did not begin.
void Pipeline::give_back(u32 watch) {
  if (watch != Inspector::none && watch != Inspector::later) config_.inspector->watches().end(watch);
}

// Of a connection whose first bytes have come: `before` is how it was known without them. None: there is no room.
u32 Pipeline::watch_stream(const WatchWish& wish, u32 flow, const FlowRecord& before) {
  Watches& watches = config_.inspector->watches();
  const u32 watch = watches.begin_stream(wish);
  if (watch == Inspector::none) return watch;
  for (const u32 from : {0u, 1u}) watches.restart(watch, wish, from, before.end[from]);
  config_.inspector->add(flow, watch);
  return watch;
}

// What its allow wants looked for in a flow's bytes, or null.
const WatchWish* Pipeline::wish_of(const InstalledPolicy& installed, const FlowRecord& record) const {
  const u32 rule = installed.policy.rule_of(record.decision);
  const bool has = config_.inspector != nullptr && rule < installed.wishes.size() && installed.wishes[rule].looks();
  return has ? &installed.wishes[rule] : nullptr;
}

u32 Pipeline::watch_of(u32 flow) const {
  return config_.inspector == nullptr ? Inspector::none : config_.inspector->watch_of(flow);
}

// A flow that another policy let begin is watched as this one wants, packet by packet where it was not yet; or why it
// may not go on.
Reason Pipeline::watch_again(const InstalledPolicy& installed, u32 flow, u32 rule) {
  if (config_.inspector == nullptr && !installed.policy.has_looks()) return Reason::undecided;
  FlowRecord& record = table_.record(flow);
  const u32 has = record.attended ? watch_of(flow) : Inspector::none;
  u32 fresh = Inspector::none;
  if (has == Inspector::none) {
    const Reason no = take_watch(installed, rule, record.key, false, fresh);
    if (no != Reason::undecided || fresh == Inspector::none) return no;
    if (!record.attended) attend(flow);
    config_.inspector->add(flow, fresh);
    return Reason::undecided;
  }
  const WatchWish* const wish = rule < installed.wishes.size() ? &installed.wishes[rule] : nullptr;
  if (wish != nullptr && wish->looks())
    return config_.inspector->watches().opens_as(has, *wish) ? Reason::undecided : Reason::inspect_protocol;
  // Wishes are lent: where there is none of a rule that wants one, nothing can be looked into.
  if (installed.policy.has_looks() && installed.policy.look(rule).is_by_flow()) return Reason::inspect_full;
  config_.inspector->leave(flow);
  record.attended = handshake_of(flow) != nullptr || table_.offset(flow) != 0;
  return Reason::undecided;
}

// A flow that asks for a longer look: followed as what it is, and then looked into where policy wants that.
void Pipeline::attended_packet(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 from,
                               Outcome& outcome) {
  const u32 watch = watch_of(flow);
  const bool is_tcp = entry.headers.protocol == protocol_tcp;
  const bool begins = watch == Inspector::none && is_tcp && entry.headers.payload_bytes != 0 &&
                      wish_of(installed, table_.record(flow)) != nullptr;
  if (watch == Inspector::none && !begins) return follow(entry, installed, flow, from, outcome);
  if (!begins) keep_neighbour(entry, installed, flow, watch);
  if (is_tcp) watched_segment(entry, installed, flow, watch, from, outcome);
  else watched_packet(entry, installed, flow, watch, from, outcome);
}

// As if nobody looked into it.
void Pipeline::follow(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 from, Outcome& outcome) {
  Handshake* const slot = handshake_of(flow);
  if (slot != nullptr) read_packet(entry, installed, flow, *slot, from, outcome);
  else if (is_translated(flow)) proxied_packet(entry, installed, flow, from, outcome);
  else follow_plainly(entry, installed, flow, from, outcome);
}

void Pipeline::watched_segment(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 watch, u32 from,
                               Outcome& outcome) {
  Watches& watches = config_.inspector->watches();
  const auto ended = watch == Inspector::none ? Reason::undecided : static_cast<Reason>(watches.end_of(watch));
  // A new connection may take the place of one that was ended.
  if (ended != Reason::undecided && !tcp_opens(entry.headers.tcp_flags)) {
    outcome.reason = ended;
    return;
  }
  FlowRecord& record = table_.record(flow);
  const FlowRecord before = record;
  const TcpNumbers sent = tcp_numbers(entry.packet, entry.headers);
  follow(entry, installed, flow, from, outcome);
  if (outcome.flow != flow || outcome.flow_is_new || verdict_of(outcome.reason) == Verdict::drop) return;
  if (watch == Inspector::none) watch = watch_stream(*wish_of(installed, record), flow, before);
  Reason no = watch == Inspector::none ? Reason::inspect_full : ended;
  if (no == Reason::undecided) no = inspect_segment(entry, installed, flow, watch, before, sent, from, outcome);
  if (no == Reason::undecided) return;
  record = before;
  if (watch != Inspector::none && watches.end_of(watch) != 0) {
    record.set_state(static_cast<u32>(TcpState::reset));
    table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
  }
  outcome.reason = no;
  outcome.answer_bytes = 0;
  outcome.frame_bytes = 0;
}

void Pipeline::watched_packet(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 watch, u32 from,
                              Outcome& outcome) {
  FlowRecord& record = table_.record(flow);
  const FlowRecord before = record;
  follow_plainly(entry, installed, flow, from, outcome);
  if (outcome.reason != Reason::flow_established) return;
  const Reason no = inspect_payload(entry, installed, flow, watch, from, true, outcome);
  if (no == Reason::undecided) return;
  record = before;
  outcome.reason = no;
}

// A segment that may pass as far as its connection goes. Numbers are those that the opener knows: what it sends is
// looked at before it is translated, what it gets after.
Reason Pipeline::inspect_segment(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 watch,
                                 const FlowRecord& before, const TcpNumbers& sent, u32 from, Outcome& outcome) {
  const Headers& headers = entry.headers;
  // The SYN proxy's own segments carry nothing.
  if (outcome.reason == Reason::syn_proxy_opened || outcome.reason == Reason::syn_proxy_joined)
    return Reason::undecided;
  if (datagram_frames_ != 0) return Reason::inspect_fragment;
  const FlowRecord& record = table_.record(flow);
  const WatchWish& wish = installed.wishes[installed.policy.rule_of(record.decision)];
  Watches& watches = config_.inspector->watches();
  const TcpNumbers numbers = from == 0 ? sent : tcp_numbers(entry.packet, headers);
  const bool goes_on = outcome.reason == Reason::flow_established || outcome.reason == Reason::flow_translated;
  const bool synchronises = (numbers.flags & tcp_syn) != 0;
  if (synchronises && goes_on) {
    watches.restart(watch, wish, from, numbers.sequence + 1);
    // Its answer to a SYN in mid-connection begins both ways anew.
    if (from == 1 && record.end[0] != before.end[0]) watches.restart(watch, wish, 0, record.end[0]);
  }
  const std::span<const u8> bytes = payload_of(entry.packet, entry.headers);
  const WatchStep step =
      goes_on ? watches.segment(watch, wish, flow, from, numbers.sequence + synchronises, numbers.acknowledgement,
                                bytes, now_)
              : watches.packet(watch, wish, flow, from, bytes, false, now_);
  return ruling(entry, installed, flow, from, step, outcome);
}

// What a flow's first packet carries: of a TCP connection only where policy lets data come before the handshake, or one
// is met in its middle.
void Pipeline::inspect_first(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 from,
                             Outcome& outcome) {
  const Headers& headers = entry.headers;
  if (headers.payload_bytes == 0) return;
  const bool is_tcp = headers.protocol == protocol_tcp;
  const u32 watch = watch_of(flow);
  // A byte beside a SYN proxy's cookie goes nowhere.
  if (is_tcp && watch == Inspector::none && !tcp_opens(headers.tcp_flags)) return;
  const Reason no = is_tcp ? inspect_opening(entry, installed, flow, watch, from, outcome)
                           : inspect_payload(entry, installed, flow, watch, from, true, outcome);
  if (no != Reason::undecided) outcome.reason = no;
}

Reason Pipeline::inspect_opening(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 watch, u32 from,
                                 Outcome& outcome) {
  if (datagram_frames_ != 0) return Reason::inspect_fragment;
  const WatchWish& wish = installed.wishes[outcome.rule];
  const TcpNumbers numbers = tcp_numbers(entry.packet, entry.headers);
  const u32 begins = numbers.sequence + ((numbers.flags & tcp_syn) != 0);
  if (watch == Inspector::none) {
    FlowRecord before = table_.record(flow);
    before.end[from] = begins;
    watch = watch_stream(wish, flow, before);
    if (watch == Inspector::none) return Reason::inspect_full;
  }
  const auto bytes = payload_of(entry.packet, entry.headers);
  const WatchStep step = config_.inspector->watches().segment(watch, wish, flow, from, begins,
                                                              numbers.acknowledgement, bytes, now_);
  return ruling(entry, installed, flow, from, step, outcome);
}

// A packet that is no TCP segment, of a flow that has a watch. `is_beginning`: of a message.
Reason Pipeline::inspect_payload(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 watch, u32 from,
                                 bool is_beginning, Outcome& outcome) {
  Watches& watches = config_.inspector->watches();
  if (const u8 ended = watches.end_of(watch); ended != 0) return static_cast<Reason>(ended);
  if (datagram_frames_ != 0) return Reason::inspect_fragment;
  const WatchWish& wish = installed.wishes[installed.policy.rule_of(table_.record(flow).decision)];
  const auto bytes = payload_of(entry.packet, entry.headers);
  const WatchStep step = watches.packet(watch, wish, flow, from, bytes, is_beginning, now_);
  return ruling(entry, installed, flow, from, step, outcome);
}

// An ICMP error about an inspected flow: what it quotes could be anything.
Reason Pipeline::inspect_error(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 from,
                               Outcome& outcome) {
  const u32 watch = watch_of(flow);
  if (watch != Inspector::none) return inspect_payload(entry, installed, flow, watch, from, true, outcome);
  const WatchWish* const wish = wish_of(installed, table_.record(flow));
  if (wish == nullptr) return Reason::undecided;
  const auto bytes = payload_of(entry.packet, entry.headers);
  return ruling(entry, installed, flow, from, config_.inspector->watches().once(*wish, from, bytes, now_), outcome);
}

// What comes of a look: undecided, or why the packet does not pass.
Reason Pipeline::ruling(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 from,
                        const WatchStep& step, Outcome& outcome) {
  const u64 asked = installed.policy.look(installed.policy.rule_of(table_.record(flow).decision)).inspections;
  switch (step.answer) {
    case WatchAnswer::passes: break;
    case WatchAnswer::ahead: return Reason::stream_ahead;
    case WatchAnswer::differs: return end_watched(flow, Reason::stream_differs);
    case WatchAnswer::busy: {
      bool ends = false;
      each_inspection(installed, asked, [&](const auto& one) { ends |= one.busy == image::Busy::deny; });
      return ends ? end_watched(flow, Reason::inspect_busy) : Reason::inspect_busy;
    }
  }
  if (step.found == 0) return Reason::undecided;
  u8 ending = step.found & found_protocol, told = 0;
  u32 most = 0;
  each_inspection(installed, asked, [&](const image::Inspection& one) {
    const u8 concern = concern_of(one, from, step);
    u8 ends = one.on_match == image::OnMatch::alert ? 0 : concern & ~found_opaque;
    if (one.opaque == image::Opaque::deny) ends |= concern & found_opaque;
    if (now_ < one.monitor_until) ends = 0;
    ending |= ends;
    told |= concern & ~ends;
    if ((ends & ~found_opaque) != 0 && one.on_match == image::OnMatch::quarantine)
      most = std::max(most, most_quarantined(installed, one));
  });
  if (((ending | told) & found_signature) != 0) outcome.found = static_cast<u16>(step.signatures.pattern);
  const Reason reason = reason_of_found(ending != 0 ? ending : told);
  if ((ending | told) != 0) keep_evidence(entry, installed, flow, outcome, reason);
  if (ending == 0) {
    if (told != 0) tell_found(entry, outcome, reason);
    return Reason::undecided;
  }
  if (most != 0) cut_off(entry, installed, most);
  return end_watched(flow, reason);
}

// The flow says no more, nor does what goes the other way of it.
Reason Pipeline::end_watched(u32 flow, Reason reason) {
  const auto end = [&](u32 one) {
    const u32 watch = one == no_flow ? Inspector::none : watch_of(one);
    if (watch != Inspector::none) config_.inspector->watches().end_of(watch) = static_cast<u8>(reason);
  };
  end(flow);
  if (table_.record(flow).key.flow_class() == FlowClass::rdma) end(partner_of(flow));
  return reason;
}

// The port by which it came, where that is somebody's: what came from elsewhere is not its host's doing.
void Pipeline::cut_off(const Entry& entry, const InstalledPolicy& installed, u32 most) {
  const u32 port = entry.packet.port;
  if (config_.quarantine == nullptr || (installed.named_ports >> port & 1) == 0) return;
  config_.quarantine->cut_off(port, most);
  note_quarantine();
}

void Pipeline::tell_found(const Entry& entry, const Outcome& outcome, Reason reason) {
  Outcome told = outcome;
  told.reason = reason;
  emit(EventKind::inspect_alert, entry, told);
}

}  // namespace weir
