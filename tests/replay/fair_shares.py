#!/usr/bin/python3
"""One host at full rate against a budget that all share, and an outsider's flood of half-open connections whose answers
another host's kernel pays with: by max_share neither takes more than its part, so that the others leave with all that
they ask for; and who has a reserve has it whole, even when so many hosts are greedy that nothing else is left.

usage: fair_shares.py WEIR"""
import collections
import ipaddress
import pathlib
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools" / "capture"))
import frames  # noqa: E402

POLICY = """
version = 1
[policy]
name = "shares"
[segment.vault]
cidr = ["10.0.0.0/24"]
hosts = 64
[segment.operators]
cidr = ["10.9.0.0/24"]
[segment.outside]
cidr = ["10.1.0.0/16"]
[service]
dns = { udp = [53] }
web = { tcp = [443] }
[[allow]]
from = "vault"
to = ["outside", "operators"]
with = "dns"
[[allow]]
from = "outside"
to = "vault"
with = "web"
[[budget]]
name = "out"
from = "vault"
windows = { "1h" = "10 MB" }
max_share = "10%"
reserve = { "operators" = "20%" }
on_exceed = "deny"
"""
BEGAN_US, WHOLE, SHARE, RESERVE = 1_700_000_000 * 1_000_000, 10_000_000, 1_000_000, 2_000_000
HOG, FLOODED, MODEST = "10.0.0.1", "10.0.0.2", ["10.0.0.3", "10.0.0.4", "10.0.0.5"]
OUTSIDE, OPERATOR = "10.1.0.9", "10.9.0.1"


def packet(source, target, protocol, make):
    ends = ipaddress.ip_address(source), ipaddress.ip_address(target)
    return frames.ethernet(frames.mac_of(ends[0]), frames.mac_of(ends[1]), 0x0800,
                           frames.ipv4(*ends, protocol, make(*ends)))


def said(source, target, payload):
    return packet(source, target, frames.UDP, lambda a, b: frames.udp(a, b, 5000, 53, bytes(payload)))


def flood(number):
    """A SYN from somewhere, and the SYN-ACK that it draws: (inward, outward)."""
    stranger, port = f"10.1.{1 + number // 250 % 200}.{1 + number % 250}", 1024 + number // 50_000
    return (packet(stranger, FLOODED, frames.TCP, lambda a, b: frames.tcp(a, b, port, 443, "S", 7, 0)),
            packet(FLOODED, stranger, frames.TCP, lambda a, b: frames.tcp(a, b, 443, port, "SA", 9, 8)))


def left(weir, greedy):
    """Bytes that left, by source and whether to operators, in one hour in which `greedy` hosts and the flood spend."""
    inside, outside, asked = [], [], collections.Counter()

    def leave(us, frame, who):
        inside.append((us, frame, len(frame)))
        asked[who] += len(frame)

    for step in range(3000):  # a bit more than a second each
        us = BEGAN_US + step * 1_100_000
        for index, host in enumerate(greedy):
            for count in range(4):
                leave(us + index * 10 + count, said(host, OUTSIDE, 3000), (host, False))
        for count in range(10):
            inward, outward = flood(step * 10 + count)
            outside.append((us + 5_000 + 10 * count, inward, len(inward)))
            leave(us + 5_005 + 10 * count, outward, (FLOODED, False))
        for index, host in enumerate(MODEST):
            leave(us + 10_000 + index, said(host, OUTSIDE, 120), (host, False))
            if index == 0 and step % 10 == 0:
                leave(us + 10_100, said(host, OPERATOR, 900), (host, True))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "policy.toml").write_text(POLICY)
        (folder / "inside.pcap").write_bytes(frames.pcap(inside))
        (folder / "outside.pcap").write_bytes(frames.pcap(outside))
        ran = subprocess.run([weir, "replay", folder / "policy.toml", "--inside", folder / "inside.pcap", "--outside",
                              folder / "outside.pcap", "--write", folder / "left"],
                             capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        data, at, sums = (folder / "left" / "outside.pcap").read_bytes(), 24, collections.Counter()
    while at < len(data):
        kept, size = struct.unpack_from("<II", data, at + 8)
        source, target = (str(ipaddress.ip_address(data[at + 16 + place:at + 20 + place])) for place in (26, 30))
        sums[source, target == OPERATOR] += size
        at += 16 + kept
    return asked, sums


def main():
    asked, sums = left(sys.argv[1], [HOG])
    for who in sorted(asked):
        print(f"  one greedy host: {who[0]}{' to operators' if who[1] else ''}: {sums[who]:,} of {asked[who]:,} asked")
    assert 0.95 * SHARE < sums[HOG, False] <= SHARE, "the greedy host has its share and no more"
    assert 0.95 * SHARE < sums[FLOODED, False] <= SHARE, "answers to a flood cost whom they are from"
    for host in MODEST:
        assert sums[host, False] == asked[host, False], f"{host} was cut off by others"
    assert sums[MODEST[0], True] == asked[MODEST[0], True]

    asked, sums = left(sys.argv[1], [f"10.0.0.{20 + index}" for index in range(12)])
    others = sum(size for (_, reserved), size in sums.items() if not reserved)
    for_operators = sum(size for (_, reserved), size in sums.items() if reserved)
    print(f"  twelve greedy hosts: {others:,} left, and {for_operators:,} of {asked[MODEST[0], True]:,} for operators")
    assert 0.9 * (WHOLE - RESERVE) < others <= WHOLE - RESERVE, "the reserve is nobody else's"
    assert for_operators == asked[MODEST[0], True], "who has a reserve was cut off"


main()
