"""A dataplane on pipes that tests look at: time stands still while it is asked. It judges nothing."""
import json
import os
import time

from dataplane import frame, pcap

POLICY = """version = 1
policy.name = "watched"
segment.trainers.cidr = ["10.0.1.0/24"]
segment.store.cidr = ["10.1.1.0/24"]
service.dns = { udp = [53] }
service.time = { udp = [123] }
[[allow]]
name = "resolve"
from = "trainers"
to = "store"
with = ["dns"]
log = "opened"
[[allow]]
name = "clock"
from = "trainers"
to = "store"
with = ["time"]
"""
FILLING = b"\0" * 60


class Watched:
    """A dataplane whose captures are pipes."""

    def __init__(self, folder, workers=2, policy=POLICY, options=()):
        self.folder, self.micros, self.sent = folder, 1_700_000_000 * 10**6, 0
        folder.write("watched.toml", policy.encode())
        made = folder.call("weir", "compile", "watched.toml", "-o", "watched.img", "--generation", "7")
        assert made.returncode == 0, made
        devices = []
        for index, side in enumerate(("inside", "outside")):
            os.mkfifo(folder.file(side), 0o666)
            os.chmod(folder.file(side), 0o666)
            devices.append(f"net_pcap{index},rx_pcap={side},tx_pcap={side}.out")
        self.run = folder.start(["--pair", "inside=net_pcap0,outside=net_pcap1", "--door", "door", "--stats", "stats",
                                 "--policy", "watched.img", *options], devices, workers)
        self.pipes = {}
        for side in ("inside", "outside"):
            self.pipes[side] = open(folder.file(side), "wb", buffering=0)
            self.pipes[side].write(pcap([]))
        self.run.wait_for("their time is the clock")

    def end(self):
        for pipe in self.pipes.values():
            pipe.close()
        self.run.kill()

    def send(self, frames, side="inside"):
        """Frames from there in order; then enough of nothing that they are read."""
        for data in [*frames, *[FILLING] * 100]:
            self.micros += 10
            for pipe in self.pipes:
                self.pipes[pipe].write(pcap([(self.micros, data if pipe == side else FILLING)])[24:])
        self.sent += len(frames)
        for _ in range(400):
            said = json.loads(self.ask("counters", "--stats", "stats", "-o", "json"))["sum"]["reasons"]
            if sum(row["packets"] for name, row in said.items() if name != "mac_source_invalid") == self.sent:
                return
            time.sleep(0.02)
        raise AssertionError(f"{self.sent} sent: {said}\n{self.run.said()}")

    def ask(self, *arguments, code=0):
        ended = self.folder.call("weir", *arguments)
        assert ended.returncode == code, ended
        return ended.stdout if code in (0, 1) else ended.stderr

    def flows(self, *words):
        return [json.loads(line) for line in self.ask("flows", "door", *words, "-o", "json").splitlines()]


def packets(count, port, source="10.0.1.5"):
    return [frame(source, "10.1.1.5", port, 2000 + n) for n in range(count)]
