#!/usr/bin/python3
"""Frames that scapy builds come out of the scrubber as scapy builds them with those fields set to what docs/covert.md
says, checksums included; tshark, which reads all of them from one capture, finds no wrong checksum; and a second time
changes nothing.

usage: scrub_built.py SCRUB_LINES
"""
import logging
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import (Dot1Q, Ether, GRE, ICMP, ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, IP,  # noqa: E402
                       IPv6, Raw, TCP, UDP, wrpcap)
from scapy.layers.vxlan import VXLAN  # noqa: E402

generator = random.Random(1624)
PUT_INSTEAD = 0x5a5a


def ethernet():
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    return frame / Dot1Q(vlan=7) if generator.random() < 0.2 else frame


def network(scrubbed, version, inner=False):
    """An IP header, drawn, and as it must be afterwards."""
    octet = generator.randrange(1, 200)
    if version == 6:
        fields = {"src": f"2001:db8::{octet:x}", "dst": "2001:db8:1::2", "tc": generator.randrange(256)}
        label = generator.randrange(2**20)
        return IPv6(fl=label, **fields), IPv6(fl=0 if scrubbed else label, **fields)
    fields = {"src": f"10.0.0.{octet}", "dst": "10.1.0.2", "tos": generator.randrange(256),
              "ttl": generator.randrange(1, 255), "flags": generator.choice(["DF", 0])}
    identification = generator.randrange(65536)
    after = (0 if fields["flags"] else PUT_INSTEAD) if scrubbed else identification
    return IP(id=identification, **fields), IP(id=after, **fields)


STAY = {"SYN": {"MSS", "WScale", "SAckOK"}, "other": {"SAck"}}


def options(is_syn):
    """Options as scapy takes them, and what they become: no-operations of the same length."""
    drawn, after, length = [], [], 0
    for _ in range(generator.randrange(6)):
        one, bytes_ = generator.choice([
            (("MSS", generator.randrange(65536)), 4), (("WScale", generator.randrange(15)), 3), (("SAckOK", b""), 2),
            (("Timestamp", (generator.randrange(2**32), generator.randrange(2**32))), 10), (("NOP", None), 1),
            (("SAck", (generator.randrange(2**32), generator.randrange(2**32))), 10),
            ((253, generator.randbytes(4)), 6), ((34, generator.randbytes(8)), 10)])
        if length + bytes_ > 36:
            continue
        length += bytes_
        drawn.append(one)
        stays = one[0] == "SAck" or (is_syn and one[0] in STAY["SYN"])
        after += [one] if stays else [("NOP", None)] * bytes_
    return drawn, after


def tcp(scrubbed=True):
    is_syn = generator.random() < 0.3
    drawn, after = options(is_syn)
    flags = generator.choice(["S", "SA"]) if is_syn else generator.choice(["A", "PA", "FA", "AU", "PAU"])
    fields = {"sport": generator.randrange(1, 65536), "dport": 443, "seq": generator.randrange(2**32),
              "ack": generator.randrange(2**32), "window": generator.randrange(65536)}
    payload = Raw(generator.randbytes(0 if is_syn else generator.randrange(60)))
    before = TCP(flags=flags, reserved=generator.randrange(8), urgptr=generator.randrange(65536), options=drawn,
                 **fields)
    clean = TCP(flags=flags.replace("U", ""), reserved=0, urgptr=0, options=after, **fields)
    return before / payload, (clean if scrubbed else before) / payload


def plain():
    """(what, frame, frame afterwards)"""
    for _ in range(1500):
        link, (before, after) = ethernet(), network(True, generator.choice([4, 6]))
        first, then = generator.choice([tcp, lambda: 2 * (UDP(sport=9, dport=99) / Raw(generator.randbytes(33)),)])()
        frame, clean = bytes(link / before / first), bytes(link / after / then)
        padding = generator.choice([0, 0, 7, 20])
        yield "scrub", frame + generator.randbytes(padding), clean + bytes(padding)


def tunnelled():
    for _ in range(300):
        outer, _ = network(False, generator.choice([4, 6]))
        first, then = tcp()
        before, after = network(True, generator.choice([4, 6]))
        link = ethernet()
        if generator.random() < 0.5:
            around = outer / UDP(sport=4000, dport=4789) / VXLAN(vni=7, flags=8) / Ether(src="02:00:00:00:00:03",
                                                                                        dst="02:00:00:00:00:04")
        else:
            around = outer / GRE(chksum_present=1)
        yield "scrub", bytes(link / around / before / first), bytes(link / around / after / then)


def errors():
    for _ in range(300):
        version = generator.choice([4, 6])
        before, after = network(True, version)
        quoted = IP(src="10.1.0.2", dst="10.9.0.9", id=77) if version == 4 else \
            IPv6(src="2001:db8:1::2", dst="2001:db8::9")
        told = generator.randbytes(generator.randrange(60))
        whole = bytes(quoted / UDP(sport=99, dport=9) / Raw(told))
        blank = whole[:len(whole) - len(told)] + bytes(len(told))
        kind = ICMP(type=3, code=3) if version == 4 else ICMPv6DestUnreach(code=4)
        link = ethernet()
        yield "scrub", bytes(link / before / kind / Raw(whole)), bytes(link / after / kind / Raw(blank))


def echoes():
    for _ in range(600):
        version = generator.choice([4, 6])
        before, _ = network(False, version)
        told, numbers = generator.randbytes(generator.choice([0, 1, 8, 56, 57, 300, 1400])), \
            {"id": generator.randrange(65536), "seq": generator.randrange(65536)}
        pattern = bytes(i & 255 for i in range(len(told)))
        message = ICMP(type=generator.choice([0, 8]), **numbers) if version == 4 else \
            generator.choice([ICMPv6EchoRequest, ICMPv6EchoReply])(**numbers)
        link = ethernet()
        after = bytes(link / before / message / Raw(pattern)) if version == 4 else \
            bytes(link / before / type(message)(data=pattern, **numbers))
        yield "normalise", bytes(link / before / message / Raw(told)) if version == 4 else \
            bytes(link / before / type(message)(data=told, **numbers)), after


def run(lines, rows):
    told = subprocess.run([lines], input="\n".join(f"{what} {frame.hex()}" for what, frame in rows), text=True,
                          capture_output=True, check=True).stdout.splitlines()
    assert len(told) == len(rows)
    return [line.split() for line in told]


def judged_by_tshark(frames, folder):
    """An error quotes a packet whose own sum is over what is blank now: that one is not asked about."""
    capture = pathlib.Path(folder) / "scrubbed.pcap"
    wrpcap(str(capture), [Ether(frame) for frame in frames])
    checks = [word for layer in ("ip", "tcp", "udp") for word in ("-o", f"{layer}.check_checksum:TRUE")]
    bad = subprocess.run(
        ["tshark", "-n", "-r", str(capture), *checks, "-Y",
         "ip.checksum.status == 0 or tcp.checksum.status == 0 or icmp.checksum.status == 0 or "
         "icmpv6.checksum.status == 0 or (udp.checksum.status == 0 and not icmp and not icmpv6)"],
        capture_output=True, text=True, check=True).stdout.splitlines()
    assert bad == [], f"tshark finds {len(bad)} wrong checksums: {bad[:5]}"


def main(lines):
    rows = [*plain(), *tunnelled(), *errors(), *echoes()]
    for (what, frame, clean), told in zip(rows, run(lines, [row[:2] for row in rows])):
        assert told[0] == clean.hex(), f"{what} {frame.hex()}\ngave {told[0]}\nnot  {clean.hex()}"
        assert told[1] == ("same" if frame == clean else "changed"), f"{what} {frame.hex()}: {told[1]}"
    for row, told in zip(rows, run(lines, [(row[0], row[2]) for row in rows])):
        assert told == [row[2].hex(), "same"], f"twice: {row[2].hex()}"
    changed = sum(row[1] != row[2] for row in rows)
    told = "tshark is not here"
    if shutil.which("tshark"):
        with tempfile.TemporaryDirectory() as folder:
            judged_by_tshark([row[2] for row in rows], folder)
        told = "tshark finds every checksum right"
    print(f"{len(rows)} frames, {changed} of them changed; {told}")


main(sys.argv[1])
