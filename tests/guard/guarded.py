"""A guarded interface between two network namespaces, and what its tests need: a bpffs of their own in a mount
namespace of their own, frames by hand, listeners. What is made here is gone when the test ends."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "netns"))
import namespaces

MACHINE, OPERATOR, OTHER = "10.99.0.1", "10.99.0.2", "10.99.0.3"
POLICY = f"""version = 1
[policy]
name = "out-of-band"
[link]
arp = true
nd = true
[segment.machine]
cidr = ["{MACHINE}/32"]
attach = ["oob"]
[segment.operators]
cidr = ["{OPERATOR}/32"]
[port.oob]
addresses = ["{MACHINE}/32"]
[service]
shell = {{ tcp = [22] }}
reports = {{ tcp = [443], udp = [514] }}
ping = {{ icmp = ["echo"] }}
[[allow]]
name = "operators-in"
from = "operators"
to = "machine"
with = ["shell", "ping"]
"""
REPORTS = """[[allow]]
name = "reports-out"
from = "machine"
to = "operators"
with = ["reports"]
"""


def in_own_mounts():
    """Runs the calling test anew in a mount namespace with a bpffs, unless it is there; returns where that is."""
    place = os.environ.get("WEIR_GUARD_BPFFS")
    if place:
        subprocess.run(["mount", "-t", "bpf", "bpf", place], check=True)
        return place
    namespaces.skip_unless_possible("veth", "unshare", "mount", "nc")
    folder = f"/tmp/weir-guard-bpffs-{os.getpid()}"
    os.mkdir(folder)
    done = subprocess.run(["unshare", "--mount", "--propagation", "slave", sys.executable, *sys.argv],
                          env=os.environ | {"WEIR_GUARD_BPFFS": folder}, check=False)
    os.rmdir(folder)
    sys.exit(done.returncode)


class Guarded:
    """`machine` with oob0, which is guarded, and `far` behind the cable with OPERATOR and OTHER."""

    def __init__(self, net, guard, weir, bpffs):
        self.net, self.guard, self.weir = net, guard, weir
        self.pins = f"{bpffs}/weir"
        self.generation = 0
        net.link("machine", "oob0", "far", "far0")
        net.address("machine", "oob0", f"{MACHINE}/24")
        net.address("far", "far0", f"{OPERATOR}/24", f"{OTHER}/24")

    def image(self, policy):
        self.generation += 1
        path = f"{self.net.folder}/policy-{self.generation}"
        pathlib.Path(path + ".toml").write_text(policy, encoding="utf-8")
        made = subprocess.run([self.weir, "compile", path + ".toml", "-o", path + ".img", "--generation",
                               str(self.generation)], capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        return path + ".img"

    def act(self, *arguments, code=0):
        got, said = self.net.call("machine", self.guard, "--pins", self.pins, *arguments)
        assert got == code, f"weir-guard {arguments}: {got}\n{said}"
        return said

    def attach(self, policy, *options):
        return self.act("attach", "--policy", self.image(policy), "--interface", "oob0=oob", *options)

    def status(self, code=0):
        return json.loads(self.act("status", "-o", "json", code=code))

    def counts(self, way):
        return {name: row["packets"] for name, row in self.status()["interfaces"][0][way]["reasons"].items()}

    def pings(self, side, source, target):
        code, _ = self.net.call(side, "timeout", "2", "ping", "-n", "-c", "1", "-W", "1", "-I", source, target)
        return code == 0

    def listen(self, side, address, port, *options):
        process = self.net.start(side, "nc", "-l", "-k", *options, address, str(port), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL)
        time.sleep(0.2)
        return process

    def connects(self, side, source, target, port):
        code, _ = self.net.call(side, "nc", "-z", "-w", "1", "-s", source, target, str(port))
        return code == 0

    def raw(self, side, device, *frames):
        """Frames as they are, from a process that speaks Ethernet."""
        program = ("import socket, sys\n"
                   "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
                   "s.bind((sys.argv[1], 0))\n"
                   "for frame in sys.argv[2:]:\n"
                   "  try: s.send(bytes.fromhex(frame))\n"
                   "  except OSError: pass\n")  # a frame that is dropped on its way out
        code, said = self.net.call(side, sys.executable, "-c", program, device, *(frame.hex() for frame in frames))
        assert code == 0, said

    def mac(self, side, device):
        _, said = self.net.call(side, "cat", f"/sys/class/net/{device}/address")
        _, said = self.net.call(side, "ip", "-j", "link", "show", device)
        return bytes.fromhex(json.loads(said)[0]["address"].replace(":", ""))


class Witness:
    """Counts what arrives at a device."""

    def __init__(self, net, side, device):
        self.path = f"{net.folder}/witness-{device}.pcap"
        self.process = net.start(side, "tcpdump", "-i", device, "-w", self.path, "-U", "--immediate-mode",
                                 stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 10
        while not os.path.exists(self.path) or os.path.getsize(self.path) < 24:
            assert time.monotonic() < limit, "tcpdump does not begin"
            time.sleep(0.05)

    def frames(self):
        """(bytes on the wire, frame) of each, when there is no more to come."""
        time.sleep(0.5)
        namespaces.end(self.process, 2)
        data, at, found = pathlib.Path(self.path).read_bytes(), 24, []
        while at + 16 <= len(data):
            kept, whole = (int.from_bytes(data[at + place:at + place + 4], "little") for place in (8, 12))
            found.append((whole, data[at + 16:at + 16 + kept]))
            at += 16 + kept
        return found


def begin():
    """What every test here does first: a bpffs, and the place where pins may lie."""
    bpffs = in_own_mounts()
    assert shutil.which("tcpdump"), "tcpdump is wanted"
    return bpffs
