"""The agreed differences between Linux and Weir: each a narrow question about a packet and what came before it, with
the reason why Weir answers otherwise. docs/oracle.md is printed from TABLE."""
import fragments_seen
import wire
from agreed_fragments import TABLE as FRAGMENTS
from agreed_other import TABLE as OTHER
from agreed_tcp import TABLE as TCP

TABLE = TCP + OTHER + FRAGMENTS


class Case:
    """One packet with both answers. `linux` and `weir` say whether it was forwarded."""
    __slots__ = ("packet", "frame", "outs", "linux", "weir", "reason", "rule")

    def __init__(self, packet, frame, outs, answer):
        self.packet, self.frame, self.outs, self.linux = packet, frame, outs, bool(outs)
        verdict, self.reason, self.rule = answer
        self.weir = verdict == "forward"

    @property
    def packets(self):
        return [self.packet]

    def fault(self):
        """What differs, or None."""
        if self.outs and self.outs != [self.frame]:
            return f"Linux changed it: {self.frame.hex()} to {[out.hex() for out in self.outs]}"
        if self.linux != self.weir:
            return f"Linux {'forwards' if self.linux else 'drops'}, Weir says {self.reason}"
        return None

    def rows(self):
        return [(self.packet, f"{'forward' if self.weir else 'drop'} {self.reason} {self.rule}".rstrip())]

    def __str__(self):
        return f"{'L' if self.linux else '-'}{'W' if self.weir else '-'} {self.reason:18} {self.packet}"


class DatagramCase:
    """All fragments of one datagram, compared by what the target can put together of them."""

    def __init__(self, cases):
        self.cases, self.packet = cases, cases[0].packet
        self.theirs = fragments_seen.put_together([out for case in cases for out in case.outs])
        self.ours = fragments_seen.put_together([case.frame for case in cases if case.weir])
        self.linux, self.weir = any(case.linux for case in cases), any(case.weir for case in cases)
        self.reason = next((case.reason for case in cases if not case.weir), cases[-1].reason)

    @property
    def packets(self):
        return [case.packet for case in self.cases]

    def fault(self):
        if self.ours == "ambiguous":
            return "Weir lets fragments through that give one byte two values"
        if self.theirs != self.ours:
            return (f"Linux {'forwards' if self.linux else 'drops'} the datagram, "
                    f"Weir {'forwards' if self.weir else 'drops'} it ({self.reason})")
        return None

    def rows(self):
        return [row for case in self.cases for row in case.rows()]

    def __str__(self):
        return "\n    ".join(str(case) for case in self.cases)


def explain(before, case):
    """The name of the agreed difference that this is, or None; and the packet that is its cause."""
    for row in TABLE:
        if row.weir_forwards == case.weir and (row.reasons is None or case.reason in row.reasons):
            cause = row.holds(before, case)
            if cause:
                return row.name, cause if isinstance(cause, wire.Packet) else case.packet
    return None, None


def show(counts):
    for name, count in counts.most_common():
        print(f"{count:8} {name}")
