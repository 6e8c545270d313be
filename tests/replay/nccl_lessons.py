#!/usr/bin/python3
"""NCCL's handshakes, built by the C rules of each version (tests/property/nccl_built.py), pass through `weir replay` as
TCP conversations cut at random, with segments early and twice; afterwards exactly the queue pairs that they name are
open, for the hosts that they name, in both directions; a job's tag and its seal are kept. Likewise in a VLAN. One that
contradicts itself teaches nothing.

usage: nccl_lessons.py WEIR [ROUNDS]"""
import ipaddress
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "property"))
import nccl_built  # noqa: E402
from judged import Capture, Talk, compare  # noqa: E402

POLICY = """version = 1
[policy]
name = "nccl"
[segment.trainers]
cidr = ["10.20.0.0/16", "fd00:20::/32"]
[segment.others]
cidr = ["10.30.0.0/16"]
[service]
nccl = { tcp = ["20000-29999"], rdma = ["nccl"] }
[[allow]]
name = "collectives"
from = "trainers"
to = "trainers"
with = ["nccl"]
"""
JOB = """[job.pretrain]
members = ["trainers"]
transport = ["nccl"]
tag = "0x0123456789abcdef"
seal_after = "30s"
"""
TAG = 0x0123456789ABCDEF
generator = random.Random(4791)


def member():
    if generator.random() < 0.7:
        return ipaddress.IPv4Address(0x0A140000 + generator.randrange(1, 2**16))
    return ipaddress.IPv6Address(f"fd00:20::{generator.randrange(1, 65536):x}")


class Conversation(Talk):
    def tell(self, by, stream, tricks):
        passes = ("forward", "flow_established")
        while stream:
            size = min(len(stream), self.generator.choice([1, 7, 24, 500, 1400]))
            now, stream = stream[:size], stream[size:]
            if tricks and len(stream) > 100 and self.generator.random() < 0.1:  # its last words may be padding
                self.send(by, "PA", stream[:100], ("drop", "stream_ahead"), at=self.next[by] + size & 0xFFFFFFFF)
            self.send(by, "PA", now, passes)
            if tricks and self.generator.random() < 0.1:
                self.send(by, "PA", now, passes)
            self.next[by] = self.next[by] + size & 0xFFFFFFFF


def spoken(capture, layout, magic, tricks, vlans=(), contradicts=False):
    """A handshake; returns the pairs (client address, number, server address, number)."""
    nccl_built.address = member
    ends, told, hello = nccl_built.connection(layout, magic)
    streams = [hello + ends[0].stream(layout, told[0]), ends[1].stream(layout, told[1])]
    wanted = nccl_built.expected(layout, ends, magic, 4).split()[5:]
    port = generator.randrange(30000, 60000)
    talk = Conversation(capture, ipaddress.ip_address(f"10.20.9.{generator.randrange(1, 99)}"),
                        ipaddress.ip_address(f"10.20.8.{generator.randrange(1, 99)}"), (port, 20000 + port % 10000),
                        generator, vlans)
    if contradicts:
        first, streams[0] = streams[0][:7], streams[0][7:]
        talk.send(0, "PA", streams[0][:20], ("drop", "stream_ahead"), at=talk.next[0] + 7 & 0xFFFFFFFF)
        talk.tell(0, first[:5], False)
        talk.send(0, "PA", bytes([first[0] ^ 1]) + first[1:5], ("drop", "stream_differs"),
                  at=talk.next[0] - 5 & 0xFFFFFFFF)
        talk.tell(0, first[5:], False)
    talk.tell(0, streams[0][:4096], tricks)
    talk.tell(1, streams[1][:4096], tricks)
    pairs = []
    for word in wanted:
        one, _, other = word.rsplit(":", 1)[0].partition("-")
        client, server = one.rsplit("/", 1), other.rsplit("/", 1)
        pairs.append((client[0], int(client[1]), server[0], int(server[1])))
    return pairs


def families_agree(pair):
    return ipaddress.ip_address(pair[0]).version == ipaddress.ip_address(pair[2]).version and pair[0] != pair[2]


def use(capture, pairs, opens, place=""):
    new, known = (("forward", "flow_new"), ("forward", "flow_established")) if opens else (opens_not, opens_not)
    for client, own, server, far in pairs:
        capture.row(f"rdma {client} > {server} write-only qp={far} psn=1 size=64{place}", "inside", new)
        capture.row(f"rdma {server} > {client} ack qp={own} psn=1{place}", "outside", known)
        capture.row(f"rdma {client} > {server} read qp={far} psn=2 length=64{place}", "inside", known)
        capture.row(f"rdma {client} > {server} write-only qp={(far + 7919) % 2**24 or 5} psn=1{place}", "inside",
                    ("drop", "rdma_no_queue_pair"))


opens_not = ("drop", "rdma_no_queue_pair")


def distinct(pairs, seen):
    """Those whose numbers no other pair of the capture has: a number that is used twice tells nothing."""
    fresh = [pair for pair in pairs if families_agree(pair)]
    names = [(a, c, d) for a, _, c, d in fresh] + [(c, a, b) for a, b, c, _ in fresh]
    if len(set(names)) != len(names) or seen & set(names):
        return []
    seen |= set(names)
    return fresh[:12]


def main(weir, rounds):
    wrong = packets = opened = 0
    for layout in nccl_built.LAYOUTS:
        for turn in range(rounds):
            capture, seen = Capture(), set()
            for _ in range(3):
                told = distinct(spoken(capture, layout, nccl_built.MAGIC, turn % 2 == 1), seen)
                opened += len(told)
                use(capture, told, True)
            wrong += compare(f"{layout} round {turn}", capture, capture.judge(weir, POLICY))
            packets += len(capture.packets)
        capture, seen = Capture(), set()
        for vlans in ((7,), (7, 9)):
            told = distinct(spoken(capture, layout, nccl_built.MAGIC, True, vlans), seen)
            opened += len(told)
            use(capture, told, True, " vlan=" + ",".join(map(str, vlans)))
        use(capture, distinct(spoken(capture, layout, nccl_built.MAGIC, False, contradicts=True), seen), False)
        wrong += compare(f"{layout} in VLANs", capture, capture.judge(weir, POLICY))
        packets += len(capture.packets)
        capture = Capture()
        told = []
        while not told:  # ends of two families have no pairs
            told = distinct(spoken(capture, layout, TAG, False), set())
        use(capture, told, True)
        other = distinct(spoken(capture, layout, nccl_built.MAGIC, False), set())
        use(capture, other, False)
        capture.micros += 31_000_000
        late = distinct(spoken(capture, layout, TAG, False), set())
        for client, _, server, far in late:
            capture.row(f"rdma {client} > {server} write-only qp={far} psn=1 size=64", "inside", ("drop", "job_sealed"))
        wrong += compare(f"{layout} job", capture, capture.judge(weir, POLICY + JOB))
        packets += len(capture.packets)
    print(f"{packets} packets, {opened} queue pairs learned, {wrong} not as they should be")
    return 1 if wrong or opened < 20 * rounds else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2))
