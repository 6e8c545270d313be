#include "tools/weir/door_pairs.hpp"

#include "dataplane/rdma/alarms.hpp"
#include "tools/weir/dump_rdma.hpp"

#include <fmt/format.h>

namespace weir {
namespace {

constexpr std::string_view kind_names[Alarms::kinds] = {"refused", "gaps", "unknown", "requests"};

std::string host(const u64 (&words)[2]) { return address_text(Address{words[0], words[1]}); }

const char* name_of(door::JobState state) {
  switch (state) {
    case door::JobState::waiting: return "waiting";
    case door::JobState::open: return "open";
    case door::JobState::sealed: break;
  }
  return "sealed";
}

double seconds(u64 micros) { return static_cast<double>(micros) / 1e6; }

// null where there is none.
nlohmann::ordered_json seconds_json(u64 micros) {
  if (micros == 0) return nullptr;
  return seconds(micros);
}

}  // namespace

nlohmann::ordered_json members_json(const std::string& job, const door::Answer& answer,
                                    std::span<const door::PairStatus> pairs) {
  nlohmann::ordered_json made = {{"job", job}, {"state", name_of(answer.job_state)}};
  made["began_s"] = seconds_json(answer.job_began_us);
  made["seals_in_s"] = seconds_json(answer.job_seals_us);
  made["members"] = nlohmann::ordered_json::array();
  for (const door::PairStatus& one : pairs)
    made["members"].push_back({{"one", host(one.source)},
                               {"other", host(one.target)},
                               {"queue_pairs", one.counts[0]},
                               {"directions_used", one.counts[1]}});
  made["not_named"] = answer.pairs_unnamed;
  return made;
}

void print_members(const std::string& job, const door::Answer& answer, std::span<const door::PairStatus> pairs) {
  std::string window;
  if (answer.job_began_us != 0) window = fmt::format(", began {:.0f} s ago", seconds(answer.job_began_us));
  if (answer.job_seals_us != 0) window += fmt::format(", seals in {:.0f} s", seconds(answer.job_seals_us));
  fmt::print("job {}: {}{}; {} pairs of members\n", job, name_of(answer.job_state), window,
             pairs.size() + answer.pairs_unnamed);
  for (const door::PairStatus& one : pairs)
    fmt::print("{:<40} {:<40} {:>6} queue pairs, {} directions used\n", host(one.source), host(one.target),
               one.counts[0], one.counts[1]);
  if (answer.pairs_unnamed != 0) fmt::print("and {} more\n", answer.pairs_unnamed);
}

nlohmann::ordered_json alarms_json(const door::Answer& answer, std::span<const door::PairStatus> pairs) {
  nlohmann::ordered_json made = {{"alarms", nlohmann::ordered_json::array()}};
  for (const door::PairStatus& one : pairs) {
    nlohmann::ordered_json counts = nlohmann::ordered_json::object(), told = nlohmann::ordered_json::array();
    for (u32 kind = 0; kind < Alarms::kinds; ++kind) {
      counts[std::string(kind_names[kind])] = one.counts[kind];
      if (one.told >> kind & 1) told.push_back(kind_names[kind]);
    }
    made["alarms"].push_back(
        {{"source", host(one.source)},
         {"target", one.is_of_source != 0 ? nlohmann::ordered_json() : nlohmann::ordered_json(host(one.target))},
         {"counts", counts},
         {"told", told}});
  }
  made["not_named"] = answer.pairs_unnamed;
  return made;
}

void print_alarms(const door::Answer& answer, std::span<const door::PairStatus> pairs) {
  if (pairs.empty()) fmt::print("nothing is counted now\n");
  for (const door::PairStatus& one : pairs) {
    fmt::print("{:<40} {:<40}", host(one.source), one.is_of_source != 0 ? "everybody" : host(one.target));
    for (u32 kind = 0; kind < Alarms::kinds; ++kind)
      if (one.counts[kind] != 0)
        fmt::print(" {} {}{}", kind_names[kind], one.counts[kind], (one.told >> kind & 1) != 0 ? " (told)" : "");
    fmt::print("\n");
  }
  if (answer.pairs_unnamed != 0) fmt::print("and {} more\n", answer.pairs_unnamed);
}

}  // namespace weir
