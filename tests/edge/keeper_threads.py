#!/usr/bin/env python3
"""Makes two policies and a ledger for keeper_threads, and runs it. usage: keeper_threads.py PROGRAM WEIR"""
import os
import subprocess
import sys
import tempfile

POLICY = """version = 1
[policy]
name = "caps"
[segment.left]
cidr = ["10.0.0.0/24"]
[segment.right]
cidr = ["10.1.0.0/24"]
[[budget]]
name = "out"
from = "left"
windows = {{ "1h" = "{size} MB" }}
opening = "empty"
"""

program, weir = map(os.path.abspath, sys.argv[1:])
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    with open("key", "wb") as file:
        file.write(os.urandom(32))
    os.chmod("key", 0o600)
    for name, size in (("more", 900), ("less", 800)):
        with open(f"{name}.toml", "w", encoding="utf-8") as file:
            file.write(POLICY.format(size=size))
        subprocess.run([weir, "compile", f"{name}.toml", "-o", f"{name}.img"], check=True, capture_output=True)
    subprocess.run([weir, "budgets", "--begin", "ledger", "--key", "key", "--first"], check=True)
    sys.exit(subprocess.run([program, "more.img", "less.img", "ledger", "key"], check=False).returncode)
