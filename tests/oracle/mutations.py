"""What goes wrong with a conversation, by a bad network or by somebody who wants it to: packets reordered, doubled,
lost, sent again much later, altered, cut, borrowed from elsewhere, and forged with the numbers that an attacker guesses
or knows. Each altered packet says in `why` what was done to it."""
from wire import ACK, FIN, PSH, RST, SYN, U32, URG, Segment

NETWORK = ("reorder", "double", "lose", "replay")
ATTACK = ("flags", "seq", "ack", "window", "cut", "spoil", "borrow", "reflect", "forge", "forge", "forge", "port",
          "offset", "options", "ttl")


def mutate(random, packets, others):
    """Changes the list in place; `others` are packets of another conversation."""
    kind = random.random()
    if kind < 0.2 or not packets:
        return
    network = [random.choice(NETWORK) for _ in range(random.choice((1, 2, 4, 8)))]
    attack = [random.choice(ATTACK) for _ in range(random.choice((1, 2, 4, 8)))]
    for name in network if kind < 0.4 else attack if kind < 0.7 else network + attack:
        ACTS[name](random, packets, others)


def place(random, packets):
    """Early places as often as late ones: handshakes are short and worth more trouble."""
    return random.randrange(min(len(packets), random.choice((4, 10, len(packets)))))


def reorder(random, packets, _):
    at = place(random, packets)
    packet = packets.pop(at)
    packets.insert(min(len(packets), at + random.randint(1, 5)), packet)


def double(random, packets, _):
    at = place(random, packets)
    packets.insert(min(len(packets), at + random.randint(1, 5)), packets[at].copy("doubled"))


def lose(random, packets, _):
    if len(packets) > 1:
        packets.pop(place(random, packets))


def replay(random, packets, _):
    at = place(random, packets)
    packets.insert(random.randint(at, len(packets)), packets[at].copy("replayed"))


def altered(random, packets, why):
    """A copy to alter, which takes the place of its original or comes beside it."""
    at = place(random, packets)
    copy = packets[at].copy(why)
    if random.random() < 0.5:
        packets[at] = copy
    else:
        packets.insert(at + random.randint(0, 1), copy)
    return copy


def flags(random, packets, _):
    copy = altered(random, packets, "flags altered")
    copy.flags = random.choice((0, FIN | PSH | URG, SYN | FIN, SYN | RST, RST | FIN | ACK, FIN, PSH | URG, SYN | PSH,
                                SYN | URG, SYN | RST | ACK, copy.flags ^ ACK, copy.flags ^ SYN, copy.flags ^ FIN,
                                copy.flags ^ RST, copy.flags ^ URG, copy.flags ^ PSH, copy.flags ^ 0xC0,
                                random.getrandbits(8)))


def offsets(random):
    return random.choice((1, -1, 2, -2, 1000, -1000, 65535, -65535, 65536, -66000, -70000, 1 << 20, -(1 << 20), 1 << 30,
                          1 << 31, (1 << 31) - 1, random.getrandbits(32)))


def seq(random, packets, _):
    copy = altered(random, packets, "seq altered")
    copy.seq = copy.seq + offsets(random) & U32


def ack(random, packets, _):
    copy = altered(random, packets, "ack altered")
    copy.ack = random.choice((copy.ack + offsets(random) & U32, 0))


def window(random, packets, _):
    copy = altered(random, packets, "window altered")
    copy.window = random.choice((0, 1, 65535, random.getrandbits(16)))


def cut(random, packets, _):
    copy = altered(random, packets, "cut")
    copy.cut = random.choice((1, 4, 20, 30))


def spoil(random, packets, _):
    altered(random, packets, "checksum altered").spoil = random.choice((1, 0x100, 0x8000))


def offset(random, packets, _):
    copy = altered(random, packets, "data offset altered")
    copy.offset = random.choice((0, 4, 5, 6, 15))


def options(random, packets, _):
    copy = altered(random, packets, "options altered")
    copy.options = random.choice((b"", b"\1\1\1\1", b"\x03\x03\x0e\0", b"\x03\x03\xff\0", b"\x03\x03\x00\0",
                                  b"\x04\x02\1\1", b"\x05\x0a" + random.randbytes(8) + b"\1\1", b"\x02\x00\0\0",
                                  b"\x02\x30\1\1", b"\x13\x12" + bytes(16) + b"\1\1"))


def ttl(random, packets, _):
    altered(random, packets, "ttl altered").ttl = random.choice((0, 1, 255))


def port(random, packets, _):
    """In by the other side's port: what its sender says it is, it cannot be."""
    copy = altered(random, packets, "sent from the wrong side")
    copy.side = 1 - copy.side


def borrow(random, packets, others):
    """A segment of another conversation with these addresses and ports."""
    if not others or not isinstance(others[0], Segment):
        return
    at = place(random, packets)
    copy = random.choice(others).copy("borrowed")
    model = packets[at]
    copy.source, copy.target, copy.side = model.source, model.target, model.side
    packets.insert(at, copy)


def reflect(random, packets, _):
    """A segment sent back at its sender."""
    at = place(random, packets)
    copy = packets[at].copy("reflected")
    copy.source, copy.target, copy.side = copy.target, copy.source, 1 - copy.side
    packets.insert(at + 1, copy)


def forge(random, packets, _):
    """A segment by somebody who knows addresses and ports and guesses the rest, nearly right."""
    at = place(random, packets)
    heard = packets[:at + 1]
    model = random.choice(heard[-3:])
    source, target = random.choice(((model.source, model.target), (model.target, model.source)))
    own = [one for one in heard if one.source is source]
    theirs = [one for one in heard if one.source is target]
    next_seq = own[-1].end if own else random.getrandbits(32)
    seen = theirs[-1].end if theirs else random.getrandbits(32)
    granted = (theirs[-1].window << random.choice((0, 0, 2, 7))) if theirs else 1000
    flags_now, why = random.choice(((RST, "RST"), (RST | ACK, "RST-ACK"), (FIN | ACK, "FIN"), (SYN, "SYN"),
                                    (SYN | ACK, "SYN-ACK"), (PSH | ACK, "data"), (ACK, "ACK")))
    seq_now = next_seq + random.choice((0, 0, 1, -1, granted, granted + 1, granted - 1, -granted, offsets(random)))
    ack_now = seen + random.choice((0, 0, 1, -1, offsets(random)))
    length = random.choice((1, 100, 1000)) if flags_now == PSH | ACK else 0
    packets.insert(at + 1, Segment(source, target, flags_now, seq_now, ack_now if flags_now & ACK else 0,
                                   random.choice((0, 1024, 65535)), length, b"", f"forged {why}"))


ACTS = {name: globals()[name] for name in {*NETWORK, *ATTACK}}
