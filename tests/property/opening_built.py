#!/usr/bin/python3
"""Connections as NVMe/TCP, NFS, S3, gRPC, TCPStore, Gloo and NCCL open them, and as others do, built by hand: each is
recognised, cut anywhere, within the bytes that the header promises; and tshark, which looks at captures of the same
bytes, calls them so too, where it knows the protocol.

usage: opening_built.py OPENING_LINES
"""
import logging
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import Ether, IP, TCP, Raw, wrpcap  # noqa: E402

generator = random.Random(2049)
MAGICS = (0x564ab9f2fc4b9d6c, 0x0280028002800280, 0x1122334455667788)
WITHIN = {"nvme-tcp": 12, "nfs": 28, "grpc": 33, "tcpstore": 5, "gloo": 56, "nccl": 12}
PORTS = {"nvme-tcp": 4420, "nfs": 2049, "s3": 80, "grpc": 80}
# How tshark names it, as a display filter.
FILTERS = {"nvme-tcp": "nvme-tcp", "nfs": "nfs", "s3": "http.request", "grpc": "http2"}


def word():
    return "".join(generator.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(generator.randrange(3, 20)))


def nvme():
    return struct.pack("<BBBBIHBBI112x", 0, 0, 128, 0, 128, 0, generator.randrange(32), generator.randrange(4),
                       generator.randrange(16))


def rpc(program=100003, version=4, procedure=0, kind=0, rpc_version=2, credentials=b"", arguments=b""):
    body = struct.pack(">IIIIII", generator.randrange(2**32), kind, rpc_version, program, version, procedure)
    body += struct.pack(">II", 1 if credentials else 0, len(credentials)) + credentials + struct.pack(">II", 0, 0)
    body += arguments
    return struct.pack(">I", 0x80000000 | len(body)) + body


def nfs():
    name = word().encode()
    unix = struct.pack(">II", generator.randrange(2**32), len(name)) + name + bytes(-len(name) % 4) \
        + struct.pack(">III", 0, 0, 0)
    version, procedure = generator.choice([3, 4]), generator.randrange(2)
    # GETATTR of a file, or COMPOUND of nothing.
    arguments = (struct.pack(">I", 32) + generator.randbytes(32) if version == 3 else bytes(12)) if procedure else b""
    return rpc(100003, version, procedure, credentials=generator.choice([b"", unix]), arguments=arguments)


def s3():
    bucket, key = word(), word()
    lines = generator.choice([
        [f"PUT /{bucket}/{key} HTTP/1.1", f"Host: {word()}", "User-Agent: aws-cli", "x-amz-content-sha256: UNSIGNED"],
        [f"GET /{key} HTTP/1.1", f"Host: {bucket}.s3.us-east-1.amazonaws.com"],
        [f"GET /{key} HTTP/1.1", "Host: s3.local", "Accept: */*"],
        [f"POST /{bucket}/{key}?uploads HTTP/1.1", f"Host: {word()}"],
        [f"PUT /{bucket}/{key}?partNumber=3&uploadId={word()} HTTP/1.1", f"Host: {word()}"],
        [f"GET /{key}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=9 HTTP/1.1", f"Host: {word()}"],
        [f"HEAD /{bucket} HTTP/1.1", f"Host: {word()}", "Authorization: AWS4-HMAC-SHA256 Credential=a/b/c"],
        [f"DELETE /{bucket}/{key} HTTP/1.1", f"host: {word()}", f"a: {word()}", "X-AMZ-DATE: 20260101T000000Z"]])
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + generator.randbytes(generator.randrange(40))


def grpc():
    settings = b"".join(struct.pack(">HI", generator.randrange(1, 7), generator.randrange(1, 2**14))
                        for _ in range(generator.randrange(4)))
    frame = struct.pack(">I", len(settings))[1:] + bytes([4, 0, 0, 0, 0, 0])
    acknowledgement = generator.choice([b"", bytes([0, 0, 0, 4, 1, 0, 0, 0, 0])])
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + acknowledgement + frame + settings


def gloo_message():
    operation, length = generator.randrange(4), generator.randrange(2**20)
    return struct.pack("<6Q", 48 + (length if operation < 2 else 0), operation, generator.randrange(100), 0, length, 0)


def gloo():
    number = struct.pack("<q", generator.randrange(2**16))
    return generator.choice([(number + gloo_message(), b""), (number, gloo_message())])


def nccl():
    return struct.pack("<QI", generator.choice(MAGICS), generator.randrange(1, 6)) + generator.randbytes(30)


def others():
    """What is none of them, though some look alike at first."""
    yield b"SSH-2.0-OpenSSH_9.2\r\n"
    yield bytes.fromhex("1603010200010001fc0303") + generator.randbytes(500)
    yield b"GET /index.html HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n\r\n"
    yield b"GET /x-amz-date HTTP/1.1\r\nHost: aws4-hmac.example.org\r\nX-Note: x-amz-date: 1\r\n\r\nx-amz-date: 1\r\n"
    yield b"PUT /" + b"a" * 5000 + b" HTTP/1.1\r\nx-amz-date: 1\r\n\r\n"
    yield b"GET /?uploads= FTP/1.1\r\n\r\n"
    yield rpc(program=100005, version=3)
    yield rpc(version=2)
    yield rpc(version=5)
    yield rpc(rpc_version=3)
    yield rpc(kind=1)
    yield rpc(version=4, procedure=2)
    yield rpc(version=3, procedure=22)
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 1, 6, 0, 0, 0, 0, 0])
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 7, 4, 0, 0, 0, 0, 0])
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 6, 4, 1, 0, 0, 0, 0]) + bytes(6)
    yield b"PRI * HTTP/1.1\r\n"
    yield nvme()[:10] + bytes([32, 0]) + bytes(116)
    yield b"\x01" + nvme()[1:]
    yield bytes.fromhex("00cef7853d00") + bytes(20)
    yield struct.pack("<QI", 0x564ab9f2fc4b9d6d, 4) + bytes(40)
    yield struct.pack("<QI", MAGICS[0], 6) + bytes(40)
    yield struct.pack("<q", 3) + struct.pack("<6Q", 48, 4, 0, 0, 0, 0)
    yield struct.pack("<q", 3) + struct.pack("<6Q", 47, 2, 0, 0, 0, 0)
    yield b"*1\r\n$4\r\nPING\r\n" + bytes(60)
    for _ in range(20):
        yield generator.randbytes(200)


def cases():
    for name, build in (("nvme-tcp", nvme), ("nfs", nfs), ("s3", s3), ("grpc", grpc), ("nccl", nccl),
                        ("tcpstore", lambda: bytes.fromhex("00cef7853c") + generator.randbytes(9))):
        for _ in range(16):
            yield name, build(), b""
    for _ in range(16):
        yield ("gloo", *gloo())
    for stream in others():
        yield "other", stream, b""
    yield "undecided", struct.pack("<q", 3), b""
    yield "undecided", b"PUT /a HTTP/1.1\r\nHost: example.org\r\n", b""


def capture(path, streams, port):
    """One connection each. tshark guesses RPC from a first segment, which must hold its header."""
    frames = []
    for index, stream in enumerate(streams):
        ends = {"sport": 20000 + index, "dport": port}
        here = Ether() / IP(src="10.0.0.1", dst="10.0.0.2")
        back = Ether() / IP(src="10.0.0.2", dst="10.0.0.1")
        frames += [here / TCP(**ends, flags="S", seq=99),
                   back / TCP(sport=port, dport=20000 + index, flags="SA", seq=499, ack=100),
                   here / TCP(**ends, flags="A", seq=100, ack=500)]
        at = 0
        while at < len(stream):
            part = stream[at:at + generator.choice([90, 1400])]
            frames.append(here / TCP(**ends, flags="PA", seq=100 + at, ack=500) / Raw(part))
            at += len(part)
    wrpcap(str(path), frames)


def seen_by_tshark(path, wanted):
    shown = subprocess.run(["tshark", "-r", path, "-Y", wanted, "-T", "fields", "-e", "tcp.stream"], check=True,
                           capture_output=True, text=True).stdout
    return {int(line) for line in shown.split()}


def compare_with_tshark(built):
    for name, wanted in FILTERS.items():
        same = [stream for kind, stream, _ in built if kind == name]
        alien = [stream for kind, stream, _ in built if kind not in (name, "undecided") and len(stream) < 1000]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "connections.pcap")
            capture(path, same + alien, PORTS[name])
            seen = seen_by_tshark(path, wanted)
        missed = [same[i].hex() for i in range(len(same)) if i not in seen]
        if missed:
            sys.exit(f"{name}: tshark misses {missed[:2]}")
        # It goes by the port, and does not mind version, procedure, frame, or whose HTTP it is.
        print(f"{name}: tshark says so of all {len(same)}, and of {len(seen) - len(same)} of {len(alien)} others")


def main(program):
    built = list(cases())
    lines = "".join(f"{client.hex() or '-'} {server.hex() or '-'}\n" for _, client, server in built)
    answer = subprocess.run([program], input=lines, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        sys.exit(answer.stderr)
    wrong = 0
    for (name, client, _), line in zip(built, answer.stdout.splitlines(), strict=True):
        got, decided = line.split()
        if got != name or int(decided) > WITHIN.get(name, 4096) and name != "undecided":
            print(f"expected {name} within {WITHIN.get(name)}, got {line}: {client[:80]}")
            wrong += 1
    if wrong:
        sys.exit(f"{wrong} of {len(built)} differ")
    print(f"{len(built)} connections, each cut at every byte")
    if shutil.which("tshark"):
        compare_with_tshark(built)


main(sys.argv[1])
