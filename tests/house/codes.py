#!/usr/bin/python3
"""Every diagnostic code that is used has a row in the catalogue, every row is used, and every code is shown by at least
one golden test, but for those that no rule file can bring about."""
import pathlib
import re
import sys

CODE = re.compile(r'"([EW]\d{4})"')
# Capacities (E06xx) need a policy too large for a golden folder.
WITHOUT_GOLDEN = re.compile("E06")


def main(root):
    root = pathlib.Path(root)
    catalogue = root / "control/report/catalogue.cpp"
    listed = set(CODE.findall(catalogue.read_text()))
    used = set()
    for folder in ("control", "tools/weir"):
        for path in (root / folder).rglob("*.[ch]pp"):
            if path != catalogue:
                used |= set(CODE.findall(path.read_text()))
    shown = set()
    for path in (root / "tests/golden/diagnostics").glob("*/expected.txt"):
        shown |= set(re.findall(r"^(?:error|warning)\[([EW]\d{4})\]", path.read_text(), re.M))
    wrong = [f"{code}: used, but not in {catalogue.relative_to(root)}" for code in sorted(used - listed)]
    wrong += [f"{code}: in the catalogue, but never used" for code in sorted(listed - used)]
    wrong += [f"{code}: shown by no golden test" for code in sorted(listed - shown)
              if not WITHOUT_GOLDEN.match(code)]
    print("\n".join(wrong) or f"holds: {len(listed)} codes are listed, used and shown")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
