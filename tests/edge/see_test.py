#!/usr/bin/env python3
"""What an operator sees of a real dataplane: counters, drops, the event log in EVE's shape with names of the right
generation only, metrics. Nothing is looked at but what the commands print and write.

usage: see_test.py DATAPLANE WEIR [CASE...]"""
import json
import os
import re
import sys
import traceback

import dataplane
from dataplane import decisions_of, frame, pcap

DEVICES = ["net_pcap0,rx_pcap=in.pcap,tx_pcap=in.out", "net_pcap1,rx_pcap=out.pcap,tx_pcap=out.out"]
RUN = ["--pair", "inside=net_pcap0,outside=net_pcap1", "--name", "net_pcap0=pf0hpf", "--policy", "seen.img",
       "--decisions", "lines", "--stats", "stats"]
START = 1_700_000_000 * 10**6
POLICY = """version = 1
policy.name = "seen"
segment.trainers.cidr = ["10.0.1.0/24"]
segment.store.cidr = ["10.1.1.0/24"]
segment.internet.cidr = ["0.0.0.0/0"]
[[allow]]
name = "resolve"
from = "trainers"
to = "store"
with = ["dns"]
log = "opened"
[[forbid]]
name = "no-time"
from = "trainers"
to = "store"
with = ["time"]
[service]
dns = { udp = [53] }
time = { udp = [123] }
"""

# Field names of Suricata's EVE log: etc/schema.json of github.com/OISF/suricata (commit 398687d5d4a9), of the top level
# and of the objects that are written here. All of them there have additionalProperties: false.
EVE = {
    "": set("""alert anomaly app_proto app_proto_expected app_proto_orig app_proto_tc app_proto_ts arp bittorrent_dht
        capture_file community_id dcerpc dest_ip dest_port dhcp direction dnp3 dns drop email engine enip ether
        event_type fileinfo files firewall flow flow_id frame ftp ftp_data host http icmp_code icmp_type igmp ike
        in_iface ip_v krb5 ldap llmnr log_level mdns metadata modbus mqtt ndpi netflow nfs ntp packet packet_info
        parent_id payload payload_length payload_printable pcap_cnt pcap_filename pgsql pkt_src pop3 proto quic rdp
        response_icmp_code response_icmp_type rfb rgmp rpc sctp sip smb smtp snmp spi src_ip src_port ssh stats stream
        stream_tcp sub_state suricata_version tc_progress tcp template tftp timestamp tls traffic ts_progress tunnel
        tx_guessed tx_id verdict vlan websocket""".split()),
    "flow": set("""action age alerted bypass bypassed bytes_toclient bytes_toserver dest_ip dest_port elephant
        elephant_direction emergency end exception_policy pkts_toclient pkts_toserver reason src_ip src_port start
        state tx_cnt wrong_thread""".split()),
    "drop": set("""ack fin flowlbl hoplimit icmp_id icmp_seq ipid len psh reason rst syn tc tcpack tcpres tcpseq
        tcpurgp tcpwin tos ttl udplen urg verdict""".split()),
    "alert": set("""action category context engine gid metadata references rev rule severity signature signature_id
        source target xff""".split()),
}
TYPES = {"timestamp": str, "event_type": str, "in_iface": str, "src_ip": str, "dest_ip": str, "proto": str,
         "community_id": str, "src_port": int, "dest_port": int, "icmp_type": int, "icmp_code": int, "ip_v": int,
         "vlan": list, "flow": dict, "drop": dict, "alert": dict, "weir": dict}
TIME = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d+[+\-]\d+$")  # the schema's pattern
OURS = {"weir"}


def is_eve(line):
    assert set(line) - OURS <= EVE[""], line
    assert {"timestamp", "event_type"} <= set(line), line
    assert TIME.match(line["timestamp"]), line
    for key, value in line.items():
        assert isinstance(value, TYPES[key]) and not isinstance(value, bool), (key, line)
        if key in EVE:
            assert set(value) <= EVE[key], (key, line)
    assert line["event_type"] in ("flow", "drop", "alert", "stats"), line
    if line["event_type"] != "stats":
        assert line["event_type"] in line, line


def compiled(folder, name="seen", generation=7, policy=POLICY):
    folder.write(name + ".toml", policy.encode())
    made = folder.call("weir", "compile", name + ".toml", "-o", name + ".img", "--generation", str(generation))
    assert made.returncode == 0, made


def ran(folder, inside, outside=(), workers=1):
    folder.write("in.pcap", pcap(inside))
    folder.write("out.pcap", pcap(outside))
    code, said = folder.run(RUN, DEVICES, workers)
    assert code == 0, said
    return decisions_of(folder.read("lines"))


def packets(count, port, at=0):
    return [(START + at + n, frame("10.0.1.5", "10.1.1.5", port, 2000 + n)) for n in range(count)]


def asked(folder, *arguments, code=0):
    ended = folder.call("weir", *arguments)
    assert ended.returncode == code, ended
    return ended.stdout if code == 0 else ended.stderr


def counters_are_the_decisions(folder):
    compiled(folder)
    decisions = ran(folder, packets(5, 53) + packets(7, 123, 100) + packets(11, 99, 200), workers=2)
    met = {}
    for one in decisions:
        met[one["reason"]] = met.get(one["reason"], 0) + 1
    assert met == {"flow_new": 5, "forbidden": 7, "no_allow": 11}, met
    said = json.loads(asked(folder, "counters", "--stats", "stats", "--policy", "seen.img", "-o", "json"))
    assert said["generation"] == 7 and said["policy"] == "seen", said
    assert {name: row["packets"] for name, row in said["sum"]["reasons"].items()} == met, said
    assert said["sum"]["received"] - said["sum"]["handed_over"] == 23 and len(said["workers"]) == 2, said
    assert sum(one["flows_opened"] for one in said["workers"]) == said["sum"]["flows_opened"] == 5, said
    text = asked(folder, "counters", "--stats", "stats")
    assert "generation 7, 2 workers" in text and re.search(r"drop +no_allow +11 +\d", text), text
    nothing = [json.loads(line) for line in
               asked(folder, "counters", "--stats", "stats", "--every", "0.02", "--count", "2", "-o",
                     "json").splitlines()]
    assert len(nothing) == 2 and all(one["sum"]["reasons"] == {} and one["seconds"] > 0 for one in nothing), nothing


def drops_say_why(folder):
    compiled(folder)
    ran(folder, packets(2, 53) + packets(7, 123, 100) + packets(11, 99, 200))
    text = asked(folder, "drops", "--stats", "stats", "--all", "--policy", "seen.img")
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0] == "generation 7 of policy seen, 1 workers; dropped in all its time:", text
    assert lines[1].startswith("no_allow") and "11 packets" in lines[1] and lines[3].startswith("forbidden"), text
    made = json.loads(asked(folder, "drops", "--stats", "stats", "--all", "-o", "json"))
    assert [(one["reason"], one["packets"]) for one in made["drops"]] == [("no_allow", 11), ("forbidden", 7)], made
    assert all(one["why"] for one in made["drops"])
    assert "nothing" in asked(folder, "drops", "--stats", "stats", "--every", "0.05", "--count", "1")


def events_of(folder, *options):
    asked(folder, "events", "--stats", "stats", "--log", "eve.json", "--once", *options)
    lines = [json.loads(line) for line in folder.read("eve.json").decode().splitlines()]
    for line in lines:
        is_eve(line)
    return lines


def events_are_eve_lines_with_names(folder):
    compiled(folder)
    ran(folder, packets(1, 53) + packets(1, 123, 100) + packets(1, 99, 200))
    lines = events_of(folder, "--policy", "seen.img")
    assert [one["event_type"] for one in lines] == ["flow", "drop", "drop"], lines
    flow, forbidden, denied = lines
    assert flow["timestamp"] == "2023-11-14T22:13:20.000000+0000", flow
    assert (flow["src_ip"], flow["src_port"], flow["dest_ip"], flow["dest_port"], flow["proto"], flow["in_iface"]) == (
        "10.0.1.5", 2000, "10.1.1.5", 53, "UDP", "pf0hpf"), flow
    rule_line = POLICY.splitlines().index("[[allow]]") + 2
    assert flow["weir"] == {
        "event": "flow_opened", "reason": "flow_new", "verdict": "forward", "generation": 7, "rule": "resolve",
        "rule_kind": "allow", "at": f"seen.toml:{rule_line}", "from": "trainers", "to": "store"}, (flow, rule_line)
    assert forbidden["drop"] == {"reason": "forbidden"} and forbidden["weir"]["rule"] == "no-time", forbidden
    assert denied["drop"] == {"reason": "no_allow"} and "rule" not in denied["weir"], denied
    assert denied["weir"]["from"] == "trainers" and denied["weir"]["to"] == "store", denied
    assert events_of(folder, "--policy", "seen.img") == lines, "events are taken once"


def names_of_another_generation_are_not_given(folder):
    compiled(folder)
    compiled(folder, "other", 8, POLICY.replace('"resolve"', '"wrong"').replace("trainers", "wrong"))
    ran(folder, packets(1, 53) + packets(1, 99, 100))
    lines = events_of(folder, "--policy", "other.img")
    assert "wrong" not in json.dumps(lines), lines
    assert lines[0]["weir"]["generation"] == 7 and lines[0]["weir"]["rule_number"] >= 0, lines
    for name, image in (("000007", "seen.img"), ("000008", "other.img")):
        os.makedirs(folder.file(f"history/{name}"))
        os.symlink(folder.file(image), folder.file(f"history/{name}/policy.img"))
    os.remove(folder.file("eve.json"))
    ran(folder, packets(1, 53))
    assert events_of(folder, "--policy", "history")[0]["weir"]["rule"] == "resolve"


def what_the_rings_lost_is_told(folder):
    compiled(folder)
    ran(folder, packets(5000, 99))
    lines = events_of(folder, "--lines", "1000")
    assert len([one for one in lines if one["event_type"] == "drop"]) == 1000, len(lines)
    told = lines[-1]
    assert told["event_type"] == "stats" and told["weir"]["lost"] == 5000 - 4096, told
    assert told["weir"]["suppressed"] == 4096 - 1000, told


def what_is_no_stats_file_is_an_error(folder):
    folder.write("stats", b"\0" * 4096)
    for command in (["counters"], ["drops", "--all"], ["metrics"], ["events", "--log", "-", "--once"]):
        said = asked(folder, *command, "--stats", "stats", code=2)
        assert "no stats file" in said, said
        said = asked(folder, *command, "--stats", "absent", code=3)
        assert re.search("absent: cannot (open|take events of) it: No such file", said), said


def metrics_are_prometheus_text(folder):
    compiled(folder)
    ran(folder, packets(5, 53) + packets(11, 99, 200), workers=2)
    text = asked(folder, "metrics", "--stats", "stats", "--policy", "seen.img")
    values = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in values, line
            values[name] = float(value)
    assert values['weir_packets_total{reason="no_allow",verdict="drop"}'] == 11, text
    assert values['weir_policy_info{policy="seen"}'] == 1 and values["weir_policy_generation"] == 7
    received = [values[f'weir_received_packets_total{{worker="{worker}"}}'] for worker in (0, 1)]
    handed = [values[f'weir_handed_over_packets_total{{worker="{worker}"}}'] for worker in (0, 1)]
    assert sum(received) - sum(handed) == 16, (received, handed)
    assert len(values) < 1000, f"{len(values)} series of two workers: labels are not bounded"


CASES = [counters_are_the_decisions, drops_say_why, events_are_eve_lines_with_names,
         names_of_another_generation_are_not_given, what_the_rings_lost_is_told, what_is_no_stats_file_is_an_error,
         metrics_are_prometheus_text]


def main(binary, weir, *names):
    failed = 0
    for case in CASES:
        if names and case.__name__ not in names:
            continue
        with dataplane.Folder(dataplane=binary, weir=weir) as folder:
            try:
                case(folder)
                print(f"ok   {case.__name__}")
            except Exception:  # every case is run and told
                traceback.print_exc()
                print(f"FAIL {case.__name__}")
                failed += 1
    sys.exit(failed != 0)


main(*sys.argv[1:])
