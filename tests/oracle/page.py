#!/usr/bin/python3
"""docs/oracle.md: how the oracle works, the table of agreed differences, and how often the last long run met each.

usage: page.py PAGE      whether the page is what the table says; the numbers in it are the long run's own"""
import pathlib
import re
import sys

import differences

HEAD = """# The oracle

Linux's nf_conntrack and Weir's flow table answer the same question and share no line of code.
`tests/oracle/conntrack.py` sends the same packets through both and compares them one by one: both forward a packet,
or both drop it, or the difference is a row of the table below. Anything else fails, with the conversation printed.

```
   talks.py ──▶ mutations.py ──▶ packets, in one order ──┬──▶ bridge.py      tap ═ bridge, nftables, nf_conntrack ═ tap
   (one seed)                                            └──▶ weir_side.py   weir replay, decisions.jsonl
                                                                 │
                  differences.py ◀── packet by packet ───────────┘
```

- **Linux** is a bridge in a network namespace of the test's own, with br_netfilter, `ct state established,related
  accept`, `ct state new` by the same policy that Weir has, everything else dropped; `nf_conntrack_tcp_loose` and
  `tcp_be_liberal` are 0. A frame written to a tap is judged before the write returns, so each answer is known to be
  that frame's.
- **Conversations** are TCP between two hosts that keep the rules (handshakes of every kind, options, moving windows,
  losses made good, half-closes, resets, ports used again), UDP, ICMP queries, ICMP errors, and fragments, over IPv4
  and IPv6. Three quarters are then disturbed: reordered, doubled, lost, replayed; flags, sequence numbers, windows,
  options, checksums, lengths and ports altered; segments forged with numbers that an attacker guesses or knows.
- **After a difference** the two remember different things. So its packet is counted, taken out, and the conversation
  asked again from the beginning without it, by both, until nothing differs: what follows a difference is compared as
  strictly as the rest.
- **A row that blames an earlier packet** (a second opening, say) takes that one out instead: were it not the cause, the
  difference would come again without it, and fail.
- **Fragments** are compared by datagram: what the target can put together of what was let through. Weir must never
  let through two values for one byte.
- Time is not compared: nothing expires during a conversation. Timeouts have scenarios of their own (`tests/replay`).

```
tests/oracle/conntrack.py build/tools/weir/weir                 # a few seconds; in the suite `oracle`
tests/oracle/conntrack.py build/tools/weir/weir --conversations 24000 --packets 1000000 --write docs/oracle.md
tests/oracle/conntrack.py build/tools/weir/weir --seed 7 --only 1234 --save FOLDER
```

`--plant` makes a mistake on purpose (`tests/oracle/planted.py`); the test `conntrack_planted` sees that each is
found.

"""
TABLE = """## Agreed differences

The last long run: {run}.

| difference | Weir | because | met |
|---|---|---|---|
"""
RUN = "seed {seed}, {conversations} conversations, {packets} packets compared ({asked} asked) in {seconds} s, " \
    "{differences} agreed differences, 0 unexplained"


def page(run, counts):
    rows = "".join(f"| {row.name} | {row.weir.replace('drops ', 'drops `') + '`' if ' ' in row.weir else row.weir} "
                   f"| {row.why} | {counts.get(row.name, 0)} |\n" for row in differences.TABLE)
    return HEAD + TABLE.format(run=run) + rows


def write(path, harness, seed, conversations, seconds):
    run = RUN.format(seed=seed, conversations=conversations, packets=harness.packets, asked=harness.asked,
                     seconds=round(seconds), differences=harness.counts.total())
    path.write_text(page(run, harness.counts))


def main():
    text = pathlib.Path(sys.argv[1]).read_text()
    run = re.search(r"^The last long run: (.*)\.$", text, re.MULTILINE)
    counts = {name: int(count) for name, count in re.findall(r"^\| (.+?) \| .* \| (\d+) \|$", text, re.MULTILINE)}
    names = [row.name for row in differences.TABLE]
    if len(set(names)) != len(names):
        sys.exit("two rows of the table have one name")
    if run is None or page(run.group(1), counts) != text:
        sys.exit(f"{sys.argv[1]} is not what the table of differences says: run conntrack.py with --write")


if __name__ == "__main__":
    main()
