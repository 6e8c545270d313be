#!/usr/bin/env python3
"""A budget on a live dataplane, offered several times its bytes over veth: no more arrives; what was spent stays spent
over another policy, a planned restart with the flow that spends it, and a raised limit; without a ledger, or with an
older or a damaged one, nothing arrives, and no more when its disk is full.

usage: budget_live_test.py DATAPLANE WEIR WORKERS
needs root; says why and exits with 77 where it cannot run."""
import os
import subprocess
import sys
import time

from budget_world import World, policy
from namespaces import Net, skip_unless_possible

LIMIT = 4_000_000
OFFERED_PER_S = 12_000_000


def offered(world, seconds=1):
    """How many bytes were offered, and how many of them arrived."""
    before = world.arrived_bytes()
    sent = world.offer_until_quiet(OFFERED_PER_S, seconds)
    return sent, world.arrived_bytes() - before


def check_full_disk(world):
    """The ledger's disk fills up while bytes leave: what was lent leaves, and no more; with room it goes on."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", world.folder("ledger")], check=True)
    try:
        world.weir("budgets", "--begin", world.folder("ledger"), "--key", world.folder("key"), "--first")
        dataplane = world.start_dataplane(has_anchor=False)
        before = world.arrived_bytes()
        world.offer(OFFERED_PER_S)
        while world.arrived_bytes() - before < LIMIT / 8:
            time.sleep(0.01)
        with open(world.folder("ledger/filler"), "wb") as file:
            try:
                file.write(bytes(2 << 20))
            except OSError:
                pass
        time.sleep(1)
        assert "LEDGER CLOSED" in dataplane.said() and "No space" in dataplane.said(), dataplane.said()
        early = world.arrived_bytes()
        time.sleep(1)
        assert world.arrived_bytes() == early < before + LIMIT, "bytes leave by a closed ledger"
        assert world.status()["ledger"]["state"] == "closed"
        world.stop_offering()
        dataplane.stop()
        os.unlink(world.folder("ledger/filler"))
        dataplane = world.start_dataplane(has_anchor=False)
        offered(world)
        assert LIMIT * 0.9 <= world.arrived_bytes() - before <= LIMIT, world.arrived_bytes() - before
        dataplane.stop()
    finally:
        subprocess.run(["umount", world.folder("ledger")], check=True)


def check_closed(world, says):
    """A dataplane that lends nothing, and why."""
    dataplane = world.start_dataplane()
    assert says in dataplane.said(), dataplane.said()
    sent, passed = offered(world, 0.5)
    assert sent > 0 and passed == 0, f"{passed} bytes arrived"
    assert world.status()["ledger"]["state"] == "closed", world.status()["ledger"]
    dataplane.stop()


def main():
    binary, weir, workers = sys.argv[1:]
    skip_unless_possible("af_packet")
    with Net("left", "mid", "right") as net:
        world = World(net, {"dataplane": binary, "weir": weir})
        world.compile(policy("one", LIMIT, "1h", "alert_at = [50]"))

        dataplane = world.start_dataplane(has_ledger=False, workers=int(workers))
        assert "NO LEDGER IS OPEN" in dataplane.said(), dataplane.said()
        passed, state = offered(world, 0.5)[1], world.status()["ledger"]
        assert passed == 0 and state is None, (passed, state)
        dataplane.stop()
        world.weir("budgets", "--begin", world.folder("ledger"), "--key", world.folder("key"), code=1)
        world.begin_ledger()
        world.keep_copy("yesterday")

        dataplane = world.start_dataplane(workers=int(workers), keeps=True)
        sent, passed = offered(world)
        assert sent > 3 * LIMIT and 0.95 * LIMIT <= passed <= LIMIT, f"{passed} of {sent} arrived"
        state = world.status()["ledger"]
        assert state["state"] == "open" and state["budgets"][0]["name"] == "out", state
        assert state["budgets"][0]["left"] < LIMIT / 20, state
        assert "has spent 50% of" in dataplane.said(), dataplane.said()
        total = passed

        world.weir("door", world.door, "install", world.compile(policy("two", LIMIT, "1h"), 2, "two.img"))
        total += offered(world)[1]
        assert total <= LIMIT, f"another policy: {total}"
        dataplane.stop()

        dataplane = world.start_dataplane(workers=int(workers), keeps=True)
        assert "`two`, generation 2, goes on" in dataplane.said(), dataplane.said()
        total += offered(world)[1]
        assert "goes on with 1 flows" in dataplane.said(), dataplane.said()
        assert total <= LIMIT, f"a restart: {total}"
        world.weir("door", world.door, "install", world.compile(policy("more", 2 * LIMIT, "1h"), 3, "more.img"))
        time.sleep(0.2)
        total += offered(world)[1]
        assert 1.85 * LIMIT <= total <= 2 * LIMIT, f"a raised limit: {total}"
        world.weir("door", world.door, "install", world.compile(policy("less", LIMIT, "1h"), 4, "less.img"))
        total += offered(world)[1]
        assert total <= 2 * LIMIT, f"a lowered limit: {total}"
        dataplane.stop()
        made = world.verify()
        account = made["accounts"][0]
        assert total == account["total"] and account["leased"] == 0, (total, account)

        world.keep_copy("today")
        world.restore_copy("yesterday")
        check_closed(world, "older copy")
        world.restore_copy("today")
        with open(world.folder("ledger/ledger"), "r+b") as file:
            file.seek(200)
            file.write(b"\xff\xff")
        check_closed(world, "LEDGER CLOSED")
        check_full_disk(world)
        world.stop_counting()
        print(f"{total} bytes arrived of two times {LIMIT}, offered {OFFERED_PER_S} a second, {workers} workers")


main()
