#!/usr/bin/python3
"""A file opens by saying what it is for and can be read in a sitting; a function fits a screen, a line a window."""
import re
import sys

import tree

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
COLUMNS_MAX = 120
WRITTEN = tree.CODE | {".py", ".sh", ".build", ".toml"}
OPENING = re.compile(r'^(#![^\n]*\n)?(#|""")')


def opens_well(path, source):
    """With its purpose; a .cpp may begin with its own header instead, which has one."""
    if path.suffix not in tree.CODE:
        return OPENING.match(source) is not None
    return source.startswith(("//", f'#include "{path.with_suffix(".hpp").as_posix()}"\n'))


def functions(source):
    """(first line, lines) of every outermost brace block inside namespaces that looks like a function's body."""
    code = re.sub(r"^[ \t]*#(\\\n|.)*", lambda macro: re.sub(r"[^\n]", " ", macro.group()),
                  tree.without_comments(source), flags=re.M)
    start, opened = 0, []
    for offset, character in enumerate(code):
        if character in ";}" and not any(opened):
            start = offset + 1
        if character == "{":
            head = code[start:offset]
            is_body = not any(opened) and ")" in head and not re.match(r"\s*(extern|namespace|enum)\b", head) \
                and not re.search(r"=\s*$", head)
            opened.append(is_body)
            if is_body:
                first = code.count("\n", 0, start + len(head) - len(head.lstrip())) + 1
            elif not any(opened):
                start = offset + 1
        elif character == "}" and opened:
            if opened.pop() and not any(opened):
                yield first, code.count("\n", 0, offset) + 1 - first + 1
            if not any(opened):
                start = offset + 1


def main(root):
    broken = []
    for path in tree.files(root):
        if path.suffix not in WRITTEN and path.suffix:
            continue
        source = tree.text(root, path)
        if source is None or path.name in ("LICENSE", "meson.build") or path.name.startswith("."):
            continue
        lines = source.splitlines()
        if not opens_well(path, source):
            broken.append(f"{path}:1: open with a comment: what it is for, and what it refuses to do")
        if len(lines) > FILE_LINES_MAX:
            broken.append(f"{path}: {len(lines)} lines; a sitting is {FILE_LINES_MAX}")
        if path.suffix in tree.CODE | {".py"}:
            for number, line in enumerate(lines, 1):
                if len(line) > COLUMNS_MAX:
                    broken.append(f"{path}:{number}: {len(line)} columns; a window is {COLUMNS_MAX}")
        if path.suffix in tree.CODE:
            for first, length in functions(source):
                if length > FUNCTION_LINES_MAX:
                    broken.append(f"{path}:{first}: a function of {length} lines; a screen is {FUNCTION_LINES_MAX}")
    tree.report("files open with their purpose, and fit a sitting, a screen and a window", broken)


main(sys.argv[1])
