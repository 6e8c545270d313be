"""Weir's answer: `weir replay` on two captures, one a side, whose times put the packets in the wanted order. Returns a
(verdict, reason, rule) for each packet."""
import json
import pathlib
import struct
import subprocess
import tempfile

POLICY = """version = 1
[policy]
name = "conntrack-oracle"
[segment.inside]
cidr = ["10.20.0.0/16", "fd20::/16"]
[segment.outside]
cidr = ["10.30.0.0/16", "fd30::/16"]
[service]
out = {{ tcp = {tcp_out}, udp = {udp_out}, icmp4 = ["8", "13"], icmp6 = ["128"] }}
in = {{ tcp = {tcp_in}, udp = {udp_in}, icmp4 = ["8"], icmp6 = ["128"] }}
[[allow]]
name = "out"
from = "inside"
to = "outside"
with = ["out"]
[[allow]]
name = "in"
from = "outside"
to = "inside"
with = ["in"]
"""
# Wide enough that fragments left incomplete make room in time, narrow enough that no conversation outlasts a timeout.
BEGIN, GAP_US = 1_700_000_000, 500


class Failed(Exception):
    """`weir replay` did not answer for every packet."""


def policy(tcp_ports, udp_ports):
    """The rule file; ports are (port, allowed from inside, allowed from outside)."""
    lists = {f"{name}_{way}": str([row[0] for row in rows if row[column]])
             for name, rows in (("tcp", tcp_ports), ("udp", udp_ports)) for column, way in ((1, "out"), (2, "in"))}
    return POLICY.format(**lists)


def captures(frames):
    """The two pcap files of [(side, frame)]."""
    parts = [[struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)] for _ in range(2)]
    for index, (side, frame) in enumerate(frames):
        time = index * GAP_US
        parts[side].append(struct.pack("<IIII", BEGIN + time // 1_000_000, time % 1_000_000, len(frame), len(frame)))
        parts[side].append(frame)
    return [b"".join(rows) for rows in parts]


def ask(weir, rules, frames):
    """[(verdict, reason, rule)] of [(side, frame)]."""
    with tempfile.TemporaryDirectory(prefix="weir-conntrack-") as name:
        folder = pathlib.Path(name)
        (folder / "policy.toml").write_text(rules)
        for side, data in zip(("inside", "outside"), captures(frames)):
            (folder / f"{side}.pcap").write_bytes(data)
        command = [weir, "replay", folder / "policy.toml", "--inside", folder / "inside.pcap", "--outside",
                   folder / "outside.pcap", "--write", folder / "out"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"weir replay ends with {done.returncode}: {done.stderr.strip()}")
        with open(folder / "out" / "decisions.jsonl", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
    answers = [None] * len(frames)
    for row in rows:  # a fragment that was held has a second line: what became of it
        answers[row["index"]] = (row["verdict"], row["reason"], row["rule"] or "")
    if None in answers:
        raise Failed(f"{answers.count(None)} of {len(frames)} packets without a decision")
    return answers
