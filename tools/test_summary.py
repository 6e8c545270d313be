#!/usr/bin/python3
"""Reads one meson test log for tools/test: prints failures with their output and skips with their reason, then a last
line `passed failed skipped`. No log, or an empty one, counts as one failure."""
import json
import pathlib
import sys

SHOWN_LINES = 40


def main(folder, stage):
    log = pathlib.Path(folder) / "meson-logs" / "testlog.json"
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    if not rows:
        print(pathlib.Path(folder, "test-run.log").read_text()[-8000:])
        print(f"FAILED: {stage} ran no test")
        print("0 1 0")
        return
    count = {"OK": 0, "SKIP": 0, "other": 0}
    for row in rows:
        result = row["result"]
        output = (row.get("stdout", "") + row.get("stderr", "")).strip().splitlines()
        if result == "SKIP":
            print(f"skipped: {row['name']}: {output[-1] if output else 'no reason given'}")
        elif result != "OK":
            print(f"FAILED ({result.lower()}): {stage}: {row['name']}: {' '.join(row['command'])}")
            print("\n".join("    " + line for line in output[-SHOWN_LINES:]))
        count[result if result in count else "other"] += 1
    print(count["OK"], count["other"], count["SKIP"])


main(*sys.argv[1:3])
