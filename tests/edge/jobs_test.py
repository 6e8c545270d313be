#!/usr/bin/env python3
"""Jobs over the door of running dataplanes: members, alarms, and lessons from one instance to another. The dataplanes
read captures from pipes, so that time stands still while the door is asked.

usage: jobs_test.py DATAPLANE WEIR TESTS"""
import json
import os
import pathlib
import sys
import time

import dataplane

sys.path[:0] = [str(pathlib.Path(sys.argv[3]) / "replay"), str(pathlib.Path(sys.argv[3]) / "property"),
                str(pathlib.Path(sys.argv[3]).parent / "tools" / "capture")]
import nccl_built  # noqa: E402
import nccl_lessons  # noqa: E402

POLICY = """version = 1
policy.name = "jobs"
segment.trainers.cidr = ["10.20.0.0/16", "fd00:20::/32"]
segment.others.cidr = ["10.30.0.0/16"]
service.nccl = { tcp = ["20000-29999"], rdma = ["nccl"] }
[[allow]]
name = "ring"
from = "trainers"
to = "trainers"
with = ["nccl"]
[job.pretrain]
members = ["trainers"]
tag = "0x0123456789abcdef"
seal_after = "1h"
burst = "100 kB"
window = "60s"
ratio = 4
[job.apart]
members = ["others"]
"""


FILLING, FILLER = b"\0" * 60, "mac_source_invalid"


class Instance:
    """A dataplane whose captures are pipes: what is sent is read before the door is asked."""

    def __init__(self, folder, name, keys):
        self.folder, self.name, self.micros = folder, name, 1_000_000
        arguments = ["--pair", "inside=net_pcap0,outside=net_pcap1", "--door", name, "--policy", "job.img",
                     "--decisions", f"{name}.jsonl"]
        for job, file in keys:
            arguments += ["--job-key", f"{job}={file}"]
        devices = []
        for index, side in enumerate(("inside", "outside")):
            os.mkfifo(folder.file(f"{name}.{side}"), 0o666)
            os.chmod(folder.file(f"{name}.{side}"), 0o666)
            devices.append(f"net_pcap{index},rx_pcap={name}.{side},tx_pcap={name}.{side}.out")
        self.run = folder.start(arguments, devices, workers=2)
        self.pipes = {}
        for side in ("inside", "outside"):
            self.pipes[side] = open(folder.file(f"{name}.{side}"), "wb", buffering=0)
            self.pipes[side].write(dataplane.pcap([]))
        self.run.wait_for("their time is the clock")
        self.sent = 0

    def send(self, packets):
        """(side, frame) in order. Captures are read by the burst, and one side waits for the other: so fill both."""
        for side, frame in [*packets, *[("inside", FILLING)] * 100]:
            self.micros += 10
            self.pipes[side].write(dataplane.pcap([(self.micros, frame)])[24:])
            other = "outside" if side == "inside" else "inside"
            self.pipes[other].write(dataplane.pcap([(self.micros, FILLING)])[24:])
        self.sent += len(packets)

    def ask(self, *arguments):
        ended = self.folder.call("weir", *arguments)
        return ended.returncode, ended.stdout, ended.stderr

    def job(self, act, *arguments):
        return self.ask("job", self.name, act, "pretrain", *arguments)

    def wait_received(self):
        """Until all that was sent is judged, but for what fills."""
        for _ in range(400):
            code, out, err = self.ask("door", self.name, "status", "-o", "json")
            assert code == 0, err
            judged = [reason for one in json.loads(out)["workers"] for reason in one["reasons"].items()]
            if sum(count["packets"] for name, count in judged if name != FILLER) == self.sent:
                return json.loads(out)
            time.sleep(0.02)
        raise AssertionError(f"{self.sent} sent: {out}\n{self.run.said()}")

    def end(self):
        for pipe in self.pipes.values():
            pipe.close()
        code, said = self.run.end()
        assert code == 0, said
        return [one for one in dataplane.decisions_of(self.folder.read(f"{self.name}.jsonl"))
                if one["reason"] != FILLER]


def handshake(tag, turn):
    capture = nccl_lessons.Capture()
    nccl_lessons.generator.seed(turn)
    told = []
    while not told:
        capture = nccl_lessons.Capture()
        told = nccl_lessons.distinct(nccl_lessons.spoken(capture, list(nccl_built.LAYOUTS)[-1], tag, False), set())
    return [(side, frame) for _, side, frame, _ in capture.packets], told


def data(pairs):
    capture = nccl_lessons.Capture()
    nccl_lessons.use(capture, pairs, True)
    return [(side, frame) for _, side, frame, _ in capture.packets], [wanted for *_, wanted in capture.packets]


def of_rows(*texts):
    capture = nccl_lessons.Capture()
    for text in texts:
        side, _, row = text.partition(" ")
        capture.row(row, side, None)
    return [(side, frame) for _, side, frame, _ in capture.packets]


def compiled(folder, policy):
    folder.write("job.toml", policy.encode())
    made = folder.call("weir", "compile", "job.toml", "-o", "job.img", "--generation", "7")
    assert made.returncode == 0, made


def teaching(folder):
    compiled(folder, POLICY)
    for name in ("key", "other.key"):
        os.chmod(folder.write(name, os.urandom(32)), 0o600)
    teacher = Instance(folder, "teacher", [("pretrain", "key"), ("apart", "key")])
    pupil = Instance(folder, "pupil", [("pretrain", "key")])
    stranger = Instance(folder, "stranger", [("pretrain", "other.key")])
    try:
        packets, told = handshake(nccl_lessons.TAG, 1)
        teacher.send(packets)
        teacher.wait_received()
        code, out, err = teacher.job("export", "lessons", "-o", "json")
        assert code == 0 and json.loads(out)["queue_pairs"] >= len(told) > 0, (out, err, told)
        pupil.send([])
        frames, wanted = data(told)
        refused(folder, teacher, pupil, stranger)
        code, out, err = pupil.job("import", "lessons", "-o", "json")
        assert code == 0 and json.loads(out)["queue_pairs"] >= len(told), (out, err)
        code, _, err = pupil.job("import", "lessons")
        assert code == 1 and "taken before" in err, err
        pupil.send(frames)
        stranger.send(frames)
        pupil.wait_received(), stranger.wait_received()
        said_of_members(pupil, told)
        assert pupil.job("export", "later")[0] == 0 and teacher.job("import", "later")[0] == 0
        assert teacher.job("seal")[0] == 0 and pupil.job("export", "later")[0] == 0
        code, _, err = teacher.job("import", "later")
        assert code == 1 and "sealed" in err, err
        got = [(one["verdict"], one["reason"]) for one in pupil.end()]
        assert got == wanted, (got, wanted)
        assert {one["verdict"] for one in stranger.end()} == {"drop"}
        teacher.end()
    finally:
        for one in (teacher, pupil, stranger):
            one.run.kill()


def refused(folder, teacher, pupil, stranger):
    """What nobody made, or somebody else, or of another job, or with a bit turned, teaches nothing."""
    good = folder.read("lessons")
    for position in (0, 40, 70, len(good) // 2, len(good) - 1):
        bad = bytearray(good)
        bad[position] ^= 1
        folder.write("bad", bytes(bad))
        code, _, err = pupil.job("import", "bad")
        assert code == 1 and "tag" in err, err
    for cut in (0, 100, len(good) - 1):
        folder.write("bad", good[:cut])
        assert pupil.job("import", "bad")[0] == 1
    code, _, err = stranger.job("import", "lessons")
    assert code == 1 and "key" in err, err
    code, _, err = teacher.ask("job", "teacher", "import", "apart", "lessons")
    assert code == 1 and "of job `pretrain`" in err, err
    code, _, err = pupil.ask("job", "pupil", "import", "apart", "lessons")
    assert code == 1 and "--job-key" in err, err
    assert pupil.ask("job", "pupil", "import", "nobody", "lessons")[0] == 1


def said_of_members(pupil, told):
    code, out, _ = pupil.job("members", "-o", "json")
    facts = json.loads(out)
    assert code == 0 and facts["state"] == "open" and facts["seals_in_s"] > 3500, facts
    members = {frozenset((one["one"], one["other"])): one["queue_pairs"] for one in facts["members"]}
    for client, _, server, _ in told:
        assert members[frozenset((client, server))] >= 1, (members, client, server)
    assert sum(members.values()) == len(told) and facts["not_named"] == 0, facts
    code, out, _ = pupil.job("members")
    assert code == 0 and "job pretrain: open" in out, out


def alarms(folder):
    """Packets for queue pairs that nobody knows, refusals, and a copy that goes one way, are told."""
    compiled(folder, POLICY.replace('with = ["nccl"]', 'with = ["nccl"]\nfirst_use = 9'))
    one = Instance(folder, "watched", [])
    try:
        first = of_rows("inside rdma 10.20.0.7 > 10.20.0.8 write-only qp=34 psn=1 size=64",
                        "outside rdma 10.20.0.8 > 10.20.0.7 ack qp=17 psn=1")
        unknown = of_rows("outside rdma 10.30.0.1 > 10.20.0.7 write-only qp=99 psn=1 size=64")
        refusals = of_rows("outside rdma 10.20.0.8 > 10.20.0.7 nak qp=17 psn=1 syndrome=0x62")
        one.send(first + unknown * 150 + refusals * 20)
        one.wait_received()
        code, out, err = one.ask("door", "watched", "alarms", "-o", "json")
        assert code == 0, err
        found = {(row["source"], row["target"]): row for row in json.loads(out)["alarms"]}
        assert found["10.20.0.7", "10.20.0.8"]["counts"]["refused"] == 20, found
        assert found["10.20.0.7", "10.20.0.8"]["told"] == ["refused"], found
        assert found["10.30.0.1", "10.20.0.7"]["told"] == ["unknown"], found
        assert found["10.30.0.1", None]["counts"]["unknown"] == 150 and not found["10.30.0.1", None]["told"], found
        assert "(told)" in one.ask("door", "watched", "alarms")[1]
        # While the job starts up a copy is its habit; once it is sealed the other way is told.
        copy = of_rows("inside rdma 10.20.0.7 > 10.20.0.8 write-only qp=34 psn=2 size=1024")
        back = of_rows("outside rdma 10.20.0.8 > 10.20.0.7 write-only qp=17 psn=2 size=1024")
        one.send(copy * 120)
        counted = one.wait_received()
        assert sum(worker["rdma_alarms"] for worker in counted["workers"]) == 2, counted
        assert sum(worker["job_alarms"] for worker in counted["workers"]) == 0, counted
        assert one.job("seal")[0] == 0
        one.micros += 60_000_000
        one.send(copy * 120)
        one.micros += 60_000_000
        one.send(back * 240)
        counted = one.wait_received()
        assert sum(worker["job_alarms"] for worker in counted["workers"]) == 1, counted
        code, out, _ = one.job("members", "-o", "json")
        facts = json.loads(out)
        assert facts["state"] == "sealed" and facts["members"][0]["queue_pairs"] == 1, facts
        one.end()
    finally:
        one.run.kill()


def main():
    with dataplane.Folder(dataplane=sys.argv[1], weir=sys.argv[2]) as folder:
        for case in (teaching, alarms):
            case(folder)
            print("ok   ", case.__name__)


main()
