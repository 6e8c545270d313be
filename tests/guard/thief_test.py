#!/usr/bin/python3
"""A thief on a guarded interface, with a budget on what leaves: no more than the budget gets out while weir-guard
lends, and once every process of Weir is killed, no more than the lease that was out, and that only for as long as it
lasts. The ledger then knows at least what left.
usage: thief_test.py WEIR_GUARD WEIR"""
import json
import os
import re
import signal
import subprocess
import sys
import time

import guarded
from guarded import MACHINE, OPERATOR, POLICY, REPORTS
from namespaces import Net, end

BUDGET_BYTES, LEASE_MS = 4_000_000, 2_000
BUDGET = f"""[[budget]]
name = "out-of-band"
from = "machine"
windows = {{ lifetime = "{BUDGET_BYTES} B" }}
opening = "empty"
"""
# Until its standard input closes: as much as it can, by datagrams that policy allows; says how often it tried.
THIEF = """
import select, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 514))
tried = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    for _ in range(8):
        try: s.send(b"x" * 1400)
        except OSError: pass
        tried += 1
    select.select([], [], [], float(sys.argv[2]))
print(tried)
"""


def steal(world, seconds, pause=0.001, meanwhile=lambda: None):
    """Bytes that arrived, as frames on the wire; `meanwhile` happens in the middle."""
    witness = guarded.Witness(world.net, "far", "far0")
    thief = world.net.start("machine", sys.executable, "-c", THIEF, OPERATOR, str(pause), stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    time.sleep(seconds / 2)
    meanwhile()
    time.sleep(seconds / 2)
    tried, _ = thief.communicate("")
    assert int(tried) > 0, "nothing was tried"
    machine = world.mac("machine", "oob0")
    return sum(whole for whole, frame in witness.frames() if frame[6:12] == machine)


def begin_ledger(world):
    folder = world.net.folder
    os.mkdir(f"{folder}/ledger")
    with open(f"{folder}/key", "wb") as key:
        key.write(os.urandom(32))
    os.chmod(f"{folder}/key", 0o600)
    done = subprocess.run([world.weir, "budgets", "--begin", f"{folder}/ledger", "--key", f"{folder}/key", "--first"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def left_by_ledger(world):
    folder = world.net.folder
    done = subprocess.run([world.weir, "budgets", "--verify", f"{folder}/ledger/ledger", "--key", f"{folder}/key", "-o",
                           "json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    return sum(account["total"] + account["leased"] for account in said["accounts"]), said


def run(world, image):
    folder = world.net.folder
    process = world.net.start("machine", world.guard, "--pins", world.pins, "run", "--policy", image, "--ledger",
                              f"{folder}/ledger", "--ledger-key", f"{folder}/key", "--lease-ms", str(LEASE_MS),
                              stdout=subprocess.PIPE, text=True)
    said = process.stdout.readline()
    assert "lends by generation" in said, said
    return process


def leases(world):
    """Bytes in the leases that are out, as the kernel has them."""
    said = world.act("status")
    found = re.search(r"leases: (\d+) bytes", said)
    assert found, said
    return int(found.group(1))


def main(guard, weir):
    bpffs = guarded.begin()
    with Net("machine", "far") as net:
        world = guarded.Guarded(net, guard, weir, bpffs)
        begin_ledger(world)
        image = world.image(POLICY + REPORTS + BUDGET)
        world.act("attach", "--policy", image, "--interface", "oob0=oob")
        got = steal(world, 1)
        assert got == 0, f"{got} bytes left before anything was lent"
        keeper = run(world, image)
        got_lending = steal(world, 2, pause=0.05)
        assert 0 < got_lending < BUDGET_BYTES, got_lending
        end(keeper, signal.SIGKILL)
        lent = leases(world)
        got_dead = steal(world, LEASE_MS / 2000)
        assert 0 < got_dead <= lent <= BUDGET_BYTES / 100, (got_dead, lent)
        time.sleep(LEASE_MS / 1000)
        assert steal(world, 1) == 0, "more than the lease leaves, or it outlives its time"
        keeper = run(world, image)
        steal(world, 1, meanwhile=lambda: end(keeper, signal.SIGKILL))
        time.sleep(LEASE_MS / 1000)
        assert steal(world, 1) == 0
        counted, said = left_by_ledger(world)
        total = sum(guarded_bytes(world))
        assert total <= counted <= BUDGET_BYTES, (total, counted, said)
        keeper = run(world, image)
        steal(world, 10)
        end(keeper, signal.SIGTERM)
        assert keeper.returncode == 0
        total = sum(guarded_bytes(world))
        counted, said = left_by_ledger(world)
        assert BUDGET_BYTES * 0.9 < total <= counted <= BUDGET_BYTES, (total, counted, said)
        assert steal(world, 1) == 0, "the budget is spent, and something leaves"
        world.act("detach")
    print(f"{got_lending} bytes while it was lent; killed, {got_dead} of the {lent} that were out; {total} of "
          f"{BUDGET_BYTES} in all, {counted} by the ledger")


def guarded_bytes(world):
    """Bytes that the guard has passed out, by reason."""
    rows = world.status()["interfaces"][0]["out"]["reasons"]
    return [rows[name]["bytes"] for name in ("flow_new", "flow_established", "icmp_related", "link_arp", "link_nd")
            if name in rows]


main(*sys.argv[1:3])
