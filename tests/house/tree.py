"""The repository as the house tests see it: which files are ours, and how a broken law is reported. Standard library
only; no git, so that it works in an exported tree as well."""
import pathlib
import re
import sys

CODE = {".cpp", ".hpp", ".c", ".h"}  # C is what runs in the kernel
SKIPPED_FOLDERS = re.compile(r"^(\.git|\.cache|__pycache__|build.*|corpus)$")


def files(root, suffixes=None, under=("",)):
    """Paths relative to `root`, sorted: every file of ours, or those with one of `suffixes` below one of `under`."""
    root = pathlib.Path(root)
    found = []
    stack = [root]
    while stack:
        for entry in stack.pop().iterdir():
            if entry.is_dir() and not entry.is_symlink():
                if not SKIPPED_FOLDERS.match(entry.name):
                    stack.append(entry)
            elif entry.name != ".git" and entry.is_file() and (suffixes is None or entry.suffix in suffixes):
                path = entry.relative_to(root)
                if any(path.as_posix().startswith(start) for start in under):
                    found.append(path)
    return sorted(found)


def text(root, path):
    """The file's text, or None when it is not text (captures, images)."""
    data = (pathlib.Path(root) / path).read_bytes()
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def without_comments(source):
    """C++ source with comments, strings and character constants blanked; line breaks stay where they were."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![\w])\'(?:\\.|[^\'\\\n])+\'', re.S)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), source)


def report(law, broken):
    """Prints what breaks `law` and ends the test."""
    for line in broken:
        print(line)
    if broken:
        print(f"\n{len(broken)} against the law: {law}")
        sys.exit(1)
    print(f"holds: {law}")
