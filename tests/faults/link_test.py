#!/usr/bin/env python3
"""A port's link goes down and comes up again, by the other end and by its own: nothing passes meanwhile, standard
error, status, health and metrics say so, and a connection from before goes on afterwards.

usage: link_test.py DATAPLANE WEIR
needs root and network namespaces; says why and exits with 77 where it cannot run."""
import json
import subprocess
import sys
import time

from namespaces import LEFT, RIGHT, Dataplane, Net, compile_policy, ip, policy_of_two, skip_unless_possible

ECHO = """import socket
listening = socket.create_server(("0.0.0.0", 9000))
print("ready", flush=True)
one, _ = listening.accept()
while data := one.recv(100):
    one.sendall(data)
"""
TALK = f"""import socket, sys
one = socket.create_connection(("{RIGHT[0]}", 9000), timeout=20)
print("ready", flush=True)
for line in sys.stdin:
    one.sendall(line.encode())
    got = b""
    while not got.endswith(b"\\n"):
        got += one.recv(100)
    print(got.decode().strip(), flush=True)
"""


class Talk:
    """One connection that lasts."""

    def __init__(self, net):
        self.echo = net.start("right", sys.executable, "-c", ECHO, stdout=subprocess.PIPE, text=True)
        assert self.echo.stdout.readline() == "ready\n"
        self.talk = net.start("left", sys.executable, "-c", TALK, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
        assert self.talk.stdout.readline() == "ready\n"
        self.said = 0

    def say(self):
        self.said += 1
        self.talk.stdin.write(f"{self.said}\n")
        self.talk.stdin.flush()

    def hears(self):
        assert self.talk.stdout.readline() == f"{self.said}\n", "the connection is lost"


def health(net, weir, code, holds):
    end = time.monotonic() + 10
    while True:
        ended = subprocess.run([weir, "health", f"{net.folder}/door", "-o", "json"], capture_output=True, text=True,
                               check=False, timeout=20)
        told = json.loads(ended.stdout)
        if ended.returncode == code and holds(told):
            return told
        assert time.monotonic() < end, (ended.returncode, told)


def metric(net, weir):
    told = subprocess.run([weir, "metrics", "--stats", f"{net.folder}/stats", "--door", f"{net.folder}/door"],
                          capture_output=True, text=True, check=True, timeout=20).stdout
    return next(line for line in told.splitlines() if line.startswith("weir_ports_without_link ")).split()[1]


def down_and_up(net, weir, run, talk, side, device, port):
    before = health(net, weir, 0, lambda told: told["links_down"] == "")
    ip("-n", net.names[side], "link", "set", device, "down")
    health(net, weir, 1, lambda told: told["links_down"] == port)
    assert f"port {port}: link DOWN" in run.said(), run.said()
    status = json.loads(subprocess.run([weir, "door", f"{net.folder}/door", "status", "-o", "json"],
                                       capture_output=True, text=True, check=True, timeout=20).stdout)
    assert status["links_down"] == port and metric(net, weir) == "1", (status, metric(net, weir))
    if side == "mid":  # the host's own address is still there: it sends, and nothing comes
        assert net.call("left", "ping", "-c", "2", "-i", "0.2", "-W", "1", RIGHT[0])[0] != 0
    talk.say()  # it waits in the host
    time.sleep(0.5)
    ip("-n", net.names[side], "link", "set", device, "up")
    talk.hears()
    told = health(net, weir, 0, lambda told: told["links_down"] == "")
    assert f"port {port}: link up again" in run.said(), run.said()
    assert told["generation"] == before["generation"] and metric(net, weir) == "0"
    assert net.call("left", "ping", "-c", "1", "-W", "2", RIGHT[0])[0] == 0
    assert net.call("left", sys.executable, "-c", DENIED)[0] == 0, "what policy denies passes after a link came up"
    print(f"ok    {device} of {side}: {port} down and up")


DENIED = f"""import socket
one = socket.socket()
one.settimeout(0.5)
try:
    one.connect(("{RIGHT[0]}", 9001))
except TimeoutError:
    raise SystemExit(0)
raise SystemExit(1)
"""


def main(binary, weir):
    skip_unless_possible("af_packet")
    with Net("left", "mid", "right") as net:
        for side, name, address in (("left", "L", LEFT), ("right", "R", RIGHT)):
            net.link("mid", f"{name}1", side, f"{name}0")
            net.address(side, f"{name}0", f"{address[0]}/24")
        compile_policy(net, weir, policy_of_two("links", {"echo": "tcp = [9000]", "ping": 'icmp = ["echo"]'}))
        run = Dataplane(net, "mid", binary, ["net_af_packet0,iface=L1", "net_af_packet1,iface=R1"],
                        options=("--door", f"{net.folder}/door", "--name", "net_af_packet0=in", "--name",
                                 "net_af_packet1=out"))
        talk = Talk(net)
        talk.say()
        talk.hears()
        opened = health(net, weir, 0, lambda told: told["flows"] > 0)["flows"]
        for turn in (("left", "L0", "in"), ("right", "R0", "out"), ("mid", "L1", "in"), ("mid", "R1", "out")):
            down_and_up(net, weir, run, talk, *turn)
        assert opened and run.process.poll() is None
        run.stop()


main(*sys.argv[1:])
