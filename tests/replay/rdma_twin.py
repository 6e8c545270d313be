#!/usr/bin/python3
"""A naive twin of the RDMA path: connection managers' talks, declared queue pairs, first use, operations and READ
credit, written down from docs/rdma.md with dictionaries and no tables, against `weir replay` on random packets of a few
hosts that mostly, and not always, follow the rules.

usage: rdma_twin.py WEIR [PACKETS [SEED]]"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools" / "capture"))
import frames  # noqa: E402
import rows  # noqa: E402

POLICY = """version = 1
[policy]
name = "twin"
[segment.trainers]
cidr = ["10.20.0.0/24"]
[segment.storage]
cidr = ["10.60.0.0/24"]
[segment.guests]
cidr = ["10.50.0.0/24"]
[asset.weights]
size = "1 TB"
held = ["storage"]
[service]
nfs = { rdma = [20049] }
grab = { rdma = [4420] }
any = { rdma = ["any"] }
[[allow]]
name = "load"
from = "trainers"
to = "storage"
with = ["nfs"]
[[allow]]
name = "grab"
from = "trainers"
to = "storage"
with = ["grab"]
operations = ["send", "read", "ack"]
[[allow]]
name = "use"
from = "guests"
to = "storage"
with = ["any"]
first_use = 3
read_credit = "1 MiB"
[[queue_pair]]
from = "10.50.0.1"
to = "10.60.0.1"
from_qp = 900
to_qp = 901
"""
INSIDE = ["10.20.0.1", "10.20.0.2", "10.50.0.1"]
OUTSIDE = ["10.60.0.1", "10.60.0.2"]
BOTH = ("send", "write", "atomic", "ack", "cnp")
ANSWERS = {"ack", "atomic-ack", "read-first", "read-middle", "read-last", "read-only"}
ROUND = 1 << 24


def operation(word):
    if word == "read":
        return "request"
    if word.startswith("read-"):
        return "response"
    return {"nak": "ack", "compare-swap": "atomic", "atomic-ack": "atomic", "fetch-add": "atomic"}.get(
        word, word.split("-")[0])


def rule_of(opener, replier, port):
    """What policy says of a connection: its allow, or None."""
    if not replier.startswith("10.60."):
        return None
    if opener.startswith("10.50."):
        return "use"
    return {20049: "load", 4420: "grab"}.get(port) if opener.startswith("10.20.") else None


def rights(rule, from_opener):
    """Who holds the weights may READ from who does not; the allow `grab` lists its own."""
    if rule == "grab":
        return {"send", "ack", "request", "response"}
    return set(BOTH) | ({"response"} if from_opener else {"request"})


class Way:
    """One direction of a queue pair."""

    def __init__(self, rule, opener, state, partner, first_use=False):
        self.rule, self.opener, self.state, self.partner, self.first_use = rule, opener, state, partner, first_use
        self.psn = self.credit = self.reads = 0


class Twin:
    def __init__(self):
        self.ways, self.talks, self.unpaired = {}, {}, []

    def open(self, rule, opener, replier, own, far, state, first_use=False):
        for name in ((opener, replier, far), (replier, opener, own)):
            if name[2] is not None and name in self.ways:
                old = self.ways.pop(name)
                self.ways.pop((name[1], name[0], old.partner), None)
        if far is not None:
            self.ways[opener, replier, far] = Way(rule, True, state, own, first_use)
        if own is not None:
            self.ways[replier, opener, own] = Way(rule, False, state, far, first_use)

    def other(self, source, target, way):
        return self.ways.get((target, source, way.partner)) if way.partner is not None else None

    def data(self, source, target, word, qp, psn, length, frame_bytes):
        way = self.ways.get((source, target, qp))
        if way is None:
            reason = self.unknown(source, target, word, qp, psn)
            if reason:
                return reason
            return "flow_new" if (said := self.known(source, target, word, qp, psn, length, frame_bytes)) == \
                "flow_established" else said
        return self.known(source, target, word, qp, psn, length, frame_bytes)

    def unknown(self, source, target, word, qp, psn):
        if {source, target} == {"10.50.0.1", "10.60.0.1"} and qp == (901 if target == "10.60.0.1" else 900):
            self.open("use", "10.50.0.1", "10.60.0.1", 900, 901, "open")
            return None
        if word in ANSWERS or word == "nak":
            for entry in self.unpaired:
                first = self.ways.get((target, source, entry[2]))
                if entry[:2] == (target, source) and first and first.partner is None and \
                        (first.psn - psn) % ROUND < 65536:
                    self.unpaired.remove(entry)
                    first.partner = qp
                    self.ways[source, target, qp] = Way(first.rule, False, "open", entry[2])
                    return None
            return "rdma_no_queue_pair"
        if rule_of(source, target, 0) != "use":
            return "rdma_no_queue_pair"
        if sum(way.first_use for (one, _, _), way in self.ways.items() if one == source) >= 3:
            return "rdma_first_use_many"
        self.open("use", source, target, None, qp, "open", True)
        self.unpaired.append((source, target, qp))
        return None

    def known(self, source, target, word, qp, psn, length, frame_bytes):
        way = self.ways[source, target, qp]
        other = self.other(source, target, way)
        if way.state == "closed":
            return "rdma_closed"
        if way.state == "announced" and not way.opener:
            return "rdma_not_ready"
        if operation(word) not in rights(way.rule, way.opener):
            return "rdma_operation"
        newer = 0 < (psn - way.psn) % ROUND < ROUND // 2
        if word == "read":
            if other is None:
                return "rdma_read_unpaired"
            each = -(-max(length, 1) // 1024)
            cost = length + each * (34 + 8 + 12 + 4 + 4) + 3
            most = 1 << 20 if way.rule == "use" else 64 << 20
            if other.credit + cost > most or (newer and other.reads == 255):
                return "rdma_read_credit"
            other.credit += cost
            other.reads += newer
        if way.state == "announced":
            way.state = "open"
            if other:
                other.state = "open"
        if newer:
            way.psn = psn
        if operation(word) == "response":
            if way.credit >= frame_bytes:
                way.credit -= frame_bytes
            if word in ("read-last", "read-only"):
                way.reads -= way.reads > 0
                if way.reads == 0:
                    way.credit = 0
        return "flow_established"

    def manager(self, source, target, word, own, to, qp, port, about):
        if word == "disconnect":
            way = self.ways.get((source, target, qp))
            if way is None:
                return "rdma_cm_state"
            for one in (way, self.other(source, target, way)):
                if one:
                    one.state = "closed"
            self.talks[source, target, own] = {"state": "closing"}
            return "rdma_connection"
        by_opener = word in ("request", "ready") or (word in ("wait", "reject") and about == 1)
        talk = self.talks.get((source, target, own) if by_opener else (target, source, to))
        if talk is None and word == "request":
            rule = rule_of(source, target, port)
            if rule is None:
                return "no_allow"
            self.talks[source, target, own] = {"state": "asked", "qp": qp, "port": port, "rule": rule}
            return "rdma_connection"
        if talk is None:
            return "rdma_cm_state"
        state = talk["state"]
        agreed = state in ("answered", "ready")
        opener, replier = (source, target) if by_opener else (target, source)
        number = own if by_opener else to
        fits = {
            "request": state in ("asked", "answered") and (qp, port) == (talk.get("qp"), talk.get("port")),
            "wait": (not by_opener and state == "asked") or (by_opener and state == "answered"),
            "reject": state == "answered" or (state == "asked" and not by_opener),
            "reply": not by_opener and (state == "asked" or (agreed and (own, qp) == talk["replier"])),
            "ready": by_opener and agreed and to == talk["replier"][0],
            "disconnected": not by_opener and state == "closing"}[word]
        if not fits:
            return "rdma_cm_state"
        if word == "reply" and state == "asked":
            talk.update(state="answered", replier=(own, qp))
            self.open(talk["rule"], opener, replier, talk["qp"], qp, "announced")
        if word in ("ready", "reject") and agreed:
            way = self.ways.get((opener, replier, talk["replier"][1]))
            for one in (way, way and self.other(opener, replier, way)):
                if one and one.state != "closed":
                    one.state = "open" if word == "ready" else "closed"
        if word == "ready":
            talk["state"] = "ready"
        if word == "reject":
            del self.talks[opener, replier, number]
        return "rdma_connection"


class World:
    def __init__(self, seed):
        self.random, self.twin, self.micros = random.Random(seed), Twin(), 1_000_000
        self.packets, self.connections = [], rows.Connections()

    def put(self, text, source, wanted):
        self.micros += self.random.choice([10, 1000])
        side = "inside" if source in INSIDE else "outside"
        self.packets.append((self.micros, side, rows.packet(f"0 {side} {text}", self.connections)[2], wanted, text))

    def hosts(self):
        one, other = self.random.choice(INSIDE), self.random.choice(OUTSIDE)
        return (one, other) if self.random.random() < 0.6 else (other, one)

    def step(self):
        (self.speak if self.random.random() < 0.35 else self.send)()

    def speak(self):
        pick = self.random.choice
        source, target = self.hosts()
        word = pick(["request"] * 4 + ["reply"] * 4 + ["ready"] * 4 + ["reject", "wait", "disconnect", "disconnected"])
        own, to, qp = self.random.randrange(1, 9), self.random.randrange(1, 9), self.random.randrange(2, 12)
        port, about = pick([20049, 20049, 4420, 4420, 22]), self.random.randrange(2)
        if self.twin.talks and self.random.random() < 0.8:
            # Goes on with a talk, mostly by who may.
            (opener, replier, number), talk = pick(list(self.twin.talks.items()))
            about = self.random.randrange(2)
            by_opener = word in ("request", "ready") or (word in ("wait", "reject") and about == 1) or \
                (word == "disconnect" and self.random.random() < 0.5)
            source, target = (opener, replier) if by_opener else (replier, opener)
            other = talk.get("replier", (own, qp))
            own, to = (number, other[0]) if by_opener else (other[0], number)
            qp = (talk.get("qp", qp) if by_opener else other[1]) if word != "disconnect" else \
                (other[1] if by_opener else talk.get("qp", qp))
            port = talk.get("port", port)
        if word == "request" and source in OUTSIDE and self.random.random() < 0.8:
            source, target = target, source
        wanted = self.twin.manager(source, target, word, own, to, qp, port, about)
        self.put(f"cm {source} > {target} {word} id={own} to={to} qp={qp} port={port} message={about}", source, wanted)

    def send(self):
        pick = self.random.choice
        source, target = self.hosts()
        qp, psn = self.random.randrange(2, 12), self.random.randrange(1000)
        if self.twin.ways and self.random.random() < 0.85:
            source, target, qp = pick(list(self.twin.ways))
            way = self.twin.ways[source, target, qp]
            psn = (way.psn + pick([1, 1, 2, 0, ROUND - 1])) % ROUND
        if self.random.random() < 0.05:
            source, target, qp = pick([("10.50.0.1", "10.60.0.1", 901), ("10.60.0.1", "10.50.0.1", 900)])
        word = pick(["send-only", "write-only", "read", "read", "read-only", "read-first", "read-middle", "read-last",
                     "ack", "ack", "nak", "cnp", "compare-swap", "atomic-ack"])
        if (source, target, qp) not in self.twin.ways and word in ANSWERS | {"nak"} and self.twin.unpaired:
            opener, replier, first = pick(self.twin.unpaired)
            if (opener, replier, first) in self.twin.ways:
                source, target = replier, opener
                psn = (self.twin.ways[opener, replier, first].psn - pick([0, 1, 70000])) % ROUND
        if (source, target, qp) not in self.twin.ways and word not in ANSWERS | {"nak"}:
            psn = qp * 1_000_000  # so that no two unpaired ones have like numbers
        size = 256 if word in ("read-first", "read-middle") else pick([1, 64]) if word not in (
            "read", "ack", "nak", "cnp", "compare-swap", "atomic-ack") else 0
        length = pick([0, 1, 1024, 5000, 300_000, 2_000_000])
        at = len(self.packets)
        text = f"rdma {source} > {target} {word} qp={qp} psn={psn} size={size}"
        text += f" length={length}" if word == "read" else ""
        self.put(text, source, None)
        frame = self.packets[at][2]
        wanted = self.twin.data(source, target, word, qp, psn, length, len(frame))
        self.packets[at] = (*self.packets[at][:3], wanted, text)


def judge(weir, world):
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        (place / "policy.toml").write_text(POLICY)
        for side in ("inside", "outside"):
            (place / f"{side}.pcap").write_bytes(frames.pcap(
                [(at, frame, len(frame)) for at, where, frame, *_ in world.packets if where == side]))
        command = [weir, "replay", place / "policy.toml", "--inside", place / "inside.pcap", "--outside",
                   place / "outside.pcap", "--write", place / "out"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            sys.exit(f"weir replay: {ran.stderr}")
        return [json.loads(line)["reason"] for line in (place / "out" / "decisions.jsonl").read_text().splitlines()]


def main(weir, packets, seed):
    world = World(seed)
    for _ in range(packets):
        world.step()
    got = judge(weir, world)
    seen = {}
    for index, (packet, reason) in enumerate(zip(world.packets, got)):
        seen[reason] = seen.get(reason, 0) + 1
        if reason != packet[3]:
            for earlier in world.packets[max(0, index - 30):index + 1]:
                print(f"  {earlier[4]} -> {earlier[3]}", file=sys.stderr)
            sys.exit(f"packet {index} (seed {seed}): the twin says {packet[3]}, Weir says {reason}")
    counts = ", ".join(f"{name} {count}" for name, count in sorted(seen.items()))
    print(f"{len(got)} packets, as the twin says: {counts}")
    return 0 if len(got) == packets else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 6000,
                  int(sys.argv[3]) if len(sys.argv) > 3 else 5))
