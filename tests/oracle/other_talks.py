"""Everything but TCP conversations: UDP both ways, ICMP queries and their replies, ICMP errors about packets of a
conversation (true ones and forged), and datagrams in fragments: out of order, missing, doubled, overlapping."""
import struct

import wire
from wire import ACK, PSH, SYN, Datagram, End, Fragment, Message, Segment

# UDP ports, and whether an opening to them is allowed from inside and from outside.
UDP_PORTS = ((53, True, True), (9000, True, False), (123, False, True), (7, False, False))


def udp_talk(random, ends):
    opener, replier = ends
    packets, sizes = [], (0, 1, 12, 100, 512, 1400)
    for _ in range(random.randint(1, 25)):
        source, target = (opener, replier) if random.random() < 0.5 or not packets else (replier, opener)
        packets.append(Datagram(source, target, random.choice(sizes)))
        if len(packets[0].source.address) == 4 and random.random() < 0.1:
            packets[-1].sum_zero = True
            packets[-1].why = "without a checksum"
    for _ in range(random.choice((0, 0, 1, 3))):
        copy = random.choice(packets).copy("altered")
        act = random.randrange(6)
        if act == 0:
            copy.spoil, copy.sum_zero = 1, False
        elif act == 1:
            copy.stated = random.choice((0, 7, 8, 8 + copy.length - 1, 8 + copy.length + 1, 65535))
        elif act == 2:
            copy.cut = random.choice((1, 4, 10))
        elif act == 3:
            copy.side = 1 - copy.side
        elif act == 4:  # the answer of somebody who was not asked
            copy.source, copy.target = End(copy.target.side, copy.target.address, copy.target.port + 1), copy.source
            copy.side = copy.source.side
        else:
            copy.sum_zero = True
        copy.why = ("checksum altered", "length altered", "cut", "sent from the wrong side", "from another port",
                    "without a checksum")[act]
        packets.insert(random.randint(0, len(packets)), copy)
    return packets


def query_types(version):
    """(query, its reply, bytes after the identifier) by family."""
    return ((8, 0, 40), (8, 0, 40), (8, 0, 0), (13, 14, 12)) if version == 4 else ((128, 129, 40), (128, 129, 0))


def query_talk(random, ends):
    """Echo and timestamp: requests, replies, replies nobody asked for, identifiers that change."""
    version = 4 if len(ends[0].address) == 4 else 6
    query, reply, size = random.choice(query_types(version))
    identifier, packets = random.getrandbits(16), []
    for number in range(random.randint(1, 12)):
        rest = struct.pack("!HH", identifier, number)
        packets.append(Message(ends[0], ends[1], query, 0, rest, wire.payload(size), "query"))
        if random.random() < 0.8:
            packets.append(Message(ends[1], ends[0], reply, 0, rest, wire.payload(size), "reply"))
    for _ in range(random.choice((0, 0, 1, 2))):
        copy = random.choice(packets).copy("altered")
        act = random.randrange(6)
        if act == 0:
            copy.spoil = 1
        elif act == 1:
            copy.rest = struct.pack("!H", identifier ^ random.choice((1, 0x8000))) + copy.rest[2:]
        elif act == 2:
            copy.type = random.choice((query, reply, 13, 14, 17, 18, 15, 42, 100, 200, 4))
        elif act == 3:
            copy.side = 1 - copy.side
        elif act == 4:
            copy.source, copy.target, copy.side = copy.target, copy.source, 1 - copy.side
        else:
            copy.code = random.choice((1, 255))
        copy.why = ("checksum altered", "identifier altered", "type altered", "sent from the wrong side", "reflected",
                    "code altered")[act]
        packets.insert(random.randint(0, len(packets)), copy)
    return packets


def error_about(random, packet, prefixes):
    """An ICMP error about `packet`, from its target or from a router before it, to its source."""
    version = 4 if len(packet.source.address) == 4 else 6
    router = End(packet.target.side, random.choice((packet.target.address, prefixes(packet.target.side))), 0)
    if version == 4:
        kind, code = random.choice(((3, 0), (3, 1), (3, 3), (3, 4), (3, 13), (11, 0), (11, 1), (12, 0), (5, 1), (4, 0)))
        rest = struct.pack("!HH", 0, 1400) if (kind, code) == (3, 4) else bytes(4)
    else:
        kind, code = random.choice(((1, 0), (1, 4), (2, 0), (3, 0), (4, 0)))
        rest = struct.pack("!I", 1400) if kind == 2 else bytes(4)
    error = Message(router, packet.source, kind, code, rest, why="error")
    error.quoted, error.quote_bytes = packet, random.choice((20 + 8, 548, 548)) if version == 4 else 1200
    act = random.randrange(12)
    if act == 0:
        error.spoil, error.why = 1, "error, checksum altered"
    elif act == 1:
        error.quote_bytes, error.why = random.choice((0, 8, 20, 27)) + (0 if version == 4 else 20), "error, cut short"
    elif act == 2:
        error.side, error.why = 1 - error.side, "error from the wrong side"
    elif act == 3:
        error.target = End(packet.source.side, prefixes(packet.source.side), 0)
        error.why = "error to somebody else"
    elif act in (4, 5):  # the packet was never sent
        quoted = packet.copy("never sent")
        error.quoted, error.why = quoted, "error about what was never sent"
        if act == 4:
            quoted.source = End(packet.source.side, packet.source.address, packet.source.port ^ 1)
            if isinstance(quoted, Message):  # which has an identifier for a port
                quoted.rest = bytes((quoted.rest[0], quoted.rest[1] ^ 1)) + quoted.rest[2:]
        elif isinstance(quoted, Segment):
            quoted.seq = quoted.seq + random.choice((1 << 31, 1 << 24, 70000, -70000, 1 << 30)) & wire.U32
            error.why = "error about a sequence number never sent"
    return error


def add_errors(random, packets, prefixes):
    plain = [packet for packet in packets if not isinstance(packet, Fragment) and packet.side == packet.source.side
             and not packet.cut and not packet.spoil]
    for _ in range(random.choice((1, 1, 2, 4)) if plain else 0):
        packet = random.choice(plain)
        at = next(index for index, one in enumerate(packets) if one is packet)
        error = error_about(random, packet, prefixes)
        packets.insert(random.randint(at, min(len(packets), at + 4)) + random.choice((0, 1)), error)


# ── Fragments ──

def split(random, whole, identification, group):
    """The datagram's fragments, each a multiple of eight bytes but the last."""
    body_bytes = len(whole.transport()[1])
    size = random.choice((8, 16, 24, 64, 256, 512, 1024, 1400 // 8 * 8))
    size = max(size, -(-body_bytes // 40) // 8 * 8 + 8) if body_bytes > size * 40 else size
    edges = list(range(0, body_bytes, size)) + [body_bytes]
    pieces = [Fragment(whole, first, last, last != body_bytes, identification) for first, last in zip(edges, edges[1:])]
    for piece in pieces:
        piece.group = group
    return pieces


def spoil_pieces(random, pieces):
    """One thing that is wrong with them, in the list's place; the order comes after."""
    act, piece = random.randrange(9), random.choice(pieces)
    if act == 0:
        pieces.remove(piece)
        why = "one is missing"
    elif act == 1:
        pieces.append(piece.copy("honest"))
        why = "one comes twice"
    elif act == 2:
        copy = piece.copy("honest")
        copy.changed = True
        pieces.append(copy)
        why = "one comes twice, differently"
    elif act == 3:
        copy = piece.copy("honest")
        copy.first, copy.last = max(0, copy.first - 8), copy.last
        pieces[pieces.index(piece)] = copy
        why = "overlap"
    elif act == 4 and piece.more:
        copy = piece.copy("honest")
        copy.last -= 3
        pieces[pieces.index(piece)] = copy
        why = "not a multiple of eight"
    elif act == 5:
        copy = piece.copy("honest")
        copy.first, copy.last = 65528, 65528 + 24
        copy.more = False
        pieces.append(copy)
        why = "beyond 65,535"
    elif act == 6:
        copy = pieces[-1].copy("honest")
        copy.last += 16
        pieces.append(copy)
        why = "two ends"
    elif act == 7:
        copy = piece.copy("honest")
        copy.last = copy.first
        pieces.append(copy)
        why = "an empty one"
    else:
        piece.whole = piece.whole.copy("checksum altered")
        piece.changed = True
        why = "a byte altered"
    for piece in pieces:
        piece.why = why


def fragment_talk(random, ends, counter):
    """Datagrams both ways, some whole and most in fragments, of UDP, echo or a TCP opening."""
    opener, replier = ends
    version, packets = 4 if len(opener.address) == 4 else 6, []
    identifier = random.getrandbits(16)
    kind = random.choice(("udp", "udp", "icmp", "tcp"))
    for number in range(random.randint(1, 8)):
        source, target = (opener, replier) if random.random() < 0.6 or not packets else (replier, opener)
        if kind == "udp":
            whole = Datagram(source, target, random.choice((100, 1400, 3000, 8000)))
        elif kind == "icmp":
            query, reply, _ = query_types(version)[0]
            rest = struct.pack("!HH", identifier, number)
            whole = Message(source, target, query if source is opener else reply, 0, rest, wire.payload(2000))
        elif number == 0:
            whole = Segment(source, target, SYN, 1000, 0, 65535, 0, wire.tcp_options(1460, 2, True, (1, 0)))
        else:
            whole = Segment(opener, replier, PSH | ACK, 1001, 1, 1000, 300)
        if random.random() < 0.2:
            packets.append(whole)
            continue
        group = next(counter)
        pieces = split(random, whole, group & (0xFFFF if version == 4 else wire.U32), group)
        if random.random() < 0.4:
            spoil_pieces(random, pieces)
        order = random.random()
        if order < 0.3:
            random.shuffle(pieces)
        elif order < 0.5:
            pieces.reverse()
        packets += pieces
    return packets
