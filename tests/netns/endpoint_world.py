"""The world of the endpoint tests: two hosts with servers, Weir between them, and optionally a bad wire behind Weir.

    namespace left       namespace mid          namespace wire         namespace right
    10.77.0.1, fd77::1   weir-dataplane                                10.77.0.2, fd77::2
        L0 ───────────── L1 inside | outside R1 ─── X0  impair  X1 ─── R0

Without a wire R1's far end is R0. It also says which packets Weir dropped: a legitimate conversation has none."""
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "edge"))

from dataplane import stats_of  # noqa: E402
from namespaces import LEFT, RIGHT, Dataplane, Net, compile_policy, end, ip, policy_of_two  # noqa: E402

ACTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "endpoint_acts.py")
WEB, ECHO, CLOSER, SSH, IPERF = 8080, 8081, 8082, 2222, 5201
# Router solicitations and multicast listener reports, which hosts send by themselves.
HOST_NOISE = {"link_ra_off", "no_allow"}
POLICY = policy_of_two("endpoints", {"talk": f"tcp = [{WEB}, {ECHO}, {CLOSER}, {SSH}, {IPERF}]",
                                     "iperf": f"udp = [{IPERF}]", "tracepath": 'udp = ["44444-44600"]',
                                     "ping": 'icmp = ["echo"]'})


def reasons_in(header):
    """(name, verdict) of the reasons, in order, from dataplane/packet/reason.hpp."""
    with open(header, encoding="utf-8") as file:
        return re.findall(r"^\s+X\((\w+), (\w+),", file.read(), re.MULTILINE)


class World:
    """`wish` maps options of the bad wire to values; None: no such wire. `kind` is af_packet or tap."""

    def __init__(self, programs, kind="af_packet", wish=None, mtu=1500, workers=1, queues=1, cpu=None, ring=512):
        self.programs, self.kind, self.wish, self.mtu = programs, kind, wish, mtu
        self.workers, self.queues, self.cpu = workers, queues, cpu
        self.ring = ring  # frames
        self.net = Net("left", "mid", "right", *(["wire"] if wish is not None else []))
        self.reasons = reasons_in(programs["reasons"])
        self.wire = self.dataplane = self.devices = None

    def __enter__(self):
        self.net.__enter__()
        try:
            self.build()
        except BaseException:
            self.net.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.net.__exit__()

    def build(self):
        net = self.net
        compile_policy(net, self.programs["weir"], POLICY)
        if self.kind == "tap":
            self.devices = ["net_tap0,iface=L0", "net_tap1,iface=R0"]
        else:
            net.link("left", "L0", "mid", "L1", self.mtu)
            if self.wish is None:
                net.link("mid", "R1", "right", "R0", self.mtu)
            else:
                net.link("mid", "R1", "wire", "X0", self.mtu)
                net.link("wire", "X1", "right", "R0", self.mtu)
            self.devices = [f"net_af_packet{n},iface={name},{self.buffers()}" for n, name in enumerate(("L1", "R1"))]
        self.start_dataplane()
        for side, device, (four, six) in (("left", "L0", LEFT), ("right", "R0", RIGHT)):
            if self.kind == "tap":
                ip("-n", net.names["mid"], "link", "set", device, "netns", net.names[side])
            net.address(side, device, f"{four}/24", f"{six}/64")
        if self.wish is not None:
            self.rewire(self.wish)

    def start_dataplane(self):
        self.dataplane = Dataplane(self.net, "mid", self.programs["dataplane"], self.devices, self.workers,
                                   cpu=self.cpu)
        return self.dataplane

    def buffers(self):
        """net_af_packet cuts what is longer than a frame of its ring (2048 bytes unless told) without a word."""
        if self.mtu > 1900:
            return f"qpairs={self.queues},framesz=16384,blocksz=16384,framecnt={self.ring // 2}"
        return f"qpairs={self.queues},framecnt={self.ring}"

    def rewire(self, wish):
        """Another bad wire in place of this one; what the old one counted."""
        counted = self.unwire()
        words = [word for name, value in wish.items() for word in (f"--{name}", value)]
        self.wire = self.net.start("wire", self.programs["impair"], "X0", "X1", *words, stdout=subprocess.PIPE,
                                   text=True)
        assert self.wire.stdout.readline() == "ready\n", "impair does not start"
        return counted

    def unwire(self):
        if self.wire is None:
            return {}
        code = end(self.wire, signal.SIGTERM)
        assert code == 0, f"impair ended with {code}"
        words = self.wire.stdout.read().split()
        self.wire = None
        return dict(zip(words[0::2], map(int, words[1::2])))

    def serve(self, side, act, *arguments):
        process = self.net.start(side, sys.executable, ACTS, act, *arguments, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n", f"{act} does not start"

    def act(self, side, act, *arguments, timeout=60):
        code, said = self.net.call(side, sys.executable, ACTS, act, *arguments, timeout=timeout)
        assert code == 0, f"{act} {' '.join(map(str, arguments))}: {said}"

    def call(self, side, *command, timeout=60):
        """The output of a command that must succeed."""
        code, said = self.net.call(side, *command, timeout=timeout)
        assert code == 0, f"{' '.join(map(str, command))}: exit code {code}\n{said}"
        return said

    def iperf(self, address, *options, seconds):
        """iperf3's own report of its end; one server per run, which ends with it."""
        server = self.net.start("right", "iperf3", "--server", "--one-off", "--port", IPERF, "--json",
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        limit = time.monotonic() + 10
        while not self.net.call("right", "ss", "-Hltn", f"sport = :{IPERF}")[1].strip():
            assert time.monotonic() < limit, "iperf3's server does not listen"
            time.sleep(0.05)
        code, said = self.net.call("left", "iperf3", "--client", address, "--port", IPERF, "--json", "--time", seconds,
                                   *options, timeout=40 + 3 * seconds)
        server.communicate(timeout=20)
        report = json.loads(said[said.index("{"):])
        assert code == 0 and "error" not in report, f"iperf3 {options}: {report.get('error', code)}"
        return report["end"]

    def file(self, name, count=None):
        """A path in the net's folder, with `count` random bytes in it."""
        path = os.path.join(self.net.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if count is not None:
            with open(path, "wb") as file:
                file.write(os.urandom(count))
        return path

    def counts(self):
        """Packets by reason, all workers together; `unsent` and `handed_over` among them."""
        with open(self.dataplane.stats_path, "rb") as file:
            workers = stats_of(file.read(), [name for name, _ in self.reasons])
        counts = {name: sum(worker["packets"][name] for worker in workers) for name, _ in self.reasons}
        for name in ("unsent", "handed_over"):
            counts[name] = sum(worker[name] for worker in workers)
        return counts

    def dropped_since(self, before):
        """What Weir dropped, by reason, apart from what hosts say by themselves."""
        now = self.counts()
        names = [name for name, verdict in self.reasons if verdict == "drop" and name not in HOST_NOISE]
        return {name: now[name] - before[name] for name in names + ["unsent"] if now[name] != before[name]}


def same_file(one, other):
    digests = []
    for path in (one, other):
        with open(path, "rb") as file:
            digests.append(hashlib.sha256(file.read()).hexdigest())
    return digests[0] == digests[1]
