#!/usr/bin/env python3
"""weir-dataplane on capture files and `weir replay` say and send the same, byte for byte, on every bundled scenario:
with one worker, and with two where the scenario does not fill the flow table or meet ceilings of [flood] or [rdma]
(each worker has its own part and counts for itself, so what is full depends on who owns what). Frames that no mbuf can
hold are judged, but cannot be sent. Which packet finds that a held frame's time is over depends on who owns what as
well: lines are compared by packet, the first of each in the order of the file. Scenarios with SYN cookies are left out:
each process makes its own.

usage: replay_match.py DATAPLANE WEIR SCENARIO_PY [SCENARIO...]    default: every scenario beside SCENARIO_PY"""
import glob
import json
import os
import subprocess
import sys

import dataplane

DEVICES = ["net_pcap0,rx_pcap=inside.pcap,tx_pcap=inside.out", "net_pcap1,rx_pcap=outside.pcap,tx_pcap=outside.out"]

MBUF_BYTES_MAX = 65535


def prepare(folder, scenario_py, scenario):
    """Captures, image and arguments of a scenario, in the folder; what `weir replay` says and sends."""
    made = subprocess.run([sys.executable, scenario_py, "export", scenario, folder.path], capture_output=True,
                          text=True, check=False)
    assert made.returncode == 0, made.stderr
    if folder.user:
        for name in os.listdir(folder.path):
            os.chown(folder.file(name), dataplane.NOBODY, dataplane.NOBODY)
    arguments = json.loads(folder.read("arguments.json"))
    names = arguments.get("names", {})
    flows = arguments.get("flows")
    compiled = folder.call("weir", "compile", "policy.toml", "-o", "policy.img")
    assert compiled.returncode == 0, compiled.stderr
    replayed = folder.call("weir", "replay", "policy.img", "--inside", "inside.pcap", "--outside", "outside.pcap",
                           "--write", "out", *(["--flows", flows] if flows else []),
                           *(part for side, name in names.items() for part in ("--name", f"{side}={name}")))
    assert replayed.returncode == 0, replayed.stderr
    options = ["--policy", "policy.img", "--pair", "inside=net_pcap0,outside=net_pcap1", "--decisions", "lines",
               "--flows", flows or 65536]
    for side, name in names.items():
        options += ["--name", f"net_pcap{int(side == 'outside')}={name}"]
    ceilings = (b"[flood]", b"\ncm =", b"\ncnp =")
    counts_alone = flows is not None or any(ceiling in folder.read("policy.toml") for ceiling in ceilings)
    return options, counts_alone, sent(folder, "out/decisions.jsonl", "out/inside.pcap", "out/outside.pcap")


def sent(folder, lines, inside, outside):
    return (by_packet(folder.read(lines).splitlines()),
            *([frame for frame in dataplane.frames_of(folder.read(name)) if len(frame) <= MBUF_BYTES_MAX]
              for name in (inside, outside)))


def by_packet(lines):
    """First lines stand in the order of their packets; the second of a packet that was held is put behind its first."""
    indices = [json.loads(line)["index"] for line in lines]
    first = list(dict.fromkeys(indices))
    assert first == sorted(first), "first lines out of order"
    return [line for _, line in sorted(zip(indices, lines), key=lambda pair: pair[0])]


def differences(said, wanted):
    for name, ours, theirs in zip(("decisions", "frames to inside", "frames to outside"), said, wanted):
        for index, (one, other) in enumerate(zip(ours, theirs)):
            if one != other:
                return f"{name}, {index}:\n  dataplane {one[:400]}\n  replay    {other[:400]}"
        if len(ours) != len(theirs):
            return f"{name}: {len(ours)} from the dataplane, {len(theirs)} from replay"
    return None


def match(binary, weir, scenario_py, scenario):
    """How many runs agreed; the first that does not is an error."""
    with dataplane.Folder(dataplane=binary, weir=weir) as folder:
        options, counts_alone, wanted = prepare(folder, scenario_py, scenario)
        counts = (1,) if counts_alone else (1, 2, 4) if "fragment" in scenario else (1, 2)
        for workers in counts:
            code, said = folder.run(options, DEVICES, workers)
            assert code == 0, f"{os.path.basename(scenario)}, {workers} workers: exit code {code}\n{said}"
            differ = differences(sent(folder, "lines", "inside.out", "outside.out"), wanted)
            assert differ is None, f"{os.path.basename(scenario)}, {workers} workers: {differ}"
    return len(wanted[0]), len(counts)


def main():
    binary, weir, scenario_py, *scenarios = sys.argv[1:]
    if not scenarios:
        scenarios = sorted(glob.glob(os.path.join(os.path.dirname(scenario_py), "scenarios", "*.scenario")))
        scenarios = [path for path in scenarios if "syn_proxy_answered" not in open(path, encoding="utf-8").read()]
    packets = runs = 0
    failed = []
    for scenario in scenarios:
        try:
            judged, done = match(binary, weir, scenario_py, scenario)
            packets, runs = packets + judged, runs + done
        except AssertionError as error:
            failed.append(str(error))
    print(*failed, f"{len(scenarios)} scenarios, {packets} packets, {runs} runs: {len(failed)} differ", sep="\n")
    return 1 if failed or not scenarios else 0


sys.exit(main())
