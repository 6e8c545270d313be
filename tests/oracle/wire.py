"""The packets of the conntrack oracle, as fields that can still be altered, and the frames that are made of them: TCP
segments, UDP datagrams, ICMP messages, fragments, over IPv4 and IPv6. It knows how to write them, not what is right."""
import struct

TCP, UDP, ICMP4, ICMP6 = 6, 17, 1, 58
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
LETTERS = "FSRPAUEC"
INSIDE, OUTSIDE = 0, 1
SIDES = ("inside", "outside")
MACS = (b"\x02\x57\x00\x00\x00\x01", b"\x02\x57\x00\x00\x00\x02")
U32 = 0xFFFFFFFF
# What a host behind each side is called in both rulesets.
PREFIXES = {4: (b"\x0a\x14", b"\x0a\x1e"), 6: (b"\xfd\x20" + bytes(12), b"\xfd\x30" + bytes(12))}


def ones_sum(data):
    """RFC 1071, by the arithmetic of one large number: 2^16 is 1 modulo 65535."""
    if len(data) & 1:
        data += b"\0"
    rest = int.from_bytes(data, "big") % 0xFFFF
    return 0xFFFF - rest if rest or not any(data) else 0


def payload(length):
    return (b"weir-oracle " * (length // 12 + 1))[:length]


class End:
    """One end of a conversation: the side it is behind, its address and its port."""
    __slots__ = ("side", "address", "port")

    def __init__(self, side, address, port):
        self.side, self.address, self.port = side, address, port

    def __str__(self):
        text = address_text(self.address)
        return f"[{text}]:{self.port}" if len(self.address) == 16 else f"{text}:{self.port}"


def address_text(address):
    if len(address) == 4:
        return ".".join(map(str, address))
    return f"{address[:2].hex()}::{address[-2:].hex()}" if not any(address[2:-2]) else address.hex(":", 2)


def host(version, side, number):
    """The address of host `number` (below 65536) behind a side."""
    return PREFIXES[version][side] + number.to_bytes(2, "big")


def ip_packet(source, target, protocol, body, ttl=64, identification=0, fragment=0x4000):
    if len(source) == 4:
        plain = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), identification, fragment, ttl, protocol, 0,
                            source, target)
        return plain[:10] + struct.pack("!H", ones_sum(plain)) + plain[12:] + body
    return struct.pack("!IHBB16s16s", 6 << 28, len(body), protocol, ttl, source, target) + body


def ethernet(side, packet):
    kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
    return MACS[1 - side] + MACS[side] + kind + packet


def summed(source, target, protocol, body, at):
    """`body` with its transport checksum at offset `at`, where it holds zero."""
    pseudo = source + target + struct.pack("!IBBH", len(body) >> 16, 0, protocol, len(body) & 0xFFFF)
    value = ones_sum(pseudo + body)
    if protocol == UDP:
        value = value or 0xFFFF
    return body[:at] + struct.pack("!H", value) + body[at + 2:]


class Packet:
    """What every kind has: where it enters (`side`), why it is there, and what is done to the finished frame.
    `cut` bytes are missing at its end; `spoil` is added to its transport checksum."""
    __slots__ = ("source", "target", "side", "why", "cut", "spoil", "group", "ttl")
    kind = "packet"

    def __init__(self, source, target, why):
        self.source, self.target, self.side, self.why = source, target, source.side, why
        self.cut, self.spoil, self.group, self.ttl = 0, 0, None, 64

    def copy(self, why):
        other = object.__new__(type(self))
        for kind in type(self).__mro__:
            for name in getattr(kind, "__slots__", ()):
                setattr(other, name, getattr(self, name))
        other.why = why
        return other

    def frame(self):
        whole = ethernet(self.side, self.ip())
        return whole[:len(whole) - self.cut] if self.cut else whole

    def ip(self):
        protocol, body = self.transport()
        if self.spoil:
            at = {TCP: 16, UDP: 6, ICMP4: 2, ICMP6: 2}[protocol]
            value = (int.from_bytes(body[at:at + 2], "big") + self.spoil) & 0xFFFF
            body = body[:at] + value.to_bytes(2, "big") + body[at + 2:]
        return ip_packet(self.source.address, self.target.address, protocol, body, self.ttl)

    def transport(self):
        raise NotImplementedError

    def __str__(self):
        marks = "".join([f" cut={self.cut}" if self.cut else "", " bad-checksum" if self.spoil else "",
                         " wrong-port" if self.side != self.source.side else "",
                         f" ttl={self.ttl}" if self.ttl != 64 else ""])
        return f"{SIDES[self.side]:7} {self.kind} {self.source} > {self.target} {self.details()}{marks}  ({self.why})"

    def details(self):
        return ""


class Segment(Packet):
    """A TCP segment. `options` are bytes, padded to four; `offset` is the data offset, or None for the right one."""
    __slots__ = ("flags", "seq", "ack", "window", "length", "options", "offset", "urgent")
    kind = "tcp"

    def __init__(self, source, target, flags, seq, ack, window, length=0, options=b"", why="honest"):
        super().__init__(source, target, why)
        self.flags, self.seq, self.ack, self.window = flags, seq & U32, ack & U32, window
        self.length, self.options, self.offset, self.urgent = length, options, None, 0

    @property
    def data(self):
        """The bytes of payload, as the data offset has it."""
        header = 20 + len(self.options)
        return self.length if self.offset is None else max(0, header + self.length - self.offset * 4)

    @property
    def end(self):
        return (self.seq + self.data + bool(self.flags & SYN) + bool(self.flags & FIN)) & U32

    def transport(self):
        words = 5 + len(self.options) // 4 if self.offset is None else self.offset
        head = struct.pack("!HHIIBBHHH", self.source.port, self.target.port, self.seq, self.ack, words << 4,
                           self.flags, self.window, 0, self.urgent)
        body = head + self.options + payload(self.length)
        return TCP, summed(self.source.address, self.target.address, TCP, body, 16)

    def option(self, kind):
        """The bytes of an option, without kind and length, or None."""
        at, options = 0, self.options
        while at < len(options) and options[at] != 0:
            if options[at] == 1:
                at += 1
                continue
            if at + 1 >= len(options) or options[at + 1] < 2:
                return None
            if options[at] == kind:
                return options[at + 2:at + options[at + 1]]
            at += options[at + 1]
        return None

    def details(self):
        letters = "".join(letter for bit, letter in enumerate(LETTERS) if self.flags >> bit & 1) or "none"
        options = f" options={self.options.hex()}" if self.options else ""
        return f"{letters} seq={self.seq} ack={self.ack} win={self.window} size={self.length}{options}"


def tcp_options(mss=None, scale=None, sack_permitted=False, stamps=None, sack=()):
    parts = []
    if mss is not None:
        parts.append(struct.pack("!BBH", 2, 4, mss))
    if sack_permitted:
        parts.append(b"\x04\x02")
    if stamps is not None:
        parts.append(struct.pack("!BBII", 8, 10, *stamps))
    if scale is not None:
        parts.append(bytes((3, 3, scale)))
    if sack:
        parts.append(bytes((5, 2 + 8 * len(sack))) + b"".join(struct.pack("!II", left & U32, right & U32)
                                                             for left, right in sack))
    options = b"".join(parts)
    return options + b"\x01" * (-len(options) % 4)


class Datagram(Packet):
    """A UDP datagram; `sum_zero` leaves the checksum out, `stated` is the length field, or None for the right one."""
    __slots__ = ("length", "sum_zero", "stated")
    kind = "udp"

    def __init__(self, source, target, length, why="honest"):
        super().__init__(source, target, why)
        self.length, self.sum_zero, self.stated = length, False, None

    def transport(self):
        stated = 8 + self.length if self.stated is None else self.stated
        body = struct.pack("!HHHH", self.source.port, self.target.port, stated, 0) + payload(self.length)
        if self.sum_zero:
            return UDP, body
        return UDP, summed(self.source.address, self.target.address, UDP, body, 6)

    def details(self):
        return f"size={self.length}{' sum-zero' if self.sum_zero else ''}" + \
            (f" stated={self.stated}" if self.stated is not None else "")


class Message(Packet):
    """An ICMP or ICMPv6 message. `rest` is four bytes after the checksum; `quoted` the packet an error is about, of
    which `quote_bytes` are there."""
    __slots__ = ("type", "code", "rest", "body", "quoted", "quote_bytes")
    kind = "icmp"

    def __init__(self, source, target, kind, code, rest, body=b"", why="honest"):
        super().__init__(source, target, why)
        self.type, self.code, self.rest, self.body = kind, code, rest, body
        self.quoted, self.quote_bytes = None, 0

    def transport(self):
        body = self.quoted.ip()[:self.quote_bytes] if self.quoted else self.body
        plain = struct.pack("!BBH", self.type, self.code, 0) + self.rest + body
        if len(self.source.address) == 16:
            return ICMP6, summed(self.source.address, self.target.address, ICMP6, plain, 2)
        return ICMP4, plain[:2] + struct.pack("!H", ones_sum(plain)) + plain[4:]

    def details(self):
        about = f" about [{self.quoted}] {self.quote_bytes} bytes" if self.quoted else ""
        return f"type={self.type} code={self.code} rest={self.rest.hex()}{about}"


class Fragment(Packet):
    """Bytes `first` to `last` of the body of another packet, of which it takes the addresses. `group` tells the
    datagram; a fragment that is not the last has `more`. `changed` alters a byte of what it carries."""
    __slots__ = ("whole", "first", "last", "more", "identification", "changed")
    kind = "fragment"

    def __init__(self, whole, first, last, more, identification, why="honest"):
        super().__init__(whole.source, whole.target, why)
        self.whole, self.first, self.last, self.more = whole, first, last, more
        self.identification, self.changed = identification, False

    def ip(self):
        protocol, body = self.whole.transport()
        body = body.ljust(self.last, b"\xee")[self.first:self.last]
        if self.changed and body:
            body = body[:-1] + bytes([body[-1] ^ 0x55])
        source, target = self.source.address, self.target.address
        if len(source) == 4:
            return ip_packet(source, target, protocol, body, self.ttl, self.identification & 0xFFFF,
                             (0x2000 if self.more else 0) | self.first >> 3)
        head = struct.pack("!BBHI", protocol, 0, self.first & 0xFFF8 | self.more, self.identification)
        return ip_packet(source, target, 44, head + body, self.ttl)

    def details(self):
        return (f"id={self.identification} bytes {self.first}-{self.last}{' more' if self.more else ''}"
                f"{' changed' if self.changed else ''} of [{self.whole}]")
