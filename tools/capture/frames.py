"""Frames from their fields: Ethernet with VLAN tags, ARP, IPv4, IPv6 with extension headers, TCP, UDP, SCTP, ICMP.
Lengths and checksums are right; who wants a wrong one pokes it in afterwards. Standard library only."""
import ipaddress
import struct

TCP_FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}
ETHERTYPE = {4: 0x0800, 6: 0x86DD}
TCP, UDP, ICMP, ICMP6, SCTP = 6, 17, 1, 58, 132
EXTENSION = {"hop": 0, "dest": 60, "routing": 43, "segments": 43, "segments-left": 43, "frag": 44,
             "atomic": 44, "auth": 51}


def checksum(data):
    """RFC 1071."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data[:len(data) & ~1])) + (data[-1] << 8 if len(data) % 2 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac_of(address):
    """A MAC that tells whose it is: groups map as RFC 1112 and 2464 say, others carry the address's last four bytes."""
    packed = address.packed
    if address.version == 4 and packed == b"\xff" * 4:
        return b"\xff" * 6
    if address.is_multicast and address.version == 6:
        return b"\x33\x33" + packed[-4:]
    if address.is_multicast:
        return b"\x01\0\x5e" + bytes([packed[1] & 127]) + packed[2:]
    return bytes([2, address.version]) + packed[-4:]


def ethernet(source_mac, target_mac, ethertype, payload, vlans=()):
    tags = b"".join(struct.pack(">HH", 0x88A8 if outer else 0x8100, vlan)
                    for vlan, outer in zip(vlans, [len(vlans) > 1] + [False] * len(vlans)))
    return target_mac + source_mac + tags + struct.pack(">H", ethertype) + payload


def ipv4(source, target, protocol, payload, ttl=64, options=b"", fragment=0, identification=0):
    """`fragment` is the flags and offset field as it stands on the wire."""
    words = 5 + len(options) // 4
    header = struct.pack(">BBHHHBBH4s4s", 0x40 | words, 0, words * 4 + len(payload), identification, fragment, ttl,
                         protocol, 0, source.packed, target.packed) + options
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + payload


def extension(name, next_header):
    if name in ("frag", "atomic"):
        return struct.pack(">BBHI", next_header, 0, 1 if name == "frag" else 0, 77)
    if name == "routing":
        return struct.pack(">BBBBI16s", next_header, 2, 0, 1, 0, bytes(15) + b"\1")
    if name.startswith("segments"):  # RFC 8754: a list of one, done with or not
        return struct.pack(">BBBBBBH16s", next_header, 2, 4, int(name == "segments-left"), 0, 0, 0, bytes(15) + b"\1")
    if name == "auth":
        return struct.pack(">BBHIIII", next_header, 4, 0, 1, 1, 0, 0) + bytes(4)
    return struct.pack(">BBBB4s", next_header, 0, 1, 4, bytes(4))  # PadN


def ipv6(source, target, protocol, payload, ttl=64, extensions=()):
    headers = b""
    for name in reversed(extensions):
        headers = extension(name, protocol) + headers
        protocol = EXTENSION[name]
    body = headers + payload
    return struct.pack(">IHBB16s16s", 6 << 28, len(body), protocol, ttl, source.packed, target.packed) + body


def pseudo(source, target, protocol, bytes_count):
    if source.version == 4:
        return source.packed + target.packed + struct.pack(">BBH", 0, protocol, bytes_count)
    return source.packed + target.packed + struct.pack(">IHBB", bytes_count, 0, 0, protocol)


def summed(segment, at, source, target, protocol):
    """`segment` with its checksum, pseudo-header included, put at offset `at`."""
    value = checksum(pseudo(source, target, protocol, len(segment)) + segment)
    if protocol == UDP:
        value = value or 0xFFFF
    return segment[:at] + struct.pack(">H", value) + segment[at + 2:]


def tcp(source, target, source_port, target_port, flags, sequence, acknowledged, payload=b"", options=b"",
        window=64240):
    bits = sum(TCP_FLAGS[flag] for flag in flags)
    header = struct.pack(">HHIIBBHHH", source_port, target_port, sequence & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF,
                         (20 + len(options)) << 2, bits, window, 0, 0)
    return summed(header + options + payload, 16, source, target, TCP)


def sums_hold(frame):
    """Whether the checksums of a frame's TCP or ICMP packet hold."""
    while frame[12:14] in (b"\x81\0", b"\x88\xa8"):
        frame = frame[:12] + frame[16:]
    ip = frame[14:]
    if frame[12:14] == b"\x86\xdd":
        source, target, protocol, at, end = address(ip[8:24]), address(ip[24:40]), ip[6], 40, 40 + ip[4] * 256 + ip[5]
    else:
        source, target, protocol, at, end = address(ip[12:16]), address(ip[16:20]), ip[9], (ip[0] & 15) * 4, \
            ip[2] * 256 + ip[3]
        if checksum(ip[:at]) != 0:
            return False
    covered = ip[at:end] if protocol == ICMP else pseudo(source, target, protocol, end - at) + ip[at:end]
    return protocol in (TCP, ICMP, ICMP6) and checksum(covered) == 0


def udp(source, target, source_port, target_port, payload=b""):
    return summed(struct.pack(">HHHH", source_port, target_port, 8 + len(payload), 0) + payload, 6, source, target, UDP)


def crc32c(data):
    """RFC 9260, appendix A; as SCTP puts it into its header."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return struct.pack("<I", crc ^ 0xFFFFFFFF)


def sctp(source_port, target_port, payload=b""):
    """A common header and one DATA chunk."""
    chunk = struct.pack(">BBHIHHI", 0, 3, 16 + len(payload), 1, 0, 0, 0) + payload
    ports = struct.pack(">HHI", source_port, target_port, 1)
    return ports + crc32c(ports + bytes(4) + chunk) + chunk


def icmp(source, target, kind, code, rest, payload=b""):
    """ICMP or ICMPv6 by the addresses' family. `rest` is the four bytes after the checksum."""
    message = struct.pack(">BBH", kind, code, 0) + rest + payload
    if source.version == 6:
        return summed(message, 2, source, target, ICMP6)
    return message[:2] + struct.pack(">H", checksum(message)) + message[4:]


def arp(operation, sender_mac, sender, target_mac, target):
    return struct.pack(">HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, sender_mac, sender.packed, target_mac,
                       target.packed)


def link_option(kind, mac):
    """A neighbour discovery option with a link-layer address."""
    return bytes([kind, 1]) + mac


def address(text):
    return ipaddress.ip_address(text)


def pcap(packets):
    """A microsecond pcap of (time in microseconds, frame, original length)."""
    parts = [struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    for time, frame, original in packets:
        parts.append(struct.pack("<IIII", time // 1000000, time % 1000000, len(frame), original) + frame)
    return b"".join(parts)


def read_pcap(data):
    """The frames of a little-endian microsecond pcap, with their times."""
    packets, at = [], 24
    while at < len(data):
        seconds, micros, captured, _ = struct.unpack_from("<IIII", data, at)
        packets.append((seconds * 1000000 + micros, data[at + 16:at + 16 + captured]))
        at += 16 + captured
    return packets
