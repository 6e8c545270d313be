#!/usr/bin/env python3
"""The door of a running dataplane: what is installed, what is refused and changes nothing, what garbage does (nothing),
who may come in, and that flush empties the tables.

usage: door_test.py DATAPLANE MAKE_IMAGE WEIR"""
import array
import json
import os
import random
import socket
import stat
import struct
import subprocess
import sys

import dataplane
from dataplane import frame, pcap

REQUEST = struct.Struct("<IHHII64sQ")
ANSWER_BYTES = 1808
MAGIC, VERSION = 0x524F4F44, 10
INSTALL, STATUS, FLUSH, SEAL, OPEN = 1, 2, 3, 4, 5
DONE, MALFORMED, REFUSED = 0, 1, 2


class Door:
    def __init__(self, folder):
        self.path = folder.file("door")
        self.connect()

    def connect(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Blocking, as any client's: others may be waiting to be accepted, and a timeout of Python's would not wait.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 20, 0))
        self.socket.connect(self.path)
        self.socket.settimeout(20)

    def ask(self, message, descriptors=()):
        """(result, generation, text) of the answer, None when the connection was closed instead."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        try:
            self.socket.sendmsg([message], rights)
            answer = self.socket.recv(4096)
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
        if not answer:
            self.connect()
            return None
        assert len(answer) == ANSWER_BYTES, len(answer)
        magic, version, result, generation = struct.unpack_from("<IHHQ", answer)
        assert (magic, version) == (MAGIC, VERSION)
        section, sentence = (text.split(b"\0")[0].decode() for text in (answer[112:176], answer[176:]))
        return result, generation, f"{section}: {sentence}"

    def install(self, data, force=0):
        descriptor = os.memfd_create("image")
        os.write(descriptor, data)
        try:
            return self.ask(REQUEST.pack(MAGIC, VERSION, INSTALL, force, 0, b"", 0), [descriptor])
        finally:
            os.close(descriptor)


def image(folder, side, generation):
    assert folder.call("make_image", side, generation, "made.img").returncode == 0
    return folder.read("made.img")


def installs_and_refusals(folder, door):
    assert door.install(image(folder, "a", 5))[:2] == (DONE, 5)
    assert door.install(image(folder, "b", 6))[:2] == (DONE, 6)
    good = image(folder, "a", 7)
    for position in random.Random(1).sample(range(len(good)), 300):
        bad = bytearray(good)
        bad[position] ^= 0x10
        assert door.install(bytes(bad))[:2] == (REFUSED, 6), position
    for cut in (0, 1, 63, 64, len(good) - 64, len(good) - 1):
        result, generation, why = door.install(good[:cut])
        assert (result, generation) == (REFUSED, 6) and len(why) > 4, cut
    result, generation, why = door.install(image(folder, "a", 6))
    assert (result, generation) == (REFUSED, 6) and "is not above 6" in why, why
    assert door.install(image(folder, "a", 6), force=1)[:2] == (REFUSED, 6), "flows would not notice the change"
    result, generation, why = door.install(image(folder, "a", 4))
    assert (result, generation) == (REFUSED, 6) and "--force" in why, why
    assert door.install(image(folder, "a", 4), force=1)[:2] == (DONE, 4)
    assert door.install(image(folder, "b", 6))[:2] == (DONE, 6)


def descriptors_of_all_kinds(folder, door):
    install = REQUEST.pack(MAGIC, VERSION, INSTALL, 0, 0, b"", 0)
    pipe_ends = os.pipe()
    directory = os.open(folder.path, os.O_RDONLY)
    zero = os.open("/dev/zero", os.O_RDONLY)
    listening = socket.socket(socket.AF_UNIX)
    huge = os.memfd_create("huge")
    os.ftruncate(huge, 5 << 30)
    empty = os.memfd_create("empty")
    for given in ([], [pipe_ends[0]], [pipe_ends[1]], [directory], [zero], [listening.fileno()], [huge], [empty],
                  [empty, empty], [empty] * 4, [empty] * 200):
        for _ in range(20):
            answer = door.ask(install, given)
            assert answer is None or answer[0] in (REFUSED, MALFORMED), answer
    for descriptor in (*pipe_ends, directory, zero, huge, empty):
        os.close(descriptor)
    listening.close()


def garbage(_, door):
    chance = random.Random(2)
    for _ in range(2000):
        data = bytearray(REQUEST.pack(MAGIC, VERSION, chance.choice((INSTALL, STATUS, FLUSH)), 0, 0, b"", 0))
        if chance.random() < 0.5:
            data = bytearray(chance.randbytes(chance.choice((0, 1, 79, 80, 81, 87, 89, 64, 5000))))
        else:
            data[chance.randrange(8)] ^= 1 << chance.randrange(8)
        was = bytes(data)
        if REQUEST.size == len(was) and REQUEST.unpack(was)[:2] == (MAGIC, VERSION) and REQUEST.unpack(was)[2] < 32:
            continue
        answer = door.ask(was)
        assert answer is None or answer[0] in (MALFORMED, REFUSED), (was, answer)
    idle = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(20)]
    for silent in idle:
        silent.connect(door.path)
    door.connect()
    assert door.ask(REQUEST.pack(MAGIC, VERSION, FLUSH, 0, 0, b"", 0))[0] == DONE, "silent clients stand in the way"
    for silent in idle:
        silent.close()


def the_command(folder, _):
    status = folder.call("weir", "door", "door", "status", "-o", "json")
    facts = json.loads(status.stdout)
    assert status.returncode == 0 and facts["generation"] == 6 and facts["policy"] == "flip-b", status
    assert len(facts["workers"]) == 2
    for worker in facts["workers"]:
        assert worker["flows_judged_again"] >= worker["sweep_judged"] and worker["flows_revoked"] == 0, worker
    with open(folder.file("bad.img"), "wb") as file:
        file.write(b"not an image")
    os.mkfifo(folder.file("pipe"), 0o666)
    os.chmod(folder.file("pipe"), 0o666)
    for arguments, code, words in ((("door", "install", "bad.img"), 1, "refused: "),
                                   (("door", "install", "none.img"), 2, "none.img: No such file"),
                                   (("door", "install", "pipe"), 1, "not a regular file"),
                                   (("door", "rob"), 2, ""), (("nobody", "status"), 3, "door nobody: "),
                                   (("nobody", "install", "made.img"), 3, "door nobody: ")):
        ended = folder.call("weir", "door", *arguments)
        assert ended.returncode == code and words in ended.stderr, (arguments, ended)
    image(folder, "a", 9)
    ended = folder.call("weir", "door", "door", "install", "made.img")
    assert ended.returncode == 0 and "policy flip-a, generation 9, in force after" in ended.stdout, ended
    ended = folder.call("weir", "door", "door", "status")
    assert ended.returncode == 0 and "policy flip-a, generation 9" in ended.stdout, ended


def jobs(folder, _):
    with open(folder.file("job.toml"), "w", encoding="utf-8") as file:
        file.write("""version = 1
policy.name = "jobs"
segment.trainers.cidr = ["10.0.0.0/8"]
service.ring = { rdma = ["nccl"] }
[[allow]]
name = "ring"
from = "trainers"
to = "trainers"
with = ["ring"]
[job.pretrain]
members = ["trainers"]
transport = ["roce"]
""")
    made = folder.call("weir", "compile", "job.toml", "-o", "job.img", "--generation", "7")
    assert made.returncode == 0, made
    assert folder.call("weir", "job", "door", "seal", "pretrain").returncode == 1, "there is no such job yet"
    assert folder.call("weir", "door", "door", "install", "job.img", "--force").returncode == 0
    ended = folder.call("weir", "job", "door", "seal", "pretrain", "-o", "json")
    assert ended.returncode == 0 and json.loads(ended.stdout)["sealed"] is True, ended
    assert folder.call("weir", "job", "door", "open", "pretrain").returncode == 0
    ended = folder.call("weir", "job", "door", "seal", "p")
    assert ended.returncode == 1 and "no job of this name" in ended.stderr, ended
    assert folder.call("weir", "job", "door", "seal", "p" * 64).returncode == 2
    assert folder.call("weir", "job", "nobody", "seal", "p").returncode == 3
    image(folder, "a", 9)
    assert folder.call("weir", "door", "door", "install", "made.img", "--force").returncode == 0


def quarantine(folder, _door):
    listed = folder.call("weir", "quarantine", "door", "list")
    assert listed.returncode == 0 and "nothing is in quarantine" in listed.stdout, listed
    listed = folder.call("weir", "quarantine", "door", "list", "-o", "json")
    assert json.loads(listed.stdout)["quarantined"] == "", listed
    for name in ("nobody", "net_null0"):
        ended = folder.call("weir", "quarantine", "door", "release", name)
        assert ended.returncode == 1 and "no port of this name is in quarantine" in ended.stderr, ended
    ended = folder.call("weir", "quarantine", "door", "cut", "nobody")
    assert ended.returncode == 1 and "there is no port of this name" in ended.stderr, ended
    for act, left in (("cut", "net_null0"), ("cut", "net_null0"), ("release", "")):
        ended = folder.call("weir", "quarantine", "door", act, "net_null0", "-o", "json")
        assert ended.returncode == 0 and json.loads(ended.stdout)["quarantined"] == left, ended


def only_the_owner(folder, door):
    assert stat.S_IMODE(os.stat(door.path).st_mode) == 0o600
    if os.geteuid() != 0:
        return
    os.chmod(folder.path, 0o755)
    other = subprocess.run([folder.programs["weir"], "door", door.path, "status"], user=65533, group=65533,
                           extra_groups=[], capture_output=True, text=True, check=False)
    assert other.returncode == 4 and "Permission denied" in other.stderr, other


def flush_forgets(folder, door):
    facts = lambda: json.loads(folder.call("weir", "door", "door", "status", "-o", "json").stdout)["workers"]
    before = facts()
    assert sum(worker["flows_live"] for worker in before) > 0
    opened = sum(worker["flows_opened"] for worker in before)
    ended = folder.call("weir", "door", "door", "flush", "-o", "json")
    assert ended.returncode == 0 and json.loads(ended.stdout)["flows_flushed"] > 0, ended
    assert sum(worker["flows_opened"] for worker in facts()) > opened, "the flows are still there"
    assert door.ask(REQUEST.pack(MAGIC, VERSION, FLUSH, 0, 0, b"", 0))[:2] == (DONE, 9)


def one_door_one_dataplane(folder, door):
    second = ["--pair", "inside=net_null0,outside=net_null1", "--door"]
    code, said = folder.run([*second, "door"], ["net_null0,no-rx=1", "net_null1,no-rx=1"])
    assert code == 1 and "another process serves it" in said, said
    assert door.ask(REQUEST.pack(MAGIC, VERSION, FLUSH, 0, 0, b"", 0))[0] == DONE
    left = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    left.bind(folder.file("left"))
    left.close()
    if folder.user:
        os.chown(folder.file("left"), dataplane.NOBODY, dataplane.NOBODY)
    run = folder.start([*second, "left"], ["net_null0,no-rx=1", "net_null1,no-rx=1"])
    try:
        run.wait_for("live")
        ended = folder.call("weir", "door", "left", "status")
        assert ended.returncode == 0 and "no policy: everything is denied" in ended.stdout, ended
        code, said = run.stop()
    finally:
        run.kill()
    assert code == 0 and not os.path.exists(folder.file("left")), said


def main():
    binary, make_image, weir = sys.argv[1:4]
    with dataplane.Folder(dataplane=binary, make_image=make_image, weir=weir) as folder:
        packets = [(n, frame("10.0.1.5", "10.1.1.5", 53, 2000 + n)) for n in range(256)]
        folder.write("loop.pcap", pcap(packets))
        run = folder.start(["--pair", "inside=net_pcap0,outside=net_null0", "--door", "door"],
                           ["net_pcap0,rx_pcap=loop.pcap,infinite_rx=1", "net_null0,no-rx=1"], workers=2)
        try:
            run.wait_for("live")
            door = Door(folder)
            open_before = len(os.listdir(f"/proc/{run.process.pid}/fd"))
            for case in (installs_and_refusals, descriptors_of_all_kinds, garbage, the_command, jobs, quarantine,
                         only_the_owner, flush_forgets, one_door_one_dataplane):
                case(folder, door)
                assert run.process.poll() is None, run.said()
                print("ok   ", case.__name__)
            opened = len(os.listdir(f"/proc/{run.process.pid}/fd")) - open_before
            assert opened <= 1, f"{opened} more descriptors are open: some that came in were not closed"
            code, said = run.stop()
        finally:
            run.kill()
        assert code == 0 and not os.path.exists(folder.file("door")), said


main()
