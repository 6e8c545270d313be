#!/usr/bin/python3
"""How `weir` behaves as a command: exit codes, what goes to stdout and what to stderr, colours, machine formats, an
image that is written whole or not at all, and a schema that the example fits.

    tests/golden/commands.py WEIR ROOT
"""
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import time

failures = []


def expect(what, holds):
    if not holds:
        failures.append(what)


def run(weir, *arguments, cwd=None):
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    return subprocess.run([weir, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True,
                          timeout=60, check=False)


def on_terminal(command, environment):
    """What a command writes to stderr when that is a terminal."""
    ours, theirs = pty.openpty()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment, timeout=60, check=False)
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 65536):
            written += chunk
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    return done.returncode, written


def exit_codes(weir, example, broken, failing):
    today = ("--at", "2026-06-01")
    for code, arguments in [
        (0, ("check", example, *today)), (1, ("check", example, *today, "--strict")), (2, ("check", broken)),
        (1, ("check", failing, *today)), (0, ("test", example, *today)), (1, ("test", failing, *today)),
        (2, ("test", broken)), (2, ("check", "/nonexistent/policy.toml")), (2, ("check",)), (2, ("chekc", example)),
        (2, ()), (0, ("--help",)), (0, ("help",)), (0, ("help", "check")), (2, ("help", "chekc")), (0, ("version",)),
        (0, ("explain", "E0301")), (2, ("explain", "E9999")), (2, ("explain", "nonsense")),
        (0, ("explain", example, "trainers > checkpoints nfs", *today)),
        (1, ("explain", example, "trainers > internet tcp/443", *today)),
        (1, ("explain", example, "infra > weights scrape", "--at", "2026-06-01", "--port", "pf0hpf")),
        (2, ("explain", example, "trainers > nobody tcp/443")), (2, ("explain", example, "trainers internet")),
        (2, ("explain", broken, "trainers > storage nfs")), (2, ("dump", example)), (2, ("dump", "/nonexistent")),
        (2, ("check", example, "--at", "2026-02-30")), (2, ("check", example, "--at", "26-2-3")),
        (2, ("compile", example)), (0, ("--version",)), (0, ("explain", "e0301")),
    ]:
        done = run(weir, *arguments)
        expect(f"weir {' '.join(map(str, arguments))}: exit {done.returncode}, not {code}", done.returncode == code)
        expect(f"weir {' '.join(map(str, arguments))}: says nothing", done.stdout or done.stderr)


def colours(weir, broken):
    plain = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    try:
        code, written = on_terminal([weir, "check", str(broken)], plain)
    except OSError as error:  # a chroot without /dev/pts
        print(f"colours not looked at: no terminal here ({error})")
        return
    expect("colours on a terminal", code == 2 and b"\x1b[1;31m" in written)
    _, written = on_terminal([weir, "check", str(broken)], {**plain, "NO_COLOR": "1"})
    expect("NO_COLOR is kept", b"error[" in written and b"\x1b" not in written)


def streams(weir, example, broken):
    done = run(weir, "check", broken)
    expect("diagnostics for people go to stderr alone", done.stdout == "" and "error[" in done.stderr)
    expect("no colours into a pipe", "\x1b" not in done.stderr)
    for form in ("json", "sarif"):
        done = run(weir, "check", broken, "--format", form)
        expect(f"--format {form} is stdout alone", done.stderr == "" and json.loads(done.stdout))
    colours(weir, broken)
    done = run(weir, "explain", example, "trainers > internet tcp/443", "-o", "json", "--at", "2026-06-01")
    answer = json.loads(done.stdout)
    rule = answer["examples"][0]["rule"]
    expect("explain as JSON names the rule", (answer["verdict"], rule["name"], rule["file"], rule["kind"]) ==
           ("denied", "weights-stay-home", "policy.toml", "forbid"))
    line = pathlib.Path(example).read_text().splitlines()[rule["line"] - 1]
    expect("... and the line it stands on", "weights-stay-home" in line)
    spoofed = run(weir, "explain", example, "10.60.0.7 > internet tcp/443", "--port", "pf0hpf").stdout
    expect("an address that a port may not claim is spoofed there", "(spoofed)" in spoofed)


def machines(weir, example, failing):
    today = ("--at", "2026-06-01")
    done = run(weir, "check", example, *today, "-o", "json")
    made = json.loads(done.stdout)
    expect("check as JSON", (made["verdict"], made["errors"], made["held"] == made["claims"] > 0) == ("ok", 0, True))
    done = run(weir, "test", failing, *today, "-o", "jsonl")
    made = json.loads(done.stdout)
    expect("a failed test as a line of JSON", made["verdict"] == "failed" and made["diagnostics"][0]["code"] == "E0501"
           and done.stdout.count("\n") == 1 and "error[E0501]" in done.stderr)
    done = run(weir, "help")
    expect("help is that of weir", all(name in done.stdout for name in ("compile", "replay", "explain")))
    done = run(weir, "complie")
    expect("a misspelt command", done.returncode == 2 and "did you mean `compile`?" in done.stderr)
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([weir, "explain", "E0301"], stdout=full, stderr=subprocess.PIPE, check=False)
    expect("a result that cannot be written", done.returncode == 2 and b"could not be written" in done.stderr)
    with tempfile.TemporaryDirectory() as scratch:
        policy = pathlib.Path(scratch, "policy.toml")
        policy.write_text('version = 1\n[list.x]\nfile = "x"\n')
        pathlib.Path(scratch, "x").write_bytes(bytes(range(128, 256)) + b"\n\xe0\x80\x80\n\xed\xa0\x80\n")
        for form in ("json", "sarif"):
            done = run(weir, "check", policy, "--format", form)
            expect(f"bytes that are not text as {form}", done.returncode == 2 and json.loads(done.stdout))


def images(weir, example, broken, scratch):
    image = scratch / "policy.img"
    expect("compiles", run(weir, "compile", example, "-o", image, "--generation", 3).returncode == 0)
    before = image.read_bytes()
    expect("64-byte multiple", before and len(before) % 64 == 0)
    expect("a broken policy leaves the old image", run(weir, "compile", broken, "-o", image).returncode == 2 and
           image.read_bytes() == before)
    expect("nothing is left beside it", sorted(os.listdir(scratch)) == ["policy.img"])
    for generation in ("0", "-1", "99999999999999999999"):
        done = run(weir, "compile", example, "-o", scratch / "x.img", "--generation", generation)
        expect(f"generation {generation} is refused", done.returncode == 2 and not (scratch / "x.img").exists())
    os.mkfifo(scratch / "pipe")
    done = run(weir, "compile", example, "-o", scratch / "pipe")
    expect("no image takes the place of a pipe", done.returncode == 2 and (scratch / "pipe").is_fifo())
    expect("no such directory", run(weir, "compile", example, "-o", scratch / "no" / "x.img").returncode == 2)
    dump = json.loads(run(weir, "dump", image, "-o", "json").stdout)
    expect("dump as JSON", dump["header"]["generation"] == 3 and len(dump["rules"]) == 12)
    policy = scratch / "policy.toml"
    for name, kind in (("a", "allow"), ("b", "forbid")):
        (scratch / f"{name}.toml").write_text(f'[[{kind}]]\nname = "{name}"\nfrom = "x"\nto = "x"\n')
    made = []
    for order in ('"a.toml", "b.toml"', '"b.toml", "a.toml"'):
        policy.write_text(f'version = 1\ninclude = [{order}]\n[segment.x]\ncidr = ["10.0.0.0/8"]\n')
        expect(f"compiles with {order}", run(weir, "compile", policy, "-o", image).returncode == 0)
        made.append(image.read_bytes())
    expect("the order of includes does not show in an image", made[0] == made[1])
    image.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    done = run(weir, "dump", image)
    expect("a changed byte is refused", done.returncode == 2 and "bad policy image" in done.stderr)
    image.write_bytes(before[:64])
    expect("a short image is refused", run(weir, "dump", image).returncode == 2)


def links(weir, example, scratch):
    """No link is followed to an included file, and a fifo does not hang the check."""
    copy = scratch / "linked"
    shutil.copytree(pathlib.Path(example).parent, copy)
    serving = copy / "teams" / "serving.toml"
    serving.rename(copy / "elsewhere.toml")
    serving.symlink_to(copy / "elsewhere.toml")
    done = run(weir, "check", copy / "policy.toml")
    expect("a linked file is refused", done.returncode == 2 and "symbolic link" in done.stderr)
    serving.unlink()
    (copy / "teams").rename(copy / "real")
    (copy / "teams").symlink_to(copy / "real")
    done = run(weir, "check", copy / "policy.toml")
    expect("a pattern does not pass over a linked directory", done.returncode == 2 and "symbolic link" in done.stderr)
    literal = (copy / "policy.toml").read_text().replace("teams/*.toml", "teams/training.toml")
    (copy / "policy.toml").write_text(literal)
    done = run(weir, "check", copy / "policy.toml")
    expect("a linked directory is refused", done.returncode == 2 and "E0105" in done.stderr)
    (copy / "teams").unlink()
    (copy / "teams").mkdir()
    os.mkfifo(copy / "teams" / "training.toml")
    begin = time.monotonic()
    done = run(weir, "check", copy / "policy.toml")
    expect("a fifo is refused at once", done.returncode == 2 and "regular file" in done.stderr and
           time.monotonic() - begin < 10)


def schema(weir, root):
    """Draft-07 without oneOf, and every key of the example and of the full policy is in it."""
    text = run(weir, "schema").stdout
    made = json.loads(text)
    expect("draft-07", made["$schema"] == "http://json-schema.org/draft-07/schema#" and "oneOf" not in text)
    for policy in ("rules/examples/gpu-cluster/policy.toml", "tests/golden/diagnostics/gpu-cluster-full/policy.toml"):
        at = made
        for line in (root / policy).read_text().splitlines():
            if header := re.match(r"\[+([a-z.-]+[a-z0-9-]*)\]", line):
                at = made
                for part in re.sub(r"[^.]+$", lambda m: m[0], header[1]).split("."):
                    at = at.get("items", at)
                    at = at["properties"].get(part) if "properties" in at else at["additionalProperties"]
                at = at.get("items", at)
            elif (key := re.match(r"([a-z_]+)\s*=", line)) and at is not None:
                expect(f"{policy}: `{key[1]}` is in the schema", key[1] in at.get("properties", {key[1]: 0}))


def main():
    weir, root = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    example = root / "rules/examples/gpu-cluster/policy.toml"
    golden = root / "tests/golden/diagnostics"
    exit_codes(weir, example, golden / "segment-unknown/policy.toml", golden / "E0501/policy.toml")
    streams(weir, example, golden / "segment-unknown/policy.toml")
    machines(weir, example, golden / "E0501/policy.toml")
    with tempfile.TemporaryDirectory() as scratch:
        images(weir, example, golden / "segment-unknown/policy.toml", pathlib.Path(scratch))
        links(weir, example, pathlib.Path(scratch))
    schema(weir, root)
    print("\n".join(failures) or "weir behaves as documented")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
