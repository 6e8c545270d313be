// An event as a line of JSON in the shape of Suricata's EVE log, so that what reads those reads ours: flow, drop or
// alert, with names, the community ID, and a `weir` object for what EVE has no field for. It asks no clock and writes
// no file.
//
// Source of the field names: etc/schema.json of Suricata; docs/seeing.md lists those that are written.
#pragma once
#include "control/see/names.hpp"

#include <string>
#include <string_view>

namespace weir::see {

// With its newline. `port_name` is what the port it came in by is called; "" leaves `in_iface` out.
std::string eve_line(const Event& event, const EventNames& names, std::string_view port_name);

// "2026-11-21T23:45:00.000001+0000": UTC, as EVE writes it.
std::string eve_time(Tick time);

// Lines about the log itself, of event_type "stats".
struct LogCounts {
  u64 lost = 0;  // events that found a worker's ring full
  u64 suppressed = 0;  // that were more than may be written in a second
  u64 unwritten = 0;  // that the log's file did not take
  u64 unsound = 0;  // that were none
  bool any() const { return (lost | suppressed | unwritten | unsound) != 0; }
};
std::string eve_counts_line(Tick time, const LogCounts& counts);

}  // namespace weir::see
