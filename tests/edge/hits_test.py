#!/usr/bin/env python3
"""What has met each rule: `weir hits` after random traffic counts what the lines of `weir replay` say, whatever the
number of workers; an install begins anew, tells what flows it kept, and remembers what rules of a name met before.

usage: hits_test.py DATAPLANE WEIR [SEED]"""
import collections
import json
import random
import sys

import dataplane
from dataplane import frame, pcap
from watched import Watched, packets

POLICY = """version = 1
policy.name = "hit"
segment.trainers.cidr = ["10.0.1.0/24"]
segment.store.cidr = ["10.1.1.0/24"]
segment.vault.cidr = ["10.1.1.128/25"]
service.dns = { udp = [53] }
service.time = { udp = [123] }
service.both = { udp = ["50-130"] }
[[allow]]
name = "wide"
from = "trainers"
to = "store"
with = ["both"]
[[allow]]
name = "narrow"
from = "trainers"
to = "vault"
with = ["dns"]
[[allow]]
name = "never"
from = "vault"
to = "trainers"
with = ["time"]
[[forbid]]
name = "no-time"
from = "trainers"
to = "vault"
with = ["time"]
[[forbid]]
name = "unmet"
from = "store"
to = "trainers"
with = ["dns"]
[[limit]]
name = "slow"
from = "trainers"
to = "vault"
with = ["dns"]
new_connections = "3/min"
"""
START = 1_700_000_000 * 10**6
DEVICES = ["net_pcap0,rx_pcap=in.pcap,tx_pcap=in.out", "net_pcap1,rx_pcap=out.pcap,tx_pcap=out.out"]


def traffic(choose):
    """Packets of both sides in order of time: some repeat, so that most are of known flows."""
    inside, outside = [], []
    for index in range(600):
        meant = (f"10.0.1.{choose.randrange(1, 4)}", f"10.1.1.{choose.choice([7, 8, 129])}",
                 choose.choice([53, 60, 123, 500]), choose.randrange(2000, 2012))
        reply = choose.random() < 0.3
        (outside if reply else inside).append((START + index * 1000, frame(*meant, reply=reply)))
    return pcap(inside), pcap(outside)


def said_by_lines(lines):
    """By rule: flows that began by it and packets that it, or something else, denied."""
    met, seen = collections.defaultdict(lambda: [0, 0]), set()
    forbids = {"no-time", "unmet"}
    for line in map(json.loads, lines):
        if line["rule"] is None:
            continue
        begins = line["flow"] is not None and line["flow"] not in seen
        seen.add(line["flow"])
        denied = not begins and (line["verdict"] == "drop" or line["rule"] in forbids)
        row = met[line["rule"]]
        row[0] += begins
        row[1] += denied
    return {name: tuple(row) for name, row in met.items() if row[0] + row[1]}


def told(folder, *options, code=0):
    ended = folder.call("weir", "hits", "-o", "json", *options)
    assert ended.returncode == code, ended
    return json.loads(ended.stdout)


def random_traffic(binary, weir, seed):
    with dataplane.Folder(dataplane=binary, weir=weir) as folder:
        folder.write("hit.toml", POLICY.encode())
        made = folder.call("weir", "compile", "hit.toml", "-o", "hit.img", "--generation", "5")
        assert made.returncode == 0, made
        inside, outside = traffic(random.Random(seed))
        folder.write("in.pcap", inside), folder.write("out.pcap", outside)
        replayed = folder.call("weir", "replay", "hit.img", "--inside", "in.pcap", "--outside", "out.pcap", "--write",
                               "replayed")
        assert replayed.returncode == 0, replayed
        due = said_by_lines(folder.read("replayed/decisions.jsonl").decode().splitlines())
        assert len(due) >= 3 and any(row[1] for row in due.values()) and sum(row[0] for row in due.values()) > 20, due
        for workers in (1, 2):
            code, said = folder.run(["--pair", "inside=net_pcap0,outside=net_pcap1", "--policy", "hit.img", "--stats",
                                     "stats"], DEVICES, workers)
            assert code == 0, said
            rows = told(folder, "--stats", "stats", "--policy", "hit.img")
            assert rows["generation"] == 5 and len(rows["rules"]) == 5, rows
            met = {row["rule"]: (row["opened"], row["dropped"]) for row in rows["rules"] if not row["is_dead"]}
            assert met == due, f"{workers} workers, seed {seed}: {met} and not {due}"
            assert all(row["last"].startswith("2023-11-14T22:13") for row in rows["rules"] if not row["is_dead"]), rows
            dead = folder.call("weir", "hits", "--stats", "stats", "--policy", "hit.img", "--dead")
            assert dead.returncode == 1 and "allow  never  hit.toml:20" in dead.stdout, dead
            assert "forbid unmet  hit.toml:30" in dead.stdout, dead
            counted = folder.call("weir", "metrics", "--stats", "stats", "--policy", "hit.img").stdout
            for name, row in met.items():
                kind = "forbid" if name == "no-time" else "allow"
                assert f'weir_rule_hits_total{{rule="{name}",kind="{kind}"}} {sum(row)}' in counted, (name, counted)
            assert f"weir_rules_dead {5 - len(met)}\n" in counted, counted


def over_installs(binary, weir):
    """Three generations: what is kept, what came before, and what a policy without the rule forgets."""
    with dataplane.Folder(dataplane=binary, weir=weir) as folder:
        watched = Watched(folder)
        try:
            watched.send(packets(4, 53))

            def hits(name):
                rows = told(folder, "--stats", "stats", "--door", "door")
                return {row["rule"]: row for row in rows["rules"]}.get(name)

            def install(generation, text):
                folder.write("next.toml", text.encode())
                watched.ask("compile", "next.toml", "-o", "next.img", "--generation", str(generation))
                watched.ask("door", "door", "install", "next.img")

            first = hits("resolve")
            assert (first["opened"], first["kept"], first["dropped"], first["before"]["opened"]) == (4, 0, 0, 0), first
            assert hits("clock")["is_dead"]
            text = folder.read("watched.toml").decode()
            install(8, text.replace('name = "clock"', 'name = "hour"'))
            assert not hits("resolve")["is_dead"] and hits("resolve")["before"]["opened"] == 4 and hits("clock") is None
            watched.send(packets(5, 53))  # four of them are of flows that the policy before allowed
            second = hits("resolve")
            assert (second["opened"], second["kept"], second["before"]["opened"]) == (1, 4, 4), second
            install(9, text.replace("udp = [53]", "udp = [54]"))
            watched.send(packets(5, 53))
            third = hits("resolve")
            assert third["before"]["opened"] == 5 and third["before"]["kept"] == 4 and third["opened"] == 0, third
            assert hits("clock")["is_dead"], "what rules of a name met is forgotten where a policy lacks the name"
        finally:
            watched.end()


def refusals(binary, weir):
    with dataplane.Folder(dataplane=binary, weir=weir) as folder:
        folder.write("in.pcap", pcap([])), folder.write("out.pcap", pcap([]))
        code, said = folder.run(["--pair", "inside=net_pcap0,outside=net_pcap1", "--stats", "stats"], DEVICES)
        assert code == 0, said
        none = folder.call("weir", "hits", "--stats", "stats")
        assert none.returncode == 1 and "no policy is in force" in none.stderr, none
        assert folder.call("weir", "hits", "--stats", "nowhere").returncode == 3


def main(binary, weir, *seeds):
    for seed in map(int, seeds or ("1", "2", "3")):
        random_traffic(binary, weir, seed)
    over_installs(binary, weir)
    refusals(binary, weir)
    print("hits agree with decisions")


main(*sys.argv[1:])
