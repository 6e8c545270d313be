"""The systemd units hold by systemd's own tools, and both daemons tell whoever started them that they are ready, and
that they go on; a stopped process tells nothing.

usage: service_test.py DATAPLANE WEIR CONTROL UNITS SOURCES"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import dataplane
from control import Control

MOST_EXPOSED = {"weir-dataplane": 3.5, "weir-control": 1.5}  # of 10, by systemd-analyze security
PATIENCE_S = 1.0


def units_hold(programs, units, sources, folder):
    if shutil.which("systemd-analyze") is None:
        print("skipped: no systemd-analyze here")
        return
    for name, program in programs.items():
        with open(os.path.join(units, name + ".service"), encoding="utf-8") as file:
            text = re.sub(r"(?<=ExecStart=)\S+", folder.programs[program], file.read())
        text = re.sub(r"(?m)^(User|Group)=.*\n", "", text)  # no such user is here
        path = folder.write(f"{name}.service", text.encode())
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0 and name not in done.stderr, done.stderr
        said = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                               os.path.join(units, name + ".service")], capture_output=True, text=True,
                              check=False).stdout
        exposed = float(re.search(r"exposure level for \S+: ([\d.]+)", said)[1])
        assert exposed <= MOST_EXPOSED[name], said
        print(f"{name}: exposure {exposed} of 10")
    if os.geteuid() == 0 and shutil.which("systemd-sysusers"):
        root = folder.file("root")
        os.makedirs(os.path.join(root, "etc"))
        subprocess.run(["systemd-sysusers", f"--root={root}", os.path.abspath(os.path.join(sources, "weir.sysusers"))],
                       capture_output=True, check=True)
        with open(os.path.join(root, "etc/group"), encoding="utf-8") as file:
            groups = {line.split(":")[0] for line in file}
        assert {"weir", "weir-admin"} <= groups, groups


class Manager:
    """Stands for the service manager: what is told to it."""

    def __init__(self, folder, name):
        self.path = folder.file(name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)
        os.environ |= {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(int(PATIENCE_S * 1e6))}

    def hears(self, word, within_s):
        limit = time.monotonic() + within_s
        while (left := limit - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                if self.socket.recv(4096).decode() == word:
                    return True
            except TimeoutError:
                return False
        return False

    def forget(self):
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recv(4096)
        except BlockingIOError:
            pass

    def close(self):
        self.socket.close()
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC"):
            del os.environ[name]


def tells(manager, process):
    assert manager.hears("READY=1", 20), "it is never ready"
    for _ in range(3):
        assert manager.hears("WATCHDOG=1", PATIENCE_S), "alive, and says nothing"
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.2)
    manager.forget()
    assert not manager.hears("WATCHDOG=1", 2 * PATIENCE_S), "stopped, and says that it is alive"
    process.send_signal(signal.SIGCONT)
    assert manager.hears("WATCHDOG=1", PATIENCE_S), "it goes on, and says nothing"


def main():
    binary, weir, control, units, sources = sys.argv[1:6]
    with dataplane.Folder(dataplane=binary, weir=weir, control=control) as folder:
        units_hold({"weir-dataplane": "dataplane", "weir-control": "control"}, units, sources, folder)
        manager = Manager(folder, "manager")
        daemon = Control(folder)
        run = None
        try:
            for options in ([], ["--sleep"]):  # who sleeps is alive
                run = folder.start(["--pair", "inside=net_null0,outside=net_null1", "--door", "door", *options],
                                   ["net_null0,no-rx=1", "net_null1,no-rx=1"], workers=2)
                tells(manager, run.process)
                if not options:
                    run.kill()
                    manager.forget()
            manager.close()
            manager = Manager(folder, "manager of the other")
            daemon.start()
            tells(manager, daemon.process)
        finally:
            daemon.stop(signal.SIGKILL)
            if run:
                run.kill()
            manager.close()
    print("both daemons tell that they are ready and alive")


main()
