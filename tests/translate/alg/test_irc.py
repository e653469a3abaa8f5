"""IRC DCC: who may offer, what is rewritten, what opens nothing."""

import pytest

from snat.translate.alg.gateway import Endpoint
from snat.translate.alg.irc import DCC_LIFE, MAX_LINE, MAX_OFFERS, Irc
from tests.translate.alg.doors import INSIDE, TCP, FakeDoors, conversation, in_pieces, passed

OURS = int.from_bytes(INSIDE)
THEIRS = int.from_bytes(bytes([203, 0, 113, 5]))


def client(*, welcomed: bool = True) -> tuple[Irc, FakeDoors]:
    """A client at 10.1.1.10 that has said who it is, and that the server has welcomed."""
    doors = FakeDoors()
    gateway = Irc(conversation(TCP, 40000, outside_port=6667, global_port=1500), doors)
    passed(gateway, b"NICK alice\r\nUSER alice 0 * :Alice\r\n")
    if welcomed:
        passed(gateway, b":irc.example 001 alice :Welcome\r\n", from_outside=True)
    return gateway, doors


def dcc(what: str, *, to: str = "bob") -> bytes:
    return f"PRIVMSG {to} :\x01DCC {what}\x01\r\n".encode()


@pytest.mark.parametrize(
    ("offer", "seen"),
    [
        (f"SEND file.txt {OURS} 5000 1234", f"SEND file.txt {THEIRS} 20000 1234"),
        (f"CHAT chat {OURS} 5000", f"CHAT chat {THEIRS} 20000"),
        (f'SEND "my file.txt" {OURS} 5000 1234', f'SEND "my file.txt" {THEIRS} 20000 1234'),
        (f"send  a  {OURS}  5000  1 2", f"send  a  {THEIRS}  20000  1 2"),
    ],
)
def test_an_offer_names_the_endpoint_outside(offer: str, seen: str) -> None:
    gateway, doors = client()
    assert passed(gateway, dcc(offer)) == dcc(seen)
    (door,) = doors.opened
    assert (door.protocol, door.inside, door.peer) == (TCP, Endpoint(INSIDE, 5000), Endpoint(bytes(4), 0))
    assert (door.life, door.pair) == (DCC_LIFE, False)
    assert doors.counted == {"message": 1, "edit": 2}


@pytest.mark.parametrize("start", [b"", b":alice!a@host ", b"@+draft/reply=123 ", b"@a=b :alice "])
def test_tags_and_a_prefix_do_not_hide_an_offer(start: bytes) -> None:
    gateway, _ = client()
    assert passed(gateway, start + dcc(f"CHAT chat {OURS} 5000")) == start + dcc(f"CHAT chat {THEIRS} 20000")


def test_several_lines_in_a_segment() -> None:
    gateway, _ = client()
    lines = b"PING :x\r\n" + dcc(f"CHAT chat {OURS} 5000") + dcc(f"SEND a {OURS} 5001 7") + b"QUIT\n"
    seen = b"PING :x\r\n" + dcc(f"CHAT chat {THEIRS} 20000") + dcc(f"SEND a {THEIRS} 20002 7") + b"QUIT\n"
    assert passed(gateway, lines) == seen


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        (f"SEND a {OURS + 1} 5000 1", "third party"),
        (f"SEND a {THEIRS} 5000 1", "third party"),
        ("SEND a 0 5000 1", "third party"),
        (f"SEND a {OURS} 80 1", "refused by the doors"),
        (f"SEND a {OURS} 65536 1", "malformed offer"),
        ("SEND a 4294967296 5000 1", "malformed offer"),
        ("SEND a 10.1.1.10 5000 1", "malformed offer"),
        (f"SEND a {OURS} 5000x 1", "malformed offer"),
        (f"SEND a b {OURS} 5000 1", "malformed offer"),
        ("SEND a", "malformed offer"),
        (f"SEND a {OURS} -5000 1", "malformed offer"),
    ],
)
def test_what_is_refused_passes_as_it_is(offer: str, reason: str) -> None:
    gateway, doors = client()
    assert passed(gateway, dcc(offer)) == dcc(offer)
    assert not doors.opened
    assert doors.counted[reason] == 1


@pytest.mark.parametrize(
    "line",
    [
        dcc(f"XMIT a {OURS} 5000 1"),
        dcc(f"SEND a {OURS} 0 1 77"),
        f"PRIVMSG bob :DCC SEND a {OURS} 5000 1\r\n".encode(),
        f"NOTICE bob :\x01DCC SEND a {OURS} 5000 1\x01\r\n".encode(),
        f"PRIVMSG bob :hi \x01DCC SEND a {OURS} 5000 1\x01\r\n".encode(),
        f"X PRIVMSG bob :\x01DCC SEND a {OURS} 5000 1\x01\r\n".encode(),
    ],
)
def test_what_is_no_offer_passes(line: bytes) -> None:
    gateway, doors = client()
    assert passed(gateway, line) == line
    assert not doors.opened


def test_what_the_server_says_opens_nothing() -> None:
    gateway, doors = client()
    line = b":alice!a@host " + dcc(f"SEND a {OURS} 5000 1", to="alice")
    assert passed(gateway, line, from_outside=True) == line
    assert not doors.opened


def test_a_server_inside_concerns_nobody() -> None:
    gateway = Irc(conversation(TCP, 6667, outside_port=40000, begun_inside=False), FakeDoors())
    assert gateway.ended


@pytest.mark.parametrize("at", range(1, len(dcc(f"SEND a {OURS} 5000 1"))))
def test_an_offer_begun_in_another_segment_opens_nothing(at: int) -> None:
    gateway, doors = client()
    line = dcc(f"SEND a {OURS} 5000 1")
    assert in_pieces(gateway, [line[:at], line[at:]]) == line
    assert not doors.opened
    assert doors.counted == {"message": 1, "begun before": 1}
    assert passed(gateway, line) != line


def test_split_by_single_bytes_everything_passes() -> None:
    doors = FakeDoors()
    gateway = Irc(conversation(TCP, 40000, outside_port=6667), doors)
    data = b"NICK a\r\n" + dcc(f"SEND a {OURS} 5000 1")
    assert in_pieces(gateway, [data[at : at + 1] for at in range(len(data))]) == data
    assert not gateway.ended
    assert not doors.opened


@pytest.mark.parametrize("pieces", [1, 7, 2000])
def test_a_long_line_passes_unread(pieces: int) -> None:
    gateway, doors = client()
    line = b"PRIVMSG bob :" + b"x" * MAX_LINE + b"\r\n"
    for at in range(0, len(line), pieces):
        passed(gateway, line[at : at + pieces])
        assert gateway.held <= MAX_LINE
    assert doors.counted == {"long line": 1}
    assert passed(gateway, dcc(f"CHAT chat {OURS} 5000")) == dcc(f"CHAT chat {THEIRS} 20000")


def test_the_end_of_a_long_line_is_no_line() -> None:
    gateway, doors = client()
    passed(gateway, b"PRIVMSG bob :" + b"x" * MAX_LINE)
    offer = dcc(f"CHAT chat {OURS} 5000")
    assert passed(gateway, offer) == offer
    assert not doors.opened


def test_resume_names_the_client_s_port_and_accept_the_one_outside() -> None:
    gateway, doors = client()
    passed(gateway, dcc(f"SEND a {OURS} 5000 1234"))
    resume = b":bob!b@h " + dcc("RESUME a 20000 100", to="alice")
    assert passed(gateway, resume, from_outside=True) == resume.replace(b"20000", b"5000")
    assert passed(gateway, dcc("ACCEPT a 5000 100")) == dcc("ACCEPT a 20000 100")
    assert len(doors.opened) == 1


def test_resume_of_what_was_never_offered_passes() -> None:
    gateway, _ = client()
    resume = b":bob!b@h " + dcc("RESUME a 20000 100", to="alice")
    assert passed(gateway, resume, from_outside=True) == resume
    assert passed(gateway, dcc("ACCEPT a 5000 100")) == dcc("ACCEPT a 5000 100")


def test_offers_are_bounded() -> None:
    gateway, _ = client()
    for port in range(5000, 5000 + 3 * MAX_OFFERS):
        passed(gateway, dcc(f"CHAT chat {OURS} {port}"))
    assert gateway.held <= MAX_OFFERS


def test_another_router_goes_on_with_the_offers() -> None:
    gateway, _ = client()
    passed(gateway, dcc(f"SEND a {OURS} 5000 1234"))
    passed(gateway, b"PRIVMSG bob :half a l")
    doors = FakeDoors()
    other = Irc(gateway.conversation, doors)
    assert other.restore(gateway.context())
    assert other.context() == gateway.context()
    passed(other, dcc(f"CHAT chat {OURS} 5001"))  # the end of the line begun there
    assert not doors.opened
    assert passed(other, dcc("ACCEPT a 5000 100")) == dcc("ACCEPT a 20000 100")
    assert passed(other, dcc(f"CHAT chat {OURS} 5001")) == dcc(f"CHAT chat {THEIRS} 20000")


@pytest.mark.parametrize("context", [b"", b"\x03\x00", b"\x03" + bytes(4 * (MAX_OFFERS + 1))])
def test_a_context_that_says_nothing_is_refused(context: bytes) -> None:
    gateway, _ = client()
    assert not gateway.restore(context)


def test_starttls_ends_the_gateway() -> None:
    gateway, doors = client()
    offer = dcc(f"CHAT chat {OURS} 5000")
    assert passed(gateway, b"STARTTLS\r\n" + offer) == b"STARTTLS\r\n" + offer
    assert gateway.ended
    assert not doors.opened


def test_slipstreaming_a_form_to_port_6667() -> None:
    doors = FakeDoors()
    gateway = Irc(conversation(TCP, 40000, outside_port=6667), doors)
    form = b"POST / HTTP/1.1\r\nHost: samy.pl:6667\r\n\r\n"
    pieces = [form, b"NICK a\r\n", dcc(f"CHAT chat {OURS} 5000")]
    assert in_pieces(gateway, pieces) == b"".join(pieces)
    assert gateway.ended
    assert doors.counted == {"not irc": 1}


def test_slipstreaming_a_welcome_before_anything_was_said() -> None:
    doors = FakeDoors()
    gateway = Irc(conversation(TCP, 40000, outside_port=6667), doors)
    passed(gateway, b":irc.example 001 alice :Welcome\r\n", from_outside=True)
    assert gateway.ended


def test_slipstreaming_an_offer_before_the_welcome() -> None:
    gateway, doors = client(welcomed=False)
    offer = dcc(f"CHAT chat {OURS} 5000")
    assert passed(gateway, offer) == offer
    assert doors.counted == {"message": 1, "not a dialogue": 1}
