#!/usr/bin/python3
"""`weir bound` on the full policy of a training cluster: the figures are those that its budgets give by hand; halving
the budget that decides moves them as predicted; an edit that breaks the invariant is refused with the line.

    tests/golden/bound.py WEIR ROOT
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

GB, HOUR, DAY = 10**9, 3600, 86400
SIZE = 1600 * GB
FRAME = 65_557  # what a throttle's bucket holds

failures = []


def expect(what, got, wanted):
    if got != wanted:
        failures.append(f"{what}: {got}, not {wanted}")


def weir_says(weir, *arguments):
    done = subprocess.run([weir, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def days(length_s):
    return -(-length_s // DAY)


def by_hand(length_s, hour, day):
    """Bytes through all exits: `answers` has an hour's and a day's window, the others a day's."""
    whole, rest = divmod(length_s, DAY)
    answers = whole * day + min(day, -(-rest // HOUR) * hour)
    others = days(length_s) * (10 * GB + GB // 2 + 20 * GB + 20 * GB)
    return answers + others + (1_000_000 + 256_000) * length_s // 8 + 2 * FRAME


def time_by_hand(hour, day):
    length_s = 0
    while by_hand(length_s + 1, hour, day) < SIZE:
        length_s += 1
    return length_s


def line_of(text, start):
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith(start))


def whole(weir, policy):
    code, out, err = weir_says(weir, "bound", policy, "--at", "2026-06-01", "-o", "json")
    asset = json.loads(out)["assets"][0]
    return code, asset["whole"], err


def figures(weir, policy, hour, day, code):
    got, row, err = whole(weir, policy)
    expect("exit code", got, code)
    for name, length_s in (("1h", HOUR), ("1d", DAY), ("30d", 30 * DAY)):
        expect(f"bytes in {name}", row["bytes"][name], by_hand(length_s, hour, day))
    expect("no end", row["bytes"]["ever"], None)
    expect("time of a copy", row["copy"]["raw"]["seconds"], time_by_hand(hour, day))
    return row, err


def main():
    weir, root = sys.argv[1], pathlib.Path(sys.argv[2])
    full = root / "tests/golden/diagnostics/gpu-cluster-full/policy.toml"
    text = full.read_text()
    line = {name: line_of(text, f'name      = "{name}"')
            for name in ("answers", "shell-bytes", "mirror-uploads", "telemetry", "shard-writes")}
    row, _ = figures(weir, full, 20 * GB, 150 * GB, 0)
    deciding = {one["name"]: one["line"] for one in row["deciding"]}
    expect("what decides", deciding, {f"budget `{name}`": at for name, at in line.items()})
    expect("the largest", row["deciding"][0]["name"], "budget `answers`")
    with tempfile.TemporaryDirectory() as scratch:
        edited = pathlib.Path(scratch, "policy.toml")
        edited.write_text(text.replace('"1h" = "20 GB", "1d" = "150 GB"', '"1h" = "10 GB", "1d" = "75 GB"'))
        figures(weir, edited, 10 * GB, 75 * GB, 0)
        edited.write_text(text.replace('"1h" = "20 GB", "1d" = "150 GB"', '"1h" = "20 GB", "1d" = "200 GB"'))
        _, err = figures(weir, edited, 20 * GB, 200 * GB, 1)
        at = line_of(text, 'name     = "one copy takes a week or more"')
        expect("the invariant is refused", re.findall(r"error\[(E\d+)\]|policy.toml:(\d+):", err)[:2],
               [("E0506", ""), ("", str(at))])
        expect("... and the budget named", f"{line['answers']} |" in err, True)
        # Without a budget on one exit there is no bound, and the allow is shown.
        cut = re.sub(r'\[\[budget\]\]\nname      = "shard-writes"(.|\n)*?\n\n', "", text)
        edited.write_text(cut.replace('class = "restricted"', 'class = "secret"').replace("rate   =", "# rate ="))
        _, out, _ = weir_says(weir, "bound", edited, "--to", "shards", "--at", "2026-06-01")
        expect("unlimited, and why", "unlimited, by this way:\n    allow `read-shards` at" in out, True)
    # The page walks through the small example: what it shows is what is said.
    code, out, _ = weir_says(weir, "bound", root / "rules/examples/bounded/policy.toml", "--at", "2026-06-01")
    shown = out[:out.index("\nBytes are")]
    expect("the example, and the page that shows it", (code, shown in (root / "docs/bound.md").read_text()), (0, True))
    print("\n".join(failures) or "the bounds are those by hand, move with the budgets, and the invariant is a gate")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
