"""What somebody who saw the packets that both let through knows about the flows they belong to: who spoke first and
from where, what was sent, acknowledged and granted. Plain arithmetic on 32-bit numbers, written from RFC 9293, 7323 and
2018 and from neither tracker. The predicates of differences.py ask it."""
import wire
from wire import ACK, FIN, RST, SYN, Fragment, Message, Segment

HALF = 1 << 31
ANSWERED = {0: 8, 14: 13, 16: 15, 18: 17, 129: 128}  # ICMP, by the type of the reply
OLD = 60000  # how far back Linux takes an acknowledgement, at least; a little less, to be on the safe side


def after(one, other):
    """Whether sequence number `one` is later than `other` (RFC 9293, 3.4)."""
    return 0 < (one - other & wire.U32) < HALF


def options_hold(segment):
    """Whether the option list, as far as the data offset goes, ends where its lengths say (RFC 9293, 3.1)."""
    body = segment.transport()[1]
    at, end = 20, (body[12] >> 4) * 4
    while at < end and body[at] != 0:
        length = 1 if body[at] == 1 else body[at + 1] if at + 1 < end else 0
        if body[at] != 1 and length < 2 or at + length > end:
            return False
        at += length
    return True


def key_of(packet):
    """What names the flow of a packet, in either direction; the quoted packet's for an ICMP error."""
    if isinstance(packet, Fragment):
        packet = packet.whole
    if isinstance(packet, Message) and packet.quoted is not None:
        return key_of(packet.quoted)
    if isinstance(packet, Message):
        ends = packet.source.address, packet.target.address
        return ends[::-1 if packet.type in ANSWERED else 1], ANSWERED.get(packet.type, packet.type), packet.rest[:2]
    return frozenset(((packet.source.address, packet.source.port), (packet.target.address, packet.target.port))), \
        packet.kind


class Direction:
    """What one TCP has sent. `end`: after its last byte. `edge`: what the peer granted. `widest`: the widest window it
    ever offered. `fin`: the sequence number after its FIN. `seen`: the highest that it acknowledged."""

    def __init__(self):
        self.isn = self.end = self.edge = self.seen = self.fin = self.scale = None
        self.widest, self.sack = 0, False

    def reach(self, windows=1):
        """How far before the newest byte a peer may still send: the widest window, as a power of two, and two."""
        return (windows << max(0, self.widest - 1).bit_length()) + 2


class Flow:
    """One flow from its opening on. `earlier`: the flow that its opening ended. `packets`: those of it that passed.
    `reset`: a RST passed that was the flow's. `asked`: the SYNs that passed in the middle of the flow, for the endpoint
    to answer. `heard`: each segment with Weir's reason. `early`: what came before the handshake was complete, dropped
    or not, in the replier's name and, of SYN-ACKs, in the opener's. `refused`: what policy did not allow. `stale`:
    segments that acknowledge what was old by then. `anew`: the SYN by which it began once more."""

    def __init__(self, opener, side, earlier):
        self.opener, self.side, self.earlier = opener, side, earlier
        self.by, self.packets, self.reset, self.asked = {}, [], False, []
        self.heard, self.early, self.refused, self.stale, self.anew = [], ([], []), [], [], None

    def direction(self, end):
        return self.by.setdefault((end.address, end.port), Direction())

    def is_opener(self, end):
        return (end.address, end.port) == self.opener

    def entry(self, end):
        """The side that packets of `end` must come in by."""
        return self.side if self.is_opener(end) else 1 - self.side

    def stands(self):
        """Whether both SYNs are acknowledged."""
        ways = list(self.by.values())
        return len(ways) == 2 and all(one.isn is not None and other.seen is not None and
                                      not after(one.isn + 1 & wire.U32, other.seen)
                                      for one, other in (ways, ways[::-1]))

    def begins_anew(self, segment, own):
        """Whether the replier accepts a SYN of the middle of the connection, which both ends have forgotten."""
        return segment.flags & (SYN | ACK) == SYN | ACK and not self.is_opener(segment.source) and \
            own.isn is not None and segment.seq != own.isn and self.asked_by(segment) is not None

    def asked_by(self, answer):
        """The opener's SYN of the middle of the connection that this acknowledges."""
        return next((syn for syn in self.asked[::-1] if self.is_opener(syn.source) and syn.end == answer.ack), None)

    def take(self, segment, reason):
        own, peer = self.direction(segment.source), self.direction(segment.target)
        if reason == "flow_established" and self.begins_anew(segment, own):
            self.anew = syn = self.asked_by(segment)
            self.asked, self.by, self.reset = [], {}, False
            self.take(syn, "flow_established")
            own, peer = self.direction(segment.source), self.direction(segment.target)
        self.heard.append((segment, reason))
        if segment.flags & SYN and reason == "tcp_challenge":
            self.asked.append(segment)
        if reason == "tcp_challenge" or segment.flags & SYN and self.stands():  # a SYN-ACK again grants nothing
            return
        if segment.flags & RST:
            self.reset = True
            return
        if segment.flags & SYN and not self.stands() and not (own.isn is not None and segment.flags & ACK and
                                                              self.is_opener(segment.source)):
            own.isn, own.end, own.widest = segment.seq, segment.end, 0
            offer = segment.option(3)
            own.scale = None if offer is None or len(offer) != 1 else min(14, offer[0])
            own.sack = segment.option(4) is not None
        elif own.end is None or after(segment.end, own.end):
            own.end = segment.end
        if segment.flags & FIN:
            own.fin = segment.end
        scales = own.scale is not None and peer.scale is not None and not segment.flags & SYN
        window = max(1, segment.window << (own.scale if scales else 0))
        own.widest = max(own.widest, window)
        if segment.flags & ACK:
            if peer.end is not None and after(peer.end - max(OLD, own.widest) & wire.U32, segment.ack):
                self.stale.append(segment)
            if own.seen is None or after(segment.ack, own.seen):
                own.seen = segment.ack
            right = segment.ack + window & wire.U32
            if peer.edge is None or after(right, peer.edge):
                peer.edge = right


def flows_of(before):
    """{key: Flow} after these cases, of which only what both forwarded counts."""
    flows = {}
    for case in before:
        packet = case.packet
        if isinstance(packet, Message) and packet.quoted is not None:
            continue
        key = key_of(packet)
        if key in flows and isinstance(packet, Segment) and not flows[key].stands():
            opener = flows[key].is_opener(packet.source)
            if not opener or packet.flags & (SYN | ACK | RST) == SYN | ACK:
                flows[key].early[opener].append(packet)
        if key in flows and case.reason == "no_allow":
            flows[key].refused.append(packet)
        if not (case.linux and case.weir):
            continue
        if key not in flows or case.reason == "flow_new":
            end = packet.source
            flows[key] = Flow((end.address, end.port), packet.side, flows.get(key))
        flows[key].packets.append(packet)
        if isinstance(packet, Segment):
            flows[key].take(packet, case.reason)
    return flows


LAST = [None, None]


def flow_of(before, packet):
    """The flow of this packet or of the one that it quotes. Asked once for each row of the table about one difference,
    so the last answer is kept."""
    if LAST[0] is not before:
        LAST[:] = before, flows_of(before)
    return LAST[1].get(key_of(packet))
