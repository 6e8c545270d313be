#!/usr/bin/env python3
"""`weir fmt` as people use it: in place, through links, from stdin, --check, and what it refuses to touch.

usage: fmt_command.py WEIR"""
import os
import pathlib
import subprocess
import sys
import tempfile

UGLY = """version=1
segment.a.cidr=["10.0.0.0/24" ,"10.0.1.0/24",]   # two
[[allow]]
name="x"   # kept
from   =  "a"
to="a"
expires=2026-12-24
"""
NEAT = """version        = 1
segment.a.cidr = ["10.0.0.0/24", "10.0.1.0/24"]  # two

[[allow]]
name    = "x"  # kept
from    = "a"
to      = "a"
expires = 2026-12-24
"""


def run(*arguments, text=None):
    return subprocess.run([WEIR, "fmt", *map(str, arguments)], input=text, capture_output=True, text=True, timeout=60,
                          check=False)


def main(folder):
    ugly, neat, link, broken = (folder / name for name in ("ugly.toml", "neat.toml", "link.toml", "broken.toml"))
    ugly.write_text(UGLY), neat.write_text(NEAT), broken.write_text("[[allow\n"), link.symlink_to("ugly.toml")
    os.chmod(ugly, 0o640)
    checked = run("--check", ugly, neat)
    assert checked.returncode == 1 and checked.stdout == f"{ugly}\n" and ugly.read_text() == UGLY, checked
    piped = run("-", text=UGLY)
    assert piped.returncode == 0 and piped.stdout == NEAT, piped
    before = neat.stat()
    assert run(neat, link).returncode == 0
    assert ugly.read_text() == NEAT and link.is_symlink() and ugly.stat().st_mode & 0o777 == 0o640
    assert neat.stat().st_ino == before.st_ino, "what has its layout is not written"
    assert run("--check", ugly, neat).returncode == 0
    for path, why in ((broken, "`weir check` says where"), (folder / "none.toml", "No such file"),
                      (folder, "directory")):
        refused = run(path)
        assert refused.returncode == 2 and why in refused.stderr, refused
    assert broken.read_text() == "[[allow\n"
    assert sorted(os.listdir(folder)) == ["broken.toml", "link.toml", "neat.toml", "ugly.toml"], os.listdir(folder)
    shipped = sorted((pathlib.Path(__file__).resolve().parent.parent.parent / "rules").glob("**/*.toml"))
    assert len(shipped) > 5 and run("--check", *shipped).returncode == 0, run("--check", *shipped)
    print("files have their layout")


WEIR = os.path.abspath(sys.argv[1])
with tempfile.TemporaryDirectory(prefix="weir-fmt-") as temporary:
    main(pathlib.Path(temporary).resolve())
