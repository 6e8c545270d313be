#include "dataplane/guard/lender.hpp"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

namespace weir::guard {
namespace {

constexpr u64 look_every_ns = 1'000'000'000;  // so long a frame may take from its debit to the wire
constexpr u64 ask_again_ns = 50'000'000;
constexpr std::size_t leases_bytes = 2 * guard_leases_max * sizeof(guard_lease);

template <class Number>
std::atomic_ref<Number> shared(Number& number) {
  return std::atomic_ref<Number>(number);
}

Tick wall_us() { return boot_ns() / 1000 + clock_us(); }

Error error_of(const ledger::Error& error) { return {error.sentence}; }

}  // namespace

std::expected<std::unique_ptr<Lender>, Error> Lender::open(const Kernel& kernel, const ledger::Places& places,
                                                           u64 lease_ns) {
  std::unique_ptr<Lender> made(new Lender(kernel, lease_ns));
  void* const at = mmap(nullptr, leases_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, kernel.map(Map::leases), 0);
  if (at == MAP_FAILED) return std::unexpected(Error{"the guard's leases: " + words_of(errno)});
  made->leases_ = static_cast<guard_lease*>(at);
  if (auto done = made->begin(places); !done) return std::unexpected(done.error());
  return made;
}

// The ledger's lock comes first: whoever has it is the only one who lends.
std::expected<void, Error> Lender::begin(const ledger::Places& places) {
  auto clocks = ledger::Clocks::of_this_boot();
  if (!clocks) return std::unexpected(error_of(clocks.error()));
  auto settings = ledger::settings_of(places);
  if (!settings) return std::unexpected(error_of(settings.error()));
  close_all();
  wait_for_programs();
  auto opened = ledger::Ledger::open(std::move(*settings), clocks->read());
  if (!opened) return std::unexpected(error_of(opened.error()));
  clocks_ = *clocks;
  ledger_.emplace(std::move(*opened));
  desk_ = std::make_unique<ledger::Desk>(*ledger_, ledger::DeskTerms{});
  return {};
}

Lender::~Lender() {
  if (leases_ == nullptr) return;
  if (desk_) finish();
  munmap(leases_, leases_bytes);
}

// Nothing leaves by a lease any more; what is in it is nobody's.
void Lender::close_all() {
  for (u32 i = 0; i < 2 * guard_leases_max; ++i) shared(leases_[i].until_ns).store(0);
}

// What was lent comes back: spent or returned.
void Lender::settle_all() {
  close_all();
  wait_for_programs();
  if (!books_.empty()) std::this_thread::sleep_for(std::chrono::nanoseconds(look_every_ns));
  ledger_->advance(clocks_->read());
  for (u32 number = 0; number < books_.size(); ++number) {
    Book& book = books_[number];
    if (book.purse == no_purse || book.given == 0) continue;
    const u64 spent = shared(lease(number).spent).load();
    desk_->hear(0, {.number = book.purse, .spent = spent - book.told, .returned = book.given - spent});
  }
  books_.clear();
  lease_of_purse_.clear();
}

std::expected<std::vector<std::string>, Error> Lender::take_over(const Policy& policy, u64 serial) {
  settle_all();
  const auto tables = tables_of(policy, {}, 0);  // for the numbers of leases alone
  if (!tables) return std::unexpected(tables.error());
  base_ = kernel_.in_force() == 2 ? u32{guard_leases_max} : 0;
  const auto seats = desk_->prepare(policy, {}, wall_us());
  if (!seats) return std::unexpected(error_of(seats.error()));
  std::vector<std::string> closed;
  books_.resize(std::min<std::size_t>(tables->leases.size(), guard_leases_max));
  for (u32 number = 0; number < books_.size(); ++number) {
    const LeaseOf& of = tables->leases[number];
    const image::Budget& budget = policy.view().budgets[policy.view().accounts[of.account].budget];
    const AccountSeat& seat = (*seats)[of.account];
    lease(number) = {.left = 0, .until_ns = 0, .spent = 0, .serial = serial, .surcharge = of.surcharge, .zero = 0};
    if (seat.first == no_purse || seat.share_seat != 0) {
      closed.push_back("budget " + std::string(policy.text(budget.name)) +
                       ": by host or with max_share, which the guard does not lend on: what it covers is denied");
      continue;
    }
    books_[number].purse = seat.first + budget.reserves_count;  // what no reserve keeps
    lease_of_purse_[books_[number].purse] = number;
  }
  const auto done = ledger::in_turn([&] { return desk_->retire_leaving(); },
                                    [&] { return desk_->float_all([&](u32, const PurseGift& gift) { put(gift); }); });
  if (!done) return std::unexpected(error_of(done.error()));
  return closed;
}

// Recorded: it may be spent.
void Lender::put(const PurseGift& gift) {
  if (gift.kind != PurseGift::Kind::lease) return;
  const auto found = lease_of_purse_.find(gift.number);
  if (found == lease_of_purse_.end()) {
    if (gift.bytes != 0) refused_.push_back(gift);
    return;
  }
  Book& book = books_[found->second];
  guard_lease& one = lease(found->second);
  book.asks_from_ns = gift.bytes == 0 ? boot_ns() + ask_again_ns : 0;
  book.given += gift.bytes;
  book.low = (static_cast<u64>(std::max<__s64>(shared(one.left).load(), 0)) + gift.bytes) / 2;
  shared(one.until_ns).store(boot_ns() + lease_ns_);
  shared(one.left).fetch_add(static_cast<__s64>(gift.bytes));
}

// What had been spent at the last look has left by now.
void Lender::look(u64 now_ns) {
  looked_ns_ = now_ns;
  for (u32 number = 0; number < books_.size(); ++number) {
    Book& book = books_[number];
    if (book.purse == no_purse) continue;
    if (book.seen != book.told) desk_->hear(0, {.number = book.purse, .spent = book.seen - book.told});
    book.told = book.seen;
    book.seen = shared(lease(number).spent).load();
    if (ledger_->closed() == nullptr) shared(lease(number).until_ns).store(now_ns + lease_ns_);
  }
}

std::expected<void, Error> Lender::round() {
  const u64 now_ns = boot_ns();
  ledger_->advance(clocks_->read());
  for (const PurseGift& gift : std::exchange(refused_, {}))
    desk_->hear(0, {.number = gift.number, .returned = gift.bytes});
  if (now_ns - looked_ns_ >= look_every_ns) look(now_ns);
  for (u32 number = 0; number < books_.size(); ++number) {
    Book& book = books_[number];
    if (book.purse == no_purse || now_ns < book.asks_from_ns) continue;
    const auto left = static_cast<u64>(std::max<__s64>(shared(lease(number).left).load(), 0));
    if (left > book.low || (left == book.low && left != 0)) continue;
    book.asks_from_ns = now_ns + ask_again_ns;
    desk_->hear(0, {.number = book.purse, .least = 1});
  }
  ledger::Done done;
  if (const Tick now = wall_us(); now >= desk_->next_change()) done = desk_->change(now);
  if (done && desk_->has_wants()) done = desk_->lend([&](u32, const PurseGift& gift) { put(gift); });
  if (!done) return std::unexpected(error_of(done.error()));
  return {};
}

void Lender::finish() {
  settle_all();
  if (ledger_->closed() == nullptr) (void)ledger_->commit(true);
  desk_.reset();
}

}  // namespace weir::guard
