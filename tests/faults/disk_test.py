#!/usr/bin/env python3
"""A disk that is full, a log that cannot be written, a log whose disk hangs, and events faster than anybody reads:
weir-control refuses what it could not keep, says what it does not log, goes on, and works again afterwards. What is in
force stays in force all the while.

usage: disk_test.py DATAPLANE WEIR CONTROL UNKIND
needs root for small disks; says why and exits with 77 where it cannot run."""
import json
import os
import shutil
import sys
import time

import unkind
from control import Control, dataplane, door_status, policy, start_dataplane, states, together
from watched import Watched, packets


def entries(folder):
    return sorted(os.listdir(folder.file("state/history")))


def history_on_a_full_disk(folder, disk):
    control = Control(folder, "--settle-ms", "20")
    with together(folder, control):
        first = control.apply(policy("first"))["generation"]
        filler = unkind.fill(disk)
        before = entries(folder)
        for terms in ({}, {"confirm_within_ms": 60_000}):
            refused = control.apply(policy("second", 444), 507, **terms)
            assert "nothing was changed" in refused["error"] and "No space left" in refused["error"], refused
        refused = control.post("/v1/stage", {"root": "p.toml", "files": {"p.toml": policy("third", 445)}}, 507)
        assert "No space left" in refused["error"], refused
        assert entries(folder) == before, "half an entry is left"
        assert control.generation() == door_status(folder)["generation"] == first
        assert states(control) == {first: "confirmed"}, states(control)
        control.stop()  # and whoever starts with a full disk serves what it has
        told = control.start()
        assert not told["torn"] and told["last_good"]["generation"] == first, told
        assert control.apply(policy("second", 444), 507)["error"]
        os.remove(filler)
        second = control.apply(policy("second", 444))["generation"]
        assert second > first and control.generation() == second
        assert states(control) == {first: "replaced", second: "confirmed"}, states(control)


def lockdown_on_a_full_disk(folder, disk):
    """It is not refused for want of room: it comes into force, and into the history when it can."""
    control, run = Control(folder), start_dataplane(folder)
    try:
        control.start()
        first = control.apply(policy("first"))["generation"]
        filler = unkind.fill(disk)
        locked = control.post("/v1/lockdown", {})
        assert "the history does not have it yet" in locked["warning"], locked
        assert door_status(folder)["policy"] == "lockdown" and states(control) == {first: "confirmed"}, states(control)
        control.wait_until(lambda told: "No space left" in (told["problem"] or ""))
        run.kill()  # and what it forgets meanwhile it gets again, not what was confirmed before
        control.wait_until(lambda told: not told["dataplane"]["reachable"])
        run = start_dataplane(folder)
        control.wait_until(lambda told: told["dataplane"].get("policy") == "lockdown")
        assert door_status(folder)["generation"] == locked["generation"]
        os.remove(filler)
        told = control.wait_until(lambda told: told["last_good"]["generation"] == locked["generation"])
        assert not told["problem"] and told["dataplane"]["policy"] == "lockdown", told
        assert states(control) == {first: "replaced", locked["generation"]: "confirmed"}, states(control)
        assert run.process.poll() is None, run.said()
    finally:
        control.stop(9)
        run.kill()


def history_that_fills_while_on_trial(folder, disk):
    """The dataplane decides a trial, whatever the disk takes of it; that is kept once there is room."""
    control = Control(folder)
    with together(folder, control):
        first = control.apply(policy("one"))["generation"]
        trial = control.apply(policy("two", 444), confirm_within_ms=1500)["generation"]
        filler = unkind.fill(disk)
        told = control.wait_until(lambda told: told["dataplane"]["generation"] == trial + 1)
        told = control.wait_until(lambda told: told["problem"] or not told["on_trial"])
        assert told["problem"] and "the history cannot be kept" in told["problem"], told
        os.remove(filler)
        control.stop()
        control.start()
        control.wait_until(lambda told: told["last_good"]["generation"] == trial + 1 and not told["on_trial"])
        assert states(control)[trial] == "rolled_back" and not control.get("/v1/status")["torn"], states(control)
        assert first < trial


class Logging:
    """weir-control that takes the events of a dataplane which stands still while nobody sends."""

    def __init__(self, folder, log, **process):
        self.folder, self.log = folder, folder.file(log)
        self.watched = Watched(folder, 1)
        self.control = Control(folder, "--stats", "stats", "--events", self.log)
        self.process, self.user = process, folder.user

    def __enter__(self):
        self.folder.user = {**self.user, **self.process}
        try:
            self.control.start()
        finally:
            self.folder.user = self.user
        self.wait(lambda events: events["reading"])
        return self

    def __exit__(self, *_):
        self.control.stop(9)
        self.watched.end()

    def send(self, count):
        self.watched.send(packets(count, 99))

    def wait(self, holds):
        return self.control.wait_until(lambda told: holds(told["events"]), 20)["events"]

    def lines(self):
        with open(self.log, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def drops(self):
        return sum(line["event_type"] == "drop" for line in self.lines())

    def missing(self, key):
        """What the log itself says that is not in it."""
        return sum(line["weir"].get(key, 0) for line in self.lines() if line["event_type"] == "stats")


def log_on_a_full_disk(folder, disk):
    with Logging(folder, "disk/eve.json") as logging:
        logging.send(50)
        logging.wait(lambda events: events["lines"] >= 50)
        filler = unkind.fill(disk)
        for _ in range(60):  # a page may be left; then up to 4 MiB wait for room
            logging.send(2000)
            told = logging.control.get("/v1/status")["events"]
            if told["not_logged"]["unwritten"] > 0:
                break
        told = logging.wait(lambda events: events["fault"] and events["not_logged"]["unwritten"] > 0)
        assert "No space left" in told["fault"], told
        said = folder.call("weir", "status", "--control", "control.sock").stdout
        assert "event log: FAILS: " in said and "events are not in it: unwritten" in said, said
        assert "event log: " in logging.control.said(), logging.control.said()
        assert logging.control.generation() == 7, "the policy in force is another"
        os.remove(filler)
        told = logging.wait(lambda events: not events["fault"])
        logging.send(10)
        end = time.monotonic() + 20
        while logging.missing("unwritten") != told["not_logged"]["unwritten"] and time.monotonic() < end:
            time.sleep(0.1)
        assert logging.missing("unwritten") == told["not_logged"]["unwritten"], (told, logging.lines()[-3:])
        assert "the event log takes lines again" in logging.control.said()
        assert logging.lines()[-1]["event_type"] in ("drop", "stats")


def log_that_cannot_be_written(folder, disk):
    """Removed, forbidden, read-only: what waits meanwhile is written when it can be."""
    logs = f"{disk}/logs"
    os.mkdir(logs)
    os.chmod(logs, 0o777)
    with Logging(folder, "disk/logs/eve.json") as logging:
        logging.send(5)
        logging.wait(lambda events: events["lines"] == 5)
        assert logging.drops() == 5
        logging.control.process.send_signal(1)  # SIGHUP, as logrotate has it, ends nothing
        shutil.rmtree(logs)
        time.sleep(1.1)  # it looks once a second
        logging.send(5)
        told = logging.wait(lambda events: events["fault"])
        assert "logs/eve.json: No such file or directory" in told["fault"], told
        os.mkdir(logs)
        os.chmod(logs, 0o500)  # root's
        logging.wait(lambda events: "Permission denied" in (events["fault"] or ""))
        with unkind.read_only_disk(logs):
            logging.wait(lambda events: "Read-only file system" in (events["fault"] or ""))
            assert logging.control.apply(policy("meanwhile"))["generation"] == logging.control.generation()
        os.chmod(logs, 0o777)
        logging.wait(lambda events: not events["fault"])
        os.rename(logging.log, logging.log + ".1")  # as somebody's rotation does, without a signal
        time.sleep(1.1)
        logging.send(5)
        end = time.monotonic() + 20
        while not (os.path.exists(logging.log) and logging.drops() == 5) and time.monotonic() < end:
            time.sleep(0.1)
        assert logging.drops() == 5, logging.lines()
        logging.log += ".1"
        assert logging.drops() == 5, logging.lines()
        assert not any(logging.wait(lambda events: events["lines"] == 15)["not_logged"].values())


def log_on_a_disk_that_hangs(folder, library):
    machine = unkind.Unkind(folder.file("unkind"), library, "eve.json")
    with Logging(folder, "eve.json", env=machine.environment) as logging:
        logging.send(5)
        logging.wait(lambda events: events["lines"] == 5)
        machine.hang(True)
        logging.send(5)
        told = logging.wait(lambda events: events["fault"])
        assert "has not answered for" in told["fault"], told
        for _ in range(3):
            logging.send(2000)
        slowest = 0
        for turn in range(20):  # what people ask is answered meanwhile
            began = time.monotonic()
            assert logging.control.get("/v1/status")["dataplane"]["reachable"]
            logging.control.get("/v1/history")
            slowest = max(slowest, time.monotonic() - began)
            if turn == 0:
                made = logging.control.apply(policy("meanwhile"))
        assert logging.control.generation() == made["generation"], made
        machine.hang(False)
        told = logging.wait(lambda events: not events["fault"] and events["not_logged"]["lost"] > 0)
        lost = told["not_logged"]["lost"]
        logging.wait(lambda events: events["lines"] + events["not_logged"]["lost"] == 6010)
        end = time.monotonic() + 20
        while (logging.missing("lost"), logging.drops()) != (lost, 6010 - lost) and time.monotonic() < end:
            time.sleep(0.1)
        assert (logging.missing("lost"), logging.drops()) == (lost, 6010 - lost), (told, logging.drops())
        print(f"      the log hung: {lost} of 6010 events lost and told; slowest answer {slowest * 1e3:.0f} ms")


def rss_kib(process):
    with open(f"/proc/{process.pid}/statm", encoding="utf-8") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def events_faster_than_they_are_read(folder, _):
    with Logging(folder, "eve.json") as logging:
        logging.send(3000)
        before = [rss_kib(one.process) for one in (logging.control, logging.watched.run)]
        sent = 3000
        for _ in range(20):  # faster than a period of the reader can hold: the daemon stands still meanwhile
            logging.control.process.send_signal(19)
            logging.send(6000)
            logging.control.process.send_signal(18)
            sent += 6000
        told = logging.wait(lambda events: events["lines"] + sum(events["not_logged"].values()) == sent)
        after = [rss_kib(one.process) for one in (logging.control, logging.watched.run)]
        assert told["not_logged"]["lost"] >= 20 * (6000 - 4096), told
        assert after[0] < before[0] + 16 * 1024 and after[1] < before[1] + 4 * 1024, (before, after)
        end = time.monotonic() + 20
        while logging.missing("lost") != told["not_logged"]["lost"] and time.monotonic() < end:
            time.sleep(0.1)
        assert logging.missing("lost") == told["not_logged"]["lost"], told
        assert logging.control.generation() == 7 and logging.watched.run.process.poll() is None
        print(f"      {sent} events, {told['not_logged']['lost']} lost to full rings and told; "
              f"resident KiB of daemon and dataplane {before} -> {after}")


def main(binary, weir, daemon, library):
    libc = unkind.own_mounts()
    disks = [(history_on_a_full_disk, "state", 1024), (lockdown_on_a_full_disk, "state", 1024),
             (history_that_fills_while_on_trial, "state", 1024),
             (log_on_a_full_disk, "disk", 24 << 10), (log_that_cannot_be_written, "disk", 1024),
             (events_faster_than_they_are_read, "disk", 1024)]
    for case, place, kib in disks:
        with dataplane.Folder(dataplane=binary, weir=weir, control=daemon) as folder:
            with unkind.small_disk(libc, folder, place, kib) as disk:
                case(folder, disk)
        print("ok   ", case.__name__)
    with dataplane.Folder(dataplane=binary, weir=weir, control=daemon) as folder:
        log_on_a_disk_that_hangs(folder, library)
    print("ok   ", log_on_a_disk_that_hangs.__name__)


main(*sys.argv[1:])
