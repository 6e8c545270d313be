#!/usr/bin/env python3
"""A shadow through weir-control under real packets, between two namespaces: connections that are open and new ones are
compared, `weir shadow --watch` tells each disagreement with both rules, and what is in force alone decides until the
shadow's rules are applied.

usage: shadow_test.py DATAPLANE WEIR CONTROL
needs root; says why and exits with 77 where it cannot run."""
import json
import subprocess
import sys
import time

from namespaces import LEFT, RIGHT, Dataplane, Net, compile_policy, policy_of_two, skip_unless_possible

BOTH, LIVE_ALONE, SHADOW_ALONE = 8080, 8081, 8082
LIVE = policy_of_two("live", {"web": f"tcp = [{BOTH}, {LIVE_ALONE}]", "ping": 'icmp = ["echo"]'})
SHADOW = policy_of_two("shade", {"web": f"tcp = [{BOTH}, {SHADOW_ALONE}]", "ping": 'icmp = ["echo"]'})

ECHO = """import socket, sys, threading
def serve(one):
    while data := one.recv(100): one.sendall(data)
def listen(port):
    with socket.create_server(("", port)) as server:
        while True: threading.Thread(target=serve, args=[server.accept()[0]], daemon=True).start()
for port in sys.argv[1:]: threading.Thread(target=listen, args=[int(port)]).start()
"""
# A line for each line that comes in, over one connection.
TALK = """import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as one:
    for line in sys.stdin:
        one.sendall(line.encode())
        print(one.recv(100).decode(), end="", flush=True)
"""


class World:
    def __init__(self, net, binary, weir, control):
        self.net, self.weir, self.socket = net, weir, f"{net.folder}/control"
        for side, host in (("left", LEFT[0]), ("right", RIGHT[0])):
            net.link(side, f"{side[0].upper()}0", "mid", f"{side[0].upper()}1")
            net.address(side, f"{side[0].upper()}0", f"{host}/24")
        compile_policy(net, weir, LIVE)
        ports = [f"net_af_packet{n},iface={side}1" for n, side in enumerate("LR")]
        self.dataplane = Dataplane(net, "mid", binary, ports, options=["--door", f"{net.folder}/door"])
        self.log = open(f"{net.folder}/control.log", "w+", encoding="utf-8")
        self.control = net.start("mid", control, "--socket", self.socket, "--door", f"{net.folder}/door", "--state",
                                 f"{net.folder}/state", "--stats", f"{net.folder}/stats", stdout=self.log,
                                 stderr=self.log)
        self.wait_until(lambda told: told["dataplane"]["reachable"] and told["events"]["reading"])

    def command(self, *arguments):
        return subprocess.run([self.weir, *map(str, arguments), "--control", self.socket], capture_output=True,
                              text=True, check=False, timeout=60)

    def wait_until(self, holds, seconds=20):
        limit = time.monotonic() + seconds
        while True:
            ended = self.command("status", "-o", "json")
            if ended.returncode == 0 and holds(told := json.loads(ended.stdout)):
                return told
            assert time.monotonic() < limit and self.control.poll() is None, ended
            time.sleep(0.05)

    def shadow(self):
        return json.loads(self.command("status", "-o", "json").stdout)["dataplane"]["shadow"]

    def write(self, name, text):
        path = f"{self.net.folder}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def talk(self, port):
        return self.net.start("left", sys.executable, "-c", TALK, RIGHT[0], str(port), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def opens(self, port):
        said, _ = self.talk(port).communicate("hello\n", timeout=30)
        return said == "hello\n"


def says(talk, text):
    talk.stdin.write(f"{text}\n")
    talk.stdin.flush()
    assert talk.stdout.readline() == f"{text}\n"


def compares(world):
    net = world.net
    net.start("right", sys.executable, "-c", ECHO, *map(str, (BOTH, LIVE_ALONE, SHADOW_ALONE)))
    limit = time.monotonic() + 20
    while not world.opens(BOTH):
        assert time.monotonic() < limit, "nobody answers"
    open_before = world.talk(LIVE_ALONE)
    says(open_before, "begun")
    applied = world.command("apply", world.write("live.toml", LIVE), "--yes")
    assert applied.returncode == 0, applied  # so that weir-control knows what is in force
    made = world.command("shadow", world.write("shade.toml", SHADOW))
    assert made.returncode == 0 and "is asked beside generation" in made.stdout, made
    watch = net.start("mid", world.weir, "shadow", "--watch", "--control", world.socket, stdout=subprocess.PIPE,
                      text=True)
    says(open_before, "its next packet is compared")
    world.wait_until(lambda told: told["dataplane"]["shadow"]["would_deny"] >= 1)
    assert world.opens(BOTH) and world.opens(LIVE_ALONE), "what is in force decides"
    assert not world.opens(SHADOW_ALONE), "what is in force decides"
    says(open_before, "goes on")
    told = world.wait_until(lambda told: told["dataplane"]["shadow"]["would_pass"] >= 1)["dataplane"]["shadow"]
    assert told["would_deny"] == 2 and told["compared"] >= 4, told
    ends = f"left {LEFT[0]} > right {RIGHT[0]} tcp/"
    wanted = {f"would pass now: {ends}{SHADOW_ALONE} (live: no_allow, shadow: allow.left-to-right)"}
    while wanted:
        line = watch.stdout.readline()
        assert line, wanted
        said = line.rstrip("\n").split(" ", 1)[1]
        assert said in wanted or f"{LIVE_ALONE} (live: allow.left-to-right, shadow: no_allow)" in said, line
        wanted.discard(said)
    return open_before


def is_applied(world, open_before):
    done = world.command("apply", f"{world.net.folder}/shade.toml", "--yes")
    assert done.returncode == 0 and "has ended" in done.stderr, done
    assert world.shadow() is None
    assert world.opens(SHADOW_ALONE) and not world.opens(LIVE_ALONE)
    open_before.kill()


def main():
    binary, weir, control = sys.argv[1:4]
    skip_unless_possible("af_packet")
    with Net("left", "mid", "right") as net:
        world = World(net, binary, weir, control)
        try:
            open_before = compares(world)
            print("ok    compares", flush=True)
            is_applied(world, open_before)
            print("ok    is_applied", flush=True)
        except AssertionError as error:
            world.log.seek(0)
            raise AssertionError(f"{error}\n{world.log.read()}\n{world.dataplane.said()}") from None


main()
