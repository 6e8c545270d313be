#!/usr/bin/env python3
"""weir-control and weir-dataplane killed, or stopped for a while, at random moments while policies are applied, some of
them on trial: whatever was interrupted, the daemon starts again, no entry of its history is torn, and what is in force
is what the history says, with the rules that belong to it.

usage: control_kill_test.py DATAPLANE WEIR CONTROL [ROUNDS]"""
import random
import signal
import sys
import threading
import time

from control import Control, dataplane, policy, start_dataplane, states


class Applying:
    """Applies one policy after another, each by a port of its own, until it is told to stop."""

    def __init__(self, control, first):
        self.control, self.number, self.stops = control, first, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stops:
            self.number += 1
            terms = {"replace_trial": True, "confirm_within_ms": (0, 0, 30, 60_000)[self.number % 4]}
            text = policy(f"n{self.number}", self.number % 60_000 + 1)
            try:
                self.control.ask("POST", "/v1/apply",
                                 {"root": "p.toml", "files": {"p.toml": text}, **terms})
            except (OSError, ValueError):
                time.sleep(0.005)

    def end(self):
        self.stops = True
        self.thread.join(60)
        return self.number


def agrees(control):
    """What the dataplane has is what history says, once it has been looked after."""
    known = {}

    def holds(told):
        generation = told["dataplane"].get("generation")
        current = [told[key]["generation"] for key in ("on_trial", "last_good") if told[key]]
        known.clear()
        known.update(states(control))  # asked after: a trial may have ended in between
        return (generation and generation in current and "installing" not in known.values()
                and known.get(generation) in ("confirmed", "on_trial"))
    told = control.wait_until(holds, 20)
    assert not told["torn"], told
    generation = told["dataplane"]["generation"]
    assert list(known.values()).count("confirmed") == 1 or told["on_trial"], known
    entry = control.get(f"/v1/history/{generation}")
    assert f'policy.name = "{told["dataplane"]["policy"]}"' in "".join(entry["files"].values()), (told, entry)
    return generation


def main():
    binary, weir, daemon = sys.argv[1:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 25
    chance = random.Random(11)
    with dataplane.Folder(dataplane=binary, weir=weir, control=daemon) as folder:
        control, run, number, last = Control(folder, "--keep", "40"), start_dataplane(folder), 0, 0
        try:
            control.start()
            for turn in range(rounds):
                applying = Applying(control, number)
                time.sleep(chance.random() * 0.25)
                victim = ("control", "dataplane", "both", "stopped")[turn % 4]
                if victim in ("control", "both"):
                    control.stop(signal.SIGKILL)
                if victim in ("dataplane", "both"):
                    run.kill()
                if victim == "stopped":
                    for process in (run.process, control.process):
                        process.send_signal(signal.SIGSTOP)
                        time.sleep(0.1)
                        process.send_signal(signal.SIGCONT)
                number = applying.end()
                if victim in ("dataplane", "both"):
                    run = start_dataplane(folder)
                if victim in ("control", "both"):
                    control.start()
                generation = agrees(control)
                assert generation >= last or victim in ("dataplane", "both"), (generation, last)
                last = generation
            print(f"ok    {rounds} rounds, {number} applies")
            control.stop()
            code, said = run.stop()
        finally:
            control.stop(signal.SIGKILL)
            run.kill()
        assert code == 0, said


main()
