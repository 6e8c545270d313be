"""Conversations of one's own making through `weir replay`, each frame with what must become of it. For tests whose
packets follow from chance or from what was decided before; scenarios (scenario.py) are those that a person writes."""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools" / "capture"))
import frames  # noqa: E402
import rows  # noqa: E402


class Capture:
    """Frames of both sides, in order, with what must become of each: (verdict, reason), or None where either may."""

    def __init__(self):
        self.packets, self.micros, self.connections = [], 1_000_000, rows.Connections()

    def frame(self, side, frame, wanted):
        self.micros += 100
        self.packets.append((self.micros, side, frame, wanted))

    def row(self, text, side, wanted):
        _, _, frame, _ = rows.packet(f"0 {side} {text}", self.connections)
        self.frame(side, frame, wanted)

    def judge(self, weir, policy, *more):
        with tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(folder)
            (place / "policy.toml").write_text(policy)
            arguments = [weir, "replay", str(place / "policy.toml"), "--write", str(place / "out"), *more]
            for side in ("inside", "outside"):
                path = place / f"{side}.pcap"
                path.write_bytes(frames.pcap([(at, frame, len(frame)) for at, where, frame, _ in self.packets
                                              if where == side]))
                arguments += [f"--{side}", str(path)]
            ran = subprocess.run(arguments, capture_output=True, text=True, check=False)
            if ran.returncode != 0:
                sys.exit(f"weir replay: {ran.stderr}")
            lines = (place / "out" / "decisions.jsonl").read_text().splitlines()
            return [json.loads(line) for line in lines]


class Talk:
    """One TCP connection: the client inside, the server outside."""

    def __init__(self, capture, client, server, ports, generator, vlans=()):
        self.vlans = vlans
        self.capture, self.ends, self.ports, self.generator = capture, (client, server), ports, generator
        self.next = [generator.randrange(2**32), generator.randrange(2**32)]
        self.send(0, "S", b"", ("forward", "flow_new"))
        self.next[0] += 1
        self.send(1, "SA", b"", ("forward", "flow_established"))
        self.next[1] += 1
        self.send(0, "A", b"", ("forward", "flow_established"))

    def send(self, by, flags, data, wanted, at=None):
        source, target = self.ends[by], self.ends[by ^ 1]
        segment = frames.tcp(source, target, self.ports[by], self.ports[by ^ 1], flags,
                             self.next[by] if at is None else at, self.next[by ^ 1] if "A" in flags else 0, data)
        packet = (frames.ipv4 if source.version == 4 else frames.ipv6)(source, target, frames.TCP, segment)
        self.capture.frame(("inside", "outside")[by],
                           frames.ethernet(frames.mac_of(source), frames.mac_of(target),
                                           frames.ETHERTYPE[source.version], packet, self.vlans), wanted)


def compare(name, capture, decided):
    wrong = 0
    for (at, side, _, wanted), got in zip(capture.packets, decided):
        if wanted is not None and (got["verdict"], got["reason"]) != wanted:
            wrong += 1
            if wrong < 6:
                print(f"{name}: {at} {side}: wanted {wanted}, got {got['verdict']} {got['reason']}", file=sys.stderr)
    return wrong
