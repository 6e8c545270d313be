#!/usr/bin/env python3
"""What weir-control tells of a running dataplane: metrics, by its socket and by TCP, flows, events as they happen, the
event log.

usage: see_routes_test.py DATAPLANE WEIR CONTROL"""
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import http.client
import socket

import dataplane
from watched import Watched, packets


class Asked(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


def get(folder, path):
    connection = Asked(folder.file("asked"))
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.getheader("Content-Type"), body


def port_of(folder):
    said = folder.read("control.log").decode()
    return int(re.search(r"metrics at http://127.0.0.1:(\d+)/metrics", said).group(1))


def by_tcp(folder, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port_of(folder), timeout=20)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (ConnectionResetError, BrokenPipeError):  # turned away before its request was read
        return 503, ""
    finally:
        connection.close()


def metrics_by_tcp(folder):
    status, text = by_tcp(folder, "GET", "/metrics")
    assert status == 200 and 'weir_packets_total{reason="no_allow",verdict="drop"} 2' in text, text
    assert "weir_log_lines_total 5" in text and "weir_log_failing 0" in text, text
    assert 'weir_log_lost_events_total{why="suppressed"} 0' in text, text
    if shutil.which("promtool"):
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True,
                                 timeout=60, check=False)
        assert checked.returncode == 0 and not checked.stderr, checked
    for method, path, body in (("GET", "/v1/status", None), ("GET", "/v1/flows", None), ("GET", "/v1/events", None),
                               ("GET", "/", None), ("POST", "/v1/lockdown", "{}"), ("POST", "/v1/apply", "{}"),
                               ("POST", "/metrics", "{}"), ("DELETE", "/metrics", None)):
        status, text = by_tcp(folder, method, path, body)
        assert status in (400, 404, 405, 501) and "weir_" not in text, (method, path, status, text)
    address = ("127.0.0.1", port_of(folder))
    idle = [socket.create_connection(address, timeout=20) for _ in range(8)]
    status, _ = by_tcp(folder, "GET", "/metrics")
    assert status == 503 and get(folder, "/v1/status")[0] == 200, status
    for one in idle:
        one.close()
    while by_tcp(folder, "GET", "/metrics")[0] == 503:  # until their end is seen
        time.sleep(0.05)
    for where in ("0.0.0.0:0", "192.0.2.1:0", "[::]:0", "localhost:9477", "127.0.0.1", "127.0.0.1:99999"):
        refused = folder.call("control", "--socket", "other", "--door", "door", "--state", "else", "--metrics", where)
        assert refused.returncode == 1 and "metrics: " in refused.stderr, (where, refused)


def quarantine(folder):
    """Put and let go over the socket; who did it is written down before."""
    def ask(method, body=None):
        connection = Asked(folder.file("asked"))
        connection.request(method, "/v1/quarantine", body)
        answer = connection.getresponse()
        told = answer.status, json.loads(answer.read())
        connection.close()
        return told

    flow = "udp 10.0.1.5:2000 > 10.1.1.5:53"
    status, told = ask("POST", json.dumps({"put": flow, "for_ms": 60_000}))
    assert status == 200 and [row["flow"] for row in told["flows"]] == [flow], told
    assert ask("POST", '{"put": "10.0.1.9"}')[0] == 200
    status, told = ask("GET")
    assert status == 200 and told["hosts"] == ["10.0.1.9"] and told["quarantined"] == "1 host, 1 flow", told
    assert ask("POST", json.dumps({"free": flow}))[0] == 200 and ask("POST", '{"free": "10.0.1.9"}')[0] == 200
    assert ask("POST", '{"free": "10.0.1.9"}')[0] == 409
    for body in ("", "[]", "{}", '{"put": 5}', '{"put": "10.0.1.9", "free": "10.0.1.9"}', '{"put": "nobody"}',
                 '{"put": "10.0.1.9", "for_ms": 5}', '{"put": "10.0.1.9", "why": "x"}',
                 json.dumps({"put": flow, "for_ms": -1})):
        assert ask("POST", body)[0] == 400, body
    lines = [json.loads(line) for line in folder.read("state/quarantine.log").decode().splitlines()]
    assert [(line["act"], line["what"]) for line in lines[:3]] == [
        ("put", flow), ("put", "10.0.1.9"), ("free", flow)], lines
    assert lines[0]["for_ms"] == 60_000 and isinstance(lines[0]["uid"], int) and lines[0]["user"], lines


def filtered(path, text):
    return f"{path}?filter={urllib.parse.quote(text)}"


def main(binary, weir, control):
    with dataplane.Folder(dataplane=binary, weir=weir, control=control) as folder:
        watched = Watched(folder)
        said = open(folder.file("control.log"), "w+b")
        daemon = subprocess.Popen([folder.programs["control"], "--socket", "asked", "--door", "door",
                                   "--stats", "stats", "--state", "state", "--events", "eve.json",
                                   "--metrics", "127.0.0.1:0"], cwd=folder.path,
                                  stdin=subprocess.DEVNULL, stdout=said, stderr=said, **folder.user)
        try:
            for _ in range(200):
                try:
                    get(folder, "/v1/status")
                    break
                except OSError:
                    time.sleep(0.05)
            follower = Asked(folder.file("asked"))
            follower.request("GET", filtered("/v1/events", "reason no_allow and src segment trainers"))
            stream = follower.getresponse()
            assert stream.status == 200, stream.status
            watched.send(packets(3, 53) + packets(2, 99))
            lines = [json.loads(stream.readline()) for _ in range(2)]
            assert [line["drop"]["reason"] for line in lines] == ["no_allow"] * 2, lines
            assert lines[0]["weir"]["to"] == "store" and lines[0]["dest_port"] == 99, lines
            status, kind, text = get(folder, "/metrics")
            assert status == 200 and kind.startswith("text/plain; version=0.0.4"), (status, kind)
            assert 'weir_packets_total{reason="no_allow",verdict="drop"} 2' in text, text
            assert "weir_ledger_open 0" in text, text
            status, _, text = get(folder, filtered("/v1/flows", "rule resolve and port 2001"))
            told = json.loads(text)
            assert status == 200 and told["generation"] == 7 and told["not_shown"] == 0, told
            assert [flow["source_port"] for flow in told["flows"]] == [2001], told
            status, _, text = get(folder, filtered("/v1/flows", "prt 1"))
            assert status == 400 and "`prt` is none of" in json.loads(text)["error"], text
            for _ in range(100):
                logged = folder.read("eve.json").decode().splitlines()
                if len(logged) == 5:
                    break
                time.sleep(0.05)
            assert sorted(json.loads(line)["event_type"] for line in logged) == ["drop"] * 2 + ["flow"] * 3, logged
            metrics_by_tcp(folder)
            quarantine(folder)
            taken = folder.call("weir", "events", "--stats", "stats", "--log", "mine", "--once")
            assert taken.returncode == 1 and "another process takes its events" in taken.stderr, taken
            daemon.terminate()  # while somebody follows
            assert daemon.wait(20) == 0, daemon.returncode
        finally:
            daemon.kill()
            daemon.wait()
            watched.end()
            said.seek(0)
            print(said.read().decode())


main(*sys.argv[1:])
