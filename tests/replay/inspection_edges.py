#!/usr/bin/python3
"""What policy inspects and cannot always look at, through `weir replay`: connections met in their middle, fragments,
ICMP errors, floods of who only knocks, connections that are read for NCCL too; who is cut off for what he sends.

usage: inspection_edges.py WEIR"""
import ipaddress
import random
import sys

from inspection import ENDS, MARK, PASSES, datagram, policy, talk, verdict, words
from judged import Capture, Talk, frames

generator = random.Random(18)


def errors(weir):
    """An ICMP error about an inspected flow may quote anything."""
    capture = Capture()
    source, target = (ipaddress.ip_address(one) for one in ("10.20.0.9", "10.30.0.9"))
    datagram(capture, source, target, 9001, words(90), ("forward", "flow_new"))
    began = frames.udp(source, target, 5000, 9001, words(90))[:8]
    one = talk(capture, 9000)
    syn = frames.tcp(*one.ends, *one.ports, "S", one.next[0] - 1, 0)[:8]

    def tell(ends, protocol, quoted, wanted):
        if ends[0].version == 6:
            return
        inner = frames.ipv4(*ends, protocol, quoted)
        error = frames.icmp(ends[1], ends[0], 3, 3, bytes(4), inner)
        packet = frames.ipv4(ends[1], ends[0], frames.ICMP, error)
        macs = frames.mac_of(ends[1]), frames.mac_of(ends[0])
        capture.frame("outside", frames.ethernet(*macs, 0x0800, packet), wanted)

    for ends, protocol, head in (((source, target), frames.UDP, began), (one.ends, frames.TCP, syn)):
        tell(ends, protocol, head + words(60), ("forward", "icmp_related"))
        tell(ends, protocol, head + words(60) + MARK, ENDS)
    return verdict("errors", capture, capture.judge(weir, policy()))


def quarantine(weir):
    """A port is cut off by what its host sends, not by what it is sent."""
    named, arguments = 'attach = ["pf0"]\n', ("--name", "inside=pf0")
    pin = '[port.pf0]\naddresses = ["10.20.0.0/16", "fd00:20::/32"]\n'
    capture = Capture()
    far = talk(capture, 9000)
    far.send(1, "PA", MARK, ENDS)
    near = talk(capture, 9000)
    near.send(0, "PA", MARK, ENDS)
    near.send(0, "PA", MARK, ("drop", "quarantined"))
    far.send(1, "PA", b"x", ("drop", "quarantined"))
    wrong = verdict("quarantine", capture, capture.judge(weir, policy("quarantine", named, pin), *arguments))
    capture = Capture()
    near = talk(capture, 9000)
    near.send(0, "PA", MARK, ENDS)
    fresh = talk(capture, 9000)
    fresh.send(0, "PA", b"harmless", PASSES)
    return wrong + verdict("no port", capture, capture.judge(weir, policy("quarantine")))


def picked_up(weir):
    """A connection that is met in its middle is looked at segment by segment; what it began as nobody can say."""
    capture = Capture()
    for port, wanted in ((9000, ENDS), (4420, ("drop", "inspect_protocol"))):
        source, target = (ipaddress.ip_address(one) for one in ("10.20.0.9", "10.30.0.9"))
        for data, becomes in ((b"harmless", ("forward", "flow_new")), (b"so far", PASSES), (words(90) + MARK, ENDS)):
            segment = frames.tcp(source, target, 5000, port, "PA", capture.micros, 1, data)
            packet = frames.ipv4(source, target, frames.TCP, segment)
            capture.frame("inside", frames.ethernet(frames.mac_of(source), frames.mac_of(target), 0x0800, packet),
                          becomes if port == 9000 else wanted)
            capture.micros += len(data) - 100
    return verdict("picked up", capture, capture.judge(weir, policy(more="[state]\npick_up = true\n")))


def in_fragments(weir):
    """A segment that comes in fragments cannot be looked at; where it need not be, it passes, and nobody reads on."""
    free = policy(more='[[allow]]\nname = "free"\nfrom = "trainers"\nto = "others"\nwith = ["free"]\n')
    for old, new in (('rdma = ["any"]', 'rdma = ["nccl"]'), ("first_use = 99\n", ""),
                     ("[service]\n", "[service]\nfree = { tcp = [9010] }\n")):
        free = free.replace(old, new)
    wrong = 0
    for text, port, reason in ((policy(), 9000, "inspect_fragment"), (free, 9010, "flow_established")):
        capture = Capture()
        client, server = (ipaddress.ip_address(each) for each in ("10.20.0.9", "10.30.0.9"))
        one = Talk(capture, client, server, (5000, port), generator)
        segment = frames.tcp(*one.ends, *one.ports, "PA", one.next[0], one.next[1], words(1200))
        for at, end, more in ((0, 512, 1), (512, len(segment), 0)):
            packet = frames.ipv4(*one.ends, frames.TCP, segment[at:end], fragment=more << 13 | at // 8,
                                 identification=77)
            macs = [frames.mac_of(each) for each in one.ends]
            capture.frame("inside", frames.ethernet(*macs, 0x0800, packet), None)
        decided = capture.judge(weir, text)
        ended = [line["reason"] for line in decided if line["verdict"] != "hold"][-2:]
        wrong += verdict(f"fragments on {port}", capture, decided) + (ended != [reason] * 2)
        if ended != [reason] * 2:
            print(f"fragments on {port}: {ended}", file=sys.stderr)
    return wrong


def knocking(weir):
    """Who only knocks takes nobody's room: more SYNs than there is room for, and then a connection like any other."""
    capture = Capture()
    target = ipaddress.ip_address("10.30.0.9")
    for turn in range(6000):
        source = ipaddress.ip_address("10.20.1.0") + turn
        segment = frames.tcp(source, target, 5000, 9000, "S", turn, 0)
        packet = frames.ipv4(source, target, frames.TCP, segment)
        capture.frame("inside", frames.ethernet(frames.mac_of(source), frames.mac_of(target), 0x0800, packet),
                      ("forward", "flow_new"))
    one = talk(capture, 9000)
    one.send(0, "PA", words(50), PASSES)
    one.next[0] += 50
    one.send(0, "PA", MARK, ENDS)
    return verdict("knocking", capture, capture.judge(weir, policy()))


def beside_handshakes(weir):
    """Connections that are read for NCCL's handshakes as well, which end as soon as they are none."""
    capture = Capture()
    for port in (9000, 9003, 4420):
        one = talk(capture, port)
        one.send(0, "PA", words(60), PASSES if port != 4420 else ("drop", "inspect_protocol"))
        one.next[0] += 60
        if port == 9000:
            one.send(0, "PA", MARK, ENDS)
    with_nccl = policy().replace('memory = { rdma = ["any"] }', 'memory = { rdma = ["nccl"] }').replace(
        "first_use = 99\n", "")
    return verdict("beside handshakes", capture, capture.judge(weir, with_nccl))


def main(weir):
    cases = (errors, quarantine, picked_up, in_fragments, knocking, beside_handshakes)
    return 1 if sum(case(weir) for case in cases) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
