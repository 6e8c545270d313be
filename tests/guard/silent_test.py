#!/usr/bin/python3
"""An interface that needs the dataplane's heartbeat: closed until it beats, by policy while it beats, closed again when
it is killed, stopped, or nobody passes its heartbeat on; or, by explicit choice, by policy all the time.
usage: silent_test.py WEIR_GUARD WEIR WEIR_DATAPLANE"""
import signal
import subprocess
import sys
import time

import guarded
from guarded import MACHINE, OPERATOR, POLICY
from namespaces import Dataplane, Net, compile_policy, end

SILENCE_MS = 600


def wait_for(world, opened):
    """Seconds until the interface is as it should be."""
    began = time.monotonic()
    while world.pings("far", OPERATOR, MACHINE) != opened:
        assert time.monotonic() < began + 10, f"never {'open' if opened else 'closed'}"
    return time.monotonic() - began


def relay(world):
    return world.net.start("machine", world.guard, "--pins", world.pins, "run", "--stats", f"{world.net.folder}/stats",
                           stdout=subprocess.DEVNULL)


def main(guard, weir, dataplane):
    bpffs = guarded.begin()
    with Net("machine", "far") as net:
        world = guarded.Guarded(net, guard, weir, bpffs)
        net.link("machine", "L1", "far", "L0")
        net.link("machine", "R1", "far", "R0")
        compile_policy(net, weir, POLICY)
        start = lambda: Dataplane(net, "machine", dataplane, ["net_af_packet0,iface=L1", "net_af_packet1,iface=R1"])
        world.attach(POLICY, "--beside-xdp", "oob0", "--silence-ms", str(SILENCE_MS))
        assert not world.pings("far", OPERATOR, MACHINE) and world.status()["interfaces"][0]["closed"]
        passes = relay(world)
        assert not world.pings("far", OPERATOR, MACHINE), "nothing beats"
        live = start()
        wait_for(world, True)
        assert not world.pings("machine", MACHINE, OPERATOR), "by policy, and no more"
        end(live.process, signal.SIGKILL)
        killed = wait_for(world, False)
        assert world.counts("in")["guard_silent"] > 0
        live = start()
        wait_for(world, True)
        live.process.send_signal(signal.SIGSTOP)
        stopped = wait_for(world, False)
        live.process.send_signal(signal.SIGCONT)
        wait_for(world, True)
        end(passes, signal.SIGKILL)
        orphaned = wait_for(world, False)
        passes = relay(world)
        wait_for(world, True)
        world.act("detach")
        end(live.process, signal.SIGKILL)
        world.attach(POLICY, "--beside-xdp", "oob0", "--when-dead", "last-policy")
        assert world.pings("far", OPERATOR, MACHINE) and not world.pings("machine", MACHINE, OPERATOR)
        world.act("detach")
    print(f"closed {killed:.1f} s after a kill, {stopped:.1f} s after a stop, {orphaned:.1f} s without the relay")


main(*sys.argv[1:4])
