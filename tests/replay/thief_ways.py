#!/usr/bin/python3
"""`weir thief` on the example policies: nothing leaves beyond the bound. And with each protection turned off in turn it
gets through and says so, or the test would show nothing.

usage: thief_ways.py WEIR"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "rules" / "examples"

# A holder, a gateway that asks it, and the outside, with amounts that a test exceeds.
SMALL = """
version = 1
[segment.inference]
cidr = ["10.40.0.0/24", "fd40::/64"]
class = "secret"
[segment.gateway]
cidr = ["10.41.0.0/28", "fd41::/64"]
class = "internal"
[segment.internet]
except = ["10.0.0.0/8", "fd00::/8"]
class = "public"
[service]
grpc = { tcp = [8443] }
dns = { udp = [53] }
https = { tcp = [443] }
gre = { protocol = ["gre"] }
quic = { udp = [443] }
ping = { icmp = ["echo"] }
[link]
arp = false
[asset.weights]
size = "1 GB"
held = ["inference"]
[[allow]]
name = "serve"
from = "gateway"
to = "inference"
with = ["grpc"]
[[allow]]
name = "names"
from = "inference"
to = "gateway"
with = ["dns"]
[[budget]]
name = "answers"
from = "inference"
to = "gateway"
windows = { "1h" = "1 MB", "1d" = "3 MB" }
"""
INTERNET = '[[allow]]\nname = "hole"\nfrom = "inference"\nto = "internet"\n%s\n'

failures = []


def expect(what, holds, shown=""):
    if not holds:
        failures.append(f"{what} {shown}")


def thief(weir, policy, *arguments):
    done = subprocess.run([weir, "thief", policy, "-o", "json", *arguments], capture_output=True, text=True,
                          timeout=110, check=False)
    said = json.loads(done.stdout) if done.returncode in (0, 1) else {"pairs": []}
    rows = {(pair["from"], pair["to"], way["way"]): way for pair in said["pairs"] for way in pair["ways"]}
    return done.returncode, rows, done.stderr


def caught_names_why(name, rows):
    for way, row in rows.items():
        expect(f"{name}: {way} says what caught it", row["tried"] == row["passed"] + sum(row["caught"].values()), row)
        expect(f"{name}: {way} tries", row["tried"] > 0, row)


def examples(weir):
    for name in ("bounded", "budgets"):
        code, rows, error = thief(weir, EXAMPLES / name / "policy.toml", "--bytes", "200kB")
        expect(name, code == 0, error)
        caught_names_why(name, rows)
        expect(f"{name}: what policy allows gets out", any(row["passed"] > 0 for row in rows.values()))
        for row in rows.values():
            expect(f"{name}: {row['way']}", row["finding"] in ("caught", "within"), row)
    cluster = EXAMPLES / "gpu-cluster" / "policy.toml"
    code, rows, error = thief(weir, cluster, "--bytes", "200kB", "--most", "1MB", "--from", "trainers",
                              "--to", "internet")  # by ARP, so much a day
    expect("gpu-cluster: within", code == 0 and rows, error)
    for (_, _, way), row in rows.items():
        expect(f"gpu-cluster: a forbid holds: {way}", row["passed"] == 0 or way == "in ARP requests", row)
    code, rows, _ = thief(weir, cluster, "--bytes", "200kB", "--from", "trainers", "--to", "mirrors")
    expect("gpu-cluster: no budget bounds mirrors", code == 1)
    expect("gpu-cluster: by https",
           rows["trainers", "mirrors", "bf16 over tcp/443"]["finding"] == "UNBOUNDED", rows.keys())


class Small:
    def __init__(self, weir, folder):
        self.weir, self.path = weir, folder / "policy.toml"

    def tried(self, text, target, *arguments, size="1500kB"):
        """Of the ways to one target; without a size, half as much again as the hour's window."""
        self.path.write_text(text)
        code, rows, error = thief(self.weir, self.path, "--from", "inference", "--to", target, "--bytes", size,
                                  *arguments)
        if code not in (0, 1):
            failures.append(f"{text}\n{error}")
        return code, rows


def spent(small):
    """The budget catches what is more than its window, in each way."""
    code, rows = small.tried(SMALL, "gateway")
    expect("whole", code == 0)
    caught_names_why("whole", rows)
    for way in ("safetensors over tcp/8443, in replies", "every open door at once", "bf16 over udp/53", "fragments",
                "safetensors over tcp/8443, in replies, IPv6".replace("safetensors", "bf16")):
        row = rows["inference", "gateway", way]
        expect(f"{way}: near to its bound", 0.9 * 1_000_000 < row["left_bytes"] <= row["bound_bytes"] == 1_000_000, row)
        expect(f"{way}: by its budget", set(row["caught"]) >= {"budget_spent"}, row)
    drip = rows["inference", "gateway", "slow drip for two days"]
    expect("drip", drip["finding"] == "within" and drip["bound_bytes"] == 7_000_000 and drip["passed"] > 0, drip)
    for target in ("internet", "198.51.100.9"):
        code, rows = small.tried(SMALL, target)
        expect(f"{target} is closed", code == 0 and rows and all(row["left_bytes"] == 0 for row in rows.values()))


def turned_off(small):
    """(what, policy, the way that gets through, how it is called)"""
    replies, push = "bf16 over tcp/8443, in replies", "bf16 over tcp/443"
    plain = re.sub(r"class = .*\n", "", SMALL)  # with classes, a policy without the budget would be refused
    no_budget = re.sub(r"(?s)\[\[budget\]\].*", "", plain)
    cases = [
        ("the budget", no_budget, "gateway", replies, "UNBOUNDED"),
        ("its denial", plain.replace('"3 MB" }', '"3 MB" }\non_exceed = "alert"'), "gateway", replies, "UNBOUNDED"),
        ("an allow is added", plain + INTERNET % 'with = ["https"]', "internet", push, "UNBOUNDED"),
        ("a SYN proxy is between", plain + INTERNET % 'with = ["https"]\nsyn_proxy = true', "internet", push,
         "UNBOUNDED"),
        ("a SYN proxy guards the holder", no_budget.replace('with = ["grpc"]', 'with = ["grpc"]\nsyn_proxy = true'),
         "gateway", replies, "UNBOUNDED"),
        ("echoes are allowed", plain + INTERNET % 'with = ["ping"]', "internet", "echo requests", "UNBOUNDED"),
        ("names are allowed", plain + INTERNET % 'with = ["dns"]', "internet", "names asked of DNS", "UNBOUNDED"),
        ("a port of RDMA is allowed", plain.replace("[link]", 'nfs = { rdma = [20049] }\n[link]')
         + INTERNET % 'with = ["nfs"]\noperations = ["write", "ack"]', "internet",
         "RDMA WRITE after meeting on port 20049", "UNBOUNDED"),
        ("RDMA is learned by first use", plain.replace("[link]", 'any = { rdma = ["any"] }\n[link]')
         + INTERNET % 'with = ["any"]\nfirst_use = 9', "internet", "RDMA WRITE without a handshake", "UNBOUNDED"),
        ("NCCL is allowed", plain.replace("[link]", 'ring = { tcp = [29500], rdma = ["nccl"] }\n[link]')
         + INTERNET % 'with = ["ring"]', "internet", "RDMA WRITE after NCCL's handshake", "UNBOUNDED"),
        ("READ is allowed", no_budget.replace("[link]", 'storage = { rdma = [4420] }\n[link]')
         + '[[allow]]\nname = "load"\nfrom = "gateway"\nto = "inference"\nwith = ["storage"]\n'
           'operations = ["read", "ack"]\nread_credit = "2 GiB"\nread_mtu = 4096\n', "gateway",
         "answers to an RDMA READ after meeting", "UNBOUNDED"),
        ("a tunnel is allowed", plain + INTERNET % 'with = ["gre", "quic"]', "internet", "in GRE", "UNBOUNDED"),
    ]
    for what, text, target, way, finding in cases:
        code, rows = small.tried(text, target)
        row = rows.get(("inference", target, way))
        expect(f"{what}: {way} is open", code == 1 and row and row["finding"] == finding and row["passed"] > 0, row)
    code, rows = small.tried(SMALL.replace("arp = false", "arp = true"), "gateway")
    arp = [row for key, row in rows.items() if key[2] == "in ARP requests"]
    expect("ARP lets something leave, within its bound",
           code == 0 and arp and all(row["finding"] == "within" for row in arp), arp)
    code, rows = small.tried(SMALL, "gateway", "--most", "500kB")
    expect("more than was said may leave", code == 1 and rows["inference", "gateway", replies]["finding"] == "BEYOND")


COVERT = """
[dns.strict]
information = "2 KiB"
domains = 10
answers = "200 B"
%s
[[allow]]
name = "covert-names"
from = "inference"
to = "internet"
with = ["dns"]
%s
[[allow]]
name = "covert-answers"
from = "internet"
to = "inference"
with = ["dns"]
%s
[[allow]]
name = "covert-ping"
from = "inference"
to = "internet"
with = ["ping"]
%s
[[allow]]
name = "covert-answered-ping"
from = "internet"
to = "inference"
with = ["ping"]
%s
[[allow]]
name = "covert-headers"
from = "inference"
to = "internet"
with = ["quic"]
%s
"""


def covert(small):
    """What DNS, pings and headers may carry: bounded or written over, and with each protection left out it gets out."""
    plain = re.sub(r"class = .*\n", "", SMALL)
    dns, ping, scrub = 'dns = "strict"', 'icmp_payload = "normalise"', "scrub = true"
    kept = ("", dns, dns, ping, ping, scrub)
    ways = {"names asked of DNS": "dns_information", "TXT answers of DNS": "dns_answer_large",
            "echo requests": "scrubbed", "echo replies": "scrubbed", "identifications of IPv4": "scrubbed"}
    _, rows = small.tried(plain + COVERT % kept, "internet", size="200kB")
    for way, reason in ways.items():
        row = rows.get(("inference", "internet", way))
        # Names of 62 bytes of weights cost 128 of the information.
        most = 2048 // 128 if way == "names asked of DNS" else 0
        expect(f"{way}: bounded", row and row["passed"] <= most and set(row["caught"]) == {reason}, row)
    for way, left_out in (("names asked of DNS", 1), ("TXT answers of DNS", 2), ("echo requests", 3),
                          ("echo replies", 4), ("identifications of IPv4", 5), ("bf16 over udp/53", 1)):
        texts = tuple("" if index == left_out else text for index, text in enumerate(kept))
        _, rows = small.tried(plain + COVERT % texts, "internet", size="200kB")
        row = rows.get(("inference", "internet", way))
        expect(f"{way}: without it", row and row["passed"] == row["tried"] > 0, row)


def captures(small, folder):
    """What --write keeps gives the same decisions in `weir replay`; an image is taken as well as rules."""
    small.path.write_text(SMALL)
    image, kept = folder / "policy.weir", folder / "kept"
    subprocess.run([small.weir, "compile", small.path, "-o", image], check=True, capture_output=True)
    code, rows, error = thief(small.weir, image, "--from", "10.40.0.7", "--to", "10.41.0.7", "--bytes", "2MB",
                              "--most", "3MB", "--write", kept)
    expect("an image", code == 0 and rows, error)
    inside = next(kept.glob("*/*-bf16-over-tcp-8443-in-replies-inside.pcap"))
    outside = inside.with_name(inside.name.replace("inside", "outside"))
    said = subprocess.run([small.weir, "replay", image, "--inside", inside, "--outside", outside, "-o", "json"],
                          capture_output=True, text=True, check=True)
    spent_packets = rows["10.40.0.7", "10.41.0.7", "bf16 over tcp/8443, in replies"]["caught"]["budget_spent"]
    reasons = {row["reason"]: row["packets"] for row in json.loads(said.stdout)["reasons"]}
    expect("a replay of it", reasons.get("budget_spent", 0) >= spent_packets > 0, reasons)


def refused(weir, folder):
    policy = folder / "plain.toml"
    policy.write_text('version = 1\n[segment.a]\ncidr = ["10.0.0.0/24"]\n')
    for arguments, sentence in (((), "names no asset"), (("--from", "a", "--to", "b"), "--to b: neither")):
        done = subprocess.run([weir, "thief", policy, *arguments], capture_output=True, text=True, check=False)
        expect(sentence, done.returncode == 2 and sentence in done.stderr, done.stderr)


def main():
    weir = sys.argv[1]
    examples(weir)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        small = Small(weir, folder)
        spent(small)
        turned_off(small)
        covert(small)
        captures(small, folder)
        refused(weir, folder)
    if failures:
        sys.exit("\n".join(failures))
    print("nothing leaves beyond the bound, and what is turned off is found")


main()
