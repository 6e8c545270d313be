#!/usr/bin/env python3
"""Files over connections whose handshakes Weir answers, alone and beside a flood of SYNs with invented sources:

    namespace left            namespace mid              namespace right
    10.77.0.1, fd77::1        weir-dataplane             10.77.0.2, fd77::2
        L0 ──────────────── L1 inside | outside R1 ──────────────── R0

The clients are curl and the kernel's TCP. The server must never hear of the flood, and Weir keep nothing of it.

usage: syn_proxy_test.py DATAPLANE WEIR REASON_HPP
needs root; says why and exits with 77 where it cannot run."""
import hashlib
import os
import socket
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "edge"))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools", "capture"))

import frames  # noqa: E402
from dataplane import reasons_in, stats_of  # noqa: E402
from namespaces import LEFT, RIGHT, Dataplane, Net, compile_policy, skip_unless_possible  # noqa: E402

WEB, BYTES, FLOOD = 8080, 2_000_000, 60_000
POLICY = f"""version = 1
[policy]
name = "proxied"
[link]
arp = true
nd = true
[segment.left]
cidr = ["{LEFT[0]}/32", "{LEFT[1]}/128", "10.78.0.0/16"]
[segment.right]
cidr = ["{RIGHT[0]}/32", "{RIGHT[1]}/128"]
[service]
web = {{ tcp = [{WEB}] }}
ping = {{ icmp = ["echo"] }}
[[allow]]
name = "visit"
from = "left"
to = "right"
with = ["web"]
syn_proxy = true
[[allow]]
name = "ping"
from = "left"
to = "right"
with = ["ping"]
"""


def act_flood(device, target_mac, count):
    """SYNs from 10.78.0.0/16, each another source, at most 20,000 a second."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((device, 0))
        own, target = raw.getsockname()[4], frames.address(RIGHT[0])
        print("ready", flush=True)
        for number in range(int(count)):
            source = frames.address(f"10.78.{number >> 8 & 255}.{number & 255}")
            syn = frames.tcp(source, target, 1024 + number % 50000, WEB, "S", number * 977, 0, b"",
                             bytes.fromhex("020405b401030307"))
            packet = frames.ipv4(source, target, frames.TCP, syn, fragment=0x4000)
            raw.send(frames.ethernet(own, bytes.fromhex(target_mac.replace(":", "")), 0x0800, packet))
            if number % 200 == 199:
                time.sleep(0.01)


class World:
    def __init__(self, net, binary, weir, header):
        self.net, self.reasons = net, reasons_in(header)
        for side, end in (("left", "L"), ("right", "R")):
            net.link("mid", f"{end}1", side, f"{end}0")
        compile_policy(net, weir, POLICY)
        devices = ["net_af_packet0,iface=L1", "net_af_packet1,iface=R1"]
        self.dataplane = Dataplane(net, "mid", binary, devices)
        for side, device, (four, six) in (("left", "L0", LEFT), ("right", "R0", RIGHT)):
            net.address(side, device, f"{four}/8", f"{six}/64")
        self.data = os.urandom(BYTES)
        with open(f"{net.folder}/file", "wb") as file:
            file.write(self.data)
        server = net.start("right", sys.executable, f"{HERE}/endpoint_acts.py", "web", WEB, net.folder, stdout=-1)
        assert server.stdout.readline() == b"ready\n"

    def packets(self, reason):
        with open(self.dataplane.stats_path, "rb") as file:
            return sum(slab["packets"][reason] for slab in stats_of(file.read(), self.reasons))

    def live(self):
        with open(self.dataplane.stats_path, "rb") as file:
            return sum(slab["flows_live"] for slab in stats_of(file.read(), self.reasons))

    def fetch(self, address, name):
        host = f"[{address}]" if ":" in address else address
        code, said = self.net.call("left", "curl", "-sS", "--max-time", "25", "-o", f"{self.net.folder}/{name}",
                                   f"http://{host}:{WEB}/file")
        assert code == 0, f"curl {host}: {said}"
        with open(f"{self.net.folder}/{name}", "rb") as file:
            assert hashlib.sha256(file.read()).digest() == hashlib.sha256(self.data).digest(), "another file"

    def put(self, address):
        code, said = self.net.call("left", "curl", "-sS", "--max-time", "25", "-T", f"{self.net.folder}/file",
                                   f"http://{address}:{WEB}/up")
        assert code == 0, f"curl -T {address}: {said}"
        with open(f"{self.net.folder}/up", "rb") as file:
            assert file.read() == self.data, "another file went up"



def mac_of(world):
    code, said = world.net.call("right", "ip", "-o", "link", "show", "R0")
    assert code == 0, said
    return said.split("link/ether ")[1].split()[0]


def check(world):
    for round_number in range(3):
        for address in RIGHT:
            world.fetch(address, f"got{round_number}")
    world.put(RIGHT[0])
    opened = world.packets("syn_proxy_opened")
    assert opened >= 7 and world.packets("syn_proxy_joined") >= 7, opened
    assert world.packets("flow_translated") > 7 * 3, "nothing was translated"

    flood = world.net.start("left", sys.executable, os.path.abspath(__file__), "act", "flood", "L0", mac_of(world),
                            FLOOD, stdout=-1)
    assert flood.stdout.readline() == b"ready\n"
    fetched = 0
    while flood.poll() is None:
        world.fetch(RIGHT[fetched % 2], "beside")
        fetched += 1
    assert flood.returncode == 0 and fetched >= 2, fetched
    answered, live = world.packets("syn_proxy_answered"), world.live()
    assert answered > FLOOD // 4, f"only {answered} SYNs were seen"
    assert live <= world.packets("syn_proxy_joined") + 20, f"{live} flows are kept"
    waiting = world.net.call("right", "ss", "-Htn", "state", "syn-recv")[1]
    assert waiting.strip() == "", f"the server heard of the flood:\n{waiting}"
    world.dataplane.stop()
    print(f"{opened} connections proxied, then {fetched} files beside {answered} answered SYNs; {live} flows kept")


def main():
    if sys.argv[1] == "act":
        return act_flood(*sys.argv[3:])
    skip_unless_possible("af_packet", "curl", "ss")
    with Net("left", "mid", "right") as net:
        check(World(net, *sys.argv[1:]))


if __name__ == "__main__":
    main()
