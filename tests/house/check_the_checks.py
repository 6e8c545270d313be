#!/usr/bin/python3
"""A law that nothing can break is no law: writes a small sound tree, which every check must pass, then breaks it one
way at a time, and the right check must say so."""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
SOUND = {
    "dataplane/base/a.hpp": "// A.\n#include <cstdint>\n",
    "dataplane/packet/b.hpp": '// B.\n#include "dataplane/base/a.hpp"\ninline int twice(int n) {\n  return 2 * n;\n}\n',
    "dataplane/base/limits.hpp":
        "// L.\ninline constexpr u32 cats_max = 4;\ninline constexpr u64 dogs_max = u64{1} << 3;\n",
    "docs/architecture.md": "# A\n\n| `cats_max` | 4 | |\n| `dogs_max` | 8 | |\n",
    "docs/page.md": "# Page\n\nSee [itself](#page) and `dataplane/base/a.hpp`.\n",
}
LONG_FUNCTION = "// C.\nint sum(int n) {\n" + "  n += 1;\n" * 70 + "  return n;\n}\n"
# (check, file, content, what the complaint must contain)
BREAKS = [
    ("includes", "dataplane/base/a.hpp", '// A.\n#include "dataplane/packet/b.hpp"\n', "may include only"),
    ("includes", "dataplane/base/a.hpp", "// A.\n#include <vector>\n", "ENGINE_STANDARD"),
    ("includes", "dataplane/packet/c.cpp", "// C.\n#include <rte_mbuf.h>\n", "only dataplane/edge"),
    ("includes", "control/check/c.cpp", "// C.\n#include <toml.hpp>\n", "only control/source"),
    ("includes", "control/model/c.cpp", '// C.\n#include "tests/x.hpp"\n', "repository's root"),
    ("shape", "dataplane/base/c.cpp", "int a;\n", "open with a comment"),
    ("shape", "dataplane/base/c.cpp", "// C.\n" + "int a;\n" * 400, "a sitting is"),
    ("shape", "dataplane/base/c.cpp", "// C.\nint a;" + " " * 120 + "\n", "a window is"),
    ("shape", "dataplane/base/c.cpp", LONG_FUNCTION, "a screen is"),
    ("shape", "dataplane/base/c.cpp", "// C.\nnamespace n {\nstruct S {\n  int a;\n};\n" + LONG_FUNCTION + "}\n",
     "a screen is"),
    ("words", "dataplane/base/c.cpp", "// C.\nint src_port;\n", "src_port"),
    ("words", "dataplane/base/c.cpp", "// C.\nclass FlowManager;\n", "FlowManager"),
    ("words", "control/string_utils.hpp", "// C.\n", "a file named"),
    ("leftovers", "dataplane/base/c.cpp", "// TODO: the rest\n", "a promise"),
    ("leftovers", "docs/page.md", "# Page\n\nIt lies in /work/x.\n", "somebody's machine"),
    ("leftovers", "docs/page.md", "<<<<<<< ours\n", "a merge mark"),
    ("limits", "docs/architecture.md", "# A\n\n| `cats_max` | 5 | |\n| `dogs_max` | 8 | |\n", "is 4, not 5"),
    ("limits", "docs/architecture.md", "# A\n\n| `cats_max` | 4 | |\n", "no row for `dogs_max`"),
    ("docs", "docs/page.md", "# Page\n\n[gone](gone.md)\n", "no such file"),
    ("docs", "docs/page.md", "# Page\n\n[gone](#chapter)\n", "no such heading"),
    ("docs", "docs/page.md", "# Page\n\n`tools/gone`\n", "no such file"),
    ("docs", "docs/page.md", "# Page\n\n```\ntools/gone --now\n```\n", "no such file"),
]


def verdict(check, files):
    """The check's exit status and output over a tree of these files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        command = [sys.executable, HERE / f"{check}.py", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


def main():
    wrong = []
    for check in sorted({row[0] for row in BREAKS}):
        status, output = verdict(check, SOUND)
        if status != 0:
            wrong.append(f"{check} refuses a sound tree:\n{output}")
    for check, name, content, complaint in BREAKS:
        status, output = verdict(check, SOUND | {name: content})
        if status != 1 or complaint not in output:
            wrong.append(f"{check} accepts {name}: {content[:60]!r} (status {status})\n{output}")
    print("\n".join(wrong) if wrong else f"{len(BREAKS)} breaks, each noticed")
    sys.exit(1 if wrong else 0)


main()
