#!/usr/bin/python3
"""`weir replay --shadow`: what two policies disagree about, line by line; and, over scenarios of every kind, that with
any shadow each packet is decided, written over and answered as without.

usage: shadow.py WEIR"""
import json
import pathlib
import subprocess
import sys
import tempfile

from scenario import HERE, Scenario

KINDS = ("budget_spent", "echo_both_ways", "expired_gives_way", "expires", "forbid_*", "fragments", "icmp_error",
         "inspect_*", "limits", "monitor", "rdma_*", "reject_*", "scan_*", "spoofed_*", "syn_proxy*", "table_full",
         "tcp_pick_up", "tcp_reopen", "tunnel_*", "uet_job")
NOTHING = 'version = 1\npolicy.name = "nothing"\n'

LIVE = """version = 1
policy.name = "live"
segment.trainers.cidr = ["10.20.0.0/18"]
segment.store.cidr = ["10.31.0.0/24"]
service.nfs = { tcp = [2049] }
service.dns = { udp = [53] }
[[allow]]
name = "both"
from = "trainers"
to = "store"
with = ["nfs", "dns"]
"""
SHADOW = LIVE.replace('"live"', '"shade"').replace('["nfs", "dns"]', '["dns"]') + """
[[allow]]
name = "pings"
from = "trainers"
to = "store"
with = ["ping"]
[[forbid]]
name = "no-dns"
from = "trainers"
to = "store"
with = ["dns"]
[service.ping]
icmp = ["echo"]
"""
ROWS = """policy
%send
begin 2023-11-14T22:13:20
0 inside tcp  10.20.0.7:40000 > 10.31.0.1:2049 S  -> forward flow_new both
1 inside udp  10.20.0.7:40001 > 10.31.0.1:53      -> forward flow_new both
2 inside udp  10.20.0.7:40001 > 10.31.0.1:53      -> forward flow_established both
3 inside udp  10.20.0.7:40002 > 10.31.0.1:53      -> forward flow_new both
4 inside icmp 10.20.0.7 > 10.31.0.1 echo id=7     -> drop no_allow
5 inside udp  10.20.0.7:40001 > 10.99.0.1:53      -> drop no_allow
"""


def replay(weir, scenario, folder, name, shadow=None, *more):
    command = [weir, "replay", folder / "policy.toml", "--inside", folder / "inside.pcap", "--outside",
               folder / "outside.pcap", "--write", folder / name, *more]
    for key, value in scenario.arguments.items():
        command += ["--flows", str(value)] if key == "flows" else \
            [word for side, port in value.items() for word in ("--name", f"{side}={port}")]
    done = subprocess.run([*command, *(["--shadow", shadow] if shadow else [])], capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.returncode == 0, (scenario.path.name, name, done)
    written = {path.name: path.read_bytes() for path in (folder / name).iterdir()}
    return done.stdout, written


def decides_alike(weir):
    looked_at = 0
    for path in sorted({path for kind in KINDS for path in (HERE / "scenarios").glob(f"{kind}.scenario")}):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            scenario = Scenario(path, weir)
            scenario.export(folder)
            (folder / "nothing.toml").write_text(NOTHING)
            _, plain = replay(weir, scenario, folder, "plain")
            others = (folder / "nothing.toml", HERE / "policies" / "cluster.toml", HERE / "policies" / "tunnels.toml")
            said, beside = replay(weir, scenario, folder, "beside", others[looked_at % 3])
            assert beside == plain, f"{path.name}: a shadow changes what happens"
            assert "shadow `" in said, said
            looked_at += 1
    assert looked_at > 40, looked_at


def tells(weir, folder):
    (folder / "told.scenario").write_text(ROWS % LIVE)
    scenario = Scenario(folder / "told.scenario")
    scenario.export(folder)
    (folder / "shade.toml").write_text(SHADOW)
    said, _ = replay(weir, scenario, folder, "out", folder / "shade.toml")
    lines = [line for line in said.splitlines() if " now" in line]
    assert lines == [
        "2023-11-14T22:13:20.000000 would be denied now: trainers 10.20.0.7 > store 10.31.0.1 tcp/2049 "
        "(live: allow.both, shadow: no_allow)",
        "2023-11-14T22:13:21.000000 would be denied now: trainers 10.20.0.7 > store 10.31.0.1 udp/53 "
        "(live: allow.both, shadow: forbid.no-dns)",
        "2023-11-14T22:13:24.000000 would pass now: trainers 10.20.0.7 > store 10.31.0.1 icmp/8.0 "
        "(live: no_allow, shadow: allow.pings)",
        "shadow `shade`: 5 questions; 1 would pass now, 3 would be denied now, 1 of them not told"], said
    said, _ = replay(weir, scenario, folder, "json", folder / "shade.toml", "-o", "json")
    shadow = json.loads(said)["shadow"]
    assert shadow["would_deny"] == 3 and len(shadow["disagreements"]) == 3, shadow
    first = shadow["disagreements"][0]
    assert first["event_type"] == "alert" and first["alert"]["action"] == "allowed", first
    assert first["weir"]["event"] == "shadow_would_deny" and first["weir"]["shadow"]["verdict"] == "drop", first
    for arguments in (("-o", "jsonl", "--shadow", folder / "shade.toml"), ("--shadow", folder / "nobody.toml")):
        done = subprocess.run([weir, "replay", folder / "policy.toml", "--inside", folder / "inside.pcap", *arguments],
                              capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 2 and done.stderr, done


def main():
    weir = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        tells(weir, pathlib.Path(name))
    print("ok    tells")
    decides_alike(weir)
    print("ok    decides_alike")


main()
