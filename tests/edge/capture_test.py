#!/usr/bin/env python3
"""The real binary on capture files: what leaves, byte for byte and in order; the lines; time; the end of the files; a
stop in the middle; a slow reader of the decisions; and the sentences when something is missing.

usage: capture_test.py DATAPLANE MAKE_IMAGE FLIP_DOOR [CASE...]"""
import os
import random
import signal
import sys
import threading
import time
import traceback

import dataplane
from dataplane import decisions_of, frame, frames_of, pcap

DEVICES = ["net_pcap0,rx_pcap=in.pcap,tx_pcap=in.out", "net_pcap1,rx_pcap=out.pcap,tx_pcap=out.out"]
PAIR = ["--pair", "inside=net_pcap0,outside=net_pcap1"]
POLICY = ["--policy", "a.img", "--decisions", "lines"]
START = 1_700_000_000 * 10**6


def run(folder, inside, outside, workers=1, options=tuple(POLICY), nanoseconds=False, code=0):
    folder.write("in.pcap", pcap(inside, nanoseconds))
    folder.write("out.pcap", pcap(outside, nanoseconds))
    ended, said = folder.run([*PAIR, *options], DEVICES, workers)
    assert ended == code, f"exit code {ended}\n{said}"
    return said


def results(folder):
    return folder.read("lines"), frames_of(folder.read("in.out")), frames_of(folder.read("out.out"))


def mixture(count, seed=1):
    """Both directions of many conversations, some allowed, some not, some frames broken."""
    chance = random.Random(seed)
    inside, outside = [], []
    for index in range(count):
        client, server, port = chance.choice((1, 2)), chance.choice((1, 2)), chance.choice((53, 123))
        payload = bytes([index & 255]) * chance.choice((0, 1, 100, 1400, 4000, 9000))
        reply = chance.random() < 0.4
        data = frame(f"10.0.{client}.5", f"10.1.{server}.5", port, 2000 + chance.randrange(50), payload, reply)
        if chance.random() < 0.05:
            data = data[:chance.randrange(20, len(data))]
        (outside if reply else inside).append((START + 10 * index, data))
    return inside, outside


def frames_leave_whole_and_in_order(folder):
    inside, outside = mixture(3000)
    run(folder, inside, outside)
    lines, to_inside, to_outside = results(folder)
    decisions = decisions_of(lines)
    assert [line["index"] for line in decisions] == list(range(3000))
    merged = sorted([(when, 0, data) for when, data in inside] + [(when, 1, data) for when, data in outside],
                    key=lambda entry: entry[:2])
    for line, (when, side, _) in zip(decisions, merged):
        assert line["port"] == ("inside", "outside")[side] and round(line["time"] * 10**6) == when, (line, when)
    forwarded = [(side, data) for line, (_, side, data) in zip(decisions, merged) if line["verdict"] == "forward"]
    assert to_outside == [data for side, data in forwarded if side == 0]
    assert to_inside == [data for side, data in forwarded if side == 1]
    assert len(to_inside) > 100 and len(to_outside) > 100
    assert {line["reason"] for line in decisions} >= {"flow_new", "flow_established", "no_allow", "truncated"}
    numbers = [line["flow"] for line in decisions if line["reason"] == "flow_new"]
    assert numbers == list(range(len(numbers))), "flows are numbered in order of their first packet"


def workers_change_nothing(folder):
    inside, outside = mixture(5000, seed=2)
    run(folder, inside, outside)
    alone = results(folder)
    for workers in (2, 3):
        run(folder, inside, outside, workers)
        assert results(folder) == alone, f"{workers} workers decide otherwise than one"


def giants_leave_whole(folder):
    sizes = [1, 1472, 2000, 9000, 20000, 40000, 65000, 65507]
    inside = [(START + n, frame("10.0.1.5", "10.1.1.5", 53, 2000, os.urandom(size))) for n, size in enumerate(sizes)]
    said = run(folder, inside, [])
    _, _, to_outside = results(folder)
    # An mbuf cannot say more than 65535 bytes: the last frame is allowed, counted and not sent, but never sent cut.
    assert to_outside == [data for _, data in inside if len(data) <= 65535]
    assert "1 frames were allowed but their port did not take them" in said, said


def last_burst_is_not_lost(folder):
    for count in (0, 1, 31, 32, 33, 64, 65, 4096, 4097):
        inside = [(START + n, frame("10.0.1.5", "10.1.1.5", 53)) for n in range(count)]
        run(folder, inside, [])
        lines, _, to_outside = results(folder)
        assert len(decisions_of(lines)) == len(to_outside) == count, count


def time_is_the_captures(folder):
    ask = frame("10.0.1.5", "10.1.1.5", 53)
    reply = frame("10.0.1.5", "10.1.1.5", 53, reply=True)
    inside = [(START + 10, ask), (START + 5, ask), (START + 30, ask)]
    outside = [(START + 10, reply), (START + 8, reply), (START + 30, reply)]
    run(folder, inside, outside)
    lines = [(line["port"], round(line["time"] * 10**6) - START) for line in decisions_of(folder.read("lines"))]
    assert lines == [("inside", 10), ("inside", 10), ("outside", 10), ("outside", 10), ("inside", 30),
                     ("outside", 30)], lines
    run(folder, [(START * 1000 + 1999, ask)], [], nanoseconds=True)
    assert b'"time":1700000000.000001,' in folder.read("lines")


def stop_in_the_middle(folder):
    inside, outside = mixture(60000, seed=3)
    folder.write("in.pcap", pcap(inside))
    folder.write("out.pcap", pcap(outside))
    for number in (signal.SIGTERM, signal.SIGINT):
        os.mkfifo(folder.file("fifo"))
        os.chmod(folder.file("fifo"), 0o666)
        kept = []
        reader = threading.Thread(target=lambda: kept.append(slow_read(folder.file("fifo"))))
        reader.start()
        running = folder.start([*PAIR, "--policy", "a.img", "--decisions", "fifo"], DEVICES, workers=2)
        try:
            running.wait_for("capture files")
            time.sleep(0.2)
            code, said = running.stop(number)
        finally:
            running.kill()
        reader.join()
        os.unlink(folder.file("fifo"))
        decisions = decisions_of(kept[0])
        assert code == 0 and 0 < len(decisions) < 60000, (code, len(decisions), said)
        assert f"{len(decisions)} packets" in said, said
        sent = len(frames_of(folder.read("in.out"))) + len(frames_of(folder.read("out.out")))
        assert sent == sum(line["verdict"] == "forward" for line in decisions), "what was in flight is lost"


def slow_read(path, pause=0.02):
    data = b""
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(65536):
            data += piece
            time.sleep(pause)
    return data


def input_waits_for_the_writer(folder):
    inside, outside = mixture(8000, seed=4)
    os.mkfifo(folder.file("fifo"))
    os.chmod(folder.file("fifo"), 0o666)
    kept = []
    reader = threading.Thread(target=lambda: kept.append(slow_read(folder.file("fifo"), 0.05)))
    reader.start()
    run(folder, inside, outside, 2, ("--policy", "a.img", "--decisions", "fifo"))
    reader.join()
    os.unlink(folder.file("fifo"))
    assert [line["index"] for line in decisions_of(kept[0])] == list(range(8000))


def policies_change_in_the_middle(folder):
    """The writer names rules out of the policy that judged, which may be an older one by then: its slot waits.
    Each policy comes twice running, so that a slot written too early holds the other one."""
    inside, outside = mixture(15000, seed=6)
    folder.write("in.pcap", pcap(inside))
    folder.write("out.pcap", pcap(outside))
    os.mkfifo(folder.file("fifo"))
    os.chmod(folder.file("fifo"), 0o666)
    kept = []
    reader = threading.Thread(target=lambda: kept.append(slow_read(folder.file("fifo"), 0.01)))
    reader.start()
    running = folder.start([*PAIR, "--policy", "a.img", "--decisions", "fifo", "--door", "door"], DEVICES, workers=2)
    try:
        running.wait_for("capture files")
        flipped = folder.call("flip_door", "door", 2, 40, 2)
        code, said = running.end()
    finally:
        running.kill()
    reader.join()
    os.unlink(folder.file("fifo"))
    assert code == 0, said
    decisions = decisions_of(kept[0])
    generations = {line["generation"] for line in decisions}
    # How many flips fall before the capture's end depends on the machine; one in the middle is what must be.
    assert len(decisions) == 15000 and len(generations) > 1, (len(decisions), generations, flipped)
    for line in decisions:
        named = {None: None, "client-1": "one", "client-2": "two", "server-1": "one", "server-2": "two"}[line["from"]]
        assert line["rule"] == (named if line["verdict"] == "forward" else None), line


def disk_full_is_an_error(folder):
    inside, outside = mixture(20000, seed=5)
    said = run(folder, inside, outside, 1, ("--policy", "a.img", "--decisions", "/dev/full"), code=1)
    assert "cannot write /dev/full: No space left on device" in said, said


def nothing_passes_without_a_policy(folder):
    inside, outside = mixture(500)
    said = run(folder, inside, outside, options=("--decisions", "lines"))
    lines, to_inside, to_outside = results(folder)
    assert "NO POLICY" in said and not to_inside and not to_outside
    assert {line["verdict"] for line in decisions_of(lines)} == {"drop"}
    image = bytearray(folder.read("a.img"))
    image[len(image) // 2] ^= 1
    folder.write("bad.img", bytes(image))
    said = run(folder, inside, outside, options=("--policy", "bad.img", "--decisions", "lines"), code=1)
    lines, to_inside, to_outside = results(folder)
    assert "POLICY REFUSED: bad.img: " in said and not to_inside and not to_outside, said
    assert {line["verdict"] for line in decisions_of(lines)} == {"drop"}


def two_pairs_do_not_mix(folder):
    ask = [(START, frame("10.0.1.5", "10.1.1.5", 53))]
    reply = [(START + 1, frame("10.0.1.5", "10.1.1.5", 53, reply=True))]
    for name, packets in (("p0", ask), ("p1", []), ("p2", []), ("p3", reply)):
        folder.write(name, pcap(packets))
    code, said = folder.run([*POLICY, "--pair", "inside=net_pcap0,outside=net_pcap1", "--pair",
                             "outside=net_pcap3,inside=net_pcap2"],
                            [f"net_pcap{n},rx_pcap=p{n},tx_pcap=o{n}" for n in range(4)], workers=2)
    assert code == 0, said
    assert [len(frames_of(folder.read(f"o{n}"))) for n in range(4)] == [0, 1, 0, 0], "a reply to another pair's flow"


def sentences(folder):
    null = ["net_null0", "net_null1"]
    live = ["--pair", "inside=net_null0,outside=net_null1"]
    for options, devices, code, words in (
            ([], null, 2, "--pair is required"),
            (["--pair", "net_null0"], null, 2, "is not inside=PORT,outside=PORT"),
            (["--pair", "inside=net_null0,outside=net_null0"], null, 2, "`net_null0` stands in it twice"),
            (["--pair", "inside=net_null0,outside=net_null1,inside=net_null2"], null, 2, "is not inside=PORT,outside"),
            ([*live, "--name", "net_tap0=x"], null, 2, "is in no --pair"),
            ([*PAIR, "--decisions", "lines", "--stats", "./lines"], DEVICES, 2, "is what --decisions names"),
            ([*live, "--decisions", "l"], null, 2, "a live port cannot wait"),
            (["--pair", "inside=net_null0,outside=net_tap7"], null, 1, "no port `net_tap7`: EAL has net_null0, net_"),
            ([*live, "--flows", "0"], null, 2, "--flows"),
            ([*live, "--door", "no/such/door"], null, 1, "door no/such/door: "),
            ([*PAIR, "--stats", "no/such/stats"], DEVICES, 1, "no/such/stats"),
            (PAIR, ["net_pcap0,rx_pcap=in.pcap,rx_pcap=in.pcap", "net_pcap1,rx_pcap=in.pcap"], 1, "one rx_pcap")):
        ended, said = folder.run(options, devices)
        assert ended == code and words in said, f"{options}: {ended}, {said}"
    ended, said = folder.start([*live, "--workers", "1"], null, 1).end()
    assert ended == 2 and "--workers" in said, said  # given twice
    run_with_few = dataplane.Run(folder, [*PAIR, "--workers", "4", "--", *dataplane.NO_HUGE, "--lcores", "0@0",
                                          "--vdev", DEVICES[0], "--vdev", DEVICES[1]])
    ended, said = run_with_few.end()
    assert ended == 1 and "4 workers need 4 lcores and EAL has 1" in said, said


CASES = [frames_leave_whole_and_in_order, workers_change_nothing, giants_leave_whole, last_burst_is_not_lost,
         time_is_the_captures, stop_in_the_middle, input_waits_for_the_writer,
         policies_change_in_the_middle, disk_full_is_an_error,
         nothing_passes_without_a_policy, two_pairs_do_not_mix, sentences]


def main():
    binary, make_image, flip_door = sys.argv[1:4]
    only = sys.argv[4:]
    failed = 0
    with dataplane.Folder(dataplane=binary, make_image=make_image, flip_door=flip_door) as folder:
        assert folder.call("make_image", "a", 1, "a.img").returncode == 0
        for case in CASES:
            if only and case.__name__ not in only:
                continue
            started = time.monotonic()
            try:
                case(folder)
                print(f"ok    {case.__name__} ({time.monotonic() - started:.1f} s)")
            except Exception:  # one case's failure does not hide the others'
                failed += 1
                print(f"FAIL  {case.__name__}\n{traceback.format_exc()}")
    return 1 if failed else 0


sys.exit(main())
