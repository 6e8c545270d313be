#!/usr/bin/env python3
"""A planned restart of the dataplane under many open TCP connections, between two namespaces: stopped, and started
again with --keep, none of them is lost, whatever was sent meanwhile, also with another number of workers. The policy
picks up nothing in mid-stream: after a kill -9 nothing was kept, and every one of them is lost.

WEIR_CONNECTIONS (10,000) of them.

usage: restart_test.py DATAPLANE WEIR
needs root; says why and exits with 77 where it cannot run."""
import json
import os
import re
import signal
import subprocess
import sys
import time

from many_connections import TCP_PORT, UDP_PORT
from namespaces import LEFT, RIGHT, Dataplane, Net, compile_policy, end, policy_of_two, skip_unless_possible

COUNT = int(os.environ.get("WEIR_CONNECTIONS", "10000"))
ENDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "many_connections.py")


class World:
    def __init__(self, net, binary, weir):
        self.net, self.binary, self.weir = net, binary, weir
        net.link("left", "L0", "mid", "L1")
        net.link("right", "R0", "mid", "R1")
        net.address("left", "L0", f"{LEFT[0]}/24")
        net.address("right", "R0", f"{RIGHT[0]}/24")
        compile_policy(net, weir, policy_of_two("restart", {"echo": f"tcp = [{TCP_PORT}]",
                                                            "pulse": f"udp = [{UDP_PORT}]"}))
        self.dataplane = None
        self.start()
        self.server = self.ends("right", "serve")
        assert self.server.stdout.readline() == "serves\n"
        self.holder = self.ends("left", "hold", COUNT)
        assert self.holder.stdout.readline() == f"holds {COUNT}\n"

    def ends(self, side, act, *arguments):
        return self.net.start(side, sys.executable, ENDS, act, RIGHT[0], *arguments, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)

    def start(self, workers=1):
        ports = [f"net_af_packet{n},iface={side}1,framecnt=4096,qpairs={workers}" for n, side in enumerate("LR")]
        self.dataplane = Dataplane(self.net, "mid", self.binary, ports, workers=workers,
                                   options=["--door", f"{self.net.folder}/door", "--keep", f"{self.net.folder}/keep"])

    def ask(self, seconds):
        """Sends on all connections; heard() says what came back."""
        self.holder.stdin.write(f"ask {seconds}\n")
        self.holder.stdin.flush()

    def heard(self):
        words = self.holder.stdout.readline().split()
        return int(words[1]), int(words[3])

    def status(self):
        ended = subprocess.run([self.weir, "door", f"{self.net.folder}/door", "status", "-o", "json"],
                               capture_output=True, text=True, check=True)
        return json.loads(ended.stdout)


def restarted_in_time(world):
    pulse = world.ends("left", "pulse")
    time.sleep(0.3)
    world.ask(20)  # some of it is on its way when nobody forwards any more
    time.sleep(0.01)
    began = time.monotonic()
    world.dataplane.stop()
    stopped = time.monotonic()
    world.start()
    started = time.monotonic()
    answered, reset = world.heard()
    assert (answered, reset) == (COUNT, 0), (answered, reset, world.dataplane.said())
    said = re.search(r"goes on with (\d+) flows .*blocked for ([\d.]+) ms", world.dataplane.said())
    assert said and int(said[1]) >= COUNT, world.dataplane.said()
    facts = world.status()["restart"]
    assert facts["flows"] == int(said[1]) and facts["not_kept"] == 0 and facts["started_empty"] is None, facts
    assert abs(facts["blocked_us"] / 1000 - float(said[2])) < 0.1, facts
    time.sleep(0.2)
    pulse.stdin.close()
    silent, answers = pulse.stdout.readline().split()
    print(f"      {COUNT} connections, none lost; blocked for {said[2]} ms by its own account; no datagram of {answers}"
          f" came back for {float(silent) * 1000:.0f} ms; stop {1000 * (stopped - began):.0f} ms, until it said that"
          f" it was up {1000 * (started - stopped):.0f} ms")


def with_more_workers(world):
    world.dataplane.stop()
    world.start(workers=2)
    world.ask(20)
    answered, reset = world.heard()
    assert (answered, reset) == (COUNT, 0), (answered, reset, world.dataplane.said())


def killed(world):
    end(world.dataplane.process, signal.SIGKILL)
    world.start()
    assert "STARTS EMPTY" in world.dataplane.said() and "did not stop cleanly" in world.dataplane.said()
    world.ask(1.5)
    answered, _ = world.heard()
    assert answered == 0, f"{answered} connections go on by themselves: nothing was shown"
    facts = world.status()
    assert "did not stop cleanly" in facts["restart"]["started_empty"], facts["restart"]
    dropped = sum(worker["reasons"].get("tcp_not_syn", {"packets": 0})["packets"] for worker in facts["workers"])
    assert dropped >= COUNT, facts
    world.dataplane.stop()


def main():
    binary, weir = sys.argv[1:3]
    skip_unless_possible("af_packet")
    with Net("left", "mid", "right") as net:
        world = World(net, binary, weir)
        world.ask(20)
        assert world.heard() == (COUNT, 0), world.dataplane.said()
        for scene in (restarted_in_time, with_more_workers, killed):
            began = time.monotonic()
            scene(world)
            print(f"ok    {scene.__name__} ({time.monotonic() - began:.1f} s)", flush=True)


if __name__ == "__main__":
    main()
