"""Session descriptions: which lines change, by which streams."""

import pytest

from snat.translate.alg.gateway import Endpoint
from snat.translate.alg.sdp import MAX_MEDIA, ROOM, Description, filling
from tests.translate.alg.doors import GLOBAL, INSIDE, OTHER_INSIDE, edited
from tests.translate.alg.sip_texts import lines, sdp


class Host:
    """Opens every port from 1024 at 20000 on."""

    def __init__(self, *, refused: tuple[int, ...] = ()) -> None:
        self.asked: list[tuple[int, bool]] = []
        self.reasons: list[str] = []
        self.refused = refused
        self.description = Description(INSIDE, GLOBAL, self.open, self.reasons.append)

    def open(self, port: int, pair: bool) -> Endpoint | None:
        self.asked.append((port, pair))
        return None if port in self.refused else Endpoint(GLOBAL, 20000 + 2 * (len(self.asked) - 1))

    def read(self, *parts: bytes) -> bytes:
        out = b""
        for number, part in enumerate(parts, 1):
            data = b"head" + part + b"rest"
            edits = self.description.read(data, 4, 4 + len(part), ends=number == len(parts))
            out += edited(data, sorted(edits))[4:-4]
        return out


def both(text: str, values: dict[str, str]) -> tuple[bytes, bytes]:
    """A description as written and as seen: ``IP4 A`` is the address, in ``values`` the ports."""
    seen = text.replace("IP4 A", "IP4 203.0.113.5")
    written = text.replace("IP4 A", "IP4 10.1.1.10")
    for name, value in values.items():
        before, _, after = value.partition(">")
        written, seen = written.replace(name, before), seen.replace(name, after)
    return lines(written), lines(seen)


@pytest.mark.parametrize(
    ("text", "values", "asked"),
    [
        ("o=- 1 1 IN IP4 A\nc=IN IP4 A\nm=audio #P RTP/AVP 0", {"#P": "4000>20000"}, [(4000, True)]),
        ("m=audio #P RTP/AVP 0\nc=IN IP4 A", {"#P": "4000>20000"}, [(4000, True)]),
        ("c=IN IP4 192.0.2.9\nm=audio #P RTP/AVP 0\nc=IN IP4 A", {"#P": "4000>20000"}, [(4000, True)]),
        (
            "c=IN IP4 A\nm=audio #P RTP/AVP 0\nm=video #Q RTP/AVP 31",
            {"#P": "4000>20000", "#Q": "4002>20002"},
            [(4000, True), (4002, True)],
        ),
        ("c=IN IP4 A\nm=audio 0 RTP/AVP 0\nm=video #P RTP/AVP 31", {"#P": "4002>20000"}, [(4002, True)]),
        ("c=IN IP4 A\nm=image #P udptl t38", {"#P": "4000>20000"}, [(4000, False)]),
        ("c=IN IP4 A\nm=audio #P UDP/TLS/RTP/SAVPF 0", {"#P": "4000>20000"}, [(4000, True)]),
        (
            "c=IN IP4 A\nm=audio #P RTP/AVP 0\na=rtcp:#R",
            {"#P": "4000>20000", "#R": "4001>20001"},
            [(4000, True)],
        ),
        (
            "c=IN IP4 A\nm=audio #P RTP/AVP 0\na=rtcp:#R IN IP4 A",
            {"#P": "4000>20000", "#R": "5001>20002"},
            [(4000, False), (5001, False)],
        ),
        (
            "c=IN IP4 A\nm=audio #P RTP/AVP 0\na=rtcp:#R",
            {"#P": "4000>20000", "#R": "4000>20000"},
            [(4000, False)],
        ),
        (
            "c=IN IP4 A\nm=audio #P RTP/AVP 0\na=candidate:1 1 UDP 1 10.1.1.10 4000 typ host",
            {"#P": "4000>20000"},
            [(4000, True)],
        ),
        ("c=IN IP4 A\nm=audio 0 RTP/AVP 0\nc=IN IP4 A", {}, []),
        ("c=IN IP4 0.0.0.0\nm=audio 4000 RTP/AVP 0", {}, []),
        ("c=IN IP4 A\nm=audio #P/1 RTP/AVP 0", {"#P": "4000>20000"}, [(4000, True)]),
    ],
)
def test_a_description(text: str, values: dict[str, str], asked: list[tuple[int, bool]]) -> None:
    host = Host()
    written, seen = both(text, values)
    assert host.read(written) == seen
    assert host.asked == asked
    assert not host.reasons


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("c=IN IP4 10.1.1.11\nm=audio 4000 RTP/AVP 0", "third party"),
        ("c=IN IP4 10.1.1.10\nm=audio 4000 RTP/AVP 0\nc=IN IP4 10.1.1.11", "third party"),
        ("c=IN IP4 224.2.1.1/127\nm=audio 4000 RTP/AVP 0", "unknown address"),
        ("c=IN IP6 2001:db8::1\nm=audio 4000 RTP/AVP 0", "unknown address"),
        ("c=IN IP4 host.example\nm=audio 4000 RTP/AVP 0", "unknown address"),
        ("c=IN IP4 010.1.1.10\nm=audio 4000 RTP/AVP 0", "unknown address"),
        ("m=audio 4000 RTP/AVP 0", "unknown address"),
        ("c=IN IP4 10.1.1.10\nm=audio 4000/2 RTP/AVP 0", "several ports"),
        ("c=IN IP4 10.1.1.10\nm=message 4000 TCP/MSRP *", "media over tcp"),
        ("c=IN IP4 10.1.1.10\nm=audio 65535 RTP/AVP 0", "malformed media"),
        ("c=IN IP4 10.1.1.10\nm=audio 4294967296 RTP/AVP 0", "malformed media"),
        ("c=IN IP4 10.1.1.10\nm=audio -1 RTP/AVP 0", "malformed media"),
        ("c=IN IP4 10.1.1.10\nm=audio 4000", "malformed media"),
    ],
)
def test_what_opens_nothing_is_left_as_it_is(text: str, reason: str) -> None:
    host = Host()
    assert host.read(lines(text)) == lines(text)
    assert not host.asked
    assert host.reasons == [reason]


def test_a_refused_stream_leaves_the_address() -> None:
    host = Host(refused=(4000,))
    text = lines("c=IN IP4 10.1.1.10\nm=audio 4000 RTP/AVP 0\nc=IN IP4 10.1.1.10\na=rtcp:4001")
    assert host.read(text) == text
    assert host.asked == [(4000, True)]


def test_a_stream_opened_besides_one_refused_needs_the_address() -> None:
    host = Host(refused=(4000,))
    written, seen = both("c=IN IP4 A\nm=audio 4000 RTP/AVP 0\nm=video #P RTP/AVP 0", {"#P": "4002>20002"})
    assert host.read(written) == seen


def test_rtcp_at_another_host_is_left() -> None:
    host = Host()
    rtcp = b"a=rtcp:4003 IN IP4 10.1.1.11\r\n"
    assert rtcp in host.read(lines("c=IN IP4 10.1.1.10\nm=audio 4000 RTP/AVP 0") + rtcp)
    assert host.asked == [(4000, False)]
    assert host.reasons == ["third party"]


def test_bare_line_ends_and_none_at_the_end() -> None:
    written, seen = both("c=IN IP4 A\nm=audio #P RTP/AVP 0\nc=IN IP4 A", {"#P": "4000>20000"})
    assert Host().read(written.replace(b"\r\n", b"\n")[:-1]) == seen.replace(b"\r\n", b"\n")[:-1]


@pytest.mark.parametrize("streams", [MAX_MEDIA, MAX_MEDIA + 5])
def test_streams_are_bounded_and_so_is_what_they_add(streams: int) -> None:
    host = Host()
    stream = (
        "m=audio 1024 RTP/AVP 0\nc=IN IP4 10.1.1.10\na=rtcp:1025 IN IP4 10.1.1.10\n"
        + "c=IN IP4 10.1.1.10\n" * 9
    )
    description = lines("o=- 1 1 IN IP4 10.1.1.10\n" * 9 + "c=IN IP4 10.1.1.10\n" * 9 + stream * streams)
    whole = host.read(*[line + b"\r\n" for line in description.split(b"\r\n")[:-1]])
    assert len(host.asked) <= MAX_MEDIA
    assert 0 < len(whole) - len(description) <= ROOM - 32
    if streams > MAX_MEDIA:
        assert "too many media" in host.reasons


@pytest.mark.parametrize("at", range(1, len(sdp())))
def test_in_two_parts_the_port_changes_only_with_its_line_whole(at: int) -> None:
    host, text = Host(), sdp()
    seen = host.read(text[:at], text[at:])
    media, session = text.index(b"m="), text.index(b"c=")
    in_media = media < at < text.index(b"a=rtpmap")
    in_session = session < at < text.index(b"t=")
    assert (b"m=audio 20000" in seen) == (not in_media and not in_session)
    assert bool(host.asked) == (not in_media and not in_session)
    assert ("begun before" in host.reasons) == (
        in_media or in_session or text.index(b"o=") < at < text.index(b"s=")
    )


def test_the_host_of_a_description_is_no_other() -> None:
    asked: list[int] = []
    description = Description(OTHER_INSIDE, GLOBAL, lambda port, _: asked.append(port), asked.append)  # type: ignore[arg-type]
    assert not description.read(sdp(), 0, len(sdp()), ends=True)


@pytest.mark.parametrize("after_line", [False, True])
@pytest.mark.parametrize("size", [1, 11, 12, 13, 14, 256, 400])
def test_a_filling_has_its_size_and_is_lines(size: int, after_line: bool) -> None:
    text = filling(size, after_line=after_line)
    assert len(text) == size
    assert text.endswith(b"\n")
