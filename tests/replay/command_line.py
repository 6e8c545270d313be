#!/usr/bin/python3
"""What `weir replay` makes of its arguments: usage errors and damaged captures end with 2 and say why, both forms of
input agree, the summaries add up, and a large capture is not held in memory.

    command_line.py WEIR"""
import json
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools" / "capture"))
import frames  # noqa: E402
import rows  # noqa: E402
from scenario import Scenario  # noqa: E402

failures = []


def expect(what, holds):
    if not holds:
        failures.append(what)


class Bench:
    """A folder with a policy and captures, and `weir replay` run in it."""

    def __init__(self, weir, folder):
        self.weir, self.folder = pathlib.Path(weir).resolve(), folder
        Scenario(HERE / "scenarios" / "checkpoint_copy.scenario").export(folder)

    def replay(self, *arguments, policy="policy.toml"):
        command = [str(self.weir), "replay", policy, *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def refused(self, reason, *arguments, policy="policy.toml"):
        done = self.replay(*arguments, policy=policy)
        expect(f"{arguments}: status {done.returncode}, {done.stderr!r} does not say {reason!r}",
               done.returncode == 2 and reason in done.stderr)


def usage(bench):
    (bench.folder / "sll.pcap").write_bytes(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 113))
    (bench.folder / "cut.pcap").write_bytes((bench.folder / "inside.pcap").read_bytes()[:-3])
    (bench.folder / "bad.img").write_bytes(b"WEIRIMG1" + bytes(120))
    pair = ("--inside", "inside.pcap", "--outside", "outside.pcap")
    bench.refused("no capture")
    bench.refused("--in takes one capture for both ports", *pair, "--in", "inside.pcap")
    bench.refused("give --inside-prefix", "--in", "inside.pcap")
    bench.refused("--inside-prefix goes with --in", *pair, "--inside-prefix", "10.20.0.0/18")
    bench.refused("--inside-prefix 10.20.0.0/40: not an address range", "--in", "inside.pcap", "--inside-prefix",
                  "10.20.0.0/40")
    bench.refused("sll.pcap: byte 20: link type 113, not Ethernet (1)", "--inside", "sll.pcap")
    bench.refused("cut.pcap: byte", "--inside", "cut.pcap")
    bench.refused("policy.toml: byte 0: neither pcap nor pcapng", "--inside", "policy.toml")
    bench.refused("gone.pcap: byte 0: cannot be opened: No such file", "--inside", "gone.pcap")
    bench.refused("--name pf0hpf: write inside=NAME", *pair, "--name", "pf0hpf")
    bench.refused("bad.img: bad policy image", *pair, policy="bad.img")
    bench.refused("gone.toml", *pair, policy="gone.toml")
    bench.refused("cannot be made", *pair, "--write", "policy.toml/x")
    bench.refused("/dev/full: writing failed", *pair, "--annotated", "/dev/full")
    for wrong in (["--flows", "0"], ["-o", "xml"], ["--by", "moon"], ["--what"]):
        expect(f"{wrong} is no usage error", bench.replay(*pair, *wrong).returncode == 2)


def both_forms_agree(bench):
    """One capture with the sides told apart by address, and by pcapng interface, gives the same decisions."""
    bench.replay("--inside", "inside.pcap", "--outside", "outside.pcap", "--write", "two", "--annotated", "all.pcapng")
    wanted = (bench.folder / "two" / "decisions.jsonl").read_bytes()
    expect("two captures give no decisions", len(wanted.splitlines()) == 8)
    bench.replay("--in", "all.pcapng", "--write", "one")
    expect("interfaces 0 and 1 are not the sides", (bench.folder / "one" / "decisions.jsonl").read_bytes() == wanted)
    both = sorted(frames.read_pcap((bench.folder / "inside.pcap").read_bytes()) +
                  frames.read_pcap((bench.folder / "outside.pcap").read_bytes()))
    (bench.folder / "both.pcap").write_bytes(frames.pcap([(time, frame, len(frame)) for time, frame in both]))
    bench.replay("--in", "both.pcap", "--inside-prefix", "10.20.0.0/18", "--inside-prefix", "fd20:a::/48",
                 "--write", "split")
    expect("prefixes do not tell the sides apart", (bench.folder / "split" / "decisions.jsonl").read_bytes() == wanted)


def summaries_add_up(bench):
    pair = ("--inside", "inside.pcap", "--outside", "outside.pcap")
    done = bench.replay(*pair, "-o", "json", "--by", "flow")
    summary = json.loads(done.stdout)
    counted = {row["reason"]: row["packets"] for row in summary["reasons"]}
    expect(f"reasons {counted}", counted == {"flow_new": 2, "flow_established": 1, "forbidden": 3, "no_allow": 2})
    expect("packets by reason, by conversation and in all differ",
           sum(counted.values()) == summary["packets"] == sum(row["packets"] for row in summary["conversations"]))
    copy = next(row for row in summary["conversations"] if row["reason"] == "forbidden")
    expect(f"the copy is {copy}", copy["rule"] == "stay-home" and copy["target"] == "internet 203.0.114.9"
           and copy["service"] == "tcp/443" and copy["packets"] == 2)
    line = int(copy["place"].rpartition(":")[2])
    text = (bench.folder / "policy.toml").read_text().splitlines()
    expect(f"place {copy['place']} is not the rule's", "stay-home" in text[line - 1])
    expect(f"first_time {summary['first_time']}", summary["first_time"] == "2023-11-14T22:13:20.000000Z")
    lines = bench.replay(*pair, "-o", "jsonl", "--write", "lines").stdout
    expect("-o jsonl is not decisions.jsonl", lines == (bench.folder / "lines" / "decisions.jsonl").read_text() != "")
    table = bench.replay(*pair).stdout
    expect(f"table:\n{table}", "8 packets in 6.000 s: 3 forwarded, 5 dropped; 2 flows; generation 1" in table
           and "\x1b" not in table)


def trusted_checksums(bench):
    """An unfinished checksum is a wrong one, unless the user says where the capture was made."""
    _, _, frame, _ = rows.packet("0 inside udp 10.20.0.7:40000 > 10.62.0.5:53 poke=40:dead", rows.Connections())
    (bench.folder / "unfinished.pcap").write_bytes(frames.pcap([(0, frame, len(frame))]))
    for options, reason in ((), "l4_checksum_bad"), (("--trust-checksums",), "flow_new"):
        done = bench.replay("--inside", "unfinished.pcap", "-o", "json", *options)
        expect(f"{options}: not {reason}", [row["reason"] for row in json.loads(done.stdout)["reasons"]] == [reason])


def giant_frames(bench):
    """Frames larger than any port takes are judged and written whole; above 256 KiB the capture is damaged."""
    _, _, frame, _ = rows.packet("0 inside udp 10.20.0.7:40000 > 10.62.0.5:53 pad=262144", rows.Connections())
    capture = frames.pcap([(1_700_000_000_000_000, frame, len(frame))])
    (bench.folder / "giant.pcap").write_bytes(capture)
    bench.replay("--inside", "giant.pcap", "--write", "giant")
    expect("a giant frame does not leave whole", (bench.folder / "giant" / "outside.pcap").read_bytes() == capture)
    (bench.folder / "giant.pcap").write_bytes(frames.pcap([(0, frame + b"x", len(frame) + 1)]))
    bench.refused("a packet of 262145 bytes; the largest frame is 262144", "--inside", "giant.pcap")


def many_conversations(bench):
    """More conversations than are told apart: the rest is counted."""
    _, _, frame, _ = rows.packet("0 inside udp 10.20.0.7:40000 > 10.62.0.5:53", rows.Connections())
    flows = [frame[:34] + struct.pack(">H", 1 + number % 60_000) + frame[36:40] + bytes(2) + frame[42:]
             for number in range(100_010)]
    tagged = [frames.ethernet(one[6:12], one[:6], 0x0800, one[14:], (1 + number // 60_000,))
              for number, one in enumerate(flows)]
    (bench.folder / "many.pcap").write_bytes(frames.pcap([(0, one, len(one)) for one in tagged]))
    summary = json.loads(bench.replay("--inside", "many.pcap", "-o", "json", "--by", "flow").stdout)
    expect(f"{summary['flows']} flows, {len(summary['conversations'])} told, {summary['packets_untold']} not",
           (summary["flows"], len(summary["conversations"]), summary["packets_untold"]) == (100_010, 100_000, 10))


def large_capture(bench):
    """Some 200 MB through a replay that may use far less."""
    _, _, frame, _ = rows.packet("0 inside udp 10.20.0.7:40000 > 10.62.0.5:53 size=8900", rows.Connections())
    with open(bench.folder / "large.pcap", "wb") as file:
        file.write(frames.pcap([]))
        one = frames.pcap([(1_700_000_000_000_000, frame, len(frame))])[24:]
        for _ in range(220):
            file.write(one * 100)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of the replays before, all of small captures
    done = bench.replay("--inside", "large.pcap", "--write", "large", "-o", "json")
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    expect("a large capture is not read whole", json.loads(done.stdout)["packets"] == 22_000)
    expect("what leaves is not all of it",
           (bench.folder / "large" / "outside.pcap").stat().st_size == (bench.folder / "large.pcap").stat().st_size)
    expect(f"{after} KiB for a capture of 200 MB, {before} KiB for a small one", after < before + 20_000)


def main(weir):
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(weir, pathlib.Path(folder))
        for part in (usage, both_forms_agree, summaries_add_up, trusted_checksums, giant_frames, many_conversations,
                     large_capture):
            part(bench)
    print("\n".join(failures) if failures else "as specified")
    sys.exit(1 if failures else 0)


main(sys.argv[1])
