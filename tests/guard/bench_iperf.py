#!/usr/bin/python3
"""Throughput through one veth with the guard, with nftables that allow the same, and with neither: iperf3 between two
namespaces, in turns, medians of all rounds. Segmentation and checksum offload are off, so that each frame is judged.
usage: bench_iperf.py WEIR_GUARD WEIR [ROUNDS [SECONDS]]"""
import json
import pathlib
import statistics
import subprocess
import sys
import time

import guarded
from guarded import MACHINE, OPERATOR, POLICY
from namespaces import Net, end, skip_unless_possible

PORT = 5201
TRAFFIC = """[[allow]]
name = "bench"
from = "machine"
to = "operators"
with = ["bench"]
"""
NFTABLES = f"""table inet weir_bench {{
  chain in {{
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    ip saddr {OPERATOR} ip daddr {MACHINE} tcp dport 22 accept
  }}
  chain out {{
    type filter hook output priority 0; policy drop;
    ct state established,related accept
    ip saddr {MACHINE} ip daddr {OPERATOR} tcp dport {PORT} accept
    ip saddr {MACHINE} ip daddr {OPERATOR} udp dport {PORT} accept
  }}
}}
"""
LOADS = {"TCP out, Gbit/s": (["-Z"], 1e-9), "TCP in, Gbit/s": (["-Z", "-R"], 1e-9),
         "UDP out, 64 bytes, packets a second": (["-u", "-b", "0", "-l", "64"], None)}


def measure(world, load, seconds):
    options, scale = LOADS[load]
    code, said = world.net.call("machine", "iperf3", "-J", "-t", str(seconds), "-B", MACHINE, "-c", OPERATOR, *options)
    assert code == 0, said
    done = json.loads(said)["end"]
    if scale:
        return done["sum_received"]["bits_per_second"] * scale
    sums = done["sum"]
    return (sums["packets"] - sums["lost_packets"]) / sums["seconds"]


class Guard:
    def __init__(self, world):
        policy = POLICY.replace("[service]\n", "[service]\nbench = { tcp = [%d], udp = [%d] }\n" % (PORT, PORT))
        self.world, self.image = world, world.image(policy + TRAFFIC)

    def begin(self):
        self.world.act("attach", "--policy", self.image, "--interface", "oob0=oob")

    def finish(self):
        self.world.act("detach")


class Nftables:
    def __init__(self, world):
        self.world = world
        self.path = f"{world.net.folder}/bench.nft"
        pathlib.Path(self.path).write_text(NFTABLES, encoding="utf-8")

    def begin(self):
        code, said = self.world.net.call("machine", "nft", "-f", self.path)
        assert code == 0, said

    def finish(self):
        self.world.net.call("machine", "nft", "flush", "ruleset")


class Nothing:
    def __init__(self, world):
        pass

    def begin(self):
        pass

    def finish(self):
        pass


def main(guard, weir, rounds="7", seconds="2"):
    bpffs = guarded.begin()
    skip_unless_possible("veth", "iperf3", "nft")
    with Net("machine", "far") as net:
        world = guarded.Guarded(net, guard, weir, bpffs)
        server = net.start("far", "iperf3", "-s", "-p", str(PORT), stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        kinds = {"nothing": Nothing(world), "guard": Guard(world), "nftables": Nftables(world)}
        figures = {load: {kind: [] for kind in kinds} for load in LOADS}
        for turn in range(int(rounds)):
            order = list(kinds)[turn % 3:] + list(kinds)[:turn % 3]
            for kind in order:
                kinds[kind].begin()
                for load in LOADS:
                    figures[load][kind].append(measure(world, load, int(seconds)))
                kinds[kind].finish()
        end(server)
    for load, of_kind in figures.items():
        middle = {kind: statistics.median(values) for kind, values in of_kind.items()}
        ratios = [a / b for a, b in zip(of_kind["guard"], of_kind["nftables"])]
        print(f"{load}: " + ", ".join(f"{kind} {value:.4g} ({min(of_kind[kind]):.4g} to {max(of_kind[kind]):.4g})"
                                      for kind, value in middle.items()))
        print(f"  guard over nftables, median of {len(ratios)} rounds: {statistics.median(ratios):.3f}")


main(*sys.argv[1:])
