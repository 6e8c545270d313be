#!/usr/bin/python3
"""Frames that scapy builds are read by our parser as scapy itself, and tshark, dissect them: addresses, VLANs,
protocol, offsets, ports, flags, payload lengths, the flow that an ICMP error quotes, and the same of what is inside of
tunnels. Both directions have one hash.

usage: parse_scapy.py PARSE_LINES   (the test binary that prints how we read a capture)
"""
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import (  # noqa: E402
    ARP, Dot1Q, Ether, GRE, ICMP, ICMPerror, ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS,
    ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, IP, IPerror, IPOption_Router_Alert, IPv6, IPv6ExtHdrDestOpt,
    IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN, Raw, SCTP, SCTPChunkData, TCP, TCPerror, UDP, UDPerror, VXLAN, wrpcap)
from scapy.contrib.geneve import GENEVE, GeneveOptions  # noqa: E402

COUNT = 3000
NUMBERS = {TCP: 6, UDP: 17, ICMP: 1, SCTP: 132}
OTHER_PORTS = (4789, 4791, 6081)  # whose payload has headers of its own
generator = random.Random(20240229)


def number(least=1, most=65535):
    return generator.randint(least, most)


def address4():
    return f"{number(1, 126)}.{number(0, 255)}.{number(0, 255)}.{number(1, 254)}"


def address6():
    return f"2001:db8:{number():x}::{number():x}:{number():x}"


def payload():
    return Raw(generator.randbytes(generator.choice([0, 1, 3, 20, 200, 1300])))


def port():
    drawn = number(1000, 65535)
    return drawn if drawn not in OTHER_PORTS else 1000


def tcp():
    options = generator.choice([[], [("NOP", None), ("NOP", None), ("Timestamp", (1, 2))],
                                [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)]])
    flags = generator.choice(["S", "SA", "A", "PA", "FA", "R", "RA", "SEC", "FPA"])
    return TCP(sport=port(), dport=port(), flags=flags, options=options, seq=number(), ack=number())


def sctp():
    return SCTP(sport=port(), dport=port(), tag=number()) / SCTPChunkData(data=generator.randbytes(8))


def transport(family):
    echo = ICMP(type=generator.choice([0, 8]), id=number()) if family == 4 else \
        generator.choice([ICMPv6EchoRequest, ICMPv6EchoReply])(id=number())
    return generator.choice([
        lambda: tcp() / payload(), lambda: UDP(sport=port(), dport=port()) / payload(), lambda: echo / payload(),
        sctp])()


def tags():
    return generator.choice([None, None, [number(1, 4094)], [number(1, 4094), number(1, 4094)]])


def framed(packet, vlans):
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    for vlan in vlans or []:
        frame = frame / Dot1Q(vlan=vlan)
    return frame / packet


def ipv4(source, target):
    options = generator.choice([[], [], [], [IPOption_Router_Alert()]])
    return IP(src=source, dst=target, ttl=number(1, 255), id=number(), flags=generator.choice(["DF", ""]),
              options=options)


def ipv6(source, target):
    packet = IPv6(src=source, dst=target, hlim=number(1, 255))
    for extension in [IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0\0\0\0")]),
                      IPv6ExtHdrRouting(segleft=0, addresses=["::9"]),
                      IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0\0\0\0")])]:
        if generator.random() < 0.2:
            packet = packet / extension
    return packet


def error4():
    source, target = address4(), address4()
    quoted = ipv4(source, target) / generator.choice([UDP(sport=port(), dport=port()), TCP(sport=port(), dport=port()),
                                                      ICMP(type=8, id=number())])
    return IP(src=address4(), dst=source) / ICMP(type=generator.choice([3, 11]), code=generator.choice([0, 1])) / quoted


def error6():
    source, target = address6(), address6()
    quoted = ipv6(source, target) / generator.choice([UDP(sport=port(), dport=port()), TCP(sport=port(), dport=port()),
                                                      ICMPv6EchoRequest(id=number())])
    error = generator.choice([ICMPv6DestUnreach(), ICMPv6PacketTooBig(mtu=1280)])
    return IPv6(src=address6(), dst=source) / error / quoted


def link():
    return generator.choice([
        lambda: ARP(op=generator.choice([1, 2]), hwsrc="02:00:00:00:00:01", psrc=address4(), pdst=address4()),
        lambda: IPv6(src=address6(), dst="ff02::1:ff00:1", hlim=255) / ICMPv6ND_NS(tgt="fe80::1")
        / ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:01"),
        lambda: IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) / Raw(bytes(240))])()


def plain():
    """An ordinary packet of either family, and its Ethernet or GRE type."""
    if generator.random() < 0.5:
        return ipv4(address4(), address4()) / transport(4), 0x0800
    return ipv6(address6(), address6()) / transport(6), 0x86DD


def tunnel():
    """One packet in another, or in two others."""
    inside, ethertype = plain()
    bridged = Ether(src="02:00:00:00:00:03", dst="02:00:00:00:00:04") / inside
    option = GeneveOptions(classid=0x102, type=1, data=b"\0\0\0\1")
    within = generator.choice([
        lambda: UDP(sport=port(), dport=4789) / VXLAN(vni=number(0, 0xFFFFFF), flags=8) / bridged,
        lambda: UDP(sport=port(), dport=6081) / GENEVE(vni=number(0, 0xFFFFFF), proto=0x6558) / bridged,
        lambda: UDP(sport=port(), dport=6081) / GENEVE(vni=number(0, 0xFFFFFF), proto=ethertype, options=[option])
        / inside,
        lambda: GRE(proto=ethertype, chksum_present=number(0, 1), key_present=number(0, 1),
                    seqnum_present=number(0, 1)) / inside,
        lambda: GRE(proto=0x6558) / bridged,
        lambda: inside])()
    around = generator.choice([lambda: ipv4(address4(), address4()), lambda: ipv6(address6(), address6())])
    twice = GRE() / IP(src=address4(), dst=address4()) / within
    return around() / (within if generator.random() < 0.7 else twice)


def build():
    kind = generator.random()
    if kind > 0.85:
        packet = tunnel()
    elif kind < 0.4:
        packet = ipv4(address4(), address4()) / transport(4)
    elif kind < 0.8:
        packet = ipv6(address6(), address6()) / transport(6)
    else:
        packet = generator.choice([error4, error6, link])()
    return bytes(framed(packet, tags()))


def numbers_of(layer):
    """What a flow's two numbers are, by scapy's reading of its transport layer."""
    if isinstance(layer, (TCP, UDP, SCTP, TCPerror, UDPerror)):
        return layer.sport, layer.dport
    if isinstance(layer, (ICMP, ICMPerror, ICMPv6EchoRequest, ICMPv6EchoReply)):
        query = 8 if isinstance(layer, (ICMP, ICMPerror)) else 128
        return (layer.id, query) if layer.type == query else (query, layer.id)
    return 59, 59


def skip_extensions(layer):
    while isinstance(layer, (IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, IPv6ExtHdrDestOpt)):
        layer = layer.payload
    return layer


def flow_of(ip):
    source, target = numbers_of(skip_extensions(ip.payload))
    return f"{ip.src} {source}", f"{ip.dst} {target}"


def innermost(packet):
    """The last IP packet that is not one quoted, how many are around it, and the number of its network."""
    ips, network = [], 0
    for layer in packet.iterpayloads():
        if isinstance(layer, (ICMP, ICMPv6DestUnreach, ICMPv6PacketTooBig)):
            break
        if isinstance(layer, (IP, IPv6)):
            ips.append(layer)
        if isinstance(layer, (VXLAN, GENEVE)):
            network = layer.vni
    return ips[-1], len(ips) - 1, network


def expected(frame):
    """Our line, as scapy would write it; keys it cannot know are left out."""
    packet = Ether(frame)
    vlans = [layer.vlan for layer in packet.iterpayloads() if isinstance(layer, Dot1Q)]
    line = {"reason": "", "vlans": (vlans + [0, 0])[:2], "l3": 14 + 4 * len(vlans), "from": "", "to": ""}
    if ARP in packet:
        arp = packet[ARP]
        return {**line, "kind": "arp", "source": arp.psrc, "target": arp.pdst, "protocol": 0, "vlans": [0, 0]}
    ip, line["tunnels"], line["network"] = innermost(packet)
    if line["tunnels"]:
        line["l3"] = len(frame) - len(bytes(ip))
    if packet.haslayer(VXLAN) or packet.haslayer(GENEVE):
        line["vlans"] = [0, 0]
    layer = skip_extensions(ip.payload)
    end = line["l3"] + (ip.len if isinstance(ip, IP) else 40 + ip.plen)
    line |= {"source": ip.src, "target": ip.dst, "kind": "flow", "l4": end - len(bytes(layer)),
             "protocol": NUMBERS.get(type(layer), 58)}
    header = 8
    if isinstance(layer, TCP):
        line["flags"], header = int(layer.flags), layer.dataofs * 4
    elif isinstance(layer, SCTP):
        header = 12
    line |= {"payload": line["l4"] + header, "payload_bytes": end - line["l4"] - header}
    if isinstance(layer, (TCP, UDP, SCTP)):
        line["ports"] = [layer.sport, layer.dport]
    if line["protocol"] in (1, 58):
        line["icmp"] = [layer.type, layer.code]
    if ICMPv6ND_NS in packet or line.get("ports") == [68, 67]:
        return {**line, "kind": "nd" if ICMPv6ND_NS in packet else "dhcp", "vlans": [0, 0]}
    quoted = layer.payload
    if line["protocol"] in (1, 58) and isinstance(quoted, (IPerror, IPv6)):
        line["kind"], (line["from"], line["to"]) = "icmp_error", flow_of(quoted)
    else:
        line["from"], line["to"] = flow_of(ip)
    return line


ECHOES = ICMP, ICMPv6EchoRequest, ICMPv6EchoReply


def turned(frame):
    """The same conversation's other direction, or None where there is none."""
    packet = Ether(frame)
    ip = None if ARP in packet else innermost(packet)[0]
    layer = skip_extensions(ip.payload) if ip else None
    if not isinstance(layer, (TCP, UDP, SCTP, *ECHOES)) or ip.dst == "255.255.255.255" or \
            (isinstance(layer, ICMP) and layer.type not in (0, 8)):
        return None
    for around in packet.iterpayloads():
        if isinstance(around, GRE) and around.chksum_present:
            del around.chksum
    ip.src, ip.dst = ip.dst, ip.src
    if isinstance(ip, IP):
        del ip.chksum
    if isinstance(layer, ECHOES):
        layer.type = (8 if isinstance(layer, ICMP) else 257) - layer.type
        layer.setfieldval("chksum" if isinstance(layer, ICMP) else "cksum", None)
    else:
        layer.sport, layer.dport = layer.dport, layer.sport
    return bytes(packet)


def read(parse_lines, folder, name, frames):
    path = os.path.join(folder, name)
    wrpcap(path, [Raw(frame) for frame in frames], linktype=1)
    shown = subprocess.run([parse_lines, path], check=True, capture_output=True, text=True).stdout
    lines = [json.loads(line) for line in shown.splitlines()]
    assert len(lines) == len(frames), f"{len(lines)} lines for {len(frames)} frames"
    return path, lines


def compare(name, frames, lines, wanted):
    for index, (line, want) in enumerate(zip(lines, wanted)):
        wrong = {key: (value, line.get(key)) for key, value in want.items() if line.get(key) != value}
        if wrong:
            sys.exit(f"frame {index}: {name} reads (theirs, ours) {wrong}\n{frames[index].hex()}\n"
                     f"{Ether(frames[index])!r}")


def tshark_lines(path):
    """The values of the fields that both name, by tshark, from outside in."""
    fields = ["ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport",
              "sctp.srcport", "sctp.dstport", "tcp.flags", "tcp.len", "arp.src.proto_ipv4", "vlan.id",
              "frame.protocols"]
    shown = subprocess.run(["tshark", "-n", "-r", path, "-T", "fields", "-E", "occurrence=a", "-E", "separator=/t"]
                           + [word for field in fields for word in ("-e", field)],
                           check=True, capture_output=True, text=True).stdout
    for row in shown.splitlines():
        values = dict(zip(fields, (value.split(",") for value in row.split("\t"))))
        yield {field: value for field, value in values.items() if value != [""]}


def expected_by_tshark(values, line):
    layers, pick = values["frame.protocols"][0].split(":"), -1 if line.get("tunnels") else 0
    if pick:
        layers.reverse()
    network = next(layer for layer in layers if layer in ("ip", "ipv6", "arp"))
    transport = next((layer for layer in layers if layer in ("tcp", "udp", "sctp", "icmp", "icmpv6")), "")
    if network == "arp":
        return {"kind": "arp", "source": values["arp.src.proto_ipv4"][0]}
    want = {"source": values[f"{network}.src"][pick], "target": values[f"{network}.dst"][pick]}
    if transport in ("tcp", "udp", "sctp"):
        want["ports"] = [int(values[f"{transport}.srcport"][pick]), int(values[f"{transport}.dstport"][pick])]
    if transport == "tcp":
        want |= {"flags": int(values["tcp.flags"][pick], 16) & 0xff, "payload_bytes": int(values["tcp.len"][pick])}
    if line["kind"] == "flow" and not pick:
        want["vlans"] = ([int(vlan) for vlan in values.get("vlan.id", [])] + [0, 0])[:2]
    return want


def main(parse_lines):
    frames = [build() for _ in range(COUNT)]
    with tempfile.TemporaryDirectory() as folder:
        path, lines = read(parse_lines, folder, "there.pcap", frames)
        compare("scapy", frames, lines, [expected(frame) for frame in frames])
        answers = [(index, answer) for index, answer in enumerate(map(turned, frames)) if answer]
        _, back = read(parse_lines, folder, "back.pcap", [answer for _, answer in answers])
        for (index, answer), line in zip(answers, back):
            want = {"reason": "", "hash": lines[index]["hash"], "from": lines[index]["to"], "to": lines[index]["from"]}
            compare("the other direction", [answer], [line], [want])
        if shutil.which("tshark"):
            theirs = list(tshark_lines(path))
            assert len(theirs) == len(frames), f"tshark read {len(theirs)} of {len(frames)} frames"
            # It leaves some frames inside Geneve as data.
            both = [(*pair, frame) for *pair, frame in zip(theirs, lines, frames)
                    if not pair[1]["tunnels"] or len([one for one in pair[0]["frame.protocols"][0].split(":")
                                                      if one in ("ip", "ipv6")]) > pair[1]["tunnels"]]
            assert len(both) > len(frames) * 9 // 10, f"tshark read the inside of too few: {len(both)}"
            compare("tshark", [one[2] for one in both], [one[1] for one in both],
                    [expected_by_tshark(one[0], one[1]) for one in both])
        else:
            print("tshark is not installed: compared with scapy alone")
    kinds = {kind: sum(line["kind"] == kind for line in lines) for kind in sorted({line["kind"] for line in lines})}
    assert set(kinds) == {"arp", "dhcp", "flow", "icmp_error", "nd"}, kinds
    depths = {depth: sum(line["tunnels"] == depth for line in lines) for depth in (1, 2)}
    assert min(depths.values()) > 50, depths
    print(f"{len(frames)} frames alike {kinds}, {depths} in tunnels; {len(answers)} of them also the other way round")


main(sys.argv[1])
