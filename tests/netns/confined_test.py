#!/usr/bin/env python3
"""What weir-dataplane still may do once its ports are up: with --user each of its threads is that user's, has no
capability, gains none, and may not make what seccomp forbids; and all that it does afterwards goes on.

  whole   on net_af_packet with all that it opens: traffic, an install, the ledger, evidence, a stop that keeps, and a
          start that goes on
  tap     traffic, and a clean stop; without --user the calls are forbidden all the same
  af_xdp  traffic, a stop that leaves the port's program on the interface, and a start on it
  lent    started as that user, with capabilities that somebody has lent it
  refused what that user may not use, before anything is judged

usage: confined_test.py whole|tap|af_xdp|lent|refused DATAPLANE WEIR
needs root; says why and exits with 77 where it cannot run."""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time

from namespaces import LEFT, RIGHT, Dataplane, Net, compile_policy, end, ip, policy_of_two, skip, skip_unless_possible

USER, ID = "nobody", 65534
PORT, MARK = 8080, b"not to be told"
RULES = policy_of_two("confined", {"web": f"tcp = [{PORT}]", "ping": 'icmp = ["echo"]'})
INSPECTED = RULES.replace('with = ["web", "ping"]', 'with = ["web"]') + f"""inspect = ["marks"]
[inspect.marks]
on_match = "deny"
[[inspect.marks.pattern]]
name = "mark"
text = "{MARK.decode()}"
[[allow]]
name = "echo"
from = "left"
to = "right"
with = ["ping"]
[[budget]]
name = "out"
from = "left"
windows = {{ "1h" = "1 GB" }}
opening = "empty"
"""
DEVICES = {"af_packet": ["net_af_packet0,iface=L1", "net_af_packet1,iface=R1"],
           "af_xdp": ["net_af_xdp0,iface=L1", "net_af_xdp1,iface=R1"],
           "tap": ["net_tap0,iface=L0", "net_tap1,iface=R0"]}


def act_serve():
    """Echoes one connection after another, until it is ended."""
    with socket.create_server((RIGHT[0], PORT)) as server:
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            connection.settimeout(2)
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                pass
            connection.close()


def act_tell(text):
    """Exit code 0: it came back."""
    try:
        with socket.create_connection((RIGHT[0], PORT), timeout=2) as connection:
            connection.settimeout(1)
            connection.sendall(text.encode())
            back = b""
            while len(back) < len(text) and (got := connection.recv(65536)):
                back += got
            return back == text.encode()
    except OSError:
        return False


class World:
    """LEFT and RIGHT; what the dataplane is given lies in a folder that is USER's."""

    def __init__(self, net, kind, binary, weir):
        self.net, self.kind, self.binary, self.weir = net, kind, binary, weir
        os.chmod(net.folder, 0o755)
        os.chown(net.folder, ID, ID)
        self.place = f"{net.folder}/place"
        os.mkdir(self.place)
        if kind != "tap":
            net.link("left", "L0", "mid", "L1")
            net.link("right", "R0", "mid", "R1")
            self.hosts()
        self.dataplane = None

    def hosts(self):
        self.net.address("left", "L0", f"{LEFT[0]}/24")
        self.net.address("right", "R0", f"{RIGHT[0]}/24")

    def file(self, name):
        return f"{self.place}/{name}"

    def own(self):
        for folder, _, names in os.walk(self.place):
            for path in (folder, *(os.path.join(folder, name) for name in names)):
                os.chown(path, ID, ID)

    def call(self, *arguments, code=0):
        ended = subprocess.run([self.weir, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert ended.returncode == code, (arguments, ended)
        return ended.stdout

    def start(self, *options, workers=1, user=USER):
        told = ["--user", user] if user else []
        self.dataplane = Dataplane(self.net, "mid", self.binary, DEVICES[self.kind], workers, [*told, *options])
        if self.kind == "tap":
            for side, device in (("left", "L0"), ("right", "R0")):
                ip("-n", self.net.names["mid"], "link", "set", device, "netns", self.net.names[side])
            self.hosts()

    def passes(self):
        code, said = self.net.call("left", "ping", "-n", "-c", "40", "-i", "0.01", "-w", "10", RIGHT[0])
        assert code == 0, said  # as many answers, however often it had to ask

    def tell(self, text):
        return self.net.call("left", sys.executable, os.path.abspath(__file__), "act", "tell", text)[0] == 0


def states_of(pid):
    """Of each thread, what its status says."""
    states = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8") as file:
            states.append(dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line))
    return states


def are_confined(pid, least_threads, user=ID):
    states = states_of(pid)
    assert len(states) >= least_threads, states
    for state in states:
        assert state["NoNewPrivs"].strip() == "1" and state["Seccomp"].strip() == "2", state
        if user is None:
            continue
        assert state["Uid"].split() == state["Gid"].split() == [str(user)] * 4, state
        assert state["Groups"].split() == [str(user)], state
        assert not any(int(state[f"Cap{which}"], 16) for which in ("Inh", "Prm", "Eff", "Amb")), state
    return {state["Name"].strip() for state in states}


def whole(world):
    net, place = world.net, world.file
    with open(place("key"), "wb") as file:
        file.write(os.urandom(32))
    os.chmod(place("key"), 0o600)
    world.call("budgets", "--begin", place("ledger"), "--key", place("key"), "--first")
    compile_policy(net, world.weir, INSPECTED)
    shutil.copy(f"{net.folder}/policy.toml", place("policy.toml"))
    world.call("compile", place("policy.toml"), "-o", place("next.img"), "--generation", 2)
    os.mkdir(place("door"))
    world.own()
    options = ["--door", place("door/door"), "--keep", place("keep"), "--evidence", place("evidence"), "--ledger",
               place("ledger"), "--ledger-key", place("key")]
    world.start(*options, workers=2)
    pid = world.dataplane.process.pid
    names = are_confined(pid, 7)
    assert "eal-intr-thread" in names and any(name.startswith("rte-worker") for name in names), names
    made = [place(name) for name in ("door/door", "keep", "evidence")] + [world.dataplane.stats_path]
    assert [os.stat(path).st_uid for path in made] == [ID] * 4
    server = net.start("right", sys.executable, os.path.abspath(__file__), "act", "serve", stdout=subprocess.PIPE,
                       text=True)
    assert server.stdout.readline() == "ready\n"
    world.passes()
    assert world.tell("harmless") and not world.tell(MARK.decode())
    world.call("door", place("door/door"), "install", place("next.img"))
    world.passes()
    status = json.loads(world.call("door", place("door/door"), "status", "-o", "json"))
    assert status["generation"] == 2 and status["ledger"]["state"] == "open", status
    ip("-n", net.names["left"], "link", "set", "L0", "down")
    limit = time.monotonic() + 10
    while "link DOWN" not in world.dataplane.said():
        assert time.monotonic() < limit, world.dataplane.said()
        time.sleep(0.05)
    ip("-n", net.names["left"], "link", "set", "L0", "up")
    while "up again" not in world.dataplane.said():
        assert time.monotonic() < limit, world.dataplane.said()
        time.sleep(0.05)
    are_confined(pid, 7)
    world.dataplane.stop()
    said = world.dataplane.said()
    assert re.search(r"evidence: [1-9]\d* packets kept", said) and "NOTHING IS KEPT" not in said, said
    spent = json.loads(world.call("budgets", "--verify", place("ledger/ledger"), "--key", place("key"), "-o", "json"))
    assert not os.path.exists(place("door/door")) and spent, said
    world.start(*options)
    limit = time.monotonic() + 10
    while not re.search(r"goes on with [1-9]\d* flows", world.dataplane.said()):
        assert time.monotonic() < limit, world.dataplane.said()
        time.sleep(0.05)
    assert "generation 2, goes on" in world.dataplane.said() and "CLOSED" not in world.dataplane.said()
    world.passes()
    world.dataplane.stop()
    end(server)


def tap(world):
    for user in (USER, None):
        compile_policy(world.net, world.weir, RULES)
        world.start(user=user)
        are_confined(world.dataplane.process.pid, 4, ID if user else None)
        world.passes()
        world.dataplane.stop()


def af_xdp(world):
    compile_policy(world.net, world.weir, RULES)
    for _ in range(2):
        world.start()
        are_confined(world.dataplane.process.pid, 4)
        world.passes()
        world.dataplane.stop()


def lent(world):
    """As a service manager does it: the user from the first moment on, with capabilities in its ambient set."""
    if shutil.which("setpriv") is None:
        skip("no `setpriv` here")
    compile_policy(world.net, world.weir, RULES)
    program = shutil.copy(world.binary, f"{world.net.folder}/program")
    caps = "-all,+net_raw,+net_admin,+ipc_lock"
    started = f"{world.net.folder}/started"
    with open(started, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nexec setpriv --reuid {ID} --regid {ID} --clear-groups --inh-caps={caps} '
                   f'--ambient-caps={caps} {program} "$@"\n')
    os.chmod(started, 0o755)
    world.binary = started
    for user in (None, USER):
        world.start(user=user)
        states = states_of(world.dataplane.process.pid)
        assert all((int(state["CapEff"], 16) != 0) == (user is None) for state in states), states
        assert all(state["Uid"].split()[1] == str(ID) and state["Seccomp"] == "2" for state in states), states
        world.passes()
        world.dataplane.stop()


def refused(world):
    compile_policy(world.net, world.weir, RULES)
    hidden = f"{world.net.folder}/hidden"
    os.mkdir(hidden, 0o700)
    with open(f"{hidden}/key", "w", encoding="utf-8") as file:
        file.write("x" * 32)
    rows = [(["--user", "no-such-user"], "no user `no-such-user` here"),
            (["--user", "nobody:no-such-group"], "no group `no-such-group` here"),
            (["--user", "root"], "gives up nothing")]
    rows += [(["--user", USER, *options], f"{options[0]}: nobody cannot {what} ") for what, options in (
        ("write in", ["--keep", hidden]), ("write in", ["--keep", f"{hidden}/keep"]),
        ("write in", ["--door", f"{hidden}/door"]), ("write in", ["--stats", f"{hidden}/stats"]),
        ("write in", ["--evidence", hidden]), ("read", ["--policy", f"{hidden}/policy.img"]),
        ("read", ["--job-key", f"a={hidden}/key"]),
        ("write in", ["--ledger", hidden, "--ledger-key", f"{hidden}/key"]))]
    ports = [argument for device in DEVICES["af_packet"] for argument in ("--vdev", device)]
    for options, words in rows:
        code, said = world.net.call("mid", world.binary, *options, "--pair",
                                    "inside=net_af_packet0,outside=net_af_packet1", "--flows", "1000", "--",
                                    "--no-huge", "-m", "192", "--no-shconf", "--no-pci", "--no-telemetry", *ports)
        assert code == 1 and words in said, (options, code, said)
    assert os.listdir(hidden) == ["key"], os.listdir(hidden)


PARTS = {"whole": (whole, "af_packet"), "tap": (tap, "tap"), "af_xdp": (af_xdp, "af_xdp"), "lent": (lent, "af_packet"),
         "refused": (refused, "af_packet")}


def main():
    if sys.argv[1] == "act":
        sys.exit(0 if {"serve": act_serve, "tell": act_tell}[sys.argv[2]](*sys.argv[3:]) else 1)
    part, binary, weir = sys.argv[1:4]
    scene, kind = PARTS[part]
    skip_unless_possible(kind)
    with Net("left", "mid", "right") as net:
        world = World(net, kind, binary, weir)
        world.own()
        try:
            scene(world)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{world.dataplane.said() if world.dataplane else ''}") from None
    print(f"ok    {part}")


if __name__ == "__main__":
    main()
