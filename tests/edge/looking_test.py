#!/usr/bin/env python3
"""Looking at a running dataplane: flows, status and watch over its door and its stats file, with names that the door
hands over. The dataplane reads captures from pipes, so that time stands still while it is asked.

usage: looking_test.py DATAPLANE WEIR"""
import json
import signal
import subprocess
import sys
import time

import dataplane
from watched import POLICY, Watched, packets


def flows_have_names(watched):
    watched.send(packets(3, 53) + packets(2, 123) + packets(1, 99))
    flows = watched.flows()
    assert len(flows) == 5, flows
    one = min((flow for flow in flows if flow["target_port"] == 53), key=lambda flow: flow["source_port"])
    at = POLICY.splitlines().index('name = "resolve"') + 1
    assert (one["source"], one["source_port"], one["target"], one["protocol"]) == ("10.0.1.5", 2000, "10.1.1.5", "udp")
    assert (one["from"], one["to"], one["rule"], one["at"]) == ("trainers", "store", "resolve", f"watched.toml:{at}")
    assert one["judged"] == "now" and one["state"] == "one_way" and one["idle_s"] < 3 and one["left_s"] > 1, one
    assert {flow["worker"] for flow in flows} <= {0, 1}
    assert len(watched.flows("rule", "clock")) == 2 and len(watched.flows("dst segment store and port 53")) == 3
    assert watched.flows("src segment store") == [] and len(watched.flows("not rule clock")) == 3
    text = watched.ask("flows", "door", "port 2000 and port 53")
    assert "udp   10.0.1.5:2000 (trainers) > 10.1.1.5:53 (store)  rule resolve, one_way" in text, text
    assert text.endswith("1 of 5 flows\n"), text
    said = watched.ask("flows", "door", "prt 53", code=2)
    assert "`prt` is none of" in said and said.splitlines()[-1].endswith("^"), said
    watched.ask("flows", "absent", code=3)


def many_flows_come_in_pieces(watched):
    """More than a worker tells at once, with none twice and none left out."""
    watched.send([data for source in range(5, 9) for data in packets(3000, 53, f"10.0.1.{source}")])
    flows = watched.flows("rule resolve")
    assert len(flows) == len({(flow["source"], flow["source_port"]) for flow in flows}) == 12000, len(flows)


def flows_of_an_older_policy_have_no_rule(watched):
    watched.folder.write("next.toml", POLICY.replace('"clock"', '"other"').replace("[123]", "[124]").encode())
    watched.ask("compile", "next.toml", "-o", "next.img", "--generation", "8")
    watched.ask("door", "door", "install", "next.img")
    flows = watched.flows("dst port 123")
    assert len(flows) == 2, flows
    assert all("rule" not in flow and flow["judged"] in ("before", "revoked") for flow in flows), flows


def health_is_for_people(watched):
    text = watched.ask("health", "door")
    assert "policy     watched, generation 8" in text and "workers    all 2 answer" in text, text
    assert "no_allow" in text and "none: what a budget covers is denied" in text and "!" not in text, text
    made = json.loads(watched.ask("health", "door", "-o", "json"))
    assert made["needs_somebody"] is False and made["workers_answer"] is True and made["flows"] > 0, made


def watch_beside_a_reader(watched):
    """A reader takes events; who watches sees them too."""
    watched.ask("events", "--stats", "stats", "--log", "before.json", "--once")
    reader = subprocess.Popen([watched.folder.programs["weir"], "events", "--stats", "stats", "--log", "eve.json"],
                              cwd=watched.folder.path, **watched.folder.user)
    lines = watched.folder.file("watched")
    try:
        time.sleep(0.3)
        with open(lines, "wb") as out:
            looker = subprocess.Popen([watched.folder.programs["weir"], "watch", "--stats", "stats", "--door", "door",
                                       "reason no_allow and dst segment store"], cwd=watched.folder.path, stdout=out,
                                      stderr=subprocess.STDOUT, **watched.folder.user)
            time.sleep(0.3)
            watched.send(packets(4, 99, "10.0.1.9") + packets(2, 53, "10.0.1.9"))
            time.sleep(0.5)
            looker.send_signal(signal.SIGINT)
            assert looker.wait(10) == 0
    finally:
        reader.send_signal(signal.SIGTERM)
        assert reader.wait(10) == 0
    with open(lines, encoding="utf-8") as file:
        text = file.read()
    assert text.count("packet_dropped") == 4 and text.count("\n") == 4, text
    assert "udp   10.0.1.9:2000 (trainers) > 10.1.1.5:99 (store)  no_allow" in text, text
    logged = [json.loads(line) for line in watched.folder.read("eve.json").decode().splitlines()]
    assert sum(line["event_type"] == "drop" for line in logged) == 4, logged
    assert sum(line["event_type"] == "flow" for line in logged) == 2, logged


def watch_alone_takes(watched):
    watched.send(packets(3, 53, "10.0.1.77"))
    text = watched.ask("watch", "--stats", "stats", "--policy", "next.img", "--count", "3", "event flow_opened")
    assert text.count("flow_opened") == 3 and "allow resolve next.toml:" in text, text


def main(binary, weir):
    with dataplane.Folder(dataplane=binary, weir=weir) as folder:
        watched = Watched(folder)
        try:
            for case in (flows_have_names, many_flows_come_in_pieces, flows_of_an_older_policy_have_no_rule,
                         health_is_for_people, watch_beside_a_reader, watch_alone_takes):
                case(watched)
                print(f"ok   {case.__name__}")
        finally:
            watched.end()


main(*sys.argv[1:])
