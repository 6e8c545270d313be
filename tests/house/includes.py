#!/usr/bin/python3
"""Law 8: dependencies point down the floors. Reads the #include lines, not the compiler's mind. This table is the one
place where an edge is allowed; a new one is an architecture decision."""
import re
import sys

import tree

ENGINE_LOW = ("dataplane/base", "dataplane/packet")
ENGINE = ENGINE_LOW + ("dataplane/rdma", "dataplane/flow", "dataplane/policy", "dataplane/budget", "dataplane/inspect",
                       "dataplane/pipeline", "dataplane/share")
CONTROL_ENGINE = ENGINE_LOW + ("dataplane/policy",)

# Folder: the folders whose headers it may include, besides its own.
MAY_INCLUDE = {
    "dataplane/base": (),
    "dataplane/packet": ("dataplane/base",),
    "dataplane/flow": ENGINE_LOW + ("dataplane/budget",),
    "dataplane/policy": ENGINE_LOW + ("dataplane/inspect",),
    "dataplane/budget": ENGINE_LOW,
    "dataplane/inspect": ENGINE_LOW,
    "dataplane/rdma": ENGINE_LOW + ("dataplane/budget", "dataplane/inspect"),
    "dataplane/pipeline": ENGINE,
    "dataplane/share": ENGINE,
    "dataplane/edge": ENGINE + ("dataplane/ledger", "dataplane/scan"),
    "dataplane/ledger": ENGINE_LOW + ("dataplane/budget", "dataplane/policy"),
    "dataplane/scan": ENGINE,
    "dataplane/guard": ENGINE + ("dataplane/ledger",),
    "control/model": (),
    "control/source": ("control/model",),
    "control/format": ("control/model", "control/source"),
    "control/check": CONTROL_ENGINE + ("control/model", "control/source", "control/compile", "control/inspect"),
    "control/report": ("control/model", "control/source", "control/check"),
    "control/ask": CONTROL_ENGINE + ("control/model", "control/source", "control/check"),
    "control/compile": CONTROL_ENGINE + ("control/model", "dataplane/inspect"),
    "control/inspect": ("dataplane/base", "dataplane/inspect", "control/model", "control/source"),
    "control/bound": CONTROL_ENGINE + ("control/model", "control/compile", "control/doctor"),
    "control/diff": CONTROL_ENGINE + ("control/model", "control/source", "control/check", "control/compile",
                                      "control/bound"),
    "control/front": CONTROL_ENGINE + ("control/model", "control/source", "control/check", "control/compile",
                                       "control/inspect", "control/report"),
    "control/door": ("dataplane/base", "dataplane/packet", "dataplane/share", "control/source"),
    "control/publish": CONTROL_ENGINE + ("dataplane/share", "control/model", "control/source", "control/check",
                                         "control/report", "control/compile", "control/ask", "control/bound",
                                         "control/diff", "control/door", "control/front"),
    "control/serve": CONTROL_ENGINE + ("dataplane/share", "control/model", "control/source", "control/check",
                                       "control/report", "control/front", "control/door", "control/publish",
                                       "control/see"),
    "control/recommend": CONTROL_ENGINE + ("control/model", "control/source", "control/check", "control/compile"),
    "control/doctor": (),
    "control/see": ENGINE + ("control/source", "control/door"),
    "tools/capture": ("dataplane/base",),
    "tools/thief": ENGINE_LOW,
    "tools/weir": ENGINE + ("dataplane/ledger", "dataplane/scan", "tools/capture", "tools/thief", "control/inspect",
                            "control/model", "control/source", "control/check", "control/report", "control/compile",
                            "control/ask", "control/bound", "control/diff", "control/door", "control/see",
                            "control/front", "control/serve", "control/publish", "control/doctor", "control/format",
                            "control/recommend", "dataplane/guard"),
    "tests": ("dataplane", "control", "tools"),
}

# A foreign header (as a pattern): the only places that may include it.
FOREIGN = {
    r"rte_|ethdev_|eal_": ("dataplane/edge", "tests/bench"),
    r"toml\.hpp|toml/": ("control/source",),
    r"Clp|Coin": ("control/bound",),
    r"hs(_\w+)?\.h$|hs/": ("dataplane/scan", "control/inspect", "tests/bench"),
    r"bpf/|linux/bpf": ("dataplane/guard", "tests/guard", "tests/bench"),
    r"sodium": ("dataplane/ledger", "control/publish", "tests/fuzz"),
    r"event2?/|event\.h": ("control/serve",),
    r"seccomp\.h$": ("dataplane/edge", "tests/edge"),
    r"prometheus/": ("control/see",),
    r"(n?curses)\w*\.h": ("tools/weir",),
    r"catch2/": ("tests",),
}
ONE_FILE_ONLY = (r"toml\.hpp|toml/", r"Clp|Coin", r"prometheus/", r"(n?curses)\w*\.h")

# The standard headers that the engine may use: nothing that allocates, waits, prints, throws or asks the time.
ENGINE_STANDARD = set(
    "algorithm array atomic bit climits compare concepts cstddef cstdint cstdlib cstring expected initializer_list"
    " iterator limits numeric optional span string_view tuple type_traits utility"
    " cpuid.h emmintrin.h immintrin.h arm_acle.h arm_neon.h".split())

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)


def folder_of(path, folders):
    """The longest entry of `folders` that `path` lies in."""
    fits = [folder for folder in folders if path == folder or path.startswith(folder + "/")]
    return max(fits, key=len) if fits else None


def judge(path, mark, name, our_headers):
    """What is wrong with `path` including `name`, or None."""
    for pattern, places in FOREIGN.items():
        if re.match(pattern, name):
            return None if folder_of(path, places) else f"only {' and '.join(places)} may"
    home = folder_of(path, MAY_INCLUDE)
    if home is None:
        return "a folder that tests/house/includes.py does not know: give it a floor"
    if mark == "<":
        if home in ENGINE and name not in ENGINE_STANDARD:
            return "the engine has no heap, thread, clock, log or exception: see ENGINE_STANDARD"
        return None
    if home == "tests":
        return None
    if name not in our_headers:
        return "write our headers by their path from the repository's root"
    if folder_of(name, (home,) + MAY_INCLUDE[home]) is None:
        return f"{home} may include only {', '.join((home,) + MAY_INCLUDE[home])}"
    return None


def main(root):
    paths = tree.files(root, tree.CODE, ("dataplane/", "control/", "tools/", "tests/"))
    our_headers = {path.as_posix() for path in paths}
    broken = []
    users = {pattern: [] for pattern in ONE_FILE_ONLY}
    for path in paths:
        for match in INCLUDE.finditer(tree.text(root, path)):
            mark, name = match.groups()
            wrong = judge(path.as_posix(), mark, name, our_headers)
            if wrong:
                broken.append(f"{path}: includes {name}: {wrong}")
            for pattern, found in users.items():
                if re.match(pattern, name):
                    found.append(path.as_posix())
    for pattern, found in users.items():
        if len(set(found)) > 1:
            broken.append(f"{pattern}: more than one file includes it: {', '.join(sorted(set(found)))}")
    tree.report("an include may only point down the floors (docs/architecture.md)", broken)


main(sys.argv[1])
