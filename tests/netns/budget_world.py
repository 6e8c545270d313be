"""The world of the budget tests: a sender that offers far more than its budget, Weir with a ledger, and a far end that
writes down the time and length of every frame that came through.

    namespace left            namespace mid              namespace right
    raw frames                weir-dataplane             counts
        L0 ──────────────── L1 inside | outside R1 ──────────────── R0

The far end's clock is the kernel's, of the moment at which a frame came over the link."""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "edge"))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools", "capture"))

import frames  # noqa: E402
from namespaces import LEFT, RIGHT, Dataplane, end  # noqa: E402

FRAME_BYTES, TARGET_PORT = 1400, 5000
RECORD = struct.Struct("=QI")  # time in ns, bytes
CLOCK_NS, OUTGOING, RCVBUFFORCE = 35, 4, 33  # SO_TIMESTAMPNS, PACKET_OUTGOING, SO_RCVBUFFORCE
DEVICES = ["net_af_packet0,iface=L1,framecnt=4096", "net_af_packet1,iface=R1,framecnt=4096"]


def policy(name, limit_bytes, window, more=""):
    """LEFT may send UDP to RIGHT, so many bytes in any such window."""
    return f"""version = 1
[policy]
name = "{name}"
[segment.left]
cidr = ["{LEFT[0]}/32"]
[segment.right]
cidr = ["{RIGHT[0]}/32"]
[service]
data = {{ udp = [{TARGET_PORT}] }}
[[allow]]
name = "data"
from = "left"
to = "right"
with = ["data"]
[[budget]]
name = "out"
from = "left"
windows = {{ "{window}" = "{limit_bytes} B" }}
opening = "empty"
{more}
"""


def bytes_of(mac):
    return bytes.fromhex(mac.replace(":", ""))


def act_offer(device, target_mac, bytes_per_s):
    """Sends until SIGTERM, as evenly as it can; then says how many bytes."""
    over, sent = [], 0
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    source, target = frames.address(LEFT[0]), frames.address(RIGHT[0])
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((device, 0))
        payload = b"x" * (FRAME_BYTES - 14 - 20 - 8)
        packet = frames.ipv4(source, target, frames.UDP, frames.udp(source, target, 4000, TARGET_PORT, payload))
        frame = frames.ethernet(raw.getsockname()[4], bytes_of(target_mac), 0x0800, packet)
        assert len(frame) == FRAME_BYTES
        print("ready", flush=True)
        began = time.monotonic()
        while not over:
            due = (time.monotonic() - began) * float(bytes_per_s)
            if due - sent > float(bytes_per_s):  # it was held up for a second: what is late is not made up for
                began += (due - sent) / float(bytes_per_s)
            while sent < due and not over:
                raw.send(frame)
                sent += FRAME_BYTES
            time.sleep(0.002)
    print(sent, flush=True)


def act_count(device, path, source_mac):
    """Writes a RECORD for each frame that comes in from there, until SIGTERM."""
    over, source = [], bytes_of(source_mac)
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    ear.setsockopt(socket.SOL_SOCKET, RCVBUFFORCE, 256 << 20)
    ear.setsockopt(socket.SOL_SOCKET, CLOCK_NS, 1)
    ear.bind((device, 3))
    ear.settimeout(0.02)
    with open(path, "wb", buffering=0) as file:
        print("ready", flush=True)
        while not over:
            try:
                frame, told, _, place = ear.recvmsg(65536, 128)
            except TimeoutError:
                continue
            if place[2] != OUTGOING and frame[6:12] == source:
                seconds, rest = struct.unpack("qq", told[0][2])
                file.write(RECORD.pack(seconds * 10**9 + rest, len(frame)))
    lost = struct.unpack("II", ear.getsockopt(263, 6, 8))[1]  # SOL_PACKET, PACKET_STATISTICS
    return 1 if lost else 0


class Spawned(Dataplane):
    """That is not waited for."""

    def wait_until_live(self, seconds=20):
        pass


class World:
    def __init__(self, net, programs):
        self.net, self.programs = net, programs
        for side, name in (("left", "L"), ("right", "R")):
            net.link("mid", f"{name}1", side, f"{name}0")
        self.door, self.seen = f"{net.folder}/door", f"{net.folder}/seen"
        with open(f"{net.folder}/key", "wb") as file:
            file.write(os.urandom(32))
        os.chmod(f"{net.folder}/key", 0o600)
        self.far_end = self.started("right", "count", "R0", self.seen, self.mac("left", "L0"))
        self.sender = self.dataplane = None

    def started(self, side, act, *arguments):
        process = self.net.start(side, sys.executable, os.path.abspath(__file__), act, *arguments,
                                 stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n", f"{act} does not start"
        return process

    def mac(self, side, device):
        code, said = self.net.call(side, "ip", "-o", "link", "show", device)
        assert code == 0, said
        return said.split("link/ether ")[1].split()[0]

    def folder(self, name):
        return os.path.join(self.net.folder, name)

    def weir(self, *arguments, code=0):
        done = subprocess.run([self.programs["weir"], *map(str, arguments)], capture_output=True, text=True,
                              check=False, timeout=60)
        assert done.returncode == code, f"weir {arguments[0]}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def begin_ledger(self):
        return self.weir("budgets", "--begin", self.folder("ledger"), "--anchor", self.folder("anchor"), "--key",
                         self.folder("key"), "--first")

    def verify(self):
        """The ledger as JSON; an error unless it is sound."""
        return json.loads(self.weir("budgets", "--verify", self.folder("ledger/ledger"), "--key", self.folder("key"),
                                    "-o", "json"))

    def ledger_options(self, has_anchor):
        return ["--ledger", self.folder("ledger"), "--ledger-key", self.folder("key"),
                *(["--ledger-anchor", self.folder("anchor")] if has_anchor else [])]

    def compile(self, text, generation=1, image="policy.img"):
        with open(self.folder("policy.toml"), "w", encoding="utf-8") as file:
            file.write(text)
        self.weir("compile", self.folder("policy.toml"), "-o", self.folder(image), "--generation", generation)
        return self.folder(image)

    def start_dataplane(self, has_ledger=True, waits=True, workers=1, has_anchor=True, keeps=False):
        kind = Dataplane if waits else Spawned
        options = ["--door", self.door, *(self.ledger_options(has_anchor) if has_ledger else [])]
        options += ["--keep", self.folder("keep")] if keeps else []
        self.dataplane = kind(self.net, "mid", self.programs["dataplane"], DEVICES, workers, options)
        return self.dataplane

    def status(self):
        return json.loads(self.weir("door", self.door, "status", "-o", "json"))

    def offer(self, bytes_per_s):
        self.sender = self.started("left", "offer", "L0", self.mac("right", "R0"), bytes_per_s)

    def offer_until_quiet(self, bytes_per_s, least_s):
        """Offers for so long and until nothing has arrived for a second and a half, which is longer than a disk that
        others use keeps the ledger waiting; how many bytes were offered."""
        self.offer(bytes_per_s)
        began = quiet_since = time.monotonic()
        before = 0
        while time.monotonic() < max(began + least_s, quiet_since + 1.5) and time.monotonic() < began + 60:
            now = self.arrived_bytes()
            if now != before:
                before, quiet_since = now, time.monotonic()
        return self.stop_offering()

    def offer_for(self, seconds, bytes_per_s):
        self.offer(bytes_per_s)
        time.sleep(seconds)
        return self.stop_offering()

    def stop_offering(self):
        """How many bytes were offered."""
        code = end(self.sender, signal.SIGTERM)
        assert code == 0, f"the sender ended with {code}"
        return int(self.sender.stdout.read())

    def arrived(self):
        """[(time in ns, bytes)] so far, in order."""
        time.sleep(0.05)  # what is on its way
        with open(self.seen, "rb") as file:
            data = file.read()
        whole = len(data) // RECORD.size * RECORD.size
        return sorted(RECORD.iter_unpack(data[:whole]))

    def arrived_bytes(self):
        return sum(length for _, length in self.arrived())

    def stop_counting(self):
        assert end(self.far_end, signal.SIGTERM) == 0, "the far end has missed a frame"

    def keep_copy(self, name):
        shutil.copytree(self.folder("ledger"), self.folder(name))

    def restore_copy(self, name):
        shutil.rmtree(self.folder("ledger"))
        shutil.copytree(self.folder(name), self.folder("ledger"))


def most_in_any(window_s, arrived):
    """The most bytes in any interval of this length, both ends in it."""
    most = inside = first = 0
    for at, length in arrived:
        inside += length
        while arrived[first][0] < at - window_s * 10**9:
            inside -= arrived[first][1]
            first += 1
        most = max(most, inside)
    return most


if __name__ == "__main__":
    ACTS = {"offer": act_offer, "count": act_count}
    sys.exit(ACTS[sys.argv[1]](*sys.argv[2:]))
