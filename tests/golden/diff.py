#!/usr/bin/python3
"""`weir diff` as a command: every example that it prints is asked of `weir explain` on both policies; exit codes,
faults of either policy, machine formats, the same answer twice. The pairs are those of diffs/ and edits of the example.

    tests/golden/diff.py WEIR ROOT
"""
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

TODAY = ("--at", "2026-06-01")
ALLOWED = {"newly_allowed": (False, True), "newly_denied": (True, False)}
# What a change of the example does: text before, text after, and the number of entries in which that shows.
EDITS = [
    ('to   = "internet"\nwhy  = "no', 'to   = "internet"\nwith = ["ssh"]\nwhy  = "no', 0),
    ('from  = "trainers"\nto    = "shards"', 'from  = ["trainers", "ci"]\nto    = "shards"', 1),
    ("expires = 2027-03-31 ", "expires = 2027-02-28 ", 1),
    ('addresses = ["10.20.0.7", ', "addresses = [", 10),
    ('cidr = ["10.60.0.0/24"]', 'cidr = ["10.60.0.0/25"]', 2),
    ('scrape = { tcp = [9100, 9400] }', 'scrape = { tcp = [9100] }', 2),
]
failures = []


def expect(what, holds):
    if not holds:
        failures.append(what)


def run(weir, *arguments):
    return subprocess.run([weir, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


def explained(weir, policy, question):
    """Allowed or not, the reason and the rule's name and line, for the one packet that a question is about."""
    done = run(weir, "explain", policy, *shlex.split(question), *TODAY, "-o", "json")
    if done.returncode not in (0, 1):
        return done.stderr
    answer = json.loads(done.stdout)
    rules = {(one["reason"], *((one["rule"]["name"], one["rule"]["line"]) if one["rule"] else ())) for one in
             answer["examples"]}
    return answer["verdict"] == "allowed", rules


def examples_differ(weir, old, new):
    """How many entries there are; each of them as `weir explain` sees it."""
    done = run(weir, "diff", old, new, *TODAY, "-o", "json")
    expect(f"{new}: exit {done.returncode}", done.returncode in (0, 1))
    made = json.loads(done.stdout)
    entries = [(kind, one) for kind in ("newly_allowed", "newly_denied", "treated_otherwise") for one in made[kind]]
    for kind, one in entries:
        question = one["example"]["explain"]
        expect(f"{new}: {one['from']} > {one['to']}: no question", question)
        seen = []
        for side, policy in (("old", old), ("new", new)):
            rule = one[side]["rule"]
            wanted = (one[side]["reason"], *((rule["name"], rule["line"]) if rule else ()))
            answer = explained(weir, policy, question)
            expect(f"{policy}: {question}: {answer}, not {wanted}", answer[1] == {wanted})
            seen.append(answer[0])
        expect(f"{new}: {question}: {kind} though {seen}", tuple(seen) == ALLOWED.get(kind, (seen[0], seen[0])))
    return len(entries), made


def pairs_of_folders(weir, root):
    count = 0
    for folder in sorted((root / "tests/golden/diffs").iterdir()):
        old, new = folder / "old.toml", folder / "new.toml"
        if run(weir, "diff", old, new, *TODAY).returncode != 2:
            count += examples_differ(weir, old, new)[0]
            reverse = examples_differ(weir, new, old)[1]
            forward = examples_differ(weir, old, new)[1]
            for kind, other in (("newly_allowed", "newly_denied"), ("newly_denied", "newly_allowed")):
                expect(f"{folder.name}: {kind} is not what {other} is the other way round",
                       [one["exactly"] for one in forward[kind]] == [one["exactly"] for one in reverse[other]])
    expect(f"only {count} examples", count > 15)


def edits_of_the_example(weir, example, scratch):
    for number, (before, after, entries) in enumerate(EDITS):
        copy = scratch / f"edit{number}"
        shutil.copytree(example.parent, copy)
        edited = 0
        for file in [copy / "policy.toml", *sorted((copy / "teams").iterdir())]:
            text = file.read_text()
            edited += text.count(before)
            file.write_text(text.replace(before, after))
        expect(f"edit {number} is made {edited} times", edited == 1)
        found, made = examples_differ(weir, example, copy / "policy.toml")
        expect(f"edit {number}: {found} entries, not {entries}", found == entries)
        expect(f"edit {number}: same is {made['same']}", made["same"] == (found == 0))
    said, again = (run(weir, "diff", example, scratch / "edit1/policy.toml", *TODAY).stdout for _ in range(2))
    expect("the same answer twice", said == again)
    expect("the new allow is named with its place", "teams/training.toml:12" in said and "ci > shards" in said)


def exit_codes(weir, example, broken, scratch):
    for code, arguments in [
        (0, (example, example)), (2, (broken, example)), (2, (example, broken)), (2, (broken, broken)),
        (2, (example, "/nonexistent/policy.toml")), (2, (example, scratch)), (2, (example,)), (2, ()),
        (2, (example, example, "--at", "2026-02-30")), (2, (example, example, "-o", "xml")),
        (2, (example, "/dev/null")), (1, (scratch / "edit1/policy.toml", example)),
    ]:
        done = run(weir, "diff", *arguments)
        asked = " ".join(map(str, arguments))
        expect(f"weir diff {asked}: exit {done.returncode}, not {code}", done.returncode == code)
    done = run(weir, "diff", example, broken)
    expect("which of the two is broken", f"the new policy, {broken}, is not valid" in done.stderr and not done.stdout)
    done = run(weir, "diff", broken, broken)
    expect("both are", done.stderr.count("is not valid") == 2)
    done = run(weir, "diff", example, example, "-o", "jsonl")
    expect("one line", done.stdout.count("\n") == 1 and json.loads(done.stdout)["same"] is True)


def main():
    weir, root = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    example = root / "rules/examples/gpu-cluster/policy.toml"
    pairs_of_folders(weir, root)
    with tempfile.TemporaryDirectory() as scratch:
        edits_of_the_example(weir, example, pathlib.Path(scratch))
        exit_codes(weir, example, root / "tests/golden/diagnostics/segment-unknown/policy.toml", pathlib.Path(scratch))
    print("\n".join(failures) or "every example differs under weir explain")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
