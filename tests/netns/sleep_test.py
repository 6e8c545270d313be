#!/usr/bin/env python3
"""Workers that sleep when nothing comes (--sleep), between two namespaces: they cost little while idle, and lose
nothing that ones which look all the time would not lose; what is asked of them is done while they sleep.

  af_packet  ports that do not interrupt: naps shorter than their rings take to fill
  tap        ports that interrupt
  two        two workers, of which one receives and both judge: what is handed over wakes who sleeps

usage: sleep_test.py af_packet|tap|two DATAPLANE WEIR
needs root; says why and exits with 77 where it cannot run."""
import json
import os
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "edge"))
REASONS = os.path.join(HERE, "..", "..", "dataplane/packet/reason.hpp")

from dataplane import reasons_in, stats_of  # noqa: E402
from namespaces import (LEFT, RIGHT, Dataplane, Net, compile_policy, ip, policy_of_two,  # noqa: E402
                        skip_unless_possible)

PORT, COUNT = 5353, 100_000
RULES = policy_of_two("sleep", {"data": f"udp = [{PORT}]", "ping": 'icmp = ["echo"]'})
SETTLE_S, IDLE_S, TRIES = 0.5, 1.0, 4


def devices_of(part):
    if part == "tap":
        return ["net_tap0,iface=L0", "net_tap1,iface=R0"]
    return ["net_af_packet0,iface=L1,framecnt=4096", "net_af_packet1,iface=R1,framecnt=4096"]


def act_count():
    """How many datagrams came, when a line is read."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE
        ear.bind((RIGHT[0], PORT))
        print("ready", flush=True)
        sys.stdin.readline()
        ear.settimeout(1)
        seen = set()
        try:
            while True:
                seen.add(ear.recv(64))
        except TimeoutError:
            print(len(seen), flush=True)


def act_send(count):
    """So many datagrams of 40 flows, each with a number of its own, a few at a time with pauses in between."""
    ways = []
    for _ in range(40):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.connect((RIGHT[0], PORT))
        ways.append(one)
    for number in range(int(count)):
        ways[number % len(ways)].send(b"%d" % number)
        if number % 64 == 63:
            time.sleep(0.0005 if number % 1024 != 1023 else 0.01)


class World:
    def __init__(self, net, part, binary, weir):
        self.net, self.part, self.binary, self.weir = net, part, binary, weir
        compile_policy(net, weir, RULES)
        if part != "tap":
            net.link("left", "L0", "mid", "L1")
            net.link("right", "R0", "mid", "R1")
            self.hosts()
        self.door, self.workers = f"{net.folder}/door", 2 if part == "two" else 1
        self.dataplane = None

    def hosts(self):
        self.net.address("left", "L0", f"{LEFT[0]}/24")
        self.net.address("right", "R0", f"{RIGHT[0]}/24")

    def start(self, *options):
        self.dataplane = Dataplane(self.net, "mid", self.binary, devices_of(self.part), self.workers,
                                   ["--door", self.door, *options])
        if self.part == "tap":
            for side, device in (("left", "L0"), ("right", "R0")):
                ip("-n", self.net.names["mid"], "link", "set", device, "txqueuelen", "4096")  # as the others' rings
                ip("-n", self.net.names["mid"], "link", "set", device, "netns", self.net.names[side])
            self.hosts()

    def weir_says(self, *arguments):
        return subprocess.run([self.weir, *map(str, arguments)], capture_output=True, text=True, check=True).stdout

    def ticks(self):
        """Processor time so far, of all threads of the dataplane."""
        with open(f"/proc/{self.dataplane.process.pid}/stat", encoding="utf-8") as file:
            return sum(int(word) for word in file.read().rpartition(")")[2].split()[11:13])

    def idle_ticks(self):
        """In a second without frames, but for what the hosts' own kernels say now and then."""
        time.sleep(SETTLE_S)
        before = self.ticks()
        time.sleep(IDLE_S)
        return self.ticks() - before

    def slept_s(self):
        with open(self.dataplane.stats_path, "rb") as file:
            workers = stats_of(file.read(), reasons_in(REASONS))
        return sum(worker["slept_us"] for worker in workers) / 1e6

    def busy_again(self):
        """A run that looks all the time: what it uses while idle, and what is lost."""
        self.start()
        told = self.idle_ticks(), lost_of(self)
        pings(self)
        assert self.slept_s() == 0
        self.dataplane.stop()
        return told


def act(net, side, *arguments):
    return net.start(side, sys.executable, os.path.abspath(__file__), "act", *arguments, stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE, text=True)


def lost_of(world):
    """Of COUNT datagrams, how many do not arrive."""
    ear = act(world.net, "right", "count")
    assert ear.stdout.readline() == "ready\n"
    sender = act(world.net, "left", "send", COUNT)
    assert sender.wait(60) == 0
    ear.stdin.write("\n")
    ear.stdin.flush()
    return COUNT - int(ear.stdout.readline())


def pings(world):
    code, said = world.net.call("left", "ping", "-n", "-c", "100", "-i", "0.02", "-w", "20", RIGHT[0])
    assert code == 0 and ", 0% packet loss" in said, said


def installs(world):
    """Announced while they sleep, each in a moment."""
    for generation in range(2, 12):
        image = f"{world.net.folder}/next.img"
        world.weir_says("compile", f"{world.net.folder}/policy.toml", "-o", image, "--generation", generation)
        world.weir_says("door", world.door, "install", image)
    status = json.loads(world.weir_says("door", world.door, "status", "-o", "json"))
    assert status["generation"] == 11, status
    world.weir_says("door", world.door, "flush")


def sleeps(world):
    """Others use this machine's cores, too: what they make of one try does not hold for all of them."""
    for left in reversed(range(TRIES)):
        busy, looked = world.busy_again()
        world.start("--sleep")
        assert "--sleep: port" in world.dataplane.said(), world.dataplane.said()
        before = world.slept_s()
        idle = world.idle_ticks()
        share = (world.slept_s() - before) / (world.workers * (IDLE_S + SETTLE_S))
        installs(world)
        pings(world)
        slept = lost_of(world)
        pings(world)
        world.dataplane.stop()
        print(f"      {busy} ticks in {IDLE_S} s awake, {idle} asleep, {share:.0%} of its time; of {COUNT} datagrams "
              f"{looked} lost awake, {slept} asleep", flush=True)
        if 2 * idle < busy and share > 0.5 and slept <= looked:
            return
    raise AssertionError(f"it does not sleep, or loses what it would not lose awake, {TRIES} times")


def main():
    if sys.argv[1] == "act":
        sys.exit({"count": act_count, "send": act_send}[sys.argv[2]](*sys.argv[3:]))
    part, binary, weir = sys.argv[1:4]
    skip_unless_possible("tap" if part == "tap" else "af_packet")
    with Net("left", "mid", "right") as net:
        world = World(net, part, binary, weir)
        try:
            sleeps(world)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{world.dataplane.said()}") from None
    print(f"ok    {part}")


main()
