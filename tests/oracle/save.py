"""An unexplained difference for people: the conversation printed with both answers, and files that show it again."""
import weir_side
import wire


def lines(cases, upto):
    for index, case in enumerate(cases[:upto + 1]):
        mark = "→" if index == upto else " "
        yield f"  {mark} {case}"


def show(unexplained, shown, folder, rules):
    for number, (kind, cases, index, fault) in enumerate(unexplained):
        if number < shown:
            print(f"unexplained ({kind}): {fault}")
            print("\n".join(list(lines(cases, index))[-40:]))
        if folder is not None:
            write(folder / f"{number:03}", rules, cases[:index + 1], fault)
    if len(unexplained) > shown:
        print(f"... and {len(unexplained) - shown} more")


def write(folder, rules, cases, fault):
    """The rule file's packets up to the difference: inside.pcap, outside.pcap and, with every frame in hexadecimal, a
    scenario that expects what Weir said, to be corrected by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    packets = [packet for case in cases for packet in case.packets]
    sent = [(packet.side, packet.frame()) for packet in packets]
    for side, data in zip(wire.SIDES, weir_side.captures(sent)):
        (folder / f"{side}.pcap").write_bytes(data)
    rows = [f"# {fault}", "policy", *rules.splitlines(), "end"]
    at = 0
    for case in cases:
        for packet, verdict in case.rows():
            rows.append(f"# {packet}")
            rows.append(f"{at / 1000:.3f} {wire.SIDES[packet.side]} raw hex={packet.frame().hex()} -> {verdict}")
            at += 1
    (folder / "difference.scenario").write_text("\n".join(rows) + "\n")
