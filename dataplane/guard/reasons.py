#!/usr/bin/python3
"""Writes the numbers of the drop reasons (dataplane/packet/reason.hpp) as C, for the guard's programs.
usage: reasons.py OUTPUT REASON_HPP"""
import pathlib
import re
import sys

output, source = sys.argv[1:3]
names = re.findall(r"^  X\((\w+), \w+, \w+,", pathlib.Path(source).read_text(), re.M)
if not 0 < len(names) <= 256:
    sys.exit(f"{source}: {len(names)} reasons found")
rows = "".join(f"  reason_{name} = {number},\n" for number, name in enumerate(names))
pathlib.Path(output).write_text(f"// From the table of reasons.\n#pragma once\nenum guard_reason {{\n{rows}}};\n")
