"""Fragments are judged by the datagram: Linux puts them together and cuts them anew, Weir holds them and lets them go
as they were. So what is compared is what the target can put together of what was let through."""
import differences


def place_of(frame):
    """(first byte, bytes, more) of a fragment's payload; a whole packet is one of everything."""
    if frame[14] >> 4 == 4:
        words, total = frame[14] & 15, int.from_bytes(frame[16:18], "big")
        field = int.from_bytes(frame[20:22], "big")
        return (field & 0x1FFF) << 3, frame[14 + words * 4:14 + total], bool(field & 0x2000)
    total = int.from_bytes(frame[18:20], "big")
    if frame[20] != 44:
        return 0, frame[54:54 + total], False
    field = int.from_bytes(frame[56:58], "big")
    return field & 0xFFF8, frame[62:54 + total], bool(field & 1)


def put_together(frames):
    """The datagram's payload; None when a byte is missing or there is nothing; "ambiguous" when two fragments give
    different bytes for one place or different ends."""
    held, ends = {}, set()
    for frame in frames:
        first, data, more = place_of(frame)
        for at, byte in enumerate(data, first):
            if held.setdefault(at, byte) != byte:
                return "ambiguous"
        if not more:
            ends.add(first + len(data))
    if len(ends) > 1:
        return "ambiguous"
    if not ends or any(at not in held for at in range(max(ends))):
        return None
    return bytes(held[at] for at in range(max(ends)))


def together(cases):
    """The cases with each datagram's fragments made one, at the place of its last fragment."""
    groups = {}
    for case in cases:
        if case.packet.group is not None:
            groups.setdefault(case.packet.group, []).append(case)
    out = []
    for case in cases:
        group = groups.get(case.packet.group) if case.packet.group is not None else None
        if group is None:
            out.append(case)
        elif group[-1] is case:
            out.append(differences.DatagramCase(group))
    return out
