#!/usr/bin/env python3
"""A trial whose fallback cannot be installed when its time has come: that is said loudly and in status, tried each
second, and done as soon as it can be. And one whose deadline finds the ledger closed by a full disk: the fallback comes
into force all the same, with all denied that a budget covers.

usage: trial_test.py DATAPLANE WEIR
needs root for a small disk; says why and exits with 77 where it cannot run."""
import json
import os
import sys
import time

import dataplane
import unkind
from standing import standing, thread_named

PORTS = ["net_null0,no-rx=1", "net_null1,no-rx=1"]


def policy(name, limit):
    return f"""version = 1
policy.name = "{name}"
segment.a.cidr = ["10.0.0.0/8"]
segment.b.cidr = ["192.168.0.0/16"]
service.web = {{ tcp = [443] }}
[[allow]]
name = "web"
from = "a"
to = "b"
with = ["web"]
[[budget]]
name = "out"
from = "a"
windows = {{ "1h" = "{limit} MB" }}
"""


class Trial:
    """`two` on trial over `one`, which is its fallback too, with budgets that differ."""

    def __init__(self, folder):
        self.folder = folder
        folder.write("one.toml", policy("one", 100).encode())
        folder.write("two.toml", policy("two", 200).encode())
        os.chmod(folder.write("key", os.urandom(32)), 0o600)
        self.weir("budgets", "--begin", "disk/ledger", "--key", "key", "--first")
        self.start(self.image("one", 1))
        assert self.status()["ledger"]["state"] == "open", self.status()

    def start(self, image):
        self.run = self.folder.start(["--policy", image, "--pair", "inside=net_null0,outside=net_null1", "--door",
                                      "door", "--ledger", "disk/ledger", "--ledger-key", "key"], PORTS, 2)
        self.run.wait_for("live")

    def image(self, name, generation):
        self.weir("compile", name + ".toml", "-o", f"{name}{generation}.img", "--generation", generation)
        return f"{name}{generation}.img"

    def install(self, name, generation, *more, code=0):
        self.weir("door", "door", "install", self.image(name, generation), *more, code=code)

    def weir(self, *arguments, code=0):
        ended = self.folder.call("weir", *arguments)
        assert ended.returncode == code, ended
        return ended

    def status(self):
        return json.loads(self.weir("door", "door", "status", "-o", "json").stdout)

    def begin(self, within, code=0):
        self.install("two", 2, "--fallback", self.image("one", 3), "--confirm-within", within, code=code)
        facts = self.status()
        assert facts["generation"] == 2 and facts["trial"]["fallback"] == 3, facts

    def wait(self, holds, seconds=20):
        end = time.monotonic() + seconds
        while not holds(facts := self.status()):
            assert time.monotonic() < end, (facts, self.run.said())
            time.sleep(0.05)
        return facts


def a_worker_stands(folder, _):
    trial = Trial(folder)
    try:
        try:
            with standing(thread_named(trial.run.process.pid, "rte-worker-1", "lcore-worker-1")):
                trial.begin("1s", code=1)  # in force, but not announced by all
                # Not done, said, and tried again; until then what is on trial holds.
                facts = trial.wait(lambda facts: (facts["trial"] or {}).get("fallback_failed"), 40)
                assert facts["generation"] == 2 and facts["trial"]["left_s"] == 0, facts
                assert "have not announced the last policy" in facts["trial"]["fallback_failed"], facts
                trial.run.wait_for("GENERATION 2 WAS NOT CONFIRMED AND ITS FALLBACK CANNOT BE INSTALLED")
                assert "trying again each second" in trial.run.said(), trial.run.said()
                health = folder.call("weir", "health", "door")
                assert health.returncode == 1 and "!" in health.stdout, health
        except OSError as error:
            unkind.skip(f"no thread may be stopped here: {error}")
        facts = trial.wait(lambda facts: facts["generation"] == 3)
        assert not facts["trial"] and facts["policy"] == "one", facts
        trial.run.wait_for("NOT CONFIRMED IN TIME: generation 2 gave way to its fallback, `one`, generation 3")
        assert trial.status()["ledger"]["state"] == "open"
        assert trial.run.stop()[0] == 0, trial.run.said()
    finally:
        trial.run.kill()


def the_ledger_is_full(folder, disk):
    trial = Trial(folder)
    try:
        filler = unkind.fill(disk)
        generation = 10
        while trial.status()["ledger"]["state"] == "open":  # the page that the ledger ends in has room for a few
            generation += 1
            assert generation < 200, trial.run.said()
            trial.install(("one", "two")[generation % 2], generation)
        facts = trial.status()
        assert "No space left" in facts["ledger"]["why"] and facts["generation"] == generation, facts
        trial.run.wait_for("LEDGER CLOSED: all that a budget covers is denied")
        trial.install("two", generation + 1, "--fallback", trial.image("one", generation + 2), "--confirm-within", "1s")
        assert trial.status()["trial"]["fallback"] == generation + 2
        facts = trial.wait(lambda facts: facts["generation"] == generation + 2)
        assert facts["policy"] == "one" and facts["ledger"]["state"] == "closed" and not facts["trial"], facts
        os.remove(filler)
        time.sleep(0.5)
        assert trial.status()["ledger"]["state"] == "closed", "nothing opens it again but a new start"
        trial.run.stop()
        trial.weir("budgets", "--verify", "disk/ledger/ledger", "--key", "key")
        trial.start(trial.image("one", generation + 3))
        assert trial.status()["ledger"]["state"] == "open", trial.status()
        trial.run.stop()
    finally:
        trial.run.kill()


def main(binary, weir):
    libc = unkind.own_mounts()
    for case in (a_worker_stands, the_ledger_is_full):
        with dataplane.Folder(dataplane=binary, weir=weir) as folder:
            with unkind.small_disk(libc, folder, "disk", 4096) as disk:
                case(folder, disk)
        print("ok   ", case.__name__)


main(*sys.argv[1:])
