#!/usr/bin/env python3
"""A policy in monitor mode, its event log, the draft that `weir recommend` makes of it, and the same packets under the
policy with the draft, enforced: then no allow is missing, and a forbid denies as before.

usage: recommend_test.py DATAPLANE WEIR"""
import collections
import json
import os
import sys

import dataplane
from dataplane import decisions_of, frame, pcap
from watched import Watched

START = 1_700_000_000 * 10**6
POLICY = """version = 1
[policy]
name = "first-week"
mode = "monitor"
[segment]
trainers = { cidr = ["10.0.1.0/24"] }
store = { cidr = ["10.1.1.0/24"] }
[service]
dns = { udp = [53] }
clock = { udp = [123] }
[[allow]]
name = "resolve"
from = "trainers"
to = "store"
with = ["dns"]
[[forbid]]
name = "no-clock"
from = "trainers"
to = "store"
with = ["clock"]
[[limit]]
name = "few"
from = "trainers"
to = "store"
with = ["dns"]
per = "rule"
new_connections = "1/min"
"""


def packets():
    """By port: dns is allowed, the clock is forbidden, 99 and 7000 to 7019 nobody thought of; and one to nowhere."""
    wanted = [53] * 2 + [123] * 3 + [99] * 4 + list(range(7000, 7020))
    made = [frame("10.0.1.5", "10.1.1.5", port, 2000 + n) for n, port in enumerate(wanted)]
    made.append(frame("10.0.1.6", "192.0.2.1", 514, 3000))
    return [(START + n * 100, one) for n, one in enumerate(made)]


def judged(folder, policy):
    """What became of the packets, by reason and rule."""
    made = folder.call("weir", "compile", policy, "-o", "seen.img")
    assert made.returncode == 0, made
    folder.write("in.pcap", pcap(packets()))
    folder.write("out.pcap", pcap([]))
    code, said = folder.run(["--pair", "inside=net_pcap0,outside=net_pcap1", "--policy", "seen.img",
                             "--decisions", "lines", "--stats", "stats"],
                            ["net_pcap0,rx_pcap=in.pcap,tx_pcap=in.out", "net_pcap1,rx_pcap=out.pcap,tx_pcap=out.out"])
    assert code == 0, said
    return collections.Counter((one["reason"], one.get("rule") or "") for one in decisions_of(folder.read("lines")))


def recommended(folder, *words, code=0):
    ended = folder.call("weir", "recommend", "policy.toml", *words)
    assert ended.returncode == code, ended
    return ended


def health_says_so(folder):
    """A running dataplane that only watches is not well; one that enforces the same policy is."""
    for policy, code in ((POLICY, 1), (POLICY.replace('mode = "monitor"\n', ""), 0)):
        for name in ("inside", "outside", "door"):
            if os.path.exists(folder.file(name)):
                os.remove(folder.file(name))
        watched = Watched(folder, 1, policy)
        try:
            said = folder.call("weir", "health", "door")
            assert said.returncode == code and ("MONITOR MODE" in said.stdout) == (code == 1), said
        finally:
            watched.end()


def main(binary, weir):
    with dataplane.Folder(dataplane=binary, weir=weir) as folder:
        health_says_so(folder)
    with dataplane.Folder(dataplane=binary, weir=weir) as folder:
        folder.write("policy.toml", POLICY.encode())
        watched = judged(folder, "policy.toml")
        assert watched == {("flow_new", "resolve"): 2, ("flow_new", "no-clock"): 3,
                           ("flow_new", "policy.mode"): 25}, watched
        counted = json.loads(folder.call("weir", "counters", "--stats", "stats", "-o", "json").stdout)["sum"]
        assert counted["limits_watched"] == 1, counted  # of two, one a minute
        taken = folder.call("weir", "events", "--stats", "stats", "--log", "eve.json", "--once", "--policy", "seen.img")
        assert taken.returncode == 0, taken

        draft = recommended(folder, "eve.json").stdout
        print(draft)
        assert 'name = "trainers-to-store"' in draft and 'with = ["udp-99", "udp-7000-to-7019"]' in draft, draft
        assert "# 24 connections by 1 source to 1 target" in draft, draft
        assert "10.0.1.6" not in draft and "192.0.2.1, in no segment: udp-514, 1 time:" in draft, draft
        assert "`trainers` > `store`: forbid `no-clock` would deny it, 3 times" in draft, draft
        assert 'owner = ""' in draft and 'why = ""' in draft, draft
        rare = recommended(folder, "eve.json", "--least", "2").stdout
        assert "udp-7000" not in rare and "udp-99" in rare and "21 kinds, each seen fewer than 2 times" in rare, rare

        os.mkdir(folder.file("policy.d"))
        folder.write("policy.d/recommended.toml", draft.encode())
        folder.write("policy.toml", POLICY.replace('mode = "monitor"\n', "").encode())
        enforced = judged(folder, "policy.toml")
        assert enforced == {("flow_new", "resolve"): 1, ("limit_new", "resolve"): 1, ("forbidden", "no-clock"): 3,
                            ("flow_new", "trainers-to-store"): 24, ("no_allow", ""): 1}, enforced
        assert "There is nothing to allow." in recommended(folder, "/dev/null").stdout
        folder.write("odd.json", b'{"event_type": "flow"}\nno line\n' + json.dumps({"weir": []}).encode())
        assert "3 of 3 lines are no events" in recommended(folder, "odd.json").stderr
        forged = {"timestamp": "2026\n[[allow]]", "proto": "UDP", "dest_port": 5, "src_ip": "10.0.1.1\n[[allow]]",
                  "weir": {"event": "packet_dropped", "reason": "no_allow", "from": "trainers", "to": "store"}}
        nowhere = {**forged, "weir": {**forged["weir"], "from": ""}}
        folder.write("forged.json", (json.dumps(forged) + "\n" + json.dumps(nowhere)).encode())
        assert recommended(folder, "forged.json").stdout.count("\n[[allow]]") == 1, "a log writes no rules"
        recommended(folder, "absent.json", code=2)


main(*sys.argv[1:])
