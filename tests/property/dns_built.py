#!/usr/bin/python3
"""DNS messages that scapy builds are read to the same question, type and options; and what breaks one rule of the
format is refused: each rule in turn, every cut, bytes behind the end, and pointers that lead forward, round, or into
the header.

usage: dns_built.py DNS_LINES
"""
import logging
import random
import string
import struct
import subprocess
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import DNS, DNSQR, DNSRR, DNSRROPT, EDNS0TLV, DNSRRMX, DNSRRSOA, DNSRRSRV  # noqa: E402

generator = random.Random(1035)
COUNTRIES = ("uk", "jp", "br", "de", "au")


def label(most=20):
    return "".join(generator.choice(string.ascii_letters + string.digits + "-_")
                   for _ in range(generator.randrange(1, most)))


def name(labels=None):
    parts = [label() for _ in range(labels or generator.randrange(1, 7))]
    if generator.random() < 0.4:
        parts += [generator.choice(["co", "ac", "org", "longer"]), generator.choice(COUNTRIES)]
    return ".".join(parts)


def wire(text):
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".") if part) + b"\0"


def below(text):
    """How many bytes stand below the registered domain, by the rule of thumb in words."""
    parts = text.split(".")
    keep = 3 if len(parts[-1]) == 2 and len(parts) > 1 and len(parts[-2]) <= 3 else 2
    return len(wire(".".join(parts[:-keep]))) - 1 if len(parts) > max(keep, 2) else 0


def query(text, options=(), kind="A", **flags):
    extra = {"arcount": 1, "ar": DNSRROPT(rclass=1232, rdata=list(options))} if options is not None else {}
    return DNS(id=generator.randrange(65536), rd=1, qd=DNSQR(qname=text, qtype=kind), **extra, **flags)


def option():
    code = generator.choice([3, 8, 10, 11, 12, 15, 65001])
    return EDNS0TLV(optcode=code, optdata=bytes(generator.randrange(9)) if code == 12
                    else generator.randbytes(generator.randrange(20)))


def record(text):
    """Names in the data are compressed by scapy below, or not."""
    return generator.choice([
        lambda: DNSRR(rrname=text, type="A", rdata="192.0.2.1", ttl=60),
        lambda: DNSRR(rrname=text, type="AAAA", rdata="2001:db8::1"),
        lambda: DNSRR(rrname=text, type="TXT", rdata=[generator.randbytes(generator.randrange(1, 200))]),
        lambda: DNSRR(rrname=text, type="CNAME", rdata=name()),
        lambda: DNSRRMX(rrname=text, exchange="mail." + text),
        lambda: DNSRRSRV(rrname=text, target="one." + text, port=80),
        lambda: DNSRRSOA(rrname=text, mname="ns." + text, rname="admin." + text)])()


def joined(records):
    whole = records[0]
    for one in records[1:]:
        whole = whole / one
    return whole


def answer(text):
    answers, authority = [record(text) for _ in range(generator.randrange(5))], [record(text) for _ in
                                                                                 range(generator.randrange(3))]
    extra = {"ar": DNSRROPT(rclass=4096), "arcount": 1} if generator.random() < 0.5 else {}
    if answers:
        extra.update(an=joined(answers), ancount=len(answers))
    if authority:
        extra.update(ns=joined(authority), nscount=len(authority))
    message = DNS(qr=1, rd=1, ra=1, aa=generator.randrange(2), rcode=generator.choice([0, 0, 3]),
                  qd=DNSQR(qname=text), **extra)
    return bytes(message.compress()) if generator.random() < 0.7 else bytes(message)


def said_of_query(text, kind, options):
    words = ["query", str(kind), wire(text).hex(), str(below(text))]
    return " ".join(words + [f"{one.optcode}:{bytes(one.optdata).hex()}" for one in options])


def good():
    for _ in range(2000):
        text = name()
        if len(wire(text)) > 255:
            continue
        options = generator.choice([None, [], [option() for _ in range(generator.randrange(4))]])
        kind = generator.choice([1, 28, 15, 16, 33, 65, 255])
        yield bytes(query(text, options, kind)), said_of_query(text, kind, options or [])
        yield answer(text), f"answer 1 {wire(text).hex()} {below(text)}"
    yield bytes(query("com", None)), said_of_query("com", 1, [])
    longest = ".".join(["x" * 63, "y" * 63, "z" * 63, "w" * 61])
    yield bytes(query(longest, None)), said_of_query(longest, 1, [])


HEADER = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0)
QUESTION = wire("www.example.org") + struct.pack("!HH", 1, 1)
A_RECORD = struct.pack("!HHIH", 1, 1, 60, 4) + bytes(4)


def header(flags=0x0100, questions=1, answers=0, authority=0, more=0):
    return struct.pack("!6H", 7, flags, questions, answers, authority, more)


ONE_ANSWER = header(0x8180, answers=1) + QUESTION


def bad():
    """(what is wrong, message)"""
    yield "nothing", b""
    for bit in (0x0800, 0x4000, 0x0400, 0x0200, 0x0080, 0x0040, 0x0001, 0x0008):
        yield f"flag {bit:#x} in a query", header(0x0100 | bit) + QUESTION
    for bit in (0x0800, 0x4000, 0x0040):
        yield f"flag {bit:#x} in an answer", header(0x8180 | bit) + QUESTION
    yield "no question", header(questions=0)
    yield "two questions", header(questions=2) + QUESTION * 2
    yield "an answer in a query", header(answers=1) + QUESTION + b"\xc0\x0c" + A_RECORD
    yield "authority in a query", header(authority=1) + QUESTION + b"\xc0\x0c" + A_RECORD
    yield "an address beside a query", header(more=1) + QUESTION + b"\xc0\x0c" + A_RECORD
    yield "class CHAOS", HEADER + QUESTION[:-2] + b"\0\3"
    yield "class ANY", HEADER + QUESTION[:-2] + b"\0\xff"
    yield "a pointer in the question", HEADER + b"\xc0\x0c" + QUESTION[-4:]
    yield "a label of type 01", HEADER + b"\x41" + QUESTION[1:]
    yield "a label of type 10", HEADER + b"\x83" + QUESTION[1:]
    yield "a name of 256 bytes", HEADER + wire(".".join(["x" * 63] * 3 + ["w" * 62])) + QUESTION[-4:]
    for target, what in ((0, "the header"), (11, "the header's end"), (33, "itself"), (34, "forward"), (0x3fff, "out")):
        yield f"a pointer to {what}", ONE_ANSWER + struct.pack("!H", 0xc000 | target) + A_RECORD
    # www + pointer to itself behind www: round and round.
    yield "a pointer round", header(0x8180, answers=1) + QUESTION + b"\x03www\xc0\x21" + A_RECORD
    long = wire(".".join(["x" * 63] * 3))
    yield "too long by pointers", \
        header(0x8180, answers=1) + long + QUESTION[-4:] + b"\x3f" + b"y" * 63 + b"\xc0\x0c" + A_RECORD
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)
    yield "two OPT", header(more=2) + QUESTION + opt * 2
    yield "two OPT in an answer", header(0x8180, more=2) + QUESTION + opt * 2
    yield "OPT as an answer", header(0x8180, answers=1) + QUESTION + opt
    yield "OPT with a name", header(more=1) + QUESTION + b"\1x" + opt
    yield "EDNS version 1", header(more=1) + QUESTION + b"\0" + struct.pack("!HHIH", 41, 1232, 0x00010000, 0)
    yield "EDNS flags", header(more=1) + QUESTION + b"\0" + struct.pack("!HHIH", 41, 1232, 0x4000, 0)
    yield "an extended code in a query", header(more=1) + QUESTION + b"\0" + struct.pack("!HHIH", 41, 1232, 1 << 24, 0)
    for data, what in ((b"\0\x0a\0\x09" + bytes(8), "an option too long"), (b"\0\x0a\0", "half an option"),
                       (b"\0\x0c\0\2\0\1", "padding that tells")):
        yield what, header(more=1) + QUESTION + b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(data)) + data
    yield "a record of class ANY", ONE_ANSWER + b"\xc0\x0c" + struct.pack("!HHIH", 1, 255, 0, 0)
    yield "data too long", ONE_ANSWER + b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 5) + bytes(4)
    for _ in range(60):
        message = generator.choice([bytes(query(name(), [option()])), answer(name())])
        yield "a byte behind the end", message + b"\0"
        for cut in range(len(message)):
            yield f"cut at {cut}", message[:cut]


def main(lines):
    expected = list(good()) + [(message, "no", what) for what, message in bad()]
    told = subprocess.run([lines], input="\n".join(row[0].hex() or "-" for row in expected), text=True,
                          capture_output=True, check=True).stdout.splitlines()
    assert len(told) == len(expected), f"{len(told)} answers to {len(expected)} messages"
    for row, said in zip(expected, told):
        assert said == row[1], f"{row[2] if len(row) > 2 else 'built by scapy'}: {row[0].hex()}: {said}, not {row[1]}"
    print(f"{len(expected)} messages, {sum(row[1] == 'no' for row in expected)} of them refused")


main(sys.argv[1])
