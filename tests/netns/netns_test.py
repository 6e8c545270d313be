#!/usr/bin/env python3
"""Two hosts, each in a network namespace, and Weir between them on ports of the kernel:

    namespace left          namespace mid             namespace right
    10.77.0.1, fd77::1      weir-dataplane            10.77.0.2, fd77::2
        L0 ──────────────── inside | outside ──────────────── R0

L0 and R0 are the far ends of veth pairs (af_packet, af_xdp) or the kernel's ends of taps (tap). The policy lets left
ping right and open TCP 8080 and UDP 5353 there; whatever else they try must not pass. Everything made here is
removed again, also after a failure.

usage: netns_test.py tap|af_packet|af_xdp DATAPLANE WEIR
needs root; says why and exits with 77 where it cannot run."""
import os
import re
import socket
import struct
import subprocess
import sys
import time

from namespaces import LEFT, RIGHT, Dataplane, Net, compile_policy, ip, policy_of_two, skip_unless_possible

TCP_PORT, UDP_PORT, CLOSED_PORT = 8080, 5353, 9090
BYTES = 3_000_000
POLICY = policy_of_two("netns", {"web": f"tcp = [{TCP_PORT}]", "names": f"udp = [{UDP_PORT}]",
                                 "ping": 'icmp = ["echo"]'})


def devices_of(kind):
    return {"tap": ["net_tap0,iface=L0", "net_tap1,iface=R0"],
            "af_packet": ["net_af_packet0,iface=L1", "net_af_packet1,iface=R1"],
            "af_xdp": ["net_af_xdp0,iface=L1", "net_af_xdp1,iface=R1"]}[kind]


def here(net, side, act, *arguments, timeout=30):
    """One of ACTS below, in a namespace."""
    code, said = net.call(side, sys.executable, os.path.abspath(__file__), "act", act, *arguments, timeout=timeout)
    assert code in (0, 1), f"{act} {arguments} in {side}: {said}"
    return code == 0


# What runs inside a namespace. Exit code 0: it got through, 1: it did not.

def act_serve(port_tcp, port_udp):
    """Echoes both, for both families, until it is ended."""
    import selectors
    waiting = selectors.DefaultSelector()
    for kind, port in ((socket.SOCK_STREAM, port_tcp), (socket.SOCK_DGRAM, port_udp)):
        server = socket.socket(socket.AF_INET6, kind)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("::", int(port)))
        if kind == socket.SOCK_STREAM:
            server.listen()
        waiting.register(server, selectors.EVENT_READ, kind == socket.SOCK_STREAM and "accept" or "datagram")
    print("ready", flush=True)
    while True:
        for key, _ in waiting.select():
            if key.data == "accept":
                waiting.register(key.fileobj.accept()[0], selectors.EVENT_READ, "stream")
            elif key.data == "datagram":
                data, peer = key.fileobj.recvfrom(65536)
                key.fileobj.sendto(data, peer)
            else:
                data = key.fileobj.recv(65536)
                key.fileobj.sendall(data)
                if not data:
                    waiting.unregister(key.fileobj)
                    key.fileobj.close()


def act_tcp(address, port, count):
    """`count` random bytes there and back over one connection."""
    data = os.urandom(int(count))
    try:
        with socket.create_connection((address, int(port)), timeout=3) as connection:
            connection.settimeout(20)
            kept, sent = b"", 0
            while len(kept) < len(data):
                if sent < len(data):
                    sent += connection.send(data[sent:sent + 30000])
                kept += connection.recv(min(65536, sent - len(kept)))
            return kept == data
    except OSError:
        return False


def act_udp(address, port, _count=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as connection:
        connection.settimeout(0.5)
        for length in (0, 1, 512, 1400):
            data = os.urandom(length)
            for attempt in range(3):  # UDP may lose
                connection.sendto(data, (address, int(port)))
                try:
                    if connection.recvfrom(65536)[0] == data:
                        break
                except OSError:
                    if attempt == 2:
                        return False
    return True


def act_send_tagged(device, target_mac, vlan):
    """One UDP datagram to the open port in a frame that carries a VLAN tag."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((device, 0))
        own_mac = raw.getsockname()[4]
        udp = struct.pack(">HHHH", 4000, UDP_PORT, 16, 0) + b"tagged!!"
        ip_header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 36, 0, 0, 64, 17, 0, socket.inet_aton(LEFT[0]),
                                socket.inet_aton(RIGHT[0]))
        total = sum(struct.unpack(">10H", ip_header))
        total = (total & 0xFFFF) + (total >> 16)
        ip_header = ip_header[:10] + struct.pack(">H", ~total & 0xFFFF) + ip_header[12:]
        tag = struct.pack(">HHH", 0x8100, int(vlan), 0x0800)
        raw.send((bytes.fromhex(target_mac.replace(":", "")) + own_mac + tag + ip_header + udp).ljust(64, b"\0"))
    return True


def act_receive_tagged(device, vlan):
    """Waits for that frame and its tag, which the kernel shows beside the frame."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as raw:
        raw.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
        raw.bind((device, 3))
        raw.settimeout(5)
        print("ready", flush=True)
        end = time.monotonic() + 5
        while time.monotonic() < end:
            try:
                data, beside, _, _ = raw.recvmsg(2048, 256)
            except OSError:
                return False
            if b"tagged!!" not in data:
                continue
            if data[12:14] == b"\x81\x00":
                return struct.unpack_from(">H", data, 14)[0] == int(vlan)
            return any(struct.unpack_from("<H", text, 16)[0] == int(vlan) for _, _, text in beside)
    return False


ACTS = {name[4:]: act for name, act in list(globals().items()) if name.startswith("act_")}


def passes_and_does_not(net):
    server = net.start("right", sys.executable, os.path.abspath(__file__), "act", "serve", str(TCP_PORT), str(UDP_PORT),
                       stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "ready\n"
    other = net.start("right", sys.executable, os.path.abspath(__file__), "act", "serve", str(CLOSED_PORT),
                      str(CLOSED_PORT), stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "ready\n"
    back = net.start("left", sys.executable, os.path.abspath(__file__), "act", "serve", str(TCP_PORT), str(UDP_PORT),
                     stdout=subprocess.PIPE, text=True)
    assert back.stdout.readline() == "ready\n"
    for family in (0, 1):
        far, near = RIGHT[family], LEFT[family]
        ping = ["ping", "-n", "-i", "0.05", "-W", "2"]
        code, said = net.call("left", *ping, "-c", "10", "-w", "10", far)
        assert code == 0 and re.search(r"1?\d received", said), said
        assert net.call("right", *ping, "-c", "3", "-w", "1", near)[0] != 0, f"{far} may not ping {near}"
        assert here(net, "left", "tcp", far, TCP_PORT, BYTES, timeout=60), f"TCP {TCP_PORT} to {far} does not pass"
        assert here(net, "left", "udp", far, UDP_PORT), f"UDP {UDP_PORT} to {far} does not pass"
        assert not here(net, "left", "tcp", far, CLOSED_PORT, 1), f"TCP {CLOSED_PORT} to {far} passes"
        assert not here(net, "left", "udp", far, CLOSED_PORT), f"UDP {CLOSED_PORT} to {far} passes"
        assert not here(net, "right", "tcp", near, TCP_PORT, 1), f"TCP from {far} to {near} passes"
        assert not here(net, "right", "udp", near, UDP_PORT), f"UDP from {far} to {near} passes"


def tags_pass(net):
    _, shown = net.call("right", "ip", "-o", "link", "show", "R0")
    mac = re.search(r"link/ether (\S+)", shown).group(1)
    receiver = net.start("right", sys.executable, os.path.abspath(__file__), "act", "receive_tagged", "R0", "77",
                         stdout=subprocess.PIPE, text=True)
    assert receiver.stdout.readline() == "ready\n"
    assert here(net, "left", "send_tagged", "L0", mac, 77)
    assert receiver.wait(10) == 0, "the tagged frame did not arrive with its tag"


def run(kind, binary, weir):
    with Net("left", "mid", "right") as net:
        compile_policy(net, weir, POLICY)
        if kind != "tap":
            net.link("left", "L0", "mid", "L1")
            net.link("right", "R0", "mid", "R1")
        dataplane = Dataplane(net, "mid", binary, devices_of(kind), workers=2)
        if kind == "tap":
            for side, device in (("left", "L0"), ("right", "R0")):
                ip("-n", net.names["mid"], "link", "set", device, "netns", net.names[side])
        net.address("left", "L0", f"{LEFT[0]}/24", f"{LEFT[1]}/64")
        net.address("right", "R0", f"{RIGHT[0]}/24", f"{RIGHT[1]}/64")
        try:
            passes_and_does_not(net)
            tags_pass(net)
        except AssertionError as error:
            dataplane.stop()
            raise AssertionError(f"{error}\n{dataplane.said()}") from None
        dataplane.stop()
        print(dataplane.said())


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "act":
        sys.exit(0 if ACTS[sys.argv[2]](*sys.argv[3:]) else 1)
    skip_unless_possible(sys.argv[1])
    run(*sys.argv[1:4])


main()
