#!/usr/bin/python3
"""Law 1: the engine takes bytes, tables and a time, and gives decisions. What its release archive leaves undefined
must be in engine_symbols.txt, and it may keep no variable, initialiser or thread-local of its own."""
import pathlib
import re
import subprocess
import sys

import tree


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def symbols(archive, *options):
    """Symbol names by type letter, from nm; skips the lines that name archive members."""
    rows = (line.split() for line in run("nm", "--format=posix", *options, archive).splitlines())
    return [(row[1], row[0]) for row in rows if len(row) >= 2 and len(row[1]) == 1]


def main(archive):
    allowed_file = pathlib.Path(__file__).with_name("engine_symbols.txt")
    allowed = {line.split()[0] for line in allowed_file.read_text().splitlines() if line and not line.startswith("#")}
    defined = {name for kind, name in symbols(archive, "--defined-only")}
    needed = {name for kind, name in symbols(archive, "--undefined-only")} - defined
    if not defined:
        sys.exit(f"{archive}: no symbols: not the engine?")
    broken = [f"{name}: the engine needs it; engine_symbols.txt does not list it" for name in sorted(needed - allowed)]
    for line in run("objdump", "-h", archive).splitlines():
        row = line.split()
        if len(row) < 3 or not row[0].isdigit() or int(row[2], 16) == 0:
            continue
        section = row[1]
        if re.match(r"\.(data(?!\.rel\.ro)|bss|tdata|tbss|init_array|ctors|fini_array)", section):
            broken.append(f"section {section}: the engine keeps state of its own; all its memory is lent")
    tree.report("the engine has no clock, heap, log, thread or exception, and no memory of its own", broken)


main(sys.argv[1])
