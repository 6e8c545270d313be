#!/usr/bin/python3
"""One word per thing, the same in code, docs and command line. Banned words say nothing about what a thing does;
foreign names (DPDK's, the kernel's) keep their own, and are listed here."""
import re
import sys

import tree

BANNED = set("src dst manager handler helper util utils misc".split())
# `common` is banned in names of files, types and functions only: as an adjective in prose it is fine.
BANNED_IN_NAMES = BANNED | {"common"}
# Identifiers that belong to others, as whole words.
FOREIGN = re.compile(
    r"(?:(?<=\.)|(?<=->))(src|dst)_(addr|port)\b|\b(rte_\w+|RTE_\w+|sa_handler|set_terminate_handler|CLI\w*|hs_\w+"
    r"|error_handler_t|rx_pcap|tx_pcap|IPPROTO_\w+|SA_\w+)\b")
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PART = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


def parts(identifier):
    return {part.lower() for part in PART.findall(identifier)}


def main(root):
    broken = []
    for path in tree.files(root, None, ("dataplane/", "control/", "tools/", "tests/", "rules/")):
        bad = {part for name in path.parts for part in parts(name)} & BANNED_IN_NAMES
        if bad:
            broken.append(f"{path}: a file named {', '.join(sorted(bad))}: name what it does")
        if path.suffix not in tree.CODE:
            continue
        code = FOREIGN.sub(" ", tree.without_comments(tree.text(root, path)))
        for number, line in enumerate(code.splitlines(), 1):
            if line.lstrip().startswith("#include"):
                continue
            for identifier in IDENTIFIER.findall(line):
                bad = parts(identifier) & BANNED_IN_NAMES
                if bad:
                    broken.append(f"{path}:{number}: {identifier}: not `{'`, `'.join(sorted(bad))}`"
                                  " (source and target; else name what it does)")
    tree.report("one word per thing (CONTRIBUTING.md, words)", broken)


main(sys.argv[1])
