// process(): a burst of frames in, decisions out. The one path that judges packets, in the dataplane, in replay, in
// explain, in fuzzers and in benchmarks.
//
// Stages overlap across bursts: while burst k is parsed and its table buckets start loading, burst k-1 matches tags
// and its records start loading, and burst k-2 is decided. So outcomes come out two calls after their packets went
// in; drain() brings out the rest. Decisions are those of taking the packets one by one in order: the decide stage
// alone reads and writes state, and the earlier stages only hint.
//
// Threads: one per Pipeline. Memory: all lent. No clock, heap, log, exception or system call.
#pragma once
#include "dataplane/base/limits.hpp"
#include "dataplane/flow/bills.hpp"
#include "dataplane/flow/asked.hpp"
#include "dataplane/flow/cookie.hpp"
#include "dataplane/flow/idle_times.hpp"
#include "dataplane/flow/reassembly.hpp"
#include "dataplane/flow/table.hpp"
#include "dataplane/flow/window.hpp"
#include "dataplane/inspect/inspector.hpp"
#include "dataplane/inspect/quarantine.hpp"
#include "dataplane/packet/parse.hpp"
#include "dataplane/pipeline/aside.hpp"
#include "dataplane/pipeline/flood.hpp"
#include "dataplane/pipeline/hits.hpp"
#include "dataplane/pipeline/mirroring.hpp"
#include "dataplane/pipeline/outcome.hpp"
#include "dataplane/pipeline/shadow_watch.hpp"
#include "dataplane/pipeline/slot.hpp"
#include "dataplane/pipeline/sweep.hpp"
#include "dataplane/rdma/rdma.hpp"
#include "dataplane/share/events.hpp"
#include "dataplane/share/evidence.hpp"

#include <span>

namespace weir {

class DnsLimits;

// Who is told of queue pairs that were learned here, so that other workers learn of them.
struct Teaching {
  void* self = nullptr;
  void (*tell)(void* self, const LearnedPair& pair) = nullptr;
};

struct PipelineConfig {
  HashKey secret;      // the same for all workers of a process: it also chooses the owner
  SipKey cookie_secret{};  // of SYN cookies, which everybody may see: nothing else is made with it
  u32 workers = 1;     // how many share the traffic
  u32 self = 0;        // which of them this is
  EventRing* events = nullptr; // lent; null: no events
  Floods* floods = nullptr;    // lent, this pipeline's alone; null: where policy states a ceiling, no flow opens
  Reassembly* fragments = nullptr;  // lent, this pipeline's alone; null: fragments are dropped
  Rdma* rdma = nullptr;    // lent, this pipeline's alone; null: no queue pair opens
  Till* till = nullptr;    // lent, this pipeline's alone; null: what a budget covers is dropped
  Bills* bills = nullptr;  // likewise, where there is a till; null: what a budget or a limit covers is dropped
  DnsLimits* dns = nullptr;  // lent, this pipeline's alone; null: where terms of DNS are kept, nobody may ask
  Inspector* inspector = nullptr;  // lent, this pipeline's alone; null: what policy wants inspected does not begin
  Quarantine* quarantine = nullptr;  // of all workers; null: no port is ever cut off
  EvidenceRing* evidence = nullptr;  // lent, this pipeline's alone; null: none is kept
  MirrorRing* mirror = nullptr;  // lent, this pipeline's alone; null: nothing is shown
  Teaching teach = {};
  bool name_segments = false;  // fill the segments of each outcome: for decision lines, not for speed
};

// By the highest 16 bits alone: of RDMA they are the same for all queue pairs of two hosts.
inline u32 owner_of(u64 hash, u32 workers) { return static_cast<u32>((hash >> 48) * workers >> 16); }

struct BurstResult {
  u32 outcomes;
  u32 misdirected;
};

// A call may end what it was given, and every frame that is held besides.
inline constexpr u32 outcomes_max = 2 * burst_packets_max + held_frames_max;
inline constexpr u32 misdirected_max = outcomes_max;

class QueuePair;
enum class QueuePairState : u8;
struct Bth;
struct CmMessage;
struct PairOffer;
struct RdmaRights;

class Pipeline {
 public:
  // `table` and `counters` belong to this pipeline alone while it lives.
  Pipeline(const PipelineConfig& config, FlowTable& table, WorkerCounters& counters);
  Pipeline(const Pipeline&) = delete;

  // Takes up to burst_packets_max packets; writes the outcomes of an earlier burst (room for outcomes_max) and
  // this burst's misdirected packets (room for burst_packets_max; for misdirected_max where fragments are held, since
  // a datagram is misdirected once it is whole). `policy` decides the outcomes written now. Frames that had been held
  // end right before the packet that ends them. An empty burst brings out the oldest one still inside.
  BurstResult process(std::span<const Packet> packets, const InstalledPolicy* policy, std::span<Outcome> outcomes,
                      std::span<Misdirected> misdirected);
  // As process(), for a pipeline that is idle() and stays so: the outcomes are these packets' own. Cheaper where few
  // packets come at a time; where many do, nothing hides what the tables take to load.
  BurstResult process_at_once(std::span<const Packet> packets, const InstalledPolicy* policy,
                              std::span<Outcome> outcomes, std::span<Misdirected> misdirected);
  // As process() with an empty burst, for a pipeline of one worker. Call until idle() holds.
  u32 drain(const InstalledPolicy* policy, std::span<Outcome> outcomes);
  // Nothing is inside but what is held.
  bool idle() const;
  // How many frames are held.
  u32 held() const { return config_.fragments == nullptr ? 0 : config_.fragments->held(); }
  // Drops what is held, as if its time were over; returns how many outcomes it wrote (room for outcomes_max).
  u32 abandon(const InstalledPolicy* policy, std::span<Outcome> outcomes);

  // What packets would do on their way, while none comes in: frees flows whose time has passed, looking at a bounded
  // number of deadlines, and judges again what `policy` (as for process()) has not judged yet. Does nothing unless
  // idle(): a packet inside may be older than `now` and would find its flow gone. Returns how many outcomes it wrote
  // (room for outcomes_max where fragments are held): of held frames whose time is over.
  u32 age(Tick now, const InstalledPolicy* policy, std::span<Outcome> outcomes = {});
  // What `policy` scans with is used from now on. For an edge that tells others that its last policy is not used any
  // more; else process() and age() do it in time.
  void adopt(const InstalledPolicy* policy);
  // The mark of flows that were judged by this policy; epoch_stale where none has been yet.
  u32 epoch_of(const InstalledPolicy* policy) const {
    return policy != nullptr && policy->installation == epoch_installation_ ? sweep_.epoch() : epoch_stale;
  }
  // Whether packets are to be shown, and which, from now on. Between two calls, often: one shared word is read.
  void listen();
  // Queue pairs that somebody else has been told of: another worker, another instance.
  void learn(const LearnedPair& pair);
  // Forgets every flow. Frames still inside are judged afterwards, as without flows.
  void flush();

 private:
  friend class Keeping;
  struct Entry {
    Packet packet;
    Headers headers;
    u32 guess;
  };
  struct Stage {
    Entry entries[burst_packets_max];
    u32 count = 0;
  };

  void check_room(std::span<const Packet> packets, std::span<Outcome> outcomes,
                  std::span<Misdirected> misdirected) const;
  u32 take(const Packet& packet, Stage& into);
  void fetch_charges(const Stage& matching, const Stage& deciding, u32 first);
  void decide(const Entry& entry, const InstalledPolicy* policy);
  bool goes_the_short_way(const Entry& entry, const InstalledPolicy& installed);
  void decide_whole_way(const Entry& entry, const InstalledPolicy* policy);
  void count_decided(const Entry& entry, const Outcome& outcome);
  void decide_fragment(const Entry& entry, const InstalledPolicy& installed);
  Reason fragment_doubt(const Entry& entry, const InstalledPolicy& installed);
  void decide_datagram(const Entry& last, std::span<const Piece> pieces, const InstalledPolicy& installed);
  void drop_held(std::span<const Piece> pieces, Reason reason, u16 port, u64 generation);
  void drop_late(Tick now, u64 generation);
  Reason port_doubt(const Entry& entry, const InstalledPolicy& installed);
  void count_burst(u32 taken, u32 handed_over);

  void begin_packet(const InstalledPolicy* policy, Tick now);
  void settle(const InstalledPolicy* policy, Tick now);
  void begin_time(Tick now);
  void age_some(u32 deadlines);
  void age_all();
  void wake(const InstalledPolicy& installed);
  void begin_epoch(const InstalledPolicy& installed);
  void sweep(const InstalledPolicy& installed, u32 records, bool all);
  void judge_group(const InstalledPolicy& installed, u32 first, u32 count, bool all);
  Reason allow_again(const InstalledPolicy& installed, u32 flow, const Question& question, const Judgement& judgement);
  void revoke(const InstalledPolicy& installed, u32 flow, const Question& question, const Judgement& judgement);
  void decide_packet(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  bool outsides_allowed(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  void tunnel_error(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  void decide_whole(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  void flow_packet(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  void known_flow(const Entry& entry, const InstalledPolicy& installed, u32 flow, Outcome& outcome);
  void first_packet(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  bool passes_floods(const Entry& entry, const InstalledPolicy& installed, const Judgement& judgement,
                     Outcome& outcome);
  bool attempts_scan(const Entry& entry, Outcome& outcome);
  void reject(const Entry& entry, Outcome& outcome);
  void compare_opened(const Entry& entry, const InstalledPolicy& installed, const Judgement& live, bool from_opener);
  void compare_denied(const Entry& entry, const InstalledPolicy& installed, const Judgement& live);
  void compare_outside(const Entry& entry, const InstalledPolicy& installed, u8 depth, const Judgement& live);
  void compare_flows(const InstalledPolicy& installed, std::span<const u32> flows, std::span<const Judgement> live);
  void compare_offer(const InstalledPolicy& installed, const PairOffer& offer, const Judgement& live);
  void compare_first_use(const Entry& entry, const InstalledPolicy& installed, const Judgement& live);
  void tcp_rest(const Entry& entry, const InstalledPolicy& installed, u32 flow, TcpFate fate, Outcome& outcome);
  bool answers_asked(const Entry& entry, const InstalledPolicy& installed, u32 flow, Outcome& outcome);
  void pick_up(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  static Question question_of(const InstalledPolicy& installed, const Entry& entry, bool from_opener);
  static Question question_of(const InstalledPolicy& installed, FlowRecord& record);
  static Question question_of(const InstalledPolicy& installed, const Conversation& talk, const Entry& entry);
  Judgement judge_packet(const Entry& entry, const InstalledPolicy& installed, bool from_opener) const;
  void open_flow(const Entry& entry, const InstalledPolicy& installed, const Judgement& judgement, bool from_opener,
                 bool in_order, Outcome& outcome);
  void rdma_packet(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  void rdma_known(const Entry& entry, const InstalledPolicy& installed, u32 flow, Outcome& outcome);
  void rdma_first(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  void first_use(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  void first_answer(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  void begin_queue_pair(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  Reason queue_pair_doubt(const Entry& entry, const InstalledPolicy& installed, u32 flow, const QueuePair& pair,
                          bool opener);
  bool message_fits(const Entry& entry, const InstalledPolicy& installed, u32 flow, const Bth& bth);
  void adopt_sender(const Entry& entry, u32 flow, Outcome& outcome);
  u32 open_back(u32 known, const Address& source, const Address& target, u32 qp);
  u32 partner_of(u32 flow);
  u32 direction_of(const Address& source, const Address& target, u32 qp, u32 scope) const;
  Judgement ask_again(const InstalledPolicy& installed, u32 flow, const Question& question);
  void set_pair_state(u32 flow, QueuePairState state);
  Judgement judge_offer(const InstalledPolicy& installed, const PairOffer& offer, RdmaRights& rights);
  bool open_queue_pair(const Entry& entry, const InstalledPolicy& installed, const PairOffer& offer,
                       QueuePairState state, Outcome& outcome);
  u32 open_direction(const InstalledPolicy& installed, const PairOffer& offer, const Judgement& judgement, u32 from,
                     FlowKey& key, Outcome& outcome);
  void close_queue_pair(const FlowKey& key, u64 hash);
  static void judge_rights(const InstalledPolicy& installed, FlowRecord& record, Judgement& judgement);
  bool job_is_sealed(const InstalledPolicy& installed, u32 job) const;
  void count_alarm(Alarms::Kind kind, const Entry& entry, const Outcome& outcome, const Address& source,
                   const Address& target);
  void count_refusal(const Entry& entry, const Outcome& outcome, u8 syndrome);
  void tell_members(EventKind kind, const Entry& entry, const Outcome& outcome, const Address& source,
                    const Address& target);
  void watch_members(const Entry& entry, const InstalledPolicy& installed, const Outcome& outcome, u32 job);
  Reason uet_doubt(const Entry& entry, const InstalledPolicy& installed) const;
  bool is_current(const InstalledPolicy& installed, u32 flow);
  Reason read_request(const Entry& entry, const InstalledPolicy& installed, u32 flow);
  bool use_credit(const Entry& entry, QueuePair& pair);
  u64 host_key(const Headers& headers) const;
  u64 read_key(const Headers& headers, bool source_reads) const;
  void cm_packet(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  void cm_request(const Entry& entry, const InstalledPolicy& installed, const CmMessage& message, Outcome& outcome);
  void cm_answer(const Entry& entry, const InstalledPolicy& installed, const CmMessage& message, Conversation* talk,
                 bool from_opener, Outcome& outcome);
  void cm_disconnect(const Entry& entry, const InstalledPolicy& installed, const CmMessage& message, Outcome& outcome);
  void cm_state(const Conversation& talk, QueuePairState state);
  void cm_passes(const Conversation& talk, Outcome& outcome);
  void icmp_error(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  bool proxies(const InstalledPolicy& installed, const Headers& headers, u16 decision);
  bool is_pressed(const InstalledPolicy& installed);
  void answer_syn(const Entry& entry, Outcome& outcome);
  bool open_by_cookie(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  void ask_server(const Entry& entry, Outcome& outcome);
  void proxied_packet(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 from, Outcome& outcome);
  Reason take_watch(const InstalledPolicy& installed, u32 rule, const FlowKey& key, bool in_order, u32& watch);
  Reason watch_again(const InstalledPolicy& installed, u32 flow, u32 rule);
  void attend(u32 flow);
  void watch_flow(u32 flow, u32 watch);
  void give_back(u32 watch);
  u32 watch_stream(const WatchWish& wish, u32 flow, const FlowRecord& before);
  const WatchWish* wish_of(const InstalledPolicy& installed, const FlowRecord& record) const;
  void inspect_first(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 from, Outcome& outcome);
  Reason inspect_opening(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 watch, u32 from,
                         Outcome& outcome);
  u32 watch_of(u32 flow) const;
  void follow(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 from, Outcome& outcome);
  void follow_plainly(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 from, Outcome& outcome);
  void watched_segment(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 watch, u32 from,
                       Outcome& outcome);
  void watched_packet(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 watch, u32 from,
                      Outcome& outcome);
  Reason inspect_segment(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 watch,
                         const FlowRecord& before, const TcpNumbers& sent, u32 from, Outcome& outcome);
  Reason inspect_payload(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 watch, u32 from,
                         bool is_beginning, Outcome& outcome);
  Reason inspect_error(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 from, Outcome& outcome);
  Reason ruling(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 from, const WatchStep& step,
                Outcome& outcome);
  Reason end_watched(u32 flow, Reason reason);
  void cut_off(const Entry& entry, const InstalledPolicy& installed, u32 most);
  void note_quarantine();
  void keep_evidence(const Entry& entry, const InstalledPolicy& installed, u32 flow, const Outcome& outcome,
                     Reason reason);
  void keep_neighbour(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 watch);
  void put_evidence(const Entry& entry, const InstalledPolicy& installed, u32 flow, u16 found, Reason reason,
                    u32 after);
  bool sender_holds_asset(const InstalledPolicy& installed, FlowRecord& record, const Headers& headers) const;
  void tell_found(const Entry& entry, const Outcome& outcome, Reason reason);
  void attended_packet(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 from, Outcome& outcome);
  bool is_translated(u32 flow);
  Handshake* handshake_of(u32 flow);
  void read_handshake(const InstalledPolicy& installed, const Headers& headers, const Packet& packet, u32 flow);
  void end_handshake(const InstalledPolicy& installed, Handshake& slot, u32 flow);
  void read_packet(const Entry& entry, const InstalledPolicy& installed, u32 flow, Handshake& slot, u32 from,
                   Outcome& outcome);
  Reason read_segment(const Entry& entry, const InstalledPolicy& installed, u32 flow, Handshake& slot, u32 from);
  void learn_from(const Entry& entry, const InstalledPolicy& installed, u32 flow, Handshake& slot);
  void pending_client(const Entry& entry, u32 flow, Outcome& outcome);
  void pending_server(const Entry& entry, u32 flow, Outcome& outcome);
  void join(const Entry& entry, u32 flow, Outcome& outcome);
  void replace(const Entry& entry, BareSegment& segment, Reason reason, Outcome& outcome);
  void translate_error(const Entry& entry, u32 flow, u32 quoted_from, Outcome& outcome);
  bool judge_again(const Entry& entry, const InstalledPolicy& installed, u32 flow, Outcome& outcome);
  u32 live_flow(const Entry& entry);
  u32 insert(const FlowKey& key, u64 hash, const InstalledPolicy& installed, const Judgement& judgement,
             Outcome& outcome);
  bool make_room(u32 reserve_class);
  void stand(u32 flow);
  void state_moved(u32 flow, u32 before);
  void link_packet(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  void judge_link(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  void begin_link(const LinkRules& link);
  bool link_affords(const Entry& entry, u32 kind);
  struct Due;
  Load load_of(const Entry& entry) const;
  Reason may_pay(const InstalledPolicy& installed, std::span<const LimitUse> limits, std::span<const Draw> draws,
                 const Load& load);
  void drop_unpaid(const Entry& entry, const InstalledPolicy& installed, Reason reason);
  Reason limit_refusal(const InstalledPolicy& installed, const LimitUse& use, const Load& load, bool counts);
  Reason pay(const InstalledPolicy& installed, std::span<const LimitUse> limits, std::span<const Draw> draws,
             const Load& load);
  Reason pay(const InstalledPolicy& installed, const Due& due, const Load& load);
  bool take_bill(const Bill& content, u32& bill);
  void charge(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  void gather(const Entry& entry, const InstalledPolicy& installed, const Outcome& outcome, Due& due);
  void add_bill(const Headers& headers, u32 flow, u32 back, Due& due);
  void gather_flowless(const Entry& entry, const InstalledPolicy& installed, const Outcome& outcome, Due& due);
  void gather_answer(const Entry& entry, const InstalledPolicy& installed, const Outcome& outcome, Due& due);
  Reason make_bill(const InstalledPolicy& installed, const Question& question, u32 opener_port, Bill& bill);
  Reason open_bill(const InstalledPolicy& installed, const Question& question, u32 opener_port, u32 from,
                   const Load& load, u32& bill);
  bool bill_again(const InstalledPolicy& installed, u32 flow, const Question& question, u32 opener_port);
  Reason look_doubt(const Entry& entry, const InstalledPolicy& installed, u32 rule, bool from_opener);
  static Reason icmp_doubt(const Headers& headers, image::IcmpPayload policy);
  Reason dns_doubt(const Entry& entry, const InstalledPolicy& installed, const image::DnsTerms& terms,
                   std::span<const u8> bytes, bool from_opener);
  void scrub_packet(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  u16 next_identification();
  void count_outcome(const Entry& entry, const Outcome& outcome);
  void name_segments(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome);
  void show(const Entry& entry, const Outcome& outcome);
  void note_flow(const Entry& entry);
  MirroredFlow sight_of(const InstalledPolicy& installed, u32 flow, const Headers& headers);
  MirroredJudgement asked_of(const Entry& entry, const InstalledPolicy& installed, u32 flow);
  bool may_hold_asset(const Entry& entry, const InstalledPolicy* installed) const;
  void emit(EventKind kind, const Entry& entry, const Outcome& outcome);

  PipelineConfig config_;
  IdleTimes idle_;             // of the policy that the epoch belongs to
  FlowTable& table_;
  WorkerCounters& counters_;
  Stage stages_[3];
  u32 newest_ = 0;
  u32 packets_until_ageing_;
  u32 round_left_ = 0;         // deadlines until ageing has looked at all of them once more
  Tick round_began_ = 0;
  Tick looked_through_ = 0;    // every flow whose time had passed by then has been forgotten
  u64 established_packets_ = 0, established_bytes_ = 0;  // of this burst, not yet in counters_
  Sweep sweep_;                // its epoch moves on when cached decisions must be judged again
  u64 epoch_installation_ = 0; // of the policy that the epoch belongs to
  Tick epoch_ends_ = 0;        // when the next allow of that policy expires
  Tick wake_ = 0;              // when the epoch ends or the sweep goes on
  u32 cut_ports_ = 0;          // bit per port index: nothing comes in by it, since a host there is in quarantine
  bool pressed_ = false;       // half-open flows are many: handshakes are answered, where policy says so
  Tick cookies_until_ = 0;     // no cookie holds any more from then on
  Tick settled_ = ~Tick{0};    // the time for which settle() has been called, during this call
  Tick now_ = 0;               // of the packet being decided
  Beat now_beat_ = 0;          // the same as deadlines count it
  Tick late_ = ~Tick{0};       // when held frames must end
  u64 link_byte_us_ = 0, link_ahead_us_ = 0;  // what a byte of a kind of [link] takes of a day, and how far it may run
  Tick link_due_[ports_max][4] = {};          // by port and kind: when the next byte is due
  bool credit_covers_ = false; // the packet being decided is a READ response that has been paid for
  u32 identifications_ = 0;    // given to packets in their senders' place
  const Conversation* talk_ = nullptr;  // of connection managers, that the packet being decided is part of
  u64 datagram_bytes_ = 0;     // of all its frames, while a datagram is decided that came in fragments
  u32 datagram_frames_ = 0;
  Mirroring mirroring_;        // asked by every packet whether there is any
  Outcome* out_ = nullptr;     // during a call: where the next outcome goes
  Misdirected* astray_ = nullptr;  // likewise
  AskedSyns asked_;
  Hits hits_;
  Aside aside_;
  ShadowWatch shadow_;
};

}  // namespace weir
