"""What a device does with messages that a neighbor should not have sent, one by one."""

import pytest

from snat.config.model import ConfiguredRole
from snat.device.links import Link
from snat.session.states import State
from snat.wire import items
from snat.wire.actions import (
    Action,
    Authenticate,
    Claim,
    Digest,
    DumpBegin,
    DumpKind,
    DumpRequest,
    Error,
    Released,
)
from snat.wire.errors import ErrorCode
from snat.wire.framing import Framing
from snat.wire.header import NO_TERM, Feed, Position, Term, encode
from snat.wire.items import control, item
from tests.records import record
from tests.simulation.network import MAPPING, Network, Router

FEED = Feed(0, MAPPING)
ADD = item(Action.ADD, record(1, nat_id=9))


@pytest.fixture
def network() -> Network:
    network = Network(7, {1: ConfiguredRole.PRIMARY, 2: ConfiguredRole.BACKUP})
    network.run_until(network.quiet)
    network.run(1.0)
    return network


def incoming(router: Router) -> Link:
    """The link that the other member dialled, which its entries come by."""
    (neighbor,) = router.device.neighbors.values()
    assert neighbor.incoming is not None
    return neighbor.incoming


def hear(router: Router, data: bytes, link: Link | None = None) -> list[Error]:
    """Let a router receive bytes as its neighbor's; the errors that it answers with."""
    link = link or incoming(router)
    link.queue.take(1 << 20)
    router.device.received(link, data, router.network.now)
    router.device.turn(router.network.now)
    framing = Framing()
    for message in link.queue.take(1 << 20):
        framing.feed(message)
    said = [found for message in framing.messages() for found in items.controls(message.body)]
    return [found for found in said if isinstance(found, Error)]


def position(router: Router) -> Position:
    return router.device.groups[0].feeds[FEED].position


def test_a_change_of_an_older_term_is_refused_with_the_term_in_force(network: Network) -> None:
    backup = network.routers[2]
    term = position(backup).term
    (error,) = hear(backup, encode(ADD, FEED, Term(0, 1), 1))
    assert (error.code, error.term) == (ErrorCode.OLD_TERM, term)
    assert len(backup.device.table) == 0
    assert backup.device.feed_counters.old_terms == 1


@pytest.mark.parametrize("term", [Term(99, 2), Term(99, 7)], ids=["ours", "a third's"])
def test_a_change_in_a_term_that_the_sender_did_not_take_is_refused(network: Network, term: Term) -> None:
    backup = network.routers[2]
    (error,) = hear(backup, encode(ADD, FEED, term, 1))
    assert error.code == ErrorCode.NOT_MANAGED
    assert len(backup.device.table) == 0


def test_a_change_to_the_manager_is_refused(network: Network) -> None:
    primary = network.routers[1]
    (error,) = hear(primary, encode(ADD, FEED, Term(99, 2), 1))
    assert error.code == ErrorCode.NOT_MANAGED
    assert primary.device.feed_counters.not_managed == 1
    assert len(primary.device.table) == 0


def test_a_change_on_the_link_that_we_dialled_is_refused(network: Network) -> None:
    backup = network.routers[2]
    out = backup.device.neighbors[1].outgoing
    assert out is not None
    term, sequence = position(backup)
    (error,) = hear(backup, encode(ADD, FEED, term, sequence + 1), out)
    assert error.code == ErrorCode.NOT_MANAGED


def test_a_feed_that_is_not_ours_is_refused(network: Network) -> None:
    backup = network.routers[2]
    (error,) = hear(backup, encode(item(Action.ADD, record(1, mapping_id=77)), Feed(0, 77), Term(1, 1), 1))
    assert (error.code, error.feed) == (ErrorCode.UNKNOWN_FEED, Feed(0, 77))
    assert backup.device.feed_counters.unknown_feeds == 1


def test_a_dump_request_to_a_member_that_does_not_manage_is_refused(network: Network) -> None:
    """Never answered with an empty dump: a fast restart of the active would empty every good table."""
    backup = network.routers[2]
    (error,) = hear(backup, encode(control(DumpRequest(1, FEED, DumpKind.FEED, Position()))))
    assert error.code == ErrorCode.NOT_SYNCHRONISED


def test_a_dump_that_nobody_asked_for_changes_nothing(network: Network) -> None:
    backup = network.routers[2]
    before = position(backup)
    begin = DumpBegin(77, FEED, DumpKind.FEED, Position(before.term, before.sequence + 50))
    assert hear(backup, encode(control(begin))) == []
    assert position(backup) == before
    assert backup.device.groups[0].synchronised


def test_a_released_that_nobody_claimed_is_ignored(network: Network) -> None:
    backup = network.routers[2]
    at = position(backup)
    assert hear(backup, encode(control(Released(FEED, at, 0, 0)))) == []
    assert backup.standing.name == "LISTEN"


def test_a_claim_by_a_member_that_is_not_preferred_is_ignored(network: Network) -> None:
    primary = network.routers[1]
    assert hear(primary, encode(control(Claim(FEED, position(primary))))) == []
    assert primary.standing.name == "MANAGE"


def test_a_statement_that_differs_leads_to_a_dump_that_repairs(network: Network) -> None:
    backup = network.routers[2]
    said = Digest(FEED, position(backup), 5, 12345)
    assert hear(backup, encode(control(said))) == []
    assert not backup.device.groups[0].synchronised
    network.run_until(lambda: network.quiet() and backup.device.groups[0].synchronised)
    assert backup.device.feed_counters.mismatches == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (item(Action(12), b"short"), ErrorCode.MALFORMED),
        (bytes((99, 0, 0, 0)), ErrorCode.UNKNOWN_ACTION),
        (b"\x0c\x00\xff\xff", ErrorCode.MALFORMED),
        (items.authenticate(Authenticate(1, 1, 1, 1, 1, 0, 1), []), ErrorCode.MALFORMED),
    ],
    ids=["short item", "unknown mandatory", "length lies", "authenticate again"],
)
def test_a_malformed_message_closes_the_link_and_nothing_else(
    network: Network, body: bytes, code: ErrorCode
) -> None:
    backup = network.routers[2]
    link = incoming(backup)
    hear(backup, encode(body))
    assert link.session.state is State.CLOSE
    framing = Framing()
    framing.feed(link.session.data_to_send())
    ((said,),) = [items.controls(message.body) for message in framing.messages()]
    assert isinstance(said, Error)
    assert said.code == code
    assert backup.device.link_counters.refused == 1
    network.run_until(lambda: incoming_is_up(backup) and network.quiet())


def incoming_is_up(router: Router) -> bool:
    (neighbor,) = router.device.neighbors.values()
    return neighbor.incoming is not None and neighbor.incoming.established


def test_a_live_manager_announces_itself_above_a_higher_term(network: Network) -> None:
    """Otherwise a member above it would refuse it for ever, and call itself synchronised."""
    primary, backup = network.routers[1], network.routers[2]
    higher = Term(position(primary).term.number + 7, 2)
    hear(primary, encode(items.error(Error(ErrorCode.OLD_TERM, FEED, higher))))
    primary.settle()
    assert position(primary).term > higher
    assert primary.standing.name == "MANAGE"
    network.run(1.0)
    assert backup.device.groups[0].synchronised
    assert position(backup) == position(primary)


def test_what_a_neighbor_says_cannot_write_on_a_terminal(network: Network) -> None:
    backup = network.routers[2]
    link = incoming(backup)
    hear(backup, encode(items.error(Error(ErrorCode.VERSION, Feed(0, 0), NO_TERM, "\x1b[2Jbye"))))
    assert link.neighbor.refusal == "ended by the neighbor: ?[2Jbye"


def test_an_unknown_optional_action_is_ignored(network: Network) -> None:
    backup = network.routers[2]
    assert hear(backup, encode(bytes((99, 0x80, 0, 1, 0)))) == []
    assert incoming(backup).established


def test_a_neighbors_refusal_ends_the_link_with_its_reason(network: Network) -> None:
    backup = network.routers[2]
    link = incoming(backup)
    refusal = Error(ErrorCode.VERSION, Feed(0, 0), NO_TERM, "too old for us")
    hear(backup, encode(items.error(refusal)))
    assert link.session.state is State.CLOSE
    assert link.neighbor.refusal == "ended by the neighbor: too old for us"
