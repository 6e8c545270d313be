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
decision is kept with it and asked again when the policy changes or an allow expires. A packet of a known flow must
come in by the side its sender was first heard on (`wrong_side`).

## TCP

Only a SYN opens a flow: a segment without one is `tcp_not_syn`, unless `[state] pick_up = true`. The table says what
a segment of right numbers does; below it stands which numbers are right. A cell is the next state. An empty cell is
the drop `tcp_state`, which changes nothing; *endpoint* passes as `tcp_challenge`, for the endpoint to answer, and
changes nothing; *reopens* means that the old flow is forgotten and the SYN is judged by policy as a first packet;
*judged* that policy is asked whether the replier may open too. `ACK*` and `FIN*` acknowledge all that the other side
has sent, so also its FIN. What others do, and why Weir does this, stands in [tcp](tcp.md).

| state | sender | SYN | SYN-ACK | ACK or data | ACK* | FIN | FIN* | RST |
|---|---|---|---|---|---|---|---|---|
)";

constexpr std::string_view numbers = R"(
Of each side Weir keeps `end`, one past the highest sequence number it has sent, `edge`, the highest that the other's
acknowledgements and windows have permitted, the scale of its windows and the widest of them, rounded up to a power of
two. Windows are scaled once both SYNs have offered a scale (RFC 7323); those in SYN and SYN-ACK never are.

- **Data** ends at most the other's widest window (and two) before the sender's `end`, and at most at its `edge`; a
  closed window takes one byte, a FIN may stand one beyond. After a FIN nothing goes beyond it. Else `tcp_window`.
- **A FIN** stands after all the data sent, or on the last number, since a later acknowledgement may have overtaken it,
  and always in the same place. Else `tcp_window`.
- **An acknowledgement** is at most the other's `end`, and at least twice the sender's widest window before it: once for
  what is in flight, once for having been overtaken (RFC 5961). Selective ones reach no further than the other's
  `end`. Else `tcp_bad_ack`. The one that ends a handshake is exact.
- **A RST** ends the flow when its number is exactly the sender's `end`; in answer to the first SYN, when it
  acknowledges that SYN. Behind, within a window, it passes as `tcp_challenge`: it may be exact for the endpoint,
  whose answer then passes. Ahead, or further behind, it is `tcp_bad_rst` (RFC 5961).
- **A SYN** again in `syn_sent` replaces the first, also with another number; later it must be the same, or passes as
  `tcp_challenge` (the opener's) or is dropped. In `time_wait` and `reset` it reopens, whatever its number. When the
  replier accepts the opener's last SYN that passed so, by a SYN-ACK of exactly its number, the flow goes on from that
  SYN; when it refuses it by a RST of that number, the flow is reset.
- **A SYN-ACK** acknowledges exactly the SYN; repeated after that it has the same number. Data in either is
  `tcp_syn_data`.
- **An ICMP error** passes when it quotes a number from the sender's `end` back to a window before it (RFC 5927); it
  never ends a flow.

What passes as `tcp_challenge` does not keep a flow alive. With `[state] profile = "loose"` what is out of window
passes as `tcp_loose` and changes nothing but the time of the last packet, a RST anywhere in the window ends the flow,
and data may come with a SYN and before the handshake is over (RFC 7413). With `pick_up = true` a connection may be
met in mid-stream, from the side that policy lets open or by the answer to it; its windows then count as unknown, one
gigabyte either way.
)";

constexpr std::string_view others = R"(
## Other protocols

UDP, SCTP and other IP protocols: the first packet opens, either direction follows. An ICMP query's flow is named by the
querier, its identifier, the other side and the type of the query, so hosts that ping each other have two flows. The
opener may send the message that was allowed (type and code), the other side its reply; a reply without a query is
`icmp_no_request`. An ICMP error passes only toward the sender of a packet of a live flow that it quotes, from the side
that packet went to (`icmp_related`), else it is `icmp_unmatched`. Fragments are held until their datagram is whole, and
then are one packet ([fragments](fragments.md)).

## Timeouts

A flow is gone when it was idle for this long, or for what [state.timeouts] of the policy says, whatever else happens:
never sooner, and at most 1.05 seconds later, since deadlines are counted in beats of 0.52 s. Memory is reclaimed a
little per packet. No timeout may exceed four hours.

| state | seconds | because |
|---|---|---|
)";

std::string cell(TcpStep step) {
  if (step.refused()) return "";
  if (step.reopens()) return "*reopens*";
  if (step.challenges()) return "*endpoint*";
  return step.judged() ? "*judged*" : std::string(tcp_state_name(step.next()));
}

std::string page() {
  std::string text{opening};
  for (u32 state = 0; state < tcp_states_count; ++state)
    for (u32 sender = 0; sender < 2; ++sender) {
      text += fmt::format("| `{}` | {} |", tcp_state_name(static_cast<TcpState>(state)),
                          sender == 0 ? "opener" : "replier");
      for (u32 segment = 0; segment < tcp_segments_count; ++segment)
        text += fmt::format(" {} |", cell(tcp_table[state][sender][segment]));
      text += '\n';
    }
  text += numbers;
  text += others;
#define WEIR_TIMEOUT(name, ms, source) text += fmt::format("| `{}` | {} | {} |\n", #name, ms / 1000, source);
  WEIR_TIMEOUTS(WEIR_TIMEOUT)
#undef WEIR_TIMEOUT
  return text;
}

}  // namespace

int main(int count, char** arguments) { return keep_page(page(), count, arguments); }
