"""A SIP call with audio between real telephones, through one real daemon: UDP and TCP."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.system.probes import udp
from tests.system.site import CONFIGURATION, POOL, SERVER, Site, site
from tests.system.telephones import AUDIO_IN, SIGNALLING, ear, needs_sipp, phones

pytestmark = [pytest.mark.root, needs_sipp]

CLIENT, NEIGHBOR = "10.0.0.5", "10.0.0.6"
PUBLISHED = "203.0.113.20"
ONE_ADDRESS = CONFIGURATION.replace(str(POOL[-1]), str(POOL[0]))


@contextmanager
def crowded(directory: Path, *lines: str) -> Iterator[Site]:
    """A site with one pool address, at which a neighbor of the client has the client's ports."""
    configuration = ONE_ADDRESS.replace("end\n", "\n".join([*lines, "end", ""]))
    with ExitStack() as stack:
        made = stack.enter_context(site(directory, configuration))
        made.client.ip("addr", "add", f"{NEIGHBOR}/24", "dev", "eth0")
        for port in (SIGNALLING, AUDIO_IN, AUDIO_IN + 1):
            with udp(made.client, NEIGHBOR, port=port) as neighbor, udp(made.server, SERVER) as server:
                neighbor.sendto(b"mine", server.getsockname())
                assert server.recvfrom(10)[1] == (str(POOL[0]), port)
        yield made


@pytest.mark.parametrize("transport", ["u1", "t1"], ids=["UDP", "TCP"])
def test_a_call_with_audio(tmp_path: Path, transport: str) -> None:
    with ExitStack() as stack:
        here = stack.enter_context(crowded(tmp_path, "ip nat service sip"))
        at_client = stack.enter_context(ear(here.client))
        at_server = stack.enter_context(ear(here.server))
        alice, bob = phones(stack, (here.client, CLIENT), (here.server, SERVER), tmp_path, transport)
        assert alice.ended(30) == 0, alice.said() + bob.said()
        assert bob.ended(10) == 0, bob.said()
    assert len(at_client.heard) > 50, alice.said()
    assert at_client.ports == {AUDIO_IN}
    assert len(at_server.heard) > 50, "and back"
    seen = re.sub(r"(From|To|Call-ID): .*", "", bob.said())
    assert CLIENT not in seen
    assert re.search(rf"m=audio (?!{AUDIO_IN})\d+ RTP", seen)
    assert re.search(rf"^BYE sip:sipp@{CLIENT}:{SIGNALLING};transport=", alice.said(), re.MULTILINE)


def test_an_offer_in_several_segments(tmp_path: Path) -> None:
    """Its Content-Length leaves before the description's end: what was said too much is filled."""
    with ExitStack() as stack:
        here = stack.enter_context(crowded(tmp_path, "ip nat service sip", "no ip nat tun offload"))
        at_client = stack.enter_context(ear(here.client))
        ends = (here.client, CLIENT), (here.server, SERVER)
        alice, bob = phones(stack, *ends, tmp_path, "t1", formats=80)
        assert alice.ended(30) == 0, alice.said() + bob.said()
        assert bob.ended(10) == 0, bob.said()
    assert len(at_client.heard) > 50, alice.said()
    assert bob.said().count("\na=x-nat:000") == 2, "in both offers"
    assert f"IN IP4 {CLIENT}" not in bob.said()


def test_without_the_gateway_no_audio_comes(tmp_path: Path) -> None:
    with ExitStack() as stack:
        here = stack.enter_context(crowded(tmp_path))
        at_client = stack.enter_context(ear(here.client))
        alice, bob = phones(stack, (here.client, CLIENT), (here.server, SERVER), tmp_path, "u1")
        assert alice.ended(30) == 0, alice.said() + bob.said()
    assert not at_client.heard


@pytest.mark.parametrize("transport", ["u1", "t1"], ids=["UDP", "TCP"])
def test_a_call_to_a_telephone_inside(tmp_path: Path, transport: str) -> None:
    static = f"ip nat inside source static {transport.replace('u1', 'udp').replace('t1', 'tcp')}"
    lines = f"{static} {CLIENT} {SIGNALLING} {PUBLISHED} {SIGNALLING}", "ip nat service sip"
    with ExitStack() as stack:
        here = stack.enter_context(crowded(tmp_path, *lines))
        at_client = stack.enter_context(ear(here.client))
        at_server = stack.enter_context(ear(here.server))
        ends = (here.client, CLIENT), (here.server, SERVER)
        alice, bob = phones(stack, *ends, tmp_path, transport, calls=PUBLISHED)
        assert alice.ended(30) == 0, alice.said() + bob.said()
        assert bob.ended(10) == 0, bob.said()
    assert len(at_client.heard) > 50, bob.said()
    assert at_client.ports == {AUDIO_IN}
    assert len(at_server.heard) > 50, "and back"
    assert CLIENT not in re.sub(r"(From|To|Call-ID): .*", "", alice.said())
    assert re.search(rf"^Contact: <sip:bob@{PUBLISHED}:{SIGNALLING};transport=", alice.said(), re.MULTILINE)
