#!/usr/bin/env python3
"""Huge pages that are not there: a dataplane that is to use them does not start, says what is missing, and takes no
packet; one that may do without says where its tables stand, and judges as ever.

usage: huge_test.py DATAPLANE WEIR
exits with 77 where huge pages are free."""
import os
import subprocess
import sys

import dataplane
from control import policy
from dataplane import decisions_of, frame, pcap
from unkind import skip


def free_pages():
    free = 0
    for size in os.listdir("/sys/kernel/mm/hugepages") if os.path.isdir("/sys/kernel/mm/hugepages") else []:
        with open(f"/sys/kernel/mm/hugepages/{size}/free_hugepages", encoding="utf-8") as file:
            free += int(file.read())
    return free


def needs_them(folder):
    ended = subprocess.run([folder.programs["dataplane"], "--pair", "inside=net_null0,outside=net_null1", "--door",
                            "door", "--", "--no-shconf", "--no-pci", "--no-telemetry", "-m", "192", "--vdev",
                            "net_null0", "--vdev", "net_null1"], cwd=folder.path, capture_output=True, text=True,
                           timeout=60, check=False, **folder.user)
    assert ended.returncode == 1, ended
    assert "EAL does not start" in ended.stderr and "huge" in ended.stderr, ended.stderr
    assert not os.path.exists(folder.file("door")), "there is a door to a dataplane that does not run"


def does_without(folder):
    folder.write("p.toml", policy("plain").replace("tcp = [443]", "udp = [443]").encode())
    made = folder.call("weir", "compile", "p.toml", "-o", "p.img")
    assert made.returncode == 0, made
    folder.write("in.pcap", pcap([(10**15 + n, frame("10.0.0.5", "192.168.0.5", 443 + n)) for n in range(2)]))
    folder.write("out.pcap", pcap([]))
    pair = ["--pair", "inside=net_pcap0,outside=net_pcap1"]
    code, said = folder.run([*pair, "--policy", "p.img", "--decisions", "lines"],
                            ["net_pcap0,rx_pcap=in.pcap,tx_pcap=in.out", "net_pcap1,rx_pcap=out.pcap,tx_pcap=out.out"])
    assert code == 0 and "flow tables stand in ordinary pages: no free huge pages" in said, said
    assert [one["reason"] for one in decisions_of(folder.read("lines"))] == ["flow_new", "no_allow"], said


def main(binary, weir):
    if free_pages() != 0:
        skip("huge pages are free here, and are others' to take")
    with dataplane.Folder(dataplane=binary, weir=weir) as folder:
        for case in (needs_them, does_without):
            case(folder)
            print("ok   ", case.__name__)


main(*sys.argv[1:])
