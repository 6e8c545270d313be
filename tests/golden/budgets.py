#!/usr/bin/python3
"""`weir budgets`: --verify on a sound ledger as text and as JSON, a torn one, damaged ones, wrong keys, and what it
says; --begin and --forgive, and when they are refused. The older slot is rounded up to its unit of 16 bytes.

    tests/golden/budgets.py WEIR MAKE_LEDGER
"""
import fcntl
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TABLE = """\
ledger: sound: frames 1 to 6, each authentic and following the one before; the last of 2026-09-21T16:13:20Z
head HEAD
2026-09-21T14:13:20Z  began: a test

inference-egress a1000000000000000000000000000000: 17345 bytes ever, 7655 leased, 0 beyond the windows
        1h  12345 of 100000
        1d  17353 of 1000000
  lifetime  17345 of 9000000
  until 2026-09-21T14:35:49Z  5008
  until 2026-09-21T16:13:20Z  12345

serve b2000000000000000000000000000000 (retired): 0 bytes ever, 0 leased, 0 beyond the windows
  what left before 2026-09-21T14:13:20Z is not known
       90s  0 of 50000
"""
failures = []


def expect(what, holds):
    if not holds:
        failures.append(what)


def acts(home, weir):
    """On the ledger in `home`, and on new ones."""
    def act(what, code, words, *arguments):
        done = subprocess.run([os.path.abspath(weir), "budgets", *arguments, "--key", "key"], cwd=home, text=True,
                              capture_output=True, timeout=60, check=False)
        expect(f"{what}: exit {done.returncode}: {done.stderr}{done.stdout}",
               done.returncode == code and words in done.stderr + done.stdout)

    forgive = ("--forgive", "inference-egress", "--ledger", ".")
    act("no reason", 1, "--why TEXT", *forgive)
    act("nobody's name", 1, "no account is of `inference`", "--forgive", "inference", "--ledger", ".", "--why", "x")
    folder = os.open(home, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    act("one in use", 1, "cannot lock", *forgive, "--why", "a false alarm")
    os.close(folder)
    act("a reason", 0, "1 account of `inference-egress`", *forgive, "--why", "a false alarm")
    act("the reason stays", 0, "forgave inference-egress: a false alarm", "--verify", "ledger")
    act("what left stays, and counts no more", 0, "0 of 100000", "--verify", "ledger")
    act("a first one where one is", 1, "it is not the first one", "--begin", ".", "--first")
    act("a new one with no reason", 1, "--why TEXT", "--begin", "new")
    act("first and a reason", 2, "excludes", "--begin", "new", "--first", "--why", "x")
    act("the first one", 0, "nothing has left yet", "--begin", "new", "--first", "--anchor", "anchor")
    act("what the anchor has seen", 1, "has seen a ledger", "--begin", "other-new", "--first", "--anchor", "anchor")
    act("after a loss", 0, "opens as spent", "--begin", "new", "--why", "the disk broke", "--anchor", "anchor")
    act("its reason", 0, "began: after a loss: the disk broke", "--verify", "new/ledger")
    aside = [name for name in os.listdir(home / "new") if name.startswith("ledger.before-")]
    expect(f"the older one is set aside: {os.listdir(home / 'new')}", len(aside) == 1)


def main(weir, make_ledger):
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        key, ledger = home / "key", home / "ledger"
        key.write_bytes(bytes(range(40)))
        os.chmod(key, 0o600)
        subprocess.run([make_ledger, home, key], check=True)

        def verify(*more, key_file=key):
            command = [os.path.abspath(weir), "budgets", "--verify", "ledger", "--key", key_file, *more]
            return subprocess.run(command, cwd=home, text=True, capture_output=True, timeout=60, check=False)

        def says(what, code, *words, **options):
            done = verify(**options)
            expect(f"{what}: exit {done.returncode}: {done.stderr}{done.stdout}",
                   done.returncode == code and all(word in done.stderr for word in words))

        done = verify()
        shown = re.sub(r"head [0-9a-f]{64}", "head HEAD", done.stdout)
        expect(f"the table:\n{shown}{done.stderr}", (done.returncode, shown) == (0, TABLE))
        made = json.loads(verify("-o", "json").stdout)
        expect("as JSON", made["accounts"][0]["left"][1]["bytes"] == 12345 and made["accounts"][1]["retired"] is True)
        expect("as one line", verify("-o", "jsonl").stdout.count("\n") == 1)

        whole = ledger.read_bytes()
        ledger.write_bytes(whole[:-10])
        done = verify()
        expect(f"a torn end: {done.stdout}", done.returncode == 0 and "did not end" in done.stdout)
        for at in (20, len(whole) // 2):
            ledger.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            says(f"damage at {at}", 1, "ledger ledger, byte ", "start a new ledger")
        ledger.write_bytes(whole)
        other = home / "other"
        other.write_bytes(bytes(40))
        os.chmod(other, 0o600)
        says("another key", 1, "no ledger of this key", key_file=other)
        os.chmod(other, 0o644)
        says("an open key", 2, "chmod 600", key_file=other)
        says("no key", 2, "nokey", key_file="nokey")
        acts(home, weir)
        ledger.unlink()
        says("no ledger", 2, "cannot read ledger")
    for failure in failures:
        print("not as expected:", failure)
    sys.exit(1 if failures else 0)


main(*sys.argv[1:])
