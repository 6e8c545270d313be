#!/usr/bin/python3
"""Captures that others have made, as Weir's parser reads them beside tshark: which frames Weir would drop as malformed
and tshark finds nothing wrong with, and RDMA packets by opcode, which must be as many. Fails where either differs.
The captures are the caller's: none lies in this repository (docs/captures.md names those that were tried).

usage: captures.py PARSE_LINES RDMA_LINES CAPTURE...   (the test binaries that print how we read a capture)"""
import collections
import json
import os
import subprocess
import sys
import tempfile

# What Weir refuses by choice, of frames that hold together.
REFUSED = {"ethertype_unknown", "ieee_802_3", "link_local_protocol", "mac_source_invalid", "source_martian",
           "target_martian", "land", "ttl_zero", "vlan_too_deep", "tunnel_too_deep", "tunnel_vlan", "roce_v1"}
FIELDS = ["_ws.malformed", "_ws.expert.severity", "ip.checksum.status", "infiniband.bth.opcode",
          "infiniband.bth.destqp", "infiniband.bth.psn"]
EXPERT_ERROR, CHECKSUM_BAD = 8388608, "0"


def lines_of(binary, capture):
    """What the binary says of each frame; it reads classic captures of this machine's order, which editcap writes."""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as plain:
        made = subprocess.run(["editcap", "-F", "pcap", capture, plain.name], capture_output=True, check=False)
        if made.returncode != 0:
            return None
        run = subprocess.run([binary, plain.name], capture_output=True, text=True, check=False)
    return [json.loads(line) for line in run.stdout.splitlines()] if run.returncode == 0 else None


def tshark_of(capture):
    """Per frame, its fields. RDMA whatever the source port is called."""
    rdma = subprocess.run(["tshark", "-n", "-r", capture, "-Y", "udp.dstport == 4791", "-T", "fields", "-e",
                           "udp.srcport"], capture_output=True, text=True, check=True).stdout.split()
    ports = [word for port in sorted({number.split(",")[0] for number in rdma})
             for word in ("-d", f"udp.port=={port},infiniband")]
    run = subprocess.run(["tshark", "-n", "-r", capture, "-o", "ip.check_checksum:TRUE", *ports, "-T", "fields",
                          *[word for field in FIELDS for word in ("-e", field)]],
                         capture_output=True, text=True, check=True)
    return [dict(zip(FIELDS, line.split("\t"))) for line in run.stdout.rstrip("\n").split("\n")]


def finds_fault(frame):
    severities = [int(one) for one in frame["_ws.expert.severity"].split(",") if one]
    return (frame["_ws.malformed"] != "" or max(severities, default=0) >= EXPERT_ERROR
            or CHECKSUM_BAD in frame["ip.checksum.status"].split(","))


def compare(parse_lines, rdma_lines, capture):
    ours = lines_of(parse_lines, capture)
    if ours is None:
        print(f"{os.path.basename(capture)}: not a capture of Ethernet frames")
        return True
    theirs = tshark_of(capture)
    assert len(ours) == len(theirs), (len(ours), len(theirs))
    alone = collections.Counter(mine["reason"] for mine, frame in zip(ours, theirs)
                                if mine["reason"] not in ("", *REFUSED) and not finds_fault(frame))
    refused = collections.Counter(mine["reason"] for mine in ours if mine["reason"] in REFUSED)
    read = lines_of(rdma_lines, capture)
    rdma = [[line[name] for name in ("opcode", "qp", "psn")] if "opcode" in line else None for line in read]
    said = [[int(frame[f"infiniband.bth.{name}"].split(",")[0], 0) for name in ("opcode", "destqp", "psn")]
            if frame["infiniband.bth.opcode"] else None for frame in theirs]
    opcodes = collections.Counter(line[0] for line in rdma if line)
    right = sum(line.get("icrc", False) for line in read)
    print(f"{os.path.basename(capture)}: {len(ours)} packets, malformed to us alone {dict(alone)}, "
          f"refused by choice {dict(refused)}, RDMA by opcode {dict(sorted(opcodes.items()))} "
          f"({right} with the right ICRC)")
    different = sum(mine != other for mine, other in zip(rdma, said))
    if different:
        print(f"  of {different} packets tshark says another opcode, queue pair or number")
    return not alone and different == 0


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    results = [compare(*sys.argv[1:3], capture) for capture in sys.argv[3:]]
    sys.exit(0 if all(results) else 1)


main()
