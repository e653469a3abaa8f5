"""A SIP call with audio whose router is killed: the audio goes on, and so does the signalling."""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from snat.lab.configuration import Member, router_text
from snat.lab.laboratory import Laboratory
from snat.lab.router import Router
from snat.lab.site import Arrangement, Site
from snat.lab.topology import CLIENT, SERVER
from tests.system.namespaces import Namespace
from tests.system.telephones import AUDIO_IN, SIGNALLING, Ear, ear, needs_sipp, phones

pytestmark = [pytest.mark.root, needs_sipp]

OUTAGE = 5.0
"""Seconds without audio that even a busy machine does not need."""
SOME = 50
"""A second of audio."""


def _router(member: Member, members: Sequence[Member], directory: Path, prefix: tuple[str, ...]) -> Router:
    text = router_text(member, members, certificates=directory / "pki", virtual_address=True)
    text = text.replace("\nend\n", "\nip nat service sip\nend\n")
    return Router(member.host, text, directory=directory, prefix=prefix)


PAIR = Arrangement(topology="failover", routers=2, router_of=_router, faults=(), possible=())


def longest_gap(at: Ear, since: float) -> float:
    heard = [since, *(when for when in at.heard if when > since)]
    return max(later - earlier for earlier, later in pairwise(heard))


@pytest.mark.parametrize("transport", ["u1", "t1"], ids=["UDP", "TCP"])
def test_a_call_outlives_its_router(tmp_path: Path, transport: str) -> None:
    with Laboratory(progress=sys.stderr) as lab, ExitStack() as stack:
        site = Site(lab, PAIR)
        first, second = site.routers
        client, server = (Namespace(site.network.namespace(host)) for host in ("client", "server"))
        ears = [stack.enter_context(ear(host)) for host in (client, server)]
        alice, bob = phones(stack, (client, CLIENT), (server, SERVER), tmp_path, transport, talk=8.0)
        for one in ears:
            one.await_more(SOME, 10)
        killed = time.monotonic()
        lab.kill(first)
        lab.await_standing(second, "MANAGE")
        for one in ears:
            one.await_more(SOME, 10)
        lab.say("audio goes on in both directions")
        assert alice.ended(30) == 0, alice.said() + bob.said()
        assert bob.ended(10) == 0, bob.said()
        assert ears[0].ports == {AUDIO_IN}
        gaps = [longest_gap(one, killed) for one in ears]
        lab.say(f"longest time without audio: {max(gaps) * 1000:.0f} ms")
        assert max(gaps) < OUTAGE
        hung_up = f"BYE sip:sipp@{CLIENT}:{SIGNALLING};transport="
        assert hung_up in alice.said(), "the other router knows what Alice wrote as her Contact"
