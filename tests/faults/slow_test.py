#!/usr/bin/env python3
"""A dataplane that is slow, or stands still, and a disk that hangs: weir-control goes on to answer at once what it
knows, says what it waits for and how old that is, and does what was asked when it can be done.

usage: slow_test.py DATAPLANE WEIR CONTROL UNKIND"""
import signal
import sys
import threading
import time

from control import Control, dataplane, door_status, policy, states
from standing import standing, thread_named
from unkind import Unkind, skip

PORTS = ["net_null0,no-rx=1", "net_null1,no-rx=1"]


def slowest_answer(control, while_it, seconds=20):
    """The longest that a status took, and all of them."""
    slowest, told, end = 0, [], time.monotonic() + seconds
    while while_it():
        began = time.monotonic()
        told.append(control.get("/v1/status"))
        slowest = max(slowest, time.monotonic() - began)
        assert time.monotonic() < end, told[-1]
        time.sleep(0.02)
    return slowest, told


def an_install_takes_long(control, run):
    """A worker does not announce it: the door answers after five seconds."""
    first = control.apply(policy("first"))["generation"]
    answers = []
    try:
        with standing(thread_named(run.process.pid, "rte-worker-1", "lcore-worker-1")):
            asking = threading.Thread(target=lambda: answers.append(
                control.ask("POST", "/v1/apply", {"root": "p.toml", "files": {"p.toml": policy("second", 444)}})))
            asking.start()
            slowest, told = slowest_answer(control, asking.is_alive)
            asking.join()
    except OSError as error:
        skip(f"no thread may be stopped here: {error}")
    waited = [one for one in told if one["under_way"]]
    placed = [one for one in waited if "is being put in force" in one["under_way"]]  # after it has been written
    assert len(placed) > 3, (len(waited), told[-1])
    assert waited[0]["last_good"]["generation"] == first, waited[0]
    status, made = answers[0]
    assert status == 200 and "not every worker" in made["warning"], answers
    told = control.wait_until(lambda told: told["last_good"]["generation"] == made["generation"])
    assert told["under_way"] is None and states(control) == {first: "replaced", made["generation"]: "confirmed"}
    print(f"      while it was put in force the slowest status took {slowest * 1e3:.0f} ms")


def the_dataplane_stands_still(control, run):
    before = control.generation()
    run.process.send_signal(signal.SIGSTOP)
    try:
        refused = []
        asking = threading.Thread(target=lambda: refused.append(
            control.ask("POST", "/v1/apply", {"root": "p.toml", "files": {"p.toml": policy("third", 445)}})))
        asking.start()
        slowest, told_meanwhile = slowest_answer(control, asking.is_alive, 40)
        asking.join()
        assert refused[0][0] == 502, refused
        assert max(one["dataplane"].get("age_s", 0) for one in told_meanwhile) > 1, told_meanwhile[-1]
        told = control.wait_until(lambda told: not told["dataplane"]["reachable"])
        assert "no answer" in told["dataplane"]["why"] and told["last_good"]["generation"] == before, told
        assert len(told_meanwhile) > 3, "a status waits for what the dataplane has not answered"
    finally:
        run.process.send_signal(signal.SIGCONT)
    control.wait_until(
        lambda told: told["dataplane"].get("generation") == before and told["dataplane"]["age_s"] < 2, 20)
    assert control.apply(policy("fourth", 446))["generation"] > before
    print(f"      while the dataplane stood still the slowest status took {slowest * 1e3:.0f} ms")


def the_history_hangs(control, machine):
    before = control.generation()
    answers = []
    machine.hang(True)
    asking = threading.Thread(target=lambda: answers.append(
        control.ask("POST", "/v1/apply", {"root": "p.toml", "files": {"p.toml": policy("hung", 447)}})))
    asking.start()
    try:
        end = time.monotonic() + 2
        slowest, told = slowest_answer(control, lambda: time.monotonic() < end)
        assert "is being written to the history" in told[-1]["under_way"], told[-1]
        assert len(told) > 3 and told[-1]["dataplane"]["generation"] == before and not answers, (slowest, told[-1])
    finally:
        machine.hang(False)
        asking.join()
    assert answers[0][0] == 200 and control.generation() == answers[0][1]["generation"], answers
    print(f"      while the history hung the slowest status took {slowest * 1e3:.0f} ms")


def main(binary, weir, daemon, library):
    with dataplane.Folder(dataplane=binary, weir=weir, control=daemon) as folder:
        control, machine = Control(folder), Unkind(folder.file("unkind"), library, "entry.json")
        run = folder.start(["--pair", "inside=net_null0,outside=net_null1", "--door", "door"], PORTS, 2)
        try:
            run.wait_for("live")
            folder.user = {**(user := folder.user), "env": machine.environment}
            control.start()
            folder.user = user
            for case, what in ((an_install_takes_long, run), (the_dataplane_stands_still, run),
                               (the_history_hangs, machine)):
                case(control, what)
                print("ok   ", case.__name__)
            assert door_status(folder)["generation"] == control.generation()
            control.stop()
            code, said = run.stop()
        finally:
            control.stop(signal.SIGKILL)
            run.kill()
        assert code == 0, said


main(*sys.argv[1:])
