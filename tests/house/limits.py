#!/usr/bin/python3
"""The limits that operators read are the limits that the engine has: docs/architecture.md against
dataplane/base/limits.hpp, names and values, both ways."""
import pathlib
import re
import sys

import tree

PAGE, HEADER = "docs/architecture.md", "dataplane/base/limits.hpp"
CONSTANT = re.compile(r"^inline constexpr \w+ (\w+) = ([^;]+);", re.M)
ROW = re.compile(r"^\| `(\w+)` \| (\d+) \|", re.M)


def value_of(expression, known):
    """C++ to a number: other limits by name, and `u64{4} << 30`."""
    plain = re.sub(r"u\d+\{(\d+)\}", r"\1", expression)
    if not re.fullmatch(r"[\w\s*<+]+", plain):
        sys.exit(f"{HEADER}: cannot read `{expression}`")
    return eval(plain, {}, known)  # letters, digits, * + and << only


def main(root):
    limits = {}
    for name, expression in CONSTANT.findall(pathlib.Path(root, HEADER).read_text()):
        limits[name] = value_of(expression, limits)
    page = {name: int(value) for name, value in ROW.findall(pathlib.Path(root, PAGE).read_text())}
    derived = {"ports_max"}  # two for each pair
    broken = [f"{PAGE}: no row for `{name}` ({limits[name]})" for name in sorted(limits.keys() - page.keys() - derived)]
    broken += [f"{PAGE}: `{name}` is no limit" for name in sorted(page.keys() - limits.keys())]
    broken += [f"{PAGE}: `{name}` is {limits[name]}, not {page[name]}"
               for name in sorted(page.keys() & limits.keys()) if page[name] != limits[name]]
    tree.report("the documented limits are the limits", broken)


main(sys.argv[1])
