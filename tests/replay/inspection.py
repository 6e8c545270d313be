#!/usr/bin/python3
"""What policy inspects, through `weir replay`: whatever a sender does with its segments, no signature gets across in
the first bytes of a flow, and what holds none passes byte for byte; tensors over TCP, UDP and RDMA; what a connection
must begin as; what is told and not stopped. inspection_edges.py has what is harder to look at.

usage: inspection.py WEIR [ROUNDS]"""
import ipaddress
import random
import struct
import sys

from judged import Capture, Talk, compare, frames

POLICY = """version = 1
[policy]
name = "inspection"
[segment.trainers]
{attach}cidr = ["10.20.0.0/16", "fd00:20::/32"]
[segment.others]
cidr = ["10.30.0.0/16", "fd00:30::/32"]
[service]
data = {{ tcp = [9000], udp = [9001] }}
told = {{ tcp = [9002] }}
numbers = {{ tcp = [9003], udp = [9003] }}
sealed = {{ tcp = [9004] }}
nvme = {{ tcp = [4420], protocol = "nvme-tcp" }}
files = {{ tcp = [2049], protocol = "nfs" }}
memory = {{ rdma = ["any"] }}
[inspect.marks]
direction = "both"
first = "16 KiB"
on_match = "{on_match}"
signatures = ["weights"]
[[inspect.marks.pattern]]
name = "house-mark"
text = "not to be told"
[inspect.told]
on_match = "alert"
[[inspect.told.pattern]]
name = "house-mark"
text = "not to be told"
[inspect.numbers]
tensors = true
[inspect.readable]
tensors = true
opaque = "deny"
[[inspect.readable.pattern]]
name = "house-mark"
text = "not to be told"
"""
ALLOWS = {"data": ["marks"], "told": ["told"], "numbers": ["numbers"], "sealed": ["readable"], "nvme": [], "files": [],
          "memory": ["marks", "numbers"]}
MARK = b"not to be told"
PASSES, ENDS = ("forward", "flow_established"), ("drop", "inspect_signature")
generator = random.Random(17)


def policy(on_match="deny", attach="", more=""):
    text = POLICY.format(on_match=on_match, attach=attach)
    for service, inspections in ALLOWS.items():
        text += f'[[allow]]\nname = "{service}"\nfrom = "trainers"\nto = "others"\nwith = ["{service}"]\n'
        if inspections:
            text += f"inspect = {inspections}\n".replace("'", '"')
        if service == "memory":
            text += "first_use = 99\n"
    return text + more


def ends():
    if generator.random() < 0.3:
        return [ipaddress.ip_address(f"fd00:{net}::{generator.randrange(1, 65536):x}") for net in (20, 30)]
    return [ipaddress.ip_address(f"10.{net}.0.0") + generator.randrange(1, 65536) for net in (20, 30)]


def talk(capture, port):
    return Talk(capture, *ends(), (generator.randrange(20000, 60000), port), generator)


def words(size):
    known = (b"all ", b"is ", b"well ", b"here ", b"and ", b"there ")
    return b"".join(generator.choice(known) for _ in range(size))[:size]


def weights(count):
    """bf16, of the usual size."""
    return b"".join(struct.pack(">f", generator.gauss(0, 0.02))[1::-1] for _ in range(count))


def say(one, data, wanted, answer):
    """The client's next bytes, and that the server has them."""
    one.send(0, "PA", data, wanted)
    one.next[0] = one.next[0] + len(data) & 0xFFFFFFFF
    one.send(1, "A", b"", answer)


class Stream:
    """What one end of a talk says, by a naive reading of what may pass: the receiver has all before `taken`."""

    def __init__(self, one, by, data):
        self.talk, self.by, self.data, self.base, self.taken, self.sent = one, by, data, one.next[by], 0, b""

    def send(self, begin, end, wanted, data=None):
        data = self.data[begin:end] if data is None else data
        self.talk.send(self.by, "PA", data, wanted, at=self.base + begin & 0xFFFFFFFF)

    def acknowledge(self):
        self.talk.next[self.by] = self.base + self.taken & 0xFFFFFFFF
        self.talk.send(self.by ^ 1, "A", b"", PASSES)


def told_in_pieces(capture, mark_at, size):
    """A stream in random segments, early and again; True when the mark was met. All of it lies in what is read."""
    data = words(mark_at) + (MARK if mark_at + len(MARK) <= size else b"") + words(size)
    one = Stream(talk(capture, 9000), generator.randrange(2), data[:size])
    has_mark, mark_end = MARK in one.data, one.data.find(MARK) + len(MARK)
    while one.taken < size:
        end = min(size, one.taken + generator.choice([1, 3, 90, 700, 1400]))
        ahead = end + generator.randrange(1, 50)
        if generator.random() < 0.15 and ahead < size:
            one.send(ahead, min(size, ahead + 40), ("drop", "stream_ahead"))
        if has_mark and end >= mark_end:
            one.send(one.taken, end, ENDS)
            one.send(one.taken, end, ENDS)
            one.talk.send(one.by ^ 1, "A", b"", ENDS)
            return True
        one.send(one.taken, end, PASSES)
        if generator.random() < 0.1:
            one.send(one.taken, end, PASSES)
        one.taken = end
        if generator.random() < 0.5:
            one.acknowledge()
    return False


def streams(weir, rounds):
    capture, met = Capture(), 0
    for turn in range(rounds):
        size = generator.randrange(20, 9000)
        met += told_in_pieces(capture, generator.randrange(size) if turn % 3 else size, size)
    # Another word of what is not acknowledged yet.
    one = Stream(talk(capture, 9000), 0, words(400))
    one.send(0, 100, PASSES)
    one.send(0, 100, ("drop", "stream_differs"), b"x" * 100)
    one.send(100, 200, ("drop", "stream_differs"))
    return verdict("streams", capture, capture.judge(weir, policy())), met >= rounds // 3


def verdict(name, capture, decided):
    wrong = compare(name, capture, decided)
    print(f"{name}: {len(capture.packets)} packets, {wrong} not as they should be")
    return wrong


def after_a_new_connection(weir):
    """One that was ended may begin anew by a SYN from the same port, and is read anew."""
    capture = Capture()
    one = talk(capture, 9000)
    one.send(0, "PA", MARK, ENDS)
    one.next = [one.next[0] + 900_000 & 0xFFFFFFFF, generator.randrange(2**32)]
    one.send(0, "S", b"", ("forward", "flow_new"))
    one.next[0] += 1
    one.send(1, "SA", b"", PASSES)
    one.next[1] += 1
    one.send(0, "PA", b"harmless", PASSES)
    one.next[0] += 8
    one.send(0, "PA", MARK, ENDS)
    return verdict("anew", capture, capture.judge(weir, policy()))


def formats(weir):
    """The shipped signatures, by name in the decision; and what is told passes."""
    capture = Capture()
    gguf = struct.pack("<4sIQQ", b"GGUF", 3, 291, 20) + words(100)
    talk(capture, 9000).send(1, "PA", gguf, ENDS)
    named = len(capture.packets) - 1
    told = talk(capture, 9002)
    told.send(0, "PA", MARK, PASSES)
    told.next[0] += len(MARK)
    told.send(0, "PA", MARK, PASSES)
    decided = capture.judge(weir, policy())
    wrong = verdict("formats", capture, decided)
    if decided[named].get("found") != "gguf":
        print("formats: the signature is not named", decided[named], file=sys.stderr)
        wrong += 1
    return wrong


def protocols(weir):
    capture = Capture()
    request = b"\0\0\x80\0\x80\0\0\0" + bytes(120)
    good = talk(capture, 4420)
    for cut in range(0, 128, 9):
        good.send(0, "PA", request[cut:cut + 9], PASSES)
        good.next[0] += len(request[cut:cut + 9])
    other = talk(capture, 4420)
    other.send(0, "PA", b"SSH-2.0-OpenSSH_9.2\r\n", ("drop", "inspect_protocol"))
    other.send(0, "PA", request, ("drop", "inspect_protocol"))
    call = struct.pack(">IIIIIII", 0x80000040, 7, 0, 2, 100003, 4, 1) + bytes(40)
    talk(capture, 2049).send(0, "PA", call, PASSES)
    talk(capture, 2049).send(0, "PA", call.replace(struct.pack(">I", 100003), struct.pack(">I", 100005)),
                             ("drop", "inspect_protocol"))
    return verdict("protocols", capture, capture.judge(weir, policy()))


def datagram(capture, source, target, port, data, wanted, **more):
    packet = (frames.ipv4 if source.version == 4 else frames.ipv6)(
        source, target, frames.UDP, frames.udp(source, target, 5000, port, data), **more)
    capture.frame("inside", frames.ethernet(frames.mac_of(source), frames.mac_of(target),
                                            frames.ETHERTYPE[source.version], packet), wanted)


def datagrams(weir):
    capture = Capture()
    source, target = (ipaddress.ip_address(one) for one in ("10.20.0.9", "10.30.0.9"))
    datagram(capture, source, target, 9001, words(90), ("forward", "flow_new"))
    datagram(capture, source, target, 9001, words(90), PASSES)
    datagram(capture, source, target, 9001, words(40) + MARK, ENDS)
    datagram(capture, source, target, 9001, words(90), ENDS)
    datagram(capture, source + 1, target, 9001, MARK, ENDS)
    # In two fragments nobody can look at it.
    whole = frames.udp(source + 2, target, 5000, 9001, words(1000) + MARK)
    for at, end, more in ((0, 512, 1), (512, len(whole), 0)):
        packet = frames.ipv4(source + 2, target, frames.UDP, whole[at:end], fragment=more << 13 | at // 8,
                             identification=77)
        capture.frame("inside", frames.ethernet(frames.mac_of(source + 2), frames.mac_of(target), 0x0800, packet), None)
    decided = capture.judge(weir, policy())
    wrong = verdict("datagrams", capture, decided)
    ended = [one for one in decided if one["verdict"] != "hold"][-2:]
    if [one["reason"] for one in ended] != ["inspect_fragment"] * 2:
        print("datagrams: fragments", ended, file=sys.stderr)
        wrong += 1
    return wrong


def until_ended(capture, send, count):
    """Where the packets stand that `send` makes; which of them end the flow is read from the decisions."""
    first = len(capture.packets)
    for turn in range(count):
        send(turn)
    return range(first, len(capture.packets))


def tensors(weir):
    capture, spans = Capture(), {}
    numbers = weights(40_000)
    one = talk(capture, 9003)

    part = lambda turn, size: numbers[turn * size:turn * size + size]  # noqa: E731
    spans["tcp"] = until_ended(capture, lambda turn: say(one, part(turn, 1400), None, None), 40)
    source, target = (ipaddress.ip_address(one) for one in ("10.20.0.9", "10.30.0.9"))
    spans["udp"] = until_ended(capture, lambda turn: datagram(
        capture, source, target, 9003, part(turn, 1400), None), 40)
    spans["rdma"] = until_ended(capture, lambda turn: capture.row(
        f"rdma 10.20.0.9 > 10.30.0.9 write-only qp=70 psn={turn} data={part(turn, 1024).hex()}",
        "inside", None), 40)
    quiet = talk(capture, 9003)
    for _ in range(60):
        say(quiet, words(1400), PASSES, PASSES)
    decided = capture.judge(weir, policy())
    wrong = verdict("tensors", capture, decided)
    for name, span in spans.items():
        dropped = [at for at in span if decided[at]["reason"] == "inspect_tensor"]
        passed = sum(len(capture.packets[at][2]) for at in span if decided[at]["verdict"] == "forward")
        if not dropped or dropped[-1] != span[-1] or passed > 65536:
            print(f"tensors over {name}: {passed} bytes passed, {len(dropped)} of {len(span)} dropped", file=sys.stderr)
            wrong += 1
        print(f"tensors over {name}: {passed} bytes before the verdict")
    return wrong


def opaque(weir):
    capture = Capture()
    one = talk(capture, 9004)
    for _ in range(1600):
        say(one, generator.randbytes(1400), None, None)
    decided = capture.judge(weir, policy())
    passed = sum(len(packet[2]) for packet, got in zip(capture.packets, decided) if got["verdict"] == "forward")
    wrong = verdict("opaque", capture, decided) + (decided[-1]["reason"] != "inspect_opaque")
    print(f"opaque: {passed} bytes before the verdict")
    return wrong + (passed > 2_100_000)


def memory(weir):
    """Over RDMA: what ends one direction ends the other."""
    capture = Capture()
    capture.row("rdma 10.20.0.9 > 10.30.0.9 write-only qp=70 psn=1 size=64", "inside", ("forward", "flow_new"))
    capture.row("rdma 10.30.0.9 > 10.20.0.9 ack qp=71 psn=1", "outside", ("forward", "flow_new"))
    capture.row(f"rdma 10.20.0.9 > 10.30.0.9 write-only qp=70 psn=2 data={(words(50) + MARK).hex()}", "inside", ENDS)
    capture.row("rdma 10.20.0.9 > 10.30.0.9 write-only qp=70 psn=3 size=64", "inside", ENDS)
    capture.row("rdma 10.30.0.9 > 10.20.0.9 ack qp=71 psn=3", "outside", ENDS)
    return verdict("memory", capture, capture.judge(weir, policy()))


def main(weir, rounds):
    wrong, met_enough = streams(weir, rounds)
    for case in (after_a_new_connection, formats, protocols, datagrams, tensors, opaque, memory):
        wrong += case(weir)
    return 1 if wrong or not met_enough else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60))
