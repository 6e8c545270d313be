#!/usr/bin/env python3
"""weir-control over a running dataplane: what it applies, refuses, takes back and remembers; with itself, its caller or
the dataplane killed in between; with a torn history; and who may ask what.

usage: control_test.py DATAPLANE WEIR CONTROL"""
import os
import random
import signal
import socket
import stat
import sys
import time

from control import Control, as_other, dataplane, door_status, policy, start_dataplane, states

FAILING = """[[test]]
name = "must not"
from = "a"
deny = ["b web"]
"""
READERS, CHANGERS = 64242, 64243


def applies_and_refuses(control, _run):
    plan = control.post("/v1/plan", {"root": "p.toml", "files": {"p.toml": policy("one")}})
    assert plan["holds"] and "Newly allowed" in plan["diff"] and plan["base"] == 0, plan
    done = control.apply(policy("one"), base=0)
    assert done["generation"] == 1 and done["state"] == "confirmed" and done["policy"] == "one", done
    for text in ("nonsense", policy("one", to="nobody"), policy("one", more=FAILING), ""):
        refused = control.apply(text, 422)
        assert refused["diagnostics"], refused
    assert "E0501" in control.apply(policy("one", more=FAILING), 422)["diagnostics"]
    assert control.generation() == 1 and states(control) == {1: "confirmed"}
    assert "planned over 0" in control.apply(policy("two"), 409, base=0)["error"]
    assert control.apply(policy("two", 444), base=1)["generation"] == 2
    assert states(control) == {1: "replaced", 2: "confirmed"}
    entry = control.get("/v1/history/2")
    assert entry["files"] == {"p.toml": policy("two", 444)} and "tcp/444" in entry["diff"] and entry["user"], entry
    assert control.ask("GET", "/v1/history/77")[0] == 404


def bad_bodies(control, _run):
    for body in ([], 7, {"root": "p.toml"}, {"files": {}}, {"root": 1, "files": {}}, {"misspelt": 1},
                 {"root": "p.toml", "files": {"p.toml": 7}}, {"staged": "x"},
                 {"root": "p.toml", "files": {"p.toml": ""}, "confirm_within_ms": 10**12}):
        assert control.ask("POST", "/v1/apply", body)[0] == 400, body
    for root, name in (("../x", "../x"), ("/x", "/x"), ("a//b", "a//b"), ("./a", "./a"), ("x", "y"), ("a/", "a/")):
        assert control.ask("POST", "/v1/apply", {"root": root, "files": {name: policy("x")}})[0] == 422, root
    assert control.ask("POST", "/v1/apply", {"staged": 99})[0] == 404
    assert control.ask("POST", "/v1/rollback", {"generation": 99})[0] == 404
    assert control.ask("POST", "/v1/confirm", {})[0] == 409


def rolls_back_with_everybody_dead(control, _run):
    base = control.apply(policy("good"))["generation"]
    done = control.apply(policy("cuts off", 1), confirm_within_ms=1500)
    assert done["state"] == "on_trial" and done["trial"]["fallback"] == base + 2, done
    control.stop(signal.SIGKILL)
    assert door_status(control.folder)["generation"] == base + 1
    time.sleep(1.8)
    assert door_status(control.folder)["generation"] == base + 2
    told = control.start()
    assert told["dataplane"]["generation"] == base + 2 and told["last_good"]["kind"] == "fallback", told
    now = states(control)
    assert now[base] == "replaced" and now[base + 1] == "rolled_back" and now[base + 2] == "confirmed", now
    assert control.get(f"/v1/history/{base + 2}")["files"] == {"p.toml": policy("good")}


def confirmed_stays(control, _run):
    done = control.apply(policy("trial", 80), confirm_within_ms=1000)
    assert "awaits its confirmation" in control.apply(policy("other", 81), 409)["error"]
    assert control.ask("POST", "/v1/confirm", {"generation": 1})[0] == 409
    assert control.post("/v1/confirm", {"generation": done["generation"]})["confirmed"] == done["generation"]
    time.sleep(1.2)
    assert control.generation() == done["generation"]
    assert done["generation"] + 1 not in states(control)
    # At the door, by hand: the history follows.
    done = control.apply(policy("trial", 82), confirm_within_ms=60_000)
    assert control.folder.call("weir", "door", "door", "confirm").returncode == 0
    control.wait_until(lambda told: told["on_trial"] is None)
    assert states(control)[done["generation"]] == "confirmed"


def takes_back(control, _run):
    first = control.apply(policy("first", 90))["generation"]
    control.apply(policy("second", 91))
    plan = control.post("/v1/rollback/plan", {})
    assert plan["holds"] and plan["of"] == first and "tcp/90" in plan["diff"], plan
    done = control.post("/v1/rollback", {})
    entry = control.get(f"/v1/history/{done['generation']}")
    assert entry["kind"] == "rollback" and entry["of"] == first and entry["policy"] == "first", entry
    done = control.post("/v1/rollback", {"generation": 1, "confirm_within_ms": 700})
    assert done["state"] == "on_trial" and done["policy"] == "one", done
    told = control.wait_until(lambda told: told["dataplane"]["generation"] == done["generation"] + 1)
    assert told["dataplane"]["policy"] == "first", told


def the_dataplane_starts_anew(control, run):
    good = control.apply(policy("kept", 70))["generation"]
    run.kill()
    control.wait_until(lambda told: not told["dataplane"]["reachable"])
    assert control.apply(policy("nowhere"), 502)["error"]
    run = start_dataplane(control.folder)
    control.wait_until(lambda told: told["dataplane"].get("generation") == good)
    # With control dead meanwhile, and a policy on trial that nobody has confirmed.
    trial = control.apply(policy("unconfirmed", 71), confirm_within_ms=600_000)["generation"]
    control.stop(signal.SIGKILL)
    run.kill()
    run = start_dataplane(control.folder)
    assert door_status(control.folder)["generation"] == 0
    control.start()
    told = control.wait_until(lambda told: told["dataplane"].get("generation"))
    assert told["dataplane"]["policy"] == "kept" and states(control)[trial] == "rolled_back", told
    return run


def torn_and_corrupt(control, run):
    good = control.apply(policy("whole", 60))["generation"]
    torn = control.get("/v1/history?n=1000")["entries"][-1]["generation"]
    control.stop()
    run.kill()
    entries = control.folder.file("state/history")
    for path, data in ((f"{good:06}/policy.img", b"not an image"), (f"{torn:06}/entry.json", b'{"format": 1, "gen')):
        with open(os.path.join(entries, path), "wb") as file:
            file.write(data)
    begun = os.path.join(entries, "000999.new")
    os.mkdir(begun)
    if control.folder.user:
        os.chown(begun, dataplane.NOBODY, dataplane.NOBODY)
    run = start_dataplane(control.folder)
    told = control.start()
    assert any(f"entry {torn:06}" in one for one in told["torn"]), told
    assert told["dataplane"]["generation"] == good and "image was changed" in told["problem"], told
    assert not os.path.exists(begun)
    # Its texts too: the one before is in force, and it is said.
    before = max(one for one, state in states(control).items() if state == "replaced")
    control.stop()
    run.kill()
    with open(os.path.join(entries, f"{good:06}/source/p.toml"), "w", encoding="utf-8") as file:
        file.write(policy("forged", 61))
    run = start_dataplane(control.folder)
    told = control.start()
    assert told["dataplane"]["generation"] == before and told["problem"], told
    assert control.apply(policy("next"))["generation"] > good
    return run


def a_disk_that_takes_nothing(control, _run):
    before = control.generation()
    entries = control.folder.file("state/history")
    if not control.folder.user:
        return  # nobody is there for whom a mode would matter
    os.chmod(entries, 0o500)
    try:
        refused = control.apply(policy("unwritten", 50), 507)
        assert "nothing was changed" in refused["error"], refused
        assert control.generation() == before
    finally:
        os.chmod(entries, 0o700)
    assert control.apply(policy("written", 50))["generation"] > before


def two_of_them(control, _run):
    second = Control(control.folder)
    second.path = control.folder.file("other.sock")
    ended = control.folder.call("control", "--socket", "other.sock", "--door", "door", "--state", "state")
    assert ended.returncode == 1 and "another process keeps its history" in ended.stderr, ended
    ended = control.folder.call("control", "--socket", "control.sock", "--door", "door", "--state", "other")
    assert ended.returncode == 1 and "another process serves it" in ended.stderr, ended


def garbage(control, _run):
    chance = random.Random(3)
    before = control.generation()
    idle = []
    for _ in range(120):  # more than it keeps
        one = socket.socket(socket.AF_UNIX)
        one.connect(control.path)
        idle.append(one)
    for _ in range(400):
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(5)
            try:
                one.connect(control.path)
                data = chance.randbytes(chance.choice((1, 20, 300, 70_000)))
                one.sendall(chance.choice((data, b"POST /v1/apply HTTP/1.1\r\nContent-Length: 99\r\n\r\n" + data[:50],
                                           b"GET /" + data.hex().encode() + b" HTTP/1.1\r\n\r\n")))
            except OSError:
                pass
    for one in idle:
        one.close()
    end = time.monotonic() + 10
    while control.ask("GET", "/v1/status")[0] != 200:
        assert time.monotonic() < end, "those that are gone still stand in the way"
    control.wait_until(lambda told: told["dataplane"]["generation"] == before)
    assert control.process.poll() is None


def rights(control, _run):
    if os.geteuid() != 0:
        return
    folder = control.folder
    os.chmod(folder.path, 0o755)
    assert stat.S_IMODE(os.stat(folder.file("state")).st_mode) == 0o700
    before = control.generation()
    with open(folder.file("mine.toml"), "w", encoding="utf-8") as file:
        file.write(policy("mine"))
    os.chmod(folder.file("mine.toml"), 0o644)
    changes = (("apply", "mine.toml", "--yes"), ("rollback", "--yes"), ("confirm",), ("lockdown",))
    for groups, may_read in (((), False), ((READERS,), True)):
        for reads in (("status",), ("history",), ("history", before)):
            ended = as_other(folder, "weir", *reads, "--control", control.path, groups=groups)
            assert ended.returncode == (0 if may_read else 4), (groups, reads, ended)
        for arguments in changes:
            ended = as_other(folder, "weir", *arguments, "--control", control.path, groups=groups)
            assert ended.returncode == 4, (groups, arguments, ended)
    assert control.generation() == before
    ended = as_other(folder, "weir", "door", folder.file("door"), "flush")
    assert ended.returncode == 4, ended
    ended = as_other(folder, "weir", "apply", "mine.toml", "--yes", "--control", control.path, groups=(CHANGERS,))
    assert ended.returncode == 0 and control.generation() > before, ended


def locks_down(control, _run):
    done = control.post("/v1/lockdown", {})
    told = control.get("/v1/status")
    assert told["dataplane"]["policy"] == "management-only" and told["last_good"]["kind"] == "lockdown", (done, told)
    assert control.post("/v1/rollback", {})["policy"] != "management-only"


def nothing_leaks(control, run):
    def kept():
        result = []
        for process in (control.process, run.process):
            with open(f"/proc/{process.pid}/statm", encoding="ascii") as file:
                result.append((int(file.read().split()[1]), len(os.listdir(f"/proc/{process.pid}/fd"))))
        return result
    def turns(count):
        for turn in range(count):
            control.apply(policy("a" if turn % 2 else "b", 100 + turn % 2))
    turns(60)
    before = kept()
    turns(140)
    limit = time.monotonic() + 5  # twice a second it has the door open for a moment
    while (after := kept()) and any(map(lambda now, then: now[1] > then[1], after, before)):
        if time.monotonic() >= limit:
            break
        time.sleep(0.05)
    last = max(states(control))
    assert control.generation() == last and len(states(control)) <= 100, "history is bounded"
    for (pages, descriptors), (pages_then, descriptors_then) in zip(before, after):
        assert descriptors_then <= descriptors and pages_then <= pages + 2048, (before, after)
    print(f"      200 applies: pages and descriptors of control and dataplane {before} -> {after}")


def main():
    binary, weir, daemon = sys.argv[1:4]
    with dataplane.Folder(dataplane=binary, weir=weir, control=daemon) as folder:
        folder.write("management.toml", policy("management-only", 22).encode())
        control = Control(folder, "--management", "management.toml", "--keep", "100", "--read-group", READERS,
                          "--change-group", CHANGERS)
        run = start_dataplane(folder)
        try:
            control.start()
            for case in (applies_and_refuses, bad_bodies, rolls_back_with_everybody_dead, confirmed_stays, takes_back,
                         the_dataplane_starts_anew, torn_and_corrupt, a_disk_that_takes_nothing, two_of_them, garbage,
                         rights, locks_down, nothing_leaks):
                run = case(control, run) or run
                assert run.process.poll() is None, run.said()
                print("ok   ", case.__name__, flush=True)
            control.stop()
            assert not os.path.exists(control.path)
            code, said = run.stop()
        finally:
            control.stop(signal.SIGKILL)
            run.kill()
        assert code == 0, said


main()
