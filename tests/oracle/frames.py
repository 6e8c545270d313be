"""First packets of random connections as Ethernet frames, aimed at a policy's edges: addresses and ports at, just
before and just after every boundary it mentions, and elsewhere. Also the capture file that carries them.

Left out by construction, since Weir judges it by more than policy: replies, ICMP errors and neighbour discovery,
fragments, DHCP ports, tunnels' ports, addresses no host may have, a second packet of one flow."""
import ipaddress
import struct

import policies
from wire import ones_sum

TCP, UDP, SCTP, ICMP4, ICMP6 = 6, 17, 132, 1, 58
DHCP_PORTS = {67, 68, 546, 547}
TUNNEL_PORTS = {4789, 4791, 6081}  # over UDP: what these carry is judged, or malformed
MAC_PREFIX = b"\x02\x57\x52"  # then the frame's index: how both sides name it


def crc32c(data):
    """SCTP's checksum: RFC 9260, appendix A."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return struct.pack("<I", crc ^ 0xFFFFFFFF)


def transport(source, target, protocol, source_port, target_port, icmp):
    """A header with its checksum."""
    if protocol == SCTP:  # one INIT chunk, RFC 9260, 3.3.2
        ports = struct.pack("!HHI", source_port, target_port, 0)
        init = struct.pack("!BBHIIHHI", 1, 0, 20, 1, 4096, 1, 1, 1)
        return ports + crc32c(ports + bytes(4) + init) + init
    pseudo, at = b"", 2
    if protocol == TCP:
        plain, at = struct.pack("!HHIIBBHHH", source_port, target_port, 1, 0, 5 << 4, 0x02, 1024, 0, 0), 16
    elif protocol == UDP:
        plain, at = struct.pack("!HHHH", source_port, target_port, 12, 0) + b"weir", 6
    else:  # An ICMP query: identifier and sequence number; types 13 and 17 carry more (RFC 792, 950).
        more = {13: bytes(12), 17: bytes(4)}.get(icmp[0], b"")
        plain = struct.pack("!BBHHH", *icmp, 0, source_port, 1) + more
    if protocol != ICMP4:
        pseudo = source.packed + target.packed + struct.pack("!IHBB", len(plain), 0, 0, protocol)
    return plain[:at] + struct.pack("!H", ones_sum(pseudo + plain) or 0xFFFF) + plain[at + 2:]


def frame(index, target_mac, source, target, protocol, source_port, target_port, icmp):
    payload = transport(source, target, protocol, source_port, target_port, icmp)
    ethernet = target_mac + MAC_PREFIX + index.to_bytes(3, "big")
    if source.version == 4:
        plain = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0,
                            source.packed, target.packed)
        header = plain[:10] + struct.pack("!H", ones_sum(plain)) + plain[12:]
        return ethernet + b"\x08\x00" + header + payload
    header = struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, 64, source.packed, target.packed)
    return ethernet + b"\x86\xdd" + header + payload


class Draw:
    """Draws connections for one policy; no flow key comes twice, in either direction."""

    def __init__(self, random, policy):
        self.random, self.used = random, set()
        self.prefixes = policy.prefixes()
        edges = {*policy.ports(), *policies.CARRIER_PORTS, 1, 80, policies.PORT_MAX}
        around = {port + step for port in edges for step in (-1, 0, 1)}
        self.edges = sorted(port for port in around if 1 <= port <= policies.PORT_MAX)

    def address(self, family):
        random = self.random
        fits = [prefix for prefix in self.prefixes if prefix.version == family]
        if not fits or random.random() < 0.05:
            fits = [block for block in policies.BLOCKS if block.version == family]
        prefix = random.choice(fits)
        first, last = int(prefix.network_address), int(prefix.broadcast_address)
        number = random.choice((first, last, first - 1, last + 1, random.randint(first, last)))
        return ipaddress.ip_address(number) if family == 4 else ipaddress.IPv6Address(number)

    def connection(self):
        """(source, target, protocol, source port, target port, (icmp type, code))."""
        random = self.random
        while True:
            family = random.choice((4, 6))
            source, target = self.address(family), self.address(family)
            protocol = random.choice((TCP, UDP, SCTP, ICMP4 if family == 4 else ICMP6))
            source_port, target_port, icmp = random.randint(1, policies.PORT_MAX), 0, (0, 0)
            if protocol in (ICMP4, ICMP6):
                types = policies.ICMP4_QUERIES if family == 4 else policies.ICMP6_QUERIES
                icmp = (random.choice(types), random.choice((0, 0, 1)))
            else:
                edge = random.random() < 0.7
                target_port = random.choice(self.edges) if edge else random.randint(1, policies.PORT_MAX)
            if source == target or {source_port, target_port} & DHCP_PORTS:
                continue
            if protocol == UDP and target_port in TUNNEL_PORTS:
                continue
            number = target_port if target_port else source_port
            key = (frozenset(((source, source_port), (target, number))), protocol)
            if key not in self.used:
                self.used.add(key)
                return source, target, protocol, source_port, target_port, icmp


def capture(frames):
    """A pcap file of these frames, ten microseconds apart."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for index, data in enumerate(frames):
        out.append(struct.pack("<IIII", 1700000000 + index // 100000, index % 100000 * 10, len(data), len(data)) + data)
    return b"".join(out)
