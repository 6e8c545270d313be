// A small ledger in a folder, the same each time: for the test of `weir budgets`.
// usage: make_ledger FOLDER KEY
#include "dataplane/ledger/ledger.hpp"

#include <cstdlib>

using namespace weir;
using namespace weir::ledger;

namespace {

constexpr u64 second = 1'000'000, hour = 3600 * second, began = 1'790'000'000 * second;

Reading at(u64 since) { return {{{7, 7}, since, since}, began + since}; }

Identity identity(u8 number) {
  Identity made;
  made.bytes[0] = number;
  return made;
}

void spend(Ledger& ledger, Number number, u64 leased, u64 spent) {
  ledger.want(0, number, leased, leased);
  if (!ledger.commit()) std::exit(1);
  ledger.settle(number, spent, 0);
  if (!ledger.commit(true)) std::exit(1);
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) return 2;
  const auto key = load_key(words[2]);
  auto storage = files_in(words[1]);
  if (!key || !storage) return 1;
  auto ledger = Ledger::begin({*storage, "ledger", *key, {}, 1, u64{64} << 20}, at(0), true, "a test");
  if (!ledger) return 1;
  Statement inference{"inference-egress", {}}, serving{"serve", {}};
  inference.rule.windows = {WindowRule{100'000, hour, 64}, {1'000'000, 24 * hour, 64}, {9'000'000, 0, 0}};
  inference.rule.windows_count = 3;
  serving.rule.windows = {WindowRule{50'000, 90 * second, 64}};
  serving.rule.windows_count = 1;
  const Number one = ledger->account(identity(0xa1), std::make_shared<Statement>(inference), {{}, false, true});
  const Number two = ledger->account(identity(0xb2), std::make_shared<Statement>(serving), {});
  spend(*ledger, one, 5000, 5000);
  ledger->advance(at(2 * hour));
  spend(*ledger, one, 20'000, 12'345);
  ledger->retire(two);
  if (!ledger->commit(true)) return 1;
  return 0;
}
