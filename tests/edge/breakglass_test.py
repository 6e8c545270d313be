#!/usr/bin/env python3
"""weir breakglass over a running dataplane: what opens, what is refused and why, that it closes by itself with
weir-control dead, at once when somebody says so, and with a lockdown; what edits, applies, restarts and a torn history
do meanwhile; what is written down of it; and that a signed policy opens without a signature and raises no bound.

usage: breakglass_test.py DATAPLANE WEIR CONTROL"""
import json
import os
import shutil
import signal
import sys
import time

from control import Control, as_other, dataplane, door_status, start_dataplane, states

READERS, CHANGERS = 64242, 64243
WHY = "a controller is on fire"


def policy(name="night", port=443, more="", longest="1h"):
    return f"""version = 1
policy.name = "{name}"
segment.store = {{ cidr = ["10.0.0.0/8"], class = "secret" }}
segment.vendor = {{ cidr = ["192.168.0.0/16"], class = "public" }}
asset.weights = {{ size = "1 TB", held = ["store"] }}
service.web = {{ tcp = [{port}] }}
service.ssh = {{ tcp = [22] }}
[[allow]]
name = "always"
from = "vendor"
to = "store"
with = ["ssh"]
[[allow]]
name = "support"
from = "store"
to = "vendor"
with = ["web"]
breakglass = "{longest}"
owner = "storage on call"
why = "logs for the vendor"
[[budget]]
name = "out"
from = "store"
windows = {{ "1h" = "1 GB" }}
{more}"""


class World:
    def __init__(self, folder, control):
        self.folder, self.control = folder, control
        self.run = None

    def start(self):
        self.run = start_dataplane(self.folder, "--keep", "keep")

    def weir(self, *arguments, code=0):
        ended = self.folder.call("weir", *arguments, "--control", "control.sock")
        assert ended.returncode == code, (arguments, ended, self.control.said())
        return ended.stdout + ended.stderr

    def ask(self, status=200, allow="support", for_ms=60_000, why=WHY):
        return self.control.post("/v1/breakglass", {"allow": allow, "for_ms": for_ms, "why": why}, status)

    def told(self):
        return self.control.get("/v1/status")

    def log(self):
        return [json.loads(line) for line in self.folder.read("state/breakglass.log").splitlines()]

    def rules_in_force(self, generation):
        """Names of the rules in an image of the history."""
        ended = self.folder.call("weir", "dump", f"state/history/{generation:06}/policy.img")
        assert ended.returncode == 0, ended
        return {name for name in ("always", "support") if f"allow `{name}`" in ended.stdout}

    def wait_until_closed(self, trial, seconds=10):
        end = time.monotonic() + seconds
        while (told := door_status(self.folder))["generation"] != trial + 1:
            assert time.monotonic() < end, (told, self.run.said())
            time.sleep(0.02)
        assert told["trial"] is None, told


def opens_and_closes(world):
    base = world.control.apply(policy())["generation"]
    listed = world.weir("breakglass")
    assert "support: store > vendor tcp/443, for at most 1h" in listed and "owner storage on call" in listed, listed
    assert world.rules_in_force(base) == {"always"}
    said = world.weir("breakglass", "support", "--for", "30m", "--why", WHY)
    assert "`support` is OPEN as generation" in said and "Newly allowed" in said, said
    told = world.told()
    trial = told["dataplane"]["generation"]
    assert trial == base + 1 and told["breakglass"]["allow"] == "support", told
    assert told["breakglass"]["why"] == WHY and told["breakglass"]["user"] and told["on_trial"]["kind"] == "breakglass"
    assert 1790 < told["dataplane"]["trial"]["left_s"] <= 1800, told
    assert world.rules_in_force(trial) == {"always", "support"} and world.rules_in_force(trial + 1) == {"always"}
    status = world.weir("status")
    assert "BREAKGLASS: `support` is open for another" in status and WHY in status, status
    health = world.folder.call("weir", "health", "door")
    assert health.returncode == 1 and "! breakglass" in health.stdout and "`support` IS OPEN" in health.stdout, health
    door = world.folder.call("weir", "door", "door", "status")
    assert "BREAKGLASS: `support` is open" in door.stdout, door
    assert "OPEN now: support" in world.weir("breakglass")
    assert f"opens `support` until {told['breakglass']['until']}: {WHY}" in world.weir("history"), world.weir("history")
    said = world.weir("breakglass", "--end")
    assert f"`support` is closed: generation {trial + 1} is in force" in said, said
    told = world.told()
    assert told["breakglass"] is None and told["on_trial"] is None, told
    assert told["dataplane"]["generation"] == trial + 1 and told["dataplane"]["trial"] is None, told
    now = states(world.control)
    assert (now[base], now[trial], now[trial + 1]) == ("replaced", "ended", "confirmed"), now
    log = world.log()
    assert [(line["act"], line["allow"]) for line in log] == [("opened", "support"), ("closed", "support")], log
    assert all(line["why"] == WHY and line["generation"] == trial for line in log) and "by " in log[1]["how"], log
    assert "nothing is open" in world.weir("breakglass", "--end", code=1)


def what_is_refused(world):
    base = world.control.generation()
    lines = len(world.log())
    for status, words, order in (
            (404, "no breakglass allow `nobody`; it has `support`", {"allow": "nobody"}),
            (422, "is no breakglass allow", {"allow": "always"}),
            (422, "is opened for at most 1h", {"for_ms": 3_600_001}),
            (422, "is opened for at most 1h", {"for_ms": 0}),
            (422, "is opened for at most 1h", {"for_ms": 2**63}),
            (422, "`why` is a sentence", {"why": " \n"}),
            (422, "`why` is a sentence", {"why": "x" * 501})):
        answer = world.ask(status, **order)
        assert words in answer["error"], answer
    for body in ({}, {"allow": "support"}, {"allow": "support", "for_ms": "1h", "why": WHY}, [], {"allow": 1},
                 {"allow": "support", "for_ms": 1000, "why": WHY, "yes": True}):
        assert world.control.ask("POST", "/v1/breakglass", body)[0] == 400, body
    for arguments in (("support",), ("support", "--for", "1h"), ("support", "--why", WHY), ("--for", "1h"),
                      ("support", "--for", "soon", "--why", WHY), ("support", "--end")):
        world.weir("breakglass", *arguments, code=2)
    # A trial of something else first; nothing that is open is confirmed, here or at the door; nor opened twice.
    trial = world.control.apply(policy("other", 80), confirm_within_ms=60_000)["generation"]
    assert f"generation {trial} awaits its confirmation" in world.ask(409)["error"]
    world.control.post("/v1/confirm", {})
    opened = world.ask()["generation"]
    assert "`support` is open already" in world.ask(409)["error"]
    assert "never confirmed" in world.control.post("/v1/confirm", {}, 409)["error"]
    ended = world.folder.call("weir", "door", "door", "confirm")
    assert ended.returncode == 1 and "is open as breakglass" in ended.stderr, ended
    assert door_status(world.folder)["trial"]["breakglass"] == "support"
    world.control.post("/v1/breakglass/end", {})
    assert len(world.log()) == lines + 2 and opened == trial + 2 > base, world.log()


def closes_with_everybody_dead(world):
    trial = world.ask(for_ms=1_500)["generation"]
    world.control.stop(signal.SIGKILL)
    assert door_status(world.folder)["trial"]["breakglass"] == "support"
    world.wait_until_closed(trial)
    assert "BREAKGLASS `support` IS OVER" in world.run.said()
    told = world.control.start()
    assert told["dataplane"]["generation"] == trial + 1 and told["last_good"]["generation"] == trial + 1, told
    assert states(world.control)[trial] == "ended" and world.log()[-1]["how"] == "its time was over", world.log()
    # What was in force before is what had other texts, not the same policy before and after.
    assert world.control.post("/v1/rollback/plan", {})["of"] not in (trial, trial - 1)
    # And with its daemon alive.
    trial = world.ask(for_ms=800)["generation"]
    world.control.wait_until(lambda told: told["dataplane"]["generation"] == trial + 1 and told["on_trial"] is None)
    assert world.log()[-1] == {**world.log()[-1], "act": "closed", "generation": trial}, world.log()


def changes_meanwhile(world):
    trial = world.ask()["generation"]
    answer = world.control.apply(policy("meanwhile", 81), 409)
    assert "`support` is open as breakglass" in answer["error"], answer
    done = world.control.apply(policy("meanwhile", 81), replace_trial=True)
    told = world.told()
    assert done["state"] == "confirmed" and told["breakglass"] is None and told["on_trial"] is None, told
    assert world.rules_in_force(done["generation"]) == {"always"} and states(world.control)[trial] == "ended"
    assert f"generation {done['generation']} (apply by" in world.log()[-1]["how"], world.log()[-1]
    trial = world.ask()["generation"]
    world.control.post("/v1/lockdown", {})
    told = world.told()
    assert told["breakglass"] is None and told["last_good"]["kind"] == "lockdown", told
    assert states(world.control)[trial] == "ended" and "lockdown by" in world.log()[-1]["how"], world.log()[-1]
    assert "locked down" in world.ask(409)["error"]
    world.control.apply(policy())


def edits_are_staged(world):
    rules = world.folder.file("policy.toml")
    world.folder.write("policy.toml", policy().encode())
    world.control.stop()
    world.control.start("--rules", rules, "--settle-ms", 100)
    world.control.wait_until(lambda told: (told["watch"] or {}).get("result") == "applied")
    world.control.post("/v1/confirm", {})
    trial = world.ask()["generation"]
    world.folder.write("policy.toml", policy("edited", 82).encode())
    told = world.control.wait_until(lambda told: told["watch"]["result"] == "staged")
    assert told["dataplane"]["generation"] == trial and told["breakglass"]["allow"] == "support", told
    world.control.post("/v1/breakglass/end", {})
    assert world.control.post("/v1/apply", {"staged": 0})["policy"] == "edited"
    world.control.stop()
    world.control.start()


def restarts(world):
    # A dataplane that is started anew without what it kept: closed, and at once.
    trial = world.ask()["generation"]
    world.run.kill()
    world.start()
    told = world.control.wait_until(lambda told: told["dataplane"].get("generation") == trial + 1)
    assert told["breakglass"] is None, told
    assert "started anew" in world.log()[-1]["how"], world.log()[-1]
    # Planned: it goes on, and no longer than before.
    trial = world.ask(for_ms=3_000)["generation"]
    began = time.monotonic()
    assert world.run.stop()[0] == 0
    world.start()
    assert "goes on, on trial" in world.run.said(), world.run.said()
    assert door_status(world.folder)["trial"]["breakglass"] == "support"
    assert "never confirmed" in world.folder.call("weir", "door", "door", "confirm").stderr
    world.control.stop(signal.SIGKILL)
    world.wait_until_closed(trial)
    assert time.monotonic() - began >= 2.5
    world.control.start()
    # Planned, and its time ends while nobody runs: it does not come back, with control dead or alive.
    trial = world.ask(for_ms=1_000)["generation"]
    world.control.stop(signal.SIGKILL)
    assert world.run.stop()[0] == 0
    time.sleep(1.1)
    world.start()
    assert door_status(world.folder)["generation"] == trial + 1 and door_status(world.folder)["trial"] is None
    world.control.start()
    world.control.wait_until(lambda told: told["on_trial"] is None)
    assert states(world.control)[trial] == "ended"


def rules_that_were_changed(world):
    good = world.control.apply(policy("kept", 83))["generation"]
    world.control.stop()
    path = world.folder.file(f"state/history/{good:06}/source/p.toml")
    with open(path, "a", encoding="utf-8") as file:
        file.write("# somebody was here\n")
    world.control.start()
    assert "cannot be read from the history" in world.ask(507)["error"]
    world.control.apply(policy("night", 84))
    # A log that cannot be written: nothing is opened.
    log = world.folder.file("state/breakglass.log")
    os.rename(log, log + ".kept")
    os.mkdir(log)
    before = world.control.generation()
    assert "nothing was opened" in world.ask(507)["error"] and world.control.generation() == before
    os.rmdir(log)
    os.rename(log + ".kept", log)


def who_may(world):
    if os.geteuid() != 0:
        return
    world.control.stop()
    os.chmod(world.folder.path, 0o755)
    world.control.start("--read-group", READERS, "--change-group", CHANGERS)
    order = ("breakglass", "support", "--for", "1m", "--why", WHY, "--control", world.control.path)
    for groups, code in (((), 4), ((READERS,), 4), ((CHANGERS,), 0)):
        ended = as_other(world.folder, "weir", *order, groups=groups)
        assert ended.returncode == code, (groups, ended)
    reads = as_other(world.folder, "weir", "breakglass", "--control", world.control.path, groups=(READERS,))
    assert reads.returncode == 0 and "OPEN now: support" in reads.stdout, reads
    ended = as_other(world.folder, "weir", "breakglass", "--end", "--control", world.control.path, groups=(READERS,))
    assert ended.returncode == 4, ended
    assert world.told()["breakglass"]["user"] != "root"
    world.control.post("/v1/breakglass/end", {})


def signed(world):
    """One person opens what two have signed; to make it an allow that is always open takes two again."""
    from control_signed_test import Signer
    anna, bert = Signer(world.folder, "anna"), Signer(world.folder, "bert")
    world.control.stop()
    world.control.start("--require-signature", "anna.pub", "--require-signature", "bert.pub")
    text = policy("signed", 85)
    base = world.control.apply(text, signatures=[one.sign(text, "generation 500") for one in (anna, bert)])
    assert base["generation"] == 500, base
    assert world.ask()["generation"] == 501
    world.control.post("/v1/breakglass/end", {})
    both = (text.replace('breakglass = "1h"\n', ""), text.replace('"1h"\nowner', '"2h"\nowner'))
    for number, changed in enumerate(both):
        assert changed != text
        answer = world.control.apply(changed, 422, signatures=[anna.sign(changed, f"generation {600 + number}")])
        assert any("breakglass" in why for why in answer["why_two"]), answer
        assert not any("can leave" in why for why in answer["why_two"]), answer
    more = text.replace("1 GB", "2 GB")
    answer = world.control.apply(more, 422, signatures=[anna.sign(more, "generation 610")])
    assert any("more can leave" in why for why in answer["why_two"]), answer


def main():
    binary, weir, daemon = sys.argv[1:4]
    with dataplane.Folder(dataplane=binary, weir=weir, control=daemon) as folder:
        control = Control(folder)
        world = World(folder, control)
        cases = [opens_and_closes, what_is_refused, closes_with_everybody_dead, changes_meanwhile, edits_are_staged,
                 restarts, rules_that_were_changed, who_may]
        cases += [signed] if shutil.which("minisign") else []
        try:
            world.start()
            control.start()
            for case in cases:
                case(world)
                print("ok   ", case.__name__, flush=True)
            control.stop()
            code, said = world.run.stop()
        finally:
            control.stop(signal.SIGKILL)
            if world.run is not None:
                world.run.kill()
        assert code == 0, said


if __name__ == "__main__":
    main()
