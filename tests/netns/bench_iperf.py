#!/usr/bin/env python3
"""iperf3 through Weir and through dpdk-testpmd's io forwarding in its place: the same namespaces, veth pairs, kernel
rings and buffers, segmentation offloads off; what forwards has the first core to itself, iperf3 the others. They take
turns, load by load; what counts is the median of the rounds' ratios. A measurement and no test. Give it no priority
over others: testpmd, which never yields, then starves the kernel's ksoftirqd on its core, and looks far too slow.

usage: bench_iperf.py DATAPLANE WEIR REASON_HPP [ROUNDS] [SECONDS]     11 rounds of 1 second; needs root"""
import os
import signal
import statistics
import subprocess
import sys
import time

from endpoint_world import RIGHT, World
from namespaces import skip_unless_possible

LOADS = {"TCP, one stream": [], "TCP, 16 streams": ["--parallel", "16"],
         "TCP, 4 streams, reverse": ["--reverse", "--parallel", "4"],
         "TCP, segments of 500 bytes": ["--set-mss", "500"]}

ROUNDS_PER_START = 3


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


def measure(world, options, seconds):
    """Mbit/s received; what forwards runs only meanwhile."""
    world.forwarder.process.send_signal(signal.SIGCONT)
    try:
        report = world.iperf(RIGHT[0], *options, seconds=seconds)
    except AssertionError as fault:  # its own, at the beginning or the end of a run: said, and once more
        print(f"  {type(world.forwarder).__name__}: {fault}", file=sys.stderr, flush=True)
        report = world.iperf(RIGHT[0], *options, seconds=seconds)
    world.forwarder.process.send_signal(signal.SIGSTOP)
    return report["sum_received"]["bits_per_second"] / 1e6


def take_turns(programs, own, turns, seconds, weir, testpmd):
    # Rings of 512 frames, the driver's default, lose a window's burst, and TCP's way back from that is all one sees.
    with World(programs, cpu=own, ring=4096) as ours, World(programs, cpu=own, ring=4096) as theirs:
        theirs.dataplane.stop()
        ours.forwarder, theirs.forwarder = ours.dataplane, Testpmd(theirs)
        for world in (ours, theirs):
            world.forwarder.process.send_signal(signal.SIGSTOP)
            measure(world, [], seconds)  # warms up
        for turn in turns:
            for name, options in LOADS.items():
                contenders = [(theirs, testpmd), (ours, weir)]
                for world, rates in contenders if turn % 2 else reversed(contenders):
                    rates[name].append(measure(world, options, seconds))
            print(f"  round {turn + 1}", file=sys.stderr, flush=True)


def main():
    paths, rounds, seconds = sys.argv[1:4], *(int(word) for word in (sys.argv[4:6] + ["11", "1"][len(sys.argv) - 4:]))
    skip_unless_possible("af_packet", "iperf3", "dpdk-testpmd")
    programs = dict(zip(("dataplane", "weir", "reasons"), map(os.path.abspath, paths)))
    own, *others = sorted(os.sched_getaffinity(0))
    assert others, "one core for what forwards, one or more for the rest"
    os.sched_setaffinity(0, others)
    weir = {name: [] for name in LOADS}
    testpmd = {name: [] for name in LOADS}
    # Where a process's memory happens to lie is worth some percent: both start anew for every few rounds.
    for first in range(0, rounds, ROUNDS_PER_START):
        take_turns(programs, own, range(first, min(first + ROUNDS_PER_START, rounds)), seconds, weir, testpmd)
    for name in LOADS:
        ratios = [one / other for one, other in zip(weir[name], testpmd[name])]
        print(f"  {name}: Weir / testpmd io {statistics.median(ratios):.3f}  ({min(ratios):.3f} .. {max(ratios):.3f}), "
              f"medians {statistics.median(weir[name]):.0f} and {statistics.median(testpmd[name]):.0f} Mbit/s; "
              f"goal 0.95")


main()
