#!/usr/bin/env python3
"""Who saw each TCP segment on both sides of Weir, and so says which ones Weir dropped and whether their receiver could
have used them. Two of these record, one at each host's side of Weir, by one clock; a third judges.

usage: witness.py DEVICE FILE    records until SIGTERM; exit code 1 if the kernel lost a frame of it

What may be lost, from RFC 9293 3.10.7.4 and RFC 5961 5.2, by plain numbers and from no tracker:
  late    all of it had been acknowledged when it came, and its sender was more than a window ahead by then; or what it
          acknowledges is more than a window behind what the same sender had acknowledged
  over    a RST of its connection has passed, or came by the other side while it was on its way
Whatever else is dropped was dropped falsely. No endpoint sends the late ones again, as its own next segments start at
what is not acknowledged; and none is a probe, which stands just before that."""
import collections
import os
import signal
import socket
import struct
import sys
import time

from namespaces import end

KEPT = 160  # bytes of a frame: all headers, and what tells copies from others
RECORD = struct.Struct("=QBHH")  # time in ns, whether it left this host, bytes kept, bytes of TCP and its data
ON_ITS_WAY_NS = 100_000_000
FIN, SYN, RST, ACK = 1, 2, 4, 16
CLOCK_NS, OUTGOING, RCVBUFFORCE, STATISTICS = 35, 4, 33, 6  # SO_TIMESTAMPNS, PACKET_OUTGOING, …, PACKET_STATISTICS


def tcp_of(frame):
    """(offset, bytes) of TCP in a frame without options before it, or None."""
    kind = frame[12:14]
    if kind == b"\x08\x00" and frame[23] == 6:
        header = (frame[14] & 15) * 4
        return 14 + header, struct.unpack_from(">H", frame, 16)[0] - header
    return (54, struct.unpack_from(">H", frame, 18)[0]) if kind == b"\x86\xdd" and frame[20] == 6 else None


def record(device, path):
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    ear.setsockopt(socket.SOL_SOCKET, RCVBUFFORCE, 256 << 20)
    ear.setsockopt(socket.SOL_SOCKET, CLOCK_NS, 1)
    ear.bind((device, 3))
    ear.settimeout(0.05)
    over = []
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    print("ready", flush=True)
    with open(path, "wb") as file:
        while True:
            try:
                frame, told, _, place = ear.recvmsg(65536, 128)
            except TimeoutError:
                if over:
                    break
                continue
            at = tcp_of(frame)
            if at is not None:
                seconds, rest = struct.unpack("qq", told[0][2])
                kept = frame[:KEPT]
                file.write(RECORD.pack(seconds * 10**9 + rest, place[2] == OUTGOING, len(kept), at[1]) + kept)
    return struct.unpack("II", ear.getsockopt(263, STATISTICS, 8))[1] != 0  # SOL_PACKET


class Segment:
    """As it came to one side of Weir. `passed`: it left by the other. Numbers are as on the wire."""

    def __init__(self, time_ns, frame, tcp_bytes):
        at = tcp_of(frame)[0]
        ports, self.seq, self.ack, offset, self.flags, self.window = struct.unpack_from(">IIIBBH", frame, at)
        addresses = frame[26:34] if frame[12] == 8 else frame[22:54]
        half = len(addresses) // 2
        self.source, self.target = (addresses[:half], ports >> 16), (addresses[half:], ports & 0xffff)
        self.bytes = tcp_bytes - (offset >> 4) * 4
        self.time_ns, self.passed, self.connection = time_ns, False, frozenset((self.source, self.target))
        self.scale = self.option(frame[at + 20:at + (offset >> 4) * 4], 3) if self.flags & SYN else None

    @staticmethod
    def option(options, kind):
        at = 0
        while at < len(options) and options[at] != 0:
            if options[at] == kind:
                return options[at + 2]
            at += 1 if options[at] == 1 else options[at + 1]
        return 0

    def __str__(self):
        return f"{self.source[1]}>{self.target[1]} flags {self.flags:#x}, {self.bytes} at {self.seq}, ack {self.ack}"


class Side:
    """What one end of a connection has said so far. Numbers count from its first one and do not wrap."""

    def __init__(self):
        self.first, self.scale = None, 0
        self.newest = self.acked = 0  # one past the highest that it sent; the highest that its peer has acknowledged
        self.widest = 0               # window that it offered

    def near(self, number):
        return self.newest + (number - self.first - self.newest + 2**31) % 2**32 - 2**31

    def says(self, segment, peer):
        if segment.flags & SYN:
            self.first, self.scale, self.newest, self.acked = segment.seq, segment.scale, 0, 0
        if self.first is None:
            self.first = segment.seq
        taken = segment.bytes + bool(segment.flags & (SYN | FIN))
        self.newest = max(self.newest, self.near(segment.seq) + taken)
        self.widest = max(self.widest, segment.window << (0 if segment.flags & SYN else self.scale))
        if segment.flags & ACK and peer.first is not None:
            peer.acked = max(peer.acked, peer.near(segment.ack))

    def is_late(self, segment, peer):
        if self.first is None or peer.first is None:
            return False
        at, acknowledged = self.near(segment.seq), peer.near(segment.ack)
        old = at + max(1, segment.bytes + bool(segment.flags & FIN)) <= self.acked
        return (old and at + peer.widest < self.newest) or acknowledged + self.widest < peer.acked


def read(path):
    """(what came to Weir here, what left Weir here: (time, frame)), in order."""
    came, left = [], []
    with open(path, "rb") as file:
        data = file.read()
    at = 0
    while at < len(data):
        time_ns, outgoing, kept, tcp_bytes = RECORD.unpack_from(data, at)
        at += RECORD.size + kept
        frame = data[at - kept:at]
        (came if outgoing else left).append((time_ns, frame, tcp_bytes))
    return came, left


def crossing(came, left):
    """The segments that came on one side, those marked that left on the other."""
    ways_out = collections.defaultdict(collections.deque)
    for time_ns, frame, _ in left:
        ways_out[frame].append(time_ns)
    for time_ns, frame, tcp_bytes in came:
        segment, times = Segment(time_ns, frame, tcp_bytes), ways_out[frame]
        while times and times[0] < time_ns:
            times.popleft()
        segment.passed = bool(times)
        if times:
            times.popleft()
        yield segment


def ends_of(segments):
    """{connection: when its RSTs came} of those that passed."""
    ends = collections.defaultdict(list)
    for segment in segments:
        if segment.passed and segment.flags & RST:
            ends[segment.connection].append(segment.time_ns)
    return ends


def lost(one, other):
    """({what it was: [segments]} of all that Weir did not let through, how many segments came), from the records of
    both sides. What is neither `late` nor `over` is `false`."""
    (one_came, one_left), (other_came, other_left) = read(one), read(other)
    segments = sorted([*crossing(one_came, other_left), *crossing(other_came, one_left)], key=lambda one: one.time_ns)
    sides, ends, found = collections.defaultdict(Side), ends_of(segments), collections.defaultdict(list)
    for segment in segments:
        own, peer = sides[segment.source, segment.target], sides[segment.target, segment.source]
        if segment.passed and not segment.flags & RST:
            own.says(segment, peer)
        elif not segment.passed:
            is_over = any(time_ns < segment.time_ns + ON_ITS_WAY_NS for time_ns in ends[segment.connection])
            found["over" if is_over else "late" if own.is_late(segment, peer) else "false"].append(segment)
    return found, len(segments)


class Witnesses:
    """Records while the block runs, at each (side, device) of two; then `found` and `seen` are what lost() says."""

    def __init__(self, net, *places):
        self.net, self.places, self.processes, self.found, self.seen = net, places, [], None, 0

    def __enter__(self):
        for side, device in self.places:
            process = self.net.start(side, sys.executable, os.path.abspath(__file__), device, self.path(side),
                                     stdout=-1, text=True)
            assert process.stdout.readline() == "ready\n", "no witness"
            self.processes.append(process)
        return self

    def __exit__(self, kind, *_):
        time.sleep(0.1)  # the last frames are on their way
        codes = [end(process, signal.SIGTERM) for process in self.processes]
        if kind is None:
            assert codes == [0, 0], f"a witness has missed a frame: {codes}"
            self.found, self.seen = lost(*(self.path(side) for side, _ in self.places))

    def path(self, side):
        return f"{self.net.folder}/seen-{side}"


if __name__ == "__main__":
    sys.exit(record(*sys.argv[1:3]))
