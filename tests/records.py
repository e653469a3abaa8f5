"""Entries for tests."""

from snat.nat.entry import Entry, Flag, State, TimeoutClass, with_state

MAPPING = 10


def record(
    number: int = 1,
    *,
    nat_id: int = 1,
    mapping_id: int = MAPPING,
    host: int = 5,
    port: int = 40001,
    outside: int = 7,
) -> bytes:
    """A UDP entry; ``number`` makes it another one, with an outside port of its own."""
    return Entry(
        nat_id=nat_id,
        number=number,
        mapping_id=mapping_id,
        inside_local=bytes((10, 0, 0, host)),
        inside_local_port=port + number,
        protocol=17,
        inside_global=b"\xcb\x00\x71\x0a",
        inside_global_port=1024 + number,
        outside_local=bytes((198, 51, 100, outside)),
        outside_local_port=53,
        outside_global=bytes((198, 51, 100, outside)),
        outside_global_port=53,
        flags=Flag.EXTENDED,
        state=State.OPEN,
        timeout_class=TimeoutClass.UDP,
        remaining=300,
    ).pack()


def changed(old: bytes) -> bytes:
    """The same entry in another state."""
    return with_state(old, State.CLOSING, 60)
