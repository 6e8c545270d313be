#!/usr/bin/env python3
"""The watcher of weir-control: an edited rule file comes into force on trial, however it is written; a bad edit changes
nothing and is told; nothing is taken before it has settled; under lockdown, and where it is told so, it only stages.

usage: control_watch_test.py DATAPLANE WEIR CONTROL"""
import os
import sys
import time

from control import Control, dataplane, policy, states, together


class Rules:
    def __init__(self, folder):
        self.folder = folder
        for name in ("rules", "rules/policy.d"):
            os.mkdir(folder.file(name))
            os.chmod(folder.file(name), 0o755)

    def write(self, text, name="policy.toml"):
        with open(self.folder.file(f"rules/{name}"), "w", encoding="utf-8") as file:
            file.write(text)

    def replace(self, text, name="policy.toml"):
        """As editors do it."""
        self.write(text, name + ".swp")
        os.rename(self.folder.file(f"rules/{name}.swp"), self.folder.file(f"rules/{name}"))


def watched(control, result, **also):
    def holds(told):
        report = told["watch"] or {}
        return report.get("result") == result and all(report.get(key) == value for key, value in also.items())
    return control.wait_until(holds)["watch"]


def applies(control, rules):
    told = control.wait_until(lambda told: told["dataplane"]["policy"] == "one")
    assert told["on_trial"]["kind"] == "watch", told
    control.post("/v1/confirm", {})
    for turn, put in enumerate((rules.write, rules.replace)):
        put(policy(f"edited{turn}", 500 + turn))
        told = control.wait_until(lambda told, turn=turn: told["dataplane"]["policy"] == f"edited{turn}")
        assert told["on_trial"]["generation"] == told["dataplane"]["generation"], told
        control.post("/v1/confirm", {})


def bad_edits_change_nothing(control, rules):
    before = control.generation()
    for text in ("nonsense", policy("x", to="nobody"), ""):
        rules.write(text)
        report = watched(control, "refused")
        assert "does not hold" in report["why"] and report["diagnostics"], report
        assert control.generation() == before
        rules.write(policy("edited1", 501))
        watched(control, "unchanged")
    os.unlink(rules.folder.file("rules/policy.toml"))
    watched(control, "refused")
    assert control.generation() == before
    rules.write(policy("edited1", 501))
    watched(control, "unchanged")
    assert control.generation() == before


def more(port):
    return f'[[allow]]\nname = "more"\nfrom = "a"\nto = "b"\nwith = ["more"]\n[service]\nmore = {{ tcp = [{port}] }}\n'


def included_files_too(control, rules):
    text = 'include = ["policy.d/*.toml"]\n' + policy("parts", 600)
    rules.write(more(601), "policy.d/more.toml")
    rules.write(text)
    told = control.wait_until(lambda told: told["dataplane"]["policy"] == "parts")
    control.post("/v1/confirm", {})
    generation = told["dataplane"]["generation"]
    rules.replace(more(602), "policy.d/more.toml")
    told = control.wait_until(lambda told: told["dataplane"]["generation"] > generation)
    assert "tcp/602" in control.get(f"/v1/history/{told['dataplane']['generation']}")["diff"], told
    control.post("/v1/confirm", {})
    rules.write(policy("parts", 603))
    control.wait_until(lambda told: told["on_trial"] and told["on_trial"]["policy"] == "parts")
    control.post("/v1/confirm", {})


def settles_first(control, rules):
    """Saved again and again within the settle time: one apply, of the last text."""
    control.stop()
    control.start("--settle-ms", 700)
    count = len(states(control))
    for turn in range(8):
        rules.write(policy(f"typing{turn}", 700 + turn))
        time.sleep(0.15)
    told = control.wait_until(lambda told: told["dataplane"]["policy"].startswith("typing"))
    assert told["dataplane"]["policy"] == "typing7" and len(states(control)) == count + 2, (told, states(control))
    control.post("/v1/confirm", {})


def gives_way(control, rules):
    """Unconfirmed it goes back, and is not applied again for standing in the file."""
    control.stop()
    control.start("--watch-confirm", "800ms")
    rules.write(policy("cuts off", 1))
    told = control.wait_until(lambda told: told["dataplane"]["policy"] == "cuts off")
    back = told["dataplane"]["generation"] + 1
    control.wait_until(lambda told: told["dataplane"]["generation"] == back)
    time.sleep(1)
    assert control.generation() == back
    control.stop()
    control.start("--watch-confirm", "800ms")
    time.sleep(1)
    assert control.generation() == back, "nor after a restart"


def only_stages(control, rules):
    control.stop()
    control.start("--watch", "stage")
    before = control.generation()
    rules.write(policy("later", 801))
    staged = watched(control, "staged")["generation"]
    assert control.generation() == before and control.get("/v1/status")["staged"]["generation"] == staged
    assert control.post("/v1/apply", {"staged": staged})["policy"] == "later"
    control.stop()
    control.start()
    control.post("/v1/lockdown", {})
    rules.write(policy("lifts it", 802))
    watched(control, "staged")
    assert control.get("/v1/status")["dataplane"]["policy"] == "lockdown"


def main():
    binary, weir, daemon = sys.argv[1:4]
    with dataplane.Folder(dataplane=binary, weir=weir, control=daemon) as folder:
        rules = Rules(folder)
        rules.write(policy("one"))
        control = Control(folder, "--rules", "rules/policy.toml")
        with together(folder, control, "--settle-ms", 100):
            for case in (applies, bad_edits_change_nothing, included_files_too, settles_first, gives_way, only_stages):
                case(control, rules)
                print("ok   ", case.__name__, flush=True)


main()
