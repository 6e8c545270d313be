"""Runs the real weir-dataplane for tests: as an ordinary user where root is available, in a folder of its own, ended by
its process id. Reads and writes what such a run needs: pcap files, the stats file. It judges nothing."""
import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time

NOBODY = 65534
SKIP = 77
CPUS = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0)))
NO_HUGE = ["--no-huge", "-m", "192", "--no-shconf", "--no-pci", "--no-telemetry", "--log-level", "lib.eal:error"]


class Folder:
    """A temporary folder that an ordinary user can use, with copies of the programs in it."""

    def __init__(self, **programs):
        self.path = tempfile.mkdtemp(prefix="weir-")
        self.programs = {}
        for name, program in programs.items():
            self.programs[name] = shutil.copy(program, os.path.join(self.path, name))
            os.chmod(self.programs[name], 0o755)
        self.user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            os.chown(self.path, NOBODY, NOBODY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, name):
        return os.path.join(self.path, name)

    def read(self, name):
        with open(self.file(name), "rb") as file:
            return file.read()

    def write(self, name, data):
        with open(self.file(name), "wb") as file:
            file.write(data)
        if self.user:
            os.chown(self.file(name), NOBODY, NOBODY)
        return self.file(name)

    def call(self, program, *arguments, timeout=60):
        return subprocess.run([self.programs[program], *map(str, arguments)], cwd=self.path, capture_output=True,
                              text=True, timeout=timeout, check=False, **self.user)

    def start(self, options, devices, workers=1):
        """weir-dataplane with one EAL lcore per worker, all of them on whatever cores there are."""
        arguments = [*map(str, options), "--workers", str(workers), "--", *NO_HUGE,
                     "--lcores", f"(0-{workers - 1})@({CPUS})" if workers > 1 else f"0@({CPUS})"]
        for device in devices:
            arguments += ["--vdev", device]
        return Run(self, arguments)

    def run(self, options, devices, workers=1, timeout=60):
        """The same to its end: exit code and what it said."""
        return self.start(options, devices, workers).end(timeout)


class Run:
    def __init__(self, folder, arguments):
        self.folder = folder
        self.log = open(folder.file("log"), "w+b")
        self.process = subprocess.Popen([folder.programs["dataplane"], *arguments], cwd=folder.path,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, **folder.user)

    def end(self, timeout=60):
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it does not end by itself:\n{self.said()}") from None
        return code, self.said()

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.end(20)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def wait_for(self, text, seconds=20):
        end = time.monotonic() + seconds
        while text not in self.said():
            assert self.process.poll() is None and time.monotonic() < end, f"no `{text}`:\n{self.said()}"
            time.sleep(0.02)


def frame(source, target, port, source_port=2000, payload=b"", reply=False):
    """Ethernet, IPv4, UDP. With `reply` the same conversation's other direction."""
    address = [bytes(int(part) for part in name.split(".")) for name in (source, target)]
    ports = (source_port, port)
    if reply:
        address.reverse()
        ports = (port, source_port)
    udp = struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, *address)
    total = sum(struct.unpack(">10H", ip))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    ip = ip[:10] + struct.pack(">H", ~total & 0xFFFF) + ip[12:]
    macs = bytes.fromhex("020000000002020000000001" if not reply else "020000000001020000000002")
    return (macs + b"\x08\x00" + ip + udp).ljust(60, b"\0")


def pcap(packets, nanoseconds=False):
    """Packets are (time in seconds as a fraction's numerator over 10^6 or 10^9, frame)."""
    unit = 10**9 if nanoseconds else 10**6
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    parts = [struct.pack("<IHHIIII", magic, 2, 4, 0, 0, 262144, 1)]
    for when, data in packets:
        parts += [struct.pack("<IIII", when // unit, when % unit, len(data), len(data)), data]
    return b"".join(parts)


def frames_of(data):
    frames, at = [], 24
    while at < len(data):
        _, _, kept, _ = struct.unpack_from("<IIII", data, at)
        frames.append(data[at + 16:at + 16 + kept])
        at += 16 + kept
    return frames


def decisions_of(data):
    return [json.loads(line) for line in data.decode().splitlines()]


def stats_of(data, reasons):
    """The stats file's slabs: per worker the named counters and, by reason, packets and bytes."""
    magic, workers, count, slab_bytes, slabs = struct.unpack_from("<QIIII", data)
    assert magic == 0x3553544154535757 and count == len(reasons)
    names = ["received", "handed_over", "flows_live", "flows_opened", "flows_expired", "flows_judged_again", "bursts",
             "heartbeat", "scans_detected", "unsent", "flows_revoked", "sweep_judged", "sweep_began", "sweep_us",
             "evicted_over", "evicted_half_open", "evicted_one_way", "evicted_idle", "rdma_alarms", "job_alarms",
             "slept_us", "limits_watched", "shadow_compared", "shadow_would_pass", "shadow_would_deny",
             "shadow_untold"]
    result = []
    for worker in range(workers):
        words = struct.unpack_from(f"<{len(names) + 2 * count}Q", data, slabs + worker * slab_bytes)
        by_reason = words[len(names):]
        result.append({**dict(zip(names, words)),
                       "packets": dict(zip(reasons, by_reason[0::2])), "bytes": dict(zip(reasons, by_reason[1::2]))})
    return result


def reasons_in(header):
    """Names of the reasons, in order, from dataplane/packet/reason.hpp."""
    names = []
    with open(header, encoding="utf-8") as file:
        for line in file:
            if line.strip().startswith("X("):
                names.append(line.split("(")[1].split(",")[0])
    return names
