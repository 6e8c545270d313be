// What a packet pays: random policies with budgets of every kind, random packets of flows both ways, and the sum that
// every account's purses have lost by each, against a reckoning from what the policy says of the packet (charges_twin
// checks that): by frame or by payload and surcharge, by segment and by host, from reserves or the rest, and of
// max_share besides. Nothing else has changed; what does not leave has paid nothing; and where one purse of those that
// must pay is empty, no other pays.
#include "tests/property/random_model.hpp"
#include "tests/property/vault.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <map>

using namespace weir;

namespace {

constexpr u32 none = ~u32{0};
constexpr u32 purses_each = 32;  // more than any account has parts

std::string shown(bool is_ipv4, u128 number) {
  u8 bytes[16];
  const u32 size = is_ipv4 ? 4 : 16;
  for (u32 i = 0; i < size; ++i) bytes[i] = static_cast<u8>(number >> 8 * (size - 1 - i));
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(is_ipv4 ? AF_INET : AF_INET6, bytes, text, sizeof text);
}

// Lends whatever is asked for, but to purses that are closed, and knows what each has lost.
struct Bank {
  static void lend(void* self, Till& till, u32 purse, u64 least) {
    Bank& bank = *static_cast<Bank*>(self);
    bank.settle(till, purse);
    if (purse / purses_each != bank.closed) till.put(purse, least);
  }
  static u32 open_host(void* self, u32 seat, const Address& host) {
    Bank& bank = *static_cast<Bank*>(self);
    u32& first = bank.hosts[{seat, {host.high, host.low}}];
    if (first == 0) first = bank.next += purses_each;
    bank.seat_of[first / purses_each] = seat;
    return first;
  }
  void settle(Till& till, u32 purse) {
    spent[purse / purses_each] += till.report(purse).spent + till.take_over(purse);
  }
  std::map<u32, u64> changes(Till& till) {
    for (u32 purse = 1; purse < next + purses_each; ++purse) settle(till, purse);
    std::map<u32, u64> made;
    std::swap(made, spent);
    std::erase_if(made, [](const auto& one) { return one.second == 0; });
    return made;
  }
  std::map<std::pair<u32, std::pair<u64, u64>>, u32> hosts;
  std::map<u32, u32> seat_of;
  std::map<u32, u64> spent;  // by run of purses
  u32 next = 0, closed = none;  // closed: a run that gets nothing
};

class Engine {
 public:
  Engine(const Policy& policy, const naive::Packet& way)
      : names_{way.in_port, way.out_port}, installed_(bind_ports(policy, names_)) {
    const image::View& view = policy.view();
    for (u32 account = 0; account < view.accounts.size(); ++account) {
      const image::Budget& budget = view.budgets[view.accounts[account].budget];
      const bool by_host = budget.scope == image::Scope::host;
      AccountSeat seat;
      if (by_host) seat.seat = account + 1;
      else seat.first = bank.next += purses_each;
      if (budget.max_share != 0) seat.share_seat = 100'000 + account;
      seats_.push_back(seat);
    }
    rates_.resize(view.limits.size());
    installed_.seats = seats_;
    installed_.limit_rates = rates_;
  }

  Outcome send(std::vector<u8>& frame, u16 port, Tick now) {
    Packet packet{};
    packet.data = reinterpret_cast<std::byte*>(frame.data());
    packet.bytes = static_cast<u32>(frame.size());
    packet.port = port;
    packet.time = now;
    packet.checksum = Checksum::good;
    u32 count = pipeline_.process({&packet, 1}, &installed_, outcomes_, {}).outcomes;
    while (count == 0) count = pipeline_.drain(&installed_, outcomes_);
    return outcomes_[0];
  }

  // What each run of purses must lose by a packet from the opener (0) or the replier.
  std::map<u32, u64> due(const Question& question, u32 from, u16 port, u64 frame, u64 payload) {
    const FlowCharges both = installed_.charges.of(question);
    const image::View& view = installed_.policy.view();
    const u16 port_class = from == 0 ? question.source_class : question.target_class;
    const Address& source = from == 0 ? question.source : question.target;
    const bool is_attached = port_class != 0 && port_class < view.port_classes_count;
    const Address host = is_attached ? Address{0xffff'ffff'ffff'fffe, port}
                         : source.is_ipv4() ? source : Address{source.high, 0};
    std::map<u32, u64> made;
    for (const image::ChargeAccount& one : installed_.charges.accounts(from == 0 ? both.forward : both.reverse)) {
      const image::Budget& budget = view.budgets[view.accounts[one.account].budget];
      const u64 bytes = budget.count == image::Count::wire ? frame : payload + budget.surcharge;
      const AccountSeat& seat = seats_[one.account];
      const u32 first = seat.seat != 0 ? Bank::open_host(&bank, seat.seat, host) : seat.first;
      made[first / purses_each] += bytes;
      if (seat.share_seat != 0) made[Bank::open_host(&bank, seat.share_seat, host) / purses_each] += bytes;
    }
    return made;
  }
  // What a run of purses holds goes back, and it gets no more.
  void close(u32 run, Tick now) {
    bank.closed = run;
    for (u32 purse = std::max(run * purses_each, 1u); purse < (run + 1) * purses_each; ++purse)
      till.take({PurseGift::Kind::give_back, purse, 0, {}});
    PurseNews news[2 * purses_each];
    till.tell(now, news);
  }

  Bank bank;
  test::Room till_memory{Till::bytes_needed()};
  Till till{till_memory.span(), {&bank, Bank::lend, Bank::open_host}};

 private:
  static constexpr u32 flows = 1024;
  std::string_view names_[2];
  InstalledPolicy installed_;
  std::vector<AccountSeat> seats_;
  std::vector<LimitRate> rates_;
  std::vector<LimitCells::Cell> cell_memory_ = std::vector<LimitCells::Cell>(64);
  LimitCells cells_{cell_memory_};
  test::Room bill_memory_{Bills::bytes_needed(flows + 1)};
  Bills bills_{bill_memory_.span(), flows + 1, cells_};
  test::Room table_memory_{FlowTable::bytes_needed(flows)};
  FlowTable table_{table_memory_.span(), flows};
  WorkerCounters counters_;
  Pipeline pipeline_{{.secret = {{1, 2, 3, 4}}, .till = &till, .bills = &bills_}, table_, counters_};
  Outcome outcomes_[outcomes_max];
};

void allow_everything(control::Model& model) {
  control::Statement all;
  all.name = "all";
  all.from_any = all.to_any = true;
  all.services.udp = {{0, 65535}};
  model.statements = {all};
  model.ports.clear();
}

struct Seen {
  u64 paid = 0, of_hosts = 0, payloads = 0, refused = 0;
};

void play(naive::Draw& draw, const control::Model& model, const Policy& policy, Seen& seen) {
  naive::Packet way = naive::random_packet(draw, model);
  way.protocol = 17;
  Engine engine(policy, way);
  Tick now = 1'700'000'000'000'000;
  for (u32 i = 0; i < 40; ++i) {
    naive::Packet packet = naive::random_packet(draw, model);
    packet.in_port = way.in_port, packet.out_port = way.out_port;
    packet.protocol = 17;
    packet.is_rdma = false;
    packet.target_port = static_cast<u16>(1 + packet.target_port % 65535);
    const Question question = naive::question_of(packet, policy);
    for (const u32 from : {0u, 1u, 0u}) {
      const u32 payload = static_cast<u32>(draw.below(900));
      const std::string source = shown(packet.is_ipv4, packet.source), target = shown(packet.is_ipv4, packet.target);
      const u32 own = 2000 + i;
      std::vector<u8> frame = test::frame_of(
          from == 0 ? fmt::format("{} {} {} / udp {} {} / zero {}", packet.is_ipv4 ? "ip4" : "ip6", source, target, own,
                                  packet.target_port, payload)
                    : fmt::format("{} {} {} / udp {} {} / zero {}", packet.is_ipv4 ? "ip4" : "ip6", target, source,
                                  packet.target_port, own, payload));
      const auto due = engine.due(question, from, static_cast<u16>(from), frame.size(), payload);
      const bool closes = !due.empty() && draw.one_in(8);
      if (closes) engine.close(std::next(due.begin(), static_cast<long>(draw.below(due.size())))->first, now);
      CHECK(engine.bank.changes(engine.till).empty());
      const Outcome outcome = engine.send(frame, static_cast<u16>(from), now += 1000);
      const auto lost = engine.bank.changes(engine.till);
      INFO(source << " " << target << " from " << from << " " << row(outcome.reason).name);
      engine.bank.closed = none;
      REQUIRE((outcome.verdict == Verdict::forward || lost.empty()));
      seen.refused += outcome.reason == Reason::budget_spent;
      if (outcome.verdict != Verdict::forward && from == 0) break;  // what comes back would open a flow of its own
      if (outcome.verdict != Verdict::forward) continue;
      const auto text = [](const std::map<u32, u64>& sums) {
        std::string all;
        for (const auto& [run, bytes] : sums) all += fmt::format(" {}:{}", run, bytes);
        return all;
      };
      INFO("lost" << text(lost) << ", due" << text(due));
      REQUIRE(lost == due);
      seen.paid += !due.empty();
      for (const auto& [run, bytes] : due) {
        seen.of_hosts += engine.bank.seat_of.contains(run);
        seen.payloads += bytes != frame.size();
      }
    }
  }
}

}  // namespace

TEST_CASE("every packet pays every account that covers it, and no other, by its own count") {
  Seen seen;
  for (u64 seed = 0; seed < 200; ++seed) {
    naive::Draw draw(seed);
    control::Model model = naive::random_model(draw);
    naive::add_budgets(draw, model);
    allow_everything(model);
    const auto compiled = control::compile(model, 1);
    if (!compiled) continue;
    const ImageMemory memory(compiled->image);
    const auto policy = verify(memory.bytes());
    REQUIRE(policy.has_value());
    INFO("seed " << seed);
    for (u32 ways = 0; ways < 3; ++ways) play(draw, model, *policy, seen);
  }
  std::printf("%llu packets paid; %llu times by host, %llu by payload; %llu were refused\n",
              static_cast<unsigned long long>(seen.paid), static_cast<unsigned long long>(seen.of_hosts),
              static_cast<unsigned long long>(seen.payloads), static_cast<unsigned long long>(seen.refused));
  CHECK(seen.paid > 1'000);
  CHECK(seen.of_hosts > 100);
  CHECK(seen.payloads > 100);
}
