#!/usr/bin/env python3
"""The transcripts of docs/operations.md: runs every command on the page against a real dataplane and compares what it
prints with the page, numbers apart. With --write the page gets what was printed.

usage: operations.py DATAPLANE WEIR PAGE [--write]"""
import json
import os
import pathlib
import re
import shlex
import sys
import time

import dataplane
import difflib

sys.path[:0] = [str(pathlib.Path(__file__).parents[2] / "tools" / "capture")]
import frames as wire  # noqa: E402

BLOCK = re.compile(r"^```console\n\$ (weir [^\n]*)\n(.*?)^```$", re.M | re.S)
NUMBER = re.compile(r"\d[\d,.:]*")
HERE = pathlib.Path(__file__).parent


def normal(text):
    """Numbers, and the room that they take, are each run's own."""
    return [re.sub(r" +", " ", NUMBER.sub("0", line)).strip() for line in text.splitlines()]


def syn(source, source_port, target, port):
    source, target = wire.address(source), wire.address(target)
    segment = wire.tcp(source, target, source_port, port, "S", 1, 0)
    packet = wire.ipv4(source, target, 6, segment)
    return wire.ethernet(wire.mac_of(source), wire.mac_of(target), 0x0800, packet).ljust(60, b"\0")


def packets():
    rows = [("10.20.1.5", 40001, "10.30.0.1", 9000), ("10.20.1.6", 40002, "10.30.0.1", 9000),
            ("10.20.1.5", 40003, "10.30.0.2", 9000), ("10.20.1.9", 40004, "10.30.0.1", 22),
            ("10.20.1.9", 40005, "10.30.0.1", 443), ("10.20.1.7", 40006, "10.40.0.1", 443)]
    return [syn(*row) for row in rows]


def started(folder):
    policy = (HERE / "operations.toml").read_text()
    folder.write("operations.toml", policy.encode())
    folder.write("yesterday.toml", policy.replace('log  = "opened"\n', "").replace("tcp = [9000]", "tcp = [9000, 443]")
                 .encode())
    os.chmod(folder.write("key", os.urandom(32)), 0o600)
    for command in (["compile", "operations.toml", "-o", "policy.img", "--generation", "42"],
                    ["budgets", "--begin", "ledger", "--key", "key", "--first"]):
        made = folder.call("weir", *command)
        assert made.returncode == 0, made
    folder.write("in.pcap", dataplane.pcap([(1_700_000_000 * 10**6 + n, one) for n, one in enumerate(packets())]))
    run = folder.start(["--pair", "inside=net_pcap0,outside=net_null0", "--policy", "policy.img", "--door", "door",
                        "--stats", "stats", "--ledger", "ledger", "--ledger-key", "key"],
                       ["net_pcap0,rx_pcap=in.pcap,tx_pcap=in.out", "net_null0,no-rx=1"], workers=2)
    run.wait_for("live")
    for _ in range(200):
        met = json.loads(folder.call("weir", "counters", "--stats", "stats", "-o", "json").stdout)["sum"]["reasons"]
        if sum(one["packets"] for one in met.values()) == len(packets()):
            return run
        time.sleep(0.05)
    raise AssertionError(run.said())


def transcripts(folder, page):
    for match in BLOCK.finditer(page):
        command = match.group(1).replace(" > ", " '>' ")
        words = shlex.split(command)[1:]
        if words[0] == "explain":  # one word on the page's shell
            words = words[:2] + [" ".join(words[2:])]
        ended = folder.call("weir", *words)
        yield match, (ended.stdout + ended.stderr).rstrip() + "\n"


def main(binary, weir, page_path, *options):
    page = pathlib.Path(page_path).read_text()
    wrong = 0
    with dataplane.Folder(dataplane=binary, weir=weir) as folder:
        run = started(folder)
        try:
            written, at = "", 0
            for match, said in transcripts(folder, page):
                written += page[at:match.start(2)] + said
                at = match.end(2)
                if sorted(normal(said)) != sorted(normal(match.group(2))):  # workers tell in any order
                    wrong += 1
                    print(f"$ {match.group(1)}")
                    print("\n".join(difflib.unified_diff(match.group(2).splitlines(), said.splitlines(), "page", "now",
                                                         lineterm="", n=1)))
            written += page[at:]
            assert len(BLOCK.findall(page)) == 10, "ten questions"
        finally:
            run.kill()
    if "--write" in options:
        pathlib.Path(page_path).write_text(written)
    elif wrong:
        print(f"{wrong} transcripts differ: tests/edge/operations.py DATAPLANE WEIR docs/operations.md --write")
        sys.exit(1)


main(*sys.argv[1:])
