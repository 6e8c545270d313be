"""Network namespaces for tests, the links between them, every process started in them, and the real weir-dataplane
among those. What is made here is removed again, also after a failure; processes end by their ids."""
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

SKIP = 77
LEFT, RIGHT = ("10.77.0.1", "fd77::1"), ("10.77.0.2", "fd77::2")  # the two hosts of most tests here


def policy_of_two(name, services):
    """One in which LEFT may open these services, a table of name to definition, at RIGHT."""
    return "\n".join(["version = 1", "[policy]", f'name = "{name}"', "[link]", "arp = true", "nd = true",
                      "[segment.left]", f'cidr = ["{LEFT[0]}/32", "{LEFT[1]}/128"]',
                      "[segment.right]", f'cidr = ["{RIGHT[0]}/32", "{RIGHT[1]}/128"]',
                      "[service]", *(f"{service} = {{ {definition} }}" for service, definition in services.items()),
                      "[[allow]]", 'name = "left-to-right"', 'from = "left"', 'to = "right"',
                      "with = [" + ", ".join(f'"{service}"' for service in services) + "]", ""])


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


def skip_unless_possible(kind, *tools):
    """Ends the program with 77 where namespaces or ports of this kind (tap, af_packet, af_xdp) cannot be made."""
    if os.geteuid() != 0:
        skip("network namespaces need root")
    for tool in ("ip", "nsenter", "ping", *tools):
        if shutil.which(tool) is None and not os.path.exists(tool):
            skip(f"no `{tool}` here")
    try:
        if kind == "tap":
            os.close(os.open("/dev/net/tun", os.O_RDWR))
        elif kind == "af_xdp":
            socket.socket(44, socket.SOCK_RAW).close()  # AF_XDP
    except OSError as error:
        skip(f"no {kind} here: {error}")
    probe = f"weir-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        skip(f"no network namespaces here: {made.stderr.strip()}")
    veth = subprocess.run(["ip", "-n", probe, "link", "add", "v0", "type", "veth", "peer", "name", "v1"],
                          capture_output=True, text=True, check=False)
    ip("netns", "delete", probe)
    if kind != "tap" and veth.returncode != 0:
        skip(f"no veth here: {veth.stderr.strip()}")


def ip(*arguments):
    try:
        subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise AssertionError(f"ip {' '.join(arguments)}: {error.stderr}") from None


class Net:
    """Namespaces by the names that the test gives them, and what runs in them."""

    made = 0

    def __init__(self, *sides):
        Net.made += 1
        self.names = {side: f"weir-{os.getpid()}-{Net.made}-{side}" for side in sides}
        self.processes = []
        self.folder = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="weir-netns-")
        for name in self.names.values():
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        for process in self.processes:
            end(process)
        for name in self.names.values():
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, side, *command, **options):
        # nsenter, not `ip netns exec`: that mounts a /sys of its own, without the bpffs that AF_XDP wants.
        process = subprocess.Popen(["nsenter", f"--net=/run/netns/{self.names[side]}", *map(str, command)], **options)
        self.processes.append(process)
        return process

    def call(self, side, *command, timeout=30):
        process = self.start(side, *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            said, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            end(process)
            raise AssertionError(f"{' '.join(map(str, command))} takes longer than {timeout} s") from None
        return process.returncode, said

    def link(self, side, device, other_side, other_device, mtu=1500):
        """A veth pair between two namespaces, both ends up, their hosts' frames complete."""
        ip("-n", self.names[side], "link", "add", device, "mtu", str(mtu), "type", "veth", "peer", "name",
           other_device, "mtu", str(mtu), "netns", self.names[other_side])
        for place, end_of_it in ((side, device), (other_side, other_device)):
            code, said = self.call(place, sys.executable, os.path.abspath(__file__), "plain_frames", end_of_it)
            assert code == 0, said
            ip("-n", self.names[place], "link", "set", end_of_it, "up")

    def address(self, side, device, *addresses):
        for address in addresses:
            ip("-n", self.names[side], "address", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
        ip("-n", self.names[side], "link", "set", device, "up")


def end(process, number=signal.SIGKILL):
    """Ends a process that a test started; its exit code."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


class Dataplane:
    """weir-dataplane in namespace `side`, its two devices a pair; on any core or on `cpu`. Its image and
    counters lie in the net's folder."""

    def __init__(self, net, side, binary, devices, workers=1, options=(), cpu=None):
        self.stats_path, self.net = f"{net.folder}/stats", net
        cpus = cpu if cpu is not None else ",".join(str(one) for one in sorted(os.sched_getaffinity(0)))
        ports = [device.split(",")[0] for device in devices]
        self.log = open(f"{net.folder}/log", "w+", encoding="utf-8")
        arguments = [binary, "--policy", f"{net.folder}/policy.img", "--pair", f"inside={ports[0]},outside={ports[1]}",
                     "--workers", workers, "--flows", "65536", "--stats", self.stats_path, *options, "--",
                     "--no-huge", "-m", "512", "--no-shconf", "--no-pci", "--no-telemetry",
                     "--lcores", f"(0-{workers - 1})@({cpus})" if workers > 1 else f"0@({cpus})"]
        for device in devices:
            arguments += ["--vdev", device]
        self.process = net.start(side, *arguments, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        self.wait_until_live()

    def wait_until_live(self, seconds=20):
        limit = time.monotonic() + seconds
        while "live" not in self.said():
            assert self.process.poll() is None and time.monotonic() < limit, self.said()
            time.sleep(0.05)

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        code = end(self.process, signal.SIGTERM)
        assert code == 0, self.said()


def compile_policy(net, weir, text):
    with open(f"{net.folder}/policy.toml", "w", encoding="utf-8") as file:
        file.write(text)
    made = subprocess.run([weir, "compile", f"{net.folder}/policy.toml", "-o", f"{net.folder}/policy.img"],
                          capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


def plain_frames(device):
    """Transmit checksums, segmentation and its generic kin off, by the calls that ethtool makes: a host's own frames
    carry no checksums and exceed the MTU while its device promises to finish them, and nobody does behind a veth."""
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for command in (0x17, 0x1F, 0x24, 0x2C):  # STXCSUM, STSO, SGSO, SGRO
        value = ctypes.create_string_buffer(struct.pack("II", command, 0))
        request = struct.pack("16sP8x", device.encode(), ctypes.addressof(value))
        try:
            fcntl.ioctl(control, 0x8946, request)
        except OSError:
            if command == 0x17:
                raise


if __name__ == "__main__":
    plain_frames(sys.argv[2])
