#!/usr/bin/python3
"""Documentation that points somewhere points at something: links, files named in code marks, scripts in command blocks,
and, given the built `weir`, its commands. Headings that links name must exist."""
import pathlib
import re
import subprocess
import sys

import tree

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_MARK = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
OUR_PATH = re.compile(r"^(dataplane|control|tools|tests|rules|docs|\.ci)/[\w./-]+$")
SCRIPT = re.compile(r"(?<![\w./-])((?:tools|\.ci|tests|rules)/[\w./-]+)")
WEIR = re.compile(r"(?:^|\s)(?:build/tools/weir/)?weir ([a-z]+)\b", re.M)


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(text):
    return {anchor(match.group(1)) for match in re.finditer(r"^#+ (.*)$", text, re.M)}


def exists(root, path):
    """Whether a path named in prose is there; `x/*`, a NAME to fill in, and trailing dots are as people write them."""
    path = path.rstrip("./").replace("NAME", "*")
    return any(pathlib.Path(root).glob(path)) if "*" in path else (pathlib.Path(root) / path).exists()


def broken_links(root, page, text):
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, wanted = target.partition("#")
        place = (pathlib.Path(root) / page).parent / name if name else pathlib.Path(root) / page
        if not place.exists():
            yield f"{page}: link to {target}: no such file"
        elif wanted and place.suffix == ".md" and wanted not in anchors(place.read_text()):
            yield f"{page}: link to {target}: no such heading"


def broken_names(root, page, text):
    prose = FENCE.sub("", text)
    for name in CODE_MARK.findall(prose):
        name = name.split(":")[0] if re.search(r":\d+$", name) else name
        if OUR_PATH.match(name) and not exists(root, name):
            yield f"{page}: names `{name}`: no such file"
    for language, block in FENCE.findall(text):
        if language in ("", "sh", "bash", "console"):
            for name in SCRIPT.findall(block):
                if not exists(root, name) and "build" not in name and not name.startswith("tools/weir/weir"):
                    yield f"{page}: a command uses {name}: no such file"


def broken_commands(page, text, commands):
    for _, block in FENCE.findall(text):
        for command in WEIR.findall(block):
            if command not in commands:
                yield f"{page}: `weir {command}`: weir help does not know it"


def main(root, weir=None):
    commands = None
    if weir:
        shown = subprocess.run([weir, "--help"], capture_output=True, text=True, check=True).stdout
        commands = set(re.findall(r"^  ([a-z]+) ", shown, re.M))
    broken = []
    for page in tree.files(root, {".md"}):
        text = tree.text(root, page)
        broken += broken_links(root, page, text)
        broken += broken_names(root, page, text)
        if commands is not None:
            broken += broken_commands(page, text, commands)
    tree.report("documentation points at what is there", broken)


main(*sys.argv[1:3])
