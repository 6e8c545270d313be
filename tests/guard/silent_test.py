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
from namespaces import LEFT, RIGHT, Dataplane, Net, compile_policy, end, policy_of_two, skip_unless_possible

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


def beside_af_xdp(guard, weir, dataplane, bpffs):
    """An interface that dataplane and kernel share: what goes to the dataplane goes on; once it is dead, and its
    frames reach the kernel, they end there."""
    skip_unless_possible("af_xdp")
    with Net("machine", "far", "right") as net:
        world = guarded.Guarded(net, guard, weir, bpffs)
        net.link("machine", "L1", "far", "L0")
        net.link("machine", "R1", "right", "R0")
        net.address("far", "L0", f"{LEFT[0]}/24")
        net.address("right", "R0", f"{RIGHT[0]}/24")
        compile_policy(net, weir, policy_of_two("two", {"ask": 'icmp = ["echo"]'}))
        live = Dataplane(net, "machine", dataplane, ["net_af_xdp0,iface=L1", "net_af_xdp1,iface=R1"])
        world.act("attach", "--policy", world.image(POLICY), "--interface", "L1=oob", "--beside-xdp", "L1",
                  "--silence-ms", str(SILENCE_MS))
        relay(world)
        assert world.pings("far", LEFT[0], RIGHT[0]), "the guard stands in the dataplane's way"
        assert "guard_silent" not in world.counts("in")
        end(live.process, signal.SIGKILL)
        time.sleep(2 * SILENCE_MS / 1000)
        assert not world.pings("far", LEFT[0], RIGHT[0])
        assert world.counts("in")["guard_silent"] > 0, "its frames do not reach the guard"
        live = Dataplane(net, "machine", dataplane, ["net_af_xdp0,iface=L1", "net_af_xdp1,iface=R1"])
        assert world.pings("far", LEFT[0], RIGHT[0])
        end(live.process, signal.SIGKILL)
        world.act("detach")


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
    beside_af_xdp(guard, weir, dataplane, bpffs)
    print(f"closed {killed:.1f} s after a kill, {stopped:.1f} s after a stop, {orphaned:.1f} s without the relay")


main(*sys.argv[1:4])
