#!/usr/bin/python3
"""The answers to what policy rejects, read by scapy, which shares no code with Weir: addresses and ports swapped, the
sequence numbers of RFC 9293 3.10.7.1, the quote of RFC 792 and RFC 4443, every checksum, and never a byte more than
what came.

    tests/replay/rejects.py WEIR
"""
import logging
import pathlib
import subprocess
import sys
import tempfile

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import (ICMP, IP, TCP, UDP, Dot1Q, Ether, ICMPv6DestUnreach, ICMPv6EchoRequest, IPv6,  # noqa: E402
                       Raw, rdpcap, wrpcap)

POLICY = """version = 1
[policy]
name = "rejects"
[segment.rogue]
cidr = ["10.3.0.0/16", "fd03::/48"]
reject = true
[segment.servers]
cidr = ["10.2.0.0/24", "fd02::/64"]
[[forbid]]
from = "rogue"
to = "servers"
"""
LINK = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}


def sent():
    for vlans in ((), (5,), (5, 6)):
        frame = Ether(**LINK)
        for vlan in vlans:
            frame /= Dot1Q(vlan=vlan)
        for ip in (IP(src="10.3.0.9", dst="10.2.0.5", id=77), IPv6(src="fd03::9", dst="fd02::5", hlim=9)):
            yield frame / ip / TCP(sport=4000, dport=80, seq=0xfffffffe, flags="S", options=[("MSS", 1460)])
            yield frame / ip / TCP(sport=4000, dport=81, seq=5, flags="SEC")
            yield frame / ip / TCP(sport=4000, dport=82, seq=1000, flags="S") / Raw(b"early data")
            for size in (48, 49, 60, 1400):
                yield frame / ip / UDP(sport=4000, dport=53) / Raw(bytes(range(256)) * 6)[Raw].load[:size]
        yield frame / IP(src="10.3.0.9", dst="10.2.0.5") / ICMP(type=8, id=3) / Raw(b"x" * 61)
        yield frame / IPv6(src="fd03::9", dst="fd02::5") / ICMPv6EchoRequest(id=3, data=b"x" * 61)


def checksums_hold(frame):
    """Scapy's own sums over the same bytes."""
    fresh = Ether(bytes(frame))
    for layer in (IP, TCP, ICMP, ICMPv6DestUnreach):
        if layer in fresh and "ICMPerror" not in fresh[layer].name:
            field = "cksum" if layer is ICMPv6DestUnreach else "chksum"
            delattr(fresh[layer], field)
    return bytes(Ether(bytes(fresh)).build()) == bytes(frame)


def wrong_in(packet, answer):
    wrong = []
    family = IP if IP in packet else IPv6
    if len(answer) > len(packet):
        wrong.append("longer than what it answers")
    if (answer.src, answer.dst) != (packet.dst, packet.src):
        wrong.append("link addresses")
    tags = [[tag.vlan for tag in one.iterpayloads() if isinstance(tag, Dot1Q)] for one in (packet, answer)]
    if tags[0] != tags[1]:
        wrong.append("VLAN tags")
    if (answer[family].src, answer[family].dst) != (packet[family].dst, packet[family].src):
        wrong.append("addresses")
    if not checksums_hold(answer):
        wrong.append("a checksum")
    return wrong + (wrong_reset(packet, answer) if TCP in packet else wrong_error(packet, answer, family))


def wrong_reset(packet, answer):
    asked, reset = packet[TCP], answer[TCP]
    length = len(asked.payload) + 1
    right = (reset.sport, reset.dport, reset.flags, reset.seq, reset.ack) == (
        asked.dport, asked.sport, "RA", 0, (asked.seq + length) % 2**32)
    return [] if right and reset.dataofs == 5 else [f"a reset that is not RFC 9293's: {reset.summary()}"]


def wrong_error(packet, answer, family):
    layer, form = (ICMP, (3, 13)) if family is IP else (ICMPv6DestUnreach, (1, 1))
    error = answer[layer]
    if (error.type, error.code) != form:
        return ["another error"]
    quote = bytes(error.payload)
    whole = bytes(packet[family])
    if not whole.startswith(quote) or len(quote) < (28 if family is IP else 48):
        return [f"a quote of {len(quote)} bytes that is not the packet's beginning"]
    return []


def main():
    weir = sys.argv[1]
    packets = [Ether(bytes(packet)) for packet in sent()]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "policy.toml").write_text(POLICY)
        for index, packet in enumerate(packets):
            packet.time = 1_700_000_000 + index
        wrpcap(str(folder / "inside.pcap"), packets)
        subprocess.run([weir, "replay", folder / "policy.toml", "--inside", folder / "inside.pcap", "--write",
                        folder / "out"], check=True, capture_output=True, timeout=60)
        answers = rdpcap(str(folder / "out" / "inside.pcap"))
    assert len(answers) == len(packets), f"{len(answers)} answers for {len(packets)} packets"
    for at in (-1, 30):  # the check itself sees a changed byte
        bent = bytearray(bytes(answers[-1]))
        bent[at] ^= 1
        assert not checksums_hold(Ether(bytes(bent))), f"byte {at} is not covered"
    wrong = [f"{packet.summary()}: {fault}"
             for packet, answer in zip(packets, answers) for fault in wrong_in(packet, answer)]
    print("\n".join(wrong) or f"{len(answers)} answers hold")
    sys.exit(bool(wrong))


main()
