#!/usr/bin/python3
"""Scenarios: packets as rows and what must become of each, judged by the real engine through `weir replay`.

    scenario.py run WEIR SCENARIO...      compares verdict, reason, rule (and segments, flow) of every packet
    scenario.py export SCENARIO DIR       writes policy.toml, inside.pcap, outside.pcap and arguments.json
    scenario.py listed NAME...            whether these are all there are
    scenario.py show WEIR SCENARIO        prints the rows with what `weir replay` says of them

A scenario is text. Lines before the packets: `# ...` says what it shows; `policy NAME` takes policies/NAME.toml, or
`policy`, rule lines and `end`; `begin 2027-03-31T23:59:50` is time 0 (UTC); `flows 4` is the table's capacity;
`name inside=pf0hpf` names a port. Then one packet a line, as in tools/capture/rows.py, each with
    -> [hold] VERDICT REASON [RULE] [FROM>TO] [#FLOW] [@DEPTH]
`hold` is a packet that is held first and then ends so, with a second line. No RULE means that there must be none;
FROM>TO, #FLOW and @DEPTH (tunnels around what was judged) are looked at where they stand. Where a SYN is answered with
a cookie, the client's next rows acknowledge it, as replay made it."""
import calendar
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools" / "capture"))
import frames  # noqa: E402
import rows  # noqa: E402


class Scenario:
    """A scenario file, read. `packets` are (text, microseconds, side, frame, original length, expectation)."""

    def __init__(self, path, weir=None):
        self.path, self.packets, self.arguments, self.weir = path, [], {"names": {}}, weir
        self.policy, self.begin = "", 1_700_000_000
        connections = rows.Connections()
        lines = iter(enumerate(path.read_text().splitlines(), 1))
        for number, line in lines:
            try:
                if line.strip() and not line.startswith("#"):
                    self.take(line, lines, connections)
            except (rows.RowError, ValueError, OSError) as fault:
                sys.exit(f"{path.name}:{number}: {fault}")
        self.check_order()

    def take(self, line, lines, connections):
        word, *rest = line.split()
        if word == "policy" and rest:
            self.policy = (HERE / "policies" / f"{rest[0]}.toml").read_text()
        elif word == "policy":
            self.policy = "\n".join(text for _, text in itertools.takewhile(lambda one: one[1] != "end", lines))
        elif word == "begin":
            self.begin = calendar.timegm(time.strptime(rest[0], "%Y-%m-%dT%H:%M:%S"))
        elif word == "flows":
            self.arguments["flows"] = int(rest[0])
        elif word == "name":
            side, _, name = rest[0].partition("=")
            self.arguments["names"][side] = name
        else:
            row, arrow, expected = line.partition("->")
            if not arrow:
                raise rows.RowError("a packet without `-> VERDICT REASON`")
            self.packets.append((line.strip(), *rows.packet(row, connections), expected.split()))
            if self.weir and expected.split()[:2] == ["answer", "syn_proxy_answered"]:
                self.learn_cookie(connections)

    def learn_cookie(self, connections):
        with tempfile.TemporaryDirectory() as folder:
            self.replay(self.weir, pathlib.Path(folder))
            side = self.packets[-1][2]
            connections.answered(frames.read_pcap((pathlib.Path(folder) / "out" / f"{side}.pcap").read_bytes())[-1][1])

    def side(self, name):
        return [(self.begin * 1_000_000 + micros, frame, original)
                for _, micros, side, frame, original, _ in self.packets if side == name]

    def check_order(self):
        """Rows stand in the order in which replay takes them: by time, ties inside first, then file order."""
        waiting = {name: [micros for _, micros, side, *_ in self.packets if side == name]
                   for name in ("inside", "outside")}
        for text, micros, side, *_ in self.packets:
            heads = {name: times[0] for name, times in waiting.items() if times}
            first = min(heads, key=lambda name: (heads[name], name == "outside"))
            if first != side:
                sys.exit(f"{self.path.name}: replay takes another packet before this row: {text}")
            waiting[side].pop(0)

    def export(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "policy.toml").write_text(self.policy)
        (folder / "arguments.json").write_text(json.dumps(self.arguments))
        for side in ("inside", "outside"):
            (folder / f"{side}.pcap").write_bytes(frames.pcap(self.side(side)))

    def replay(self, weir, folder):
        """The decisions of `weir replay`, as objects; its files stay in `folder`/out."""
        self.export(folder)
        command = [weir, "replay", folder / "policy.toml", "--inside", folder / "inside.pcap",
                   "--outside", folder / "outside.pcap", "--write", folder / "out"]
        if "flows" in self.arguments:
            command += ["--flows", str(self.arguments["flows"])]
        for side, name in self.arguments["names"].items():
            command += ["--name", f"{side}={name}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{self.path.name}: weir replay ends with {done.returncode}:\n{done.stderr}")
        return [json.loads(line) for line in (folder / "out" / "decisions.jsonl").read_text().splitlines()]


def by_packet(lines):
    """The lines of each packet: one, or two where it was held."""
    told = {}
    for line in lines:
        told.setdefault(line["index"], []).append(line)
    return [told[index] for index in sorted(told)]


def in_order_of_leaving(lines):
    """(microseconds, line) of what leaves, by the lines alone: what was held ends with the next that was not."""
    held, waiting, latest = set(), [], 0
    for line in lines:
        waiting.append(line)
        if line["verdict"] == "hold" or line["index"] not in held:
            held.add(line["index"])
            latest = round(line["time"] * 1_000_000)
            yield from ((latest, one) for one in waiting if one["verdict"] in ("forward", "rewrite", "answer"))
            waiting = []
    yield from ((latest, one) for one in waiting if one["verdict"] in ("forward", "rewrite", "answer"))


def wrong_in(expected, decision):
    """What of a decision is not as the row says, or nothing."""
    verdict, reason, *rest = expected
    wanted = {"verdict": verdict, "reason": reason, "rule": None}
    for word in rest:
        if word.startswith("#"):
            wanted["flow"] = None if word == "#-" else int(word[1:])
        elif word.startswith("@"):
            decision, wanted["depth"] = {"depth": 0} | decision, int(word[1:])
        elif ">" in word:
            names = [None if name == "?" else name for name in word.split(">")]
            wanted["from"], wanted["to"] = names
        else:
            wanted["rule"] = word
    return [f"{key} {decision[key]}, not {value}" for key, value in wanted.items() if decision[key] != value]


def wrong_files(scenario, decisions, folder):
    """What leaves each port is what was forwarded there, the same bytes at the capture's times, and one answer, never
    longer than the packet, for each that was answered. What Weir wrote has right checksums."""
    wrong = []
    leaving = {"inside": [], "outside": []}
    for micros, line in in_order_of_leaving(decisions):
        _, _, side, frame, _, _ = scenario.packets[line["index"]]
        if line["verdict"] == "answer" or line["reason"] == "syn_proxy_joined":
            leaving[side].append((micros, len(frame)))
        if line["verdict"] != "answer":
            meant = frame if line["verdict"] == "forward" else 1 << 16
            leaving["outside" if side == "inside" else "inside"].append((micros, meant))
    for side, wanted in leaving.items():
        left = frames.read_pcap((folder / "out" / f"{side}.pcap").read_bytes())
        same = len(left) == len(wanted) and all(
            time == due and (len(frame) <= form and frames.sums_hold(frame) if isinstance(form, int) else frame == form)
            for (time, frame), (due, form) in zip(left, wanted))
        if not same:
            wrong.append(f"{side}.pcap is not what was forwarded or answered there")
    return wrong


def judge(scenario, weir, folder):
    decisions = scenario.replay(weir, folder)
    told = by_packet(decisions)
    if len(told) != len(scenario.packets):
        return [f"{len(told)} decisions for {len(scenario.packets)} packets"]
    wrong = []
    for index, ((text, _, side, _, _, expected), lines) in enumerate(zip(scenario.packets, told)):
        is_held = expected[0] == "hold"
        faults = wrong_in(expected[is_held:], lines[-1])
        if [line["verdict"] == "hold" for line in lines] != [True, False][not is_held:]:
            faults.append(f"verdicts {', '.join(line['verdict'] for line in lines)}")
        if any(line["port"] != side or line["index"] != index for line in lines):
            faults.append("another packet's line")
        if faults:
            wrong.append(f"{text}\n    {', '.join(faults)}")
    return wrong + wrong_files(scenario, decisions, folder)


def run(weir, paths):
    failed = 0
    for path in paths:
        scenario = Scenario(pathlib.Path(path), weir)
        with tempfile.TemporaryDirectory() as folder:
            wrong = judge(scenario, weir, pathlib.Path(folder))
        said = "\n  ".join(["wrong"] + wrong) if wrong else f"{len(scenario.packets)} packets as written"
        print(f"{scenario.path.name}: {said}")
        failed += bool(wrong)
    sys.exit(1 if failed or not paths else 0)


def listed(names):
    """A scenario that no test runs proves nothing."""
    there = {path.stem for path in (HERE / "scenarios").iterdir()}
    if there != set(names):
        sys.exit(f"tests/replay/meson.build and scenarios/ differ in {', '.join(sorted(there ^ set(names)))}")


def show(weir, path):
    scenario = Scenario(pathlib.Path(path), weir)
    with tempfile.TemporaryDirectory() as folder:
        told = by_packet(scenario.replay(weir, pathlib.Path(folder)))
        for (text, *_), (*held, decision) in zip(scenario.packets, told):
            row = re.sub(r"\s*->.*", "", text)
            names = f" {decision['from'] or '?'}>{decision['to'] or '?'}" if decision["from"] or decision["to"] else ""
            flow = "" if decision["flow"] is None else f" #{decision['flow']}"
            print(f"{row} -> {'hold ' * len(held)}{decision['verdict']} {decision['reason']} "
                  f"{decision['rule'] or ''}{names}{flow}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["run", weir, *paths]: run(weir, paths)
        case ["listed", *names]: listed(names)
        case ["export", path, folder]: Scenario(pathlib.Path(path)).export(pathlib.Path(folder))
        case ["show", weir, path]: show(weir, path)
        case _: sys.exit(__doc__)
