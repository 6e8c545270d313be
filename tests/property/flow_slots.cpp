// FlowSlots against a map: the same flows with the same slots, whatever is added and removed.
#include "dataplane/inspect/flow_slots.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <random>
#include <vector>

using namespace weir;

TEST_CASE("a flow has the slot that it was given, until it is taken away") {
  for (const u32 flows : {1u, 3u, 64u, 1000u}) {
    std::mt19937 random(flows);
    std::vector<FlowSlots::Place> places(FlowSlots::places_for(flows));
    FlowSlots slots(places);
    std::map<u32, u32> twin;
    const u32 range = 4 * flows;
    for (u32 step = 0; step < 200'000; ++step) {
      const u32 flow = static_cast<u32>(random()) % range * (step % 2 ? 1 : 0x1000);
      if (random() % 50'000 == 0) twin.clear(), slots.clear();
      if (twin.contains(flow) ? random() % 2 == 0 : twin.size() == flows) {
        const u32 gone = twin.contains(flow) ? flow : twin.begin()->first;
        slots.remove(gone), twin.erase(gone);
      } else if (!twin.contains(flow)) {
        slots.add(flow, step), twin[flow] = step;
      }
      const u32 asked = static_cast<u32>(random()) % range;
      const auto found = twin.find(asked);
      REQUIRE(slots.find(asked) == (found == twin.end() ? FlowSlots::none : found->second));
    }
    for (const auto& [flow, slot] : twin) REQUIRE(slots.find(flow) == slot);
  }
}

TEST_CASE("what is not there is not removed") {
  std::vector<FlowSlots::Place> places(FlowSlots::places_for(4));
  FlowSlots slots(places);
  slots.add(0, 7);
  slots.remove(1);
  CHECK((slots.find(0) == 7 && slots.find(1) == FlowSlots::none));
}
