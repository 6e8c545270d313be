#!/usr/bin/python3
"""The rule files that people start from: the baseline and the example hold and compile to the same bytes twice; the
example with the classes of its full version (diagnostics/gpu-cluster-full) and no budgets opens exactly seven paths
down in class; the full version, with its budgets and inspections, none, and compiles to the same bytes twice as well.

    tests/golden/examples.py WEIR ROOT
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LEAKS = {"read-shards", "customers", "serve", "operators", "pull-packages", "observe", "basics"}


def weir_says(weir, *arguments):
    done = subprocess.run([weir, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def findings(weir, policy, *command):
    code, out, _ = weir_says(weir, *(command or ("check",)), policy, "--format", "json", "--at", "2026-06-01")
    return code, json.loads(out)["diagnostics"]


def holds_and_is_deterministic(weir, policy, scratch):
    code, _, err = weir_says(weir, "check", policy, "--at", "2026-06-01")
    assert code == 0, err
    images = [scratch / "one.img", scratch / "two.img"]
    copy = scratch / "elsewhere"
    shutil.copytree(policy.parent, copy)
    for source, image in zip((policy, copy / policy.name), images):
        code, _, err = weir_says(weir, "compile", source, "-o", image, "--generation", 7, "--at", "2026-06-01")
        assert code == 0, err
    assert images[0].read_bytes() == images[1].read_bytes(), f"{policy}: the image depends on where it was compiled"
    return weir_says(weir, "dump", images[0])[1]


def with_classes(example, full, scratch):
    """The example with `class` lines of the full policy put below each segment's header."""
    classes = dict(re.findall(r"\[segment\.([a-z]+)\]\n(?:(?!\[).*\n)*?class\s*= (\"\w+\")", full.read_text()))
    copy = scratch / "classes"
    shutil.copytree(example.parent, copy)
    policy = copy / example.name
    text, count = re.subn(r"\[segment\.([a-z]+)\]\n", lambda m: f"{m[0]}class = {classes[m[1]]}\n", policy.read_text())
    assert count == 10, count
    policy.write_text(text)
    return policy


def main():
    weir, root = sys.argv[1], pathlib.Path(sys.argv[2])
    example = root / "rules/examples/gpu-cluster/policy.toml"
    full = root / "tests/golden/diagnostics/gpu-cluster-full/policy.toml"
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        dump = holds_and_is_deterministic(weir, root / "rules/baseline.toml", pathlib.Path(one))
        assert '"arp":true,"nd":true,"ra":false,"dhcp":false,"bytes_a_day":999424}' in dump, dump
        holds_and_is_deterministic(weir, example, pathlib.Path(two))
        code, found = findings(weir, with_classes(example, full, pathlib.Path(one)))
    leaks = {re.match(r"`([a-z-]+)`", each["sentence"])[1] for each in found if each["code"] == "E0301"}
    assert code == 2 and leaks == LEAKS, sorted(leaks ^ LEAKS)
    assert all(each["code"] == "E0301" for each in found), found
    code, found = findings(weir, full)
    assert code == 0 and {each["code"] for each in found} == {"W0101", "W0301", "W0412"}, found
    with tempfile.TemporaryDirectory() as scratch:
        dump = holds_and_is_deterministic(weir, full, pathlib.Path(scratch))
    assert "`no-weights`: first 65536 bytes of both directions, signatures inspect.no-weights, " in dump, dump
    for name in ("budgets", "bounded", "inspected", "breakglass"):
        with tempfile.TemporaryDirectory() as scratch:
            holds_and_is_deterministic(weir, root / "rules/examples" / name / "policy.toml", pathlib.Path(scratch))
    with tempfile.TemporaryDirectory() as scratch:
        policy = pathlib.Path(scratch) / "page" / "policy.toml"
        policy.parent.mkdir()
        policy.write_text(re.search(r"```toml\n(.*?)```", (root / "docs/budgets.md").read_text(), re.S)[1])
        holds_and_is_deterministic(weir, policy, pathlib.Path(scratch))
        assert not findings(weir, policy)[1], findings(weir, policy)
    code, found = findings(weir, root / "rules/examples/budgets/policy.toml")
    assert code == 0 and not found, found
    print("baseline and examples hold; seven leaks with classes, none with budgets")


if __name__ == "__main__":
    main()
