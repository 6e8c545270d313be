#!/usr/bin/python3
"""The guard on a real interface: what policy allows passes, all else does not, with no process of Weir alive; a change
of policy is one flip; and a program that was taken away or replaced is noticed.
usage: live_test.py WEIR_GUARD WEIR"""
import subprocess
import sys

import guarded
from guarded import MACHINE, OPERATOR, OTHER, POLICY, REPORTS
from namespaces import Net


def before(world):
    assert world.pings("machine", MACHINE, OPERATOR) and world.pings("far", OTHER, MACHINE), "the link does not work"


def what_passes(world):
    assert world.pings("far", OPERATOR, MACHINE), "operators may ping"
    assert not world.pings("far", OTHER, MACHINE), "others may not"
    assert not world.pings("machine", MACHINE, OPERATOR), "nobody allows the machine to ping"
    assert world.connects("far", OPERATOR, MACHINE, 22), "operators may open a shell"
    assert not world.connects("far", OPERATOR, MACHINE, 23), "nothing else"
    assert not world.connects("machine", MACHINE, OPERATOR, 443), "the machine may open nothing"


def ways_out(world, machine, far):
    """Frames that no socket of an ordinary kind sends."""
    to_far = far + machine
    ip = bytes.fromhex("4500002400010000401100000a6300010a630002")
    udp = bytes.fromhex("0202020200100000") + b"secret!!"
    known = to_far + b"\x08\x00"
    frames = {
        "ethertype_unknown": to_far + b"\x88\xb5" + b"secret" * 10,
        "link_local_protocol": to_far + b"\x88\xcc" + b"secret" * 10,
        "ieee_802_3": to_far + b"\x00\x20" + b"secret" * 10,
        "no_allow": known + ip + udp,
        "fragment": known + ip[:6] + b"\x20\x00" + ip[8:] + udp,
        "ipv4_option_bad": known + b"\x46" + ip[1:] + b"\x01\x01\x01\x00" + udp,
        "guard_unenforced": known + ip[:9] + b"\x2f" + ip[10:] + udp,
        "spoofed": known + ip[:12] + b"\x0a\x63\x00\x03" + ip[16:] + udp,
        "vlan_id_reserved": to_far + b"\x81\x00\x0f\xff" + b"\x08\x00" + ip + udp,
        "arp_malformed": to_far + b"\x08\x06" + b"secret" * 10,
        "truncated": known + ip[:10],
    }
    counts = world.counts("out")
    witness = guarded.Witness(world.net, "far", "far0")
    world.raw("machine", "oob0", *frames.values())
    got = [frame for _, frame in witness.frames() if b"secret" in frame]
    assert not got, f"{len(got)} frames came out"
    now = world.counts("out")
    for reason in frames:
        assert now.get(reason, 0) == counts.get(reason, 0) + 1, f"{reason}: {counts} then {now}"


def flips(world):
    shell = subprocess.PIPE
    talk = world.net.start("far", "nc", "-s", OPERATOR, MACHINE, "22", stdin=shell, stdout=subprocess.DEVNULL)
    world.act("update", "--policy", world.image(POLICY + REPORTS))
    assert world.connects("machine", MACHINE, OPERATOR, 443), "the new policy allows it"
    talk.stdin.write(b"still here\n")
    talk.stdin.flush()
    world.act("update", "--policy", world.image(POLICY.replace('"shell", ', "")))
    assert not world.connects("machine", MACHINE, OPERATOR, 443) and not world.connects("far", OPERATOR, MACHINE, 22)
    talk.stdin.write(b"not any more\n")
    talk.stdin.flush()
    talk.stdin.close()
    assert world.counts("in").get("revoked", 0) > 0, "a flow outlives its allow"
    old = world.image(POLICY)
    world.act("update", "--policy", old)
    assert "is not above" in world.act("update", "--policy", old, code=1)
    assert "no policy image" in world.act("update", "--policy", "/bin/true", code=1)
    assert world.connects("far", OPERATOR, MACHINE, 22)


def faults(world):
    """What somebody with the right to do it may take away is noticed."""
    code, said = world.net.call("machine", "ip", "link", "set", "oob0", "xdp", "off")
    assert code != 0, f"a pinned program is taken off by ip: {said}"
    subprocess.run(["rm", f"{world.pins}/link-oob0-out"], check=True)
    row = world.status(code=1)["interfaces"][0]
    assert "detached by somebody" in row["out"]["fault"] and row["in"]["fault"] == "", row
    assert not world.pings("machine", OTHER, OPERATOR)
    world.act("detach")
    before(world)


def other_hooks(world):
    """In by tc beside somebody's XDP, out at clsact: the same verdicts; a filter that is taken away is noticed."""
    world.attach(POLICY, "--clsact", "--beside-xdp", "oob0", "--when-dead", "last-policy")
    row = world.status()["interfaces"][0]
    assert (row["in"]["hook"], row["out"]["hook"], row["closed"]) == ("clsact", "clsact", False), row
    what_passes(world)
    code, said = world.net.call("machine", "tc", "filter", "del", "dev", "oob0", "egress")
    assert code == 0, said
    assert "detached by somebody" in world.status(code=1)["interfaces"][0]["out"]["fault"]
    world.act("detach")
    before(world)


def main(guard, weir):
    bpffs = guarded.begin()
    with Net("machine", "far") as net:
        world = guarded.Guarded(net, guard, weir, bpffs)
        world.listen("machine", MACHINE, 22)
        world.listen("far", OPERATOR, 443)
        before(world)
        print(world.attach(POLICY), end="")
        assert "a guard is attached" in world.act("attach", "--policy", world.image(POLICY), "--interface",
                                                  "oob0=oob", code=1)
        what_passes(world)
        ways_out(world, world.mac("machine", "oob0"), world.mac("far", "far0"))
        what_passes(world)
        flips(world)
        faults(world)
        other_hooks(world)
    print("what policy allows, and nothing else")


main(*sys.argv[1:3])
