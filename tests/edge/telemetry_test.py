#!/usr/bin/env python3
"""What DPDK's telemetry socket tells of Weir is what its decisions were; a worker that is not there is none.

usage: telemetry_test.py DATAPLANE WEIR"""
import json
import os
import socket
import sys

import dataplane
from watched import Watched, packets


def ask(path, command):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
        one.settimeout(20)
        one.connect(path)
        assert "max_output_len" in json.loads(one.recv(1024))
        one.send(command.encode())
        return json.loads(one.recv(1 << 16))[command.split(",")[0]]


def main(binary, weir):
    with dataplane.Folder(dataplane=binary, weir=weir) as folder:
        # A place of its own for EAL's run-time files: who runs this may be root, and others run DPDK here, too.
        os.environ["XDG_RUNTIME_DIR"] = folder.path
        dataplane.NO_HUGE.remove("--no-telemetry")
        one = Watched(folder)
        try:
            one.send(packets(3, 53) + packets(4, 99))
            path = folder.file("dpdk/rte/dpdk_telemetry.v2")
            told = ask(path, "/weir/reasons")
            assert told["flow_new_packets"] == 3 and told["no_allow_packets"] == 4, told
            assert told["no_allow_bytes"] == sum(len(frame) for frame in packets(4, 99)), told
            assert ask(path, "/weir/workers") == [0, 1]
            both = [ask(path, f"/weir/workers,{number}") for number in (0, 1)]
            assert sum(each["flows_opened"] for each in both) == 3 and "heartbeat_us" in both[0], both
            for wrong in ("/weir/workers,2", "/weir/workers,-1", "/weir/workers,0x", "/weir/workers,99999999999"):
                assert ask(path, wrong) is None, wrong
            assert "/weir/reasons" in ask(path, "/")
        finally:
            one.end()


main(*sys.argv[1:])
