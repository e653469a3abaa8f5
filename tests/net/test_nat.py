"""The NAT table of a running router as operators see it, over real TLS in memory."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from cli.shell import Shell
from snat.device.refused import CommandRefused
from snat.device.selection import Place, Selection
from tests.net.memory import Member, Reactor, become_pair, pair
from tests.records import record


@pytest.fixture
def ready(reactor: Reactor, tmp_path: Path, authority: Path) -> tuple[Member, Member]:
    members = pair(reactor, tmp_path, authority)
    become_pair(reactor, *members)
    members[0].traffic(10)
    reactor.settle()
    return members


def one_flow(member: Member) -> Selection:
    row = next(row for row in member.service.nat.translations() if row is not None)
    local, global_ = (
        Place(IPv4Address(one.address), one.port) for one in (row.inside_local, row.inside_global) if one
    )
    return Selection(protocol=row.protocol, inside_local=local, inside_global=global_)


def test_a_flow_that_was_cleared_leaves_the_other_router_at_once(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    flow = one_flow(first)
    with pytest.raises(CommandRefused, match="clear them there"):
        list(second.service.nat.clear_selected(flow))
    assert len(second.table) == 10
    assert list(first.service.nat.clear_selected(flow)) == [None]
    reactor.settle()
    assert len(first.table) == 9
    assert second.table == first.table
    with pytest.raises(CommandRefused, match="No such translation"):
        list(first.service.nat.clear_selected(flow))


def test_statistics_begin_anew_and_the_number_of_entries_does_not(ready: tuple[Member, Member]) -> None:
    first, _ = ready
    assert first.counters("translate")["created"] == 10
    first.service.clear_statistics()
    assert set(first.counters("translate").values()) == {0}
    assert first.counters("table") == {"entries": 10, "collisions": 0}
    first.traffic(3, first=100)
    assert first.counters("translate")["created"] == 3


def told(member: Member, command: str) -> str:
    shell = Shell(member.service, privileged=True)
    text = "".join(said for said in shell.run(command) if isinstance(said, str))
    assert shell.ok, text
    return text


def test_every_command_works_on_a_running_router(ready: tuple[Member, Member]) -> None:
    first, second = ready
    pool = first.service.running_configuration().pools[0].name
    assert "Total active translations: 10 (0 static, 10 dynamic; 10 extended)" in told(
        first, "show ip nat statistics"
    )
    assert " refcount 10\n" in told(first, "show ip nat statistics")
    assert f"Pool name {pool}, id 1\n" in told(first, f"show ip nat pool name {pool}")
    assert told(second, "show ip nat translations udp total") == "Total number of translations: 10\n"
    assert told(second, "show ip nat translations verbose").count("managed by NAT ID 1\n") == 10
    peer = second.service.running_configuration().stateful.groups[0].peers[0].address  # type: ignore[union-attr]
    assert told(second, f"show ip snat peer {peer}").count("\nudp ") == 10
    assert "tcb 0x" in told(second, "show ip snat distributed verbose")
    assert told(first, "show ip nat redundancy").count("\n") == 1
    assert told(first, "clear ip nat statistics") == ""


def test_the_first_page_of_a_large_table_comes_without_a_walk(
    ready: tuple[Member, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100 000 endpoints some hundreds are looked at, with details too."""
    _, second = ready
    table = second.device.table
    hosts = [(host, number) for host in (6, 7, 8, 9) for number in range(25_000)]
    table.add([record(number, host=host, port=1000, nat_id=host) for host, number in hosts])
    assert len(table.inside) > 100_000
    looks: list[bytes] = []
    at = table.at

    def watched(endpoint: bytes) -> Iterator[bytes]:
        looks.append(endpoint)
        return at(endpoint)

    monkeypatch.setattr(table, "at", watched)
    for command in ("show ip nat translations", "show ip nat translations verbose"):
        chunks = Shell(second.service).run(command)
        assert len(str(next(chunks)).splitlines()) == 64
        assert len(looks) < 1000
        looks.clear()
        chunks.close()
