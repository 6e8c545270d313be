"""Random policies, printed twice: as a rule file of ours and as an nftables ruleset that means the same. The two
printings share the nouns below and nothing else: no address or port is computed here that only one of them needs.

The stateless part: segments (cidr, except), lists, groups, services (TCP, UDP, SCTP, ICMP of both families), allow and
forbid, either without services, a forbid without one side. In nftables: forbids first, then allows, then deny."""
import ipaddress

PORT_MAX = 65535
ICMP4_QUERIES = (8, 13, 15, 17)
ICMP6_QUERIES = (128,)
# UDP ports whose payload is packets of somebody else: opened only by name (docs/rules.md).
CARRIER_PORTS = (4789, 4791, 4793, 6081, 8472)
# Prefixes are drawn from a few blocks, so that they overlap often.
BLOCKS = [ipaddress.ip_network(block) for block in ("10.0.0.0/12", "198.18.0.0/20", "fd00:a::/32", "2a00:b:c::/48")]


def random_prefix(random):
    block = random.choice(BLOCKS)
    length = random.randint(block.prefixlen, block.max_prefixlen)
    if random.random() < 0.5:
        length = min(length, block.prefixlen + random.randint(0, 8))
    host_bits = block.max_prefixlen - length
    offset = random.getrandbits(length - block.prefixlen) if length > block.prefixlen else 0
    return ipaddress.ip_network((int(block.network_address) | offset << host_bits, length))


def random_below(random, prefix):
    """A prefix inside `prefix`."""
    length = min(prefix.max_prefixlen, prefix.prefixlen + random.randint(1, 10))
    offset = random.getrandbits(length - prefix.prefixlen) if length > prefix.prefixlen else 0
    return ipaddress.ip_network((int(prefix.network_address) | offset << prefix.max_prefixlen - length, length))


def random_ports(random):
    """One to four (first, last), small numbers often, so that ranges overlap."""
    ports = []
    for _ in range(random.randint(1, 4)):
        first = random.choice((random.randint(1, 40), random.randint(1, PORT_MAX)))
        span = random.choice((0, 0, random.randint(0, 20), random.randint(0, PORT_MAX)))
        ports.append((first, min(PORT_MAX, first + span)))
    return ports


class Policy:
    """Plain data: segments {name: (prefixes, excepted)}, lists {name: prefixes}, groups {name: member names},
    services {name: {protocol: rows}}, statements [(kind, name, from, to, with)] with empty lists for omitted keys."""

    def __init__(self, random):
        self.segments, self.lists, self.groups, self.services, self.statements = {}, {}, {}, {}, []
        for number in range(random.randint(2, 12)):
            prefixes = sorted({random_prefix(random) for _ in range(random.randint(1, 5))}, key=str)
            excepted = [random_below(random, random.choice(prefixes)) for _ in range(random.choice((0, 0, 1, 3)))]
            excepted = sorted({one for one in excepted if one not in prefixes}, key=str)
            self.segments[f"s{number}"] = (prefixes, excepted)
        for number in range(random.choice((0, 1, 2))):
            self.lists[f"l{number}"] = sorted({random_prefix(random) for _ in range(random.randint(1, 200))}, key=str)
        nouns = [*self.segments, *self.lists]
        for number in range(random.choice((0, 1, 3))):
            members = random.randint(1, min(3, len(self.segments)))
            self.groups[f"g{number}"] = random.sample(list(self.segments), members)
        nouns += self.groups
        for number in range(random.randint(1, 8)):
            self.services[f"v{number}"] = self.random_service(random)
        for number in range(random.randint(1, 24)):
            kind = random.choice(("allow", "allow", "forbid"))
            sides = [random.sample(nouns, random.randint(1, min(2, len(nouns)))) for _ in range(2)]
            if kind == "forbid" and random.random() < 0.3:  # only a forbid may leave one out
                sides[random.randint(0, 1)] = []
            names = random.sample(list(self.services), random.randint(1, min(2, len(self.services))))
            self.statements.append((kind, f"r{number}", *sides, names if random.random() < 0.85 else []))

    @staticmethod
    def random_service(random):
        rows = {}
        for protocol in random.sample(("tcp", "udp", "sctp", "icmp4", "icmp6"), random.randint(1, 3)):
            if protocol.startswith("icmp"):
                types = ICMP4_QUERIES if protocol == "icmp4" else ICMP6_QUERIES
                rows[protocol] = [(random.choice(types), random.choice((None, 0, 1)))]
            else:
                rows[protocol] = random_ports(random)
        return rows

    def prefixes(self):
        """Every prefix that it mentions."""
        segments = [prefix for pair in self.segments.values() for part in pair for prefix in part]
        return segments + [prefix for rows in self.lists.values() for prefix in rows]

    def ports(self):
        """Every port at which some service begins or ends."""
        return [port for service in self.services.values() for protocol, rows in service.items()
                if not protocol.startswith("icmp") for row in rows for port in row]


# ── Ours ──────────────────────────────────────────────────────────────────────────────────────────────────────────

def quoted(values):
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def service_rows(protocol, rows):
    if protocol.startswith("icmp"):
        return quoted(str(kind) if code is None else f"{kind}/{code}" for kind, code in rows)
    return "[" + ", ".join(str(first) if first == last else f'"{first}-{last}"' for first, last in rows) + "]"


def to_files(policy):
    """{file name: text}, policy.toml being the root."""
    lines = ["version = 1", "[policy]", 'name = "oracle"']
    files = {}
    for name, (prefixes, excepted) in policy.segments.items():
        lines += [f"[segment.{name}]", f"cidr = {quoted(prefixes)}"]
        if excepted:
            lines.append(f"except = {quoted(excepted)}")
    for name, prefixes in policy.lists.items():
        lines += [f"[list.{name}]", f'file = "{name}.txt"']
        files[f"{name}.txt"] = "".join(f"{prefix}\n" for prefix in prefixes)
    for name, members in policy.groups.items():
        lines += [f"[group.{name}]", f"members = {quoted(members)}"]
    lines.append("[service]")
    for name, service in policy.services.items():
        rows = ", ".join(f"{protocol} = {service_rows(protocol, rows)}" for protocol, rows in service.items())
        lines.append(f"{name} = {{ {rows} }}")
    for kind, name, source, target, services in policy.statements:
        lines += [f"[[{kind}]]", f'name = "{name}"']
        for key, value in (("from", source), ("to", target), ("with", services)):
            if value:
                lines.append(f"{key} = {quoted(value)}")
    files["policy.toml"] = "\n".join(lines) + "\n"
    return files


# ── nftables ──────────────────────────────────────────────────────────────────────────────────────────────────────

def address_set(name, family, prefixes):
    kind = "ipv4_addr" if family == 4 else "ipv6_addr"
    rows = ", ".join(str(prefix) for prefix in prefixes if prefix.version == family)
    elements = f" elements = {{ {rows} }};" if rows else ""
    return f"add set inet oracle {name} {{ type {kind}; flags interval; auto-merge;{elements} }}"


def side_matches(policy, key, names, family):
    """The ways an address of `family` can be one of `names`: a list of match texts; [""] when any address is."""
    if not names:
        return [""]
    word = f"{'ip' if family == 4 else 'ip6'} {key}"
    plain = [member for name in names for member in policy.groups.get(name, [name])]
    return [f"{word} @{name}_{family} {word} != @{name}_{family}_except"
            if policy.segments.get(name, ([], []))[1] else f"{word} @{name}_{family}" for name in sorted(set(plain))]


def service_matches(policy, kind, names, family):
    """Match texts for the services; an omitted `with` means everything in a forbid, and in an allow TCP, SCTP, UDP but
    for carriers, and ping."""
    icmp = "icmp" if family == 4 else "icmpv6"
    if not names:
        ping = 8 if family == 4 else 128
        carriers = ", ".join(map(str, CARRIER_PORTS))
        every = ["meta l4proto { tcp, sctp }", f"udp dport != {{ {carriers} }}", f"{icmp} type {ping} {icmp} code 0"]
        return every if kind == "allow" else [""]
    found = []
    for name in names:
        for protocol, rows in policy.services[name].items():
            for first, second in rows:
                if not protocol.startswith("icmp"):
                    found.append(f"{protocol} dport {first}-{second}")
                elif protocol.endswith(str(family)):
                    found.append(f"{icmp} type {first}" + ("" if second is None else f" {icmp} code {second}"))
    return found


def to_nftables(policy):
    """Commands that make a ruleset whose one chain writes each frame's source MAC into the set of its verdict and drops
    the frame."""
    lines = ["flush ruleset", "add table inet oracle"]
    for verdict in ("forbidden", "allowed", "no_allow"):
        lines.append(f"add set inet oracle {verdict} {{ type ether_addr; size 1000000; flags dynamic; }}")
    nouns = {name: pair for name, pair in policy.segments.items()} | {n: (p, []) for n, p in policy.lists.items()}
    for name, (prefixes, excepted) in nouns.items():
        for family in (4, 6):
            lines += [address_set(f"{name}_{family}", family, prefixes),
                      address_set(f"{name}_{family}_except", family, excepted)]
    rule = "add rule inet oracle judge"
    lines += ["add chain inet oracle judge { type filter hook prerouting priority raw; policy drop; }",
              f"{rule} ether saddr & ff:ff:ff:00:00:00 != 02:57:52:00:00:00 drop"]
    for wanted, verdict in (("forbid", "forbidden"), ("allow", "allowed")):
        for kind, _, source, target, services in policy.statements:
            if kind != wanted:
                continue
            for family in (4, 6):
                for one in side_matches(policy, "saddr", source, family):
                    for other in side_matches(policy, "daddr", target, family):
                        for service in service_matches(policy, kind, services, family):
                            lines.append(f"{rule} meta nfproto ipv{family} {one} {other} {service}"
                                         f" add @{verdict} {{ ether saddr }} drop")
    return lines + [f"{rule} add @no_allow {{ ether saddr }} drop"]
