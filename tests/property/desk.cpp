// The keeper's desk in random worlds (desk_world.hpp): nothing leaves beyond any budget, whatever policies, processes
// and clocks do; enough leaves; and each planted mistake is found.
// usage: desk [WORLDS, default 150] [STEPS, default 1500] [FIRST SEED, default 0]
#include "tests/property/desk_world.hpp"

#include <cstdio>
#include <cstdlib>

using namespace weir;
using namespace weir::test;

int main(int count, char** arguments) {
  const auto number = [&](int index, u64 otherwise) {
    return count > index ? std::strtoull(arguments[index], nullptr, 10) : otherwise;
  };
  const u64 worlds = number(1, 150), first = number(3, 0);
  const u32 steps = static_cast<u32>(number(2, 1500));
  u64 sent = 0, left = 0, installs = 0, refused = 0, alerts = 0;
  for (u64 seed = first; seed < first + worlds; ++seed) {
    DeskWorld world(seed, DeskMistake::none);
    try {
      world.run(steps);
    } catch (const Exceeded& found) {
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), found.what.c_str());
      return 1;
    }
    sent += world.sent(), left += world.left(), installs += world.installs();
    refused += world.refused_hosts(), alerts += world.alerts();
  }
  std::printf("%llu packets sent, %llu left, %llu installs, %llu alerts, %llu times no more hosts\n",
              static_cast<unsigned long long>(sent), static_cast<unsigned long long>(left),
              static_cast<unsigned long long>(installs), static_cast<unsigned long long>(alerts),
              static_cast<unsigned long long>(refused));
  bool fine = left * 10 > sent && refused != 0 && alerts != 0;
  for (int mistake = 1; mistake <= static_cast<int>(DeskMistake::crossed_seats); ++mistake) {
    u64 seed = first;
    std::string what;
    for (; seed < first + 10 * worlds && what.empty(); ++seed) try {
        DeskWorld(seed, static_cast<DeskMistake>(mistake)).run(steps);
      } catch (const Exceeded& found) {
        what = found.what;
      }
    std::printf("%s: %s\n", desk_mistake_names[mistake],
                what.empty() ? "NOT FOUND" : ("found by world " + std::to_string(seed - first) + ", " + what).c_str());
    fine = fine && !what.empty();
  }
  return fine ? 0 : 1;
}
