#!/usr/bin/python3
"""What an allow asks of payload, from rule files to packets through `weir replay`: shipped sets, a file, patterns of
its own and the protocol that a service names are found and end their connections, whatever cuts them into segments;
what is harmless passes. The same packets pass where the allow does not ask, where the other direction is looked at, and
in monitor mode.

usage: inspection_rules.py WEIR"""
import collections
import json
import logging
import pathlib
import subprocess
import sys
import tempfile

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import Ether, IP, TCP, Raw, wrpcap  # noqa: E402

POLICY = """version = 1
[segment.inside]
cidr = ["10.1.0.0/16"]
[segment.outside]
cidr = ["10.2.0.0/16"]
[service]
web = { tcp = [443] }
disks = { tcp = [4420]%(protocol)s }
[inspect.payload]
signatures = ["weights", "sets/ours.toml"]
%(more)s
[[inspect.payload.pattern]]
name = "card"
text = "model-card-internal"
at   = 6
[[allow]]
name = "web"
from = "inside"
to = "outside"
with = ["web"]
%(inspect)s
[[allow]]
name = "disks"
from = "inside"
to = "outside"
with = ["disks"]
"""
OURS = "# Of this site.\nversion = 1\n\n[[pattern]]\nname = 'ours'\nregex = 'shard-[0-9]{4}-of-[0-9]{4}'\n"

HARMLESS = b"GET /index.html HTTP/1.1\r\nhost: mirrors\r\n\r\n"
ICREQ = bytes.fromhex("0000800080000000") + bytes(120)
# Name: target port, what the client sends, in pieces of so many bytes, and what finds it.
CONNECTIONS = {
    "harmless": (443, HARMLESS, 1000, None),
    "shipped": (443, b"POST / HTTP/1.1\r\n\r\nGGUF\x03\x00\x00\x00" + b"x" * 40, 1000, "inspect_signature"),
    "split": (443, b"put GGUF\x03\x00\x00\x00" + b"x" * 40, 6, "inspect_signature"),
    "file": (443, b"name: shard-0007-of-0128", 9, "inspect_signature"),
    "own": (443, b"hello model-card-internal", 1000, "inspect_signature"),
    "elsewhere": (443, b"good-day model-card-internal", 1000, None),  # not where the pattern stands
    "disk": (4420, ICREQ, 1000, None),
    "no disk": (4420, b"hello, this is no disk at all, " * 4, 1000, "inspect_protocol"),
}


def frames_of(number, port, sent, piece):
    """A connection that opens, carries `sent` from the client in pieces, and is acknowledged."""
    client, server, sport = "10.1.0.5", "10.2.0.9", 20000 + number
    there = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=client, dst=server)
    back = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / IP(src=server, dst=client)
    yield there / TCP(sport=sport, dport=port, flags="S", seq=99, window=64000)
    yield back / TCP(sport=port, dport=sport, flags="SA", seq=499, ack=100, window=64000)
    yield there / TCP(sport=sport, dport=port, flags="A", seq=100, ack=500, window=64000)
    for at in range(0, len(sent), piece):
        yield there / TCP(sport=sport, dport=port, flags="PA", seq=100 + at, ack=500, window=64000) / Raw(
            sent[at:at + piece])


def decisions(weir, folder, owners, **words):
    """By connection, the reasons that its packets met; `owners` says whose each packet is."""
    policy = folder / "policy.toml"
    policy.write_text(POLICY % {"protocol": "", "more": "", "inspect": "", **words})
    done = subprocess.run([weir, "replay", policy, "--in", folder / "all.pcap", "--inside-prefix", "10.1.0.0/16",
                           "--write", folder / "out"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    reasons = collections.defaultdict(set)
    for line in (folder / "out/decisions.jsonl").read_text().splitlines():
        one = json.loads(line)
        reasons[owners[one["index"]]].add(one["reason"])
    return reasons


def main():
    weir = sys.argv[1]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "sets").mkdir()
        (folder / "sets/ours.toml").write_text(OURS)
        frames, owners = [], []
        for number, (name, (port, sent, piece, _)) in enumerate(CONNECTIONS.items()):
            frames += frames_of(number, port, sent, piece)
            owners += [name] * (len(frames) - len(owners))
        for number, frame in enumerate(frames):
            frame.time = 1 + number / 1000
        wrpcap(str(folder / "all.pcap"), frames)
        asked = {"protocol": ', protocol = "nvme-tcp"', "inspect": 'inspect = ["payload"]'}
        for words, finds in (
                (asked, lambda reason: True),
                ({**asked, "protocol": ""}, lambda reason: reason == "inspect_signature"),
                ({**asked, "inspect": ""}, lambda reason: reason == "inspect_protocol"),
                ({**asked, "more": 'direction = "out"'}, lambda reason: True),
                ({**asked, "more": 'direction = "in"'}, lambda reason: reason == "inspect_protocol"),
                ({**asked, "more": 'on_match = "alert"'}, lambda reason: reason == "inspect_protocol"),
                ({**asked, "more": 'mode = "monitor"'}, lambda reason: reason == "inspect_protocol")):
            met = decisions(weir, folder, owners, **words)
            for name, (_, _, _, reason) in CONNECTIONS.items():
                found = {one for one in met[name] if one.startswith("inspect_")}
                expected = {reason} if reason and finds(reason) else set()
                assert found == expected, (words, name, met[name])
    print(f"{len(CONNECTIONS)} connections under seven policies: what is asked for is found, and nothing else")


if __name__ == "__main__":
    main()
