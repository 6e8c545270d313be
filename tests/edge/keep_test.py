#!/usr/bin/env python3
"""A dataplane that was stopped and goes on with what it has kept: its policy, a trial, ports in quarantine; and all the
states that may not be taken up: whoever finds one starts empty and says why, once.

usage: keep_test.py DATAPLANE MAKE_IMAGE WEIR"""
import json
import os
import shutil
import signal
import struct
import sys
import time

import dataplane

PAIR = "inside=net_null0,outside=net_null1"
# Of KeptHead: the mark, the length, the layout, the machine's start, and where what is not checked by itself begins.
MARK, LENGTH, LAYOUT, BOOT, BEYOND = 8, 24, 32, 40, 96


class World:
    def __init__(self, folder):
        self.folder, self.run = folder, None
        self.keep = folder.file("keep")

    def image(self, side, generation):
        name = f"{side}{generation}.img"
        assert self.folder.call("make_image", side, generation, name).returncode == 0
        return name

    def start(self, *options, door=True, pair=PAIR):
        doors = ["--door", "door"] if door else []
        self.run = self.folder.start(["--pair", pair, "--keep", "keep", *doors, *options],
                                     ["net_null0,no-rx=1", "net_null1,no-rx=1"])
        self.run.wait_for("live")
        time.sleep(0.05)  # the last thing that is said comes with the first look for frames
        return self.run.said()

    def stop(self, *words):
        code, said = self.run.stop()
        assert code == 0 and all(word in said for word in words), said

    def door(self, *arguments, code=0):
        ended = self.folder.call("weir", "door", "door", *arguments)
        assert ended.returncode == code, (arguments, ended)
        return ended.stdout + ended.stderr

    def status(self):
        return json.loads(self.door("status", "-o", "json"))

    def quarantine(self, *arguments):
        ended = self.folder.call("weir", "quarantine", "door", *arguments)
        assert ended.returncode == 0, (arguments, ended)

    def state(self):
        return os.path.join(self.keep, "kept")

    def change(self, at, data):
        with open(self.state(), "r+b") as file:
            file.seek(at)
            file.write(data)

    def own(self, path):
        if self.folder.user:
            os.chown(path, dataplane.NOBODY, dataplane.NOBODY, follow_symlinks=False)


def policy_goes_on(world):
    """What was installed since, also by force, is what goes on; --policy is for when nothing was kept, or newer."""
    said = world.start("--policy", world.image("a", 10))
    assert "STARTS EMPTY" not in said and world.status()["restart"] is None, said
    world.door("install", world.image("b", 11))
    world.stop()
    facts = os.stat(world.state())
    assert facts.st_mode & 0o7777 == 0o600 and os.stat(world.keep).st_mode & 0o777 == 0o700
    said = world.start("--policy", "a10.img")
    assert "policy `flip-b`, generation 11, goes on" in said and "goes on with 0 flows" in said, said
    told = world.status()
    assert told["generation"] == 11 and told["restart"]["started_empty"] is None, told
    assert told["restart"]["blocked_us"] > 0 and not os.path.exists(world.state())
    world.door("install", world.image("a", 7), "--force")
    world.stop()
    world.start("--policy", "a10.img")
    assert world.status()["generation"] == 7
    world.stop()
    world.start("--policy", world.image("b", 20))
    assert world.status()["generation"] == 20
    world.stop()
    world.start()
    assert world.status()["generation"] == 20
    world.stop()


def trial_goes_on(world):
    world.start()
    world.door("install", world.image("a", 31), "--fallback", world.image("b", 32), "--confirm-within", "60s")
    world.stop()
    said = world.start()
    trial = world.status()["trial"]
    assert "generation 31, goes on, on trial" in said and trial["fallback"] == 32, (said, trial)
    assert 0 < trial["left_s"] < 60, trial
    world.door("confirm")
    # One whose time ends while nobody runs, and one that nobody could confirm.
    for generation, options in ((41, {}), (51, {"door": False})):
        world.door("install", world.image("a", generation), "--fallback", world.image("b", generation + 1),
                   "--confirm-within", "1s" if not options else "60s")
        world.stop()
        time.sleep(1.1 if not options else 0)
        said = world.start(**options)
        assert f"`flip-b`, generation {generation + 1}, goes on\n" in said, said
        if not options:
            assert world.status()["trial"] is None
    world.stop()


def quarantine_goes_on(world):
    world.start()
    flow = "tcp [2001:db8::1]:5 > [2001:db8::2]:443"
    world.quarantine("cut", "net_null1")
    world.quarantine("put", "10.0.0.7")
    world.quarantine("put", flow, "--for", "1h")
    world.stop()
    world.start()
    assert world.status()["quarantined"] == "net_null1, 1 host, 1 flow"
    world.quarantine("release", "net_null1")
    world.quarantine("free", "10.0.0.7")
    world.quarantine("free", flow)
    world.stop()
    world.start()
    assert world.status()["quarantined"] == ""
    world.stop()


def starts_empty(world, words, *options, **more):
    """As nothing in the folder may be taken; and the run after the next one goes on again."""
    said = world.start(*options, **more)
    assert "STARTS EMPTY" in said and words in said and "goes on" not in said, (words, said)
    facts = world.status()
    assert words in facts["restart"]["started_empty"] and facts["generation"] == 0, facts["restart"]
    assert words in world.door("status")
    world.door("install", world.image("a", 10))
    world.stop()


def spoiled_states(world):
    def size():
        return os.path.getsize(world.state())
    def flip(at):
        with open(world.state(), "rb") as file:
            file.seek(at)
            byte = file.read(1)[0]
        world.change(at, bytes([byte ^ 16]))
    altered = "not as they were written"
    for words, spoil in (("no mark of a clean stop", lambda: world.change(MARK, bytes(8))),
                         ("it is of layout 99", lambda: world.change(LAYOUT, struct.pack("<I", 99))),
                         ("started again since", lambda: world.change(BOOT, b"00000000-0000")),
                         ("no state that Weir has kept", lambda: world.change(0, b"X")),
                         ("and should have", lambda: world.change(LENGTH, struct.pack("<Q", size() + 72))),
                         ("it is empty", lambda: os.truncate(world.state(), 0)),
                         ("it is cut short", lambda: os.truncate(world.state(), 100)),
                         ("and should have", lambda: os.truncate(world.state(), size() - 1)),
                         ("and should have", lambda: os.truncate(world.state(), size() + 72)),
                         (altered, lambda: flip(BEYOND)), (altered, lambda: flip(BEYOND + 70)),
                         (altered, lambda: flip(size() // 2)), (altered, lambda: flip(size() - 1))):
        spoil()
        starts_empty(world, words)


def other_files(world):
    aside = world.folder.file("aside")
    def move(make):
        def moved():
            os.rename(world.state(), aside)
            make()
            world.own(world.state())
        return moved
    def linked():
        os.link(world.state(), aside + "2")
    spoils = [("its mode is 0644", lambda: os.chmod(world.state(), 0o644)),
              ("its mode is 0640", lambda: os.chmod(world.state(), 0o640)),
              ("another name besides", linked),
              ("symbolic links", move(lambda: os.symlink(aside, world.state()))),
              ("no regular file", move(lambda: os.mkfifo(world.state(), 0o600)))]
    def given_away():
        os.chown(world.state(), 0, 0)
        os.chmod(world.state(), 0o644)
    if world.folder.user:
        spoils.append(("belongs to somebody else", given_away))
    for words, spoil in spoils:
        spoil()
        starts_empty(world, words)
    # A folder in its place cannot be taken away: then nothing is kept after the next stop either.
    move(lambda: os.mkdir(world.state()))()
    said = world.start()
    assert "STARTS EMPTY" in said, said
    world.stop()
    assert os.listdir(world.state()) == [] and os.path.isdir(world.state())
    os.rmdir(world.state())


def used_states(world):
    """A copy of a state that was used is worth nothing: not after a crash, and not in place of a newer one."""
    copy = world.folder.file("copy")
    def put_back():
        shutil.copyfile(copy, world.state())
        os.chmod(world.state(), 0o600)
        world.own(world.state())
    world.start("--policy", "a10.img")
    world.stop()
    shutil.copyfile(world.state(), copy)
    world.start()
    assert world.status()["generation"] == 10
    world.run.stop(signal.SIGKILL)
    starts_empty(world, "did not stop cleanly")
    put_back()
    starts_empty(world, "not of the last run here")
    # It was not put back in time, but is while the next one runs: the clean stop writes over it.
    world.start()
    put_back()
    world.door("install", world.image("b", 12))
    world.stop()
    world.start()
    assert world.status()["generation"] == 12
    world.run.stop(signal.SIGKILL)
    put_back()
    starts_empty(world, "not of the last run here")


def other_ports(world):
    starts_empty(world, "of other ports", "--name", "net_null0=tap")
    starts_empty(world, "of other ports", pair="inside=net_null1,outside=net_null0")
    starts_empty(world, "of other ports")


def folders(world):
    """One that others may write in, or that another dataplane uses, is not used; the dataplane starts all the same."""
    os.chmod(world.keep, 0o777)
    starts_empty(world, "others may write in it")
    os.chmod(world.keep, 0o700)
    first = world.folder.start(["--pair", PAIR, "--keep", "keep"], ["net_null0,no-rx=1", "net_null1,no-rx=1"])
    try:
        first.wait_for("live")
        first.wait_for("goes on with")  # both write to one file
        starts_empty(world, "another dataplane keeps its state there")
    finally:
        first.kill()


def main():
    binary, make_image, weir = sys.argv[1:4]
    with dataplane.Folder(dataplane=binary, make_image=make_image, weir=weir) as folder:
        world = World(folder)
        try:
            for case in (policy_goes_on, trial_goes_on, quarantine_goes_on, spoiled_states, other_files, used_states,
                         other_ports, folders):
                began = time.monotonic()
                case(world)
                print(f"ok    {case.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        finally:
            if world.run is not None:
                world.run.kill()
        empty = folder.write("empty.pcap", dataplane.pcap([]))
        refused = folder.run(["--pair", "inside=net_pcap0,outside=net_pcap1", "--keep", "keep"],
                             [f"net_pcap{n},rx_pcap={empty},tx_pcap=out{n}.pcap" for n in range(2)])
        assert refused[0] == 2 and "--keep is for live ports" in refused[1], refused


main()
