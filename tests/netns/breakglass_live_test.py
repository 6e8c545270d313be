#!/usr/bin/env python3
"""A breakglass allow on a live dataplane, with frames that somebody sends all the time: they arrive only while it is
open; it closes by itself with weir-control killed, and its flow with it; its budget holds while it is open, and what
was spent by one opening is spent for the next.

usage: breakglass_live_test.py DATAPLANE WEIR CONTROL
needs root; says why and exits with 77 where it cannot run."""
import json
import subprocess
import signal
import sys
import time

from budget_world import World, policy
from namespaces import LEFT, Net, end, skip_unless_possible

LIMIT = 4_000_000
CLOSED = policy("night", LIMIT, "1h", f"""
[asset.weights]
size = "1 TB"
held = ["left"]
""").replace('with = ["data"]\n', 'with = ["data"]\nbreakglass = "1h"\nowner = "on call"\nwhy = "repairs"\n', 1)


class Night:
    def __init__(self, net, programs):
        self.world = World(net, programs)
        self.world.compile(CLOSED)
        self.world.begin_ledger()
        self.world.start_dataplane()
        self.socket, self.log = f"{net.folder}/control", open(f"{net.folder}/control.log", "w+", encoding="utf-8")
        self.start_control()
        self.weir("apply", f"{net.folder}/policy.toml", "--yes")

    def start_control(self):
        world = self.world
        self.control = world.net.start("mid", world.programs["control"], "--socket", self.socket, "--door", world.door,
                                       "--state", world.folder("state"), stdout=self.log, stderr=self.log)
        limit = time.monotonic() + 20
        while subprocess.run([world.programs["weir"], "status", "--control", self.socket], capture_output=True,
                             check=False, timeout=30).returncode != 0:
            assert time.monotonic() < limit and self.control.poll() is None, "weir-control does not serve"
            time.sleep(0.05)

    def weir(self, *arguments, code=0):
        return self.world.weir(*arguments, "--control", self.socket, code=code)

    def open_for(self, within):
        said = self.weir("breakglass", "data", "--for", within, "--why", "a test", "-o", "json")
        return json.loads(said)["generation"]

    def wait_for(self, generation):
        limit = time.monotonic() + 20
        while self.world.status()["generation"] != generation:
            assert time.monotonic() < limit, self.world.status()
            time.sleep(0.02)

    def arrives(self, seconds):
        before = self.world.arrived_bytes()
        time.sleep(seconds)
        return self.world.arrived_bytes() - before

    def wait_for_bytes(self, more):
        before, limit = self.world.arrived_bytes(), time.monotonic() + 20
        while self.world.arrived_bytes() < before + more:
            assert time.monotonic() < limit, "nothing arrives"
            time.sleep(0.02)


def closes_by_itself(night):
    world = night.world
    world.offer(200_000)
    assert night.arrives(0.5) == 0, "frames arrive although it is closed"
    trial = night.open_for("2s")
    night.wait_for_bytes(20_000)
    assert end(night.control, signal.SIGKILL) != 0
    assert world.status()["trial"]["breakglass"] == "data"
    night.wait_for(trial + 1)
    assert "BREAKGLASS `data` IS OVER" in world.dataplane.said(), world.dataplane.said()
    world.arrived_bytes()  # what was on its way
    assert night.arrives(0.7) == 0, "frames arrive although its time is over"
    sent = world.stop_offering()
    assert sent > world.arrived_bytes() > 0
    night.start_control()


def budget_holds(night):
    world = night.world
    spent = world.arrived_bytes()
    assert 0 < spent < LIMIT / 2, spent
    trial = night.open_for("10m")
    world.offer_until_quiet(12_000_000, 1)
    passed = world.arrived_bytes()
    assert 0.95 * LIMIT <= passed <= LIMIT, f"{passed} of {LIMIT} arrived, {spent} of them by the first opening"
    assert world.status()["generation"] == trial and world.status()["trial"]["breakglass"] == "data"
    night.weir("breakglass", "--end")
    assert world.status()["generation"] == trial + 1 and world.status()["trial"] is None
    # Opened again it is as spent as before.
    night.open_for("10m")
    world.offer_until_quiet(2_000_000, 0.5)
    assert world.arrived_bytes() <= LIMIT, world.arrived_bytes()
    night.weir("breakglass", "--end")


def main():
    binary, weir, control = sys.argv[1:]
    skip_unless_possible("af_packet")
    with Net("left", "mid", "right") as net:
        assert LEFT[0] in CLOSED
        night = Night(net, {"dataplane": binary, "weir": weir, "control": control})
        for case in (closes_by_itself, budget_holds):
            case(night)
            print("ok   ", case.__name__, flush=True)
        assert end(night.control, signal.SIGTERM) == 0
        night.world.dataplane.stop()
        night.world.stop_counting()


main()
