"""Pitfall 22: after a takeover, ports are given out until there are none."""

from tests.nat.records import record
from tests.packets import tcp
from tests.translate.nat import P, S, endpoint
from tests.translate.test_takeover import pair


def test_a_taker_allocates_to_the_end_and_gives_no_port_twice() -> None:
    """All low ports of an address: half of the slots are the taker's, and entries of both are in its table.

    The first member has given out some of the taker's ports too, before the slots were dealt.
    """
    first, second = pair()
    theirs = [endpoint(first.out(tcp(f"10.0.{n >> 8}.{n & 255}", 600, S, 80))) for n in range(300)]
    assert len(set(theirs)) == len(theirs)
    stolen = [port for port in range(1, 1024) if (port >> 1) % 16 % 2][:100]
    first.table.add(
        [
            record(n, protocol=6, inside_local=("10.2.0.1", port), inside_global=(P, port), state=1)
            for n, port in enumerate(stolen, start=1000)
        ]
    )
    second.manage()
    ours: list[tuple[str, int]] = []
    while (made := second.out(tcp(f"10.1.{len(ours) >> 8}.{len(ours) & 255}", 600, S, 80))) is not None:
        ours.append(endpoint(made))
        assert len(ours) < 1024
    assert second.counters.exhausted == 1
    free = {port for port in range(1, 1024) if (port >> 1) % 16 % 2} - set(stolen)
    assert len(ours) == len(set(ours)) == len(free)
    assert {port for _, port in ours} == free
    assert set(ours).isdisjoint(theirs)
