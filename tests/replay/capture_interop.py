#!/usr/bin/python3
"""Capture files that others write are read, and what we write others read: scapy, editcap, mergecap and text2pcap make
the same packets in every dialect, `weir replay --annotated` copies them, tshark and scapy read the copy.

    capture_interop.py WEIR"""
import decimal
import logging
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

POLICY = 'version = 1\n[policy]\nname = "nothing"\n[segment.a]\ncidr = ["10.0.0.0/8"]\n'
BEGIN = 1_700_000_000


def needed():
    missing = [tool for tool in ("editcap", "mergecap", "text2pcap", "tshark") if not shutil.which(tool)]
    try:
        import scapy.utils  # noqa: F401
    except ImportError:
        missing.append("scapy")
    if missing:
        print(f"skipped: without {', '.join(missing)}")
        sys.exit(77)


def tool(*command, **keywords):
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, **keywords)
    return done.stdout


def made_packets():
    """(microseconds, frame): random bytes of many sizes, at times that need every digit."""
    chance = random.Random(5)
    return [(BEGIN * 1_000_000 + number * 1_000_003, chance.randbytes(size))
            for number, size in enumerate([0, 1, 13, 14, 15, 42, 59, 60, 64, 1499, 1500, 1514, 9000, 65535] * 4)]


def write_all(folder, packets):
    """{file: its packets as they must come out}."""
    from scapy.utils import RawPcapNgWriter, RawPcapWriter
    wanted = {}
    for name, options in {"little": {"endianness": "<"}, "big": {"endianness": ">"},
                          "nano": {"nano": True}, "nano-big": {"nano": True, "endianness": ">"}}.items():
        writer = RawPcapWriter(str(folder / f"{name}.pcap"), linktype=1, **options)
        writer.write_header(None)
        for time, frame in packets:
            fraction = time % 1_000_000 * (1000 if "nano" in name else 1)
            writer.write_packet(frame, sec=time // 1_000_000, usec=fraction, caplen=len(frame), wirelen=len(frame))
        writer.close()
        wanted[f"{name}.pcap"] = packets
    writer = RawPcapNgWriter(str(folder / "scapy.pcapng"))
    writer.write_header(None)
    for time, frame in packets:
        writer.write_packet(frame, sec=decimal.Decimal(time) / 1_000_000)
    writer.close()
    wanted["scapy.pcapng"] = packets
    base = folder / "little.pcap"
    for name, words in {"pcapng": ["-F", "pcapng"], "nsecpcap": ["-F", "nsecpcap"],
                        "comments": ["-F", "pcapng", "-a", "3:hello"]}.items():
        tool("editcap", *words, base, folder / f"editcap-{name}")
        wanted[f"editcap-{name}"] = packets
    tool("editcap", "-s", "60", "-F", "pcapng", base, folder / "snapped")
    wanted["snapped"] = [(time, frame[:60]) for time, frame in packets]
    tool("mergecap", "-a", "-I", "none", "-w", folder / "interfaces", base, folder / "big.pcap")
    wanted["interfaces"] = packets + packets
    sections = (folder / "editcap-pcapng").read_bytes()
    (folder / "sections").write_bytes(sections + sections)
    wanted["sections"] = packets + packets
    dump = "".join(f"{time // 1_000_000}.{time % 1_000_000:06}\n" + "".join(
        f"{at:06x} {frame[at:at + 16].hex(' ')}\n" for at in range(0, len(frame), 16))
                   for time, frame in packets if frame)
    tool("text2pcap", "-t", "%s.%f", "-", folder / "text2pcap", input=dump, env={"TZ": "UTC", "PATH": "/usr/bin"})
    wanted["text2pcap"] = [packet for packet in packets if packet[1]]
    return wanted


def held(packets):
    """Times as replay gives them: a step back is held."""
    out, last = [], 0
    for time, frame in packets:
        last = max(last, time)
        out.append((last, frame))
    return out


def read_copy(path):
    """The packets of our pcapng, as scapy reads them."""
    from scapy.utils import RawPcapNgReader
    packets = []
    for data, meta in RawPcapNgReader(str(path)):
        packets.append((((meta.tshigh << 32) | meta.tslow) * 1_000_000 // meta.tsresol, bytes(data)))
    return packets


def main(weir):
    logging.getLogger("scapy").setLevel(logging.ERROR)
    needed()
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "policy.toml").write_text(POLICY)
        for file, packets in write_all(folder, made_packets()).items():
            copy = folder / "copy.pcapng"
            tool(weir, "replay", folder / "policy.toml", "--inside", folder / file, "--annotated", copy)
            if read_copy(copy) != held(packets):
                wrong.append(f"{file}: scapy reads other packets out of our copy")
            lines = tool("tshark", "-r", copy, "-T", "fields", "-e", "frame.cap_len", "-e", "frame.interface_name",
                         "-e", "frame.comment").splitlines()
            if len(lines) != len(packets):
                wrong.append(f"{file}: tshark reads {len(lines)} packets, not {len(packets)}")
            for (_, frame), line in zip(packets, lines):
                size, port, comment = line.split("\t")
                if int(size) != len(frame) or port != "inside" or not comment.startswith("drop "):
                    wrong.append(f"{file}: tshark reads {line!r} for a frame of {len(frame)} bytes")
                    break
    print("\n".join(wrong) if wrong else "every dialect is read, every copy too")
    sys.exit(1 if wrong else 0)


main(sys.argv[1])
