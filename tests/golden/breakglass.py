#!/usr/bin/python3
"""A breakglass allow is not in the image: of each allow of the policies here in turn, the policy in which it is one
compiles to the same bytes as the policy without it. And it is in every bound: both bounds are those of the policy in
which it is always open. What `explain` and `report` say of one.

    tests/golden/breakglass.py WEIR ROOT
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

POLICIES = ("tests/golden/diagnostics/gpu-cluster-full", "rules/examples/budgets", "rules/examples/bounded")
BLOCK = re.compile(r"^\[\[allow\]\]\n(?:(?!\[).*\n)*", re.M)
TODAY = ("--at", "2026-06-01")


def weir_says(weir, *arguments, cwd=None):
    done = subprocess.run([weir, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=60,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def as_breakglass(block):
    """With the keys that it lacks, in one line more each."""
    keys = [f'{key} = "{value}"\n' for key, value in (("breakglass", "1h"), ("owner", "us"), ("why", "repairs"))
            if not re.search(rf"^{key}\s*=", block, re.M)]
    return block.rstrip("\n") + "\n" + "".join(keys)


class Variants:
    """One policy of a folder's copy, with a text of its own."""

    def __init__(self, weir, folder, scratch):
        self.weir, self.home, self.image = weir, scratch / "policy", scratch / "policy.img"
        shutil.copytree(folder, self.home)
        self.text = (self.home / "policy.toml").read_text()

    def write(self, text):
        (self.home / "policy.toml").write_text(text)

    def compiled(self, text):
        """The image, or nothing where the policy does not hold."""
        self.write(text)
        code, _, _ = weir_says(self.weir, "compile", "policy.toml", "-o", self.image, "--generation", 7, *TODAY,
                               cwd=self.home)
        return self.image.read_bytes() if code == 0 else None

    def bound(self, text):
        self.write(text)
        code, out, said = weir_says(self.weir, "bound", "policy.toml", "-o", "json", *TODAY, cwd=self.home)
        assert out, said
        told = json.loads(out)
        told.pop("assumptions", None)  # one of them says that breakglass allows count
        return code, told


def same_as_without(variants):
    """How many allows could be made breakglass ones, and were not in the image then."""
    compared = 0
    for match in BLOCK.finditer(variants.text):
        made = as_breakglass(match[0])
        before, after = variants.text[:match.start()], variants.text[match.end():]
        closed = variants.compiled(before + made + after)
        if closed is None:
            continue  # no budget covers it, or a test of the policy needs it open
        without = variants.compiled(before + "\n" * made.count("\n") + after)
        assert closed == without, match[0]
        always = made.replace('breakglass = "1h"\n', "\n")
        assert variants.compiled(before + always + after) != closed, match[0]
        assert variants.bound(before + made + after) == variants.bound(before + always + after), match[0]
        compared += 1
    return compared


def spoken_of(weir, example):
    code, out, err = weir_says(weir, "explain", example, "storage > vendor https", *TODAY)
    assert code == 1 and "denied" in out, (code, out, err)
    assert "breakglass `vendor-support` at policy.toml:" in out, out
    assert "weir breakglass vendor-support --for 1h" in out, out
    code, out, _ = weir_says(weir, "explain", example, "storage > vendor https", "-o", "json", *TODAY)
    assert json.loads(out)["breakglass"] == [{"name": "vendor-support", "for_at_most_s": 3600}], out
    code, out, _ = weir_says(weir, "explain", example, "storage > vendor ssh", *TODAY)
    assert code == 1 and "breakglass" not in out, out
    code, page, err = weir_says(weir, "report", example, *TODAY)
    assert code == 0 and "<h2>Breakglass</h2>" in page and "storage on call" in page, err
    assert "breakglass allows count as open, all of them at once" in page
    code, out, err = weir_says(weir, "bound", example, *TODAY)
    assert code == 0 and "vendor" in out and "breakglass allows count as open" in out, (out, err)


def main():
    weir, root = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]).resolve()
    total = 0
    for name in POLICIES:
        with tempfile.TemporaryDirectory() as scratch:
            total += same_as_without(Variants(weir, root / name, pathlib.Path(scratch)))
    assert total >= 6, total
    spoken_of(weir, root / "rules/examples/breakglass/policy.toml")
    print(f"{total} allows are in no image while they are closed, and in every bound")


if __name__ == "__main__":
    main()
