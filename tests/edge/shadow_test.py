#!/usr/bin/env python3
"""A shadow over the door and through weir-control: what is refused changes nothing, what it disagrees about is counted
and told with both rules, flows that were open are compared too, and no packet is decided otherwise; it stays where
another policy comes into force, ends where its own does, and comes back with a dataplane that was started anew.

usage: shadow_test.py DATAPLANE WEIR CONTROL"""
import json
import os
import signal
import sys
import time

from control import Control, dataplane, policy, start_dataplane, states
from watched import POLICY, Watched, packets

# Beside POLICY: `clock` is forbidden, and another port of UDP is allowed.
OTHER = POLICY.replace('"watched"', '"other"').replace("udp = [123]", "udp = [124]") + """
[service.ntp]
udp = [123]
[[forbid]]
name = "no-ntp"
from = "trainers"
to = "store"
with = ["ntp"]
"""


def compiled(folder, name, text, generation):
    """An image says in which files its rules stand: it is always the one."""
    folder.write("watched.toml", text.encode())
    made = folder.call("weir", "compile", "watched.toml", "-o", f"{name}.img", "--generation", generation)
    assert made.returncode == 0, made
    return f"{name}.img"


def refusals(watched):
    """Each is refused with a sentence, and none changes what is in force or makes a shadow."""
    folder = watched.folder
    image = bytearray(folder.read(compiled(folder, "other", OTHER, 9)))
    image[len(image) // 2] ^= 0x10
    folder.write("torn.img", bytes(image))
    folder.write("none.img", b"")
    for name, words in (("torn.img", "refused: "), ("none.img", "cannot be an image"),
                        (compiled(folder, "same", POLICY, 8), "says what the policy in force says"),
                        (compiled(folder, "alike", OTHER, 7), "could not tell generation 7 from 7"),
                        (compiled(folder, "far", OTHER, 7 + 65536), "could not tell generation 65543 from 7")):
        said = folder.call("weir", "door", "door", "shadow", name)
        assert said.returncode == 1 and words in said.stderr, (name, said)
    assert folder.call("weir", "door", "door", "shadow").returncode == 2
    assert folder.call("weir", "door", "door", "shadow", "other.img", "--off").returncode == 2
    status = json.loads(watched.ask("door", "door", "status", "-o", "json"))
    assert status["shadow"] is None and status["generation"] == 7, status
    assert "no shadow is asked" in watched.ask("door", "door", "shadow", "--off")


def shadow_of(watched):
    return json.loads(watched.ask("door", "door", "status", "-o", "json"))["shadow"]


def disagrees(watched):
    """Flows from before, new ones and drops, each told once; and packets go where they went."""
    before = packets(2, 123)
    watched.send(before)
    made = json.loads(watched.ask("door", "door", "shadow", "other.img", "-o", "json"))
    assert made["shadow"]["generation"] == 9 and made["shadow"]["policy"] == "other", made
    watched.send(before)  # of flows that are open: each is asked about again
    told = shadow_of(watched)
    assert (told["compared"], told["would_deny"], told["would_pass"], told["untold"]) == (2, 2, 0, 1), told
    watched.send(before * 5)
    assert shadow_of(watched)["compared"] == 2, "packets of established flows are not compared"
    watched.send(packets(3, 53) + packets(4, 124) + packets(1, 99))
    told = shadow_of(watched)
    assert (told["compared"], told["would_deny"], told["would_pass"]) == (10, 2, 4), told
    lines = watched.ask("watch", "event shadow_would_pass or event shadow_would_deny", "--stats", "stats", "--policy",
                        "watched.img", "--door", "door", "--count", "2").splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "would be denied now: trainers 10.0.1.5 > store 10.1.1.5 udp/123 (live: allow.clock, shadow: forbid.no-ntp)",
        "would pass now: trainers 10.0.1.5 > store 10.1.1.5 udp/124 (live: no_allow, shadow: allow.clock)"], lines
    sums = json.loads(watched.ask("counters", "--stats", "stats", "-o", "json"))["sum"]
    assert sums["reasons"]["no_allow"]["packets"] == 5 and sums["flows_revoked"] == 0, sums
    assert sums["shadow_would_deny"] == 2 and sums["shadow_would_pass"] == 4, sums
    shown = watched.ask("door", "door", "status")
    assert "shadow `other`, generation 9, for " in shown and "4 would pass now, 2 would be denied now" in shown, shown
    health = json.loads(watched.folder.call("weir", "health", "door", "-o", "json").stdout)
    assert health["shadow"]["would_pass"] == 4, health
    metrics = watched.ask("metrics", "--stats", "stats", "--door", "door")
    assert "weir_shadow_generation 9" in metrics and "weir_shadow_would_pass_total" in metrics, metrics


def comes_and_goes(watched):
    """A policy beside it stays, and counts begin anew with the next; its own rules end it."""
    folder = watched.folder
    compiled(folder, "third", POLICY.replace('"watched"', '"third"').replace("udp = [53]", "udp = [53, 99]"), 10)
    said = folder.call("weir", "door", "door", "install", "third.img")
    assert said.returncode == 0 and "warning" not in said.stderr, said
    assert shadow_of(watched)["generation"] == 9, "a policy that comes into force is compared with it"
    watched.send(packets(1, 99, "10.0.1.7"))
    assert shadow_of(watched)["would_deny"] >= 3, shadow_of(watched)
    watched.ask("door", "door", "shadow", compiled(folder, "next", OTHER.replace('"other"', '"next"'), 12))
    assert shadow_of(watched)["generation"] == 12
    compiled(folder, "applied", OTHER.replace('"other"', '"next"'), 13)
    said = folder.call("weir", "door", "door", "install", "applied.img")
    assert said.returncode == 0 and "the shadow, generation 12, has ended" in said.stderr, said
    assert shadow_of(watched) is None
    for generation in range(14, 40):  # their memory comes and goes
        watched.ask("door", "door", "shadow", compiled(folder, "turn", POLICY, 100 + generation))
        watched.ask("door", "door", "install", compiled(folder, "turned", OTHER, generation))
    assert shadow_of(watched)["generation"] == 139
    watched.ask("door", "door", "shadow", "--off")
    assert shadow_of(watched) is None


def beside(control, text, status=200):
    return control.post("/v1/shadow", {"root": "p.toml", "files": {"p.toml": text}}, status)


def through_control(control, _run):
    assert "no policy is in force" in beside(control, policy("early"), 409)["error"]
    live = control.apply(policy("live"))["generation"]
    for text in ("nonsense", policy("bad", to="nobody"), ""):
        assert beside(control, text, 422)["diagnostics"], text
    assert "says what the policy" in beside(control, policy("live"), 409)["error"]
    for body in ([], {"off": False}, {"off": True, "root": "p.toml"}, {"of": True}, {"root": "p.toml"},
                 {"root": "p.toml", "files": {"p.toml": policy("x")}, "confirm_within_ms": 5}):
        assert control.ask("POST", "/v1/shadow", body)[0] == 400, body
    assert states(control) == {live: "confirmed"} and control.get("/v1/status")["dataplane"]["shadow"] is None
    made = beside(control, policy("shade", 444))
    shadow = made["shadow"]
    assert shadow > live and made["beside"] == live and "tcp/444" in made["diff"], made
    told = control.get("/v1/status")["dataplane"]
    assert told["generation"] == live and told["shadow"]["policy"] == "shade", told
    assert states(control)[shadow] == "shadow"
    said = control.folder.call("weir", "shadow", "--control", control.path)
    assert said.returncode == 0 and f"shadow `shade`, generation {shadow}, for" in said.stdout, said
    assert "shadow `shade`" in control.folder.call("weir", "status", "--control", control.path).stdout
    # Another policy comes into force: the number of the shadow is nobody else's, and it stays.
    second = control.apply(policy("second", 445))
    assert second["generation"] > shadow and "warning" not in second, second
    assert control.get("/v1/status")["dataplane"]["shadow"]["generation"] == shadow
    # What was asked beside it is applied.
    done = control.apply(policy("shade", 444))
    assert f"generation {shadow}, has ended" in done["warning"], done
    control.wait_until(lambda told: told["dataplane"]["shadow"] is None)
    control.wait_until(lambda told: states(control)[shadow] == "was_shadow")


def by_command(control, _run):
    folder = control.folder
    folder.write("shade.toml", policy("by hand", 446).encode())
    said = folder.call("weir", "shadow", "shade.toml", "--control", control.path)
    assert said.returncode == 0 and "is asked beside generation" in said.stdout and "tcp/446" in said.stdout, said
    said = folder.call("weir", "shadow", "--off", "--control", control.path, "-o", "json")
    assert said.returncode == 0 and json.loads(said.stdout) == {"shadow": None}, said
    assert "no shadow is asked" in folder.call("weir", "shadow", "--control", control.path).stdout
    folder.write("bad.toml", b"nonsense")
    assert folder.call("weir", "shadow", "bad.toml", "--control", control.path).returncode == 2
    assert folder.call("weir", "shadow", "--control", "nobody").returncode == 3
    assert folder.call("weir", "shadow", "--watch", "--control", control.path).returncode == 1, "it takes no events"


def a_new_start(control, run):
    """The dataplane alone, then with weir-control dead meanwhile; what was ended by hand does not come back."""
    shadow = beside(control, policy("kept", 447))["shadow"]
    live = control.generation()
    for is_alone in (True, False):
        time.sleep(2.1)  # seconds are compared, which both count
        if not is_alone:
            control.stop(signal.SIGKILL)
        run.kill()
        run = start_dataplane(control.folder)
        if not is_alone:
            control.start()
        told = control.wait_until(lambda told: told["dataplane"].get("shadow"))["dataplane"]
        assert told["generation"] == live and told["shadow"]["generation"] == shadow, told
    assert control.folder.call("weir", "door", "door", "shadow", "--off").returncode == 0
    control.wait_until(lambda _: states(control)[shadow] == "was_shadow")
    assert control.get("/v1/status")["dataplane"]["shadow"] is None
    return run


def main():
    binary, weir, daemon = sys.argv[1:4]
    with dataplane.Folder(dataplane=binary, weir=weir) as folder:
        watched = Watched(folder)
        try:
            for case in (refusals, disagrees, comes_and_goes):
                case(watched)
                print("ok   ", case.__name__, flush=True)
        finally:
            watched.end()
    with dataplane.Folder(dataplane=binary, weir=weir, control=daemon) as folder:
        control = Control(folder)
        run = start_dataplane(folder)
        try:
            control.start()
            for case in (through_control, by_command, a_new_start):
                run = case(control, run) or run
                print("ok   ", case.__name__, flush=True)
            control.stop()
            code, said = run.stop()
        finally:
            control.stop(signal.SIGKILL)
            run.kill()
        assert code == 0 and not os.path.exists(control.path), said


main()
