"""One thread of another process that stands still while the rest of it goes on (ptrace). It judges nothing."""
import contextlib
import ctypes
import os

SEIZE, INTERRUPT, DETACH, ALL = 0x4206, 0x4207, 17, 0x40000000


def thread_named(pid, *names):
    known = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8") as file:
            known.append(file.read().strip())
        if known[-1] in names:
            return int(task)
    raise AssertionError(f"{pid} has no thread {names}, but {known}")


@contextlib.contextmanager
def standing(thread):
    """OSError where this may not be done here."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(SEIZE, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    libc.ptrace(INTERRUPT, thread, None, None)
    os.waitpid(thread, ALL)
    try:
        yield
    finally:
        libc.ptrace(DETACH, thread, None, None)
