"""The FTP gateway by itself: what it reads, opens, writes otherwise and refuses, and who would fool it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snat.nat.tracking import TCP
from snat.translate.alg.ftp import LONGEST, Ftp
from snat.translate.alg.gateway import Endpoint
from tests.translate.alg.alone import INSIDE, OUTSIDE, OpenDoors, conversation, edited

THERE = bytes((10, 9, 9, 9))
"""What inside hosts call an outside one, with twice NAT."""


class Dialogue:
    """A control connection; the client is inside unless told otherwise."""

    def __init__(self, *, client_inside: bool = True, outside_local: bytes = OUTSIDE) -> None:
        self.doors = OpenDoors()
        self.client_inside = client_inside
        talk = conversation(begun_inside=client_inside, outside_local=outside_local)
        self.gateway = Ftp(talk, self.doors)

    def client(self, text: bytes) -> bytes:
        return edited(self.gateway, not self.client_inside, text)

    def server(self, text: bytes) -> bytes:
        return edited(self.gateway, self.client_inside, text)

    def log_in(self) -> "Dialogue":
        self.server(b"220-hello\r\n 230 is not said here\r\n220 there\r\n")
        self.client(b"USER anonymous\r\n")
        self.server(b"331 password\r\n")
        self.client(b"PASS me@\r\n")
        self.server(b"230 in\r\n")
        return self


def active(**settings: bool) -> Dialogue:
    return Dialogue(**settings).log_in()  # type: ignore[arg-type]


PORT, PORTED = b"PORT 10,0,0,2,156,65\r\n", b"PORT 203,0,113,1,195,81\r\n"


@pytest.mark.parametrize(
    ("line", "made"),
    [
        (PORT, PORTED),
        (b"port 10,0,0,2,156,65\r\n", b"port 203,0,113,1,195,81\r\n"),
        (b"PoRt  010,000,000,002,156,065  \r\n", b"PoRt  203,0,113,1,195,81  \r\n"),
        (b"EPRT |1|10.0.0.2|40001|\r\n", b"EPRT |1|203.0.113.1|50001|\r\n"),
        (b"eprt !1!10.0.0.2!40001!\r\n", b"eprt !1!203.0.113.1!50001!\r\n"),
        (b"\xff\xf4\xff\xf2" + PORT, b"\xff\xf4\xff\xf2" + PORTED),
        (b"TYPE I\r\n" + PORT + b"RETR x\r\n", b"TYPE I\r\n" + PORTED + b"RETR x\r\n"),
    ],
)
def test_the_end_of_an_inside_client_is_opened_and_renamed(line: bytes, made: bytes) -> None:
    talk = active()
    assert talk.client(line) == made
    assert talk.doors.opened == [(TCP, Endpoint(INSIDE, 40001), Endpoint(OUTSIDE, 0))]
    assert talk.doors.counts["edit"] == 1


@pytest.mark.parametrize(
    ("command", "line", "made"),
    [
        (
            b"PASV\r\n",
            b"227 Entering Passive Mode (10,0,0,2,156,65).\r\n",
            b"227 Entering Passive Mode (203,0,113,1,195,81).\r\n",
        ),
        (b"pasv\r\n", b"227 =10,0,0,2,156,65\r\n", b"227 =203,0,113,1,195,81\r\n"),
        (b"PASV\r\n", b"227 Go to 203,0,113,1,156,65\r\n", b"227 Go to 203,0,113,1,195,81\r\n"),
        (b"EPSV\r\n", b"229 Extended (|||40001|)\r\n", b"229 Extended (|||50001|)\r\n"),
        (b"epsv 1\r\n", b"229 Ok (!!!40001!)\r\n", b"229 Ok (!!!50001!)\r\n"),
    ],
)
def test_the_end_of_an_inside_server_is_opened_and_renamed(command: bytes, line: bytes, made: bytes) -> None:
    talk = active(client_inside=False)
    talk.client(command)
    assert talk.server(line) == made
    assert talk.doors.opened == [(TCP, Endpoint(INSIDE, 40001), Endpoint(OUTSIDE, 0))]


@pytest.mark.parametrize("outside_local", [OUTSIDE, THERE])
def test_the_end_of_an_outside_host_is_what_inside_hosts_call_it(outside_local: bytes) -> None:
    there = ",".join(map(str, outside_local)).encode()
    talk = Dialogue(outside_local=outside_local).log_in()
    talk.client(b"PASV\r\n")
    assert talk.server(b"227 Ok (198,51,100,10,9,9)\r\n") == b"227 Ok (" + there + b",9,9)\r\n"
    talk.client(b"EPSV\r\n")
    assert talk.server(b"229 Ok (|||40001|)\r\n") == b"229 Ok (|||40001|)\r\n"
    other = Dialogue(client_inside=False, outside_local=outside_local).log_in()
    assert other.client(b"PORT 198,51,100,10,9,9\r\n") == b"PORT " + there + b",9,9\r\n"
    assert not talk.doors.opened
    assert not other.doors.opened


def test_what_was_opened_before_is_closed() -> None:
    talk = active()
    talk.client(PORT)
    talk.client(PORT)
    assert talk.doors.closed == []
    talk.client(PORT.replace(b"65", b"66"))
    assert talk.doors.closed == [Endpoint(INSIDE, 40001)]


def test_what_is_not_opened_is_not_renamed() -> None:
    talk = active()
    talk.doors.refuses = True
    assert talk.client(PORT) == PORT


@pytest.mark.parametrize(
    "line",
    [
        *(b"PORT 10,0,0,2,156,256\r\n", b"PORT 10,0,0,256,156,65\r\n", b"PORT 10,0,0,2,156\r\n"),
        *(
            b"PORT 10,0,0,2,156,65,7\r\n",
            b"PORT 10.0.0.2,156,65\r\n",
            b"PORT\r\n",
            b"PORT10,0,0,2,156,65\r\n",
        ),
        *(b"PORT 10,0,0,2,156,65\n", b"PORT 10,0,0,2,156,65 x\r\n", b"PORT -10,0,0,2,156,65\r\n"),
        *(b"EPRT |1|10.0.0.2|65536|\r\n", b"EPRT |1|10.0.0.2|40001\r\n", b"EPRT |2|::1|40001|\r\n"),
        *(b"EPRT |1!10.0.0.2|40001|\r\n", b"EPRT |1|10.0.0|40001|\r\n", b"EPRT |1|10.0.0.256|40001|\r\n"),
        b"PORT " + b"\xb2,0,0,2,156,65\r\n",
    ],
)
def test_what_is_malformed_passes_and_opens_nothing(line: bytes) -> None:
    talk = active()
    assert talk.client(line) == line
    assert not talk.doors.opened
    assert talk.doors.counts["malformed"] + talk.doors.counts["unknown command"] == 1


@pytest.mark.parametrize(
    "line", [b"227 Ok\r\n", b"227 (10,0,0,2,156,256)\r\n", b"229 40001\r\n", b"229 (|||65536|)\r\n"]
)
def test_malformed_replies(line: bytes) -> None:
    talk = active(client_inside=False)
    talk.client(b"PASV\r\n" if line.startswith(b"227") else b"EPSV\r\n")
    assert talk.server(line) == line
    assert not talk.doors.opened
    assert talk.doors.counts["malformed"] == 1


# Hardening (nat-behaviour.md 2.9)


@pytest.mark.parametrize("greeting", [b"230 in\r\n", b"HTTP/1.1 200 OK\r\n", b"SSH-2.0-x\r\n", b"421 no\r\n"])
def test_without_a_greeting_nothing_is_read(greeting: bytes) -> None:
    talk = Dialogue()
    talk.server(greeting)
    assert talk.gateway.ended
    assert talk.doors.counts["no greeting"] == 1


def test_a_server_may_need_some_minutes() -> None:
    talk = Dialogue()
    talk.server(b"120 in two minutes\r\n")
    assert not talk.gateway.ended
    talk.log_in()
    assert talk.client(PORT) == PORTED


@pytest.mark.parametrize("first", [PORT, b"P", b"USER x\r\n", b"POST / HTTP/1.1\r\n"])
def test_a_client_that_speaks_first_is_not_read(first: bytes) -> None:
    talk = Dialogue()
    assert talk.client(first) == first
    assert talk.gateway.ended
    assert talk.doors.counts["client spoke before the server"] == 1


SLIPSTREAM = (
    b"POST / HTTP/1.1\r\nHost: 198.51.100.10:21\r\nContent-Type: text/plain\r\n\r\n"
    b"USER a\r\nPASS b\r\nPORT 10,0,0,2,156,65\r\n"
)


def test_a_browser_is_no_client() -> None:
    """The server is the attacker's, and says what the dialogue wants; the browser cannot but speak HTTP."""
    talk = Dialogue()
    talk.server(b"220 come in\r\n")
    assert talk.client(SLIPSTREAM) == SLIPSTREAM
    assert talk.gateway.ended
    assert talk.doors.counts["not FTP"] == 1
    assert not talk.doors.opened


@pytest.mark.parametrize("cut", [1, 2, 7, len(SLIPSTREAM) - 22, len(SLIPSTREAM) - 1])
def test_a_browser_whose_segments_begin_where_it_likes(cut: int) -> None:
    talk = Dialogue()
    talk.server(b"220 come in\r\n")
    talk.client(SLIPSTREAM[:cut])
    talk.server(b"331 go on\r\n230 in\r\n")
    assert talk.client(SLIPSTREAM[cut:]) == SLIPSTREAM[cut:]
    assert not talk.doors.opened


@pytest.mark.parametrize(
    "word", [b"GET / HTTP/1.0", b"PUT /x HTTP/1.1", b"POST /", b"HEAD / HTTP/1.1", b"a/b"]
)
def test_the_web_in_the_middle_ends_it(word: bytes) -> None:
    talk = active()
    talk.client(word + b"\r\n" + PORT)
    assert talk.gateway.ended
    assert not talk.doors.opened


def test_a_command_that_nobody_knows_does_not() -> None:
    talk = active()
    talk.client(b"XYZZY\r\n")
    assert talk.doors.counts["unknown command"] == 1
    assert talk.client(PORT) == PORTED


def test_who_is_not_logged_in_opens_nothing() -> None:
    talk = Dialogue()
    talk.server(b"220 hello\r\n230 in\r\n")
    assert talk.client(PORT) == PORT
    talk.client(b"USER x\r\n")
    talk.server(b"331 password\r\n")
    assert talk.client(PORT) == PORT
    assert talk.doors.counts["before login"] == 2


def test_a_reply_to_nothing_opens_nothing() -> None:
    talk = active(client_inside=False)
    line = b"227 Ok (10,0,0,2,156,65)\r\n"
    assert talk.server(line) == line
    talk.client(b"EPSV\r\n")
    assert talk.server(line) == line
    assert talk.doors.counts["reply to nothing"] == 2
    talk.client(b"PASV\r\n")
    assert talk.server(b"227-x\r\n" + line).startswith(b"227-x\r\n227 Ok (10"), "of several lines"
    assert not talk.doors.opened


def test_text_of_a_reply_of_several_lines_is_no_reply() -> None:
    talk = active(client_inside=False)
    talk.client(b"STAT\r\n")
    talk.client(b"PASV\r\n")
    text = b"211-status\r\n227 Ok (10,0,0,2,156,65)\r\n211 end\r\n"
    assert talk.server(text) == text
    assert not talk.doors.opened


def test_after_epsv_all_there_is_nothing_else() -> None:
    talk = active()
    talk.client(b"EPSV ALL\r\n")
    talk.server(b"200 all\r\n")
    assert talk.client(PORT) == PORT
    assert talk.client(b"EPRT |1|10.0.0.2|40001|\r\n") == b"EPRT |1|10.0.0.2|40001|\r\n"
    assert talk.doors.counts["after EPSV ALL"] == 2
    other = active(client_inside=False)
    other.client(b"EPSV all\r\n")
    other.server(b"200 all\r\n")
    other.client(b"EPSV\r\n")
    assert other.server(b"229 (|||40001|)\r\n") == b"229 (|||50001|)\r\n"


@pytest.mark.parametrize("code", [b"234", b"334"])
def test_what_is_encrypted_is_not_read(code: bytes) -> None:
    talk = Dialogue()
    talk.server(b"220 hello\r\n")
    talk.client(b"AUTH TLS\r\n")
    talk.server(code + b" go on\r\n")
    assert talk.gateway.ended
    assert talk.doors.counts["encrypted"] == 1


def test_a_server_that_refuses_tls_is_read_on() -> None:
    talk = Dialogue()
    talk.server(b"220 hello\r\n")
    talk.client(b"AUTH TLS\r\n")
    talk.server(b"502 no\r\n")
    talk.server(b"234 not asked any more\r\n")
    assert not talk.gateway.ended


def test_a_long_line_passes() -> None:
    talk = active()
    line = b"PORT " + b"0" * LONGEST + b"10,0,0,2,156,65\r\n"
    assert talk.client(line) == line
    assert talk.doors.counts["line too long"] == 1
    for _ in range(1000):
        talk.client(b"x" * 1000)
    assert len(talk.gateway._lines[True] or b"") == LONGEST + 1
    talk.client(b"\r\n")
    assert talk.client(PORT) == PORTED


@settings(deadline=None)
@given(st.lists(st.integers(1, len(PORT) - 1), min_size=1, unique=True))
def test_a_command_in_several_segments_passes(cuts: list[int]) -> None:
    talk, at = active(), 0
    for cut in [*sorted(cuts), len(PORT)]:
        assert talk.client(PORT[at:cut]) == PORT[at:cut]
        at = cut
    assert not talk.doors.opened
    assert talk.doors.counts["command in several segments"] == 1
    assert talk.client(PORT) == PORTED, "the next one is not"


@settings(deadline=None)
@given(st.integers(1, 20), st.data())
def test_the_dialogue_is_followed_however_it_is_cut(size: int, data: st.DataObject) -> None:
    talk = Dialogue()
    for from_client, text in (
        (False, b"220-hello\r\nthere\r\n220 you\r\n"),
        (True, b"USER anonymous\r\n"),
        (False, b"331 password\r\n"),
        (True, b"PASS me@\r\n"),
        (False, b"230-in\r\n 1\r\n230 in\r\n"),
    ):
        for at in range(0, len(text), size):
            (talk.client if from_client else talk.server)(text[at : at + size])
    if data.draw(st.booleans()):
        assert talk.client(PORT) == PORTED
    else:
        other = Ftp(talk.gateway.conversation, talk.doors)
        assert other.restore(talk.gateway.context())
        talk.gateway = other
        assert talk.client(PORT) == PORTED


@settings(max_examples=300, deadline=None)
@given(
    st.booleans(),
    st.lists(
        st.tuples(
            st.booleans(),
            st.one_of(
                st.binary(max_size=60),
                st.sampled_from(
                    [
                        PORT,
                        b"PASV\r\n",
                        b"227 (10,0,0,2,1,2)\r\n",
                        b"AUTH TLS\r\n",
                        b"EPSV\r\n",
                        b"\xff",
                        b"\r\n",
                    ]
                ),
            ),
        ),
        max_size=12,
    ),
)
def test_whatever_is_said_nothing_breaks(client_inside: bool, said: list[tuple[bool, bytes]]) -> None:
    talk = active(client_inside=client_inside)
    for from_client, text in said:
        (talk.client if from_client else talk.server)(text)
        assert len(talk.gateway.context()) <= 256


@settings(deadline=None)
@given(st.binary(max_size=20))
def test_any_context_is_taken_or_refused(context: bytes) -> None:
    gateway = Ftp(conversation(), OpenDoors())
    assert gateway.restore(context) is (len(context) == 4)
    edited(gateway, True, b"220 x\r\n")
