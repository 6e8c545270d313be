// What many accounts cost their keeper, on real files: opening them, a lease for each, the file, finding all of it
// again after the process is gone, and memory; first accounts of one budget by host, then budgets of their own. Every
// account has four windows: an hour, a day, thirty days, and a lifetime. `bench_ledger [accounts] [budgets]`.
#include "dataplane/ledger/ledger.hpp"

#include <malloc.h>
#include <unistd.h>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

using namespace weir;
using namespace weir::ledger;

namespace {

constexpr u64 second = 1'000'000, hour = 3600 * second;

Reading at(u64 us) { return {{{7, 7}, us, us}, us}; }

u64 resident_bytes() {
  u64 pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<u64>(sysconf(_SC_PAGESIZE));
}

std::shared_ptr<const Statement> statement(u32 number) {
  Statement made{"egress-" + std::to_string(number), {}};
  const WindowRule windows[] = {
      {u64{1} << 33, hour, 64}, {u64{1} << 37, 24 * hour, 64}, {u64{1} << 40, 720 * hour, 64}, {u64{1} << 50, 0, 0}};
  for (const WindowRule& window : windows) made.rule.windows[made.rule.windows_count++] = window;
  return std::make_shared<const Statement>(made);
}

Identity identity(u64 number) {
  Identity made;
  std::memcpy(made.bytes.data(), &number, sizeof number);
  return made;
}

template <class T>
T demanded(std::expected<T, Error> what) {
  if (what) return std::move(*what);
  std::fprintf(stderr, "bench_ledger: %s\n", what.error().sentence.c_str());
  std::exit(1);
}

// By the wall, since much of it is waiting for the disk.
double seconds(auto&& work) {
  const auto before = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
}

void run(const char* what, u32 accounts, bool own_budgets) {
  char name[] = "/tmp/weir-bench-ledger-XXXXXX";
  if (mkdtemp(name) == nullptr) std::exit(1);
  const std::string folder = name;
  const auto settings = [&] { return Settings{demanded(files_in(folder)), "ledger", {}, {}, 1, u64{64} << 20}; };
  const auto shared = statement(0);
  std::printf("%u %s\n", accounts, what);
  {
    malloc_trim(0);
    const u64 before = resident_bytes();
    Ledger ledger = demanded(Ledger::begin(settings(), at(second), true, "a benchmark"));
    std::vector<Number> numbers(accounts);
    const double opening = seconds([&] {
      for (u32 i = 0; i < accounts; ++i)
        numbers[i] = ledger.account(identity(i + 1), own_budgets ? statement(i) : shared, {{}, true, true});
      demanded(ledger.commit());
    });
    const double leasing = seconds([&] {
      for (const Number number : numbers) ledger.want(1, number, 1500, 4096);
      demanded(ledger.commit());
    });
    ledger.advance(at(2 * second));
    const double settling = seconds([&] {
      for (const Number number : numbers) ledger.settle(number, 4000, 96);
      demanded(ledger.commit(true));
    });
    std::printf("  opened in %.2f s; a lease for each, recorded, in %.2f s; all settled in %.2f s\n", opening, leasing,
                settling);
    std::printf("  file %.1f MB; memory %.0f bytes an account\n", static_cast<double>(ledger.file_bytes()) / 1e6,
                static_cast<double>(resident_bytes() - before) / accounts);
  }
  std::optional<Ledger> found;
  const double recovery = seconds([&] { found.emplace(demanded(Ledger::open(settings(), at(3 * second)))); });
  std::printf("  found again, and the file written anew, in %.2f s; %llu accounts, file %.1f MB\n", recovery,
              static_cast<unsigned long long>(found->books().count()), static_cast<double>(found->file_bytes()) / 1e6);
  found.reset();
  std::filesystem::remove_all(folder);
}

}  // namespace

int main(int count, char** words) {
  const u32 accounts = count > 1 ? static_cast<u32>(std::atol(words[1])) : 1'000'000;
  const u32 budgets = count > 2 ? static_cast<u32>(std::atol(words[2])) : 100'000;
  run("hosts of one budget", accounts, false);
  run("budgets", budgets, true);
  return 0;
}
