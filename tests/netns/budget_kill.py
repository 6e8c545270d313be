#!/usr/bin/env python3
"""kill -9 of the real dataplane at random moments, RUNS times on one ledger, while more than ten times its budget is
offered over veth and a capture on the far end counts. No sliding window of all that time holds more than the budget,
the median run gets at least half of it, the ledger verifies after each run, and with yesterday's ledger nothing leaves.

usage: budget_kill.py DATAPLANE WEIR [RUNS] [SEED]    200 runs take some 15 minutes
needs root; says why and exits with 77 where it cannot run."""
import random
import signal
import statistics
import sys
import time

from budget_world import World, most_in_any, policy
from namespaces import Net, end, skip_unless_possible

LIMIT, WINDOW_S = 4_000_000, 5
OFFERED_PER_S = 13 * LIMIT // WINDOW_S
LIFE_MAX_S = 1.8 * WINDOW_S


def killed_run(world, life_s):
    """(began, ended) of one life of the dataplane, in ns of the wall clock."""
    began = time.time_ns()
    dataplane = world.start_dataplane(waits=False)
    time.sleep(life_s)
    assert dataplane.process.poll() is None, dataplane.said()
    end(dataplane.process, signal.SIGKILL)
    assert "LEDGER CLOSED" not in dataplane.said(), dataplane.said()
    dataplane.log.close()
    return began, time.time_ns()


def yesterday(world):
    """What leaves, in a window, when an older copy of the ledger lies there: bytes."""
    world.restore_copy("yesterday")
    before = world.arrived_bytes()
    dataplane = world.start_dataplane()
    time.sleep(WINDOW_S)
    assert "older copy" in dataplane.said(), dataplane.said()
    dataplane.stop()
    return world.arrived_bytes() - before


def main():
    binary, weir, runs, seed = (*sys.argv[1:], *("5", str(time.time_ns() % 2**32))[len(sys.argv) - 3:])
    skip_unless_possible("af_packet")
    chance = random.Random(int(seed))
    with Net("left", "mid", "right") as net:
        world = World(net, {"dataplane": binary, "weir": weir})
        world.compile(policy("kill", LIMIT, f"{WINDOW_S}s"))
        world.begin_ledger()
        world.offer(OFFERED_PER_S)
        began = time.monotonic()
        lives = []
        # Of every length: a few that are short by chance would say that too little arrives.
        lengths = [LIFE_MAX_S * (part + chance.random()) / int(runs) for part in range(int(runs))]
        chance.shuffle(lengths)
        for run, length_s in enumerate(lengths):
            lives.append(killed_run(world, length_s))
            world.verify()
            if run == 0:
                world.keep_copy("yesterday")
        took = time.monotonic() - began
        arrived = world.arrived()
        rolled_back = yesterday(world)
        sent = world.stop_offering()
        world.stop_counting()
        per_run = [sum(length for at, length in arrived if first <= at <= last) for first, last in lives]
        most, median = most_in_any(WINDOW_S, arrived), statistics.median(per_run)
        print(f"seed {seed}: {runs} kills in {took:.0f} s: {sum(per_run)} bytes arrived, at most {most} in any "
              f"{WINDOW_S} s, of a budget of {LIMIT}; {median / LIMIT:.2f} of it in the median run; "
              f"{sent / took * WINDOW_S / LIMIT:.1f} of it offered a window; {rolled_back} bytes by yesterday's ledger")
        assert most <= LIMIT, "more than the budget arrived"
        assert median >= LIMIT / 2, f"the median run got less than half: {sorted(per_run)}"
        assert sent / (took + WINDOW_S + 5) * WINDOW_S >= 10 * LIMIT, "too little was offered"
        assert rolled_back == 0, "an older ledger was believed"


main()
