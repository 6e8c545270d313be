#!/usr/bin/env python3
"""Hosts and flows in quarantine at a real dataplane: flows that are open end with the next packet, new ones do not
begin, an install changes nothing about it, and what is let go goes on.

usage: quarantine_test.py DATAPLANE WEIR"""
import json
import os
import socket
import struct
import sys

import dataplane
from dataplane import frame
from watched import Watched, packets

HOST, FLOW = "10.0.1.5", "udp 10.0.1.5:2000 > 10.1.1.5:53"


def reasons(watched):
    said = json.loads(watched.ask("counters", "--stats", "stats", "-o", "json"))["sum"]["reasons"]
    return {name: row["packets"] for name, row in said.items() if name != "mac_source_invalid"}


def counted(watched, frames):
    """By what reasons these packets ended."""
    before = reasons(watched)
    watched.send(frames)
    after = reasons(watched)
    return {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}


def act(watched, *words):
    return json.loads(watched.ask("quarantine", "door", *words, "-o", "json"))


def hosts(watched):
    assert counted(watched, packets(3, 53)) == {"flow_new": 3}
    assert counted(watched, packets(3, 53, source="10.0.1.6")) == {"flow_new": 3}
    put = act(watched, "put", HOST)
    assert put["hosts"] == [HOST] and put["quarantined"] == "1 host", put
    assert counted(watched, packets(3, 53)) == {"quarantined_host": 3}, "open flows end"
    assert counted(watched, packets(1, 123)) == {"quarantined_host": 1}, "new ones do not begin"
    assert counted(watched, packets(3, 53, source="10.0.1.6")) == {"flow_established": 3}, "nobody else is met"
    health = watched.folder.call("weir", "health", "door")
    assert health.returncode == 1 and "CUT OFF: 1 host" in health.stdout, health
    assert "weir_quarantined 1" in watched.ask("metrics", "--stats", "stats", "--door", "door")
    watched.ask("compile", "watched.toml", "-o", "next.img", "--generation", "8")
    watched.ask("door", "door", "install", "next.img")
    assert counted(watched, packets(3, 53)) == {"quarantined_host": 3}, "an install changes nothing about it"
    free = act(watched, "free", HOST)
    assert free["hosts"] == [] and free["quarantined"] == "", free
    assert counted(watched, packets(3, 53)) == {"flow_established": 3}, "flows go on"
    again = watched.folder.call("weir", "quarantine", "door", "free", HOST)
    assert again.returncode == 1 and "not in quarantine" in again.stderr, again


def flows(watched):
    put = act(watched, "put", FLOW)
    assert put["flows"] == [{"flow": FLOW, "left_s": None}] and put["quarantined"] == "1 flow", put
    assert counted(watched, packets(3, 53)) == {"quarantined_host": 1, "flow_established": 2}
    put = act(watched, "put", FLOW, "--for", "90s")  # the time of captures, which stands still between frames
    assert len(put["flows"]) == 1 and 0 < put["flows"][0]["left_s"] <= 90, put
    assert counted(watched, packets(3, 53)) == {"quarantined_host": 1, "flow_established": 2}
    watched.micros += 90 * 10**6
    last = counted(watched, packets(1, 53))
    assert "quarantined_host" not in last, last
    assert act(watched, "list")["flows"] == []


def refusals(watched):
    for what in ("nobody", "10.0.1.5:53", "tcp 10.0.1.5 > 10.1.1.5:53", "icmp 10.0.1.5:1 > 10.1.1.5:2", "10.0.1.0/24",
                 "tcp 2001:db8::1:5 > 10.1.1.5:53", ""):
        ended = watched.folder.call("weir", "quarantine", "door", "put", what)
        assert ended.returncode == 2, (what, ended)
    assert watched.folder.call("weir", "quarantine", "door", "put", HOST, "--for", "5m").returncode == 2
    mixed = watched.folder.call("weir", "quarantine", "door", "put", "tcp [2001:db8::1]:5 > 10.1.1.5:53")
    assert mixed.returncode == 1 and "one family" in mixed.stderr, mixed
    assert watched.folder.call("weir", "quarantine", "nowhere", "list").returncode == 3


def full(watched):
    """256 places, asked for at the door itself."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.connect(watched.folder.file("door"))
    version = door_version()

    def ask(number, number_of_act):
        row = struct.pack("<Q4QHHB3xQ", 0x3152524155515757, *[2**64 - 1, 0x0100000A + (number << 24)] * 2, 0, 0, 0, 0)
        file = os.memfd_create("row")
        os.write(file, row)
        socket.send_fds(door, [struct.pack("<IHHII64sQ", 0x524F4F44, version, number_of_act, 0, 0, b"", 0)], [file])
        os.close(file)
        return struct.unpack_from("<IHH", door.recv(4096))[2]

    assert [ask(number, 15) for number in range(256)] == [0] * 256
    ended = watched.folder.call("weir", "quarantine", "door", "put", "10.9.9.9")
    assert ended.returncode == 1 and "256 hosts and flows are in quarantine: let one go first" in ended.stderr, ended
    assert len(act(watched, "list")["hosts"]) == 256 and act(watched, "list")["quarantined"] == "256 hosts"
    assert [ask(number, 16) for number in range(256)] == [0] * 256
    assert act(watched, "list")["hosts"] == []
    door.close()


def door_version():
    header = os.path.join(os.path.dirname(__file__), "..", "..", "dataplane", "share", "door.hpp")
    with open(header, encoding="utf-8") as file:
        return int(file.read().split("version_value = ")[1].split(";")[0])


def main(binary, weir):
    with dataplane.Folder(dataplane=binary, weir=weir) as folder:
        watched = Watched(folder)
        try:
            for case in (hosts, flows, refusals, full):
                case(watched)
                print("ok   ", case.__name__)
            assert counted(watched, [frame(HOST, "10.1.1.5", 53, 4000)]) == {"flow_new": 1}
        finally:
            watched.end()


main(*sys.argv[1:])
