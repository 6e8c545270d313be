#!/usr/bin/env python3
"""The real binary inspects: what its lines say is what replay says, whatever the number of workers; what is kept as
evidence, how much of whom, and for whose eyes.

usage: inspect_test.py DATAPLANE WEIR"""
import json
import os
import pathlib
import stat
import sys
import traceback

import dataplane

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "replay"))
import inspection  # noqa: E402
from judged import Capture, frames  # noqa: E402

DEVICES = ["net_pcap0,rx_pcap=inside.pcap,tx_pcap=in.out", "net_pcap1,rx_pcap=outside.pcap,tx_pcap=out.out"]
OPTIONS = ["--pair", "inside=net_pcap0,outside=net_pcap1", "--policy", "policy.img", "--decisions", "lines"]
ASSET = '[asset.model]\nsize = "1 TB"\nheld = ["trainers"]\n'


def conversations():
    """Marks from either side, at their beginning and later, and harmless talk between them."""
    capture = Capture()
    for turn in range(40):
        inspection.told_in_pieces(capture, 300 * (turn % 5), 2000)
    return capture


def run(folder, capture, policy, *options, workers=1, code=0):
    for side in ("inside", "outside"):
        folder.write(f"{side}.pcap", frames.pcap([(at, frame, len(frame)) for at, where, frame, _ in capture.packets
                                                  if where == side]))
    folder.write("policy.toml", policy.encode())
    compiled = folder.call("weir", "compile", "policy.toml", "-o", "policy.img")
    assert compiled.returncode == 0, compiled.stderr
    ended, said = folder.run([*OPTIONS, *options], DEVICES, workers)
    assert ended == code, f"exit code {ended}\n{said}"
    return said


def evidence(folder):
    place = pathlib.Path(folder.file("kept"))
    [lines], [packets] = place.glob("*.jsonl"), place.glob("*.pcap")
    for path, mode in ((place, 0o700), (lines, 0o600), (packets, 0o600)):
        assert stat.S_IMODE(os.stat(path).st_mode) == mode, f"{path}: others may read it"
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    kept = frames.read_pcap(packets.read_bytes())
    return told, kept


def lines_are_those_of_replay(folder):
    capture = conversations()
    for workers in (1, 2):
        run(folder, capture, inspection.policy(), workers=workers)
        replayed = folder.call("weir", "replay", "policy.toml", "--inside", "inside.pcap", "--outside", "outside.pcap",
                               "--write", "replayed")
        assert replayed.returncode == 0, replayed.stderr
        live = [json.loads(line) for line in folder.read("lines").splitlines()]
        said = [json.loads(line) for line in folder.read("replayed/decisions.jsonl").splitlines()]
        for one, other in zip(live, said):
            for ignored in ("generation", "flow"):
                one.pop(ignored), other.pop(ignored)
            assert one == other, f"{workers} workers: {one} is not {other}"
        assert len(live) == len(said) == len(capture.packets)
        assert sum(line["reason"] == "inspect_signature" for line in live) >= 60


def evidence_is_kept(folder):
    capture = conversations()
    said = run(folder, capture, inspection.policy(more=ASSET), "--evidence", "kept", workers=2)
    told, kept = evidence(folder)
    assert len(told) == len(kept) and f"evidence: {len(kept)} packets kept, 0 beyond" in said, said
    first = [(line, packet) for line, packet in zip(told, kept) if line["after"] == 0]
    assert len(first) == 40 and all(line["found"] == "house-mark" for line, _ in first)
    assert any(line["after"] == 1 and "found" not in line for line in told)
    for line, packet in zip(told, kept):
        holder = line["port"] == "net_pcap0"
        headers = 14 + (20 if packet[1][12:14] == b"\x08\0" else 40) + 20
        assert line["kept_bytes"] == len(packet[1]) <= line["frame_bytes"]
        assert not holder or len(packet[1]) <= headers + 32, f"{len(packet[1])} bytes of a holder's packet are kept"
        assert holder or len(packet[1]) == line["frame_bytes"], "who holds nothing has nothing to hide"


def evidence_may_be_whole_for_a_reason(folder):
    capture = Capture()
    one = inspection.talk(capture, 9000)
    one.send(0, "PA", b"x" * 500 + inspection.MARK, None)
    run(folder, capture, inspection.policy(more=ASSET), "--evidence", "kept", "--evidence-whole", "case 17")
    told, kept = evidence(folder)
    assert told[0] == {"keeps_whole": "case 17"} and inspection.MARK in kept[0][1]


def evidence_has_an_end(folder):
    capture = Capture()
    for _ in range(250):
        one = inspection.talk(capture, 9002)  # told, and passes
        for _ in range(6):
            inspection.say(one, inspection.MARK + bytes(1380), None, None)
    said = run(folder, capture, inspection.policy(), "--evidence", "kept", "--evidence-mib", "1")
    _, kept = evidence(folder)
    assert sum(len(packet[1]) + 16 for packet in kept) <= 1 << 20, "more is kept than may be"
    assert len(kept) > 400 and " 0 beyond" not in said and "no more is written" in said, said


def a_folder_that_cannot_be_is_said(folder):
    folder.write("kept", b"a file")
    said = run(folder, Capture(), inspection.policy(), "--evidence", "kept/deeper", code=1)
    assert "kept/deeper" in said, said


def main(binary, weir):
    failed = 0
    for case in (lines_are_those_of_replay, evidence_is_kept, evidence_may_be_whole_for_a_reason, evidence_has_an_end,
                 a_folder_that_cannot_be_is_said):
        with dataplane.Folder(dataplane=binary, weir=weir) as folder:
            try:
                case(folder)
                print(f"{case.__name__}: holds")
            except Exception:  # pylint: disable=broad-except
                failed += 1
                print(f"{case.__name__}: FAILS")
                traceback.print_exc()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
