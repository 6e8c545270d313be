#!/usr/bin/python3
"""A thief with every host that holds the weights, and the policy of the GPU cluster with budgets: everything that any
allow lets go to a lower class, dialled from either side, at once and for more than a day. What leaves, replayed by the
real engine, is in no hour and in no day more than `weir bound` says, for each exit and for all; and is near to what the
budgets let leave, or the plan would show nothing. Amounts are those of a cluster, divided by 10,000.

usage: thief.py WEIR"""
import collections
import ipaddress
import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tools" / "capture"))
import frames  # noqa: E402

CLASSES = {"trainers": "secret", "checkpoints": "secret", "inference": "secret", "shards": "restricted",
           "gateway": "internal", "bastion": "internal", "ci": "internal", "mirrors": "internal", "infra": "internal",
           "internet": "public"}
BUDGETS = """
[asset.weights]
size = "160 MB"
held = ["trainers", "checkpoints", "inference"]
compression = 1
"""
for name, source, target, windows, exceeded in (
        ("shard-writes", "trainers", "shards", {"1d": "1 MB"}, "deny"),
        ("public-answers", "gateway", "internet", {"1d": "200 MB"}, "alert"),
        ("answers", "inference", "gateway", {"1h": "2 MB", "1d": "15 MB"}, "throttle 100 bit/s"),
        ("shell-bytes", "weights", "bastion", {"1d": "50 kB"}, "deny"),
        ("mirror-uploads", "weights", "mirrors", {"1d": "2 MB"}, "deny"),
        ("telemetry", "weights", "infra", {"1d": "2 MB"}, "throttle 26 bit/s")):
    stated = ", ".join(f'"{length}" = "{amount}"' for length, amount in windows.items())
    BUDGETS += (f'[[budget]]\nname = "{name}"\nfrom = "{source}"\nto = "{target}"\nwindows = {{ {stated} }}\n'
                f'on_exceed = "{exceeded}"\n')

# Who, to which exit, over which service and port, and whether the thief dials.
TRAINER, CHECKPOINT, SERVER = "10.20.0.7", "10.31.0.5", "10.40.0.9"
WAYS = [(TRAINER, "10.30.0.8", "tcp", 2049, True), (TRAINER, "10.30.0.9", "tcp", 9000, True),
        (TRAINER, "10.61.0.3", "tcp", 443, True), (SERVER, "10.61.0.3", "tcp", 443, True),
        (SERVER, "10.41.0.4", "tcp", 8443, False),
        *((holder, "10.50.0.17", "tcp", 22, False) for holder in (TRAINER, CHECKPOINT)),
        *((holder, "10.62.0.2", "tcp", 9100, False) for holder in (TRAINER, CHECKPOINT, SERVER)),
        *((holder, "10.62.0.2", "udp", 53, True) for holder in (TRAINER, CHECKPOINT, SERVER)),
        *((holder, "10.62.0.2", "udp", 123, True) for holder in (TRAINER, SERVER))]
EXITS = {"10.30.0.0/20": "shards", "10.61.0.0/28": "mirrors", "10.41.0.0/26": "gateway", "10.50.0.16/29": "bastion",
         "10.62.0.0/24": "infra"}
BEGAN, HOURS, TURN_S, PAYLOAD = 1_700_000_000, 26, 600, 20_000
SCALE_14 = b"\x03\x03\x0e\x00"


def policy(folder):
    """The example, its segments classed, known by address alone, with budgets."""
    source = ROOT / "rules" / "examples" / "gpu-cluster"
    text = (source / "policy.toml").read_text()
    text = re.sub(r"(?m)^attach *=.*\n", "", text)
    text = re.sub(r"(?ms)^\[(port\.|link).*?\n\n", "", text)  # what [link] lets go would be more than all budgets
    text = re.sub(r"(?ms)^\[\[test\]\].*?(?=^\[\[|\Z)", "", text)
    text = re.sub(r"(?m)^(\[segment\.(\w+)\].*)$", lambda row: f'{row[1]}\nclass = "{CLASSES[row[2]]}"', text)
    (folder / "teams").mkdir()
    for team in (source / "teams").iterdir():
        (folder / "teams" / team.name).write_text(team.read_text())
    path = folder / "policy.toml"
    path.write_text(text + BUDGETS)
    return path


class Way:
    """One conversation; each turn says more."""

    def __init__(self, number, source, target, protocol, port, dials):
        self.source, self.target = ipaddress.ip_address(source), ipaddress.ip_address(target)
        self.tcp, own = protocol == "tcp", 30_000 + number
        self.ports = (own, port) if dials else (port, own)
        self.dials, self.next = dials, 1001

    def segment(self, outward, flags, sequence, acknowledged, payload=b"", options=b""):
        ends = (self.source, self.target) if outward else (self.target, self.source)
        ports = self.ports if outward else self.ports[::-1]
        transport = (frames.tcp(*ends, *ports, flags, sequence, acknowledged, payload, options, 65535) if self.tcp
                     else frames.udp(*ends, *ports, payload))
        packet = frames.ipv4(*ends, frames.TCP if self.tcp else frames.UDP, transport)
        return frames.ethernet(frames.mac_of(ends[0]), frames.mac_of(ends[1]), 0x0800, packet)

    def begin(self):
        """(outward, frame) of the handshake."""
        if not self.tcp:
            return []
        out = self.dials
        first, second = (1000, 5000) if out else (5000, 1000)
        return [(out, self.segment(out, "S", first, 0, options=SCALE_14)),
                (not out, self.segment(not out, "SA", second, first + 1, options=SCALE_14)),
                (out, self.segment(out, "A", first + 1, second + 1)),
                (False, self.segment(False, "A", 5001, 1001))]  # the accomplice's window: a gigabyte

    def say(self):
        frame = self.segment(True, "A", self.next, 5001, bytes(PAYLOAD))
        self.next += PAYLOAD
        return frame


def offered():
    """Frames by time: {outward: [(us, frame, bytes)]}."""
    sides, ways = {True: [], False: []}, [Way(number, *way) for number, way in enumerate(WAYS)]
    us = BEGAN * 1_000_000
    for way in ways:
        for outward, frame in way.begin():
            us += 100
            sides[outward].append((us, frame, len(frame)))
    for turn in range(HOURS * 3600 // TURN_S):
        us = (BEGAN + 1 + turn * TURN_S) * 1_000_000
        for round_ in range(110 if turn == 0 else 20):  # greedy at first, then whatever the windows let go
            for way in ways:
                if turn != 0 and round_ >= 2 and way.ports[0] != 8443:
                    continue  # no window but the gateway's is shorter than a day
                us += 10
                frame = way.say()
                sides[True].append((us, frame, len(frame)))
    return sides


def most_in(events, length_s):
    """The most bytes in any interval of that length."""
    most = held = first = 0
    for time, size in events:
        held += size
        while events[first][0] + length_s * 1_000_000 < time:
            held -= events[first][1]
            first += 1
        most = max(most, held)
    return most


def left_by(path):
    events = collections.defaultdict(list)
    networks = {ipaddress.ip_network(prefix): name for prefix, name in EXITS.items()}
    data, at = path.read_bytes(), 24
    while at < len(data):
        seconds, micros, kept, size = struct.unpack_from("<IIII", data, at)
        target = ipaddress.ip_address(data[at + 16 + 30:at + 16 + 34])
        name = next(name for network, name in networks.items() if target in network)
        events[name].append((seconds * 1_000_000 + micros, size))
        at += 16 + kept
    return events


def main():
    weir = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        rules = policy(folder)
        said = subprocess.run([weir, "bound", rules, "-o", "json"], capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stderr
        asset = json.loads(said.stdout)["assets"][0]
        bounds = {"all exits": asset["whole"]["bytes"],
                  **{row["exit"]: row["bytes"] for row in asset["exits"] if row["holder"] is None}}
        sides = offered()
        (folder / "inside.pcap").write_bytes(frames.pcap(sides[True]))
        (folder / "outside.pcap").write_bytes(frames.pcap(sides[False]))
        ran = subprocess.run([weir, "replay", rules, "--inside", folder / "inside.pcap", "--outside",
                              folder / "outside.pcap", "--write", folder / "left"],
                             capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        events = left_by(folder / "left" / "outside.pcap")
    events["all exits"] = sorted(event for some in list(events.values()) for event in some)
    total = sum(size for _, _, size in sides[True])
    print(f"offered {total:,} bytes in {HOURS} hours")
    for name, some in events.items():
        for label, length_s in (("1h", 3600), ("1d", 86_400)):
            most, bound = most_in(some, length_s), bounds[name][label]
            print(f"  {name}, {label}: {most:,} of {bound:,} ({most / bound:.3f})")
            assert most <= bound, f"{name}: {most} bytes left in {label}, and the bound is {bound}"
    assert most_in(events["all exits"], 86_400) > 0.9 * bounds["all exits"]["1d"], "a poor thief"
    assert set(events) == {"all exits", *EXITS.values()}, "a way that the thief did not find"


main()
