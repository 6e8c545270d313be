"""Agreed differences about everything but the state of a TCP connection."""
import agreed
import watch
from wire import SYN, URG, Datagram, Message, Segment

TABLE, row = agreed.table()
QUERIES = {8: 0, 13: 14, 128: 129}


def error(case):
    packet = case.packet
    return packet if isinstance(packet, Message) and packet.quoted is not None else None


@row("sent by the wrong side", "drops wrong_side",
     "A sender is where it was first heard: a packet with its address from the other side is spoofed (RFC 2827). A "
     "bridge does not look where conntrack's packets come in.")
def _(before, case):
    flow = watch.flow_of(before, case.packet)
    return flow is not None and case.packet.side != flow.entry(case.packet.source)


@row("TTL zero", "drops ttl_zero",
     "No host sends it and no router may pass it on (RFC 1122, 3.2.1.7; RFC 1812, 5.3.1): it probes for what is "
     "behind. A bridge does not look.")
def _(before, case):
    return case.packet.ttl == 0


@row("UDP length is not the payload's", "drops udp_header_bad",
     "Bytes behind the stated length are seen by one reader and not by another (RFC 768): a channel and an evasion. "
     "Linux reads up to the stated length.")
def _(before, case):
    packet = case.packet
    return isinstance(packet, Datagram) and packet.stated not in (None, 8 + packet.length)


@row("URG in a SYN", "drops tcp_flags_bad",
     "No TCP sends it, and there is no data that it could be about (RFC 9293, 3.8.5): a probe for what answers.")
def _(before, case):
    return isinstance(case.packet, Segment) and case.packet.flags & (SYN | URG) == SYN | URG


@row("malformed options", "drops tcp_header_bad",
     "A length below two or beyond the header (RFC 9293, 3.1 and 3.2): two readers find two lists. Linux stops "
     "reading.")
def _(before, case):
    packet = case.packet
    return isinstance(packet, Segment) and not watch.options_hold(packet)


@row("UDP without a checksum over IPv6", "drops l4_checksum_bad",
     "IPv6 has no checksum of its own, so UDP must (RFC 8200, 8.1). Linux lets it through.")
def _(before, case):
    packet = case.packet
    return isinstance(packet, Datagram) and packet.sum_zero and len(packet.source.address) == 16


@row("source quench", "drops icmp_header_bad",
     "Deprecated, to be ignored: it slows TCP down on anybody's word (RFC 6633).")
def _(before, case):
    return error(case) is not None and case.packet.type == 4 and len(case.packet.source.address) == 4


@row("redirect", "drops link_redirect",
     "A redirect moves a host's route on anybody's word and is never meant for another link (RFC 4443, 2.4; RFC "
     "4861, 8.1; RFC 1122, 3.2.2.2).")
def _(before, case):
    return error(case) is not None and (case.packet.type, len(case.packet.source.address)) in ((5, 4), (137, 16))


@row("quote too short for its ports", "drops icmp_header_bad",
     "An error must quote the header and eight bytes (RFC 792; RFC 4443 asks for more), else the flow it is about "
     "is a guess. Linux reads four.")
def _(before, case):
    packet = error(case)
    return packet is not None and packet.quote_bytes < (20 if len(packet.source.address) == 4 else 40) + 8


@row("data in a SYN", "drops tcp_syn_data",
     "No TCP Fast Open in the strict profile: data before the handshake comes from whoever says so (RFC 7413, 5).")
def _(before, case):
    packet = case.packet
    return isinstance(packet, Segment) and packet.flags & SYN and packet.data > 0


@row("error by the wrong side", "drops icmp_unmatched",
     "An error comes from where the packet it quotes went; from the other side, the quote was invented (RFC 5927, "
     "4).")
def _(before, case):
    packet = error(case)
    if packet is None:
        return False
    flow = watch.flow_of(before, packet)
    return flow is not None and packet.side == flow.entry(packet.quoted.source)


@row("query shorter than its form", "drops icmp_header_bad",
     "A timestamp message has twelve bytes more than an echo (RFC 792); Linux looks at the first eight bytes.")
def _(before, case):
    packet = case.packet
    return isinstance(packet, Message) and packet.type in (13, 14, 17, 18) and packet.quoted is None and \
        len(packet.body) < (12 if packet.type < 15 else 4)


@row("another code with the query's identifier", "drops icmp_no_request",
     "A flow is one kind of query with one identifier, as policy allowed it, and its replies; another code with that "
     "identifier waits until the flow is idle. Linux keeps one entry for each.")
def _(before, case):
    packet = case.packet
    flow = watch.flow_of(before, packet)
    if not isinstance(packet, Message) or flow is None:
        return False
    first = flow.packets[0]
    return packet.code != first.code and packet.type in QUERIES


@row("reply to a query with a code", "forwards",
     "An echo reply's code is 0 whatever the request's was (RFC 792); Linux waits for the request's own code.")
def _(before, case):
    packet = case.packet if error(case) is None else case.packet.quoted
    flow = watch.flow_of(before, packet)
    return flow is not None and isinstance(packet, Message) and flow.packets[0].code != packet.code == 0 and \
        packet.type == QUERIES.get(flow.packets[0].type)
