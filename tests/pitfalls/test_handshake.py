"""Pitfall 18: the manager dies while connections are being opened."""

import pytest

from snat.nat.entry import STATE, State
from snat.nat.tracking import ACK, SYN
from snat.wire.actions import Standing
from tests.simulation.network import Network, Router
from tests.simulation.test_silence import answer, segment, started

STEPS = ("SYN", "SYN ACK", "ACK")


def step(router: Router, number: int, source: tuple[bytes, int]) -> tuple[bytes, int]:
    """One packet of the handshake; the outside address and port of the connection."""
    if number == 0:
        return segment(router, SYN, 100, 0)
    if number == 1:
        answer(router, source, SYN | ACK, 900, 101)
        return source
    return segment(router, ACK, 101, 901)


@pytest.mark.parametrize("before", [1, 2])
@pytest.mark.parametrize("again", [False, True])
def test_a_failover_amid_a_handshake(before: int, again: bool) -> None:
    """What the first router saw is known to the second, also if hosts send it again."""
    network: Network = started()
    primary, backup = network.routers.values()
    source: tuple[bytes, int] = (b"", 0)
    for number in range(before):
        source = step(primary, number, source)
    primary.settle()
    network.run(0.2)
    (there,) = backup.device.table
    (here,) = primary.device.table
    assert there[:-4] == here[:-4]
    assert (here[STATE] == State.ESTABLISHED) == (before > 1)
    primary.kill()
    network.run_until(lambda: backup.standing is Standing.MANAGE)
    for number in range(0 if again else before, len(STEPS)):
        assert step(backup, number, source) == source
    backup.settle()
    (record,) = backup.device.table
    assert record[STATE] == State.ESTABLISHED
    network.run(backup.device.configuration.nat.timeouts.syn + 60)
    assert len(backup.device.table) == 1, "it has the time-out of an established connection"


def test_a_handshake_that_nobody_ends_after_a_failover_is_forgotten() -> None:
    network = started()
    primary, backup = network.routers.values()
    step(primary, 0, (b"", 0))
    primary.settle()
    network.run(0.2)
    primary.kill()
    network.run_until(lambda: backup.standing is Standing.MANAGE)
    network.run(backup.device.configuration.nat.timeouts.syn + 5)
    assert len(backup.device.table) == 0
