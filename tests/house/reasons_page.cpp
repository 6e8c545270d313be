// Writes docs/reasons.md from the table of reasons, or says whether the page still is what the table makes.
// usage: reasons_page PAGE [--write]
#include "dataplane/packet/reason.hpp"
#include "tests/house/page.hpp"

#include <fmt/format.h>

using namespace weir;

namespace {

constexpr std::string_view opening = R"(# Reasons

Every packet ends with exactly one reason. It is what `decisions.jsonl` says, what counters are kept by, and what
`weir explain` ends in. This page is made from the table in `dataplane/packet/reason.hpp` (a test compares them):
`build/tests/house/reasons_page docs/reasons.md --write`.

Stages follow one another: a frame is parsed, its source identified, the packet made sure of, the link's own protocols
judged by `[link]`, then the rest by policy and state. Within parsing the outermost layer's doubt wins; the order inside
a layer stands at its function (`dataplane/packet/ethernet.cpp`, `ipv4.cpp`, `ipv6.cpp`, `transport.cpp`, `icmp.cpp`,
`neighbour.cpp`).
)";

struct Stage {
  std::string_view name, heading;
};
constexpr Stage stages[] = {
    {"parse", "Parse: the frame itself is in doubt"},
    {"whole", "Whole: fragments and transport checksums"},
    {"identity", "Identity: the source is not who it says"},
    {"link", "Link: ARP, neighbour discovery, DHCP"},
    {"policy", "Policy: the rules"},
    {"state", "State: flows"},
    {"flood", "Flood: ceilings on what opens flows"},
    {"inspect", "Inspection: what flows carry"},
    {"limit", "Limits: how fast"},
    {"budget", "Budgets: how much"},
    {"engine", "Engine"},
    {"guard", "Guard: ports that the kernel owns"},
};

std::string page() {
  std::string text{opening};
  std::size_t written = 0;
  for (const Stage& stage : stages) {
    text += fmt::format("\n## {}\n\n| reason | verdict | when |\n|---|---|---|\n", stage.heading);
    for (const ReasonRow& reason : reason_rows) {
      if (reason.stage != stage.name) continue;
      text += fmt::format("| `{}` | {} | {} |\n", reason.name, verdict_name(reason.verdict), reason.sentence);
      ++written;
    }
  }
  // A stage without a heading would leave its reasons out.
  return written == reasons_count ? text : std::string{};
}

}  // namespace

int main(int count, char** arguments) {
  const std::string text = page();
  if (text.empty()) {
    std::cerr << "a stage of the table has no heading in tests/house/reasons_page.cpp\n";
    return 1;
  }
  return keep_page(text, count, arguments);
}
