#!/usr/bin/python3
"""The manual and the shells' completion know every command and option that the programs have, and no others. Pages are
rendered where scdoc is.

usage: manual.py ROOT WEIR CONTROL DATAPLANE"""
import pathlib
import re
import shutil
import subprocess
import sys

import tree

OPTION = re.compile(r"^  (?:-\w,)?--([a-z-]+)", re.M)


def said(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=True).stdout


def commands_of(weir):
    return set(re.findall(r"^  ([a-z]+) ", said(weir, "--help").split("Subcommands:")[1], re.M))


def page_faults(root, name, wanted, found):
    faults = [f"docs/man/{name}: says nothing of `{one}`" for one in sorted(wanted - found)]
    return faults + [f"docs/man/{name}: there is no `{one}`" for one in sorted(found - wanted)]


def marked(root, name, pattern):
    text = (pathlib.Path(root) / "docs/man" / name).read_text()
    return text, set(re.findall(pattern, text))


def completion_faults(weir, commands):
    faults = []
    for shell in ("bash", "zsh", "fish"):
        script = said(weir, "completion", shell)
        known = set(re.findall(r"[a-z]+", script))
        faults += [f"completion {shell}: no `{one}`" for one in sorted(commands - known)]
        if shell == "bash":
            ask = script + '\nCOMP_WORDS=(weir coun) COMP_CWORD=1; _weir; echo "${COMPREPLY[*]}"' \
                           '\nCOMP_WORDS=(weir counters --st) COMP_CWORD=2; _weir; echo "${COMPREPLY[*]}"'
            told = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, timeout=60, check=False)
            if told.stdout.split() != ["counters", "--stats"] or told.stderr:
                faults.append(f"completion bash: offers {told.stdout.split()} {told.stderr}")
    return faults


def main(root, weir, control, dataplane):
    commands = commands_of(weir)
    text, _ = marked(root, "weir.1.scd", r"$^")
    listed = set()
    for line in text[text.index("# COMMANDS WITHOUT"):text.index("# FILTERS")].splitlines():
        if line.startswith("*"):
            listed |= set(re.findall(r"\*([a-z]+)\*", line))
    broken = page_faults(root, "weir.1.scd", commands, listed)
    for name, program in (("weir-control.8.scd", control), ("weir-dataplane.8.scd", dataplane)):
        _, found = marked(root, name, r"\*--([a-z-]+)\*")
        broken += page_faults(root, name, set(OPTION.findall(said(program, "--help"))) - {"help"}, found)
    broken += completion_faults(weir, commands)
    if shutil.which("scdoc"):
        for page in sorted((pathlib.Path(root) / "docs/man").glob("*.scd")):
            made = subprocess.run(["scdoc"], input=page.read_text(), capture_output=True, text=True, check=False)
            if made.returncode != 0 or not made.stdout.startswith(".\\\""):
                broken.append(f"docs/man/{page.name}: scdoc: {made.stderr.strip()}")
    tree.report("the manual and completion say what the programs say", broken)


main(*sys.argv[1:5])
