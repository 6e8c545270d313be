#!/usr/bin/env python3
"""What a budget on a live dataplane may say besides its bytes: an account for each host, a share of each host, a
reserve, a throttle, an alert. Each is offered several times its bytes over veth and gets what it may, and no more.

usage: budget_parts_test.py DATAPLANE WEIR
needs root; says why and exits with 77 where it cannot run."""
import sys

from budget_world import World, policy
from namespaces import Net, skip_unless_possible

LIMIT, OFFERED_PER_S, RATE = 1_000_000, 6_000_000, 200_000
BURST = 10_000  # of a throttle


def of_hosts(name, more):
    return policy(name, LIMIT, "1h", more).replace("[segment.left]\n", "[segment.left]\nhosts = 4\n")


def run(programs, text, seconds=None):
    """(bytes offered, bytes arrived, seconds from the first arrival to the last, what the dataplane said)"""
    with Net("left", "mid", "right") as net:
        world = World(net, programs)
        world.compile(text)
        world.begin_ledger()
        dataplane = world.start_dataplane(workers=2)
        sent = world.offer_until_quiet(OFFERED_PER_S, 1) if seconds is None else world.offer_for(seconds, OFFERED_PER_S)
        arrived = world.arrived()
        dataplane.stop()
        world.stop_counting()
        world.verify()
        took = (arrived[-1][0] - arrived[0][0]) / 1e9
        return sent, sum(length for _, length in arrived), took, dataplane.said()


def main():
    binary, weir = sys.argv[1:]
    skip_unless_possible("af_packet")
    programs = {"dataplane": binary, "weir": weir}
    for name, text, most in (("host", of_hosts("host", 'scope = "host"'), LIMIT),
                             ("share", of_hosts("share", 'max_share = "40%"'), LIMIT * 2 // 5),
                             ("reserve", policy("reserve", LIMIT, "1h", 'reserve = { "right" = "20%" }'), LIMIT)):
        sent, passed, took, _ = run(programs, text)
        print(f"{name}: {passed} of {most} bytes in {took:.1f} s, {sent} offered")
        assert 0.95 * most <= passed <= most < sent / 3, name
    more = f'on_exceed = "throttle {RATE * 8 // 1000} kbit/s"'
    sent, passed, took, _ = run(programs, policy("throttle", LIMIT // 4, "1h", more), 8)
    most = LIMIT // 4 + int(RATE * took) + BURST
    print(f"throttle: {passed} of {most} bytes in {took:.1f} s, {sent} offered")
    assert LIMIT // 4 + BURST < passed <= most, "throttle"
    more = 'on_exceed = "alert"\nalert_at = [50, 100]'
    sent, passed, took, said = run(programs, policy("alert", LIMIT, "1h", more), 3)
    print(f"alert: {passed} bytes in {took:.1f} s, {sent} offered")
    assert passed > 2 * LIMIT and "has spent 50% of" in said and "has spent 100% of" in said, said


main()
