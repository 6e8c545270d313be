"""TCP conversations as two hosts have them (RFC 9293, 7323, 2018): handshakes of every kind, data within moving
windows, losses made good, half-closes, resets, ports used again. What goes wrong on purpose is in mutations.py; here
both hosts keep to the rules, but for the openings and ports that policy does not allow."""
import wire
from wire import ACK, FIN, PSH, RST, SYN, URG, Segment

# Port, and whether an opening to it is allowed from inside and from outside (see conntrack.py's policy).
PORTS = ((80, True, False), (443, True, True), (20000, True, False), (29999, True, False), (8443, False, True),
         (23, False, False), (30000, False, False))


class Host:
    """One TCP: what it has sent and seen. `offer` is its window scale option or None; `window` in bytes; `edge`: up to
    where its peer lets it send."""

    def __init__(self, random, end):
        self.random, self.end, self.peer = random, end, None
        self.offer = random.choice((None, 0, 1, 2, 7, 7, 7, 10, 14))
        self.sack, self.stamps = random.random() < 0.7, random.random() < 0.5
        self.scale = self.sacks = self.stamped = 0
        self.clock = random.getrandbits(31)
        self.mss = random.choice((536, 1220, 1460))
        self.restart()

    def restart(self, isn=None):
        random = self.random
        self.isn = isn if isn is not None else random.choice(
            (random.getrandbits(32), random.getrandbits(32), wire.U32 - random.randint(0, 3000), 0))
        self.next, self.seen, self.edge = self.isn, 0, 0
        self.window = random.choice((random.randint(1, 4000), random.randint(4000, 65535), 65535, 65535 * 4))
        self.finished = False

    def field(self):
        """The window field as it stands on the wire."""
        return min(65535, self.window >> self.scale)

    def opening_options(self, answering):
        """An answer repeats only what was offered (RFC 7323, 2.2 and 3.2; RFC 2018, 2)."""
        peer = self.peer
        offer = self.offer if not answering or peer.offer is not None else None
        sack = self.sack and (not answering or peer.sack)
        stamps = self.stamps and (not answering or peer.stamps)
        if self.random.random() < 0.1:
            return b""
        stamp = (self.clock, peer.clock if answering else 0) if stamps else None
        return wire.tcp_options(self.mss, offer, sack, stamp)


class TcpTalk:
    """Appends to `packets`. After `talk()` they are one conversation, perhaps several on the same ports."""

    def __init__(self, random, ends, allowed):
        self.random, self.packets, self.allowed = random, [], allowed
        self.opener, self.replier = Host(random, ends[0]), Host(random, ends[1])
        self.opener.peer, self.replier.peer = self.replier, self.opener

    def talk(self):
        random = self.random
        for _ in range(1 if random.random() < 0.75 else random.randint(2, 3)):
            opened = self.open()
            if opened:
                for _ in range(random.choice((1, 3, 6, 12, 20, 40))):
                    self.exchange()
                self.close()
            if random.random() < 0.5:
                self.stragglers()
            self.again()
        return self.packets

    def say(self, host, flags, length=0, **changed):
        """A segment with the host's present numbers; the numbers move only by `send` and `answer`."""
        peer = host.peer
        host.clock += 1
        seq, ack = changed.pop("seq", host.next), changed.pop("ack", host.seen if flags & ACK else 0)
        options = changed.pop("options", None)
        if options is None:
            stamp = (host.clock, peer.clock) if host.stamped and not flags & RST else None
            options = wire.tcp_options(stamps=stamp, sack=changed.pop("sack", ()))
        segment = Segment(host.end, peer.end, flags, seq, ack, changed.pop("window", host.field()), length, options,
                          changed.pop("why", "honest"))
        self.packets.append(segment)
        if flags & ACK:  # a sender goes by the latest window that it was told
            peer.edge = ack + (segment.window << host.scale) & wire.U32
        return segment

    # ── Opening ──

    def syn(self, host, answering=False):
        scale, host.scale = host.scale, 0  # the window of a SYN is never scaled (RFC 7323, 2.2)
        segment = self.say(host, SYN | (ACK if answering else 0), seq=host.isn, options=host.opening_options(answering))
        host.scale, host.next = scale, host.isn + 1 & wire.U32
        return segment

    def agree(self, opening, answer):
        """What both hosts know after SYN and SYN-ACK passed."""
        both = all(segment.option(3) is not None for segment in (opening, answer))
        for host, segment in ((self.opener, opening), (self.replier, answer)):
            host.scale = min(14, segment.option(3)[0]) if both else 0
            host.sacks = all(one.option(4) is not None for one in (opening, answer))
            host.stamped = all(one.option(8) is not None for one in (opening, answer))
            host.peer.seen = segment.end

    def open(self):
        """Whether a connection stands afterwards."""
        random, opener, replier = self.random, self.opener, self.replier
        kind = random.random()
        if kind < 0.04:
            return self.open_together()
        opening = self.syn(opener)
        while random.random() < 0.08:
            self.packets.append(opening.copy("SYN again"))
        if random.random() < 0.02:  # another host with the same ports, or the same one after a crash
            opener.restart(opener.isn + random.choice((70000, random.getrandbits(31))) & wire.U32)
            opening = self.syn(opener)
            opening.why = "SYN with a new ISN"
        if kind < 0.08:
            return self.refuse(opening)
        if kind < 0.10:
            return self.give_up()
        if kind < 0.13:
            self.challenge()
        answer = self.answer_syn(opening)
        while random.random() < 0.08:
            self.packets.append(answer.copy("SYN-ACK again"))
        if kind < 0.15:
            self.say(opener, RST, seq=answer.ack, why="opener declines")
            return False
        self.agree(opening, answer)
        if random.random() < 0.8 or not self.send(opener):
            self.say(opener, ACK)
        if random.random() < 0.05:
            self.packets.append(answer.copy("SYN-ACK after the ACK"))
            self.say(opener, ACK, why="its answer")
        return True

    def answer_syn(self, opening):
        self.replier.seen = opening.end
        return self.syn(self.replier, answering=True)

    def open_together(self):
        """RFC 9293, 3.5, figure 8."""
        opener, replier = self.opener, self.replier
        first, second = self.syn(opener), self.syn(replier)
        replier.seen, opener.seen = first.end, second.end
        answers = []
        for host, own in ((opener, first), (replier, second)):
            scale, host.scale = host.scale, 0
            answers.append(self.say(host, SYN | ACK, seq=host.isn, options=own.options, why="simultaneous open"))
            host.scale = scale
        self.agree(first, second)
        if self.random.random() < 0.5:
            self.say(opener, ACK)
            self.say(replier, ACK)
        return True

    def refuse(self, opening):
        self.say(self.replier, RST | ACK, seq=0, ack=opening.end, window=0, why="refused")
        return False

    def give_up(self):
        if self.random.random() < 0.5:
            self.say(self.opener, RST, window=0, why="opener gives up")
        return False

    def challenge(self):
        """The replier holds an older connection: it answers by an ACK of that, the opener resets it and tries again
        (RFC 9293, 3.5.1, figure 9)."""
        random, opener, replier = self.random, self.opener, self.replier
        old = random.getrandbits(32)
        self.say(replier, ACK, seq=random.getrandbits(32), ack=old, why="challenge ACK of an older connection")
        self.say(opener, RST, seq=old, window=0, why="reset of that")
        self.syn(opener).why = "SYN again"

    # ── Data ──

    def room(self, host):
        """How much the host may still send into the window it was given."""
        room = host.edge - host.next & wire.U32
        return room if room < 1 << 31 else 0

    def send(self, host, flags=PSH | ACK):
        """A segment of new data; None where the window is closed."""
        length = min(self.random.choice((1, 10, 100, host.mss, host.mss)), self.room(host), host.peer.mss)
        if length == 0 or host.finished:
            return None
        segment = self.say(host, flags, length)
        host.next = host.next + length & wire.U32
        return segment

    def answer(self, host, **changed):
        """An ACK of all that the peer sent."""
        host.seen = host.peer.next
        return self.say(host, ACK, **changed)

    def exchange(self):
        host = self.random.choice((self.opener, self.replier))
        kind = self.random.random()
        if kind < 0.45:
            for _ in range(self.random.randint(1, 6)):
                self.send(host)
            self.answer(host.peer)
        elif kind < 0.60:
            self.send(host)  # answered by data
            host.peer.seen = host.next
            self.send(host.peer)
        elif kind < 0.72:
            self.loss(host)
        elif kind < 0.82:
            host.window = self.random.choice((0, 1, host.window // 2, host.window + 3000, 65535, 1 << 20))
            self.answer(host)
        elif kind < 0.88:
            self.say(host, ACK, length=self.random.choice((0, 1)), seq=host.next - 1, why="keep-alive")
            self.answer(host.peer, why="its answer")
        elif kind < 0.93:
            self.probe(host)
        elif kind < 0.97:
            urgent = self.send(host, ACK | URG)
            if urgent:
                urgent.urgent = 1
        else:
            for _ in range(3):
                self.say(host, ACK, why="duplicate ACK")

    def loss(self, host):
        """One of a row is lost, behind the firewall or before it; SACK tells of the others, then it comes again."""
        sent = [segment for segment in (self.send(host) for _ in range(self.random.randint(2, 6))) if segment]
        if len(sent) < 2:
            return
        peer, lost = host.peer, self.random.randrange(len(sent) - 1)
        peer.seen = sent[lost].seq
        if self.random.random() < 0.4:
            self.packets.pop(next(at for at, one in enumerate(self.packets) if one is sent[lost]))
        for segment in sent[lost + 1:]:
            sack = [(sent[lost + 1].seq, segment.end)] if host.sacks else ()
            self.say(peer, ACK, sack=sack, why="ACK of a gap")
        again = sent[lost].copy("sent again")
        again.ack = host.seen
        self.packets.append(again)
        self.answer(peer)

    def probe(self, host):
        """The peer's window is closed; one byte beyond it asks whether it opened (RFC 9293, 3.8.6.1)."""
        peer = host.peer
        peer.window = 0
        self.answer(peer, why="window closed")
        if self.room(host) or host.finished:
            peer.window = 8000
            return
        self.say(host, ACK, length=1, why="window probe")
        self.say(peer, ACK, why="still closed")
        peer.window = 8000
        self.answer(peer, why="window opened")
        if self.room(host):  # the byte of the probe, with more
            self.send(host)
        else:
            host.next = host.next + 1 & wire.U32

    # ── Closing ──

    def fin(self, host, length=0):
        if host.finished:
            return None
        segment = self.say(host, FIN | ACK, min(length, self.room(host)))
        host.next, host.finished = segment.end, True
        return segment

    def close(self):
        random = self.random
        first = random.choice((self.opener, self.replier))
        kind = random.random()
        if kind < 0.12:
            self.say(first, RST | random.choice((0, ACK)), window=0, why="reset")
        elif kind < 0.20:
            pass  # left open
        elif kind < 0.32:  # both at once
            self.fin(first)
            self.fin(first.peer)
            self.answer(first)
            self.answer(first.peer)
        else:
            self.close_in_turn(first)

    def close_in_turn(self, first):
        random = self.random
        self.fin(first, random.choice((0, 0, 100)))
        if random.random() < 0.9:
            self.answer(first.peer)
        if random.random() < 0.4:  # half-closed: the other still sends
            for _ in range(random.randint(1, 5)):
                self.send(first.peer)
            self.answer(first)
        if random.random() < 0.1:
            self.say(first.peer, RST | ACK, window=0, why="reset after a FIN")
            return
        last = self.fin(first.peer)
        if random.random() < 0.9:
            self.answer(first)
        if last and random.random() < 0.1:
            self.packets.append(last.copy("FIN again"))
            self.say(first, ACK, why="ACK of it")

    # ── After ──

    def stragglers(self):
        """Segments that were on their way while all was over, and what a closed port says of them."""
        if self.packets:
            for _ in range(self.random.randint(1, 3)):
                late = self.random.choice(self.packets[-12:])
                self.packets.append(late.copy("straggler"))

    def again(self):
        """The next incarnation: the same ports, a later ISN as RFC 9293, 3.4.1 asks, sometimes not."""
        random, opener, replier = self.random, self.opener, self.replier
        if random.random() < 0.15 and all(self.allowed):
            self.opener, self.replier = replier, opener
            opener, replier = replier, opener
        step = random.choice((250000, 1 << 24, 1 << 30, random.getrandbits(32)))
        opener.restart(opener.next + step & wire.U32)
        replier.restart()
        opener.scale = replier.scale = opener.sacks = replier.sacks = opener.stamped = replier.stamped = 0
