// Writes docs/state.md from the TCP table and the timeouts, or says whether the page still is what they make.
// usage: state_page PAGE [--write]
#include "dataplane/flow/tcp.hpp"
#include "dataplane/flow/timeouts.hpp"
#include "tests/house/page.hpp"

#include <fmt/format.h>

using namespace weir;

namespace {

constexpr std::string_view opening = R"(# State

What Weir remembers of a flow, and when it forgets. This page is made from the tables in `dataplane/flow/tcp.cpp` and
`dataplane/flow/timeouts.hpp` (a test compares them): `build/tests/house/state_page docs/state.md --write`.

A flow is opened by the first packet that an `allow` covers, and belongs to both directions: replies need no rule. Its
decision is kept with it and asked again when the policy changes or an allow expires. A packet of a known flow must come
in by the side its sender was first heard on (`wrong_side`).

## TCP

The table goes by flags alone; sequence numbers and windows are not checked yet. Only a SYN opens a flow: a segment
without one is `tcp_not_syn`. A cell is the next state; an empty cell is the drop `tcp_state`, which changes nothing;
*reopens* means that the old flow is forgotten and the SYN is judged by policy as a first packet. Data in a SYN-ACK's
wake, before the opener's ACK (TCP Fast Open), is refused.

| state | sender | SYN | SYN-ACK | ACK or data | FIN | RST |
|---|---|---|---|---|---|---|
)";

constexpr std::string_view others = R"(
## Other protocols

UDP, SCTP and other IP protocols: the first packet opens, either direction follows. ICMP queries: the opener may send
the message that was allowed (type and code), the other side its reply; a reply without a query is `icmp_no_request`. An
ICMP error passes only toward the sender of a packet of a live flow that it quotes, from the side that packet went to
(`icmp_related`), else it is `icmp_unmatched`. Fragments are dropped: they wait for reassembly by state.

## Timeouts

A flow is gone when it was idle for this long, or for what [state.timeouts] of the policy says, whatever else happens:
never sooner, and at most 1.05 seconds later, since deadlines are counted in beats of 0.52 s. Memory is reclaimed a
little per packet. No timeout may exceed four hours.

| state | seconds | because |
|---|---|---|
)";

std::string cell(TcpStep step) {
  return step.refused() ? "" : step.reopens() ? "*reopens*" : std::string(tcp_state_name(step.next()));
}

std::string page() {
  std::string text{opening};
  for (u32 state = 0; state < tcp_states_count; ++state)
    for (u32 sender = 0; sender < 2; ++sender) {
      text += fmt::format("| `{}` | {} |", tcp_state_name(static_cast<TcpState>(state)),
                          sender == 0 ? "opener" : "replier");
      for (const TcpStep step : tcp_table[state][sender]) text += fmt::format(" {} |", cell(step));
      text += '\n';
    }
  text += others;
#define WEIR_TIMEOUT(name, ms, source) text += fmt::format("| `{}` | {} | {} |\n", #name, ms / 1000, source);
  WEIR_TIMEOUTS(WEIR_TIMEOUT)
#undef WEIR_TIMEOUT
  return text;
}

}  // namespace

int main(int count, char** arguments) { return keep_page(page(), count, arguments); }
