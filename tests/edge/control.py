"""weir-control beside a running weir-dataplane for tests: both as the ordinary user of tests/edge/dataplane.py, in its
folder, ended by their process ids. It starts, asks and ends; it judges nothing."""
import contextlib
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import time

import dataplane

PORTS = ["net_null0,no-rx=1", "net_null1,no-rx=1"]


def policy(name, port=443, more="", to="b"):
    """A small policy: `a` may open one TCP port of `b`."""
    return f"""version = 1
policy.name = "{name}"
segment.a.cidr = ["10.0.0.0/8"]
segment.b.cidr = ["192.168.0.0/16"]
service.web = {{ tcp = [{port}] }}
[[allow]]
name = "web"
from = "a"
to = "{to}"
with = ["web"]
{more}"""


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("weir", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        # Blocking: others may be waiting to be accepted, and a timeout of Python's would not wait.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 20, 0))
        self.sock.connect(self.path)
        self.sock.settimeout(30)


class Control:
    def __init__(self, folder, *options):
        self.folder, self.options = folder, options
        self.path = folder.file("control.sock")
        self.log = open(folder.file("control.log"), "a+b")
        self.process = None

    def start(self, *more):
        assert self.process is None
        self.process = subprocess.Popen(
            [self.folder.programs["control"], "--socket", "control.sock", "--door", "door", "--state", "state",
             *map(str, (*self.options, *more))],
            cwd=self.folder.path, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, **self.folder.user)
        end = time.monotonic() + 20
        while True:
            try:
                return self.get("/v1/status")
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, self.said()
                time.sleep(0.02)

    def stop(self, number=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(40)
            self.process = None

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def ask(self, method, target, body=None):
        """(status, JSON)"""
        connection = Unix(self.path)
        try:
            connection.request(method, target, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def get(self, target):
        status, body = self.ask("GET", target)
        assert status == 200, body
        return body

    def post(self, target, body, status=200):
        got, answer = self.ask("POST", target, body)
        assert got == status, (got, answer, self.said())
        return answer

    def apply(self, text, status=200, **terms):
        return self.post("/v1/apply", {"root": "p.toml", "files": {"p.toml": text}, **terms}, status)

    def wait_until(self, holds, seconds=10):
        end = time.monotonic() + seconds
        while True:
            told = self.get("/v1/status")
            if holds(told):
                return told
            assert time.monotonic() < end, (told, self.said())
            time.sleep(0.05)

    def generation(self):
        return self.get("/v1/status")["dataplane"]["generation"]


def start_dataplane(folder, *more):
    run = folder.start(["--pair", "inside=net_null0,outside=net_null1", "--door", "door", *more], PORTS)
    run.wait_for("live")
    return run


@contextlib.contextmanager
def together(folder, control, *more):
    """A dataplane beside `control` while it lasts; both end cleanly, or are ended where a case fails."""
    run = start_dataplane(folder)
    try:
        control.start(*more)
        yield run
        control.stop()
        code, said = run.stop()
    finally:
        control.stop(signal.SIGKILL)
        run.kill()
    assert code == 0, said


def door_status(folder):
    ended = folder.call("weir", "door", "door", "status", "-o", "json")
    assert ended.returncode == 0, ended
    return json.loads(ended.stdout)


def states(control):
    return {one["generation"]: one["state"] for one in control.get("/v1/history?n=1000")["entries"]}


def as_other(folder, program, *arguments, groups=()):
    """A program as a user who owns nothing here; needs root."""
    return subprocess.run([folder.programs.get(program, program), *map(str, arguments)], cwd=folder.path, user=65533,
                          group=65533, extra_groups=list(groups), capture_output=True, text=True, check=False,
                          timeout=60)


__all__ = ["Control", "as_other", "dataplane", "door_status", "os", "policy", "start_dataplane", "states", "together"]
