#!/usr/bin/python3
"""That the harness can fail: each mistake of planted.py is found, and without one nothing is.

usage: conntrack_planted.py WEIR"""
import os
import sys

import bridge
import conntrack
import planted

CONVERSATIONS = 150


def main():
    faults = 0
    for fault in (None, *planted.FAULTS):
        harness = conntrack.Harness(os.path.abspath(sys.argv[1]), fault)
        try:
            harness.finish(1, harness.ask(1, list(range(CONVERSATIONS))))
        except bridge.Unavailable as reason:
            print(f"skipped: {reason}")
            sys.exit(conntrack.SKIP)
        found = len(harness.unexplained)
        good = (found > 0) == (fault is not None)
        print(f"{'ok  ' if good else 'FAIL'} {fault or 'no mistake':24} {found} unexplained")
        faults += not good
    sys.exit(1 if faults else 0)


main()
