#!/usr/bin/env python3
"""Metrics, alert rules and the dashboard as Prometheus itself reads them (promtool), and that rules and dashboard ask
only for metrics that are told.

usage: monitoring_test.py DATAPLANE WEIR RULES_FOLDER"""
import json
import pathlib
import re
import shutil
import subprocess
import sys

import dataplane
from dataplane import frame, pcap

METRIC = re.compile(r"\bweir_[a-z_]+")
DOOR_ONLY = {"weir_budget_limit_bytes", "weir_budget_spent_bytes", "weir_budget_leased_bytes", "weir_budget_accounts",
             "weir_ledger_open", "weir_quarantined", "weir_uptime_seconds",
             "weir_ports_without_link"}
CONTROL_ONLY = {"weir_log_failing"}  # tests/edge/see_routes_test.py


def checked(*arguments, text=None):
    ended = subprocess.run(["promtool", "check", *map(str, arguments)], input=text, capture_output=True, text=True,
                           timeout=60, check=False)
    assert ended.returncode == 0 and "error" not in (ended.stdout + ended.stderr).lower(), ended
    assert not text or ended.stderr == "", ended.stderr  # a lint of metrics goes there


def told(folder):
    """The metrics of a dataplane that waits on a pipe, with its door."""
    folder.write("in.pcap", pcap([(1_700_000_000 * 10**6, frame("10.0.1.5", "10.1.1.5", 53))]))
    folder.write("out.pcap", pcap([]))
    code, said = folder.run(["--pair", "inside=net_pcap0,outside=net_pcap1", "--stats", "stats"],
                            ["net_pcap0,rx_pcap=in.pcap,tx_pcap=in.out", "net_pcap1,rx_pcap=out.pcap,tx_pcap=out.out"])
    assert code == 0, said
    without = folder.call("weir", "metrics", "--stats", "stats")
    folder.write("told.toml", b"""version = 1
segment.trainers.cidr = ["10.0.1.0/24"]
allow = [{ name = "among", from = "trainers", to = "trainers" }]
""")
    assert folder.call("weir", "compile", "told.toml", "-o", "told.img").returncode == 0
    run = folder.start(["--pair", "inside=net_null0,outside=net_null1", "--stats", "live", "--door", "door", "--policy",
                        "told.img"],
                       ["net_null0,no-rx=1", "net_null1,no-rx=1"])
    try:
        run.wait_for("live")
        live = folder.call("weir", "metrics", "--stats", "live", "--door", "door")
        run.stop()
    finally:
        run.kill()
    assert without.returncode == 0 and live.returncode == 0, (without, live)
    return without.stdout, live.stdout


def main(binary, weir, rules):
    if shutil.which("promtool") is None:
        print("promtool is not installed (Debian's package prometheus; it starts a daemon)")
        sys.exit(dataplane.SKIP)
    with dataplane.Folder(dataplane=binary, weir=weir) as folder:
        without, live = told(folder)
        checked("metrics", text=without)
        checked("metrics", text=live)
        known = set(METRIC.findall(live)) | DOOR_ONLY | CONTROL_ONLY
        assert DOOR_ONLY - set(METRIC.findall(live)) <= {name for name in DOOR_ONLY if "budget_" in name}, live
        alerts = pathlib.Path(rules, "alerts.yml")
        checked("rules", alerts)
        assert set(METRIC.findall(alerts.read_text())) <= known, set(METRIC.findall(alerts.read_text())) - known
        dashboard = json.loads(pathlib.Path(rules, "dashboard.json").read_text())
        asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        for expression in asked:
            assert set(METRIC.findall(expression)) <= known, expression
        plain = [one.replace("$__rate_interval", "1m").replace("$instance", ".*") for one in asked]
        folder.write("asked.yml", json.dumps({"groups": [{"name": "dashboard", "rules": [
            {"record": f"panel:{number}", "expr": one} for number, one in enumerate(plain)]}]}).encode())
        checked("rules", folder.file("asked.yml"))
        print(f"{len(known)} metrics, {len(asked)} questions of the dashboard, all alert rules")


main(*sys.argv[1:])
