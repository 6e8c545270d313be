#!/usr/bin/env python3
"""P12: the highest rate at which nothing is lost, over the same two memif ports, through Weir and through
dpdk-testpmd's macswap. A generator has one core, the forwarder the other. A measurement and no test; it needs root
and two cores with nothing else on them.

usage: bench_memif.py DATAPLANE WEIR MEMIF_SOURCE [ROUNDS]      5 rounds; in each both are searched, in turn"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

POLICY = """version = 1
policy.name = "memif"
segment.inner.cidr = ["10.0.0.0/16"]
segment.outer.cidr = ["10.1.0.0/16"]
service.web = { udp = [80] }
[[allow]]
name = "web"
from = "inner"
to = "outer"
with = ["web"]
"""
EAL = ["--no-huge", "-m", "512", "--no-shconf", "--no-pci", "--no-telemetry", "--log-level", "lib.eal:error"]
SECONDS, STEPS, TRIES = 0.4, 8, 3


def devices(folder, role):
    options = "socket-abstract=no,rsize=12"
    return [word for port in (0, 1) for word in
            ("--vdev", f"net_memif{port},role={role},id={port},socket={folder}/socket{port},{options}")]


class Pair:
    """A forwarder and the generator that it forwards for."""

    def __init__(self, folder, name, source, command):
        os.mkdir(f"{folder}/{name}")
        here = f"{folder}/{name}"
        with open(f"{here}/log", "wb") as log:
            self.forwarder = subprocess.Popen([word for part in command for word in
                                               (devices(here, "server") if part == "DEVICES" else [part])],
                                              stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=here)
            time.sleep(3)
            self.source = subprocess.Popen([source, *EAL, "--lcores", "0@0", *devices(here, "client"), "--", "10000"],
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                                           cwd=here)
        time.sleep(1)
        for _ in range(20):  # until both ports are joined, and flows are known
            if self.run(100_000)[1]:
                return
        raise AssertionError(f"{name}: nothing comes through:\n" + open(f"{here}/log", encoding="utf-8").read())

    def run(self, rate):
        self.source.stdin.write(f"{rate} {SECONDS}\n")
        self.source.stdin.flush()
        return tuple(int(word) for word in self.source.stdout.readline().split())

    def loses_nothing(self, rate):
        """A frame that is late by the machine's own doing is not lost by the forwarder: it may try again."""
        for _ in range(TRIES):
            sent, received, _ = self.run(rate)
            if received >= sent:
                return True
        return False

    def best(self):
        sent, received, _ = self.run(0)
        low, high = 0.0, max(sent, received) / SECONDS
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.loses_nothing(middle) else (low, middle)
        return low

    def stop(self):
        for process in (self.source, self.forwarder):
            process.kill()
            process.wait()


def main(dataplane, weir, source, rounds="5"):
    dataplane, weir, source = (os.path.abspath(path) for path in (dataplane, weir, source))
    with tempfile.TemporaryDirectory(prefix="weir-memif-") as folder:
        with open(f"{folder}/policy.toml", "w", encoding="ascii") as file:
            file.write(POLICY)
        subprocess.run([weir, "compile", f"{folder}/policy.toml", "-o", f"{folder}/policy.img"], check=True,
                       stdout=subprocess.DEVNULL)
        ours = [dataplane, "--policy", f"{folder}/policy.img", "--pair", "inside=net_memif0,outside=net_memif1",
                "--", *EAL, "--lcores", "0@1", "DEVICES"]
        theirs = ["dpdk-testpmd", *EAL, "--lcores", "(0-1)@1", "DEVICES", "--", "--forward-mode=macswap", "--burst=32",
                  "--rxd=1024", "--txd=1024", "--nb-cores=1", "--total-num-mbufs=16384"]
        found = {"testpmd macswap": [], "Weir": []}
        for turn in range(int(rounds)):
            for name, command in (("testpmd macswap", theirs), ("Weir", ours)):
                pair = Pair(folder, f"{name.split()[0]}{turn}", source, command)
                try:
                    found[name].append(pair.best())
                finally:
                    pair.stop()
        for name, rates in found.items():
            print(f"  {name:<18} {statistics.median(rates) / 1e6:6.3f} million frames a second without loss "
                  f"({min(rates) / 1e6:.3f} .. {max(rates) / 1e6:.3f})")
        ratios = [own / other for own, other in zip(found["Weir"], found["testpmd macswap"])]
        print(f"  P12 Weir / testpmd macswap {statistics.median(ratios):.3f} ({min(ratios):.3f} .. {max(ratios):.3f})  "
              "gate 0.6, aim 0.8")


main(*sys.argv[1:])
