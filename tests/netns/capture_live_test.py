#!/usr/bin/python3
"""Packets off live ports, between two namespaces: of what scapy sends, what is dropped and what passes comes out of
`weir capture` byte for byte, with what became of it; `weir trace` tells of a dropped, a new and an established packet
what each met.

usage: capture_live_test.py DATAPLANE WEIR
needs root; says why and exits with 77 where it cannot run."""
import json
import logging
import os
import re
import socket
import subprocess
import sys

from namespaces import LEFT, RIGHT, Dataplane, Net, compile_policy, policy_of_two, skip_unless_possible

OPEN, CLOSED = 5000, 22


def act_send(device):
    """Sends each frame that comes in as a line of hex, and says so."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((device, 0))
        print("ready", flush=True)
        for line in sys.stdin:
            raw.send(bytes.fromhex(line))
            print("sent", flush=True)


class Sender:
    def __init__(self, net):
        self.process = net.start("left", sys.executable, os.path.abspath(__file__), "send", "L0", stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def send(self, frames):
        for one in frames:
            self.process.stdin.write(bytes(one).hex() + "\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline() == "sent\n"


def asked(net, weir, command, *words):
    process = subprocess.Popen([weir, command, f"{net.folder}/door", *map(str, words)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    net.processes.append(process)
    line = process.stderr.readline()
    assert "waits for packets" in line, line
    return process


def ended(process):
    out, said = process.communicate(timeout=30)
    assert process.returncode == 0, (out, said)
    return out


def comments(path):
    told = subprocess.run(["tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.interface_name", "-e",
                           "frame.comment"], capture_output=True, text=True, check=True)
    return [line.split("\t") for line in told.stdout.splitlines()]


def main(binary, weir):
    skip_unless_possible("af_packet", "tshark")
    logging.getLogger("scapy").setLevel(logging.ERROR)  # it finds comments above 127 letters odd
    from scapy.all import IP, TCP, UDP, Ether, PcapNgReader, Raw
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    ends = {"src": LEFT[0], "dst": RIGHT[0]}
    denied = [bytes(ether / IP(id=n, **ends) / TCP(sport=40000 + n, dport=CLOSED, seq=n, options=[("MSS", 1460)]))
              for n in range(20)]
    passing = [bytes(ether / IP(id=n, **ends) / UDP(sport=4000, dport=OPEN) / Raw(os.urandom(30 + n * 60)))
               for n in range(12)]
    with Net("left", "mid", "right") as net:
        net.link("left", "L0", "mid", "L1")
        net.link("right", "R0", "mid", "R1")
        compile_policy(net, weir, policy_of_two("shown", {"data": f"udp = [{OPEN}]"}))
        dataplane = Dataplane(net, "mid", binary, ["net_af_packet0,iface=L1", "net_af_packet1,iface=R1"],
                              options=["--door", f"{net.folder}/door"])
        sender = Sender(net)
        path = f"{net.folder}/denied.pcapng"
        capture = asked(net, weir, "capture", "--reason", "no_allow", "--from", "left", "--to", "right", "-c", 20, "-w",
                        path)
        sender.send([*passing[:1], *denied])
        ended(capture)
        with PcapNgReader(path) as reader:
            shown = [bytes(one) for one in reader]
        assert shown == denied, "byte for byte, in order"
        for interface, comment in comments(path):
            assert interface == "net_af_packet0", interface
            assert comment.startswith("drop no_allow: no allow covers it | left > right | generation "), comment
        path = f"{net.folder}/passing.pcapng"
        capture = asked(net, weir, "capture", "-c", 12, "-w", path, "udp", "and", "src", "host", LEFT[0])
        sender.send([*denied, *passing])
        ended(capture)
        with PcapNgReader(path) as reader:
            assert [bytes(one) for one in reader] == passing, "established ones are shown as well"
        for _, comment in comments(path):
            assert re.match(r"forward flow_established: .* \| allow `left-to-right` ", comment), comment
        trace = asked(net, weir, "trace", "-c", 3, "-o", "json", "host", LEFT[0], "and", "not", "icmp")
        again = bytes(ether / IP(**ends) / UDP(sport=4001, dport=OPEN))
        sender.send([denied[0], again, again])
        lines = [json.loads(line) for line in ended(trace).splitlines()]
        assert [one["reason"] for one in lines] == ["no_allow", "flow_new", "flow_established"], lines
        lost, new, known = lines
        assert "policy" in lost["stages"] and "budgets" not in lost["stages"] and lost["flow_after"] is None, lost
        assert "made by this packet" in new["stages"]["flow after"] and new["flow_before"] is None, new
        assert known["flow_before"]["record"] == new["flow_after"]["record"], known
        assert "as they came" in known["stages"]["outcome"], known
        dataplane.stop()
        assert "is shown 20 packets at most" in dataplane.said(), dataplane.said()
    print("ok: 20 dropped, 12 that pass and 3 traces")


if sys.argv[1] == "send":
    act_send(sys.argv[2])
else:
    main(*sys.argv[1:])
