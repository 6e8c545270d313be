// What a worker inspects with: a watch for each flow that policy wants looked at, found by the flow's number. A flow
// that is not inspected costs it nothing. It judges nothing; dataplane/pipeline/inspect_path.cpp does.
//
// Memory: lent, zeroed, on a cache line, and touched only where flows are watched. Threads: one.
#pragma once
#include "dataplane/inspect/flow_slots.hpp"
#include "dataplane/inspect/watch.hpp"

namespace weir {

struct InspectorSize {
  u32 flows = 1u << 16;   // that may be watched at once
  u32 reading = 1u << 12;  // of them, whose first bytes are being read
};

class Inspector {
 public:
  static constexpr u32 none = ~u32{0}, later = none - 1;  // later: it takes one when there is something to see

  static constexpr std::size_t bytes_needed(const InspectorSize& size) { return parts_of(size).end; }

  Inspector(std::span<std::byte> memory, const InspectorSize& size, const HashKey& secret, const WatchShare& share,
            Lanes lanes)
      : watches_({part<Watch>(memory, 0, size.flows), part<u32>(memory, parts_of(size).watch_links, size.flows)},
                 {part<WatchHistory>(memory, parts_of(size).histories, size.reading),
                  part<u32>(memory, parts_of(size).history_links, size.reading)},
                 secret, share, lanes),
        slots_(part<FlowSlots::Place>(memory, parts_of(size).places, FlowSlots::places_for(size.flows))) {
    WEIR_CHECK(memory.size() >= bytes_needed(size));
  }

  Watches& watches() { return watches_; }
  // The flow's watch, or none.
  u32 watch_of(u32 flow) const { return slots_.find(flow); }
  void add(u32 flow, u32 watch) { slots_.add(flow, watch); }
  void leave(u32 flow) {
    const u32 watch = slots_.find(flow);
    if (watch == none) return;
    watches_.end(watch);
    slots_.remove(flow);
  }
  void leave_all() {
    watches_.end_all();
    slots_.clear();
  }

 private:
  struct Parts {
    std::size_t watch_links, histories, history_links, places, end;
  };
  static constexpr std::size_t lines(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
  static constexpr Parts parts_of(const InspectorSize& size) {
    Parts at{};
    at.watch_links = lines(size.flows * sizeof(Watch));
    at.histories = at.watch_links + lines(size.flows * sizeof(u32));
    at.history_links = at.histories + lines(size.reading * sizeof(WatchHistory));
    at.places = at.history_links + lines(size.reading * sizeof(u32));
    at.end = at.places + lines(FlowSlots::places_for(size.flows) * sizeof(FlowSlots::Place));
    return at;
  }
  template <class Element>
  static std::span<Element> part(std::span<std::byte> memory, std::size_t offset, u32 count) {
    return {reinterpret_cast<Element*>(memory.data() + offset), count};
  }

  Watches watches_;
  FlowSlots slots_;
};

}  // namespace weir
