#!/usr/bin/env python3
"""iperf3 through Weir and through dpdk-testpmd's io forwarding in its place: the same namespaces, veth pairs, kernel
rings and buffers, segmentation offloads off; what forwards has the first core to itself, iperf3 the others. They take
turns, round by round; what counts is the median of the rounds' ratios. A measurement and no test.

usage: bench_iperf.py DATAPLANE WEIR REASON_HPP [ROUNDS] [SECONDS]     7 rounds of 1 second; needs root"""
import os
import statistics
import subprocess
import sys
import time

from endpoint_world import RIGHT, World
from namespaces import end, skip_unless_possible

LOADS = {"TCP, one stream": [], "TCP, 16 streams": ["--parallel", "16"],
         "TCP, 4 streams, reverse": ["--reverse", "--parallel", "4"],
         "TCP, segments of 500 bytes": ["--set-mss", "500"]}


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

    def stop(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.close()
        self.process.wait(20)
        end(self.process)


def measure(world, seconds):
    """Mbit/s received, by load."""
    rates = {}
    for name, options in LOADS.items():
        rates[name] = world.iperf(RIGHT[0], *options, seconds=seconds)["sum_received"]["bits_per_second"] / 1e6
    return rates


def main():
    paths, rounds, seconds = sys.argv[1:4], *(int(word) for word in (sys.argv[4:6] + ["7", "1"][len(sys.argv) - 4:]))
    skip_unless_possible("af_packet", "iperf3", "dpdk-testpmd")
    programs = dict(zip(("dataplane", "weir", "reasons"), map(os.path.abspath, paths)))
    weir, testpmd = [], []
    own, *others = sorted(os.sched_getaffinity(0))
    assert others, "one core for what forwards, one or more for the rest"
    os.sched_setaffinity(0, others)
    with World(programs, cpu=own) as world:
        world.dataplane.stop()
        for turn in range(rounds + 1):  # the first one warms up
            forwarders = [(lambda: Testpmd(world), testpmd), (world.start_dataplane, weir)]
            for start, rates in forwarders if turn % 2 else reversed(forwarders):
                running = start()
                measured = measure(world, seconds)
                running.stop()
                if turn != 0:
                    rates.append(measured)
            print(f"  round {turn}", file=sys.stderr, flush=True)
    for name in LOADS:
        ratios = [ours[name] / theirs[name] for ours, theirs in zip(weir, testpmd)]
        print(f"  {name}: Weir / testpmd io {statistics.median(ratios):.3f}  ({min(ratios):.3f} .. {max(ratios):.3f}), "
              f"medians {statistics.median(rates[name] for rates in weir):.0f} and "
              f"{statistics.median(rates[name] for rates in testpmd):.0f} Mbit/s; goal 0.95")


main()
