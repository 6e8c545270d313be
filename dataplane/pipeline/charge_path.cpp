// The last question before a packet leaves: whether limits and budgets let it. A flow's bill says what it draws on, and
// is made when the flow begins and whenever policy is asked again; what no flow carries is looked up packet by packet.
// Every byte that leaves is debited before, at the size of its frame: tunnels once, at the outer size; fragments each;
// what Weir itself writes, to the segment it claims to come from. Whatever cannot be charged does not leave.
#include "dataplane/pipeline/short_way.hpp"

namespace weir {
namespace {

// A host is its port where that is attached to a segment, else its address, IPv6 by /64.
Address host_of(const InstalledPolicy& installed, u16 port_class, u32 port, const Address& address) {
  const bool is_attached = port_class != 0 && port_class < installed.policy.view().port_classes_count;
  if (is_attached) return {host_port_mark, port};
  return address.is_ipv4() ? address : Address{address.high, 0};
}

// One direction: who sends, and by which charge.
struct Way {
  u32 charge;
  u16 port_class;
  u32 port;
  Address source;
};

// Writes what the account asks of one direction, by `add`; false where a host has no purses yet.
template <class Add>
bool add_account(const InstalledPolicy& installed, Till* till, const image::ChargeAccount& one, const Way& way,
                 Tick now, const Add& add) {
  const image::Budget& budget = installed.charges.budget_of(one.account);
  const AccountSeat seat = one.account < installed.seats.size() ? installed.seats[one.account] : AccountSeat{};
  Draw draw{};
  draw.counts_payload = budget.count == image::Count::payload;
  draw.surcharge = budget.surcharge & surcharge_max;
  draw.is_open = budget.on_exceed == image::Exceed::alert || now < budget.monitor_until;
  const Address host = host_of(installed, way.port_class, way.port, way.source);
  const auto of_host = [&](u32 number) { return till == nullptr ? no_purse : till->host_purse(number, host); };
  const u32 first = seat.seat != 0 ? of_host(seat.seat) : seat.first;
  const u32 share = seat.share_seat != 0 ? of_host(seat.share_seat) : no_purse;
  if ((first == no_purse || (seat.share_seat != 0 && share == no_purse)) && !draw.is_open) return false;
  if (first == no_purse) return add(draw), true;
  const auto put = [&](u32 part, bool or_next, bool is_bucket) {
    Draw made = draw;
    made.purse = first + part;
    made.or_next = or_next;
    made.is_bucket = is_bucket;
    add(made);
  };
  for (u32 reserve = 0; reserve < budget.reserves_count; ++reserve)
    if (one.reserves >> reserve & 1) put(reserve, true, false);
  const bool throttles = budget.on_exceed == image::Exceed::throttle;
  put(budget.reserves_count, throttles, false);
  if (throttles) put(budget.reserves_count + 1, false, true);
  if (share == no_purse) return true;
  draw.purse = share;
  return add(draw), true;
}

template <class Add>
bool add_way(const InstalledPolicy& installed, Till* till, const Way& way, Tick now, const Add& add) {
  bool all = true;
  for (const image::ChargeAccount& one : installed.charges.accounts(way.charge))
    all = add_account(installed, till, one, way, now, add) && all;
  return all;
}

u64 limit_key(const LimitRate& rate, const Question& question, const HashKey& secret) {
  enum { rule, source, target, pair };
  u64 key = fold_multiply(rate.identity ^ secret.words[0], secret.words[1] ^ rate.per);
  const auto add = [&](const Address& one, u32 side) {
    key = fold_multiply(key ^ source_hash(one, side, secret), secret.words[2]);
  };
  if (rate.per == source || rate.per == pair) add(question.source, 1);
  if (rate.per == target || rate.per == pair) add(question.target, 2);
  return key;
}

}  // namespace

// What a packet owes in all its layers. An account counts once, and the first that names it says from which of its
// reserves it may be paid. So no two groups of draws have a purse in common.
struct Pipeline::Due {
  static constexpr u32 draws_max = 96;
  Draw draws[draws_max];
  u32 count = 0;
  bool is_closed = false;
  std::span<const LimitUse> limits;

  // What all groups of an account have in common: the purse of what no reserve holds, last but for a throttle's bucket.
  static u32 account_of(std::span<const Draw> group) {
    return group.size() > 1 && group.back().is_bucket ? group[group.size() - 2].purse : group.back().purse;
  }
  bool has(u32 account) const {
    for (std::span<const Draw> rest = all(); !rest.empty(); rest = rest.subspan(alternatives(rest)))
      if (account_of(rest.first(alternatives(rest))) == account) return true;
    return false;
  }

  void add(std::span<const Draw> group) {
    if (const u32 account = account_of(group); account != no_purse && has(account)) return;
    if (count + group.size() > draws_max) is_closed = true;
    else for (const Draw& draw : group) draws[count++] = draw;
  }
  void add_all(std::span<const Draw> all) {
    while (!all.empty()) {
      const std::size_t group = alternatives(all);
      add(all.first(group));
      all = all.subspan(group);
    }
  }
  void add(const InstalledPolicy& installed, Till* till, const Way& way, Tick now) {
    Bill bill{};
    is_closed |= !add_way(installed, till, way, now, [&](const Draw& draw) { bill.add(0, draw); }) || bill.is_full;
    add_all(bill.draws(0));
  }
  std::span<const Draw> all() const { return {draws, count}; }
  bool is_nothing() const { return count == 0 && limits.empty(); }
};

// What flows of this question are charged to, with cells of its limits, in which nothing is counted yet.
Reason Pipeline::make_bill(const InstalledPolicy& installed, const Question& question, u32 opener_port, Bill& bill) {
  const FlowCharges charges = installed.charges.of(question);
  const auto limits = installed.charges.limits(charges.forward);
  if ((charges.forward | charges.reverse) != 0 && config_.bills == nullptr) return Reason::budget_closed;
  for (const u32 limit : limits) {
    const u64 key = limit_key(installed.limit_rates[limit], question, config_.secret);
    bill.add(LimitUse{config_.bills->limits().cell_of(key, now_), limit});
  }
  const Way ways[2] = {{charges.forward, question.source_class, opener_port, question.source},
                       {charges.reverse, question.target_class, opener_port ^ 1, question.target}};
  bool all = true;
  for (u32 from = 0; from < 2; ++from)
    all = add_way(installed, config_.till, ways[from], now_, [&](const Draw& draw) { bill.add(from, draw); }) && all;
  if (bill.is_full) return Reason::budget_crowded;
  return all ? Reason::undecided : Reason::budget_closed;
}

// Of a flow that is about to begin with `load` from the opener (0) or the replier: its bill, its connection counted; or
// why it does not begin.
Reason Pipeline::open_bill(const InstalledPolicy& installed, const Question& question, u32 opener_port, u32 from,
                           const Load& load, u32& bill) {
  Bill content{};
  if (const Reason no = make_bill(installed, question, opener_port, content); no != Reason::undecided) return no;
  if (content.is_empty()) return Reason::undecided;
  if (!config_.till->affords(content.draws(from), load)) return Reason::budget_spent;
  LimitCells& cells = config_.bills->limits();
  const auto limits = content.limits();
  for (u32 i = 0; i < limits.size(); ++i) {
    const LimitRate& rate = installed.limit_rates[limits[i].limit];
    const LimitCells::Answer answer = cells.open(limits[i].cell, rate, now_);
    if (answer == LimitCells::Answer::conforms) continue;
    if (now_ < rate.monitor_until) {
      cells.enter(limits[i].cell);
      counters_.limits_watched.add(1);
      continue;
    }
    while (i != 0) cells.leave(limits[--i].cell);
    return reason_of(answer);
  }
  return take_bill(content, bill) ? Reason::undecided : Reason::budget_crowded;
}

// A flow's bill, whose connection is counted; false where there is no room for it, and then it is not.
bool Pipeline::take_bill(const Bill& content, u32& bill) {
  bill = content.is_empty() ? no_bill : config_.bills->take(content);
  if (bill != bill_refused) return true;
  for (const LimitUse& use : content.limits()) config_.bills->limits().leave(use.cell);
  bill = no_bill;
  return false;
}

// A flow that another policy let begin; false: it cannot be charged for now.
bool Pipeline::bill_again(const InstalledPolicy& installed, u32 flow, const Question& question, u32 opener_port) {
  if (!installed.has_charges) {
    table_.set_bill(flow, no_bill);
    return true;
  }
  Bill content{};
  if (make_bill(installed, question, opener_port, content) != Reason::undecided) return false;
  for (const LimitUse& use : content.limits()) config_.bills->limits().enter(use.cell);
  u32 bill = no_bill;
  if (!take_bill(content, bill)) return false;
  table_.set_bill(flow, bill);
  return true;
}

// Of the short way, where a limit had less when it was counted than when it was asked.
void Pipeline::drop_unpaid(const Entry& entry, const InstalledPolicy& installed, Reason reason) {
  Outcome& outcome = *out_++;
  outcome = {.token = entry.packet.token, .generation = installed.generation, .flow = entry.guess, .reason = reason};
  outcome.rule = installed.policy.rule_of(table_.record(entry.guess).decision);
  count_outcome(entry, outcome);
}

// After everything else has said that the packet leaves. An answer pays first: what it has paid stays paid where the
// packet then cannot.
void Pipeline::charge(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  if (outcome.verdict == Verdict::drop || outcome.verdict == Verdict::hold) return;
  const bool crosses = outcome.verdict != Verdict::answer, answers = outcome.answer_bytes != 0;
  Due across, back;
  if (crosses) gather(entry, installed, outcome, across);
  if (answers) gather_answer(entry, installed, outcome, back);
  Load load = load_of(entry);
  if (outcome.verdict == Verdict::rewrite) {
    const u32 grown = outcome.frame_bytes - entry.packet.bytes;
    load.frame_bytes += grown;
    load.payload_bytes += grown;
  }
  Reason no = across.is_closed || back.is_closed ? Reason::budget_closed : Reason::undecided;
  if (no == Reason::undecided && answers) no = pay(installed, back, {outcome.answer_bytes, outcome.answer_bytes, 1});
  if (no == Reason::undecided && crosses) no = pay(installed, across, load);
  if (no == Reason::undecided) return;
  outcome.verdict = Verdict::drop;
  outcome.reason = no;
  outcome.answer_bytes = 0;
  outcome.frame_bytes = 0;
}

Reason Pipeline::pay(const InstalledPolicy& installed, const Due& due, const Load& load) {
  if (due.is_nothing()) return Reason::undecided;
  if (config_.till == nullptr) return Reason::budget_closed;
  const Reason no = may_pay(installed, due.limits, due.all(), load);
  return no == Reason::undecided ? pay(installed, due.limits, due.all(), load) : no;
}

// What a packet owes: by its flow's bill, or as an error or by what the link needs; then for the packets around it.
void Pipeline::gather(const Entry& entry, const InstalledPolicy& installed, const Outcome& outcome, Due& due) {
  const Headers& headers = entry.headers;
  const u32 port = entry.packet.port;
  if (headers.kind == PacketKind::flow && talk_ == nullptr) add_bill(headers, outcome.flow, 0, due);
  else gather_flowless(entry, installed, outcome, due);
  for (u8 depth = 0; depth < headers.tunnels; ++depth) {
    const Outside& outside = headers.outsides[depth];
    const Classes classes = classes_of(installed, outside.place, port);
    const Question question{outside.source, outside.target, classes.source, classes.target,
                            outside.protocol, 0, 0, outside.target_port};
    due.add(installed, config_.till, {installed.charges.of(question).forward, classes.source, port, outside.source},
            now_);
  }
}

// The bill of a flow that has one, in the packet's direction (0) or back (1); limits are met by what crosses.
void Pipeline::add_bill(const Headers& headers, u32 flow, u32 back, Due& due) {
  if (flow == no_flow || table_.bill(flow) == no_bill) return;
  const Bill& owed = (*config_.bills)[table_.bill(flow)];
  const u32 from = came_from_opener(headers, table_.record(flow)) ? 0 : 1;
  if (back == 0) due.limits = owed.limits();
  if (back == 0 && credit_covers_) return;
  due.add_all(owed.draws(from ^ back));
}

void Pipeline::gather_flowless(const Entry& entry, const InstalledPolicy& installed, const Outcome& outcome,
                               Due& due) {
  const Headers& headers = entry.headers;
  const Classes classes = classes_of(installed, place_of(headers), entry.packet.port);
  Way way{installed.charges.of_source(classes.source, headers.source), classes.source, entry.packet.port,
          headers.source};
  // What connection managers say belongs to the connection that they arrange.
  if (talk_ != nullptr) {
    const Question asked = question_of(installed, *talk_, entry);
    const FlowCharges charges = installed.charges.of(asked);
    way.charge = headers.source == asked.source ? charges.forward : charges.reverse;
  }
  // An error belongs to the connection that it quotes, and to that of the error itself: it is both.
  if (headers.kind == PacketKind::icmp_error) {
    const Question own{headers.source, headers.target, classes.source, classes.target, headers.protocol,
                       headers.icmp_type, headers.icmp_code, 0};
    way.charge = installed.charges.of(own).forward;
    due.add(installed, config_.till, way, now_);
    if (outcome.flow == no_flow) return;
    if (const u32 bill = table_.bill(outcome.flow); bill != no_bill) due.limits = (*config_.bills)[bill].limits();
    const Question quoted = question_of(installed, table_.record(outcome.flow));
    way.charge = installed.charges.of_way(quoted, classes.source, headers.source, classes.target, headers.target);
  }
  due.add(installed, config_.till, way, now_);
}

// An answer claims to come from whom the packet was for.
void Pipeline::gather_answer(const Entry& entry, const InstalledPolicy& installed, const Outcome& outcome, Due& due) {
  const Headers& headers = entry.headers;
  if (outcome.flow != no_flow && headers.kind == PacketKind::flow) return add_bill(headers, outcome.flow, 1, due);
  const Question question = question_of(installed, entry, true);
  due.add(installed, config_.till,
          {installed.charges.of(question).reverse, question.target_class, entry.packet.port ^ 1u, question.target},
          now_);
}

}  // namespace weir
