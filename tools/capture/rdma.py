"""RoCEv2 packets and connection managers' messages from their fields. InfiniBand Architecture Specification, volume 1,
9.2 and 9.3 (headers), 12.6 (messages), annexes A11 (addresses in a request) and A17 (RoCEv2). Standard library only."""
import struct
import zlib

UDP_PORT = 4791
OPCODES = {
    "send-first": 0x00, "send-middle": 0x01, "send-last": 0x02, "send-only": 0x04, "write-first": 0x06,
    "write-middle": 0x07, "write-last": 0x08, "write-only": 0x0A, "write-only-imm": 0x0B, "read": 0x0C,
    "read-first": 0x0D, "read-middle": 0x0E, "read-last": 0x0F, "read-only": 0x10, "ack": 0x11, "nak": 0x11,
    "atomic-ack": 0x12, "compare-swap": 0x13, "fetch-add": 0x14, "uc-send-only": 0x24, "uc-write-first": 0x26,
    "uc-write-middle": 0x27, "uc-write-last": 0x28, "uc-write-only": 0x2A, "ud": 0x64, "cnp": 0x81}
WITH_RETH = {0x06, 0x0A, 0x0B, 0x0C, 0x26, 0x2A}
WITH_AETH = {0x0D, 0x0F, 0x10, 0x11, 0x12}
GENERAL_QP, GENERAL_QUEUE_KEY = 1, 0x80010000
CM_ATTRIBUTES = {"request": 0x10, "wait": 0x11, "reject": 0x12, "reply": 0x13, "ready": 0x14, "disconnect": 0x15,
                 "disconnected": 0x16, "resolve": 0x17, "resolution": 0x18}


def bth(opcode, qp, psn, pad=0, partition=0xFFFF, asks_ack=False):
    return struct.pack(">BBHII", opcode, pad << 4, partition, qp, asks_ack << 31 | psn & 0xFFFFFF)


def packet(row):
    """BTH to ICRC, which is zero yet, of a row of kind rdma."""
    opcode = OPCODES[row.words[0]] if row.words[0] in OPCODES else int(row.words[0], 0)
    payload = row.payload()
    headers = b""
    if opcode in WITH_RETH:
        headers = struct.pack(">QII", row.number("va"), row.number("rkey", 7), row.number("length", len(payload)))
    if opcode in WITH_AETH:
        usual = 0x60 if row.words[0] == "nak" else 0
        headers = struct.pack(">I", row.number("syndrome", usual) << 24 | row.number("msn", 1))
    if opcode == 0x12:
        headers += bytes(8)
    if opcode in (0x13, 0x14):
        headers = bytes(28)
    if opcode == 0x0B:
        headers += bytes(4)
    if opcode == 0x64:
        headers = struct.pack(">II", row.number("qkey", 0x11111111), row.number("from"))
    if opcode == 0x81:
        headers = bytes(16)
    pad = -len(payload) % 4
    first = bth(opcode, row.number("qp"), row.number("psn"), pad, row.number("pkey", 0xFFFF), "asks" in row.words)
    return first + headers + payload + bytes(pad + 4)


def mapped(address):
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


def addresses_of(row):
    """What IP's connection manager puts first into private data."""
    source, target = row.source[0], row.target[0]
    bare = {4: lambda one: bytes(12) + one.packed, 6: lambda one: one.packed}[source.version]
    return struct.pack(">BBH", 0, source.version << 4, row.number("sport", 40000)) + bare(source) + bare(target)


def cm_body(row, kind):
    own, other, qp = row.number("id", 1), row.number("to"), row.number("qp")
    service = row.number("service", 0x0000000001060000 | row.number("port"))
    if kind == "request":
        source = row.keys.get("gid")
        own_gid = bytes.fromhex(source) if source else mapped(row.source[0])
        return (struct.pack(">IIQQIIIII", own, 0, service, 0x1234, 0, 0, qp << 8 | 4, 4, row.number("transport") << 1)
                + struct.pack(">IHBBHH", row.number("psn") << 8 | 0xAF, row.number("pkey", 0xFFFF), 0x37, 0xF0, 0xFFFF,
                              0xFFFF)
                + own_gid + mapped(row.target[0]) + bytes(8) + bytes(44)
                + (bytes.fromhex(row.keys["private"]) if "private" in row.keys else addresses_of(row)))
    if kind == "reply":
        return struct.pack(">IIIIIIBBBBQ", own, other, 0, qp << 8, 0, row.number("psn") << 8, 4, 4, 0, 0xE0, 0x5678)
    if kind == "reject":
        return struct.pack(">IIBBH", own, other, row.number("message") << 6, 0, row.number("why", 28))
    if kind == "wait":
        return struct.pack(">IIBB", own, other, row.number("message") << 6, 20 << 3)
    if kind == "disconnect":
        return struct.pack(">III", own, other, qp << 8)
    if kind == "resolve":
        return struct.pack(">IHHQ", own, 0xFFFF, 0, service) + addresses_of(row)
    if kind == "resolution":
        return struct.pack(">IBBHIQI", own, row.number("status"), 0, 0, qp << 8, service, 0x11111111)
    return struct.pack(">II", own, other)  # ready, disconnected


def message(row):
    """BTH to ICRC, which is zero yet, of a row of kind cm: a MAD on queue pair 1."""
    kind = row.words[0]
    attribute = row.number("attribute", CM_ATTRIBUTES[kind])
    head = struct.pack(">BBBBHHQHHI", 1, row.number("class", 7), 2, row.number("method", 3), 0, 0, row.number("id", 1),
                       attribute, 0, 0)
    datagram = struct.pack(">II", row.number("qkey", GENERAL_QUEUE_KEY), GENERAL_QP)
    mad = (head + cm_body(row, kind)).ljust(256, b"\0")
    return bth(0x64, GENERAL_QP, row.number("psn")) + datagram + mad + bytes(4)


def with_icrc(ip_packet):
    """An IP packet of RoCEv2 with its last four bytes right: what switches may change counts as ones."""
    data = bytearray(ip_packet[:-4])
    if data[0] >> 4 == 4:
        at = (data[0] & 15) * 4
        data[1], data[8], data[10:12] = 0xFF, 0xFF, b"\xff\xff"
    else:
        at = 40
        data[0:4], data[7] = b"\x6f\xff\xff\xff", 0xFF
    data[at + 6:at + 8] = b"\xff\xff"
    data[at + 12] = 0xFF
    return ip_packet[:-4] + struct.pack("<I", zlib.crc32(b"\xff" * 8 + bytes(data)))
