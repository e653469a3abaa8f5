"""Whatever comes to the port of a running daemon and is not right: one line, one count, and nothing else.

R1 manages and R2 listens; the certificate of r3, a member that does not run, is in our hands. So is that of
the manager of R4, a listener of its own. Each visit is made many times, as somebody would who means harm.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from snat.lab.configuration import issue_certificates
from snat.lab.router import same_rows
from snat.wire import actions
from snat.wire import items as codec
from snat.wire.actions import Action, ItemFlag
from snat.wire.errors import ErrorCode
from snat.wire.header import Feed, Position, Term, encode
from tests.net.memory import trustpoint
from tests.net.strangers import dns, issued, urn
from tests.records import record
from tests.system import visitors
from tests.system.control import counter, group_of, table
from tests.system.daemons import Daemon, made, members, poll, running
from tests.system.visitors import FEED, KEEPALIVE, Credentials, Manager, Visitor, hello, turned_away

READY: Final = 20.0
VISITS: Final = 50
FEW: Final = 3
"""Lines that as many visits may leave: the log repeats a line every 10 s."""
HOLD: Final = 0.6
"""Hold time of the laboratory's configurations, in seconds."""
R3: Final = "r3.snat.example"


class Scene:
    """The daemons, and who visits them."""

    def __init__(self, directory: Path) -> None:
        one, two, three, four, five = members(
            [
                ("r1", 1, "primary"),
                ("r2", 2, "backup"),
                ("r3", 3, "backup"),
                ("r4", 4, "backup"),
                ("r5", 5, "primary"),
            ]
        )
        self.directory = directory
        self.authority, self.other = directory / "pki", directory / "other"
        issue_certificates(self.authority, [one, two, three, four, five])
        issue_certificates(self.other, [three])
        self.r1, self.r2 = (
            made(a, [b, three], self.authority, directory) for a, b in ((one, two), (two, one))
        )
        self.r4 = made(four, [five], self.authority, directory)
        self.port, self.port_of_r4 = one.port, four.port
        self.rows: Any = None

    def with_names(self, *names: Any) -> Credentials:
        """A certificate of our own authority, with any names."""
        return visitors.holding(issued(self.authority, self.directory / "it", names), self.authority)

    def good(self, name: str = R3) -> Credentials:
        return visitors.member(self.authority, name)

    def nobody_else_noticed(self) -> None:
        """The pair's links and tables are what they were."""
        assert same_rows(table(self.r1), self.rows)
        assert same_rows(table(self.r2), self.rows)
        for daemon in (self.r1, self.r2):
            other = [link["state"] for link in group_of(daemon)["links"] if link["neighbor"] != R3]
            assert other == ["Establish"] * 2
            assert not [line for line in daemon.log() if "Traceback" in line or "Unhandled" in line]
        assert counter(self.r2, "links established") == 2


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("refusals"))
    pair = made.r1, made.r2
    with running(*pair, made.r4):
        standings = {made.r1: "MANAGE", made.r2: "LISTEN"}

        def up() -> bool:
            groups = {daemon: daemon.group() for daemon in pair}
            return all(
                group is not None
                and group["standing"] == standings[daemon]
                and sum(link["state"] == "Establish" for link in group["links"]) == 2
                for daemon, group in groups.items()
            )

        poll(up, seconds=READY, of=pair)
        poll(lambda: bool(table(made.r1)), seconds=5.0, of=pair)
        poll(lambda: same_rows(table(made.r1), table(made.r2)), seconds=5.0, of=pair)
        made.rows = table(made.r1)
        yield made


def told(daemon: Daemon, reason: str) -> list[str]:
    """The lines of its log with this in them."""
    return [line for line in daemon.log() if reason in line]


# Before anybody is known: the door

Holder = Callable[[Scene], Credentials]

DOOR: Final[dict[str, tuple[Holder, bytes, str, str]]] = {
    "no certificate": (
        lambda scene: visitors.holding(None, scene.authority),
        b"",
        "TLS: peer did not return a certificate",
        "unproved",
    ),
    "other authority": (
        lambda scene: visitors.holding(trustpoint(scene.other, R3), scene.authority),
        b"",
        "TLS: certificate verify failed",
        "unproved",
    ),
    "TLS 1.2": (lambda scene: visitors.old(visitors.member(scene.authority, R3)), b"", "TLS: ", "unproved"),
    "plain text": (lambda _: None, b"GET / HTTP/1.1\r\n\r\n", "TLS: http request", "unproved"),
    "plain protocol": (lambda _: None, hello(3), "TLS: ", "unproved"),
    "wrong name": (
        lambda scene: scene.with_names(dns("r9.snat.example"), urn(3)),
        b"",
        "its certificate is of r9.snat.example (NAT ID 3), no neighbor",
        "not_neighbor",
    ),
    "wildcard name": (
        lambda scene: scene.with_names(dns("*.snat.example"), urn(3)),
        b"",
        "its certificate is of no name (NAT ID 3), no neighbor",
        "not_neighbor",
    ),
    "wrong NAT ID": (
        lambda scene: scene.with_names(dns(R3), urn(8)),
        b"",
        f"its certificate is of {R3} (NAT ID 8), no neighbor",
        "not_neighbor",
    ),
}


@pytest.mark.parametrize("case", DOOR)
def test_a_stranger_is_refused_at_the_door(scene: Scene, case: str) -> None:
    holder, said, reason, name = DOOR[case]
    credentials = holder(scene)
    before, lines = counter(scene.r1, f"listener {name}"), len(told(scene.r1, f"refused 127.0.0.1: {reason}"))
    for _ in range(VISITS):
        assert turned_away(credentials, scene.port, said) == b""
    assert counter(scene.r1, f"listener {name}") == before + VISITS
    more = len(told(scene.r1, f"refused 127.0.0.1: {reason}")) - lines
    assert more <= FEW
    assert more + lines >= 1
    scene.nobody_else_noticed()


# With r3's certificate: what closes its link


def lying(message: bytes, at: int, width: int, value: int) -> bytes:
    return message[:at] + value.to_bytes(width, "big") + message[at + width :]


GREETED: Final = hello(3)
LINK: Final = {
    "garbage after TLS": (b"GET / HTTP/1.1\r\n\r\n", "version 71; this device speaks 1"),
    "short header length": (lying(GREETED, 2, 2, 8), "header length 8 of a message of"),
    "long header length": (lying(GREETED, 2, 2, 0xFFFF), "header length 65535 of a message of"),
    "message shorter than its header": (lying(GREETED, 4, 4, 31), "of a message of 31 bytes"),
    "overlong message": (lying(GREETED, 4, 4, 65537), "message of 65537 bytes; at most 65536"),
    "endless message": (lying(GREETED, 4, 4, 0xFFFFFFFF), "message of 4294967295 bytes; at most 65536"),
    "item length lies": (lying(GREETED, 34, 2, 0xFFFF), "item of 65535 bytes with"),
    "short authenticate": (
        encode(codec.item(Action.AUTHENTICATE, b"short"), flags=0),
        "authenticate of 5 bytes",
    ),
    "half a unit": (
        lying(GREETED, 4, 4, len(GREETED) + 3)[:34]
        + (len(GREETED) - 36 + 3).to_bytes(2, "big")
        + GREETED[36:]
        + b"uni",
        "3 bytes are no number of Unit",
    ),
    "message before authenticate": (KEEPALIVE, "message before authenticate"),
    "keepalive in place of authenticate": (
        encode(codec.keepalive([]), flags=0),
        "the first message is not authenticate",
    ),
    "another's NAT ID": (hello(2), "authenticates as NAT ID 2; its certificate says 3"),
    "authenticate twice": (
        GREETED + encode(hello(3)[32:]),
        "authenticate on an established link",
    ),
    "unauthenticated message later": (
        GREETED + encode(codec.keepalive([]), flags=0),
        "message without the authenticated flag",
    ),
    "unknown mandatory action": (GREETED + encode(bytes((99, 0, 0, 0))), "unknown mandatory action 99"),
    "an item length lies later": (GREETED + encode(b"\x0c\x00\xff\xff"), "item of 65535 bytes with 0 left"),
    "positions that are none": (
        GREETED + encode(codec.item(Action.KEEPALIVE, bytes(25))),
        "25 bytes are no number of Applied",
    ),
    "a fixed layout cut short": (GREETED + encode(codec.item(Action.DIGEST, b"short")), "Digest of 5 bytes;"),
}


@pytest.mark.parametrize("case", LINK)
def test_a_member_that_says_what_is_no_message_loses_its_link(scene: Scene, case: str) -> None:
    said, reason = LINK[case]
    credentials = scene.good()
    before = counter(scene.r1, "links refused")
    for _ in range(VISITS):
        assert reason.encode() in turned_away(credentials, scene.port, said)
    assert counter(scene.r1, "links refused") == before + VISITS
    lines = told(scene.r1, reason)
    assert 1 <= len(lines) <= FEW
    assert all(line.startswith(f"link to {R3} (in) closed: ") for line in lines)
    scene.nobody_else_noticed()


@pytest.mark.parametrize("count", [1, 0x7FFF])
def test_a_count_that_lies_is_refused(scene: Scene, count: int) -> None:
    """An item says that it holds more than is there."""
    said = GREETED + encode(codec.ITEM.pack(Action.KEEPALIVE, 0, 24 * count % 65536) + bytes(23))
    assert b"item of" in turned_away(scene.good(), scene.port, said)
    scene.nobody_else_noticed()


def test_half_an_authenticate_and_then_silence_is_given_up(scene: Scene) -> None:
    before = counter(scene.r1, "links refused")
    began = time.monotonic()
    visitor = Visitor(scene.good(), scene.port)
    visitor.say(GREETED[:40])
    visitor.hear_out()
    assert 4.0 < time.monotonic() - began < 8.0
    assert counter(scene.r1, "links refused") == before + 1
    assert told(scene.r1, f"link to {R3} (in) closed: no authenticate for 5.")
    scene.nobody_else_noticed()


def test_half_a_message_and_then_silence_is_given_up_after_the_hold_time(scene: Scene) -> None:
    before = counter(scene.r1, "links refused")
    began = time.monotonic()
    visitor = Visitor(scene.good(), scene.port)
    visitor.say(GREETED + encode(codec.item(Action.ADD, record(nat_id=3)), FEED, Term(1, 3), 1)[:50])
    visitor.hear_out()
    assert HOLD * 0.9 < time.monotonic() - began < HOLD + 3.0
    assert counter(scene.r1, "links refused") == before + 1
    assert told(scene.r1, f"link to {R3} (in) closed: no byte for 0.")
    scene.nobody_else_noticed()


# With r3's certificate: what is refused, and its link stays


def stays(scene: Scene, said: bytes, code: ErrorCode, name: str) -> None:
    """Said many times, answered as often with a code, and counted."""
    before = counter(scene.r1, name)
    visitor = Visitor(scene.good(), scene.port)
    visitor.say(hello(3, actions.Unit(FEED, Position(), 2, 2, 0, 0)))
    visitor.say(said * VISITS)
    answers: list[Any] = []
    end = time.monotonic() + visitors.PATIENCE
    while sum(isinstance(one, actions.Error) for one in answers) < VISITS:
        assert time.monotonic() < end
        assert not visitor.over, visitor.heard
        answers += [one for message in visitor.messages(0.1) for one in codec.controls(message.body)]
    assert {one.code for one in answers if isinstance(one, actions.Error)} == {code}
    assert counter(scene.r1, name) == before + VISITS
    visitor.close()
    scene.nobody_else_noticed()


ADD: Final = codec.item(Action.ADD, record(77, nat_id=3))
NOT_THEIRS: Final = {
    "an entry that it does not manage": (
        encode(ADD, FEED, Term(1, 3), 1),
        ErrorCode.NOT_MANAGED,
        "feeds not_managed",
    ),
    "a slice that nobody asked for": (
        encode(ADD, FEED, Term(1, 3), 0),
        ErrorCode.NOT_MANAGED,
        "feeds not_managed",
    ),
    "an entry of a feed that is not there": (
        encode(codec.item(Action.ADD, record(mapping_id=99)), Feed(0, 99), Term(1, 3), 1),
        ErrorCode.UNKNOWN_FEED,
        "feeds unknown_feeds",
    ),
}


@pytest.mark.parametrize("case", NOT_THEIRS)
def test_what_a_member_may_not_change_stays_as_it_is(scene: Scene, case: str) -> None:
    stays(scene, *NOT_THEIRS[case])


def test_what_a_member_may_not_change_is_in_the_log_once(scene: Scene) -> None:
    stays(scene, *NOT_THEIRS["an entry that it does not manage"])
    assert 1 <= len([line for line in scene.r1.log() if R3 in line and "manage" in line]) <= FEW


def test_a_neighbor_cannot_fill_the_log_with_texts_of_its_own(scene: Scene) -> None:
    count = 500
    visitor = Visitor(scene.good(), scene.port)
    texts = [actions.Error(ErrorCode.OLD_TERM, Feed(0, 99), Term(0, 0), f"text {n}.") for n in range(count)]
    visitor.say(GREETED + encode(b"".join(map(codec.error, texts))))
    poll(lambda: bool(told(scene.r1, "text 0.")), seconds=5.0, of=(scene.r1,))
    assert counter(scene.r1, "listener accepted")  # asked after all of it was taken in
    visitor.close()
    assert len(told(scene.r1, f"{R3} answers: text")) <= count // 10


def test_an_unknown_optional_action_is_ignored(scene: Scene) -> None:
    before = counter(scene.r1, "links refused")
    visitor = Visitor(scene.good(), scene.port)
    visitor.say(GREETED + encode(codec.ITEM.pack(99, ItemFlag.OPTIONAL, 1) + b"x") + KEEPALIVE)
    assert visitor.listen(1.0)
    assert counter(scene.r1, "links refused") == before
    assert not visitor.over
    visitor.close()
    scene.nobody_else_noticed()


# From the manager itself: the past

AT: Final = Position(Term(5, 5), 7)
RECORDS: Final = [record(number, nat_id=5) for number in range(1, 6)]
PAST: Final = {
    "sequence of the past": (encode(ADD, FEED, AT.term, 3), "feeds past"),
    "sequence of now": (encode(ADD, FEED, AT.term, AT.sequence), "feeds past"),
    "sequence of the far future": (encode(ADD, FEED, AT.term, AT.sequence + 2), "feeds gaps"),
    "term of the past": (encode(ADD, FEED, Term(4, 5), 1), "feeds old_terms"),
}


@pytest.mark.parametrize("case", PAST)
def test_a_change_of_the_past_changes_nothing(scene: Scene, case: str) -> None:
    said, name = PAST[case]
    manager = Manager(scene.good("r5.snat.example"), scene.port_of_r4, AT, RECORDS)
    try:
        manager.until(lambda: len(table(scene.r4) or ()) == len(RECORDS) and listens(scene.r4))
        rows, before = table(scene.r4), counter(scene.r4, name)
        manager.say(said)
        manager.until(lambda: counter(scene.r4, name) == before + 1)
        assert sorted(_keys(table(scene.r4))) == sorted(_keys(rows))
        manager.until(lambda: listens(scene.r4))
        assert not manager.over
    finally:
        manager.close()


def listens(daemon: Daemon) -> bool:
    return bool(group_of(daemon)["standing"] == "LISTEN")


def _keys(rows: Any) -> list[str]:
    return [json.dumps([row["inside_local"], row["inside_global"]], sort_keys=True) for row in rows]
