#!/usr/bin/python3
"""The demo's capture under the bundled policy: every conversation that is answered in it passes, every attempt of the
one who copies a checkpoint out is dropped, in each direction and disguise.

    cluster.py WEIR"""
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools" / "capture"))
import rows  # noqa: E402

TEXT = ROOT / "tools" / "capture" / "gpu-cluster.txt"
POLICY = ROOT / "rules" / "examples" / "gpu-cluster" / "policy.toml"


def written():
    """(verdict, source, target, service) that each conversation of the text calls for."""
    for line in TEXT.read_text().splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 4 and words[2] in ("talk", "try"):
            (source, port), (target, target_port) = rows.endpoint(words[4]), rows.endpoint(words[6])
            opener = f"[{source}]:{port}" if source.version == 6 else f"{source}:{port}"
            service = f"{words[3]}/{target_port}" if port else "icmp4 8/0"
            yield "forward" if words[2] == "talk" else "drop", opener if port else str(source), str(target), service


def main(weir):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([ROOT / "tools" / "capture" / "generate", TEXT, folder], check=True)
        done = subprocess.run([weir, "replay", POLICY, "--inside", f"{folder}/inside.pcap", "--outside",
                               f"{folder}/outside.pcap", "--name", "inside=pf0hpf", "-o", "json", "--by", "flow"],
                              check=True, capture_output=True, text=True)
    judged = {}
    for row in json.loads(done.stdout)["conversations"]:
        key = row["source"].split()[-1], row["target"].split()[-1], row["service"]
        judged.setdefault(key, []).append((row["verdict"], row["reason"], row["rule"], row["place"]))
    wrong, counts = [], {"forward": 0, "drop": 0}
    for verdict, *key in written():
        found = judged.get(tuple(key), [])
        counts[verdict] += 1
        if [one[0] for one in found] != [verdict]:
            wrong.append(f"{' '.join(key)}: {found}, not {verdict}")
    copy = judged[("10.20.0.7:49001", "93.184.216.34", "tcp/443")][0]
    line = int(copy[3].rpartition(":")[2])
    if copy[1:3] != ("forbidden", "weights-stay-home") or copy[2] not in POLICY.read_text().splitlines()[line - 1]:
        wrong.append(f"the copy to the internet: {copy}")
    print("\n".join(wrong) if wrong else f"{counts['forward']} conversations pass, {counts['drop']} attempts do not")
    sys.exit(1 if wrong or min(counts.values()) < 10 else 0)


main(sys.argv[1])
