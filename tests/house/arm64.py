#!/usr/bin/python3
"""The engine is for DPUs, which are arm64: compiles every file of floors 0 to 3 for it, with warnings as errors.
Whether it is right there is for a machine of that kind to say."""
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import tree

COMPILER = "aarch64-linux-gnu-g++"
FLAGS = ("-std=c++23 -march=armv8-a+crc -O2 -Wall -Wextra -Wconversion -Wshadow -Wno-sign-conversion -Werror"
         " -fno-exceptions -fno-rtti").split()
FLOORS = tuple(f"dataplane/{name}/" for name in ("base", "packet", "flow", "policy", "budget", "inspect", "pipeline",
                                                 "share"))


def main(root):
    if not shutil.which(COMPILER):
        print(f"skipped: no {COMPILER} (Debian: g++-aarch64-linux-gnu)")
        sys.exit(77)
    sources = tree.files(root, {".cpp"}, FLOORS)
    with tempfile.TemporaryDirectory() as folder:
        def compile_one(path):
            output = pathlib.Path(folder, path.as_posix().replace("/", "_"))
            done = subprocess.run([COMPILER, *FLAGS, "-I", root, "-c", path, "-o", output], cwd=root, text=True,
                                  capture_output=True, check=False)
            return done.stderr if done.returncode else None
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as workers:
            broken = [output for output in workers.map(compile_one, sources) if output]
    tree.report(f"{len(sources)} files of the engine compile for arm64", broken)


main(sys.argv[1])
