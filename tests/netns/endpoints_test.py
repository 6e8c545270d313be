#!/usr/bin/env python3
"""Real programs across the live dataplane, over both families: curl, ssh, iperf3, ping, tracepath, and peers that idle,
half-close and use ports again. Files arrive with the same SHA-256, and Weir drops nothing of it but what a case says.

usage: endpoints_test.py PART DATAPLANE WEIR IMPAIR REASON_HPP
PART: plain (veth, nothing between but Weir), tap, workers (two of them, each with queues), jumbo (an MTU of 9000),
      wire (behind Weir a wire that loses, duplicates and reorders 5 %, both ways; then a hop with a small MTU)
WEIR_ENDPOINTS_SCALE=N: files, times and seeds N-fold. Needs root; says why and exits with 77 where it cannot run."""
import os
import re
import sys
import time

from endpoint_world import (CLOSER, ECHO, RIGHT, SSH, WEB, World, same_file)
from namespaces import skip_unless_possible
from witness import Witnesses

SCALE = int(os.environ.get("WEIR_ENDPOINTS_SCALE", "1"))
SSHD = "/usr/sbin/sshd"
# Who resets a connection, or closes it and answers a late copy with RST, leaves the other side's last segments no flow.
AFTER_RESET = frozenset({"tcp_state"})
# A copy that was held up until more than a window had gone by. witness.py shows that its receiver had what is in it.
LATE = frozenset({"tcp_window", "tcp_bad_ack"})


def url(address):
    return f"http://[{address}]:{WEB}" if ":" in address else f"http://{address}:{WEB}"


def start_servers(world):
    world.file("right/down", 4_000_000 * SCALE)
    world.file("left/up", 4_000_000 * SCALE)
    world.serve("right", "web", WEB, os.path.join(world.net.folder, "right"))
    world.serve("right", "echo", ECHO)
    world.serve("right", "close_first", CLOSER)


def case_curl(world, family):
    """One connection fetches a file and puts another; then four at once."""
    folder, base = world.net.folder, url(RIGHT[family])
    curl = ["curl", "-sS", "--fail", "--max-time", "60"]
    world.call("left", *curl, "-o", f"{folder}/left/down", f"{base}/down",
               "--next", *curl[1:], "-T", f"{folder}/left/up", f"{base}/up")
    assert same_file(f"{folder}/left/down", f"{folder}/right/down"), "the file that was fetched differs"
    assert same_file(f"{folder}/left/up", f"{folder}/right/up"), "the file that was put differs"
    many = [word for n in range(4) for word in ("-o", f"{folder}/left/down{n}", f"{base}/down")]
    world.call("left", *curl, "--parallel", *many)
    for n in range(4):
        assert same_file(f"{folder}/left/down{n}", f"{folder}/right/down"), f"parallel file {n} differs"


def start_sshd(world):
    """sshd in the right namespace, all it needs in the net's folder; the client's words up to the host."""
    folder = world.net.folder
    for name in ("host", "client"):
        world.call("left", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{name}")
    with open(f"{folder}/sshd_config", "w", encoding="utf-8") as file:
        file.write(f"Port {SSH}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/client.pub\nStrictModes no\n"
                   f"UsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nPidFile none\nUseDNS no\n")
    os.makedirs("/run/sshd", exist_ok=True)  # where sshd wants to be locked in
    log = open(f"{folder}/sshd.log", "w", encoding="utf-8")
    world.net.start("right", SSHD, "-D", "-e", "-f", f"{folder}/sshd_config", stdout=log, stderr=log)
    world.ssh = ["ssh", "-F", "none", "-p", str(SSH), "-i", f"{folder}/client", "-o", "StrictHostKeyChecking=no", "-o",
                 f"UserKnownHostsFile={folder}/known", "-o", "LogLevel=ERROR", "-o", "ConnectionAttempts=5"]


def case_ssh(world, family):
    folder = world.net.folder
    target = f"root@{RIGHT[family]}"
    said = world.call("left", "sh", "-c", f"exec {' '.join(world.ssh)} {target} "
                      f"'cat >{folder}/right/by-ssh; echo $((6 * 7))' <{folder}/left/up")
    assert said.strip() == "42", said
    assert same_file(f"{folder}/left/up", f"{folder}/right/by-ssh"), "the file that was sent by ssh differs"
    world.call("left", "sh", "-c",
               f"exec {' '.join(world.ssh)} {target} 'cat {folder}/right/down' >{folder}/left/by-ssh")
    assert same_file(f"{folder}/left/by-ssh", f"{folder}/right/down"), "the file that was fetched by ssh differs"


# By family, so that each is seen once: TCP with one and with many streams, from either side, and UDP.
IPERF_TCP = ([[], ["--parallel", "16"]], [["--reverse", "--parallel", "4"]])
IPERF_UDP = ([], ["--reverse"])


def case_iperf(world, family):
    for options in IPERF_TCP[family]:
        end = world.iperf(RIGHT[family], *options, seconds=SCALE)
        rate = end["sum_received"]["bits_per_second"] / 1e6
        print(f"      iperf3 {' '.join(options) or 'one stream'}: {rate:.0f} Mbit/s")
        assert end["sum_received"]["bytes"] > 1_000_000, f"iperf3 {options}: next to nothing arrived"
    end = world.iperf(RIGHT[family], "--udp", "--bitrate", "20M", "--length", "1200",
                      *IPERF_UDP[family], seconds=SCALE)["sum"]
    assert end["packets"] > 100 and end["lost_percent"] < 20, f"iperf3 UDP: {end}"


def case_streams(world, family):
    """32 connections each way at once. Their windows together are smaller than a port's ring: a frame that finds it
    full is put in another queue's (PACKET_FANOUT_FLAG_ROLLOVER), where later ones overtake it."""
    end = world.iperf(RIGHT[family], "--parallel", "32", "--bidir", "--window", "32K", seconds=SCALE)
    assert min(end[name]["bytes"] for name in ("sum_received", "sum_received_bidir_reverse")) > 1_000_000, end


def case_ping(world, family):
    """Every eighth size up to the whole MTU, unfragmented."""
    largest = world.mtu - (28 if family == 0 else 48)
    said = world.call("left", "sh", "-c", "for size in " + " ".join(map(str, [*range(0, 1472, 184), largest])) +
                      f"; do ping -n -M do -c 2 -i 0.02 -w 5 -s $size {RIGHT[family]} || exit 1; done")
    assert said.count("ping statistics") == 9, said  # each has had its two answers


def case_idle(world, family):
    """Silence, and then data over the same connection: without and with keep-alives."""
    world.act("left", "idle", RIGHT[family], ECHO, *(("1.0", "no"), ("2.2", "yes"))[family])


def case_half_close(world, family):
    world.act("left", "half_close", RIGHT[family], ECHO, 1_000_000 * SCALE)


def case_ports_again(world, family):
    """The same four numbers again at once: while the peer is in TIME-WAIT, and after a reset."""
    world.act("left", "reuse", RIGHT[family], CLOSER, 31000 + family, 20, "fin")
    world.act("left", "reuse", RIGHT[family], CLOSER, 31100 + family, 20, "reset")


def case_large_ping(world, family):
    """4,000, 20,000 and 60,000 bytes, in fragments there and back."""
    for size in (4000, 20000, 60000):
        code, said = world.net.call("left", "ping", "-n", "-c", "2", "-i", "0.05", "-W", "1", "-s", size, RIGHT[family])
        assert code == 0 and "2 received" in said, said


def case_tracepath(world, family):
    said = world.call("left", "tracepath", "-n", "-m", "3", RIGHT[family])
    assert re.search(rf"{re.escape(RIGHT[family])}.*reached", said), said
    return said


def case_path_mtu(world, family):
    """Behind Weir the MTU is smaller than both hosts believe: each learns it from the hop's errors, through Weir."""
    mtu = world.wish["mtu"]
    assert f"pmtu {mtu}" in case_tracepath(world, family), "tracepath does not see the hop's MTU"
    for side in ("left", "right"):  # the right one too: it states no larger segments than it knows to pass
        world.call(side, "ip", "route", "flush", "cache")
        world.call(side, "ip", "-6", "route", "flush", "cache")
    case_curl(world, family)
    shown = world.call("left", "ip", "route", "get", RIGHT[family])
    assert f"mtu {mtu}" in shown, f"the left host has not learnt the path's MTU: {shown}"


def case_files(world, family):
    """Files both ways over a bad wire, and half-closed echo."""
    folder, base = world.net.folder, url(RIGHT[family])
    for name, words in (("down", ["-o", f"{folder}/left/down", f"{base}/down"]),
                        ("up", ["-T", f"{folder}/left/up", f"{base}/up"])):
        for place in ("left/down", "right/up"):
            if os.path.exists(world.file(place)):
                os.unlink(world.file(place))
        world.call("left", "curl", "-sS", "--fail", "--max-time", "120", *words, timeout=130)
        assert same_file(f"{folder}/left/{name}", f"{folder}/right/{name}"), f"the file that went {name} differs"
    world.act("left", "half_close", RIGHT[family], ECHO, 100_000, timeout=60)


def judge(world, case, family, allowed=frozenset()):
    """Runs a case; fails with what Weir counted if the case fails or Weir dropped what it should not have."""
    before, started = world.counts(), time.monotonic()
    try:
        case(world, family)
    except AssertionError as error:
        raise AssertionError(f"{case.__name__} IPv{'46'[family]}: {error}\n"
                             f"Weir dropped {world.dropped_since(before)}") from None
    dropped = world.dropped_since(before)
    print(f"  {case.__name__[5:]} IPv{'46'[family]}: {time.monotonic() - started:.1f} s"
          + (f", dropped {dropped}" if dropped else ""), flush=True)
    assert set(dropped) <= allowed, f"{case.__name__} IPv{'46'[family]}: Weir dropped {dropped}"


def judge_each(world, case, family):
    """As judge(), on a bad wire: and no segment was dropped that its receiver could have used."""
    earlier = world.counts()
    with Witnesses(world.net, [("mid", "L1"), ("wire", "X0")], [("mid", "R1"), ("left", "L0")]) as witnesses:
        time.sleep(0.1)  # what the case before left over
        before = world.counts()
        judge(world, case, family, AFTER_RESET | LATE)
    dropped, found = world.dropped_since(before), witnesses.found
    late, over, useful, still_open = (len(found[name]) for name in ("late", "over", "false", "open"))
    told = (f"of {witnesses.seen} segments {late} late, {over} after a RST, {useful} of use and {still_open} that came "
            f"last did not pass; Weir counted {dropped}")
    judged, least, most = late + over + useful, sum(dropped.values()), sum(world.dropped_since(earlier).values())
    assert judged <= most, f"lost at a port, not judged by Weir: {told}"
    assert useful == 0, f"{told}: {', '.join(map(str, found['false'][:5]))}"
    after_reset = sum(dropped.get(name, 0) for name in AFTER_RESET)  # a late copy may come when all is over
    assert least <= judged + still_open and after_reset <= over + still_open, told


def run_cases(world, *cases, allowed=frozenset()):
    for case in cases:
        for family in (0, 1):
            judge(world, case, family, allowed)


def part_plain(programs):
    with World(programs) as world:
        start_servers(world)
        start_sshd(world)
        run_cases(world, case_ping, case_tracepath, case_curl, case_ssh, case_idle, case_half_close)
        run_cases(world, case_iperf, case_ports_again, allowed=AFTER_RESET)
        world.dataplane.stop()


def part_tap(programs):
    with World(programs, kind="tap") as world:
        start_servers(world)
        run_cases(world, case_ping, case_curl, case_half_close)
        run_cases(world, case_large_ping)
        world.dataplane.stop()


def part_workers(programs):
    """Two workers: the kernel spreads each device's frames over two queues by a hash of its own, so that a flow's two
    directions often come in by different workers."""
    with World(programs, workers=2, queues=2, ring=4096) as world:
        start_servers(world)
        behind = {"handover_full"}  # a worker that had no core for a while; TCP sends again
        run_cases(world, case_ping, case_curl, case_half_close, allowed=behind)
        run_cases(world, case_streams, allowed=AFTER_RESET | behind)
        assert world.counts()["handed_over"] > 100, "the kernel sent every flow to its owner: nothing was shown"
        world.dataplane.stop()


def part_jumbo(programs):
    with World(programs, mtu=9000) as world:
        start_servers(world)
        run_cases(world, case_ping, case_curl, case_half_close)
        world.dataplane.stop()


BAD = {"loss": 0.05, "reorder": 0.05, "duplicate": 0.05, "delay": 500}


def part_wire(programs):
    with World(programs, wish={"seed": 1, **BAD}, ring=4096) as world:
        start_servers(world)
        for name, place in (("right/down", "right"), ("left/up", "left")):
            world.file(name, 2_000_000 * SCALE)
        for seed in range(1, SCALE + 1):
            world.rewire({"seed": seed, **BAD})
            for family in (0, 1):
                judge_each(world, case_files, family)
            counted = world.unwire()
            print(f"    seed {seed}: {counted}")
            assert min(counted[name] for name in ("lost", "duplicated", "reordered")) > 10, "a wire that did no harm"
        for mtu in (1400, 1280):
            world.wish = {"mtu": mtu}
            world.rewire(world.wish)
            run_cases(world, case_path_mtu)
        world.dataplane.stop()


PARTS = {"tap": part_tap, "plain": part_plain, "workers": part_workers, "jumbo": part_jumbo, "wire": part_wire}


def main():
    part, *paths = sys.argv[1:6]
    skip_unless_possible("af_packet", "curl", "iperf3", "ssh", "ssh-keygen", SSHD, "tracepath")
    PARTS[part](dict(zip(("dataplane", "weir", "impair", "reasons"), map(os.path.abspath, paths))))


main()
