#!/usr/bin/python3
"""Nothing unfinished and nobody's machine in the tree: no promises in comments, no paths that exist in one place only,
no merge marks."""
import re
import sys

import tree

PROMISES = re.compile(r"\b(TODO|FIXME|XXX|HACK|TBD)\b")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(work|root|home/\w+|Users)/\w")
MERGE_MARKS = re.compile(r"^(<{7} |>{7} |={7}$)", re.M)
EXEMPT = {"tests/house/leftovers.py", "tests/house/check_the_checks.py"}


def main(root):
    broken = []
    for path in tree.files(root):
        text = tree.text(root, path)
        if text is None or path.as_posix() in EXEMPT:
            continue
        for pattern, what in ((PROMISES, "a promise: do it, or write an issue"),
                              (MACHINE_PATHS, "a path of somebody's machine"),
                              (MERGE_MARKS, "a merge mark")):
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                broken.append(f"{path}:{line}: {match.group().strip()}: {what}")
    tree.report("nothing unfinished, nobody's machine", broken)


main(sys.argv[1])
