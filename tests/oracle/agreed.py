"""The shape of a row of the table of agreed differences."""


class Row:
    """`weir` is what Weir does, as "drops REASON, REASON" or "forwards"; Linux does the opposite. `holds(before, case)`
    says whether a difference is this one: true, or the earlier packet that is its cause; `why` is for the page."""

    def __init__(self, name, weir, why, holds):
        self.name, self.why, self.holds = name, why, holds
        verdict, _, reasons = weir.partition(" ")
        self.weir_forwards, self.weir = verdict == "forwards", weir
        self.reasons = frozenset(reasons.split(", ")) if reasons else None


def table():
    """An empty table and the decorator that adds a predicate to it as a row."""
    rows = []

    def row(name, weir, why):
        def add(holds):
            rows.append(Row(name, weir, why, holds))
            return holds
        return add
    return rows, row
