"""Agreed differences about datagrams in fragments: Weir passes fewer of them than Linux does (docs/fragments.md)."""
import agreed
from wire import Fragment

TABLE, add = agreed.table()
TINY = 256  # what a fragment with more behind must have at least, and no other may begin within


def row(name, weir, why):
    """A row whose predicate takes all pieces of a datagram that came."""
    def decorate(holds):
        def asked(_, case):
            pieces = case.packets
            return all(isinstance(one, Fragment) for one in pieces) and holds(pieces)
        return add(name, weir, why)(asked)
    return decorate


def ill_formed(piece):
    """No bytes, or not a multiple of eight with more behind."""
    length = piece.last - piece.first
    return length == 0 or piece.more and length % 8 != 0


@row("tiny fragment", "drops",
     "One that holds less than the headers, or begins within them, is how a filter is passed (RFC 1858, 3128, "
     "7112); no link makes fragments below 256 bytes. What was held of the datagram then waits in vain. Linux puts "
     "them together.")
def _(pieces):
    return any(one.more and one.last - one.first < TINY or 0 < one.first < TINY for one in pieces)


@row("IPv6 datagram in one fragment", "drops",
     "Nobody needs it any more, and it makes a target forget others (RFC 6946, RFC 8021). Linux takes the header "
     "off.")
def _(pieces):
    return any(one.first == 0 and not one.more and len(one.source.address) == 16 for one in pieces)


@row("fragment of an impossible length", "drops",
     "No bytes, or not eights with more behind (RFC 791, 3.2; RFC 8200, 4.5): that piece is dropped, and without it "
     "the datagram is not whole. Linux takes what fits.")
def _(pieces):
    return any(ill_formed(one) for one in pieces)


@row("same fragment with other bytes", "drops fragment_differs",
     "Which of the two would the target take? (Ptacek and Newsham, 1998.) Linux takes the first.")
def _(pieces):
    return len({one.changed for one in pieces}) == 2


@row("two ends of one datagram", "drops fragment_mixed",
     "Pieces that disagree where the datagram ends are two datagrams (RFC 8200, 4.5). Linux takes the first end at "
     "times.")
def _(pieces):
    return len({one.last for one in pieces if not one.more}) > 1


@row("more than 64 fragments", "drops fragment_many",
     "65,535 bytes need 46 on a link of 1,500 (RFC 8900, 3.7): more are there to use memory up.")
def _(pieces):
    return len(pieces) > 64


@row("bad fragment beside a whole datagram", "forwards",
     "A piece that cannot be one is dropped by itself: else anybody could spoil a datagram by a forged one. What "
     "passes is whole and means one thing. Linux drops the datagram.")
def _(pieces):
    return any(ill_formed(one) or one.last > 65535 for one in pieces)
