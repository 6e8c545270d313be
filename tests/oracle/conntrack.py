#!/usr/bin/python3
"""The same packets through Linux (nftables and nf_conntrack, bridge.py) and through Weir (`weir replay`), packet by
packet: both forward it or both drop it, or the difference is one of the table in differences.py. Anything else fails.

usage: conntrack.py WEIR [--conversations N] [--packets N] [--seed N] [--only N] [--plant FAULT] [--write PAGE]
The default is a few seconds' worth. The long run of docs/oracle.md:
    tests/oracle/conntrack.py build/tools/weir/weir --conversations 24000 --packets 1000000 --write docs/oracle.md

A difference makes the two remember different things. So an agreed one is counted, its packet is taken out of the
conversation, and the conversation is asked again without it, by both, from the beginning, until nothing differs: what
follows a difference is compared as strictly as what precedes it.
An unexplained difference is printed with its conversation and saved, with --save FOLDER, as captures and text."""
import argparse
import collections
import os
import pathlib
import random
import subprocess
import sys
import time

import bridge
import differences
import fragments_seen
import other_talks
import page
import planted
import save
import talks
import tcp_talks
import weir_side

SKIP = 77
AT_ONCE = 1000  # conversations per round
ROUNDS_MOST = 400
SHOWN, UNEXPLAINED_MOST = 5, 200
# A run in which one of these never came proves nothing about it.
BOTH_WAYS = {(kind, forwarded) for kind in ("tcp", "udp", "query", "fragments") for forwarded in (True, False)}


def new_rules():
    """The nftables matches of an allowed opening, from the same rows as the rule file."""
    rules = []
    for address, source, target in (("ip", "10.20.0.0/16", "10.30.0.0/16"), ("ip6", "fd20::/16", "fd30::/16")):
        for column, one, other in ((1, source, target), (2, target, source)):
            sides = f"{address} saddr {one} {address} daddr {other}"
            for protocol, rows in (("tcp", tcp_talks.PORTS), ("udp", other_talks.UDP_PORTS)):
                ports = ", ".join(str(row[0]) for row in rows if row[column])
                rules.append(f"{sides} {protocol} dport {{ {ports} }}")
            types = {"ip": ["8", "13"][:3 - column], "ip6": ["128"]}[address]
            rules += [f"{sides} {'icmp' if address == 'ip' else 'icmpv6'} type {one}" for one in types]
    return rules


class Harness:
    def __init__(self, weir, plant):
        self.weir, self.plant = weir, plant
        self.rules = weir_side.policy(tcp_talks.PORTS, other_talks.UDP_PORTS)
        self.counts, self.verdicts = collections.Counter(), collections.Counter()
        self.unexplained, self.packets, self.asked = [], 0, 0
        self.reasons, self.rounds = collections.Counter(), 0
        self.lately = collections.Counter()  # rows that explained something in this round

    def ask_both(self, order):
        """Frames sent, what Linux let out for each, and Weir's (verdict, reason, rule) of each, in this order."""
        sent = [(packet.side, packet.frame()) for _, packet in order]
        middle = bridge.Bridge(new_rules(), planted.settings(self.plant))
        try:
            theirs = [middle.ask(side, frame) for side, frame in sent]
        finally:
            middle.close()
        ours = planted.decisions(self.plant, weir_side.ask(self.weir, self.rules, sent))
        self.asked += len(sent)
        return sent, theirs, ours

    def round(self, draw, kinds, conversations):
        """Asks all of them once; returns those to ask again, without the packets that differed."""
        order = talks.interleaved(draw, conversations)
        sent, theirs, ours = self.ask_both(order)
        heard = [[] for _ in conversations]
        for (place, packet), (_, frame), outs, answer in zip(order, sent, theirs, ours):
            heard[place].append(differences.Case(packet, frame, outs, answer))
        again = []
        for place, cases in enumerate(heard):
            left = self.compare(kinds[place], fragments_seen.together(cases))
            if left is not None:
                again.append((kinds[place], left))
        return again

    def compare(self, kind, cases):
        """Counts, if nothing differs, or takes the first difference out and returns the packets left."""
        out, row = set(), None
        for index, case in enumerate(cases):
            fault = case.fault()
            if fault is None:
                continue
            name, cause = differences.explain(cases[:index], case)
            if row is None and name is None:
                self.unexplained.append((kind, cases, index, fault))
                self.count(kind, cases[:index])
                return None
            # Later ones wait for their own turn, but for those that the same row explains by themselves.
            if row is None or name == row and cause is case.packet:
                row = name
                out.add(id(cause))
                self.counts[name] += 1
                self.lately[name] += 1
                self.packets += 1
                if cause is not case.packet:
                    break
        if row is not None:
            return [packet for one in cases if id(one.packet) not in out for packet in one.packets]
        self.count(kind, cases)
        return None

    def count(self, kind, cases):
        for case in cases:
            self.packets += len(case.packets)
            self.verdicts[kind, case.linux] += len(case.packets)
            self.reasons[case.reason] += len(case.packets)

    def ask(self, seed, numbers, left=()):
        """Asks these conversations, and those `left` from others, once; returns what is left of them."""
        drawn = [*left, *(talks.talk(seed, number) for number in numbers)]
        self.rounds += 1
        self.lately.clear()
        draw = random.Random(f"{seed}:{self.rounds}:order")
        return self.round(draw, [kind for kind, _ in drawn], [packets for _, packets in drawn])

    def finish(self, seed, left):
        """Asks until nothing differs any more."""
        for _ in range(ROUNDS_MOST):
            if not left:
                return
            left = self.ask(seed, [], left)
        lately = ", ".join(f"`{name}`" for name in sorted(self.lately))
        sys.exit(f"seed {seed}: {len(left)} conversations ({', '.join(kind for kind, _ in left)}) still differ after "
                 f"{ROUNDS_MOST} rounds, explained by {lately}")


def chosen_arguments():
    scale = max(1, int(os.environ.get("WEIR_PROPERTY_SCALE", "1")))
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("weir")
    arguments.add_argument("--conversations", type=int, default=400 * scale)
    arguments.add_argument("--packets", type=int, default=0, help="go on until so many were compared")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--only", type=int, help="one conversation, by number")
    arguments.add_argument("--plant", choices=planted.FAULTS, help="a mistake that the harness must find")
    arguments.add_argument("--write", type=pathlib.Path, metavar="PAGE", help="write the page of agreed differences")
    arguments.add_argument("--save", type=pathlib.Path, metavar="FOLDER", help="where unexplained conversations go")
    return arguments.parse_args()


def run(chosen):
    harness = Harness(os.path.abspath(chosen.weir), chosen.plant)
    number, left = 0, []
    if chosen.only is not None:
        harness.finish(chosen.seed, harness.ask(chosen.seed, [chosen.only]))
        return harness, 1
    while number < chosen.conversations or harness.packets < chosen.packets:
        most = max(chosen.conversations - number, AT_ONCE if harness.packets < chosen.packets else 0)
        numbers = list(range(number, number + min(AT_ONCE, most)))
        left = harness.ask(chosen.seed, numbers, left)
        number = numbers[-1] + 1
        if len(harness.unexplained) > UNEXPLAINED_MOST:
            break
    harness.finish(chosen.seed, left)
    return harness, number


def main():
    chosen = chosen_arguments()
    if subprocess.run(["sh", "-c", "command -v nft && command -v ip"], capture_output=True, check=False).returncode:
        print("skipped: nft or ip is not installed")
        sys.exit(SKIP)
    begin = time.monotonic()
    try:
        harness, conversations = run(chosen)
    except bridge.Unavailable as reason:
        print(f"skipped: {reason}")
        sys.exit(SKIP)
    save.show(harness.unexplained, SHOWN, chosen.save, harness.rules)
    differences.show(harness.counts)
    seconds = time.monotonic() - begin
    print(f"seed {chosen.seed}: {conversations} conversations, {harness.packets} packets compared "
          f"({harness.asked} asked) in {seconds:.0f} s; {harness.counts.total()} agreed differences, "
          f"{len(harness.unexplained)} unexplained")
    if chosen.write and not harness.unexplained:
        page.write(chosen.write, harness, chosen.seed, conversations, seconds)
    missing = set() if chosen.only is not None else BOTH_WAYS - set(harness.verdicts)
    if missing:
        print(f"never seen, so nothing is proved of it: {sorted(missing)}")
    sys.exit(1 if harness.unexplained or missing else 0)


if __name__ == "__main__":
    main()
