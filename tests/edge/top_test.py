#!/usr/bin/env python3
"""`weir top` in a terminal, by tmux: what stands on the screen while packets come, that it fits a small one, and that q
leaves.

usage: top_test.py DATAPLANE WEIR"""
import os
import shutil
import subprocess
import sys
import time

import dataplane
from watched import Watched, packets


class Terminal:
    """A terminal of its own server, ended with it."""

    def __init__(self, folder, columns, lines, command):
        self.folder, self.socket = folder, folder.file(f"terminal{columns}")
        self.call("new-session", "-d", "-x", str(columns), "-y", str(lines), command)

    def call(self, *arguments):
        environment = {**os.environ, "HOME": self.folder.path, "TERM": "screen", "LC_ALL": "C.UTF-8",
                       "SHELL": "/bin/sh"}  # else tmux takes the shell of an account that may have none
        environment.pop("TMUX", None)
        return subprocess.run(["tmux", "-f", "/dev/null", "-S", self.socket, *arguments], cwd=self.folder.path,
                              env=environment, capture_output=True, text=True, timeout=20, check=False,
                              **self.folder.user)

    def shows(self):
        return self.call("capture-pane", "-p").stdout

    def until(self, holds, send=None):
        for _ in range(100):
            if send:
                send()
            text = self.shows()
            if holds(text):
                return text
            time.sleep(0.05)
        raise AssertionError(f"not on the screen:\n{text}")

    def end(self):
        self.call("kill-server")


def main(binary, weir):
    if shutil.which("tmux") is None:
        print("tmux is not installed")
        sys.exit(dataplane.SKIP)
    with dataplane.Folder(dataplane=binary, weir=weir) as folder:
        watched = Watched(folder)
        terminals = []
        try:
            weir_here = folder.programs["weir"]
            for columns, lines in ((120, 40), (40, 8)):
                terminals.append(Terminal(folder, columns, lines,
                                          f"{weir_here} top --stats stats --door door --every 0.2"))
            sent = iter(range(1000))
            text = terminals[0].until(lambda shown: "no_allow" in shown and "well" in shown,
                                      lambda: watched.send(packets(20, 99, f"10.0.1.{next(sent) % 250 + 1}")))
            assert "weir top: generation 7 of policy watched, up" in text, text
            assert "no rule allows it" in text or "BECAUSE" in text, text
            assert "none in force" in text and "pkt/s" in text and "flows 0" in text, text
            print(text.rstrip())
            small = terminals[1].until(lambda shown: "WORKER" in shown)
            assert all(len(line) <= 40 for line in small.splitlines()) and len(small.splitlines()) <= 8, small
            terminals[0].call("send-keys", "q")
            for _ in range(100):
                if "no server" in terminals[0].call("list-sessions").stderr or not terminals[0].shows():
                    break
                time.sleep(0.05)
            said = folder.call("weir", "top", "--stats", "stats")
            assert said.returncode == 2 and "no terminal" in said.stderr, said
        finally:
            for one in terminals:
                one.end()
            watched.end()


main(*sys.argv[1:])
