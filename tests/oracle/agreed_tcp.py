"""Agreed differences about the state of a TCP connection. `flow` is what both let through so far (watch.py): `own` the
sender's direction, `peer` the other."""
import agreed
import watch
from wire import ACK, FIN, RST, SYN, U32, Message, Segment

TABLE, add = agreed.table()


def row(name, weir, why):
    """A row whose predicate takes (segment, flow, own, peer) and is asked only of segments of a known flow, or of the
    segment that an error quotes."""
    def decorate(holds):
        def asked(before, case):
            segment = case.packet
            if isinstance(segment, Message) and case.reason in ("icmp_related", "icmp_unmatched"):
                segment = segment.quoted
            if not isinstance(segment, Segment):
                return False
            flow = watch.flow_of(before, segment)
            cause = flow is not None and holds(segment, flow, flow.direction(segment.source),
                                               flow.direction(segment.target))
            # What an error quotes nobody has said: it is no cause of anything.
            return cause if segment is case.packet or cause is not segment else False
        return add(name, weir, why)(asked)
    return decorate


def known(number):
    return number is not None


def other_opening(flow):
    """The last segment before the handshake was complete that says something else than the first by its sender did."""
    for early in flow.early:
        said = [(one.flags, one.seq, one.window, one.options) for one in early]
        other = next((one for one, words in zip(early[::-1], said[::-1]) if words != said[0]), None)
        if other is not None:
            return other
    return next((one for one in flow.early[True] if one.seq != flow.by[flow.opener].isn), None)


def other_syn(flow, segment):
    """The opener's SYN whose number is before that of the one that it sent before, or that has other options."""
    syns = [one for one in [*flow.packets, segment] if isinstance(one, Segment) and
            one.flags & (SYN | ACK | RST) == SYN and flow.is_opener(one.source)]
    return next((syn for before, syn in zip(syns, syns[1:]) if watch.after(before.seq, syn.seq) or
                 before.seq == syn.seq and before.options != syn.options), None)


def replier_goes_on(segment, flow):
    return not flow.stands() and not segment.flags & (SYN | RST) and not flow.is_opener(segment.source)


def opened_again(flow):
    """The SYN that began a flow on the ports of an earlier one, until its handshake is complete."""
    return flow.packets[0] if flow.earlier is not None and not flow.stands() else None


# ── Weir drops, Linux forwards ──

@row("SYN on ports that were in use: not by the old numbers", "drops",
     "A connection that was reset, or of which both FINs are acknowledged, is over, and a SYN begins another (RFC "
     "9293, 3.10.7.1; RFC 1122, 4.2.2.13): the old numbers no longer pass. Linux keeps the old one at times, until "
     "a SYN-ACK shows the new one.")
def _(segment, flow, own, peer):
    return opened_again(flow)


@row("answer to a SYN in the middle of a connection", "drops tcp_state, tcp_window, tcp_bad_ack, tcp_bad_rst",
     "A connection that lives answers a SYN by a challenge ACK, and only an exact RST ends it (RFC 5961, 4). What "
     "would begin another connection beside it waits until then, or for the replier's own SYN-ACK of that very SYN. "
     "Linux follows the newer SYN.")
def _(segment, flow, own, peer):
    for syn in flow.asked:
        numbers = (segment.seq,) if syn.source is segment.source else (segment.ack,) if segment.flags & ACK else ()
        if any(number - syn.end & U32 < 1 << 20 for number in numbers):
            return syn
    return None


@row("data after a reset", "drops tcp_state",
     "An exact RST has ended the connection at the endpoint too (RFC 9293, 3.5.2): nothing follows but a new SYN, "
     "and bare acknowledgements by an endpoint that took the RST for a guess. Linux keeps on following the numbers.")
def _(segment, flow, own, peer):
    return flow.reset and (segment.data or segment.flags & (FIN | SYN))


@row("acknowledgement of other numbers after a reset", "drops tcp_window, tcp_bad_ack",
     "As above: what is let through for such an endpoint must have its numbers.")
def _(segment, flow, own, peer):
    if not flow.reset or segment.data or segment.flags & (FIN | SYN | RST):
        return False
    return not (known(own.edge) and known(peer.end)) or watch.after(segment.seq, own.edge) or \
        watch.after(own.end - peer.reach() & U32, segment.seq) or watch.after(segment.ack, peer.end) or \
        watch.after(peer.end - own.reach(2) & U32, segment.ack)


@row("the other side opens too, without an allow", "drops no_allow",
     "A SYN against a SYN is an opening of its own (RFC 9293, 3.5): else a server that policy lets only answer "
     "turns the connection round (split handshake).")
def _(segment, flow, own, peer):
    return segment.flags & (SYN | ACK | RST) == SYN and not flow.is_opener(segment.source) and \
        (flow.asked or not flow.stands())


@row("data beyond what the receiver granted", "drops tcp_window",
     "A receiver drops it, or takes it where it can (RFC 9293, 3.10.7.4): a way to show a monitor what the receiver "
     "never sees. Linux lets up to one more window through.")
def _(segment, flow, own, peer):
    return known(own.edge) and watch.after(segment.seq + segment.data & U32, own.edge)


@row("older than the widest window", "drops tcp_window",
     "The receiver can only throw it away and answer (RFC 9293, 3.10.7.4; RFC 5961, 5): nothing but a blind "
     "attacker or a very late duplicate. Linux lets it through without looking further.")
def _(segment, flow, own, peer):
    return known(own.end) and watch.after(own.end - peer.reach() & U32, segment.seq)


@row("acknowledges what is older than two windows", "drops tcp_bad_ack",
     "RFC 5961, 5.2: such a segment is to be discarded, it comes from somebody who guesses. Linux lets it through.")
def _(segment, flow, own, peer):
    return segment.flags & ACK and known(peer.end) and watch.after(peer.end - own.reach(2) & U32, segment.ack)


@row("SYN-ACK that answers no SYN", "drops tcp_state, tcp_window, tcp_bad_ack, tcp_syn_data",
     "A SYN-ACK acknowledges exactly the SYN that passed, and comes again only with its first numbers and before "
     "anything else was sent (RFC 9293, 3.10.7.3 and 3.10.7.4). Linux ignores the numbers of one that it does not "
     "expect, and of one that acknowledges too little.")
def _(segment, flow, own, peer):
    return segment.flags & (SYN | ACK | RST) == SYN | ACK and \
        (segment.ack != peer.end or known(own.isn) and segment.end != own.end)


@row("RST whose number is not the next", "drops tcp_bad_rst",
     "A blind reset (RFC 5961, 3), or one that does not acknowledge the SYN it refuses (RFC 9293, 3.10.7.3). Linux "
     "takes any RST once a FIN passed, and most while opening.")
def _(segment, flow, own, peer):
    refuses = segment.flags & ACK and segment.ack == peer.end
    return segment.flags & RST and (segment.seq != own.end if known(own.end) else not refuses)


@row("first acknowledgement that is not exact", "drops tcp_bad_ack",
     "It ends the handshake, and only who got the SYN-ACK can know its number (RFC 9293, 3.10.7.4: SYN-RECEIVED). "
     "Linux takes any number of the window before it.")
def _(segment, flow, own, peer):
    return not flow.stands() and flow.is_opener(segment.source) and segment.flags & (SYN | ACK | RST) == ACK and \
        segment.ack != peer.end


@row("error that quotes what did not pass", "drops icmp_unmatched",
     "Who sends an ICMP error has seen the packet: the quoted number lies in flight, or was just before (RFC 5927, "
     "4.1). Linux looks at addresses and ports only.")
def _(segment, flow, own, peer):
    return not known(own.end) or watch.after(segment.seq, own.end) or \
        watch.after(own.end - peer.reach() & U32, segment.seq)


@row("data after its FIN, or another FIN", "drops tcp_window",
     "A FIN is the last that its sender has to say, and stays in its place (RFC 9293, 3.10.4): what follows it, or "
     "a FIN before data that passed, is somebody else's. Linux goes by the window.")
def _(segment, flow, own, peer):
    late = known(own.fin) and watch.after(segment.seq + segment.data & U32, own.fin)
    moved = segment.flags & FIN and known(own.fin) and segment.end != own.fin
    return late or moved or segment.flags & FIN and known(own.end) and watch.after(own.end, segment.end - 1 & U32)


@row("the replier goes on before the handshake is complete", "drops tcp_state",
     "The replier's data waits for the opener's acknowledgement, which proves that the opener is there (no TCP Fast "
     "Open in the strict profile; RFC 7413, 2.1). Linux lets it through.")
def _(segment, flow, own, peer):
    return replier_goes_on(segment, flow) and (segment.data or segment.flags & FIN)


@row("the replier acknowledges before the handshake is complete", "drops tcp_state, tcp_window",
     "Before its SYN-ACK a replier can only say that it holds an older connection, by a number that does not answer "
     "the SYN (RFC 9293, 3.5.1); after it, only repeat its numbers. Linux lets any through.")
def _(segment, flow, own, peer):
    goes_on = replier_goes_on(segment, flow) and not segment.data and not segment.flags & FIN
    answers = segment.ack == peer.end
    return goes_on and (answers and segment.seq != own.end if known(own.isn) and answers else known(own.isn) or answers)


@row("the opener goes on before anybody answered", "drops tcp_state",
     "Before the SYN-ACK an opener has nothing to say but its SYN or a RST (RFC 9293, 3.10.7.3). Linux lets it "
     "through once it saw a RST, which Weir took for a guess.")
def _(segment, flow, own, peer):
    return not known(peer.isn) and flow.is_opener(segment.source) and not segment.flags & (SYN | RST)


@row("SYN again that says something else: not by the older", "drops",
     "The other half of \"SYN again that says something else\" below.")
def _(segment, flow, own, peer):
    return other_syn(flow, segment)


@row("two openings in one name: not by the dropped one", "drops",
     "The other half of \"two openings in one name\" below.")
def _(segment, flow, own, peer):
    return other_opening(flow)


@row("selective acknowledgement of what was never sent", "drops tcp_bad_ack",
     "Only who guesses names bytes that nobody sent (RFC 2018, 3). Linux looks only where both offered it, and only "
     "at the highest.")
def _(segment, flow, own, peer):
    blocks = segment.option(5) or b""
    rights = [int.from_bytes(blocks[at + 4:at + 8], "big") for at in range(0, len(blocks) - 7, 8)]
    return known(peer.end) and any(watch.after(right, peer.end) for right in rights)


@row("acknowledges what was not sent, selectively something older", "drops tcp_bad_ack",
     "The acknowledgement alone is already of something never sent (RFC 9293, 3.10.7.4). Linux looks at the highest "
     "selective one instead.")
def _(segment, flow, own, peer):
    return segment.flags & ACK and known(peer.end) and watch.after(segment.ack, peer.end) and \
        segment.option(5) is not None


@row("after a SYN that policy refused", "drops tcp_not_syn",
     "A connection that is over is forgotten when its ports are asked for again, also where policy then says no. "
     "Linux still knows it, and lets any RST of it through.")
def _(segment, flow, own, peer):
    return flow.refused[-1] if flow.refused else None


@row("after a SYN in the middle of a connection", "drops tcp_state, tcp_window, tcp_bad_ack, tcp_bad_rst",
     "As \"answer to a SYN in the middle of a connection\": Linux has begun another, by a SYN that the endpoint only "
     "answers.")
def _(segment, flow, own, peer):
    return flow.asked[-1] if flow.asked else None


# ── Weir forwards, Linux drops ──

@row("SYN on ports that were in use: its answer", "forwards",
     "The other half of \"SYN on ports that were in use\" above: what answers the new SYN passes, which Linux "
     "compares with the old numbers.")
def _(segment, flow, own, peer):
    return opened_again(flow)


@row("SYN in the middle of a connection: what follows its answer", "forwards",
     "A SYN-ACK of exactly the SYN that the opener sent in the middle comes from a replier that forgot the connection "
     "as well, so that it begins anew (RFC 9293, 3.5.1). Linux keeps the old one at times.")
def _(segment, flow, own, peer):
    return flow.anew if not flow.stands() else None


@row("SYN in the middle of a connection: it is refused", "forwards flow_established",
     "A RST of exactly the SYN that the opener sent in the middle comes from a replier that knows of no connection "
     "(RFC 9293, 3.10.7.1), so there is none. Linux compares its sequence number, which is zero, with the old ones.")
def _(segment, flow, own, peer):
    return segment.flags & RST and segment.flags & ACK and not flow.is_opener(segment.source) and \
        flow.asked_by(segment) is not None


@row("two openings in one name", "forwards",
     "Until the opener has acknowledged one, the latest SYN-ACK that names its exact number holds, and nothing that "
     "was dropped leaves a trace. Linux takes numbers from the first segment that comes in the replier's name, and "
     "from a SYN-ACK in the opener's, even where it drops it: a forged one makes it refuse the true ones.")
def _(segment, flow, own, peer):
    return other_opening(flow)


@row("exact RST that acknowledges what was not sent", "forwards flow_established",
     "The exact number is what makes a RST believed (RFC 5961, 3.2; RFC 9293, 3.10.7.4: the RST is looked at before "
     "the acknowledgement). Linux compares the acknowledgement too.")
def _(segment, flow, own, peer):
    return segment.flags & RST and segment.seq == own.end and segment.flags & ACK and segment.ack != peer.end


@row("after a RST by an opener that nobody answered", "forwards",
     "Its number was not exact, so it may be a guess and the endpoint decides (RFC 5961, 3.2). Linux forgets a "
     "connection without an answer at any RST.")
def _(segment, flow, own, peer):
    return next((one for one, reason in flow.heard if one.flags & RST and reason == "tcp_challenge" and
                 flow.is_opener(one.source)), None)


@row("RST by the opener before an answer", "forwards tcp_challenge",
     "It resets an older connection of which it got a challenge ACK (RFC 9293, 3.5.1, figure 9), by that one's "
     "number, and ends nothing here. Linux compares it with the new one.")
def _(segment, flow, own, peer):
    return segment.flags & RST and flow.is_opener(segment.source) and not known(peer.isn)


@row("SYN-ACK by the opener again", "forwards flow_established",
     "The last step of a simultaneous open, come late or twice (RFC 9293, 3.5, figure 8); with exact numbers, which "
     "an endpoint past that answers by a challenge ACK. Linux has no place for it.")
def _(segment, flow, own, peer):
    return segment.flags & (SYN | ACK | RST) == SYN | ACK and flow.is_opener(segment.source) and \
        segment.end == own.end


@row("acknowledgement after a reset", "forwards tcp_challenge",
     "An endpoint that took the RST for a guess says so (RFC 5961, 3.2). Linux has forgotten a connection that was "
     "only reset.")
def _(segment, flow, own, peer):
    return flow.reset and segment.flags & (SYN | ACK | RST | FIN) == ACK and not segment.data


@row("error after a reset", "forwards icmp_related",
     "It may still tell the endpoint why; Weir remembers the connection for some seconds, Linux not at all.")
def _(segment, flow, own, peer):
    return flow.reset


@row("before a SYN in the middle of a connection", "forwards",
     "A SYN does not end a connection that lives (RFC 5961, 4), nor one whose last acknowledgement was not seen: "
     "what belongs to it still passes. Linux has begun another.")
def _(segment, flow, own, peer):
    fits = known(own.edge) and known(own.end) and known(peer.end) and \
        not watch.after(segment.seq + segment.data & U32, own.edge) and \
        not watch.after(own.end - peer.reach() & U32, segment.seq) and \
        not (segment.flags & ACK and watch.after(segment.ack, peer.end))
    return flow.asked[-1] if flow.asked and fits else None


@row("SYN again that says something else", "forwards",
     "Until it is answered, an opener may begin anew with any number (RFC 9293, 3.10.7.2: the older SYN is refused "
     "by the RST); the SYN-ACK tells which one holds. Linux takes only later numbers, and the first one's options.")
def _(segment, flow, own, peer):
    return other_syn(flow, segment)


@row("data that came with an old acknowledgement", "forwards",
     "It passed and so may be acknowledged. Linux lets it through as well, but does not remember it, and drops what "
     "acknowledges it.")
def _(segment, flow, own, peer):
    return flow.stale[-1] if flow.stale else None


@row("RST in the window whose number is not the next", "forwards tcp_challenge",
     "The endpoint answers it by a challenge ACK or drops it; nothing changes in Weir's flow (RFC 5961, 3.2). Linux "
     "drops what is before the highest acknowledgement, which Weir does not keep.")
def _(segment, flow, own, peer):
    return segment.flags & RST and known(own.end) and segment.seq != own.end and \
        not watch.after(own.end - peer.reach() & U32, segment.seq)


@row("RST once more after a reset", "forwards",
     "Linux has forgotten a connection that was only reset; Weir remembers it for some seconds, and the same RST "
     "again changes nothing at the endpoint.")
def _(segment, flow, own, peer):
    return segment.flags & RST and flow.reset


@row("SYN by the replier of a connection", "forwards",
     "Either end may have lost its state and begin anew: the endpoint answers by a challenge ACK and Weir's flow "
     "does not change (RFC 5961, 4), or, once all is over, policy judges it as an opening (RFC 1122, 4.2.2.13). "
     "Linux lets only the opener do so.")
def _(segment, flow, own, peer):
    return segment.flags & (SYN | ACK | RST) == SYN and not flow.is_opener(segment.source)


@row("selective acknowledgement before the handshake is complete", "forwards",
     "It has no meaning there and endpoints do not look (RFC 2018, 3). Linux compares it with what was sent.")
def _(segment, flow, own, peer):
    return not flow.stands() and segment.option(5) is not None
