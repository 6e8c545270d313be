#!/usr/bin/env python3
"""Who saw each TCP segment before and behind Weir, and so says which ones Weir dropped and whether their receiver could
have used them. Four of these record, one where each device gets frames, all by one clock; a fifth judges.

usage: witness.py DEVICE FILE    records what comes until SIGTERM; exit code 1 if the kernel lost a frame of it

What may be lost, from RFC 9293 3.10.7.4 and RFC 5961 5.2, by plain numbers and from no tracker:
  late    its receiver had acknowledged all of it, and its sender was more than a window ahead, or past its SYN when
          this is that SYN; or what it acknowledges is more than a window behind what the same sender had acknowledged
  over    a RST of its connection has passed
Whatever else is dropped was dropped falsely. No endpoint sends the late ones again, as its own next segments start at
what is not acknowledged, and a SYN is, once more than that is sent; and none is a probe, which stands just before.

Weir sees the two directions in an order of its own, which time stamps do not tell. So what is known of the same
direction is what came by that device before, in the device's order. Of the other direction:
- The receiver had what it acknowledged before the next segment that passed behind the dropped one left Weir. No copy
  that came later can have caused that.
- The sender knew the windows that had left Weir towards it when the dropped one came. A wider one that was on its way
  lets it send nothing yet, and Weir may not have met it.
What came in the last moments may still be inside: it is not judged, but counted as `open`."""
import collections
import os
import signal
import socket
import struct
import sys
import time

from namespaces import end

KEPT = 160  # bytes of a frame: all headers, and what tells copies from others
RECORD = struct.Struct("=QHH")  # time in ns, bytes kept, bytes of TCP and its data
SETTLES_S = 0.5  # until Weir has judged what has come
FIN, SYN, RST, ACK = 1, 2, 4, 16
CLOCK_NS, RCVBUFFORCE = 35, 33  # SO_TIMESTAMPNS, SO_RCVBUFFORCE
PACKET, STATISTICS, IGNORE_OUTGOING = 263, 6, 23  # SOL_PACKET and two of its options


def tcp_of(frame):
    """(offset, bytes) of TCP in a frame without options before it, or None."""
    kind = frame[12:14]
    if kind == b"\x08\x00" and frame[23] == 6:
        header = (frame[14] & 15) * 4
        return 14 + header, struct.unpack_from(">H", frame, 16)[0] - header
    return (54, struct.unpack_from(">H", frame, 18)[0]) if kind == b"\x86\xdd" and frame[20] == 6 else None


def record(device, path):
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # deaf until it is bound
    ear.setsockopt(socket.SOL_SOCKET, RCVBUFFORCE, 256 << 20)
    ear.setsockopt(socket.SOL_SOCKET, CLOCK_NS, 1)
    ear.setsockopt(PACKET, IGNORE_OUTGOING, 1)
    ear.bind((device, 3))
    ear.settimeout(0.05)
    over = []
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    print("ready", flush=True)
    with open(path, "wb") as file:
        while True:
            try:
                frame, told, _, _ = ear.recvmsg(65536, 128)
            except TimeoutError:
                if over:
                    break
                continue
            at = tcp_of(frame)
            if at is not None:
                seconds, rest = struct.unpack("qq", told[0][2])
                kept = frame[:KEPT]
                file.write(RECORD.pack(seconds * 10**9 + rest, len(kept), at[1]) + kept)
    return struct.unpack("II", ear.getsockopt(PACKET, STATISTICS, 8))[1] != 0


class Segment:
    """As it came to Weir. `left_ns`: when it left by the other side, or None; `next_ns`: when the next one that passed
    the same way left. Numbers are as on the wire."""

    def __init__(self, time_ns, frame, tcp_bytes, left_ns):
        at = tcp_of(frame)[0]
        ports, self.seq, self.ack, offset, self.flags, self.window = struct.unpack_from(">IIIBBH", frame, at)
        addresses = frame[26:34] if frame[12] == 8 else frame[22:54]
        half = len(addresses) // 2
        self.source, self.target = (addresses[:half], ports >> 16), (addresses[half:], ports & 0xffff)
        self.bytes = tcp_bytes - (offset >> 4) * 4
        self.time_ns, self.left_ns, self.next_ns = time_ns, left_ns, None
        self.connection = frozenset((self.source, self.target))
        self.scale = self.option(frame[at + 20:at + (offset >> 4) * 4], 3) if self.flags & SYN else None

    @staticmethod
    def option(options, kind):
        at = 0
        while at < len(options) and options[at] != 0:
            if options[at] == kind:
                return options[at + 2]
            at += 1 if options[at] == 1 else options[at + 1]
        return 0

    def taken(self):
        return self.bytes + bool(self.flags & (SYN | FIN))

    def __str__(self):
        return f"{self.source[1]}>{self.target[1]} flags {self.flags:#x}, {self.bytes} at {self.seq}, ack {self.ack}"


def after(number, base):
    """How far a number lies after another; a connection carries less than 2 GiB."""
    return (number - base + 2**31) % 2**32 - 2**31


def widest(segments):
    """The widest window that one end's segments offer."""
    scale = next((one.scale for one in segments if one.flags & SYN), 0)
    return max((one.window << (0 if one.flags & SYN else scale) for one in segments), default=0)


def is_late(dropped, before, answers):
    """Whether no endpoint could use it. `before` has passed the same way in the same connection, before it; `answers`
    the other way, whenever."""
    heard = [one for one in answers if one.flags & ACK and one.time_ns < dropped.next_ns]
    had = max((after(one.ack, dropped.seq) for one in heard), default=0) >= max(1, dropped.taken())
    known = widest([one for one in answers if one.left_ns < dropped.time_ns])
    ahead = max((after(one.seq, dropped.seq) + one.taken() for one in before), default=0)
    far = 1 if dropped.flags & SYN else known
    acknowledged = max((after(one.ack, dropped.ack) for one in before if one.flags & ACK), default=0)
    return (had and ahead > far > 0) or acknowledged > widest(before) > 0


def what_became(dropped, segments):
    """`late`, `over` or `false`: of a connection's segments, in each direction in the order of its device."""
    passed = [one for one in segments if one.left_ns is not None]
    if any(one.flags & RST and one.time_ns < dropped.next_ns for one in passed):
        return "over"
    same_way = [one for one in segments if one.source == dropped.source]
    before = [one for one in same_way[:same_way.index(dropped)] if one.left_ns is not None]
    return "late" if is_late(dropped, before, [one for one in passed if one.source == dropped.target]) else "false"


def read(path):
    """[(time, frame, bytes of TCP)], in the order in which the device got them."""
    frames = []
    with open(path, "rb") as file:
        data = file.read()
    at = 0
    while at < len(data):
        time_ns, kept, tcp_bytes = RECORD.unpack_from(data, at)
        at += RECORD.size + kept
        frames.append((time_ns, data[at - kept:at], tcp_bytes))
    return frames


def crossing(came, left):
    """The segments that came by one device, in its order, with when they left by the other."""
    ways_out = collections.defaultdict(collections.deque)
    for time_ns, frame, _ in left:
        ways_out[frame].append(time_ns)
    segments = []
    for time_ns, frame, tcp_bytes in came:
        times = ways_out[frame]
        while times and times[0] < time_ns:
            times.popleft()
        segments.append(Segment(time_ns, frame, tcp_bytes, times.popleft() if times else None))
    next_ns = float("inf")
    for segment in reversed(segments):
        segment.next_ns = next_ns
        next_ns = segment.left_ns or next_ns
    return segments


def lost(inward, outward, until_ns):
    """({what it was: [segments]} of all that Weir did not let through, how many segments came), from what came and what
    left each way. Only what came until `until_ns` is judged; the rest of it is `open`."""
    segments = [*crossing(*map(read, inward)), *crossing(*map(read, outward))]
    connections, found = collections.defaultdict(list), collections.defaultdict(list)
    for segment in segments:
        connections[segment.connection].append(segment)
    for segment in segments:
        if segment.left_ns is None:
            judged = segment.time_ns <= until_ns
            found[what_became(segment, connections[segment.connection]) if judged else "open"].append(segment)
    return found, len(segments)


class Witnesses:
    """Records while the block runs. `inward` and `outward` say, for each way through Weir, at which (side, device) it
    gets frames and at which they are when they have left it. Then `found` and `seen` are what lost() says."""

    def __init__(self, net, inward, outward):
        self.net, self.ways, self.processes, self.found, self.seen = net, (inward, outward), [], None, 0

    def __enter__(self):
        for side, device in [*self.ways[0], *self.ways[1]]:
            process = self.net.start(side, sys.executable, os.path.abspath(__file__), device, self.path(device),
                                     stdout=-1, text=True)
            assert process.stdout.readline() == "ready\n", "no witness"
            self.processes.append(process)
        return self

    def __exit__(self, kind, *_):
        until_ns = time.time_ns()
        time.sleep(SETTLES_S)
        codes = [end(process, signal.SIGTERM) for process in self.processes]
        if kind is None:
            assert not any(codes), f"a witness has missed a frame: {codes}"
            self.found, self.seen = lost(*([self.path(device) for _, device in way] for way in self.ways), until_ns)

    def path(self, device):
        return f"{self.net.folder}/seen-{device}"


if __name__ == "__main__":
    sys.exit(record(*sys.argv[1:3]))
