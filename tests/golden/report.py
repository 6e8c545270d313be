#!/usr/bin/python3
"""`weir report`: the example's page as it was (report.html), whole HTML, nothing in it that a browser would fetch or
run, names and texts of rule files escaped; and a real browser's picture of it where chromium is installed.

    tests/golden/report.py WEIR ROOT [--refresh]
"""
import difflib
import html.parser
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zlib

TODAY = ("--at", "2026-06-01")
VOID = {"meta", "br", "hr"}
# Attributes with which a page can load or run something.
ACTIVE = {"src", "href", "srcset", "action", "data", "background", "poster", "formaction"}
NASTY = """version = 1
[policy]
name = "<script>alert('1')</script>"
require = ["owner"]
[segment.a]
cidr = ["10.0.0.0/24"]
[segment.b]
cidr = ["10.0.1.0/24"]
[[allow]]
ticket = "</td><img src=x onerror=alert(2)>"
from = "a"
to = "b"
owner = "\\u202e\\u0007<b>&amp;\\""
why = "'\\"><a href='javascript:1'>"
"""
failures = []


def expect(what, holds):
    if not holds:
        failures.append(what)


def report(weir, policy):
    done = subprocess.run([weir, "report", str(policy), *TODAY], capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Page(html.parser.HTMLParser):
    """What a browser would make of it: open elements, faults, words."""

    def __init__(self, text):
        super().__init__()
        self.opened, self.faults, self.tags, self.words = [], [], set(), ""
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self.opened]

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in VOID:
            self.opened.append(tag)
        for name, value in attrs:
            if name in ACTIVE or name.startswith("on") or "url(" in (value or ""):
                self.faults.append(f"<{tag} {name}={value}>")

    def handle_endtag(self, tag):
        if not self.opened or self.opened.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        self.words += data


def sound(what, text):
    page = Page(text)
    expect(f"{what}: {page.faults}", not page.faults)
    allowed = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "div", "table", "tr", "th",
               "td", "code", "ul", "li"}
    expect(f"{what}: elements {page.tags - allowed}", page.tags <= allowed)
    quiet = "url(" not in text and "@import" not in text and "default-src 'none'" in text
    expect(f"{what}: loads something", quiet)
    return page


def colours(png):
    """How many different rows of pixels a picture has: a blank one has one."""
    data, at, width, rows = b"", 8, 0, set()
    while at < len(png):
        size = int.from_bytes(png[at:at + 4], "big")
        kind, body = png[at + 4:at + 8], png[at + 8:at + 8 + size]
        width = int.from_bytes(body[:4], "big") if kind == b"IHDR" else width
        data += body if kind == b"IDAT" else b""
        at += 12 + size
    raw = zlib.decompress(data)
    stride = len(raw) // int.from_bytes(png[20:24], "big")
    for start in range(0, len(raw), stride):
        rows.add(raw[start:start + stride])
    return width, len(rows)


def picture(text, scratch):
    chromium = shutil.which("chromium")
    if chromium is None:
        print("no picture taken: chromium is not installed")
        return
    page, png = scratch / "page.html", scratch / "page.png"
    page.write_text(text)
    environment = {**os.environ, "HOME": str(scratch)}
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
               "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={scratch}/profile",
               "--window-size=1300,1800", f"--screenshot={png}", page.as_uri()]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=100, check=False)
    expect(f"a picture: {done.stderr.decode()[-300:]}", png.exists())
    if png.exists():
        width, rows = colours(png.read_bytes())
        expect(f"a picture of {width} columns and {rows} different rows", width == 1300 and rows > 200)


def main():
    weir, root = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    golden = root / "tests/golden/report.html"
    code, text, said = report(weir, root / "rules/examples/gpu-cluster/policy.toml")
    expect(f"exit {code} {said}", code == 0)
    if "--refresh" in sys.argv:
        golden.write_text(text)
    expected = golden.read_text()
    if text != expected:
        lines = difflib.unified_diff(expected.splitlines(True), text.splitlines(True), "report.html", "now")
        failures.append("".join(lines))
    page = sound("the example", text)
    for words in ("periodic checkpoints and resume", "SEC-2114", "2027-03-31", "teams/serving.toml:20", "scrape, ping"):
        expect(f"the example: no `{words}`", words in page.words)
    full = report(weir, root / "tests/golden/diagnostics/gpu-cluster-full/policy.toml")[1]
    page = sound("the full policy", full)
    for words in ("all exits together", "What decides:", "budget `answers`", "Taken for granted:"):
        expect(f"the full policy: no `{words}`", words in page.words)
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        (scratch / "nasty.toml").write_text(NASTY)
        code, nasty, said = report(weir, scratch / "nasty.toml")
        expect(f"nasty: exit {code} {said}", code == 0)
        page = sound("nasty", nasty)
        expect("nasty: the words are there as words", "<img src=x onerror=alert(2)>" in page.words)
        expect("nasty: control characters", "\x07" not in nasty)
        code, out, said = report(weir, root / "tests/golden/diagnostics/segment-unknown/policy.toml")
        expect("a broken policy has no page", code == 2 and not out and "error[" in said)
        picture(full, scratch)
    print("\n".join(failures) or "the page is whole, and quiet")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
