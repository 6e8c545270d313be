#!/usr/bin/python3
"""Writes the C++ file that holds signature sets as text.

    embed_sets.py OUT SET.toml ...
"""
import pathlib
import sys

LITERAL_BYTES = 8000  # of one literal: below what every compiler takes


def literals(text):
    """The text as C++ literals, one after another: every byte that is not plain as an octal escape."""
    data = text.encode()
    for at in range(0, len(data), LITERAL_BYTES):
        part = data[at:at + LITERAL_BYTES]
        yield '"' + "".join(chr(one) if 32 <= one < 127 and chr(one) not in '"\\?' else f"\\{one:03o}"
                            for one in part) + '"'


def main():
    out, paths = pathlib.Path(sys.argv[1]), sorted(map(pathlib.Path, sys.argv[2:]))
    rows = "".join(f'    {{"{path.stem}",\n     {chr(10).join(literals(path.read_text()))}}},\n' for path in paths)
    out.write_text(f"""// Made by control/inspect/embed_sets.py from rules/signatures.
#include "control/inspect/shipped_sets.hpp"

namespace weir::control {{

namespace {{

constexpr ShippedSet sets[] = {{
{rows}}};

}}  // namespace

std::span<const ShippedSet> shipped_sets() {{ return sets; }}

}}  // namespace weir::control
""")


if __name__ == "__main__":
    main()
