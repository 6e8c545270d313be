#!/usr/bin/env python3
"""The wall clock is set, by years and both ways, while Weir runs and while it does not. What was spent stays spent; a
trial ends when its time has passed, no earlier and no later; an allow that has expired does not come back; a policy is
judged by the day that it is, and what is in force stays.

usage: clock_test.py DATAPLANE WEIR CONTROL UNKIND
needs root and network namespaces; says why and exits with 77 where it cannot run."""
import contextlib
import datetime
import os
import signal
import subprocess
import sys
import time

import unkind
from budget_world import World, policy as budget_policy
from control import Control, dataplane, door_status, policy, states, together
from namespaces import LEFT, RIGHT, Dataplane, Net, end, skip_unless_possible

YEAR = 365 * 86400
LIMIT = 400_000


@contextlib.contextmanager
def preloaded(machine):
    """Whoever is started meanwhile has the clock of this machine."""
    before = dict(os.environ)
    os.environ.update(machine.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def trials_and_judgements(folder, library):
    """weir-control and the dataplane, both with a clock that is set under them."""
    machine = unkind.Unkind(folder.file("unkind"), library)
    day = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=400)
    lasting = policy("lasting").replace('name = "web"', f'name = "web"\nexpires = {day}', 1)
    control = Control(folder)
    with preloaded(machine), together(folder, control):
        first = control.apply(lasting)["generation"]
        for years in (10, -10):
            before = control.generation()
            began = time.monotonic()
            trial = control.apply(policy(f"years{years}", 1000 + years), confirm_within_ms=2000)["generation"]
            machine.shift(years * YEAR)
            while door_status(folder)["generation"] == trial:
                assert time.monotonic() - began < 60, door_status(folder)
                time.sleep(0.02)
            took = time.monotonic() - began
            assert took > 1.9, f"a trial of 2 s took {took:.1f} s when the clock went by {years} years"
            told = control.wait_until(lambda told: not told["on_trial"])
            assert told["last_good"]["generation"] == trial + 1 > before, told
            assert states(control)[trial] == "rolled_back", states(control)
            machine.shift(0)
        # By the clock of two years on, what it allows has expired: told, and nothing of it comes back.
        in_force = control.generation()
        machine.shift(2 * YEAR)
        plan = control.post("/v1/plan", {"root": "p.toml", "files": {"p.toml": lasting}})
        assert "expired" in plan["diagnostics"], plan
        assert control.generation() == in_force
        # History grows by numbers, not by days.
        machine.shift(-20 * YEAR)
        last = control.apply(policy("last", 2000))["generation"]
        assert last > in_force > first and control.generation() == last
        when = {one["generation"]: one["when"] for one in control.get("/v1/history?n=100")["entries"]}
        assert when[last] < when[first], when
        control.stop(signal.SIGKILL)
        machine.shift(30 * YEAR)
        assert control.start()["last_good"]["generation"] == last
        control.wait_until(lambda told: told["dataplane"].get("generation") == last)


def started(world, *prefix):
    """The dataplane with the ledger; `prefix` stands before its command."""
    if prefix:
        program = world.programs["dataplane"]
        path = world.folder("prefixed")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec {" ".join(prefix)} "{program}" "$@"\n')
        os.chmod(path, 0o755)
        world.programs["dataplane"] = path
        try:
            return world.start_dataplane()
        finally:
            world.programs["dataplane"] = program
    return world.start_dataplane()


def other_boot_time():
    """A prefix under which two hours more have passed since the boot, by CLOCK_BOOTTIME alone; none where that is not
    possible here."""
    prefix = ["unshare", "--time", "--boottime", "7200", "--fork", "--kill-child"]
    ended = subprocess.run([*prefix, "cat", "/proc/uptime"], capture_output=True, text=True, check=False)
    return prefix if ended.returncode == 0 else None


def what_was_spent_stays_spent(net, world, library):
    machine = unkind.Unkind(world.folder("unkind"), library)
    world.compile(budget_policy("hour", LIMIT, "1h"))
    world.begin_ledger()
    with preloaded(machine):
        run = world.start_dataplane()
        world.offer_until_quiet(4 * LIMIT, 3)
        spent = world.arrived_bytes()
        assert LIMIT * 0.5 < spent <= LIMIT, spent
        for shift in (YEAR, -YEAR, 2 * 3600, 0):  # under its feet
            machine.shift(shift)
            world.offer_for(1, LIMIT)
        run.stop()
        for shift in (YEAR, -YEAR, 10 * YEAR, -50 * YEAR, 0):  # between two starts
            machine.shift(shift)
            run = world.start_dataplane()
            assert world.status()["ledger"]["state"] == "open", run.said()
            world.offer_for(0.5, LIMIT)
            run.stop()
            world.verify()
        now = world.arrived_bytes()
        assert now <= LIMIT, f"{now} bytes left of {LIMIT} in an hour"
    prefix = other_boot_time()
    if prefix is None:
        print("      no time namespaces here: the boot's clock was left alone")
    else:
        run = started(world, *prefix)
        world.offer_for(2, LIMIT)
        assert world.arrived_bytes() <= LIMIT, "one of two clocks went on by two hours, and an hour's bytes came back"
        end(run.process)  # and with it who it stands for
    print(f"      {spent} bytes of {LIMIT} left before the clock was set, {world.arrived_bytes()} in all")
    assert net.folder


def an_allow_expires_once(net, weir, binary, library):
    """Its last day ends, by the dataplane's clock, while packets flow: however the clock is set, it does not come
    back, and an earlier hour on the wall does not make it last."""
    machine = unkind.Unkind(f"{net.folder}/unkind", library)
    now = time.time()
    today = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).date()
    midnight = datetime.datetime.combine(today + datetime.timedelta(days=1), datetime.time(),
                                         datetime.timezone.utc).timestamp()
    for side, name, address in (("left", "L", LEFT), ("right", "R", RIGHT)):
        net.link("mid", f"{name}1", side, f"{name}0")
        net.address(side, f"{name}0", f"{address[0]}/24")
    with open(f"{net.folder}/policy.toml", "w", encoding="utf-8") as file:
        file.write(f"""version = 1
policy.name = "today"
link.arp = true
segment.left.cidr = ["{LEFT[0]}/32"]
segment.right.cidr = ["{RIGHT[0]}/32"]
service.ping = {{ icmp = ["echo"] }}
[[allow]]
name = "ping"
from = "left"
to = "right"
with = ["ping"]
expires = {today}
""")
    made = subprocess.run([weir, "compile", f"{net.folder}/policy.toml", "-o", f"{net.folder}/policy.img"],
                          capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr

    def passes():
        return net.call("left", "ping", "-c", "3", "-i", "0.1", "-W", "1", RIGHT[0])[0] == 0

    machine.shift(midnight - time.time() - 12)
    with preloaded(machine):
        run = start(net, binary)
    assert passes(), "it is the last day: " + run.said()
    machine.shift(YEAR)
    assert passes(), "a clock that is set later changes nothing"
    machine.shift(-YEAR)
    late = time.monotonic() + 40
    while passes():
        assert time.monotonic() < late, "its last day is over"
    for shift in (-YEAR, YEAR, 0, -20 * YEAR):
        machine.shift(shift)
        assert not passes(), f"an allow that has expired holds again by a clock that went by {shift} s"
    run.stop()


def start(net, binary):
    return Dataplane(net, "mid", binary, ["net_af_packet0,iface=L1", "net_af_packet1,iface=R1"])


def main(binary, weir, daemon, library):
    skip_unless_possible("af_packet")
    with dataplane.Folder(dataplane=binary, weir=weir, control=daemon) as folder:
        trials_and_judgements(folder, library)
    print("ok   ", trials_and_judgements.__name__)
    with Net("left", "mid", "right") as net:
        an_allow_expires_once(net, weir, binary, library)
    print("ok   ", an_allow_expires_once.__name__)
    with Net("left", "mid", "right") as net:
        what_was_spent_stays_spent(net, World(net, {"dataplane": binary, "weir": weir}), library)
    print("ok   ", what_was_spent_stays_spent.__name__)


main(*sys.argv[1:])
