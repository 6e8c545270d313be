"""Mistakes made on purpose, so that a test can see the harness find them: a Linux that is set up more loosely, a Weir
whose decisions are not what it decided."""
SETTINGS = {
    "linux-picks-up": {"net/netfilter/nf_conntrack_tcp_loose": 1},
    "linux-liberal": {"net/netfilter/nf_conntrack_tcp_be_liberal": 1},
    "linux-no-checksums": {"net/netfilter/nf_conntrack_checksum": 0},
}
# Every so many packets of a kind the decision is turned round.
EVERY = 997


def forwards_a_drop(index, verdict):
    return "forward" if verdict == "drop" and index % EVERY == 0 else verdict


def drops_a_forward(index, verdict):
    return "drop" if verdict == "forward" and index % EVERY == 0 else verdict


DECISIONS = {"weir-forwards-more": forwards_a_drop, "weir-forwards-less": drops_a_forward}
FAULTS = (*SETTINGS, *DECISIONS)


def settings(fault):
    return SETTINGS.get(fault, {})


def decisions(fault, answers):
    """The answers, turned where the fault says so."""
    turn = DECISIONS.get(fault)
    if turn is None:
        return answers
    return [(turn(index, verdict), *rest) for index, (verdict, *rest) in enumerate(answers)]
