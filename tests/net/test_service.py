"""The router as a service: pairs in one process, over real TLS in memory."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import CannotListenError

from snat.config.model import (
    AccessList,
    Configuration,
    ConfiguredRole,
    Interface,
    Nat,
    Peer,
    Side,
    Stateful,
    Timeouts,
)
from snat.config.refused import ConfigurationRefused
from snat.device.device import UNHURRIED
from snat.device.events import Noted
from snat.device.group import Group as DeviceGroup
from snat.device.links import Link
from snat.net.files import StateDirectory, StateError
from snat.net.protocol import LAST_WORD_TIME
from snat.net.refused import KernelRefused
from snat.net.service import LINGER
from snat.net.snapshot_file import SNAPSHOT_INTERVAL
from snat.net.tls import TrustpointError
from snat.replication.connection_queue import INBOUND_LIMIT
from snat.translate.translator import Verdict
from snat.wire import items
from snat.wire.actions import Digest, RoleChange, Standing
from snat.wire.framing import Framing
from snat.wire.header import Feed, Position, Term, encode
from tests import packets
from tests.net.memory import (
    BUFFER,
    PORT,
    Cable,
    Log,
    Member,
    Reactor,
    address,
    become_pair,
    configured,
    pair,
)
from tests.simulation.network import MAPPING, configuration

HOLD = 0.6
"""Hold time of the configurations of the simulations, in seconds."""


@pytest.fixture
def members(reactor: Reactor, tmp_path: Path, authority: Path) -> tuple[Member, Member]:
    return pair(reactor, tmp_path, authority)


@pytest.fixture
def ready(reactor: Reactor, members: tuple[Member, Member]) -> tuple[Member, Member]:
    become_pair(reactor, *members)
    return members


def cable_of(member: Member) -> Cable:
    """The cable of the link that its entries leave on."""
    (cable,) = [one for one in member.reactor.cables if one.client.getHost().host == address(member.nat_id)]
    return cable


# A pair


def test_a_pair_replicates_and_verifies(reactor: Reactor, ready: tuple[Member, Member]) -> None:
    first, second = ready
    first.traffic(10)
    reactor.settle()
    assert len(first.table) == 10
    assert second.table == first.table
    reactor.elapse(0.5)
    assert first.ready
    assert second.ready
    (group,) = second.service.distributed()
    assert [(feed.entries, feed.manager_nat_id) for feed in group.feeds] == [(10, 1)]


def test_the_backup_takes_over_and_the_primary_comes_back(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    first.traffic(10)
    reactor.settle()
    before = first.table
    first.die()
    began = reactor.seconds()
    reactor.run_until(lambda: second.standing == "MANAGE", most=HOLD + 0.5)
    assert reactor.seconds() - began > HOLD / 2
    assert second.path.told == ["start", f"claim [{MAPPING}]"]
    second.traffic(5, first=5000)

    first = first.again()
    first.service.startService()
    reactor.run_until(lambda: first.standing == "MANAGE" and first.ready and second.ready)
    assert second.standing == "LISTEN"
    assert first.table == second.table
    assert before < first.table
    assert len(first.table) == 15
    assert second.path.told == ["start", f"claim [{MAPPING}]", "claim []"]
    assert first.path.told == ["start", f"claim [{MAPPING}]"]


def test_a_backup_that_was_killed_comes_back_with_the_whole_table(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    first.traffic(10)
    reactor.settle()
    second.die()
    reactor.elapse(1.0)
    first.traffic(5, first=5000)
    second = second.again()
    second.service.startService()
    reactor.run_until(lambda: first.ready and second.ready)
    assert (first.standing, second.standing) == ("MANAGE", "LISTEN")
    assert second.table == first.table
    assert len(first.table) == 15


def test_a_dump_of_20_000_entries_crosses_whole_past_full_buffers(
    reactor: Reactor, members: tuple[Member, Member]
) -> None:
    first, second = members
    first.service.startService()
    reactor.run_until(lambda: first.standing == "MANAGE")
    first.traffic(20_000)
    assert len(first.table) == 20_000
    second.service.startService()
    reactor.run_until(lambda: first.ready and second.ready)
    assert second.table == first.table
    feeds = [member.service.distributed()[0].feeds[0] for member in members]
    assert feeds[0].digest == feeds[1].digest
    assert feeds[0].entries == feeds[1].entries == 20_000
    assert second.counters("feeds")["dumps_received"] == 1
    assert second.counters("feeds")["dumps_failed"] == 0
    sent = cable_of(first).client
    assert BUFFER < sent.most < 3 * BUFFER  # it was paused, and did not pile up


def test_a_dump_goes_on_over_a_path_that_never_pauses(
    reactor: Reactor, members: tuple[Member, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one pump sends: the rest follows in the reactor's next turn, not at the next keepalive."""
    monkeypatch.setattr("tests.net.memory.BUFFER", 1 << 30)
    monkeypatch.setattr("snat.net.service._ROUNDS", 2)
    first, second = members
    first.service.startService()
    reactor.run_until(lambda: first.standing == "MANAGE")
    first.traffic(20_000)
    second.service.startService()
    reactor.run_until(lambda: second.device.feed_counters.items_applied > 0)
    began = reactor.seconds()
    reactor.run_until(lambda: second.device.feed_counters.dumps_received == 1)
    assert reactor.seconds() - began < 0.2


def test_a_stalled_neighbor_stops_the_sender_and_loses_nothing(
    reactor: Reactor, tmp_path: Path, authority: Path
) -> None:
    first, second = pair(reactor, tmp_path, authority, hold_time=30.0)
    become_pair(reactor, first, second)
    cable = cable_of(first)
    cable.stalled = True
    for start in range(1024, 21024, 1000):
        first.traffic(1000, first=start)
        reactor.elapse(0.02)
    assert cable.client.held < 3 * BUFFER
    link = first.device.neighbors[2].outgoing
    assert link is not None
    assert link.queue.size > 0
    cable.stalled = False
    reactor.elapse(0.1)
    assert link.queue.size == 0
    assert second.table == first.table
    assert second.counters("feeds")["gaps"] == 0
    assert second.counters("feeds")["dumps_received"] == 0


# The end


def test_an_orderly_stop_withdraws_says_goodbye_and_leaves_nothing(
    reactor: Reactor, ready: tuple[Member, Member], log: Log
) -> None:
    first, second = ready
    stopped = first.service.stopService()
    assert first.path.told[-1] == "claim []"
    reactor.settle()
    assert second.standing == "MANAGE", "before the first has closed its TUNs"
    assert first.path.told[-1] == "claim []"
    assert stopped.called is False
    reactor.elapse(LINGER + 0.1)
    assert first.path.told[-2:] == ["claim []", "stop"]
    assert bool(stopped.called)
    assert log.lines("ended by the neighbor: the device stops")
    assert second.outgoing(1) == "Idle"
    assert not first.device.neighbors[2].links()
    assert reactor.cables == []
    second.service.stopService()
    reactor.settle()
    assert reactor.waiting == []
    assert reactor.listening == {}


def test_a_stop_takes_no_role(reactor: Reactor, ready: tuple[Member, Member]) -> None:
    """The backup stops when the hold time of the dead primary is over, and before its alarm rings."""
    first, second = ready
    first.die()
    reactor.settle()
    second.device.neighbors[1].heard = reactor.seconds() - HOLD
    assert second.standing == "LISTEN"
    second.service.stopService()
    reactor.settle()
    assert second.path.told == ["start", "stop"]
    assert second.standing == "LISTEN"


def test_a_stop_forgets_what_could_not_be_done(reactor: Reactor, ready: tuple[Member, Member]) -> None:
    """Addresses that were refused are not claimed by a router that has stopped."""
    first, second = ready
    first.die()
    second.path.refusal = KernelRefused("no such interface", where="in0", remedy="bring it back")
    reactor.run_until(lambda: second.standing == "MANAGE", most=2.0)
    second.path.refusal = None
    second.service.stopService()
    assert second.path.told == ["start", "stop"]


def test_a_stop_ends_handshakes_at_once(reactor: Reactor, members: tuple[Member, Member]) -> None:
    first, second = members
    second.service.startService()
    first.service.startService()
    reactor.advance(0.001)  # TCP is up, TLS is not
    (cable, *_) = reactor.cables
    assert first.counters("listener")["accepted"] == 0
    for each in reactor.cables:
        each.stalled = True  # nor will it ever be
    for member in members:
        member.service.stopService()
    reactor.settle()
    assert (cable.client.told, cable.server.told) == (True, True)
    assert reactor.waiting == []
    reactor.elapse(1.0)
    assert reactor.waiting == []


def test_a_stop_is_bounded_though_the_neighbor_never_answers_it(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    for cable in reactor.cables:
        cable.stalled = True
    ends = [cable.client for cable in reactor.cables if cable.client.getHost().host == address(1)]
    ends += [cable.server for cable in reactor.cables if cable.server.getHost().host == address(1)]
    second.die(told=False)
    first.service.stopService()
    reactor.elapse(LAST_WORD_TIME + 0.1)
    assert len(ends) == 2
    assert all(end.told for end in ends)
    assert reactor.waiting == []


def test_a_kernel_that_refuses_at_the_end_does_not_keep_the_goodbye(
    reactor: Reactor, ready: tuple[Member, Member], log: Log
) -> None:
    first, _ = ready
    first.path.refusal = KernelRefused("gone", where="snat-i", remedy="none")
    first.service.stopService()
    reactor.settle()
    assert log.lines("ended by the neighbor: the device stops")
    assert log.lines("gone (snat-i)")


def test_who_hands_over_opens_no_flow_that_nobody_would_know_of(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    first.traffic(5)
    reactor.settle()
    first.service.stopService()
    first.traffic(5)  # all are translated
    buffer, end = packets.buffer(packets.udp("10.0.0.5", 5000, "198.51.100.9", 500))
    assert first.device.packet(buffer, end, False, reactor.seconds()) is Verdict.DROP
    assert first.device.counters()["translate"]["not_managed"] == 1
    reactor.settle()
    assert second.table == first.table


def test_a_lone_manager_stops_at_once(reactor: Reactor, ready: tuple[Member, Member]) -> None:
    first, second = ready
    second.die()
    reactor.settle()
    first.service.stopService()
    assert first.path.told[-1] == "stop"


# Links


def test_a_newer_link_takes_the_place_of_a_dead_one_whose_end_comes_soon(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    """As after a power cut: the older connection is dead, and nobody said so."""
    first, second = ready
    first.traffic(10)
    reactor.settle()
    dead = cable_of(second)
    second.die(told=False)
    second = second.again()
    second.service.startService()
    reactor.run_until(lambda: first.counters("links")["replaced"] == 1, most=HOLD / 2)
    reactor.elapse(LAST_WORD_TIME + 0.1)
    assert dead.server.told
    reactor.run_until(lambda: first.ready and second.ready)
    assert second.table == first.table
    assert first.standing == "MANAGE"


def test_a_link_that_cannot_be_had_is_dialled_with_a_back_off_though_the_other_is_up(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, _ = ready
    del reactor.listening[address(2), PORT]
    cable_of(first).cut()
    reactor.settle()
    dials = len(reactor.dials)
    reactor.elapse(3.0)
    incoming = first.device.neighbors[2].incoming
    assert incoming is not None
    assert incoming.established
    assert 2 <= len(reactor.dials) - dials <= 8


def test_one_dead_link_is_an_alarm_and_comes_back_without_a_takeover(
    reactor: Reactor, ready: tuple[Member, Member], log: Log
) -> None:
    first, second = ready
    cable_of(first).cut()
    reactor.settle()
    assert second.service.distributed()[0].alarms == ("the link from r1.example is down",)
    reactor.run_until(lambda: first.ready and second.ready, most=2.0)
    assert second.service.distributed()[0].alarms == ()
    assert (first.standing, second.standing) == ("MANAGE", "LISTEN")
    assert log.lines("link to r2.example (out) closed")


def test_silence_for_the_hold_time_closes_both_links_and_the_alarm_rings_for_it(
    reactor: Reactor, ready: tuple[Member, Member], log: Log
) -> None:
    for cable in reactor.cables:
        cable.stalled = True
    reactor.unanswered.update((address(1), address(2)))
    reactor.elapse(HOLD - 0.25)
    assert not log.lines("no byte for")
    reactor.elapse(0.5)
    assert len({line for line in log.lines("no byte for") if "state Establish" in line}) == 4


def test_there_is_one_alarm_and_it_is_for_the_next_deadline(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, _ = ready
    rings = [call for call in reactor.pending if call.func == first.service._ring]
    assert [call.getTime() for call in rings] == [pytest.approx(first.device.next_deadline())]
    first.service.pump()
    assert sum(call.func == first.service._ring for call in reactor.pending) == 1


def turns_of(member: Member, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When its device takes turns from now on."""
    turns: list[float] = []
    turn = member.device.turn

    def noted(now: float) -> None:
        turns.append(now)
        turn(now)

    monkeypatch.setattr(member.device, "turn", noted)
    return turns


def test_packets_that_open_a_flow_make_a_pump_at_once(
    reactor: Reactor, ready: tuple[Member, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ready
    reactor.elapse(0.05)
    monkeypatch.setattr(first.service, "pump", lambda: None)
    first.traffic(1)
    monkeypatch.undo()
    first.service.heed()
    reactor.settle()
    assert len(second.table) == 1


def test_packets_of_known_flows_make_one_pump_for_many_batches(
    reactor: Reactor, ready: tuple[Member, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = ready
    reactor.elapse(0.05)
    turns = turns_of(first, monkeypatch)
    for _ in range(3):
        first.service.heed()
        reactor.advance(UNHURRIED / 4)
    assert turns == []
    reactor.advance(UNHURRIED / 2)
    assert len(turns) == 1


def test_a_pump_within_a_pump_does_nothing(reactor: Reactor, ready: tuple[Member, Member]) -> None:
    first, _ = ready
    first.service._pumping = True
    first.traffic(1)
    assert not any(cable.client.held or cable.server.held for cable in reactor.cables)
    first.service._pumping = False
    first.service.pump()
    reactor.settle()
    assert len(ready[1].table) == 1


def test_what_comes_in_one_turn_of_the_reactor_makes_one_pump(
    reactor: Reactor, ready: tuple[Member, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, second = ready
    reactor.elapse(0.05)
    turns = turns_of(second, monkeypatch)
    link = second.device.neighbors[1].incoming
    assert link is not None
    for _ in range(5):
        second.service.members.received(link, encode(b""))
    assert turns == []
    reactor.advance(0)
    assert turns == [reactor.seconds()]
    assert sum(call.func == second.service._ring for call in reactor.pending) == 1


def test_bytes_after_a_stop_make_no_pump(reactor: Reactor, ready: tuple[Member, Member]) -> None:
    first, _ = ready
    link = first.device.neighbors[2].incoming
    assert link is not None
    first.service.stopService()
    first.service.members.received(link, b"late")
    assert not [call for call in reactor.pending if call.func == first.service._ring]


def test_a_choked_link_stops_the_neighbor_and_nothing_is_lost(
    reactor: Reactor, tmp_path: Path, authority: Path
) -> None:
    first, second = pair(reactor, tmp_path, authority, hold_time=30.0)
    become_pair(reactor, first, second)
    cable = cable_of(first)
    link = second.device.neighbors[1].incoming
    assert link is not None
    link.inbound._limit = -1
    second.service.pump()
    assert not cable.server.reading
    first.traffic(20_000)
    reactor.elapse(0.1)
    assert len(second.table) == 0
    assert BUFFER < cable.client.held < 3 * BUFFER  # and what is beyond waits in the neighbor's queue
    link.inbound._limit = INBOUND_LIMIT
    second.service.pump()
    reactor.elapse(0.1)
    assert second.table == first.table
    assert second.counters("feeds")["gaps"] == 0


def test_the_loss_of_a_link_that_was_choked_is_noticed_when_it_is_not(
    reactor: Reactor, tmp_path: Path, authority: Path
) -> None:
    first, second = pair(reactor, tmp_path, authority, hold_time=30.0)
    become_pair(reactor, first, second)
    link = second.device.neighbors[1].incoming
    assert link is not None
    link.inbound._limit = -1
    second.service.pump()
    first.service.stopService()
    reactor.elapse(0.2)
    assert second.device.neighbors[1].incoming is link
    link.inbound._limit = INBOUND_LIMIT
    second.service.pump()
    reactor.settle()
    assert second.device.neighbors[1].incoming is None


# Snapshots


def test_a_router_that_was_killed_goes_on_with_the_flows_of_its_last_snapshot(
    reactor: Reactor, members: tuple[Member, Member]
) -> None:
    first, _ = members
    first.service.startService()
    reactor.run_until(lambda: first.standing == "MANAGE")
    first.traffic(10)
    before = {(row.inside_local, row.inside_global) for row in first.service.nat.translations() if row}
    reactor.elapse(SNAPSHOT_INTERVAL + 1, step=0.5)
    first.die()
    reactor.advance(100.0)
    first = first.again()
    (line,) = [line for line in lines_of(first) if "entries loaded" in line]
    assert line.startswith(
        "table of 10 entries loaded from 10"
    )  # ago: what was left of the minute, and 100 s
    assert line.endswith(" s ago, 0 expired, 0 of mappings that are not configured")
    assert first.standing == "START"
    first.service.startService()
    reactor.run_until(lambda: first.standing == "MANAGE")
    first.traffic(10)
    assert {
        (row.inside_local, row.inside_global) for row in first.service.nat.translations() if row
    } == before
    assert first.counters("translate")["created"] == 0


def lines_of(member: Member) -> list[str]:
    """What the device has for the log; it says it once."""
    return [event.text.format(**event.fields) for event in member.device.events() if isinstance(event, Noted)]


def test_a_router_that_stops_saves_its_table_and_the_position_it_is_whole_at(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    first.traffic(10)
    reactor.elapse(0.5)
    position = second.device.groups[0].feeds[Feed(0, MAPPING)].position
    second.service.stopService()
    reactor.settle()
    again = second.again()
    assert again.device.groups[0].feeds[Feed(0, MAPPING)].kept == position != Position()
    assert {entry[:41] for entry in again.table} == {entry[:41] for entry in first.table}


def test_a_neighbor_that_has_the_table_is_believed_and_not_the_snapshot(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    first.traffic(10)
    reactor.elapse(0.5)
    second.service.stopService()
    reactor.settle()
    first.device.table.remove(list(first.device.table)[:4])
    first.traffic(3, first=9000)
    second = second.again()
    assert len(second.table) == 10
    second.service.startService()
    reactor.run_until(lambda: first.ready and second.ready)
    assert second.table == first.table
    assert len(first.table) == 9
    assert second.counters("feeds")["swept"] == 4


def test_a_damaged_snapshot_keeps_no_router_from_starting(
    reactor: Reactor, members: tuple[Member, Member], log: Log
) -> None:
    first, _ = members
    first.state.close()
    (first.directory / "table.snapshot").write_bytes(b"garbage")
    first = first.again()
    assert log.lines("table.snapshot is damaged (7 bytes are no snapshot); set aside as")
    first.service.startService()
    reactor.run_until(lambda: first.standing == "MANAGE")
    assert (first.directory / "table.snapshot.damaged").read_bytes() == b"garbage"


def test_without_a_state_directory_nothing_is_saved(
    reactor: Reactor, tmp_path: Path, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = configured(1, ConfiguredRole.PRIMARY, (2,), authority)
    member = Member(reactor, tmp_path, made, StateDirectory(None))
    member.service.startService()
    reactor.run_until(lambda: member.standing == "MANAGE")
    member.traffic(3)
    reactor.elapse(SNAPSHOT_INTERVAL + 1, step=0.5)
    member.service.stopService()
    reactor.settle()
    assert list(tmp_path.iterdir()) == []


def test_the_process_that_starts_signs_the_lock(members: tuple[Member, Member]) -> None:
    """Which is not the one that made the service, where twistd forks."""
    first, _ = members
    (first.directory / "lock").write_text("1234\n")
    first.service.startService()
    assert (first.directory / "lock").read_text() == f"{os.getpid()}\n"


def test_a_stop_gives_the_state_directory_back(reactor: Reactor, ready: tuple[Member, Member]) -> None:
    first, _ = ready
    first.traffic(1)
    with pytest.raises(StateError, match="another snat daemon"):
        first.again()
    first.service.stopService()
    with pytest.raises(StateError, match="another snat daemon"):
        first.again()  # its table is not saved yet
    reactor.elapse(LINGER + 0.1)
    first.again()


# Terms and roles reach the world before the neighbors


class FullState(StateDirectory):
    """A state directory whose disk can be full."""

    full = False

    def take_term(self, feed: Feed, term: Term) -> None:
        if self.full:
            raise StateError("state.json: No space left on device; what is not stored is not used")
        super().take_term(feed, term)


def announced(data: bytes) -> Iterator[Term]:
    """The terms that a router's bytes speak of."""
    framing = Framing()
    framing.feed(data)
    for message in framing.messages():
        if message.sequence:
            yield message.term
        else:
            for said in items.controls(message.body):
                if isinstance(said, RoleChange) and said.standing == Standing.MANAGE:
                    yield said.term
                elif isinstance(said, Digest):
                    yield said.position.term


def test_a_term_is_on_the_disk_before_a_byte_announces_it(
    reactor: Reactor, members: tuple[Member, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a start, a takeover and the return: three terms."""
    first, second = members
    directories = {1: first.directory, 2: second.directory}
    seen: set[Term] = set()
    said = Link.data_to_send

    def watch(link: Link) -> bytes:
        data = said(link)
        for term in announced(data):
            seen.add(term)
            if term.nat_id == link.session.local.nat_id:
                stored = json.loads((directories[term.nat_id] / "state.json").read_text())["terms"]
                assert [0, MAPPING, *term] in stored
        return data

    monkeypatch.setattr(Link, "data_to_send", watch)
    become_pair(reactor, first, second)
    first.die()
    reactor.run_until(lambda: second.standing == "MANAGE", most=2.0)
    first = first.again()
    first.service.startService()
    reactor.run_until(lambda: first.standing == "MANAGE" and first.ready and second.ready)
    assert seen == {Term(1, 1), Term(2, 2), Term(3, 1)}


def test_a_term_that_cannot_be_stored_is_not_announced_until_it_can(
    reactor: Reactor, members: tuple[Member, Member], log: Log
) -> None:
    first, second = members
    second.state.close()
    state = FullState(second.directory)
    second = Member(reactor, second.directory, second.configuration, state)
    become_pair(reactor, first, second)
    state.full = True
    first.die()
    reactor.run_until(lambda: second.standing == "MANAGE", most=2.0)
    assert second.path.told == ["start"]
    first = first.again()
    first.service.startService()
    reactor.elapse(3.0)
    assert first.device.neighbors[2].standings == {}  # it has said nothing
    (line,) = log.lines("No space left on device")
    assert "nothing is said" in line
    state.full = False
    reactor.run_until(lambda: first.ready and second.ready)
    assert second.path.told[:2] == ["start", f"claim [{MAPPING}]"]
    assert first.table == second.table


def test_a_module_moves_addresses_only_when_the_term_is_on_the_disk(
    reactor: Reactor, members: tuple[Member, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = members
    second.state.close()
    state = FullState(second.directory)
    second = Member(reactor, second.directory, second.configuration, state)
    become_pair(reactor, first, second)
    handed: list[bool] = []

    def hand_over(groups: list[DeviceGroup]) -> None:
        handed.append(groups[0].manages)

    monkeypatch.setattr(second.service._modules, "hand_over", hand_over)
    state.full = True
    first.die()
    reactor.run_until(lambda: second.standing == "MANAGE", most=2.0)
    reactor.elapse(1.0)
    assert True not in handed
    state.full = False
    reactor.elapse(0.1)
    assert handed[-1] is True


def test_addresses_that_cannot_be_had_are_tried_again_and_meanwhile_another_manages(
    reactor: Reactor, ready: tuple[Member, Member], log: Log
) -> None:
    first, second = ready
    first.die()
    second.path.refusal = KernelRefused("no such interface", where="in0", remedy="bring it back")
    reactor.run_until(lambda: second.standing == "MANAGE", most=2.0)
    first = first.again()
    first.service.startService()
    reactor.run_until(lambda: first.standing == "MANAGE", most=10.0)
    assert first.path.told[-1] == f"claim [{MAPPING}]"
    assert log.lines("no such interface (in0): bring it back")
    second.path.refusal = None
    reactor.run_until(lambda: first.ready and second.ready)
    assert (first.standing, second.standing) == ("MANAGE", "LISTEN")
    assert second.path.told[-2:] == [f"claim [{MAPPING}]", "claim []"]


def test_the_incarnation_and_the_terms_of_a_run_are_known_to_the_next(
    reactor: Reactor, ready: tuple[Member, Member]
) -> None:
    first, second = ready
    first.die()
    reactor.run_until(lambda: second.standing == "MANAGE", most=2.0)
    second.die()
    again = second.again()
    assert again.device.incarnation == second.device.incarnation + 1
    assert again.device.groups[0].feeds[Feed(0, MAPPING)].highest == Term(2, 2)


# Groups


def two_groups(nat_id: int, authority: Path, **second: Any) -> Configuration:
    """A router that is primary of one group and backup of another, as for load sharing (Fig. 2B)."""
    made = configured(nat_id, ConfiguredRole.PRIMARY, (3 - nat_id,), authority)
    assert made.stateful is not None
    (group,) = made.stateful.groups
    other = replace(group, role=ConfiguredRole.BACKUP, mapping_ids=(20,), **second)
    groups = (
        (group, other)
        if nat_id == 1
        else (replace(group, mapping_ids=(20,)), replace(other, mapping_ids=(10,)))
    )
    return replace(made, stateful=Stateful(nat_id=nat_id, groups=groups))


def test_two_groups_share_one_port_and_one_pair_of_links(
    reactor: Reactor, tmp_path: Path, authority: Path
) -> None:
    members = [Member(reactor, tmp_path / str(one), two_groups(one, authority)) for one in (1, 2)]
    for member in members:
        member.service.startService()
    reactor.run_until(lambda: all(member.ready for member in members))
    reactor.elapse(0.5)
    assert len(reactor.listening) == 2
    assert len(reactor.cables) == 2
    standings = [[group.standing for group in member.service.distributed()] for member in members]
    assert standings == [["MANAGE", "LISTEN"], ["MANAGE", "LISTEN"]]
    assert members[0].path.told[-1] == "claim [10]"
    assert members[1].path.told[-1] == "claim [20]"


def test_a_group_with_an_address_of_its_own_has_its_own_gate(
    reactor: Reactor, tmp_path: Path, authority: Path
) -> None:
    other = IPv4Address("192.168.78.1")
    peers = (Peer(address=IPv4Address("192.168.78.2"), nat_id=2, name="r2.example"),)
    member = Member(reactor, tmp_path, two_groups(1, authority, address=other, peers=peers))
    member.service.startService()
    assert set(reactor.listening) == {(address(1), 15555), ("192.168.78.1", 15555)}
    assert {"listener", "listener1"} <= member.service.statistics().counters.keys()
    assert reactor.listening["192.168.78.1", 15555].buildProtocol(None) is None


# Starting


def test_a_router_without_groups_listens_to_nobody(reactor: Reactor, tmp_path: Path) -> None:
    alone = replace(configuration(1, ConfiguredRole.PRIMARY, ()), stateful=None)
    alone = replace(alone, dynamic_rules=tuple(replace(one, mapping_id=0) for one in alone.dynamic_rules))
    member = Member(reactor, tmp_path, alone)
    member.service.startService()
    member.traffic(3)
    assert len(member.table) == 3
    assert (reactor.listening, reactor.dials) == ({}, [])
    assert member.service.distributed() == ()
    row = next(member.service.nat.translations())
    assert row is not None
    assert row.protocol == 17
    member.service.stopService()
    reactor.settle()
    assert reactor.waiting == []


def test_a_port_that_is_taken_is_the_caller_s_to_report(
    reactor: Reactor, members: tuple[Member, Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(*_: Any, **__: Any) -> None:
        raise CannotListenError(address(1), 15555, OSError(98, "Address already in use"))

    monkeypatch.setattr(reactor, "listenTCP", taken)
    with pytest.raises(CannotListenError, match="Address already in use"):
        members[0].service.startService()


def test_a_certificate_of_another_nat_id_is_refused_at_once(
    reactor: Reactor, tmp_path: Path, authority: Path
) -> None:
    wrong = replace(
        configured(1, ConfiguredRole.PRIMARY, (2,), authority),
        trustpoint=configured(3, ConfiguredRole.PRIMARY, (2,), authority).trustpoint,
    )
    with pytest.raises(TrustpointError, match=r"r3\.example \(NAT ID 3\), and this router has NAT ID 1"):
        Member(reactor, tmp_path, wrong)


# apply()


@pytest.mark.parametrize(
    "change",
    [
        {"hostname": "EDGE"},
        {"nat": Nat(timeouts=Timeouts(udp=30))},
        {"interfaces": (Interface(name="in0", side=Side.INSIDE),)},
        {"access_lists": (AccessList(name="1"),)},
    ],
)
def test_what_applies_at_once(ready: tuple[Member, Member], change: dict[str, Any]) -> None:
    first, _ = ready
    first.traffic(3)
    wanted = replace(first.configuration, **change)
    first.service.apply(wanted)
    assert first.service.running_configuration() == wanted
    assert first.device.configuration == wanted
    assert len(first.table) == 3
    assert first.path.told[-1] == "configure"
    first.service.apply(wanted)  # again changes nothing
    assert first.service.running_configuration() == wanted


def test_an_access_list_that_denies_is_obeyed_by_the_next_packet(ready: tuple[Member, Member]) -> None:
    first, _ = ready
    first.traffic(1)
    first.service.apply(replace(first.configuration, access_lists=(AccessList(name="1"),)))
    first.traffic(1, first=9000)
    assert len(first.table) == 1


def refused_changes(configuration: Configuration) -> dict[str, Configuration]:
    stateful = configuration.stateful
    assert stateful is not None
    assert configuration.trustpoint is not None
    (group,) = stateful.groups
    return {
        "cannot listen on 192.168.77.3 port 15555: .*Address already in use; give": replace(
            configuration,
            stateful=Stateful(nat_id=1, groups=(replace(group, address=IPv4Address(address(3))),)),
        ),
        "other.pem: No such file": replace(
            configuration, trustpoint=replace(configuration.trustpoint, certificate="other.pem")
        ),
        r"is of r1\.example \(NAT ID 1\), and this router has NAT ID 3": replace(
            configuration, stateful=Stateful(nat_id=3, groups=(group,))
        ),
        "no pool": replace(configuration, pools=()),
    }


@pytest.mark.parametrize("why", range(4))
def test_what_is_refused_changes_nothing(reactor: Reactor, ready: tuple[Member, Member], why: int) -> None:
    first, second = ready
    reason, wanted = list(refused_changes(replace(first.configuration, hostname="EDGE")).items())[why]
    reactor.listening[address(3), PORT] = object()  # another program has it
    links, listening = first.device.neighbors[2].links(), set(reactor.listening)
    with pytest.raises(ConfigurationRefused, match=reason):
        first.service.apply(wanted)
    assert set(reactor.listening) == listening
    reactor.elapse(1.0)
    assert first.device.neighbors[2].links() == links
    assert first.ready
    assert second.ready
    assert first.service.running_configuration() == first.configuration
    assert first.device.configuration == first.configuration
    assert "configure" not in first.path.told


def test_what_the_data_path_refuses_changes_nothing(ready: tuple[Member, Member]) -> None:
    first, _ = ready
    first.path.refusal = ConfigurationRefused("in9 is no interface")
    with pytest.raises(ConfigurationRefused, match="in9"):
        first.service.apply(replace(first.configuration, hostname="EDGE"))
    assert first.service.running_configuration() == first.configuration
    assert first.device.configuration == first.configuration


def test_a_difference_between_two_configurations_is_an_alarm_and_the_link_stays(
    reactor: Reactor, tmp_path: Path, authority: Path, log: Log
) -> None:
    first, second = pair(reactor, tmp_path, authority)
    other = replace(second.configuration, nat=Nat(timeouts=Timeouts(udp=30)))
    second.state.close()
    second = Member(reactor, second.directory, other)
    become_pair(reactor, first, second)
    alarm = f"mapping {MAPPING} is configured differently on r2.example"
    assert alarm in first.service.distributed()[0].alarms
    reactor.elapse(HOLD + 1.0)
    assert [line for line in log.lines(alarm) if "over" not in line] == [f"alarm: {alarm}"]


# show


def test_statistics_name_every_subject(ready: tuple[Member, Member]) -> None:
    subjects = ready[0].service.statistics().counters
    assert {
        "translate",
        "own_errors",
        "feeds",
        "links",
        "table",
        "listener",
        "dialler",
        "log",
        "recorded",
    } <= subjects.keys()
    assert subjects["listener"]["accepted"] == 1
    assert subjects["dialler"]["attempts"] >= 1
