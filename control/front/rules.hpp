// Rule files through the whole front half: load, check, compile, verify. What commands and the daemon share, so that
// none of them can mean another policy. It writes nothing and installs nothing.
#pragma once
#include "control/check/check.hpp"
#include "control/compile/compile.hpp"
#include "dataplane/policy/policy.hpp"

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::control {

// A compiled policy in memory of its own, verified as the dataplane would.
struct PolicyFile {
  std::unique_ptr<std::byte, void (*)(void*)> image;  // what `policy` reads
  Policy policy;
  std::string rule_directory;                         // "" or "dir/": goes before the rule files' names when shown
};

// What an image has of signature sets: their names, for who asks it; or what a dataplane scans with.
enum class Signatures { named, compiled };

struct Rules {
  Checked checked;
  std::optional<CompileReport> report;
  std::optional<PolicyFile> compiled;  // when the rules hold: what they say, for questions
  std::vector<std::byte> monitoring;   // in monitor mode: the image that passes and tells what they deny
  std::optional<PolicyFile> widest;    // where they have breakglass allows that are closed: with all of them open
  std::int64_t now_s = 0;

  bool ok() const { return compiled.has_value() && checked.ok(); }
  // When ok: the policy at its most open, which every invariant is judged by.
  const Policy& at_most() const { return widest ? widest->policy : compiled->policy; }
  // When ok: what a dataplane takes.
  std::span<const std::byte> image() const {
    if (!monitoring.empty()) return monitoring;
    return {compiled->image.get(), report->image_bytes};
  }
};

// One breakglass allow, open until then (Unix).
struct Opening {
  std::string allow;
  std::int64_t until_s;
};

// The dataplane takes only what is above the generation in force, and 0 is none.
inline constexpr std::uint64_t first_generation = 1;

// Capacity errors are added to the diagnostics. Tests are not run. An image of a policy that is only read is for
// questions: it is never written nor installed. With `opening` the model and the image are of the policy in which that
// allow, a breakglass allow of these very texts, is open.
Rules read_rules(Loaded loaded, std::int64_t now_s, std::uint64_t generation, Purpose purpose = Purpose::enforce,
                 Signatures signatures = Signatures::named, const Opening* opening = nullptr);

// `image` in memory as verify() wants it, and verified.
std::expected<PolicyFile, std::string> take_image(std::span<const std::byte> image);

}  // namespace weir::control
