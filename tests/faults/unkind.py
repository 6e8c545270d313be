"""What the tests of faults share: a file that tells tests/faults/unkind.cpp what to do to a program, and folders whose
disk is small. It judges nothing."""
import contextlib
import ctypes
import os
import shutil
import struct
import sys

SKIP = 77


class Unkind:
    """The file; `environment` preloads the library into whoever gets it."""

    def __init__(self, path, library, hangs_to="no file"):
        self.path = path
        with open(path, "wb") as file:
            file.write(bytes(16))
        os.chmod(path, 0o644)
        # Beside it: what is preloaded may have no space in its path, and everybody must be able to read it.
        beside = shutil.copy(library, path + ".so")
        self.environment = {**os.environ, "LD_PRELOAD": beside, "WEIR_UNKIND": path, "WEIR_UNKIND_TO": hangs_to,
                            # the library is no part of the sanitizer's
                            "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def put(self, at, value):
        with open(self.path, "r+b") as file:
            file.seek(at)
            file.write(struct.pack("<q", int(value)))

    def shift(self, seconds):
        self.put(0, seconds)

    def hang(self, does):
        self.put(8, does)


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


def own_mounts():
    """This process, and who it starts, sees mounts of its own from here on; ends with 77 where that cannot be."""
    if os.geteuid() != 0:
        skip("a small disk needs root")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000) != 0:  # CLONE_NEWNS
        skip(f"no mount namespaces here: {os.strerror(ctypes.get_errno())}")
    private = 0x40000 | 0x4000  # MS_PRIVATE, MS_REC
    assert libc.mount(None, b"/", None, private, None) == 0, os.strerror(ctypes.get_errno())
    return libc


@contextlib.contextmanager
def small_disk(libc, folder, name, kib):
    """A tmpfs of so many KiB at `name` in the folder, which the folder's user owns."""
    path = folder.file(name)
    os.makedirs(path, exist_ok=True)
    options = f"size={kib}k,mode=755"
    if folder.user:
        options += f",uid={folder.user['user']},gid={folder.user['group']}"
    if libc.mount(b"none", path.encode(), b"tmpfs", 0, options.encode()) != 0:
        skip(f"no tmpfs here: {os.strerror(ctypes.get_errno())}")
    try:
        yield path
    finally:
        libc.umount2(path.encode(), 2)  # MNT_DETACH


@contextlib.contextmanager
def read_only_disk(path):
    """Over a folder that is there, in mounts of this process's own: nothing can be made in it."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mount(b"none", path.encode(), b"tmpfs", 1, b"size=64k,mode=777") == 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        libc.umount2(path.encode(), 2)


def fill(path):
    """All of the disk, by a file of the test's own; it gives the space back when removed."""
    filler = os.path.join(path, "filler")
    with open(filler, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
    return filler
