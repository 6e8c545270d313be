#!/usr/bin/env python3
"""iperf3 through Weir and through dpdk-testpmd's io forwarding in its place: the same namespaces, veth pairs, kernel
rings and buffers, segmentation offloads off; what forwards has the first core to itself, iperf3 the others. Both are
under load at once, and take turns of a tenth of a second: the one whose turn it is not is stopped, whole, endpoints
and all. A machine's own rate drifts by a third within a second, which runs of a second each cannot tell from what is
measured. A measurement and no test. Give it no priority over others: testpmd, which never yields, then starves the
kernel's ksoftirqd on its core, and looks far too slow.

usage: bench_iperf.py DATAPLANE WEIR REASON_HPP [STARTS] [TURNS]     16 starts of 20 turns a load; needs root"""
import os
import signal
import statistics
import subprocess
import sys
import time

from endpoint_world import IPERF, RIGHT, World
from namespaces import end, skip_unless_possible

REVERSE = "--reverse"
LOADS = {"TCP, one stream": [], "TCP, 16 streams": ["--parallel", "16"],
         "TCP, 4 streams, reverse": [REVERSE, "--parallel", "4"],
         "TCP, segments of 500 bytes": ["--set-mss", "500"]}
TURN_S, SETTLE_S = 0.1, 0.02  # of a turn, the beginning is not counted: queues of before drain


class Testpmd:
    """Forwards every frame of one port to the other, unseen, on one core."""

    def __init__(self, world):
        devices = [word for device in world.devices for word in ("--vdev", device)]
        arguments = ["dpdk-testpmd", "--no-huge", "-m", "512", "--no-shconf", "--no-pci", "--no-telemetry",
                     "--lcores", f"(0-1)@{world.cpu}", *devices, "--", "--forward-mode=io",
                     "--burst=32", "--rxd=1024", "--txd=1024", "--nb-cores=1", "--total-num-mbufs=16384"]
        self.log = open(f"{world.net.folder}/testpmd", "w+", encoding="utf-8")
        self.process = world.net.start("mid", *arguments, stdout=self.log, stderr=self.log, stdin=subprocess.PIPE)
        limit = time.monotonic() + 20  # it buffers what it says: seen by what it does
        while world.net.call("left", "ping", "-c", "1", "-W", "0.2", RIGHT[0])[0] != 0:
            assert self.process.poll() is None and time.monotonic() < limit, self.said()

    def said(self):
        self.log.seek(0)
        return self.log.read()


class Conversation:
    """iperf3 at both ends of a world until it is ended, running only in its turns."""

    def __init__(self, world, forwarder, options):
        self.forwarder, self.bytes, self.seconds = forwarder.process, 0, 0.0
        forwarder.process.send_signal(signal.SIGCONT)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.server = world.net.start("right", "iperf3", "--server", "--one-off", "--port", IPERF, **quiet)
        wait_until(lambda: world.net.call("right", "ss", "-Hltn", f"sport = :{IPERF}")[1].strip(), "iperf3 listens")
        self.client = world.net.start("left", "iperf3", "--client", RIGHT[0], "--port", IPERF, "--time", 3600,
                                      *options, **quiet)
        self.target, self.device = (self.client, "L0:") if REVERSE in options else (self.server, "R0:")
        before = self.received()
        wait_until(lambda: self.received() > before + 20_000_000, "iperf3 sends")
        self.send(signal.SIGSTOP)

    def send(self, number):
        for process in (self.client, self.server, self.forwarder):
            process.send_signal(number)

    def received(self):
        """Bytes of frames that have come to the end that gets the data; none as long as it is on its way there."""
        with open(f"/proc/{self.target.pid}/net/dev", encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.split()[0] == self.device), 0)

    def take_turn(self):
        self.send(signal.SIGCONT)
        time.sleep(SETTLE_S)
        began, before = time.monotonic(), self.received()
        time.sleep(TURN_S - SETTLE_S)
        self.bytes += self.received() - before
        self.seconds += time.monotonic() - began
        self.send(signal.SIGSTOP)

    def finish(self):
        """Mbit/s in its turns, of frames."""
        for process in (self.client, self.server):
            end(process)
        return self.bytes * 8 / self.seconds / 1e6


def wait_until(holds, what, seconds=20):
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def measure(worlds, options, turns):
    conversations = [Conversation(world, world.forwarder, options) for world in worlds]
    for turn in range(turns):
        for conversation in conversations if turn % 2 else reversed(conversations):
            conversation.take_turn()
    return [conversation.finish() for conversation in conversations]


def one_start(programs, own, turns, swap):
    """Rates of Weir and testpmd by load. Where a process's memory happens to lie is worth some percent: each start is
    one sample. Rings of 512 frames, the driver's default, lose a window's burst, and TCP's way back from that is all
    one sees."""
    with World(programs, cpu=own, ring=4096) as ours, World(programs, cpu=own, ring=4096) as theirs:
        if swap:
            ours, theirs = theirs, ours
        theirs.dataplane.stop()
        ours.forwarder = ours.dataplane
        ours.forwarder.process.send_signal(signal.SIGSTOP)
        theirs.forwarder = Testpmd(theirs)
        theirs.forwarder.process.send_signal(signal.SIGSTOP)
        rates = {name: measure((ours, theirs), options, turns) for name, options in LOADS.items()}
        ours.forwarder.process.send_signal(signal.SIGCONT)  # so that it ends by itself
        return rates


def main():
    paths, starts, turns = sys.argv[1:4], *(int(word) for word in (sys.argv[4:6] + ["16", "20"][len(sys.argv) - 4:]))
    skip_unless_possible("af_packet", "iperf3", "dpdk-testpmd")
    programs = dict(zip(("dataplane", "weir", "reasons"), map(os.path.abspath, paths)))
    own, *others = sorted(os.sched_getaffinity(0))
    assert others, "one core for what forwards, one or more for the rest"
    os.sched_setaffinity(0, others)
    samples = {name: [] for name in LOADS}
    for start in range(starts):
        for name, rates in one_start(programs, own, turns, start % 2).items():
            samples[name].append(rates)
        print(f"  start {start + 1}", file=sys.stderr, flush=True)
    for name, rates in samples.items():
        ratios = [weir / testpmd for weir, testpmd in rates]
        weir, testpmd = (statistics.median(rate) for rate in zip(*rates))
        print(f"  {name}: Weir / testpmd io {statistics.median(ratios):.3f}  ({min(ratios):.3f} .. {max(ratios):.3f}), "
              f"medians {weir:.0f} and {testpmd:.0f} Mbit/s; goal 0.95")


main()
