#!/usr/bin/python3
"""What NCCL's ranks send each other, built by the C rules for structures (ctypes) from the layouts of each version, is
read back as what went in: which queue pairs belong together, at which addresses. And what is not as NCCL writes it is
doubtful. NCCL_LINES cuts every stream at every byte.

usage: nccl_built.py NCCL_LINES              compares
       nccl_built.py --seeds FOLDER          writes one connection of each version for the fuzzer
"""
import ctypes
import ipaddress
import pathlib
import random
import struct
import subprocess
import sys

generator = random.Random(230)
MAGIC = 0x564ab9f2fc4b9d6c
LAYOUTS = {"2.18": ("2.18.1",), "2.19": ("2.19.4",), "2.20": ("2.20.5", "2.22.3"),
           "2.24": ("2.24.3", "2.26.2", "2.28.3"), "2.29": ("2.29.7",), "2.30": ("2.30.7",)}
SIZES = {"2.18.1": 552, "2.19.4": 2600, "2.20.5": 3336, "2.22.3": 3336, "2.24.3": 3576, "2.26.2": 3584, "2.28.3": 3648,
         "2.29.7": 3744, "2.30.7": 4576}
LISTS = {"2.24": 20, "2.29": 20, "2.30": 37}
DEVICES_MAX = {"2.18": 1, "2.19": 1, "2.20": 2, "2.24": 4, "2.29": 4, "2.30": 8}


class Ece(ctypes.Structure):
    _fields_ = [("vendor", ctypes.c_uint32), ("options", ctypes.c_uint32), ("mask", ctypes.c_uint32)]


class QueuePair(ctypes.Structure):
    _fields_ = [("number", ctypes.c_uint32), ("ece", Ece), ("has_ece", ctypes.c_int), ("device", ctypes.c_int)]


class Gid(ctypes.Union):
    _fields_ = [("raw", ctypes.c_uint8 * 16), ("words", ctypes.c_uint64 * 2)]


class Device(ctypes.Structure):
    _fields_ = [("lid", ctypes.c_uint32), ("port", ctypes.c_uint8), ("mtu", ctypes.c_int), ("link", ctypes.c_uint8),
                ("gid", Gid), ("rkey", ctypes.c_uint32), ("remote", Gid)]


def flat(with_ece):
    """2.18 and 2.19: one device."""
    ece = [("ece", Ece * 128), ("has_ece", ctypes.c_int * 128)] if with_ece else []

    class Flat(ctypes.Structure):
        _fields_ = [("lid", ctypes.c_uint32), ("port", ctypes.c_uint8), ("link", ctypes.c_uint8),
                    ("number", ctypes.c_uint32 * 128)] + ece + [
                        ("gid", ctypes.c_uint64 * 2), ("mtu", ctypes.c_int), ("rkey", ctypes.c_uint32),
                        ("fifo", ctypes.c_uint64)]
    return Flat


def metadata(version):
    major, minor = (int(part) for part in version.split(".")[1:])
    devices = 8 if major >= 30 else 4 if major >= 24 else 2
    name = (80 if major >= 27 else 64) * devices + devices
    probing = [("probing", QueuePair * devices)] if (major, minor) >= (29, 7) else []
    recovery = [("recovery", QueuePair * devices)] if major >= 30 else []
    service = [("traffic_class", ctypes.c_int), ("level", ctypes.c_int)] if major >= 26 else []

    class Metadata(ctypes.Structure):
        _fields_ = [("pairs", QueuePair * 128)] + probing + recovery + [
            ("devices", Device * devices), ("name", ctypes.c_char * name), ("fifo", ctypes.c_uint64),
            ("count", ctypes.c_int)] + service
    return Metadata


def address():
    if generator.random() < 0.7:
        return ipaddress.IPv4Address(0x0a000000 + generator.randrange(2**24))
    return ipaddress.IPv6Address(f"fd00:{generator.randrange(65536):x}::{generator.randrange(1, 65536):x}")


def gid_of(place):
    return place.packed if place.version == 6 else bytes(10) + b"\xff\xff" + place.packed


class End:
    """One rank: its devices and queue pairs."""

    def __init__(self, version, count, devices, spares):
        self.version = version
        self.addresses = [address() for _ in range(devices)]
        first = generator.randrange(100, 2**24 - 1000)
        self.pairs = [(first + 2 * i + generator.randrange(2), i % devices) for i in range(count)]
        self.probing = [(first + 500 + i, i) for i in range(devices)] if spares else []
        self.recovery = [(first + 600 + i, i) for i in range(devices)] if spares else []

    def device_list(self, layout):
        size = LISTS.get(layout, 0)
        if not size:
            return b""
        slots = [generator.randrange(32) if i < len(self.addresses) or generator.random() < 0.3 else 0
                 for i in range(DEVICES_MAX[layout])]
        return struct.pack(f"<i{len(slots)}i", len(self.addresses), *slots) + bytes([1] if size == 37 else [])

    def told(self, layout):
        if layout in ("2.18", "2.19"):
            told = self.garbage(flat(layout == "2.19"))
            told.lid, told.port, told.link, told.mtu = 0, 1, 2, 5
            for i, (number, _) in enumerate(self.pairs):
                told.number[i] = number
            if layout == "2.19":
                for i in range(len(self.pairs)):
                    told.ece[i] = Ece(0x15b3, 0x30000002, 0)
                    told.has_ece[i] = 1
            told.gid[0], told.gid[1] = struct.unpack("<QQ", gid_of(self.addresses[0]))
            return told
        kind = metadata(self.version)
        told = self.garbage(kind) if layout == "2.20" else kind()
        self.fill(told.pairs, self.pairs)
        self.fill(getattr(told, "probing", []), self.probing)
        self.fill(getattr(told, "recovery", []), self.recovery)
        for device, place in zip(told.devices, self.addresses):
            device.lid, device.port, device.mtu, device.link, device.rkey = 0, 1, generator.randrange(1, 6), 2, 77
            device.gid.raw = (ctypes.c_uint8 * 16)(*gid_of(place))
        told.name, told.fifo, told.count = b"mlx5_0", 0x7f0000001000, len(self.addresses)
        return told

    @staticmethod
    def garbage(kind):
        """Memory that nobody cleared."""
        return kind.from_buffer(bytearray(generator.randbytes(ctypes.sizeof(kind))))

    @staticmethod
    def fill(entries, pairs):
        for entry, (number, device) in zip(entries, pairs):
            entry.number, entry.device = number, device
            entry.ece, entry.has_ece = (Ece(0x15b3, 0x30000002, 0), 1) if generator.random() < 0.5 else (Ece(), 0)

    def stream(self, layout, told):
        return self.device_list(layout) + bytes(told)


def run_of(told):
    """As many of a flat table as could be queue pairs, each another."""
    seen = []
    for number in told.number:
        if not 1 < number < 2**24 or number in seen:
            break
        seen.append(number)
    return [(number, 0) for number in seen]


def connection(layout, magic=MAGIC, kind=4):
    version = generator.choice(LAYOUTS[layout])
    spares = layout in ("2.29", "2.30") and generator.random() < 0.5
    devices = [generator.randrange(1, DEVICES_MAX[layout] + 1) for _ in range(2)]
    each = generator.choice([1, 1, 2, 4, 8])
    # From 2.24 on both ends make as many as the one that has more devices.
    counts = [each * max(devices)] * 2 if layout >= "2.24" else [each * count for count in devices]
    if generator.random() < 0.1 and layout >= "2.24":
        devices, counts = [1, 1], [128, 128]
    ends = [End(version, count, number, spares) for count, number in zip(counts, devices)]
    told = [end.told(layout) for end in ends]
    assert ctypes.sizeof(type(told[0])) == SIZES[version], (version, ctypes.sizeof(type(told[0])))
    if layout in ("2.18", "2.19"):
        for end, what in zip(ends, told):
            end.pairs = run_of(what)
    return ends, told, struct.pack("<QI", magic, kind)


def expected(layout, ends, magic, kind):
    client, server = ends
    words = ["pairs", layout, f"{magic:016x}", str(kind), "pairs"]
    lists = [(client.pairs, server.pairs, "data")]
    for i in range(8):
        lists += [(client.probing[i:i + 1], server.probing[i:i + 1], "probing"),
                  (client.recovery[i:i + 1], server.recovery[i:i + 1], "recovery" if layout == "2.30" else None)]
    for ours, theirs, use in lists:
        for (one, device), (other, far) in zip(ours, theirs) if use else ():
            words.append(f"{client.addresses[device]}/{one}-{server.addresses[far]}/{other}:{use}")
    return " ".join(words)


def spoiled(layout, told):
    """One thing that NCCL would not write; True when it shows."""
    pairs = getattr(told, "pairs", None)
    ways = [lambda: setattr(told.devices[0] if pairs else told, "link", 1),
            lambda: setattr(told.devices[0] if pairs else told, "mtu", 9),
            lambda: setattr(told.devices[0] if pairs else told, "port", 0),
            lambda: setattr(pairs[0] if pairs else told, "number" if pairs else "lid", 2**24 + 5)]
    if pairs:
        ways += [lambda: setattr(pairs[0], "device", 7 if layout == "2.30" and told.count < 8 else 9),
                 lambda: setattr(told.devices[0], "lid", 4),
                 lambda: setattr(told.devices[0].gid, "raw", (ctypes.c_uint8 * 16)(*[0xff] * 16))]
        if layout >= "2.24":
            ways += [lambda: setattr(pairs[127], "number", 2**25),
                     lambda: setattr(pairs[1], "number", pairs[0].number) or setattr(pairs[1], "device", 0)]
    generator.choice(ways)()


def cases():
    for layout in LAYOUTS:
        for round_of in range(12):
            magic = generator.choice([MAGIC, generator.randrange(2**64)])
            ends, told, hello = connection(layout, magic)
            streams = [hello + ends[0].stream(layout, told[0]), ends[1].stream(layout, told[1])]
            if round_of % 2:
                streams[0] += struct.pack("<i", 1)  # "ready", which follows
            yield streams, expected(layout, ends, magic, 4)
        for _ in range(12):
            ends, told, hello = connection(layout)
            spoiled(layout, told[0])
            # A flat one is short: it may be taken for the beginning of a longer one, which never comes.
            yield [hello + ends[0].stream(layout, told[0]), b"\0"], \
                "doubtful" if layout >= "2.20" else "doubtful or undecided"
            ends, told, hello = connection(layout)
            spoiled(layout, told[1])
            yield [hello + ends[0].stream(layout, told[0]), ends[1].stream(layout, told[1])], \
                f"pairs {layout} {MAGIC:016x} 4 doubtful"
    for kind, answer in ((1, "hello"), (2, "hello"), (3, "hello"), (5, "hello"), (0, "not_nccl"), (6, "not_nccl")):
        yield [struct.pack("<QI", MAGIC, kind) + generator.randbytes(50), b"\0"], f"{answer} none {MAGIC:016x} {kind}"
    ends, told, hello = connection("2.24")
    whole = hello + ends[0].stream("2.24", told[0])
    yield [whole[:2000], b"\0"], "undecided"


def main(program):
    built = list(cases())
    lines = "".join(f"{client.hex()} {server.hex()}\n" for (client, server), _ in built)
    answer = subprocess.run([program], input=lines, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        sys.exit(answer.stderr)
    got = answer.stdout.splitlines()
    wrong = [(want, line) for (_, want), line in zip(built, got)
             if line != want and line.split()[0] not in want.split(" or ")]
    for want, line in wrong[:5]:
        print(f"expected {want}\n     got {line}")
    if wrong or len(got) != len(built):
        sys.exit(f"{len(wrong)} of {len(built)} differ, {len(got)} answered")
    pairs = sum(line.count("-") for line in got)
    print(f"{len(built)} connections, {pairs} queue pairs paired, each stream cut at every byte")


def seeds(folder):
    for layout in LAYOUTS:
        ends, told, hello = connection(layout)
        client = hello + ends[0].stream(layout, told[0])
        pathlib.Path(folder, layout).write_bytes(
            struct.pack("<H", len(client)) + client + ends[1].stream(layout, told[1]))


if __name__ == "__main__":
    if sys.argv[1] == "--seeds":
        seeds(sys.argv[2])
    else:
        main(sys.argv[1])
