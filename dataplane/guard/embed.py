#!/usr/bin/python3
"""Writes the guard's compiled programs as C++, so that they lie within what loads them.
usage: embed.py OUTPUT OBJECT"""
import pathlib
import sys

output, source = sys.argv[1:3]
data = pathlib.Path(source).read_bytes()
rows = "".join("  " + ",".join(str(byte) for byte in data[at:at + 32]) + ",\n" for at in range(0, len(data), 32))
pathlib.Path(output).write_text(f"""// The guard's programs as clang compiled them.
#include "dataplane/guard/object.hpp"

namespace weir::guard {{
namespace {{
alignas(8) constexpr unsigned char bytes[] = {{
{rows}}};
}}

std::span<const unsigned char> object() {{ return bytes; }}

}}  // namespace weir::guard
""")
