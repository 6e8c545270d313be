#!/usr/bin/env python3
"""1,000 policies put in force through the door, one after another, under traffic that two workers share and hand over.

The two policies say the same about eight conversations and number everything differently (tests/property/flip_mixture):
a packet judged by tables of both would get a verdict that neither gives. Frames that both allow are 100 bytes long,
frames that both deny 60, so that the counters of bytes betray a single wrong verdict among millions.

usage: flip_test.py DATAPLANE FLIP_DOOR MAKE_IMAGE REASON_HPP [FLIPS]"""
import sys
import time

import dataplane

ALLOWED = [(1, 1, 53), (2, 2, 123)]


def capture():
    packets = []
    for source_port in range(2000, 2064):
        for client in (1, 2):
            for server in (1, 2):
                for port in (53, 123):
                    payload = bytes(58) if (client, server, port) in ALLOWED else b""
                    packets.append((len(packets), dataplane.frame(f"10.0.{client}.5", f"10.1.{server}.5", port,
                                                                  source_port, payload)))
    return dataplane.pcap(packets)


def main():
    binary, flip_door, make_image, header = sys.argv[1:5]
    flips = int(sys.argv[5]) if len(sys.argv) > 5 else 1000
    with dataplane.Folder(dataplane=binary, flip_door=flip_door, make_image=make_image) as folder:
        folder.write("loop.pcap", capture())
        assert folder.call("make_image", "a", 1, "first.img").returncode == 0
        run = folder.start(["--policy", "first.img", "--pair", "inside=net_pcap0,outside=net_null0", "--door", "door",
                            "--stats", "stats", "--flows", "4096"],
                           ["net_pcap0,rx_pcap=loop.pcap,rx_pcap=loop.pcap,infinite_rx=1", "net_null0,no-rx=1"],
                           workers=2)
        try:
            run.wait_for("live")
            started = time.monotonic()
            flipped = folder.call("flip_door", "door", 2, flips, 1, timeout=120)
            seconds = time.monotonic() - started
            assert flipped.returncode == 0, flipped.stderr
            code, said = run.stop()
        finally:
            run.kill()
        assert code == 0, said
        judge(dataplane.stats_of(folder.read("stats"), dataplane.reasons_in(header)), said, flips)
        least, median, greatest = flipped.stdout.split()
        print(f"{flips} flips in {seconds:.1f} s; blocked us: min {least}, median {median}, max {greatest}")


def judge(workers, said, flips):
    packets = {name: sum(worker["packets"][name] for worker in workers) for name in workers[0]["packets"]}
    octets = {name: sum(worker["bytes"][name] for worker in workers) for name in workers[0]["bytes"]}
    met = {name for name, count in packets.items() if count}
    assert met <= {"flow_new", "flow_established", "no_allow", "handover_full"}, met
    for name, length in (("flow_new", 100), ("flow_established", 100), ("no_allow", 60)):
        assert packets[name] > 0 and octets[name] == length * packets[name], f"{name}: a mixed verdict\n{said}"
    for worker in workers:
        assert worker["received"] == sum(worker["packets"].values()) + worker["handed_over"], said
        assert worker["handed_over"] > 0 and worker["unsent"] == 0, said
        assert worker["flows_revoked"] == 0, said
        assert worker["flows_judged_again"] >= flips, "flows have met less policies than there were"
    total = sum(packets.values())
    handed = sum(worker["handed_over"] for worker in workers)
    print(f"{total} packets, {handed} handed over, {packets['handover_full']} "
          "more met a full ring (the loop is faster than two workers); every one judged by one policy")


main()
