"""Conversation number N of a seed: who talks, of what, and what goes wrong. The same seed and number give the same
packets, whatever else is drawn."""
import itertools
import random as random_module

import mutations
import other_talks
import tcp_talks
import wire

KINDS = (("tcp", 70), ("udp", 12), ("query", 6), ("fragments", 12))


def ends_of(random, number, ports):
    """Opener and replier with addresses and ports that no other conversation of a round has."""
    version, side = random.choice((4, 4, 6)), random.choice((0, 0, 0, 1))
    port, *allowed = random.choices(ports, [4 if any(row[1:]) else 1 for row in ports])[0]
    opener = wire.End(side, wire.host(version, side, 1 + number % 60000), 1024 + number * 7919 % 60000)
    replier = wire.End(1 - side, wire.host(version, 1 - side, 1 + number * 31 % 60000), port)
    return (opener, replier), allowed


def talk(seed, number):
    """(kind, packets) of conversation `number`."""
    random = random_module.Random(f"{seed}:{number}")
    kind = random.choices([name for name, _ in KINDS], [weight for _, weight in KINDS])[0]

    def prefixes(side):
        return wire.host(4 if len(ends[0].address) == 4 else 6, side, random.randint(60001, 65000))

    if kind == "tcp":
        ends, allowed = ends_of(random, number, tcp_talks.PORTS)
        packets = tcp_talks.TcpTalk(random, ends, allowed).talk()
        others = tcp_talks.TcpTalk(random, ends, allowed).talk()
        mutations.mutate(random, packets, others)
    elif kind == "fragments":
        ends, _ = ends_of(random, number, [row for row in other_talks.UDP_PORTS if row[0] != 7] + [(80, True, False)])
        counter = itertools.count(number * 16 & 0xFFFF)
        packets = other_talks.fragment_talk(random, ends, counter)
    else:
        ends, _ = ends_of(random, number, other_talks.UDP_PORTS)
        packets = (other_talks.udp_talk if kind == "udp" else other_talks.query_talk)(random, ends)
    if kind != "fragments" and random.random() < 0.25:
        other_talks.add_errors(random, packets, prefixes)
    return kind, packets


def interleaved(random, talks):
    """[(conversation's place in `talks`, packet)]: sixteen conversations at a time, each in its own order."""
    waiting = list(enumerate(talks))
    waiting.reverse()
    running, order = [], []
    while waiting or running:
        while waiting and len(running) < 16:
            place, packets = waiting.pop()
            running.append((place, iter(packets)))
        at = random.randrange(len(running))
        place, packets = running[at]
        packet = next(packets, None)
        if packet is None:
            running.pop(at)
        else:
            order.append((place, packet))
    return order
