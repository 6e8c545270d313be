#!/usr/bin/python3
"""`weir bound` against z3: random small policies, each address a node of its own, each (source, target, port) a
variable, each account a constraint. z3 never finds a plan with more bytes than `weir bound` says; where the bound's
model is exact it finds one with 99 %. WEIR_PROPERTY_SCALE multiplies the number of policies.

    tests/property/bound_oracle.py WEIR [FIRST_SEED]
"""
import functools
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import z3

POLICIES = 40
HORIZONS = {"1h": 3600, "1d": 86400, "30d": 30 * 86400, "ever": None}
DURATIONS = {"10min": 600, "1h": 3600, "6h": 21600, "1d": 86400, "7d": 604800, "30d": 2592000}
PORTS = (1, 2, 3)
SERVICES = {"a": (1,), "b": (2, 3), "c": (1, 2, 3)}
ADDRESSES = 6
MTU = 1500


class Policy:
    """What is written to the TOML file, and kept as plain dictionaries for the oracle."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.exact = self.draw.random() < 0.7
        self.instances = self.draw.choice([1, 1, 3])
        self.segments = {f"s{i}": self.addresses() for i in range(self.draw.randint(3, 5))}
        self.rates = {name: 10 ** self.draw.randint(5, 9) for name in self.segments if self.draw.random() < 0.3}
        self.hosts = {name: len(members) for name, members in self.segments.items()}
        names = sorted(self.segments)
        self.held = self.draw.sample(names, 1 if self.draw.random() < 0.6 else 2)
        self.size = self.draw.choice([10 ** 9, 3 * 10 ** 11, 16 * 10 ** 11])
        self.allows = [self.sides(names) for _ in range(self.draw.randint(3, 7))]
        self.forbids = [self.forbid(names) for _ in range(self.draw.randint(0, 2))]
        self.budgets = [self.budget(names) for _ in range(self.draw.randint(3, 8))]
        self.limits = [self.limit(names) for _ in range(self.draw.randint(0, 3))]

    def addresses(self):
        return tuple(sorted(self.draw.sample(range(ADDRESSES), self.draw.choice([1, 1, 2, 3]))))

    def some(self, names):
        return sorted(self.draw.sample(names, self.draw.randint(1, min(3, len(names)))))

    def sides(self, names):
        return {"from": self.some(names), "to": self.some(names), "with": [self.draw.choice("abc")]}

    def forbid(self, names):
        made = self.sides(names)
        if self.draw.random() < 0.3:
            made["from"] = None
        return made

    def budget(self, names):
        made = {"from": self.some(names), "to": self.some(names) if self.draw.random() < 0.7 else None,
                "with": [self.draw.choice("abc")] if self.draw.random() < 0.4 else None, "windows": {},
                "on_exceed": self.draw.choice(["deny"] * 5 + ["throttle"] * 3 + ["alert"]), "scope": "fleet",
                "monitor": self.draw.random() < 0.08}
        for name in self.draw.sample(sorted(DURATIONS), self.draw.randint(1, 3)):
            made["windows"][name] = self.draw.randint(1, 2000) * 10 ** 8
        if made["on_exceed"] != "throttle" and self.draw.random() < 0.4:
            made["windows"]["lifetime"] = self.draw.randint(1, 900) * 10 ** 10
        made["rate"] = self.draw.randint(1, 2000) * 1000
        if not self.exact:
            made["scope"] = self.draw.choice(["fleet", "segment", "host"])
        return made

    def limit(self, names):
        made = self.sides(names)
        made["rate"], made["burst"] = self.draw.randint(1, 5000) * 1000, self.draw.randint(1, 5000) * 1000
        made["per"] = "rule" if self.exact else self.draw.choice(["rule", "source", "target", "pair"])
        return made

    def toml(self):
        lines = ["version = 1"]
        if self.instances > 1:
            lines += ["[fleet]", f"instances = {self.instances}"]
        for name, members in self.segments.items():
            lines += [f"[segment.{name}]", f"cidr = {json.dumps([f'10.0.0.{one}' for one in members])}",
                      f"hosts = {self.hosts[name]}"]
            if name in self.rates:
                lines.append(f'rate = "{self.rates[name]} bit/s"')
        lines.append("[service]")
        lines += [f"{name} = {{ tcp = {json.dumps(ports)} }}" for name, ports in SERVICES.items()]
        lines += ["[asset.x]", f'size = "{self.size} B"', f"held = {json.dumps(self.held)}", "compression = 4"]
        for kind, statements in (("allow", self.allows), ("forbid", self.forbids), ("budget", self.budgets),
                                 ("limit", self.limits)):
            for index, one in enumerate(statements):
                lines += [f"[[{kind}]]", f'name = "{kind}-{index}"']
                lines += [f"{key} = {json.dumps(one[key])}" for key in ("from", "to", "with") if one[key] is not None]
                lines += self.further(kind, one)
        return "\n".join(lines) + "\n"

    def further(self, kind, one):
        if kind == "limit":
            return [f'rate = "{one["rate"]} bit/s"', f'burst = "{one["burst"]} B"', f'per = "{one["per"]}"']
        if kind != "budget":
            return []
        windows = ", ".join(f'"{name}" = "{size} B"' if name != "lifetime" else f'lifetime = "{size} B"'
                            for name, size in one["windows"].items())
        action = f'throttle {one["rate"]} bit/s' if one["on_exceed"] == "throttle" else one["on_exceed"]
        made = [f"windows = {{ {windows} }}", f'on_exceed = "{action}"', f'scope = "{one["scope"]}"']
        return made + (['mode = "monitor"'] if one["monitor"] else [])


@functools.lru_cache(maxsize=None)
def cover(windows, length_s):
    """The least sum of windows that together are as long: by trying every length in steps of ten minutes."""
    steps = -(-length_s // 600)
    cost = [0] * (steps + 1)
    for at in range(1, steps + 1):
        cost[at] = min(size + cost[max(0, at - width // 600)] for width, size in windows)
    return cost[steps]


class Oracle:
    """The plan of a thief as real numbers."""

    def __init__(self, policy):
        self.policy = policy
        self.inside = {name: set(members) for name, members in policy.segments.items()}
        self.ways = []  # (source, target, dialler, answerer, port)
        for source in range(ADDRESSES):
            for target in range(ADDRESSES):
                for port in PORTS:
                    if source != target and self.permitted(source, target, port):
                        self.ways += [(source, target, source, target, port), (target, source, source, target, port)]

    def member(self, address, names, default=True):
        return default if names is None else any(address in self.inside[name] for name in names)

    @staticmethod
    def serves(one, port):
        return one["with"] is None or any(port in SERVICES[name] for name in one["with"])

    def matches(self, one, source, target, port):
        return self.member(source, one["from"]) and self.member(target, one["to"]) and self.serves(one, port)

    def permitted(self, source, target, port):
        return any(self.matches(one, source, target, port) for one in self.policy.allows) and \
            not any(self.matches(one, source, target, port) for one in self.policy.forbids)

    def budget_most(self, budget, length_s):
        """Bytes of one account, over all enforcement points; None: without end."""
        count = self.policy.instances
        windows = {name: size // count for name, size in budget["windows"].items()}
        life = windows.pop("lifetime", None)
        if length_s is None:
            return None if life is None else count * life
        sliding = tuple(sorted((DURATIONS[name], size) for name, size in windows.items()))
        most = cover(sliding, length_s) if sliding else life
        most = most if life is None else min(most, life)
        if budget["on_exceed"] == "throttle":
            most += budget["rate"] // count * length_s // 8 + MTU
        return count * most

    def cells_of_budget(self, budget, source):
        if budget["scope"] == "fleet":
            return ["all"]
        if budget["scope"] == "host":
            return [source]
        return [name for name in budget["from"] if source in self.inside[name]]

    def constrain(self, solver, flows, length_s):
        for index, budget in enumerate(self.policy.budgets):
            most = self.budget_most(budget, length_s)
            if budget["on_exceed"] == "alert" or budget["monitor"] or most is None:
                continue
            sums = {}
            for number, (way, flow) in enumerate(zip(self.ways, flows)):
                outside = budget["to"] is not None or not self.member(way[1], budget["from"])
                if not (outside and self.matches(budget, way[0], way[1], way[4])):
                    continue
                cells = self.cells_of_budget(budget, way[0])
                parts = [flow] if len(cells) == 1 else [z3.Real(f"part{index}_{number}_{cell}") for cell in cells]
                if len(cells) > 1:
                    solver.add(*(part >= 0 for part in parts), z3.Sum(parts) == flow)
                for cell, part in zip(cells, parts):
                    sums.setdefault(cell, []).append(part)
            solver.add(*(z3.Sum(parts) <= most for parts in sums.values()))
        if length_s is None:
            return
        for limit in self.policy.limits:
            sums = {}
            for way, flow in zip(self.ways, flows):
                if self.matches(limit, way[2], way[3], way[4]):
                    cell = {"rule": 0, "source": way[2], "target": way[3], "pair": way[2:4]}[limit["per"]]
                    sums.setdefault(cell, []).append(flow)
            most = self.policy.instances * (limit["burst"] + limit["rate"] * length_s // 8)
            solver.add(*(z3.Sum(flows) <= most for flows in sums.values()))
        for name, rate in self.policy.rates.items():
            leaving = [flow for way, flow in zip(self.ways, flows) if way[0] in self.inside[name]]
            if leaving:
                solver.add(z3.Sum(leaving) <= rate * length_s // 8)

    def solver(self, targets, length_s):
        """A solver with all constraints, and the bytes that arrive."""
        solver = z3.SolverFor("QF_LRA")
        flows = [z3.Real(f"x{index}") for index in range(len(self.ways))]
        solver.add(*(flow >= 0 for flow in flows))
        self.constrain(solver, flows, length_s)
        holders = {one for name in self.policy.held for one in self.inside[name]}
        for node in set(range(ADDRESSES)) - holders - targets:
            leaves = [flow for way, flow in zip(self.ways, flows) if way[0] == node]
            comes = [flow for way, flow in zip(self.ways, flows) if way[1] == node]
            solver.add(z3.Sum([0, *leaves]) <= z3.Sum([0, *comes]))
        arrived = [flow for way, flow in zip(self.ways, flows) if way[1] in targets and way[0] not in targets]
        solver.add(*(flow == 0 for way, flow in zip(self.ways, flows) if way[0] in targets))
        return solver, z3.Sum([0, *arrived])

    def can_send(self, targets, length_s, count):
        solver, arrived = self.solver(targets, length_s)
        solver.add(arrived >= count)
        return solver.check() == z3.sat

    def targets(self, names):
        holders = {one for name in self.policy.held for one in self.inside[name]}
        return {one for name in names for one in self.inside[name]} - holders


def judge(oracle, passage, names, what, fail):
    """Compares one row; returns how many figures were compared, and how many for exactness."""
    targets, exact, compared, tight = oracle.targets(names), oracle.policy.exact, 0, 0
    for name, length_s in HORIZONS.items():
        said = passage["bytes"][name]
        said = None if said is None else int(said)
        compared += 1
        if said is None:
            if exact and not oracle.can_send(targets, length_s, 10 ** 24):
                fail(f"{what} {name}: unlimited, but z3 knows an end")
            continue
        if oracle.can_send(targets, length_s, said + 1):
            fail(f"{what} {name}: z3 sends more than {said}")
        if exact and said > 10 ** 8:
            tight += 1
            if not oracle.can_send(targets, length_s, said * 99 // 100):
                fail(f"{what} {name}: {said} is more than 1 % above what z3 can send")
    for ratio, name in ((1, "raw"), (16, "16:1"), (4, "compressed")):
        time, copy = passage["copy"][name], -(-oracle.policy.size // ratio)
        length_s = None if time is None else time["seconds"]
        compared += 1
        if (length_s is None or 0 < length_s < 10 ** 8) and oracle.can_send(targets, length_s, copy):
            fail(f"{what}: z3 sends a copy at {ratio}:1 in {length_s} s")
        if exact and length_s is not None and length_s < 10 ** 8:
            tight += 1
            if not oracle.can_send(targets, length_s + 1, copy * 99 // 100):
                fail(f"{what}: a copy at {ratio}:1 takes more than {length_s} s by far")
    return compared, tight


def main():
    weir, first = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    count = POLICIES * max(1, int(os.environ.get("WEIR_PROPERTY_SCALE", "1")))
    compared = tight = finite = 0
    failures = []
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch, "policy.toml")
        for seed in range(first, first + count):
            policy = Policy(seed)
            path.write_text(policy.toml())
            done = subprocess.run([weir, "bound", str(path), "-o", "json"], capture_output=True, text=True, timeout=60,
                                  check=False)
            if done.returncode != 0:
                sys.exit(f"seed {seed}: exit {done.returncode}\n{done.stderr}\n{path.read_text()}")
            oracle, answer = Oracle(policy), json.loads(done.stdout)["assets"][0]
            rows = [(answer["whole"], sorted(set(policy.segments)))]
            rows += [(one, [one["exit"]]) for one in answer["exits"] if one["exit"] in policy.segments]
            for row, names in rows:
                made = judge(oracle, row, names, f"seed {seed} to {row['exit']}", failures.append)
                compared, tight = compared + made[0], tight + made[1]
                finite += sum(one is not None and int(one) > 0 for one in row["bytes"].values())
            for name in answer["closed"]:
                if oracle.can_send(oracle.targets([name]), None, 1):
                    failures.append(f"seed {seed}: something reaches {name}")
            if failures:
                sys.exit("\n".join([*failures, path.read_text(), done.stdout]))
    if finite < count:
        sys.exit(f"only {finite} finite figures in {count} policies: the draw has gone stale")
    print(f"{count} policies, {compared} figures that z3 never exceeds, {tight} of them within 1 %, {finite} finite")


if __name__ == "__main__":
    main()
