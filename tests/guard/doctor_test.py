#!/usr/bin/python3
"""`weir doctor` beside a real guard: an interface passes while the guard's programs see all of its frames, and fails
when they were never there, when one was taken away, and when another sees its frames first.
usage: doctor_test.py WEIR_GUARD WEIR"""
import json
import subprocess
import sys

import guarded
from guarded import POLICY
from namespaces import Net


def ask(world, *options):
    code, said = world.net.call("machine", world.weir, "doctor", "--pins", world.pins, "-o", "json", *options)
    made = json.loads(said)
    assert made["verdict"] == code, said
    healths = [one["health"] for one in made["findings"]]
    assert code == (1 if "fail" in healths else 3 if "unknown" in healths else 0), said
    assert {one["question"] for one in made["findings"] if not one["question"].startswith("interface ")} \
        | {"interfaces"} == set(made["assumptions"]), said
    return {one["question"]: one for one in made["findings"]}


def health(world):
    return ask(world)["interface oob0"]["health"]


def main(guard, weir):
    bpffs = guarded.begin()
    with Net("machine", "far") as net:
        world = guarded.Guarded(net, guard, weir, bpffs)
        assert health(world) == "fail", "nobody guards it"
        world.attach(POLICY)
        assert health(world) == "pass"
        found = ask(world, "--stats", "/nowhere", "--dataplane", "oob0")
        assert found["dataplane"]["health"] == "fail" and found["interface oob0"]["health"] == "pass"
        subprocess.run(["rm", f"{world.pins}/link-oob0-in"], check=True)
        fault = ask(world)["interface oob0"]
        assert fault["health"] == "fail" and "in: " in fault["reason"], fault
        world.act("detach")
        world.attach(POLICY, "--clsact")
        assert health(world) == "pass"
        net.call("machine", "tc", "filter", "del", "dev", "oob0", "egress")
        assert health(world) == "fail"
        world.act("detach")
        assert health(world) == "fail"
        code, said = net.call("machine", weir, "doctor", "--pins", world.pins)
        assert code == 1 and "FAIL     interface oob0" in said and "do: weir-guard attach" in said, said
        code, _ = net.call("machine", weir, "doctor", "--colour")
        assert code == 2
    print("guarded, not guarded, and guarded no longer: told apart")


main(*sys.argv[1:3])
