#include "tools/weir/door.hpp"

#include "control/door/door.hpp"
#include "tools/weir/door_pairs.hpp"
#include "tools/weir/shadow.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <expected>
#include <vector>

namespace weir {
namespace {

enum Exit { exit_done = 0, exit_refused = 1, exit_usage = 2, exit_unreachable = 3, exit_not_permitted = 4 };

using control::door_text;
using Status = control::DoorAnswer;

struct Failure {
  Exit code;
  std::string sentence;
};

Failure file_failure(const std::string& path) {
  const bool is_denied = errno == EACCES || errno == EPERM;
  return {is_denied ? exit_not_permitted : exit_usage, path + ": " + std::strerror(errno)};
}

Failure failure_of(const control::DoorFailure& failure) {
  using Kind = control::DoorFailure::Kind;
  const Exit code = failure.kind == Kind::usage         ? exit_usage
                    : failure.kind == Kind::unreachable ? exit_unreachable
                                                        : exit_not_permitted;
  return {code, failure.sentence};
}

door::Act act_of(DoorOptions::Act act) {
  switch (act) {
    case DoorOptions::Act::install: return door::Act::install;
    case DoorOptions::Act::confirm: return door::Act::confirm;
    case DoorOptions::Act::flush: return door::Act::flush;
    case DoorOptions::Act::seal_job: return door::Act::seal_job;
    case DoorOptions::Act::open_job: return door::Act::open_job;
    case DoorOptions::Act::members: return door::Act::members;
    case DoorOptions::Act::alarms: return door::Act::alarms;
    case DoorOptions::Act::export_lessons: return door::Act::export_lessons;
    case DoorOptions::Act::import_lessons: return door::Act::import_lessons;
    case DoorOptions::Act::cut_port: return door::Act::cut_port;
    case DoorOptions::Act::release_port: return door::Act::release_port;
    case DoorOptions::Act::shadow: return door::Act::shadow;
    case DoorOptions::Act::end_shadow: return door::Act::end_shadow;
    case DoorOptions::Act::quarantined:
    case DoorOptions::Act::put:
    case DoorOptions::Act::let_go:
    case DoorOptions::Act::status: break;
  }
  return door::Act::status;
}

// What travels with the request: images, lessons, or a file of ours for lessons to be written to.
std::expected<std::vector<Descriptor>, Failure> companions_of(const DoorOptions& options) {
  const bool exports = options.act == DoorOptions::Act::export_lessons;
  const bool imports = options.act == DoorOptions::Act::import_lessons;
  std::vector<std::string> paths;
  if (options.act == DoorOptions::Act::install || options.act == DoorOptions::Act::shadow)
    paths.push_back(options.image);
  if (options.act == DoorOptions::Act::install && !options.fallback.empty()) paths.push_back(options.fallback);
  if (exports || imports) paths.push_back(options.lessons);
  std::vector<Descriptor> companions;
  for (const std::string& path : paths) {
    companions.emplace_back(exports ? memfd_create("lessons", MFD_CLOEXEC)
                                    : open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (companions.back().get() < 0) return std::unexpected(file_failure(path));
  }
  return companions;
}

// What the dataplane has written into a file of ours goes where it was asked for.
std::expected<void, Failure> keep_lessons(int lessons, const std::string& path) {
  Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file.get() < 0) return std::unexpected(file_failure(path));
  std::vector<char> room(std::size_t{1} << 16);
  for (off_t at = 0;;) {
    const ssize_t got = pread(lessons, room.data(), room.size(), at);
    if (got == 0) return {};
    if (got < 0 || write(file.get(), room.data(), static_cast<std::size_t>(got)) != got)
      return std::unexpected(file_failure(path));
    at += got;
  }
}

std::expected<void, Failure> fill(door::Request& request, const DoorOptions& options) {
  request.generation = options.generation;
  request.force = (options.force ? door::force_generation : 0) | (options.replaces_trial ? door::force_trial : 0);
  if (options.within.empty()) return {};
  const auto within_ms = control::trial_ms(options.within);
  if (!within_ms) return std::unexpected(Failure{exit_usage, within_ms.error()});
  request.confirm_within_ms = *within_ms;
  return {};
}

std::expected<Status, Failure> ask(const DoorOptions& options) {
  auto request = control::door_request(act_of(options.act), options.name);
  if (!request) return std::unexpected(failure_of(request.error()));
  if (const auto told = fill(*request, options); !told) return std::unexpected(told.error());
  const auto companions = companions_of(options);
  if (!companions) return std::unexpected(companions.error());
  std::vector<int> descriptors;
  for (const Descriptor& one : *companions) descriptors.push_back(one.get());
  auto door = control::Door::reach(options.socket);
  if (!door) return std::unexpected(failure_of(door.error()));
  const auto told = door->ask(*request, descriptors);
  if (!told) return std::unexpected(failure_of(told.error()));
  if (told->is_done() && request->act == door::Act::export_lessons)
    if (const auto kept = keep_lessons(descriptors[0], options.lessons); !kept) return std::unexpected(kept.error());
  return *told;
}

nlohmann::ordered_json json_of(const door::WorkerStatus& worker) {
  nlohmann::ordered_json reasons = nlohmann::ordered_json::object();
  for (std::size_t reason = 0; reason < reasons_count; ++reason)
    if (worker.packets[reason] != 0)
      reasons[std::string(reason_rows[reason].name)] = {{"packets", worker.packets[reason]},
                                                        {"bytes", worker.bytes[reason]}};
  return {{"worker", worker.worker},
          {"received", worker.received},
          {"handed_over", worker.handed_over},
          {"unsent", worker.unsent},
          {"flows_live", worker.flows_live},
          {"flows_opened", worker.flows_opened},
          {"flows_expired", worker.flows_expired},
          {"flows_judged_again", worker.flows_judged_again},
          {"flows_revoked", worker.flows_revoked},
          {"rdma_alarms", worker.rdma_alarms},
          {"job_alarms", worker.job_alarms},
          {"sweep_judged", worker.sweep_judged},
          {"sweep_running_us", worker.sweep_running_us},
          {"sweep_us", worker.sweep_us},
          {"reasons", reasons}};
}

u64 left_of(const door::BudgetStatus& budget) {
  return budget.limit - std::min(budget.limit, budget.spent + budget.leased);
}

// As words, for machines and people: null where there is none.
const char* name_of(door::LedgerState state) {
  if (state == door::LedgerState::none) return nullptr;
  return state == door::LedgerState::open ? "open" : "closed";
}

nlohmann::ordered_json ledger_json(const Status& status) {
  const char* const name = name_of(status.answer.ledger);
  if (name == nullptr) return nullptr;
  nlohmann::ordered_json made = {{"state", name}};
  if (const std::string why = door_text(status.answer.ledger_sentence); !why.empty()) made["why"] = why;
  made["accounts"] = status.answer.budgets_in_force;
  made["budgets"] = nlohmann::ordered_json::array();
  for (const door::BudgetStatus& budget : status.budgets)
    made["budgets"].push_back({{"name", door_text(budget.name)},
                               {"window_s", budget.length_s},
                               {"limit", budget.limit},
                               {"spent", budget.spent},
                               {"leased", budget.leased},
                               {"left", left_of(budget)}});
  return made;
}

// null where no policy is on trial.
nlohmann::ordered_json trial_json(const door::Answer& answer) {
  if (answer.awaited_generation == 0) return nullptr;
  nlohmann::ordered_json made = {{"generation", answer.awaited_generation},
                                 {"fallback", answer.fallback_generation},
                                 {"left_s", static_cast<double>(answer.confirm_left_ms) / 1e3},
                                 {"breakglass", nullptr}};
  if (const std::string open = door_text(answer.breakglass); !open.empty()) made["breakglass"] = open;
  if (const std::string why = door_text(answer.fallback_sentence); !why.empty()) made["fallback_failed"] = why;
  return made;
}

void print_trial(const door::Answer& answer) {
  if (answer.awaited_generation == 0) return;
  const std::string why = door_text(answer.fallback_sentence);
  if (const std::string open = door_text(answer.breakglass); !open.empty())
    return fmt::print("BREAKGLASS: `{}` is open for another {:.1f} s; then generation {} comes into force{}{}\n", open,
                      static_cast<double>(answer.confirm_left_ms) / 1e3, answer.fallback_generation,
                      why.empty() ? "" : ", which has failed: ", why);
  fmt::print("generation {} awaits its confirmation for another {:.1f} s; else generation {} comes into force{}{}\n",
             answer.awaited_generation, static_cast<double>(answer.confirm_left_ms) / 1e3, answer.fallback_generation,
             why.empty() ? "" : ", which has failed: ", why);
}

// What a planned restart brought along; null where the run before left nothing to speak of.
nlohmann::ordered_json restart_json(const door::Answer& answer) {
  const std::string why = door_text(answer.restart_sentence);
  if (why.empty() && answer.restart_blocked_us == 0) return nullptr;
  nlohmann::ordered_json made = {{"flows", answer.flows_kept},
                                 {"not_kept", answer.flows_not_kept},
                                 {"blocked_us", answer.restart_blocked_us},
                                 {"started_empty", nullptr}};
  if (!why.empty()) made["started_empty"] = why;
  return made;
}

void print_restart(const door::Answer& answer) {
  const std::string why = door_text(answer.restart_sentence);
  if (!why.empty()) return fmt::print("started empty: {}\n", why);
  if (answer.restart_blocked_us == 0) return;
  fmt::print("restarted with {} flows of the run before, {} not kept, blocked for {:.1f} ms\n", answer.flows_kept,
             answer.flows_not_kept, static_cast<double>(answer.restart_blocked_us) / 1e3);
}

bool says_pairs(const DoorOptions& options) {
  return options.act == DoorOptions::Act::members || options.act == DoorOptions::Act::alarms;
}

bool says_quarantine(const DoorOptions& options) {
  return options.act == DoorOptions::Act::cut_port || options.act == DoorOptions::Act::release_port;
}

bool says_shadow(const DoorOptions& options) {
  return options.act == DoorOptions::Act::shadow || options.act == DoorOptions::Act::end_shadow;
}

bool teaches(const DoorOptions& options) {
  return options.act == DoorOptions::Act::export_lessons || options.act == DoorOptions::Act::import_lessons;
}

void print_json(const DoorOptions& options, const Status& status) {
  nlohmann::ordered_json json = {{"result", "done"}, {"generation", status.answer.generation}};
  if (says_pairs(options)) {
    json.update(options.act == DoorOptions::Act::members ? members_json(options.name, status.answer, status.pairs)
                                                         : alarms_json(status.answer, status.pairs));
    return fmt::print("{}\n", json.dump());
  }
  if (says_quarantine(options)) {
    json["quarantined"] = door_text(status.answer.quarantined);
  } else if (options.act == DoorOptions::Act::install) {
    json["blocked_us"] = status.answer.blocked_us;
    json["policy"] = door_text(status.answer.policy_name);
    if (const auto warning = door_text(status.answer.sentence); !warning.empty()) json["warning"] = warning;
  } else if (says_shadow(options)) {
    json["shadow"] = control::shadow_json(status.answer);
    if (const auto warning = door_text(status.answer.sentence); !warning.empty()) json["warning"] = warning;
  } else if (options.act == DoorOptions::Act::confirm) {
    json["confirmed"] = true;
  } else if (options.act == DoorOptions::Act::flush) {
    json["flows_flushed"] = status.answer.flows_flushed;
  } else if (teaches(options)) {
    json["job"] = options.name;
    json["queue_pairs"] = status.answer.pairs;
  } else if (options.act != DoorOptions::Act::status) {
    json["job"] = options.name;
    json["sealed"] = options.act == DoorOptions::Act::seal_job;
  } else {
    json["policy"] = door_text(status.answer.policy_name);
    json["uptime_s"] = status.answer.uptime_s;
    json["workers"] = nlohmann::ordered_json::array();
    for (const door::WorkerStatus& worker : status.workers) json["workers"].push_back(json_of(worker));
    json["quarantined"] = door_text(status.answer.quarantined);
    json["links_down"] = door_text(status.answer.links_down);
    json["ledger"] = ledger_json(status);
    json["trial"] = trial_json(status.answer);
    json["restart"] = restart_json(status.answer);
    json["shadow"] = control::shadow_json(status.answer);
  }
  fmt::print("{}\n", json.dump());
}

void print_quarantine(const Status& status) {
  const std::string names = door_text(status.answer.quarantined);
  fmt::print("{}{}\n", names.empty() ? "nothing is in quarantine" : "in quarantine: ", names);
}

void print_shadow(const door::Answer& answer) {
  if (answer.shadow_generation == 0) return fmt::print("no shadow is asked\n");
  fmt::print("shadow {}\n", shadow_text(control::shadow_json(answer)));
}

void print_status(const Status& status) {
  if (status.answer.generation == 0) fmt::print("no policy: everything is denied; up {} s\n", status.answer.uptime_s);
  else
    fmt::print("policy {}, generation {}, up {} s\n", door_text(status.answer.policy_name), status.answer.generation,
               status.answer.uptime_s);
  print_trial(status.answer);
  if (status.answer.shadow_generation != 0) print_shadow(status.answer);
  print_restart(status.answer);
  u64 packets[reasons_count] = {}, bytes[reasons_count] = {};
  for (const door::WorkerStatus& worker : status.workers) {
    fmt::print("worker {}: {} received, {} handed over, {} unsent; {} flows live, {} opened, {} expired\n",
               worker.worker, worker.received, worker.handed_over, worker.unsent, worker.flows_live,
               worker.flows_opened, worker.flows_expired);
    const std::string sweep =
        worker.sweep_running_us != 0
            ? fmt::format("in progress for {:.3f} s", static_cast<double>(worker.sweep_running_us) / 1e6)
            : fmt::format("done within {:.3f} s of the last change", static_cast<double>(worker.sweep_us) / 1e6);
    if ((worker.rdma_alarms | worker.job_alarms) != 0)
      fmt::print("  alarms: {} of RDMA, {} of jobs\n", worker.rdma_alarms, worker.job_alarms);
    fmt::print("  sweep {}: {} flows judged again, {} of them by it, {} revoked\n", sweep, worker.flows_judged_again,
               worker.sweep_judged, worker.flows_revoked);
    for (std::size_t reason = 0; reason < reasons_count; ++reason) {
      packets[reason] += worker.packets[reason];
      bytes[reason] += worker.bytes[reason];
    }
  }
  if (status.answer.quarantined[0] != '\0') print_quarantine(status);
  if (status.answer.links_down[0] != '\0') fmt::print("link down: {}\n", door_text(status.answer.links_down));
  for (std::size_t reason = 0; reason < reasons_count; ++reason)
    if (packets[reason] != 0)
      fmt::print("{:<8} {:<20} {:>12} packets {:>15} bytes\n", verdict_name(reason_rows[reason].verdict),
                 reason_rows[reason].name, packets[reason], bytes[reason]);
}

void print_ledger(const Status& status) {
  const char* const name = name_of(status.answer.ledger);
  if (name == nullptr) return fmt::print("no ledger: what a budget covers is denied\n");
  const std::string why = door_text(status.answer.ledger_sentence);
  fmt::print("ledger {}{}{}, {} accounts in force\n", name, why.empty() ? "" : ": ", why,
             status.answer.budgets_in_force);
  for (const door::BudgetStatus& budget : status.budgets)
    fmt::print("budget   {:<32} {:>15} of {} bytes left in {}\n", door_text(budget.name), left_of(budget), budget.limit,
               budget.length_s == 0 ? "its lifetime" : fmt::format("{} s", budget.length_s));
}

void print_table(const DoorOptions& options, const Status& status) {
  if (options.act == DoorOptions::Act::status) return print_status(status), print_ledger(status);
  if (says_quarantine(options)) return print_quarantine(status);
  if (options.act == DoorOptions::Act::members) return print_members(options.name, status.answer, status.pairs);
  if (options.act == DoorOptions::Act::alarms) return print_alarms(status.answer, status.pairs);
  if (options.act == DoorOptions::Act::export_lessons)
    return fmt::print("{} queue pairs of job {} written to {}\n", status.answer.pairs, options.name, options.lessons);
  if (options.act == DoorOptions::Act::import_lessons)
    return fmt::print("{} queue pairs of job {} may open now\n", status.answer.pairs, options.name);
  if (options.act == DoorOptions::Act::seal_job)
    return fmt::print("job {} is sealed: its members open no more queue pairs\n", options.name);
  if (options.act == DoorOptions::Act::open_job)
    return fmt::print("job {} is open: its start-up window begins with the next queue pair\n", options.name);
  if (options.act == DoorOptions::Act::confirm)
    return fmt::print("generation {} is confirmed\n", status.answer.generation);
  if (options.act == DoorOptions::Act::flush) return fmt::print("{} flows flushed\n", status.answer.flows_flushed);
  if (says_shadow(options)) {
    print_shadow(status.answer);
  } else {
    fmt::print("policy {}, generation {}, in force after {} us\n", door_text(status.answer.policy_name),
               status.answer.generation, status.answer.blocked_us);
    print_trial(status.answer);
  }
  if (const auto warning = door_text(status.answer.sentence); !warning.empty())
    fmt::print(stderr, "weir door: warning: {}\n", warning);
}

}  // namespace

int door_command(const DoorOptions& options) {
  const auto status = ask(options);
  if (!status) {
    fmt::print(stderr, "weir door: {}\n", status.error().sentence);
    return status.error().code;
  }
  if (!status->is_done()) {
    fmt::print(stderr, "weir door: {}\n", control::refusal_text(status->answer));
    return exit_refused;
  }
  options.output == "json" ? print_json(options, *status) : print_table(options, *status);
  return exit_done;
}

}  // namespace weir
