#!/usr/bin/python3
"""Writes policies as `weir diff` meets them: FOLDER/old.toml, FOLDER/review.toml (the same after 40 edits) and
FOLDER/other.toml (one that has nothing to do with it but the segments), each of 5,000 rules over 1,250 segments.

    tests/bench/diff_policies.py FOLDER [rules]
    time build/tools/weir/weir diff FOLDER/old.toml FOLDER/review.toml -o json > FOLDER/review.json
"""
import pathlib
import random
import sys


def nouns(segments):
    lines = ["# Written by tests/bench/diff_policies.py.",
             "version = 1", "[segment.internet]", 'except = ["10.0.0.0/8"]',
             "[segment.inside]", 'cidr = ["10.0.0.0/8"]', "[service]"]
    lines += [f'p{i} = {{ tcp = [{1000 + i * 7}, "{3000 + i * 20}-{3015 + i * 20}"] }}' for i in range(200)]
    lines += [f'[segment.s{i}]\ncidr = ["10.{i // 8}.{i % 8 * 32}.0/20", "fd00:{i:x}::/48"]' for i in range(segments)]
    return lines


def rules(count, segments, draw):
    made = []
    for number in range(count):
        kind = "forbid" if draw.random() < 0.05 else "allow"
        source = [f"s{draw.randrange(segments)}" for _ in range(draw.choice((1, 1, 1, 2, 5)))]
        target = f"s{draw.randrange(segments)}"
        if draw.random() < 0.02:
            target = draw.choice(("internet", "inside"))
        made.append((f"r{number}", kind, source, target, f"p{draw.randrange(200)}"))
    return made


def edited(before, segments, draw):
    after = list(before)
    for _ in range(40):
        at = draw.randrange(len(after))
        name, kind, source, target, service = after[at]
        after[at] = draw.choice((
            (name, kind, source, f"s{draw.randrange(segments)}", service), (name, kind, source, target, "p7"),
            (name, "forbid" if kind == "allow" else "allow", source, target, service),
            (name, kind, source + [f"s{draw.randrange(segments)}"], target, service)))
    return after


def write(path, segments, statements):
    lines = nouns(segments)
    for name, kind, source, target, service in statements:
        names = ", ".join(f'"{one}"' for one in source)
        lines += [f'[[{kind}]]\nname = "{name}"\nfrom = [{names}]\nto = "{target}"\nwith = ["{service}"]']
    path.write_text("\n".join(lines) + "\n")


def main():
    folder = pathlib.Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    segments = max(10, count // 4)
    folder.mkdir(exist_ok=True)
    before = rules(count, segments, random.Random(1))
    write(folder / "old.toml", segments, before)
    write(folder / "review.toml", segments, edited(before, segments, random.Random(2)))
    write(folder / "other.toml", segments, rules(count, segments, random.Random(3)))


main()
