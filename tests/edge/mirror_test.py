#!/usr/bin/python3
"""Packets that a real dataplane shows: what was dropped and what passed comes byte for byte as it was sent, with what
became of it, as scapy and tshark read it; of a holder of an asset no more than headers and 32 bytes; traces say what
each packet met; an order ends by count, by time and with its client, and what is no order is refused.

usage: mirror_test.py DATAPLANE WEIR [CASE...]"""
import json
import logging
import os
import signal
import socket
import struct
import subprocess
import sys
import traceback

import dataplane
from dataplane import frame
from watched import POLICY, Watched, packets

HELD = POLICY.replace("service.dns", """segment.outer.cidr = ["10.2.0.0/16"]
asset.weights.size = "800 GB"
asset.weights.held = ["store"]
service.dns""", 1) + """
[[allow]]
name = "back"
from = "store"
to = "outer"
with = ["dns"]
"""
MAGIC, DOOR = 0x31485349574D5757, 0x524F4F44


class Asked:
    """A command that waits for packets."""

    def __init__(self, watched, command, *words):
        self.process = subprocess.Popen([watched.folder.programs["weir"], command, "door", *map(str, words)],
                                        cwd=watched.folder.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        bufsize=0, **watched.folder.user)  # else communicate() misses a line
        self.first = self.process.stderr.readline().decode()

    def end(self, code=0):
        out, said = self.process.communicate(timeout=30)
        assert self.process.returncode == code, (self.process.returncode, self.first, said)
        return out, self.first + said.decode()


def frames_in(path):
    """As scapy reads them."""
    logging.getLogger("scapy").setLevel(logging.ERROR)  # it finds comments above 127 letters odd
    from scapy.all import PcapNgReader  # here: it takes a second to load
    with PcapNgReader(path) as reader:
        return [bytes(one) for one in reader]


def shown_in(path):
    """(frame, comment, port) as scapy and tshark read them."""
    ended = subprocess.run(["tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.interface_name", "-e",
                            "frame.cap_len", "-e", "frame.comment"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended
    rows = [line.split("\t") for line in ended.stdout.splitlines()]
    frames = frames_in(path)
    assert [len(one) for one in frames] == [int(row[1]) for row in rows], (frames, rows)
    return [(one, row[2], row[0]) for one, row in zip(frames, rows)]


def denied(count, port=99):
    return [frame("10.0.1.5", "10.1.1.5", port, 3000 + n, os.urandom(10 + 100 * n)) for n in range(count)]


def drops_by_reason(watched):
    asked = Asked(watched, "capture", "--reason", "no_allow", "-c", 8, "-w", "drops.pcapng")
    assert "waits for packets: 8 at most" in asked.first, asked.first
    lost = denied(12)
    watched.send([*packets(3, 53), *lost])
    _, said = asked.end()
    assert "8 packets: as many as were wanted" in said, said
    path = watched.folder.file("drops.pcapng")
    assert os.stat(path).st_mode & 0o777 == 0o600, "for its owner alone"
    shown = shown_in(path)
    assert len(shown) == 8 and len({one for one, _, _ in shown} & set(lost)) == 8, shown
    for _, comment, port in shown:
        assert comment.startswith("drop no_allow: no allow covers it | trainers > store | generation 7 | "), comment
        assert port == "net_pcap0", port


def what_passes(watched):
    asked = Asked(watched, "capture", "--from", "trainers", "--to", "10.1.1.0/24", "-c", 6, "-w", "-",
                  "udp and rule resolve")
    sent = [frame("10.0.1.7", "10.1.1.5", 53, 5000, b"ask %d" % n) for n in range(6)]
    watched.send([*denied(3), *sent])
    out, _ = asked.end()
    path = watched.folder.write("passed.pcapng", out)
    shown = shown_in(path)
    assert [one for one, _, _ in shown] == sent, "in order, as they came"
    assert [comment.split(":")[0] for _, comment, _ in shown] == ["forward flow_new", *["forward flow_established"] * 5]
    assert " | allow `resolve` watched.toml:8 | trainers > store | " in shown[5][1], shown[5]
    told = Asked(watched, "capture", "--reason", "flow_established", "-c", 1, "-o", "json")
    watched.send(sent[:1])
    line = json.loads(told.end()[0])
    assert line["reason"] == "flow_established" and line["rule"] == "allow `resolve` watched.toml:8", line
    assert line["from"] == "trainers" and line["to"] == "store" and "stages" not in line, line


def traces(watched):
    asked = Asked(watched, "trace", "-c", 3, "-o", "json", "src", "host", "10.0.1.9")
    watched.send([frame("10.0.1.9", "10.1.1.5", 99), *[frame("10.0.1.9", "10.1.1.5", 123, 6000)] * 2])
    lines = sorted((json.loads(line) for line in asked.end()[0].splitlines()), key=lambda one: one["timestamp"])
    lost, new, known = lines
    assert [one["reason"] for one in lines] == ["no_allow", "flow_new", "flow_established"], lines
    assert lost["flow_before"] is None and lost["flow_after"] is None, lost
    assert lost["stages"]["policy"] == "asked: no_allow: no allow covers it" and "limits" not in lost["stages"], lost
    assert lost["stages"]["segments"].startswith("trainers > store; zones "), lost
    assert new["flow_before"] is None and new["flow_after"]["state"] == "one_way", new
    assert new["stages"]["flow"] == "not known" and new["stages"]["flow after"].startswith("made by this packet"), new
    assert "allow `clock` watched.toml:14, decision " in new["stages"]["policy"], new
    assert known["flow_before"]["record"] == known["flow_after"]["record"] == new["flow_after"]["record"], known
    assert known["stages"]["policy"].startswith("remembered with its flow: flow_new: "), known
    assert known["stages"]["service"] == "udp/123" and known["stages"]["inspection"] == "none reads this flow", known
    assert "leaves by outside net_pcap1, 60 bytes as they came" in known["stages"]["outcome"], known
    asked = Asked(watched, "trace", "--reason", "truncated")
    watched.send([denied(1)[0][:30]])
    text = asked.end()[0].decode()
    assert "parse      doubt: truncated: " in text and "policy" not in text, text


def flow_again(watched):
    """A policy that comes between is told of a flow that is judged again."""
    watched.send([frame("10.0.1.10", "10.1.1.5", 123, 7000)])
    watched.ask("compile", "watched.toml", "-o", "next.img", "--generation", "8")
    watched.ask("door", "door", "install", "next.img")
    asked = Asked(watched, "trace", "-o", "json", "src host 10.0.1.10")
    watched.send([frame("10.0.1.10", "10.1.1.5", 123, 7000)])
    told = json.loads(asked.end()[0])
    assert told["generation"] == 8 and told["reason"] == "flow_established", told
    assert "allow `clock`" in told["rule"], told


def orders_end(watched):
    nothing = Asked(watched, "capture", "--for", "200ms", "host 10.9.9.9").end(code=1)[1]
    assert "0 packets: the time is over" in nothing, nothing
    one = Asked(watched, "capture", "--for", "1h", "host 10.9.9.9")
    second = Asked(watched, "capture", "--for", "1s")
    assert "busy: somebody else is being shown packets, for another 3600 s at most" in second.end(code=1)[1]
    one.process.send_signal(signal.SIGINT)
    assert "0 packets: stopped" in one.end(code=1)[1]
    killed = Asked(watched, "trace", "--for", "1h", "host 10.9.9.9")
    killed.process.kill()
    killed.process.communicate()
    for _ in range(100):  # it hears of it between two looks
        again = Asked(watched, "capture", "--for", "100ms", "host 10.9.9.9")
        if "busy" not in again.end(code=1)[1]:
            break
    else:
        raise AssertionError("an order outlives its client")
    watched.send(packets(2, 53, source="10.0.1.11"))
    assert "flow_new" in watched.ask("counters", "--stats", "stats")


def wish(packets=1, for_ms=1000, magic=MAGIC, reasons=(1 << 60, 0, 0), steps=b"", count=0, names=0):
    head = struct.pack("<QII3Q3B5x", magic, packets, for_ms, *reasons, 0, count, names)
    return (head + steps).ljust(2096, b"\0")


def refusals(watched):
    with open(os.path.join(os.path.dirname(__file__), "../../dataplane/share/door.hpp"), encoding="utf-8") as file:
        header = file.read()
    version, mirror = (int(header.split(word)[1].split(end)[0]) for word, end in
                       (("version_value = ", ";"), ("mirror = ", ",")))
    request = struct.pack("<IHHII64sQ", DOOR, version, mirror, 0, 0, b"", 0)

    def answer(*contents, pipe=False):
        door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        door.connect(watched.folder.file("door"))
        files = [os.memfd_create("wish") for _ in contents]
        for file, content in zip(files, contents):
            os.write(file, content)
        if pipe:
            files.append(os.pipe()[0])
        socket.send_fds(door, [request], files)
        said = door.recv(4096)
        for file in files:
            os.close(file)
        return door, struct.unpack_from("<IHH", said)[2], said[48 + 128 - 8:].decode(errors="replace")

    step = struct.pack("<4BHH4Q8x", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)  # both, of itself
    for case in ((), (wish(), wish()), (b"",), (wish(magic=1),), (wish(packets=0),), (wish(packets=10**6 + 1),),
                 (wish(for_ms=0),), (wish(for_ms=3_600_001),), (wish(reasons=(0, 0, 0)),),
                 (wish(reasons=(0, 0, 1 << 63)),), (wish(count=33),), (wish(names=9),), (wish(count=1, steps=step),)):
        door, result, _ = answer(*case)
        door.close()
        assert result == 2, case
    door, result, _ = answer(pipe=True)
    door.close()
    assert result == 2, "a pipe is no file"
    door, result, _ = answer(wish(for_ms=3_600_000))
    assert result == 0
    door.send(b"anything")
    end = door.recv(4096)
    assert struct.unpack("<IIQQ", end) == (0x4445524D, 2, 0, 0) and door.recv(4096) == b"", end
    door.close()
    for words, sentence in ((["--reason", "nothing"], "there is no reason `nothing`"),
                            (["--reason", "handover_full"], "counted where no worker judges"),
                            (["--for", "2h"], "at most 1h"), (["event flow_opened"], "of packets ask `reason`"),
                            (["host nobody"], "is no address"), (["-c", "0"], "Value 0 not in range")):
        ended = watched.folder.call("weir", "capture", "door", *words)
        assert ended.returncode == 2 and sentence in ended.stdout + ended.stderr, ended
    assert watched.folder.call("weir", "capture", "nowhere").returncode == 3


def follows_flows(watched):
    asked = subprocess.Popen([watched.folder.programs["weir"], "flows", "door", "-f", "--every", "0.2", "src host "
                              "10.0.1.12"], cwd=watched.folder.path, stdout=subprocess.PIPE, text=True,
                             **watched.folder.user)
    watched.send([frame("10.0.1.12", "10.1.1.5", 123, 8000)])
    line = asked.stdout.readline()
    assert line.startswith("+ udp   10.0.1.12:8000 (trainers) > 10.1.1.5:123 (store)  rule clock"), line
    watched.ask("door", "door", "flush")
    line = asked.stdout.readline()
    assert line.startswith("- udp   10.0.1.12:8000 (trainers)"), line
    asked.send_signal(signal.SIGINT)
    assert asked.wait(10) == 0


def answers(watched):
    """Of the store, which holds the asset: what it answers, and what it opens itself."""
    ask = [frame("10.0.1.5", "10.1.1.5", 53, 2000, b"q" * 300)]
    reply = [frame("10.0.1.5", "10.1.1.5", 53, 2000, b"w" * 300, reply=True)]
    own = [frame("10.1.1.5", "10.2.0.1", 53, 2000, b"w" * 300), frame("10.1.1.5", "10.2.0.1", 99, 2000, b"w" * 300)]
    broken = own[0][:14] + b"\x46" + own[0][15:]  # a header length that does not hold
    asked = Asked(watched, "capture", "-c", 5, "-w", "held.pcapng", "not reason mac_source_invalid")
    watched.send(ask)
    watched.send([*reply, *own, broken], side="outside")
    asked.end()
    return ask + reply + own + [broken], shown_in(watched.folder.file("held.pcapng"))


def a_holder_is_cut(watched):
    sent, shown = answers(watched)
    kept = [len(one) for one, _, _ in sorted(shown, key=lambda one: sent.index(next(
        whole for whole in sent if whole.startswith(one[0]))))]
    head = 14 + 20 + 8 + 32
    assert kept == [len(sent[0]), head, head, head, 128], kept
    for one, comment, _ in shown:
        assert any(whole.startswith(one) for whole in sent), "bytes as they were sent"
        assert ("its sender holds an asset, or may" in comment) == (one != sent[0]), comment
    assert all(b"w" * 33 not in one for one, _, _ in shown if len(one) == head)


def a_holder_is_whole_where_it_may(watched):
    sent, shown = answers(watched)
    assert sorted(one for one, _, _ in shown) == sorted(sent), [len(one) for one, _, _ in shown]
    said = Asked(watched, "capture", "--for", "100ms", "host 10.9.9.9").end(code=1)[1]
    assert "packets of who holds an asset come whole: case 17" in said, said


def fades_while_nobody_reads(watched):
    """Who does not read loses packets, and is told how many; the dataplane goes on."""
    asked = Asked(watched, "capture", "-c", 100000, "--reason", "no_allow")
    asked.process.send_signal(signal.SIGSTOP)
    try:
        watched.send([frame("10.0.1.5", "10.1.1.5", 99, 3000, b"x" * 1400)] * 4000)
    finally:
        asked.process.send_signal(signal.SIGCONT)
    asked.process.send_signal(signal.SIGINT)
    out, said = asked.end()
    shown = len(out.splitlines())
    assert f"{shown} packets: stopped; {4000 - shown} more came too fast" in said and 0 < shown < 4000, said


WORLDS = (
    (POLICY, (), 2, [drops_by_reason, what_passes, traces, orders_end, refusals, follows_flows, flow_again]),
    (HELD, (), 1, [a_holder_is_cut, fades_while_nobody_reads]),
    (HELD, ("--evidence-whole", "case 17"), 1, [a_holder_is_whole_where_it_may]),
)


def main(binary, weir, *names):
    failed = 0
    for policy, options, workers, cases in WORLDS:
        cases = [case for case in cases if not names or case.__name__ in names]
        if not cases:
            continue
        with dataplane.Folder(dataplane=binary, weir=weir) as folder:
            watched = Watched(folder, workers, policy, options)
            try:
                for case in cases:
                    try:
                        case(watched)
                        print("ok   ", case.__name__, flush=True)
                    except Exception:  # every case is run and told
                        traceback.print_exc()
                        print("FAIL ", case.__name__, flush=True)
                        failed += 1
            finally:
                watched.end()
    sys.exit(failed != 0)


main(*sys.argv[1:])
