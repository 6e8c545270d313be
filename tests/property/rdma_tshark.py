#!/usr/bin/python3
"""RDMA packets and connection manager's messages that scapy and plain byte strings build are read by us as they were
meant, and as tshark decodes them: opcode, queue pairs, numbers, keys, lengths, payload, ICRC (scapy's own for IPv4),
and each field of REQ, REP, RTU, REJ, DREQ, DREP, MRA and SIDR. What tshark calls malformed is not checked: it checks
less.

usage: rdma_tshark.py RDMA_LINES   (the test binary that prints how we read a capture)
"""
import ipaddress
import json
import logging
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import Dot1Q, Ether, IP, IPv6, Raw, UDP, VXLAN, wrpcap  # noqa: E402
from scapy.contrib.roce import BTH, CNPPadding  # noqa: E402

COUNT = 1500
generator = random.Random(20261121)
MTUS = 256, 512, 1024, 2048, 4096
# opcode: the headers behind BTH, and what payload: 0 none, "mtu", or the least.
FORMS = {0x00: ("", "mtu"), 0x01: ("", "mtu"), 0x02: ("", 1), 0x03: ("I", 1), 0x04: ("", ""), 0x05: ("I", ""),
         0x06: ("R", "mtu"), 0x07: ("", "mtu"), 0x08: ("", 1), 0x09: ("I", 1), 0x0a: ("R", ""), 0x0b: ("RI", ""),
         0x0c: ("R", 0), 0x0d: ("A", "mtu"), 0x0e: ("", "mtu"), 0x0f: ("A", 1), 0x10: ("A", ""), 0x11: ("A", 0),
         0x12: ("AY", 0), 0x13: ("X", 0), 0x14: ("X", 0), 0x16: ("I", 1), 0x17: ("I", ""),
         0x64: ("D", ""), 0x65: ("DI", ""), 0x81: ("C", 0)}
FORMS |= {0x20 + opcode: form for opcode, form in FORMS.items() if opcode <= 0x0b}


def number(most, least=0):
    return generator.randint(least, most)


def address4():
    return f"{number(126, 1)}.{number(255)}.{number(255)}.{number(254, 1)}"


def address6():
    return f"2001:db8:{number(65535):x}::{number(65535, 1):x}"


def around(ipv6, source, target):
    network = IPv6(src=source, dst=target, tc=number(255), fl=number(0xfffff), hlim=number(255, 1)) if ipv6 else \
        IP(src=source, dst=target, tos=number(255), ttl=number(255, 1), id=number(65535), flags="DF")
    frame = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    for _ in range(generator.choice([0, 0, 1, 2])):
        frame = frame / Dot1Q(vlan=number(4094, 1))
    if generator.random() < 0.15:
        frame = frame / IP(src=address4(), dst=address4()) / UDP(sport=number(65535, 1024), dport=4789) / \
            VXLAN(vni=number(0xffffff), flags=8) / Ether(src="02:00:00:00:00:03", dst="02:00:00:00:00:04")
    return frame, network


def icrc6(network, transport):
    """By the annex, with zlib's CRC: scapy has none for IPv6. `transport` is UDP's bytes without the ICRC."""
    head = bytearray(bytes(network)[:40])
    head[4:6] = struct.pack("!H", len(transport) + 4)
    head[6] = 17
    head[0] |= 0x0f
    head[1] = head[2] = head[3] = head[7] = 0xff
    udp = bytearray(transport)
    udp[6] = udp[7] = udp[12] = 0xff
    return zlib.crc32(b"\xff" * 8 + bytes(head) + bytes(udp))


def framed(ipv6, source, target, bth, behind, pad):
    """The frame, and whether its ICRC is right."""
    frame, network = around(ipv6, source, target)
    body = behind + bytes(pad)
    sport = number(65535, 1024)
    right = generator.random() < 0.8
    if ipv6:
        headers = bytes(BTH(**bth, padcount=pad, icrc=0))[:12]
        udp = struct.pack("!HHHH", sport, 4791, 8 + 12 + len(body) + 4, 0)
        crc = icrc6(network, udp + headers + body)
        transport = udp + headers + body + struct.pack("<I", crc if right else crc ^ 1 << number(31))
        network.nh = 17
        return bytes(frame / network / Raw(transport)), right
    # post_build of UDP would put a checksum in: without one, as hardware sends it.
    packet = network / UDP(sport=sport, dport=4791, chksum=0) / BTH(**bth, padcount=pad)
    whole = bytearray(bytes(frame / packet / Raw(body) if body else frame / packet))
    if not right:
        whole[-1] ^= 1 << number(7)
    return bytes(whole), right


def extended(letters, opcode, payload):
    """The extended headers' bytes and what we must say of them."""
    made, want = b"", {}
    for letter in letters:
        if letter == "R":
            length = payload if opcode & 0x1f in (0x0a, 0x0b) else number(1 << 31, payload + 1)
            want |= {"address": number((1 << 64) - 1), "r_key": number((1 << 32) - 1), "length": length}
            made += struct.pack("!QII", want["address"], want["r_key"], length)
        elif letter == "A":
            want |= {"syndrome": generator.choice([0, 0x1f, 0x21, 0x60, 0x61, 0x62, 0x63]), "msn": number(0xffffff)}
            made += struct.pack("!I", want["syndrome"] << 24 | want["msn"])
        elif letter == "D":
            want |= {"q_key": number((1 << 32) - 1), "source_qp": number(0xffffff, 1)}
            made += struct.pack("!II", want["q_key"], want["source_qp"])
        elif letter == "X":
            want |= {"address": number((1 << 64) - 1), "r_key": number((1 << 32) - 1)}
            made += struct.pack("!QI", want["address"], want["r_key"]) + generator.randbytes(16)
        elif letter == "C":
            made += bytes(CNPPadding())
        else:
            made += generator.randbytes({"I": 4, "Y": 8}[letter])
    return made, want


def plain():
    opcode = generator.choice(sorted(FORMS))
    letters, size = FORMS[opcode]
    payload = generator.choice(MTUS) if size == "mtu" else 0 if size == 0 else \
        number(generator.choice([8, 100, 4096]), size or 0)
    pad = -payload % 4
    bth = {"opcode": opcode, "dqpn": number(0xffffff, 2), "psn": number(0xffffff), "pkey": number(65535),
           "solicited": number(1), "migreq": number(1), "ackreq": number(1), "fecn": number(1), "becn": number(1)}
    made, want = extended(letters, opcode, payload)
    ipv6 = generator.random() < 0.5
    ends = (address6(), address6()) if ipv6 else (address4(), address4())
    frame, right = framed(ipv6, *ends, bth, made + generator.randbytes(payload), pad)
    return frame, {**want, "reason": "", "opcode": opcode, "qp": bth["dqpn"], "key_qp": bth["dqpn"], "psn": bth["psn"],
                   "p_key": bth["pkey"], "pad": pad, "payload": payload, "icrc": right}


def gid_of(address):
    return ipaddress.ip_address(address).packed.rjust(16, b"\0") if ":" in address else \
        b"\0" * 10 + b"\xff\xff" + ipaddress.ip_address(address).packed


def ip_cm(source, target, port):
    packed = [ipaddress.ip_address(address).packed.rjust(16, b"\0") for address in (source, target)]
    return struct.pack("!BBH", 0, 0x60 if ":" in source else 0x40, port) + packed[0] + packed[1]


def message(source, target):
    """A connection manager's message: its attribute, its 232 bytes, and what we must say of it."""
    attribute = generator.choice(range(0x10, 0x19))
    body = bytearray(generator.randbytes(232))
    want = {"attribute": attribute, "local": number((1 << 32) - 1), "hold": False, "addresses": ["", ""],
            "alternate": False}

    def put(name, at, size, value):
        want[name] = value
        body[at:at + size] = value.to_bytes(size, "big")

    def put_addresses(at, service_at):
        protocol = generator.choice([0x06, 0x11])
        put("service", service_at, 8, 1 << 24 | protocol << 16 | number(65535, 1))
        want.update(port=number(65535, 1), addresses=[source, target])
        body[at:at + 36] = ip_cm(source, target, want["port"])

    put("local", 0, 4, want["local"])
    if attribute not in (0x10, 0x17, 0x18):
        put("remote", 4, 4, number((1 << 32) - 1))
    if attribute == 0x10:
        put("cm_q_key", 28, 4, number((1 << 32) - 1))
        put("cm_qp", 32, 3, number(0xfffffe, 2))
        put("cm_psn", 44, 3, number(0xffffff))
        put("cm_p_key", 48, 2, number(65535))
        want.update(transport=number(1), mtu=generator.choice(MTUS))
        body[43] = body[43] & 0xf9 | want["transport"] << 1
        body[50] = body[50] & 0x0f | (want["mtu"].bit_length() - 8) << 4
        body[52 + 4:52 + 20], body[52 + 20:52 + 36] = gid_of(source), gid_of(target)
        want.update(gids=[source, target], hold=True, alternate=generator.random() < 0.3)
        if not want["alternate"]:
            body[96:140] = bytes(44)
        put_addresses(140, 8)
    elif attribute == 0x11:
        want["about"] = body[8] >> 6
    elif attribute == 0x12:
        want["about"] = body[8] >> 6
        put("cm_reason", 10, 2, number(40, 1))
    elif attribute == 0x13:
        put("cm_q_key", 8, 4, number((1 << 32) - 1))
        put("cm_qp", 12, 3, number(0xfffffe, 2))
        put("cm_psn", 20, 3, number(0xffffff))
    elif attribute == 0x15:
        put("cm_qp", 8, 3, number(0xffffff))
    elif attribute == 0x17:
        put("cm_p_key", 4, 2, number(65535))
        put_addresses(16, 8)
        want["hold"] = True
    elif attribute == 0x18:
        put("status", 4, 1, generator.choice([0, 0, 1, 3]))
        put("cm_qp", 8, 3, number(0xfffffe, 2))
        put("service", 12, 8, number((1 << 64) - 1))
        put("cm_q_key", 20, 4, number((1 << 32) - 1))
    return attribute, bytes(body), want


def mad():
    ipv6 = generator.random() < 0.5
    ends = (address6(), address6()) if ipv6 else (address4(), address4())
    attribute, body, want = message(*ends)
    want["transaction"] = number((1 << 64) - 1)
    head = struct.pack("!BBBBHHQHHI", 1, 7, 2, 3, 0, 0, want["transaction"], attribute, 0, 0)
    deth = struct.pack("!II", 0x80010000, 1)
    bth = {"opcode": 0x64, "dqpn": 1, "psn": number(0xffffff), "pkey": 0xffff}
    frame, right = framed(ipv6, *ends, bth, deth + head + body, 0)
    return frame, {**want, "reason": "", "mad": "message", "opcode": 0x64, "qp": 1, "key_qp": 1, "psn": bth["psn"],
                   "payload": 256, "icrc": right, "q_key": 0x80010000, "source_qp": 1}


# By tshark's name: ours, for every packet that has it.
TSHARK = {"infiniband.bth.opcode": "opcode", "infiniband.bth.destqp": "qp", "infiniband.bth.psn": "psn",
          "infiniband.bth.p_key": "p_key", "infiniband.bth.padcnt": "pad", "infiniband.reth.va": "address",
          "infiniband.reth.r_key": "r_key", "infiniband.reth.dmalen": "length", "infiniband.aeth.syndrome": "syndrome",
          "infiniband.aeth.msn": "msn", "infiniband.deth.q_key": "q_key", "infiniband.deth.srcqp": "source_qp",
          "infiniband.mad.transactionid": "transaction", "infiniband.mad.attributeid": "attribute",
          "infiniband.cm.req": "local", "infiniband.cm.req.serviceid": "service",
          "infiniband.cm.req.localqkey": "cm_q_key", "infiniband.cm.req.localqpn": "cm_qp",
          "infiniband.cm.req.transpsvctype": "transport", "infiniband.cm.req.startpsn": "cm_psn",
          "infiniband.cm.req.pkey": "cm_p_key", "infiniband.cm.req.ip_cm.sport": "port",
          "infiniband.cm.rep": "local", "infiniband.cm.rep.remotecommid": "remote",
          "infiniband.cm.rep.localqkey": "cm_q_key", "infiniband.cm.rep.localqpn": "cm_qp",
          "infiniband.cm.rep.startpsn": "cm_psn", "infiniband.cm.rtu.localcommid": "local",
          "infiniband.cm.rtu.remotecommid": "remote", "infiniband.cm.rej.localcommid": "local",
          "infiniband.cm.rej.remotecommid": "remote", "infiniband.cm.rej.msgrej": "about",
          "infiniband.cm.rej.reason": "cm_reason", "infiniband.cm.dreq.localcommid": "local",
          "infiniband.cm.dreq.remotecommid": "remote", "infiniband.cm.req.remoteqpneecn": "cm_qp",
          "infiniband.cm.drsp.localcommid": "local", "infiniband.cm.drsp.remotecommid": "remote"}
TEXTS = {"infiniband.cm.req.ip_cm.sip4": 0, "infiniband.cm.req.ip_cm.dip4": 1, "infiniband.cm.req.ip_cm.sip6": 0,
         "infiniband.cm.req.ip_cm.dip6": 1}


def compare_tshark(path, lines):
    """How often each of tshark's fields was found and the same."""
    names = [*TSHARK, *TEXTS]
    shown = subprocess.run(["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=/t"]
                           + [word for name in names for word in ("-e", name)],
                           check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(shown) == len(lines), f"tshark read {len(shown)} of {len(lines)} frames"
    found = dict.fromkeys(names, 0)
    for index, (row, line) in enumerate(zip(shown, lines)):
        for name, value in zip(names, row.split("\t")):
            if value == "":
                continue
            ours = str(ipaddress.ip_address(line["addresses"][TEXTS[name]])) if name in TEXTS else line[TSHARK[name]]
            theirs = str(ipaddress.ip_address(value)) if name in TEXTS else int(value, 0)
            if ours != theirs:
                sys.exit(f"frame {index}: {name} is {theirs}, ours {ours}: {line}")
            found[name] += 1
    missing = [name for name, times in found.items() if times == 0]
    assert not missing, f"tshark never showed {missing}"
    return sum(found.values())


def main(rdma_lines):
    built = [plain() if generator.random() < 0.6 else mad() for _ in range(COUNT)]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rdma.pcap")
        wrpcap(path, [Raw(frame) for frame, _ in built], linktype=1)
        shown = subprocess.run([rdma_lines, path], check=True, capture_output=True, text=True).stdout
        lines = [json.loads(line) for line in shown.splitlines()]
        assert len(lines) == len(built), f"{len(lines)} lines for {len(built)} frames"
        for index, (line, (frame, want)) in enumerate(zip(lines, built)):
            wrong = {key: (value, line.get(key)) for key, value in want.items() if line.get(key) != value}
            if wrong:
                sys.exit(f"frame {index}: (built, ours) {wrong}\n{frame.hex()}\n{line}")
        fields = compare_tshark(path, lines) if shutil.which("tshark") else 0
    messages = {hex(code): sum(line.get("attribute") == code for line in lines) for code in range(0x10, 0x19)}
    opcodes = {line["opcode"] for line in lines}
    assert min(messages.values()) > 20 and opcodes == set(FORMS), (messages, opcodes)
    print(f"{len(lines)} packets of {len(opcodes)} opcodes as they were built, connection manager {messages}; "
          f"{fields} fields as tshark has them")


main(sys.argv[1])
