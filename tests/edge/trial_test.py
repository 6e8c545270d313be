#!/usr/bin/env python3
"""A policy on trial in a running dataplane: without a confirmation its fallback comes into force by itself, with who
installed it dead; a confirmation ends that; a bad fallback is refused before anything changes; another install
meanwhile must say that it takes its place.

usage: trial_test.py DATAPLANE MAKE_IMAGE WEIR"""
import json
import os
import sys
import time

import dataplane


class World:
    def __init__(self, folder):
        self.folder = folder
        self.generation = 10

    def image(self, side, generation):
        name = f"{side}{generation}.img"
        assert self.folder.call("make_image", side, generation, name).returncode == 0
        return name

    def next(self):
        self.generation += 10
        return self.generation

    def door(self, *arguments, code=0):
        ended = self.folder.call("weir", "door", "door", *arguments)
        assert ended.returncode == code, (arguments, ended)
        return ended.stdout + ended.stderr

    def status(self):
        return json.loads(self.door("status", "-o", "json"))

    def begin(self, within, fallback="a", above=1):
        """`b` on trial over `a`; the generation on trial and its fallback's. Whoever installed is gone by then."""
        base = self.next()
        self.door("install", self.image("a", base), "--replace-trial")
        self.door("install", self.image("b", base + 1), "--fallback", self.image(fallback, base + 1 + above),
                  "--confirm-within", within)
        return base + 1, base + 1 + above

    def wait_for(self, generation, seconds=5):
        end = time.monotonic() + seconds
        while self.status()["generation"] != generation:
            assert time.monotonic() < end, self.status()
            time.sleep(0.02)


def nobody_confirms(world, run):
    began = time.monotonic()
    trial, fallback = world.begin("800ms")
    # What stands in the files from now on is of no account: the dataplane has its own copies.
    for name in (f"b{trial}.img", f"a{fallback}.img"):
        os.truncate(world.folder.file(name), 0)
    facts = world.status()
    assert facts["generation"] == trial and facts["policy"] == "flip-b", facts
    assert facts["trial"]["generation"] == trial and facts["trial"]["fallback"] == fallback, facts
    assert 0 < facts["trial"]["left_s"] <= 0.8, facts
    assert "awaits its confirmation" in world.door("status")
    world.wait_for(fallback)
    assert time.monotonic() - began >= 0.8
    facts = world.status()
    assert facts["policy"] == "flip-a" and facts["trial"] is None, facts
    assert f"NOT CONFIRMED IN TIME: generation {trial}" in run.said()


def confirmed_in_time(world, _run):
    trial, _fallback = world.begin("1s")
    assert f"it is generation {trial} that" in world.door("confirm", "--generation", trial + 5, code=1)
    world.door("confirm", "--generation", trial)
    time.sleep(1.3)
    facts = world.status()
    assert facts["generation"] == trial and facts["trial"] is None, facts
    assert "no policy awaits its confirmation" in world.door("confirm", code=1)


def never_confirmed(world, run):
    """A trial that opens a breakglass allow is told by its name, and ends whatever is said."""
    base = world.next()
    world.door("install", world.image("a", base), "--replace-trial")
    world.door("install", world.image("b", base + 1), "--fallback", world.image("a", base + 2), "--confirm-within",
               "1s", "--breakglass", "vendor-support")
    assert world.status()["trial"]["breakglass"] == "vendor-support"
    assert "BREAKGLASS: `vendor-support` is open for another" in world.door("status")
    for arguments in (("confirm",), ("confirm", "--generation", base + 1)):
        assert "`vendor-support` is open as breakglass" in world.door(*arguments, code=1)
    world.wait_for(base + 2)
    assert world.status()["trial"] is None
    assert f"BREAKGLASS `vendor-support` IS OVER: generation {base + 1} gave way" in run.said()
    world.door("install", world.image("b", base + 3), "--breakglass", "vendor-support", code=2)


def bad_fallbacks(world, _run):
    base = world.next()
    world.door("install", world.image("a", base))
    good, after = world.image("b", base + 1), world.image("a", base + 2)
    torn = bytearray(world.folder.read(after))
    torn[len(torn) // 2] ^= 1
    world.folder.write("torn.img", bytes(torn))
    world.folder.write("none.img", b"")
    for fallback, words in (("torn.img", "fallback: "), ("none.img", "fallback: "), (good, "not above"),
                            (world.image("a", base - 1), "not above")):
        said = world.door("install", good, "--fallback", fallback, "--confirm-within", "1s", code=1)
        assert words in said, said
        facts = world.status()
        assert facts["generation"] == base and facts["trial"] is None, facts
    said = world.door("install", "torn.img", "--fallback", after, "--confirm-within", "1s", code=1)
    assert world.status()["trial"] is None, said
    for within in ("0s", "8d", "5", "s", "-1s", "99999999999999999999s"):
        assert "a time to confirm" in world.door("install", good, "--fallback", after, f"--confirm-within={within}",
                                                 code=2)
    world.door("install", good, "--fallback", after, code=2)
    world.door("install", good, "--confirm-within", "1s", code=2)


def another_install_meanwhile(world, _run):
    trial, fallback = world.begin("60s")
    base = world.next()
    plain = world.image("a", base)
    assert "awaits its confirmation" in world.door("install", plain, code=1)
    assert world.status()["trial"]["generation"] == trial
    # A refused one that would take its place leaves the trial as it is.
    world.door("install", world.image("a", trial), "--replace-trial", code=1)
    assert world.status()["trial"]["fallback"] == fallback
    world.door("install", plain, "--replace-trial")
    facts = world.status()
    assert facts["generation"] == base and facts["trial"] is None, facts
    # And one trial in place of another: only the last one's fallback counts.
    world.begin("600ms")
    base = world.next()
    world.door("install", world.image("b", base), "--fallback", world.image("a", base + 4), "--confirm-within", "60s",
               "--replace-trial")
    time.sleep(0.9)
    facts = world.status()
    assert facts["generation"] == base and facts["trial"]["fallback"] == base + 4, facts
    world.door("confirm")


def nobody_leaks(world, run):
    """A hundred trials, ended in every way: no memory and no descriptor is left over."""
    def kept():
        with open(f"/proc/{run.process.pid}/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        return pages, len(os.listdir(f"/proc/{run.process.pid}/fd"))
    def trials(count):
        for turn in range(count):
            world.begin("60s" if turn % 2 == 0 else "1ms")
            if turn % 4 == 0:
                world.door("confirm")
    trials(12)
    pages, descriptors = kept()
    trials(36)
    limit = time.monotonic() + 5  # the door may not have noticed yet that its last caller is gone
    while (more := kept())[1] > descriptors and time.monotonic() < limit:
        time.sleep(0.05)
    assert more[1] <= descriptors and more[0] <= pages + 256, (pages, descriptors, more)


def main():
    binary, make_image, weir = sys.argv[1:4]
    with dataplane.Folder(dataplane=binary, make_image=make_image, weir=weir) as folder:
        run = folder.start(["--pair", "inside=net_null0,outside=net_null1", "--door", "door"],
                           ["net_null0,no-rx=1", "net_null1,no-rx=1"], workers=2)
        try:
            run.wait_for("live")
            world = World(folder)
            for case in (nobody_confirms, confirmed_in_time, never_confirmed, bad_fallbacks, another_install_meanwhile,
                         nobody_leaks):
                case(world, run)
                assert run.process.poll() is None, run.said()
                print("ok   ", case.__name__)
            code, said = run.stop()
        finally:
            run.kill()
        assert code == 0, said


main()
