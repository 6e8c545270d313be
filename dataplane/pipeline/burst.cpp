// The stages and how they overlap. What a packet means is in known_flow.hpp, flow_path.cpp and link_path.cpp.
#include "dataplane/pipeline/burst.hpp"

#include "dataplane/base/check.hpp"
#include "dataplane/pipeline/short_way.hpp"

#include <algorithm>

namespace weir {
namespace {

// Ageing goes by packets decided, not by bursts or calls, so that what a full table answers does not depend on how
// packets fell into bursts.
constexpr u32 packets_per_ageing = 256;
constexpr u32 deadlines_per_ageing = 128;

constexpr u32 packets_per_turn = 8;

Departures departures_to(Inspector& inspector) {
  return {&inspector, [](void* self, u32 flow) { static_cast<Inspector*>(self)->leave(flow); },
          [](void* self) { static_cast<Inspector*>(self)->leave_all(); }};
}

// What no round of ageing has reached for so long is looked at at once: deadlines could not be told apart much longer.
// A jump so far is further than any deadline lies ahead, so all have passed.
constexpr Tick unlooked_max = beats_apart_max;
static_assert(beats_apart_max + 2 * beat_us < beat_us << 15);

}  // namespace

Pipeline::Pipeline(const PipelineConfig& config, FlowTable& table, WorkerCounters& counters)
    : config_(config),
      table_(table),
      counters_(counters),
      packets_until_ageing_(packets_per_ageing),
      shadow_(config.events, counters, config.secret) {
  WEIR_CHECK(config.workers >= 1 && config.workers <= workers_max && config.self < config.workers);
  if (config.floods != nullptr) table_.count_with(config.floods->census());
  WEIR_CHECK((config.till == nullptr) == (config.bills == nullptr));
  if (config.bills != nullptr) table_.charge_with(*config.bills);
  if (config.inspector != nullptr) table_.tell_departures(departures_to(*config.inspector));
  table_.shorten_when_filling();
  mirroring_.takes_whole_way = config.name_segments;
}

BurstResult Pipeline::process(std::span<const Packet> packets, const InstalledPolicy* policy,
                              std::span<Outcome> outcomes, std::span<Misdirected> misdirected) {
  check_room(packets, outcomes, misdirected);
  out_ = outcomes.data();
  astray_ = misdirected.data();
  newest_ = newest_ == 2 ? 0 : newest_ + 1;
  Stage& entering = stages_[newest_];
  Stage& matching = stages_[newest_ == 0 ? 2 : newest_ - 1];
  Stage& deciding = stages_[newest_ == 2 ? 0 : newest_ + 1];
  const u32 taken = static_cast<u32>(packets.size()), matched = matching.count, decided = deciding.count;
  entering.count = 0;
  settled_ = ~Tick{0};
  const bool charges = policy != nullptr && policy->has_charges && config_.bills != nullptr;
  // The stages take turns, a few packets each, so that the lines one asks for are spread over the work of the others.
  for (u32 first = 0; first < burst_packets_max; first += packets_per_turn) {
    const u32 end = first + packets_per_turn;
    const u32 had = entering.count;
    for (u32 i = first; i < std::min(end, taken); ++i) {
      const u32 owner = take(packets[i], entering);
      if (owner != config_.self) *astray_++ = {packets[i].token, owner, false};
    }
    for (u32 i = had; i < entering.count; ++i) table_.prefetch_bucket(entering.entries[i].headers.hash);
    for (u32 i = first; i < std::min(end, matched); ++i)
      matching.entries[i].guess = table_.guess(matching.entries[i].headers.hash);
    if (charges) [[unlikely]]
      fetch_charges(matching, deciding, first);
    for (u32 i = first; i < std::min(end, decided); ++i) table_.prefetch_record(deciding.entries[i].guess);
    for (u32 i = first; i < std::min(end, decided); ++i) decide(deciding.entries[i], policy);
  }
  deciding.count = 0;
  const auto handed_over = static_cast<u32>(astray_ - misdirected.data());
  count_burst(taken, handed_over);
  return {static_cast<u32>(out_ - outcomes.data()), handed_over};
}

BurstResult Pipeline::process_at_once(std::span<const Packet> packets, const InstalledPolicy* policy,
                                      std::span<Outcome> outcomes, std::span<Misdirected> misdirected) {
  WEIR_CHECK(idle());
  check_room(packets, outcomes, misdirected);
  out_ = outcomes.data();
  astray_ = misdirected.data();
  settled_ = ~Tick{0};
  Stage& stage = stages_[newest_];
  for (const Packet& packet : packets) {
    const u32 owner = take(packet, stage);
    if (owner != config_.self) *astray_++ = {packet.token, owner, false};
  }
  const std::span<Entry> entries(stage.entries, stage.count);
  for (const Entry& entry : entries) table_.prefetch_bucket(entry.headers.hash);
  for (Entry& entry : entries) entry.guess = table_.guess(entry.headers.hash);
  if (policy != nullptr && policy->has_charges && config_.bills != nullptr) [[unlikely]]
    for (const Entry& entry : entries) table_.prefetch_bill(entry.guess);
  for (const Entry& entry : entries) table_.prefetch_record(entry.guess);
  for (const Entry& entry : entries) decide(entry, policy);
  stage.count = 0;
  const auto handed_over = static_cast<u32>(astray_ - misdirected.data());
  count_burst(static_cast<u32>(packets.size()), handed_over);
  return {static_cast<u32>(out_ - outcomes.data()), handed_over};
}

void Pipeline::check_room(std::span<const Packet> packets, std::span<Outcome> outcomes,
                          std::span<Misdirected> misdirected) const {
  WEIR_CHECK(packets.size() <= burst_packets_max && outcomes.size() >= outcomes_max);
  WEIR_CHECK(config_.workers == 1 || misdirected.size() >= (config_.fragments ? misdirected_max : packets.size()));
}

// A flow's bill is found by three loads, each from the one before: its number starts loading when the flow is guessed,
// the bill at the end of that call, and what the bill names a turn before the packet is decided.
void Pipeline::fetch_charges(const Stage& matching, const Stage& deciding, u32 first) {
  const auto in_turn = [&](const Stage& stage, u32 from, u32 end, auto&& fetch) {
    for (u32 i = from; i < std::min(end, stage.count); ++i)
      if (stage.entries[i].guess != no_flow) fetch(stage.entries[i].guess);
  };
  const u32 next = first + packets_per_turn;
  in_turn(deciding, first == 0 ? 0 : next, next + packets_per_turn, [&](u32 guess) {
    const Bill& bill = (*config_.bills)[table_.bill(guess)];
    for (const LimitUse& use : bill.limits()) config_.bills->limits().prefetch(use.cell);
    for (const u32 from : {0u, 1u})
      if (!bill.draws(from).empty()) config_.till->prefetch(bill.draws(from)[0]);
  });
  in_turn(matching, first, next, [&](u32 guess) { table_.prefetch_bill(guess); });
  if (next == burst_packets_max)
    in_turn(matching, 0, next, [&](u32 guess) { config_.bills->prefetch(table_.bill(guess)); });
}

u32 Pipeline::drain(const InstalledPolicy* policy, std::span<Outcome> outcomes) {
  return process({}, policy, outcomes, {}).outcomes;
}

bool Pipeline::idle() const { return stages_[0].count + stages_[1].count + stages_[2].count == 0; }

u32 Pipeline::age(Tick now, const InstalledPolicy* policy, std::span<Outcome> outcomes) {
  if (!idle()) return 0;
  WEIR_CHECK(config_.fragments == nullptr || outcomes.size() >= outcomes_max);
  out_ = outcomes.data();
  begin_time(now);
  settle(policy, now);
  age_some(deadlines_per_ageing);
  counters_.heartbeat.set(now_);
  counters_.flows_live.set(table_.live());
  return static_cast<u32>(out_ - outcomes.data());
}

u32 Pipeline::abandon(const InstalledPolicy* policy, std::span<Outcome> outcomes) {
  WEIR_CHECK(outcomes.size() >= outcomes_max);
  out_ = outcomes.data();
  mirroring_.judging = policy;
  drop_late(~Tick{0} - 1, policy == nullptr ? 0 : policy->generation);
  return static_cast<u32>(out_ - outcomes.data());
}

void Pipeline::adopt(const InstalledPolicy* policy) {
  if (policy == nullptr || config_.inspector == nullptr) return;
  const bool has = config_.self < policy->scanners.size();
  config_.inspector->watches().use(has ? policy->scanners[config_.self] : Scanner{});
}

// Nothing goes to such a port either: what comes in on the other side of its pair.
void Pipeline::note_quarantine() {
  const u32 ports = config_.quarantine->ports();
  cut_ports_ = ports | (ports & 0x5555'5555) << 1 | (ports & 0xaaaa'aaaa) >> 1;
  if (aside_.has_changed(config_.quarantine->list())) epoch_ends_ = wake_ = 0;  // what is open is judged anew
}

void Pipeline::flush() {
  table_.clear();
  sweep_.clear();
  counters_.flows_live.set(0);
}

// Parses the packet into the stage and returns this worker; or another one that owns it, and it is not taken.
inline u32 Pipeline::take(const Packet& packet, Stage& into) {
  Entry& entry = into.entries[into.count];
  entry.packet = packet;
  parse_into(entry.headers, {packet.data, packet.bytes}, {config_.secret, packet.port / 2u});
  if (config_.workers > 1 && entry.headers.well_formed() && !packet.is_gathered) {
    const u32 owner = owner_of(entry.headers.hash, config_.workers);
    if (owner != config_.self) return owner;
  }
  ++into.count;
  return config_.self;
}

inline void Pipeline::decide(const Entry& entry, const InstalledPolicy* policy) {
  begin_packet(policy, entry.packet.time);
  if (policy == nullptr || mirroring_.takes_whole_way || !goes_the_short_way(entry, *policy)) [[unlikely]]
    decide_whole_way(entry, policy);
}

[[gnu::noinline]] void Pipeline::decide_whole_way(const Entry& entry, const InstalledPolicy* policy) {
  if (mirroring_.ring != nullptr) [[unlikely]]
    note_flow(entry);
  if (entry.headers.kind == PacketKind::fragment && entry.headers.well_formed() && policy != nullptr) [[unlikely]]
    return decide_fragment(entry, *policy);
  Outcome& outcome = *out_++;
  outcome = Outcome{};
  outcome.token = entry.packet.token;
  credit_covers_ = false;
  talk_ = nullptr;
  if (policy != nullptr) [[likely]] {
    decide_packet(entry, *policy, outcome);
    if (policy->has_charges) charge(entry, *policy, outcome);
    if (policy->looks_by_packet) scrub_packet(entry, *policy, outcome);
  } else {
    outcome.reason = entry.headers.well_formed() ? Reason::no_policy : entry.headers.drop;
  }
  count_decided(entry, outcome);
  if (config_.name_segments && policy != nullptr) name_segments(entry, *policy, outcome);
}

inline void Pipeline::count_decided(const Entry& entry, const Outcome& outcome) {
  if (outcome.reason == Reason::flow_established) [[likely]] {
    ++established_packets_;
    established_bytes_ += entry.packet.bytes;
    if (outcome.flow_is_new) [[unlikely]]  // the first packet of a queue pair that had been announced
      hits_.count(outcome.rule, true, outcome.verdict, entry.headers.tunnels, now_);
    if (mirroring_.ring != nullptr) [[unlikely]]
      show(entry, outcome);
  } else {
    count_outcome(entry, outcome);
  }
}

// What is counted once a burst: nearly every packet's reason among it.
void Pipeline::count_burst(u32 taken, u32 handed_over) {
  ReasonCounter& counter = counters_.reasons[static_cast<u8>(Reason::flow_established)];
  counter.packets.add(established_packets_);
  counter.bytes.add(established_bytes_);
  established_packets_ = established_bytes_ = 0;
  counters_.received.add(taken);
  counters_.handed_over.add(handed_over);
  counters_.bursts.add(taken != 0);
  counters_.heartbeat.set(now_);
  counters_.flows_live.set(table_.live());
}

// What must hold before any packet is decided: nothing is held for too long, cached decisions belong to this policy and
// to this time, and idle flows make room. All but the last follow from policy and time, which a burst mostly shares.
inline void Pipeline::begin_packet(const InstalledPolicy* policy, Tick now) {
  if (now != settled_) [[unlikely]]
    settle(policy, now);
  if (policy == nullptr || --packets_until_ageing_ != 0) [[likely]]
    return;
  packets_until_ageing_ = packets_per_ageing;
  age_some(deadlines_per_ageing);
}

void Pipeline::settle(const InstalledPolicy* policy, Tick now) {
  settled_ = now;
  mirroring_.judging = policy;
  if (config_.quarantine != nullptr) note_quarantine();
  if (policy != nullptr && policy->installation != epoch_installation_) adopt(policy);
  if (now >= late_) drop_late(now, policy == nullptr ? 0 : policy->generation);
  if (policy == nullptr) return;
  if (now != now_) begin_time(now);
  if (policy->installation != epoch_installation_ || now >= wake_) wake(*policy);
}

void Pipeline::begin_time(Tick now) {
  const bool overdue = now - looked_through_ > unlooked_max, all_expired = now - now_ > unlooked_max;
  // First by the time before: from then to what waits for ageing, and from then to now, are each near enough.
  if (overdue && !all_expired) [[unlikely]]
    age_all();
  now_ = now;
  now_beat_ = beat_of(now);
  if (!overdue) [[likely]]
    return;
  if (all_expired && table_.live() != 0) flush();
  age_all();
}

void Pipeline::age_all() {
  round_began_ = now_;
  age_some(table_.capacity());
}

void Pipeline::age_some(u32 deadlines) {
  counters_.flows_expired.add(table_.age(now_beat_, deadlines, config_.secret));
  round_left_ -= std::min(deadlines, round_left_);
  if (round_left_ != 0) return;
  looked_through_ = round_began_;
  round_began_ = now_;
  round_left_ = table_.capacity();
}

inline void Pipeline::decide_packet(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  outcome.generation = installed.generation;
  if (!headers.well_formed()) {
    outcome.reason = headers.drop;
    outcome.depth = headers.tunnels;
  } else if (const Reason doubt = port_doubt(entry, installed); doubt != Reason::undecided) [[unlikely]] {
    outcome.reason = doubt;
  } else if (!aside_.is_empty() && aside_.holds(headers, now_, outcome.depth)) [[unlikely]] {
    outcome.reason = Reason::quarantined_host;
  } else if (!is_intact(entry.packet, headers, installed)) {
    const bool is_summed = is_summed_right(entry.packet, headers, installed);
    outcome.reason = is_summed ? Reason::roce_icrc_bad : Reason::l4_checksum_bad;
  } else if (headers.tunnels != 0 && !outsides_allowed(entry, installed, outcome)) [[unlikely]] {
    // the outcome says why
  } else if (headers.kind == PacketKind::flow) [[likely]] {
    if (installed.uet_jobs != 0 && headers.protocol == protocol_udp && headers.target_port == uet_port)
      outcome.reason = uet_doubt(entry, installed);
    if (outcome.reason == Reason::undecided) [[likely]]
      flow_packet(entry, installed, outcome);
  } else if (headers.kind == PacketKind::icmp_error) {
    icmp_error(entry, installed, outcome);
  } else {
    link_packet(entry, installed, outcome);
  }
  outcome.verdict = verdict_of(outcome.reason);
}

void Pipeline::decide_whole(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  decide_packet(entry, installed, outcome);
  if (installed.has_charges) charge(entry, installed, outcome);
}

void Pipeline::count_outcome(const Entry& entry, const Outcome& outcome) {
  ReasonCounter& counter = counters_.reasons[static_cast<u8>(outcome.reason)];
  counter.packets.add(1);
  counter.bytes.add(entry.packet.bytes);
  hits_.count(outcome.rule, outcome.flow_is_new, outcome.verdict, entry.headers.tunnels, now_);
  if (outcome.verdict == Verdict::drop && row(outcome.reason).stage != "parse")
    emit(EventKind::packet_dropped, entry, outcome);
  if (mirroring_.ring != nullptr) [[unlikely]]
    show(entry, outcome);
}

void Pipeline::name_segments(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  const u16 port = entry.packet.port;
  if (!headers.well_formed() || port >= installed.ports) return;
  const PacketKind kind = headers.kind;
  const bool is_link = kind != PacketKind::flow && kind != PacketKind::icmp_error && kind != PacketKind::fragment;
  if (is_link && outcome.depth == headers.tunnels) return;
  const Outside at = layer_of(headers, outcome.depth);
  const Classes classes = classes_of(installed, at.place, port);
  outcome.source_segment = installed.policy.source_segment(classes.source, at.source);
  outcome.target_segment = installed.policy.target_segment(classes.target, at.target);
}

void Pipeline::emit(EventKind kind, const Entry& entry, const Outcome& outcome) {
  if (config_.events == nullptr) return;
  const Headers& headers = entry.headers;
  const Outside at = layer_of(headers, outcome.depth);
  const bool innermost = outcome.depth == headers.tunnels;
  const u16 icmp_message = static_cast<u16>(headers.icmp_type << 8 | headers.icmp_code);
  const u16 target_number = is_icmp_protocol(at.protocol) ? icmp_message : at.target_port;
  const u32 place = innermost && headers.kind == PacketKind::flow ? headers.key.place() : at.place;
  config_.events->push({entry.packet.time, static_cast<u32>(outcome.generation), outcome.rule, at.source, at.target,
                        innermost ? headers.source_port : u16{0}, target_number, kind, outcome.reason,
                        at.protocol, static_cast<u8>(entry.packet.port),
                        outcome.found == nothing_found ? no_detail : outcome.found, place});
}

}  // namespace weir
