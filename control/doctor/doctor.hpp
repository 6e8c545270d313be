// What Weir's promises take for granted about a machine, asked one by one: each is answered by pass, fail or unknown,
// with the reason and what to do. It changes nothing; and what it cannot see it never calls pass.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::control {

enum class Health { pass, fail, unknown };
std::string_view health_name(Health health);

struct Finding {
  std::string question;  // a row's name; of an interface `interface NAME`
  Health health = Health::unknown;
  std::string reason;
  std::string advice;  // empty where it passes
};

// A network interface of this machine, and who judges its frames.
struct KernelInterface {
  std::string name;
  bool is_up = false;
  bool is_guarded = false;  // the guard has it in its table
  std::string guard_fault;  // why its programs do not see every frame; empty: they do
  bool guard_closes = false;  // closed now, for want of a heartbeat
};

struct Machine {
  std::string root = "/";  // above proc, sys and dev
  std::vector<KernelInterface> interfaces;  // all but the loopback
  std::vector<std::string> dataplane_interfaces;  // that the dataplane is said to have
  std::optional<bool> dataplane_beats;  // nothing: nobody said where to look
  std::optional<std::string> guard_unseen;  // why the guard could not be asked
};

// A row of the table: what is taken for granted, and how one finds out.
struct Assumption {
  std::string_view name;
  std::string_view sentence;
  void (*ask)(const Machine& machine, std::vector<Finding>& findings);
};
std::span<const Assumption> assumptions();

std::vector<Finding> examine(const Machine& machine);
// 0 all pass, 1 some fail, 3 none fails and some are unknown.
int verdict_of(std::span<const Finding> findings);

}  // namespace weir::control
