"""Packet rows to frames: one packet a line, as a person would write it down.

    TIME SIDE KIND SOURCE > TARGET [WORD...] [KEY=VALUE...] [quote KIND SOURCE > TARGET ...]

TIME is seconds after the beginning, SIDE inside or outside. KIND and its words:
    tcp    flags as letters (S, SA, A, PA, FA, R, RA, none); sequence numbers are kept per connection, isn= begins at
           one; seq= and ack= state another, or with a sign how far from it, and are not kept; win=, opt=HEX (options)
    udp, sctp
    icmp   echo, reply, unreachable, exceeded, redirect, too-big, timestamp, ...; IPv6 by the addresses; id=
    arp    request, reply                          nd     solicit or advertise, about=ADDRESS
    ra     solicit, advertise                      ip     any protocol: number=47
    raw    no addresses, hex=0123...
    rdma   RoCEv2 by operation: send-only, write-first, write-middle, write-last, write-only, read (a request),
           read-first, read-middle, read-last, read-only (responses), ack, nak, ud, cnp, ...: qp= (the target's), psn=,
           length= (announced), syndrome=, from= (ud), icrc=bad
    cm     what connection managers say: request, reply, ready, reject, wait, disconnect, disconnected, resolve,
           resolution: id= (the speaker's), to= (the other's), qp=, port=
    vxlan, geneve (vni=), gre, ipip     a tunnel: `holds KIND SOURCE > TARGET ...` at the end is the packet in it, as
           an Ethernet frame in vxlan and with the word `bridged`; head=HEX replaces the tunnel's own header
Keys of every kind: size= payload bytes, data=HEX (payload), vlan=5 or vlan=5,6, ttl=, mac= (source),
ext=hop,dest,segments (IPv6), fragment=HEX and options=HEX (IPv4), pad= and cut= (frame bytes; a cut frame keeps its
original length), poke=OFFSET:HEX (overwrites).
piece=FIRST+BYTES[,last][,more][,df] makes a fragment of so much of the packet's IP payload; last and more are said
against the truth, ipid= names the datagram, after=dest (IPv6) stands behind the fragment header, next= is its protocol.
It decides nothing about packets: what a row expects is the reader's affair."""
import struct

import frames
import rdma

ICMP_KINDS = {  # word: (IPv4 type, IPv6 type)
    "echo": (8, 128), "reply": (0, 129), "unreachable": (3, 1), "exceeded": (11, 3), "parameter": (12, 4),
    "too-big": (None, 2), "redirect": (5, 137), "quench": (4, None), "timestamp": (13, None),
    "timestamp-reply": (14, None)}


class RowError(Exception):
    """A row that does not say what a packet is."""


def endpoint(text):
    """(address, port or 0) of 10.0.0.1, 10.0.0.1:80, fd00::1 and [fd00::1]:80."""
    port = "0"
    if text.startswith("["):
        text, _, port = text[1:].partition("]")
        port = port[1:] or "0"
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
    return frames.address(text), int(port)


class Connections:
    """The sequence numbers of TCP connections, as both ends would count them."""

    def __init__(self):
        self.next = {}
        self.cookies = {}  # by client and target: the number by which the client knows a proxied server's first
        self.shifts = {}   # and how far its others lie from the server's own

    def step(self, row, flags, size):
        mine, theirs = (row.source, row.target), (row.target, row.source)
        stated = "seq" in row.keys
        if not stated and ("S" in flags or mine not in self.next):
            self.next[mine] = row.number("isn", (row.source[1] * 65537 + row.target[1]) & 0xFFFFFFFF)
        number = offset(row, "seq", self.next.get(mine, 0))
        if not stated and "R" not in flags:
            self.next[mine] = number + size + ("S" in flags) + ("F" in flags)
        if "S" in flags and theirs in self.cookies:
            self.shifts[theirs] = self.cookies[theirs] - number
        heard = self.next.get(theirs, 0)
        if mine in self.cookies:
            heard = heard + self.shifts[mine] if mine in self.shifts else self.cookies[mine] + 1
        return number, offset(row, "ack", heard) if "A" in flags else 0

    def answered(self, frame):
        """Takes note of a SYN-ACK that a SYN was answered with."""
        at = 14 + (40 if frame[12:14] == b"\x86\xdd" else 20)
        target, client = struct.unpack_from(">HH", frame, at)
        ends = [end for end in self.next if (end[0][1], end[1][1]) == (client, target)]
        self.cookies[ends[-1]] = struct.unpack_from(">I", frame, at + 4)[0]
        self.shifts.pop(ends[-1], None)


def offset(row, key, usual):
    """What a row states of a number: itself, its distance from the usual one with a sign, or nothing."""
    text = row.keys.get(key, "+0")
    return usual + int(text, 0) if text[0] in "+-" else int(text, 0)


class Row:
    """One row, split. `words` and `keys` are what follows the addresses, up to `quote`."""

    def __init__(self, kind, rest):
        self.kind, self.words, self.keys, self.quoted, self.held = kind, [], {}, None, None
        self.source = self.target = None
        if kind != "raw":
            if len(rest) < 3 or rest[1] != ">":
                raise RowError("wanted SOURCE > TARGET")
            self.source, self.target = endpoint(rest[0]), endpoint(rest[2])
            rest = rest[3:]
        for index, word in enumerate(rest):
            if word == "quote":
                self.quoted = Row(rest[index + 1], rest[index + 2:])
                break
            if word == "holds":
                self.held = Row(rest[index + 1], rest[index + 2:])
                break
            key, equals, value = word.partition("=")
            if equals:
                self.keys[key] = value
            else:
                self.words.append(word)

    def number(self, key, default=0):
        return int(self.keys[key], 0) if key in self.keys else default

    def payload(self):
        if "data" in self.keys:
            return bytes.fromhex(self.keys["data"])
        size = self.number("size")
        return (b"weir " * (size // 5 + 1))[:size]


def icmp_message(row, connections):
    source, target = row.source[0], row.target[0]
    word = row.words[0] if row.words else "echo"
    kind = ICMP_KINDS[word][source.version == 6]
    if row.quoted:
        inner = ip_packet(row.quoted, connections)
        return frames.icmp(source, target, kind, row.number("code"), struct.pack(">I", row.number("mtu")),
                           inner[:row.number("quote_bytes", 128)])
    rest = struct.pack(">HH", row.number("id", 1), row.number("seq", 1))
    return frames.icmp(source, target, kind, row.number("code"), rest, row.payload())


def neighbour_message(row):
    source, target = row.source[0], row.target[0]
    mac = link_mac(row)
    if row.kind == "ra":
        kind = {"solicit": 133, "advertise": 134}[row.words[0]]
        body = struct.pack(">II", 0, 0) if kind == 134 else b""
        return frames.icmp(source, target, kind, 0, bytes(4), body + frames.link_option(1, mac))
    about = frames.address(row.keys["about"]).packed
    if row.words[0] == "solicit":
        return frames.icmp(source, target, 135, 0, bytes(4), about + frames.link_option(1, mac))
    return frames.icmp(source, target, 136, 0, b"\x60\0\0\0", about + frames.link_option(2, mac))


def tunnel(row, connections):
    """(protocol number, bytes) of a tunnel and the packet in it."""
    inner, (source, source_port), (target, _) = row.held, row.source, row.target
    bridged = row.kind == "vxlan" or "bridged" in row.words
    ethertype = 0x6558 if bridged else frames.ETHERTYPE[inner.source[0].version]
    inside = frame_of(inner, connections)[0] if bridged else ip_packet(inner, connections)
    if row.kind == "ipip":
        return 143 if bridged else {4: 4, 6: 41}[inner.source[0].version], inside
    head = {"vxlan": struct.pack(">II", 8 << 24, row.number("vni") << 8),
            "geneve": struct.pack(">II", ethertype, row.number("vni") << 8),
            "gre": struct.pack(">HH", 0, ethertype)}[row.kind]
    packet = bytes.fromhex(row.keys["head"]) + inside if "head" in row.keys else head + inside
    if row.kind == "gre":
        return 47, packet
    port = {"vxlan": 4789, "geneve": 6081}[row.kind]
    return frames.UDP, frames.udp(source, target, source_port or 49152, port, packet)


def transport(row, connections):
    """(protocol number, bytes) of what the row's IP packet carries."""
    (source, source_port), (target, target_port) = row.source, row.target
    if row.kind == "tcp":
        flags = row.words[0].replace("none", "") if row.words else "S"
        payload = row.payload()
        numbers = connections.step(row, flags, len(payload))
        return frames.TCP, frames.tcp(source, target, source_port, target_port, flags, *numbers, payload,
                                      bytes.fromhex(row.keys.get("opt", "")), row.number("win", 64240))
    if row.kind == "udp":
        return frames.UDP, frames.udp(source, target, source_port, target_port, row.payload())
    if row.kind == "sctp":
        return frames.SCTP, frames.sctp(source_port, target_port, row.payload())
    if row.kind == "icmp":
        return frames.ICMP6 if source.version == 6 else frames.ICMP, icmp_message(row, connections)
    if row.kind in ("nd", "ra"):
        return frames.ICMP6, neighbour_message(row)
    if row.kind == "ip":
        return row.number("number"), bytes.fromhex(row.keys.get("head", "")) + row.payload()
    if row.kind in ("rdma", "cm"):
        body = rdma.packet(row) if row.kind == "rdma" else rdma.message(row)
        return frames.UDP, struct.pack(">HHHH", source_port or 49152, rdma.UDP_PORT, 8 + len(body), 0) + body
    if row.held:
        return tunnel(row, connections)
    raise RowError(f"no such kind of packet: {row.kind}")


def fragment(row, protocol, payload, ttl):
    source, target = row.source[0], row.target[0]
    span, *said = row.keys["piece"].split(",")
    first, count = (int(number) for number in span.split("+"))
    if "after" in row.keys:
        for name in reversed(row.keys["after"].split(",")):
            payload = frames.extension(name, protocol) + payload
            protocol = frames.EXTENSION[name]
    more = "more" in said or ("last" not in said and first + count < len(payload))
    part = payload[first:first + count].ljust(count, b"\0")
    if source.version == 4:
        field = first // 8 | more << 13 | ("df" in said) << 14
        return frames.ipv4(source, target, protocol, part, ttl, bytes.fromhex(row.keys.get("options", "")), field,
                           row.number("ipid", 1))
    header = struct.pack(">BBHI", row.number("next", protocol), 0, first | more, row.number("ipid", 1))
    extensions = row.keys["ext"].split(",") if "ext" in row.keys else ()
    return frames.ipv6(source, target, frames.EXTENSION["frag"], header + part, ttl, extensions)


def ip_packet(row, connections):
    protocol, payload = transport(row, connections)
    source, target = row.source[0], row.target[0]
    if source.version != target.version:
        raise RowError("addresses of two families")
    ttl = row.number("ttl", 255 if row.kind in ("nd", "ra") else 64)
    if "piece" in row.keys:
        return fragment(row, protocol, payload, ttl)
    if source.version == 6:
        extensions = row.keys["ext"].split(",") if "ext" in row.keys else ()
        made = frames.ipv6(source, target, protocol, payload, ttl, extensions)
    else:
        made = frames.ipv4(source, target, protocol, payload, ttl, bytes.fromhex(row.keys.get("options", "")),
                           int(row.keys.get("fragment", "4000"), 16))
    return rdma.with_icrc(made) if row.kind in ("rdma", "cm") and row.keys.get("icrc") != "bad" else made


def link_mac(row):
    return bytes.fromhex(row.keys["mac"].replace(":", "")) if "mac" in row.keys else frames.mac_of(row.source[0])


def frame_of(row, connections):
    """(frame as captured, its length on the wire)."""
    if row.kind == "raw":
        frame = bytes.fromhex(row.keys["hex"])
    else:
        mac, target_mac = link_mac(row), frames.mac_of(row.target[0])
        vlans = [int(tag) for tag in row.keys["vlan"].split(",")] if "vlan" in row.keys else ()
        if row.kind == "arp":
            asks = row.words[:1] == ["request"]
            body = frames.arp(1 if asks else 2, mac, row.source[0], bytes(6) if asks else target_mac, row.target[0])
            frame = frames.ethernet(mac, b"\xff" * 6 if asks else target_mac, 0x0806, body, vlans)
        else:
            frame = frames.ethernet(mac, target_mac, frames.ETHERTYPE[row.source[0].version],
                                    ip_packet(row, connections), vlans)
    frame = frame.ljust(row.number("pad"), b"\0")
    for poke in row.keys.get("poke", "").split(",") if "poke" in row.keys else ():
        at, _, new = poke.partition(":")
        frame = frame[:int(at)] + bytes.fromhex(new) + frame[int(at) + len(new) // 2:]
    return frame[:row.number("cut", len(frame))], len(frame)


def packet(text, connections):
    """(microseconds after the beginning, side, frame, original length) of one row."""
    words = text.split()
    if len(words) < 3 or words[1] not in ("inside", "outside"):
        raise RowError("wanted TIME inside|outside KIND ...")
    try:
        frame, original = frame_of(Row(words[2], words[3:]), connections)
        return round(float(words[0]) * 1000000), words[1], frame, original
    except (ValueError, KeyError, IndexError, struct.error) as fault:
        raise RowError(f"{type(fault).__name__}: {fault}") from fault
