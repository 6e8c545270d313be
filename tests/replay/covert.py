#!/usr/bin/python3
"""What an allow asks of DNS, of ICMP payloads and of header fields, through `weir replay`: ordinary traffic passes, a
tunnel in names tells no more than its terms let it, echoes arrive normalised, and a scrubbed connection, proxied or
not, lives without timestamps. With each protection left out the same packets pass as they came. Scapy builds them, and
tshark finds the checksums of all that leaves right.

usage: covert.py WEIR"""
import base64
import collections
import json
import logging
import pathlib
import random
import subprocess
import sys
import tempfile

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import (DNS, DNSQR, DNSRR, DNSRROPT, EDNS0TLV, Ether, ICMP, ICMPv6EchoReply,  # noqa: E402
                       ICMPv6EchoRequest, IP, IPv6, Raw, TCP, UDP, fragment, rdpcap, wrpcap)

generator = random.Random(5)
POLICY = """version = 1
[segment.inside]
cidr = ["10.1.0.0/16", "fd01::/16"]
[segment.outside]
cidr = ["10.2.0.0/16", "fd02::/16"]
[service]
names = { udp = [53], tcp = [53] }
ping = { icmp = ["echo"] }
clock = { icmp4 = ["13"] }
web = { tcp = [443] }
proxied = { tcp = [8443] }
bulk = { udp = [9000] }
[dns.strict]
queries = "100/s"
name = 70
answers = "512 B"
information = "400 B"
domains = 5
window = "1h"
%(mode)s
[[allow]]
name = "names"
from = "inside"
to = "outside"
with = ["names"]
%(dns)s
[[allow]]
name = "ping"
from = "inside"
to = "outside"
with = ["ping", "clock"]
%(ping)s
[[allow]]
name = "web"
from = "inside"
to = "outside"
with = ["web", "bulk"]
%(scrub)s
[[allow]]
name = "proxied"
from = "inside"
to = "outside"
with = ["proxied"]
syn_proxy = true
%(scrub)s
"""
ALL = {"dns": 'dns = "strict"', "ping": 'icmp_payload = "normalise"', "scrub": "scrub = true", "mode": ""}
INSIDE, OUTSIDE = "02:00:00:00:00:01", "02:00:00:00:00:02"
failures = []


def expect(what, holds, shown=""):
    if not holds:
        failures.append(f"{what} {shown}")


def out(packet):
    return "inside", Ether(src=INSIDE, dst=OUTSIDE) / packet


def back(packet):
    return "outside", Ether(src=OUTSIDE, dst=INSIDE) / packet


class Replayed:
    """Packets, (side, frame) each, a millisecond apart: decisions by index, and what left, as (index, frame)."""

    def __init__(self, weir, policy, packets, apart=0.001):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "policy.toml").write_text(policy)
            for side in ("inside", "outside"):
                frames = []
                for index, (one, frame) in enumerate(packets):
                    if one == side:
                        frame.time = 1_700_000_000 + index * apart
                        frames.append(frame)
                wrpcap(str(folder / f"{side}.pcap"), frames, linktype=1)
            done = subprocess.run([weir, "replay", folder / "policy.toml", "--inside", folder / "inside.pcap",
                                   "--outside", folder / "outside.pcap", "--write", folder / "out"],
                                  capture_output=True, text=True, check=False)
            if done.returncode not in (0, 1):
                sys.exit(f"weir replay ends with {done.returncode}:\n{done.stderr}")
            lines = [json.loads(line) for line in (folder / "out" / "decisions.jsonl").read_text().splitlines()]
            self.verdicts = {line["index"]: (line["verdict"], line["reason"]) for line in lines}
            self.left = {side: list(rdpcap(str(folder / "out" / f"{side}.pcap"))) for side in ("inside", "outside")}
            for side in ("inside", "outside"):
                judged_by_tshark(folder / "out" / f"{side}.pcap")

    def reasons(self):
        return [self.verdicts[index][1] for index in sorted(self.verdicts)]

    def counted(self):
        return collections.Counter(self.reasons())


def judged_by_tshark(capture):
    """An error quotes a packet whose own sum is over what is blank now: that one is not asked about."""
    checks = [word for layer in ("ip", "tcp", "udp") for word in ("-o", f"{layer}.check_checksum:TRUE")]
    bad = subprocess.run(["tshark", "-n", "-r", str(capture), *checks, "-Y",
                          "ip.checksum.status == 0 or tcp.checksum.status == 0 or icmp.checksum.status == 0 or "
                          "icmpv6.checksum.status == 0 or (udp.checksum.status == 0 and not icmp)"],
                         capture_output=True, text=True, check=True).stdout.splitlines()
    expect("tshark: checksums of what leaves", bad == [], bad[:3])


def network(version, host=7, outward=True, **fields):
    ends = (f"10.1.0.{host}", "10.2.0.9") if version == 4 else (f"fd01::{host}", "fd02::9")
    source, target = ends if outward else ends[::-1]
    return IP(src=source, dst=target, **fields) if version == 4 else IPv6(src=source, dst=target, **fields)


def question(name, kind="A", number=None):
    return DNS(id=generator.randrange(65536) if number is None else number, rd=1, qd=DNSQR(qname=name, qtype=kind))


def asked(name, port, host=7, version=4, kind="A"):
    return out(network(version, host) / UDP(sport=port, dport=53) / question(name, kind))


def answered(name, port, host=7, version=4, text=b"fine"):
    record = DNSRR(rrname=name, type="TXT", rdata=[text])
    message = DNS(id=1, qr=1, rd=1, ra=1, qd=DNSQR(qname=name), ancount=1, an=record)
    return back(network(version, host, outward=False) / UDP(sport=53, dport=port) / message)


def tunnel(count, host=7, size=30):
    """Names that carry `size` bytes each."""
    return [asked(base64.b32encode(generator.randbytes(size)).decode().rstrip("=")[:48].lower() + ".evil.org",
                  20000 + index, host) for index in range(count)]


def dns(weir):
    usual = []
    for index in range(60):
        name, port = generator.choice(["www.good.org", "api.good.org", "cdn.fine.com", "fine.com"]), 30000 + index
        version = generator.choice([4, 6])
        usual += [asked(name, port, version=version, kind=generator.choice(["A", "AAAA"])),
                  answered(name, port, version=version)]
    run = Replayed(weir, POLICY % ALL, usual, apart=0.02)
    expect("ordinary names", set(run.reasons()) == {"flow_new", "flow_established"}, run.counted())
    sent = [bytes(frame) for side, frame in usual if side == "inside"]
    expect("byte for byte", [bytes(frame) for frame in run.left["outside"]] == sent)
    packets = tunnel(200) + [asked("www.good.org", 41000), asked("www.good.org", 41001, host=8)] + tunnel(3, host=8)
    run = Replayed(weir, POLICY % ALL, packets, apart=0.02)
    reasons = run.reasons()
    passed = reasons[:200].count("flow_new")
    refused = reasons[:200].count("dns_information")
    expect("a tunnel ends", refused == 200 - passed and passed == 400 // 49, reasons[:30])
    expect("others go on", reasons[200:] == ["flow_new"] * 5, reasons[200:])
    for what, change in (("without terms", {"dns": ""}), ("in monitor", {"mode": 'mode = "monitor"'})):
        run = Replayed(weir, POLICY % {**ALL, **change}, packets, apart=0.02)
        expect(f"a tunnel {what}", run.reasons() == ["flow_new"] * len(packets), run.counted())
    edges = [("a long name", asked("x" * 63 + ".abcdef.org", 1000), "dns_name_long"),
             ("a name just so long", asked("x" * 59 + ".abcde.org", 1001), "flow_new"),
             ("junk", out(network(4) / UDP(sport=1002, dport=53) / Raw(b" " * 32)), "dns_malformed"),
             ("an answer asks", out(network(4) / UDP(sport=1003, dport=53) / DNS(qr=1, qd=DNSQR(qname="a.org"))),
              "dns_malformed"),
             ("bytes behind", out(network(4) / UDP(sport=1004, dport=53) / Raw(bytes(question("a.org")) + b"!")),
              "dns_malformed"),
             ("a long answer", answered("x" * 59 + ".abcde.org", 1001, text=b"y" * 255 * 2), "dns_answer_large"),
             ("a query answers", back(network(4, outward=False) / UDP(sport=53, dport=1001) / question("a.org")),
              "dns_malformed"),
             ("an answer", answered("x" * 59 + ".abcde.org", 1001), "flow_established")]
    edges += [(f"domain {index}", asked(f"www.d{index}.net", 1010 + index), "flow_new" if index < 4 else "dns_domains")
              for index in range(7)]
    run = Replayed(weir, POLICY % ALL, [packet for _, packet, _ in edges])
    for (what, _, reason), told in zip(edges, run.reasons()):
        expect(what, told == reason, told)
    run = Replayed(weir, POLICY % ALL, [asked("www.good.org", 2000 + index) for index in range(300)], apart=0.000001)
    expect("too often", run.counted() == {"flow_new": 100, "dns_rate": 200}, run.counted())
    padded = DNS(rd=1, qd=DNSQR(qname="www.good.org"), arcount=1,
                 ar=DNSRROPT(rdata=[EDNS0TLV(optcode=12, optdata=bytes(300))]))
    pieces = fragment(IP(src="10.1.0.7", dst="10.2.0.9") / UDP(sport=3000, dport=53) / padded, 256)
    run = Replayed(weir, POLICY % ALL, [out(piece) for piece in pieces])
    expect("in pieces", run.reasons()[-1] == "inspect_fragment" and "flow_new" not in run.reasons(), run.counted())


class Talk:
    """A TCP connection with timestamps, and every field that scrubbing touches set."""

    def __init__(self, port, version=4, own=40000):
        self.port, self.version, self.own, self.clock = port, version, own, 5
        self.next = [1000, 0xffff_ff00]
        self.heard = [None, None]

    def packet(self, side, flags, payload=b"", options=()):
        self.clock += 1
        stamp = [("Timestamp", (self.clock, self.clock // 2 if "A" in flags else 0)), ("NOP", None), ("NOP", None)]
        header = TCP(sport=(self.own, self.port)[side], dport=(self.port, self.own)[side], flags=flags, window=8192,
                     seq=self.next[side], ack=self.next[1 - side] if "A" in flags else 0, reserved=5,
                     urgptr=77 if "U" not in flags else 1, options=[*options, *stamp])
        around = network(self.version, outward=side == 0,
                         **({"id": generator.randrange(1, 65536), "flags": "DF"} if self.version == 4 else {"fl": 99}))
        self.next[side] = (self.next[side] + len(payload) + ("S" in flags) + ("F" in flags)) % 2**32
        return (out, back)[side](around / header / Raw(payload))

    def whole(self):
        syn = [("MSS", 1460), ("SAckOK", b""), ("WScale", 7), (253, b"hidden")]
        yield self.packet(0, "S", options=syn)
        yield self.packet(1, "SA", options=syn)
        yield self.packet(0, "A")
        for index in range(20):
            side = index % 2
            yield self.packet(side, "PAU" if index == 7 else "PA", generator.randbytes(50 + index))
            yield self.packet(1 - side, "A")
        yield self.packet(0, "FA")
        yield self.packet(1, "FA")
        yield self.packet(0, "A")


def is_scrubbed(frame):
    names = {name for name, _ in frame[TCP].options}
    network_holds = frame[IP].id == 0 if IP in frame else frame[IPv6].fl == 0
    return network_holds and names <= {"MSS", "SAckOK", "WScale", "NOP", "EOL", "SAck"} and \
        frame[TCP].reserved == 0 and frame[TCP].urgptr == 0 and "U" not in str(frame[TCP].flags)


def told(frames):
    return [(frame[TCP].seq, frame[TCP].ack, bytes(frame[TCP].payload)[:60]) for frame in frames]


def scrubbing(weir):
    for version in (4, 6):
        packets = list(Talk(443, version).whole())
        run = Replayed(weir, POLICY % ALL, packets)
        expect("every segment is written over", set(run.reasons()) == {"scrubbed"}, run.counted())
        for side, other in (("inside", "outside"), ("outside", "inside")):
            expect(f"IPv{version}: clean toward {other}", all(is_scrubbed(frame) for frame in run.left[other]))
            expect("numbers and payloads stay",
                   told(run.left[other]) == told([frame for one, frame in packets if one == side]))
        run = Replayed(weir, POLICY % {**ALL, "scrub": ""}, packets)
        expect("not scrubbed", not any(is_scrubbed(frame) for frame in run.left["outside"]), run.counted())
        expect("not scrubbed", "scrubbed" not in run.counted(), run.counted())
    error = [out(network(4) / UDP(sport=7, dport=9000) / Raw(b"asks")),
             back(network(4, outward=False, id=9, flags="DF") / ICMP(type=3, code=3) /
                  Raw(bytes(network(4) / UDP(sport=7, dport=9000) / Raw(b"a secret, for whoever is inside"))))]
    run = Replayed(weir, POLICY % ALL, error)
    expect("an error is blank", run.reasons()[1] == "scrubbed" and b"secret" not in bytes(run.left["inside"][0]))


def proxied(weir):
    """Scrubbing comes after the SYN proxy: the cookie is learned from what it answers."""
    talk = Talk(8443)
    first = talk.packet(0, "S", options=[("MSS", 1460)])
    run = Replayed(weir, POLICY % ALL, [first])
    expect("a cookie", run.reasons() == ["syn_proxy_answered"], run.counted())
    cookie = run.left["inside"][0][TCP].seq
    server = talk.next[1]
    talk.next[1] = (cookie + 1) % 2**32
    packets = [first, talk.packet(0, "A")]
    client = list(talk.next)
    talk.next = [client[0], server]
    packets.append(talk.packet(1, "SA", options=[("MSS", 1460)]))
    for index in range(10):
        talk.next = [client[0], client[1]]
        packets.append(talk.packet(0, "PA", b"to the server %d" % index))
        client[0], talk.next = talk.next[0], [talk.next[0], (server + 1 + 9 * index) % 2**32]
        packets.append(talk.packet(1, "PA", b"an answer"))
        client[1] = (client[1] + 9) % 2**32
    run = Replayed(weir, POLICY % ALL, packets)
    counted = run.counted()
    expect("a proxied connection", counted == {"syn_proxy_answered": 1, "syn_proxy_opened": 1, "syn_proxy_joined": 1,
                                               "flow_translated": 20}, counted)
    expect("clean toward the server", all(is_scrubbed(frame) for frame in run.left["outside"]))
    expect("clean toward the client", all(is_scrubbed(frame) for frame in run.left["inside"][2:]))


def echoes(weir):
    secret = b"a secret of fifty-six bytes in all, as long as ping's own"
    numbers = {"id": 3, "seq": 1}
    for version, request, reply in (
            (4, ICMP(type=8, **numbers) / Raw(secret), ICMP(type=0, **numbers) / Raw(secret)),
            (6, ICMPv6EchoRequest(data=secret, **numbers), ICMPv6EchoReply(data=secret, **numbers))):
        packets = [out(network(version) / request), back(network(version, outward=False) / reply)]
        run = Replayed(weir, POLICY % ALL, packets)
        expect("echoes are written over", run.reasons() == ["scrubbed"] * 2, run.counted())
        pattern = bytes(range(len(secret)))
        for side in ("inside", "outside"):
            expect(f"IPv{version}: a pattern arrives", bytes(run.left[side][0]).endswith(pattern))
        run = Replayed(weir, POLICY % {**ALL, "ping": ""}, packets)
        expect("echoes as they came", run.reasons() == ["flow_new", "flow_established"], run.counted())
        expect("echoes as they came", secret in bytes(run.left["outside"][0]))
        run = Replayed(weir, POLICY % {**ALL, "ping": 'icmp_payload = "deny"'}, packets)
        expect("no payload", run.reasons()[0] == "icmp_payload", run.counted())
    run = Replayed(weir, POLICY % {**ALL, "ping": 'icmp_payload = "deny"'}, [
        out(network(4) / ICMP(type=8, id=4)), back(network(4, outward=False) / ICMP(type=0, id=4))])
    expect("an empty echo", run.reasons() == ["flow_new", "flow_established"], run.counted())
    clock = [out(network(4) / ICMP(type=13, id=5, ts_ori=0x5ec, ts_rx=0x4e7, ts_tx=1))]
    run = Replayed(weir, POLICY % ALL, clock)
    expect("a timestamp is no echo", run.reasons() == ["icmp_payload"], run.counted())


def streams(weir):
    """DNS over TCP: a segment is whole messages, or does not pass."""
    message = bytes(question("www.good.org"))
    whole = len(message).to_bytes(2, "big") + message
    for what, payload, reason in (("a message", whole, "flow_established"), ("two", whole * 2, "flow_established"),
                                  ("half of one", whole[:20], "dns_malformed"),
                                  ("a length", whole[:2], "dns_malformed"),
                                  ("one and a half", whole + whole[:9], "dns_malformed"),
                                  ("web", b"GET / HTTP/1.1\r\n\r\n", "dns_malformed")):
        talk = Talk(53)
        packets = [talk.packet(0, "S"), talk.packet(1, "SA"), talk.packet(0, "A"), talk.packet(0, "PA", payload)]
        run = Replayed(weir, POLICY % ALL, packets)
        expect(f"over TCP, {what}", run.reasons()[3] == reason, run.reasons())


def main():
    weir = sys.argv[1]
    for part in (dns, streams, echoes, scrubbing, proxied):
        part(weir)
    if failures:
        sys.exit("\n".join(failures))
    print("what allows ask of DNS, ICMP payloads and header fields holds, and is missed where they do not ask")


main()
