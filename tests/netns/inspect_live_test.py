#!/usr/bin/env python3
"""Inspection between two hosts, live: what is harmless comes back whole, a signature does not arrive, a change of
policy leaves a connection that is being read alone; and whoever sends a signature is cut off until an operator lets the
port go.

usage: inspect_live_test.py DATAPLANE WEIR
needs root; says why and exits with 77 where it cannot run."""
import os
import socket
import subprocess
import sys

from namespaces import LEFT, RIGHT, Dataplane, Net, compile_policy, policy_of_two, skip_unless_possible

PORT = 8080
MARK = "not to be told"
INSPECTION = f'[inspect.marks]\non_match = "%s"\n[[inspect.marks.pattern]]\nname = "mark"\ntext = "{MARK}"\n'
DEVICES = ["net_af_packet0,iface=L1", "net_af_packet1,iface=R1"]


def policy(on_match):
    text = policy_of_two("inspect", {"web": f"tcp = [{PORT}]"}).replace(
        "[segment.left]", '[segment.left]\nattach = ["pf0"]')
    pin = f'[port.pf0]\naddresses = ["{LEFT[0]}/32", "{LEFT[1]}/128"]\n'
    return text + ('inspect = ["marks"]\n' + INSPECTION % on_match if on_match else "") + pin


# What runs inside a namespace. Exit code 0: it came back whole, 1: it did not.

def act_serve():
    """Echoes one connection after another, until it is ended."""
    with socket.create_server((RIGHT[0], PORT)) as server:
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            connection.settimeout(3)
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                pass
            connection.close()


def told(connection, data):
    connection.sendall(data)
    back = b""
    while len(back) < len(data):
        got = connection.recv(65536)
        if not got:
            return False
        back += got
    return back == data


def act_tell(*pieces):
    """Each piece there and back, `text` or `text*times`; a line is read from the input between two of them."""
    try:
        with socket.create_connection((RIGHT[0], PORT), timeout=2) as connection:
            connection.settimeout(2)
            for at, piece in enumerate(pieces):
                if at != 0:
                    print("ready", flush=True)
                    sys.stdin.readline()
                text, _, times = piece.partition("*")
                if not told(connection, text.encode() * int(times or 1)):
                    return False
        return True
    except OSError:
        return False


ACTS = {"serve": act_serve, "tell": act_tell}


def tell(net, *pieces):
    code, said = net.call("left", sys.executable, os.path.abspath(__file__), "act", "tell", *pieces)
    assert code in (0, 1), said
    return code == 0


def door(net, weir, *arguments):
    ran = subprocess.run([weir, *arguments], capture_output=True, text=True, check=False, cwd=net.folder)
    assert ran.returncode == 0, f"{arguments}: {ran.stdout}{ran.stderr}"
    return ran.stdout


def install(net, weir, text, generation):
    compile_policy(net, weir, text)
    door(net, weir, "compile", "policy.toml", "-o", "policy.img", "--generation", str(generation))
    door(net, weir, "door", "door", "install", "policy.img")


def over_a_change(net, weir):
    """A connection that is being read goes on over changes, and its signature is found after them."""
    client = net.start("left", sys.executable, os.path.abspath(__file__), "act", "tell", "harmless *50", "still so",
                       MARK, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert client.stdout.readline() == "ready\n"
    install(net, weir, policy("deny"), 7)
    client.stdin.write("\n"), client.stdin.flush()
    assert client.stdout.readline() == "ready\n", "a connection did not outlive a change"
    install(net, weir, policy("deny").replace('name = "mark"', 'name = "other"'), 8)
    client.stdin.write("\n"), client.stdin.flush()
    assert client.wait(20) == 1, "a signature came through after a change"


def run(binary, weir):
    with Net("left", "mid", "right") as net:
        compile_policy(net, weir, policy("deny"))
        net.link("left", "L0", "mid", "L1")
        net.link("right", "R0", "mid", "R1")
        dataplane = Dataplane(net, "mid", binary, DEVICES, workers=2,
                              options=["--door", f"{net.folder}/door", "--name", "net_af_packet0=pf0"])
        net.address("left", "L0", f"{LEFT[0]}/24")
        net.address("right", "R0", f"{RIGHT[0]}/24")
        try:
            server = net.start("right", sys.executable, os.path.abspath(__file__), "act", "serve",
                               stdout=subprocess.PIPE, text=True)
            assert server.stdout.readline() == "ready\n"
            assert tell(net, "harmless *20000"), "what is harmless does not come back"
            assert not tell(net, "harmless, but " + MARK), "a signature comes through"
            assert tell(net, "harmless"), "one connection's end is another's"
            over_a_change(net, weir)
            install(net, weir, policy("quarantine"), 9)
            assert "nothing is" in door(net, weir, "quarantine", "door", "list")
            assert not tell(net, MARK) and not tell(net, "harmless"), "who sent a signature is not cut off"
            assert "pf0" in door(net, weir, "quarantine", "door", "list")
            assert "pf0" in door(net, weir, "door", "door", "status")
            assert "nothing is" in door(net, weir, "quarantine", "door", "release", "pf0")
            assert tell(net, "harmless"), "who was let go is cut off"
            install(net, weir, policy(None), 10)
            assert tell(net, MARK), "without an inspection it should come through, or this test shows nothing"
            assert "pf0" in door(net, weir, "quarantine", "door", "cut", "pf0")
            assert not tell(net, "harmless"), "a port that was cut off by hand carries frames"
            assert "nothing is" in door(net, weir, "quarantine", "door", "release", "pf0")
            assert tell(net, "harmless"), "a port that was let go carries none"
        except AssertionError as error:
            dataplane.stop()
            raise AssertionError(f"{error}\n{dataplane.said()}") from None
        dataplane.stop()
        print(dataplane.said())


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "act":
        sys.exit(0 if ACTS[sys.argv[2]](*sys.argv[3:]) else 1)
    skip_unless_possible("af_packet")
    run(*(os.path.abspath(program) for program in sys.argv[1:3]))


main()
