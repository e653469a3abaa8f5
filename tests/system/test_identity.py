"""Real daemons that are not who they should be: refused in both directions, counted, harming nobody.

Whoever is no daemon at all is in test_refusals.py.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from snat.lab.configuration import issue_certificates
from snat.lab.router import same_rows
from tests.net.strangers import dns, issued, urn
from tests.system.daemons import Daemon, made, members, poll, running, stands

READY = 20.0


class Scene:
    """R1 manages and R3 listens. R1 also knows r2, r4, r5 and r6; behind their ports are others.

    r2's certificate is of another authority; in r4's place stands r9, r5 has NAT ID 8 in its certificate, and
    r6's is for any name of the domain.
    """

    def __init__(self, directory: Path) -> None:
        r1, r3, r2, r4, r5, r6 = members(
            [
                ("r1", 1, "primary"),
                ("r3", 3, "backup"),
                ("r2", 2, "backup"),
                ("r4", 4, "backup"),
                ("r5", 5, "backup"),
                ("r6", 6, "backup"),
            ]
        )
        r9, r8 = replace(r4, host="r9"), replace(r5, nat_id=8)
        good, other = directory / "pki", directory / "other"
        issue_certificates(good, [r1, r3, r9, r8])
        issue_certificates(other, [r2])
        anybody = issued(good, directory / "anybody", (dns("*.snat.example"), urn(6)))
        for file, kind in ((anybody.certificate, "pem"), (anybody.private_key, "key")):
            (good / f"{r6.name}.{kind}").write_bytes(Path(file).read_bytes())
        self.r1 = made(r1, [r2, r3, r4, r5, r6], good, directory)
        self.r3 = made(r3, [r1], good, directory)
        (other / "ca.pem").write_bytes(
            (good / "ca.pem").read_bytes()
        )  # it would take R1; R1 must not take it
        self.impostors = {
            "other authority": made(r2, [r1], other, directory),
            "wrong name": made(r9, [r1], good, directory),
            "wrong NAT ID": made(r8, [r1], good, directory),
            "wildcard": made(r6, [r1], good, directory),
        }

    @property
    def daemons(self) -> tuple[Daemon, ...]:
        return self.r1, self.r3, *self.impostors.values()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("identity"))
    with running(*made.daemons):
        poll(
            lambda: (made.r1.group() or {}).get("standing") == "MANAGE" and stands(made.r3, "LISTEN"),
            seconds=READY,
            of=made.daemons,
        )
        yield made


IN_REASONS = {
    "other authority": "refused 127.0.0.1: TLS: certificate verify failed",
    "wrong name": "refused 127.0.0.1: its certificate is of r9.snat.example (NAT ID 4), no neighbor",
    "wrong NAT ID": "refused 127.0.0.1: its certificate is of r5.snat.example (NAT ID 8), no neighbor",
    "wildcard": "refused 127.0.0.1: its certificate is of no name (NAT ID 6), no neighbor",
}
OUT_REASONS = {
    "other authority": "link to r2.snat.example (out) closed: TLS: certificate verify failed",
    "wrong name": "link to r4.snat.example (out) closed: 127.0.0.1 is r9.snat.example (NAT ID 4); "
    "r4.snat.example (NAT ID 4) is configured",
    "wrong NAT ID": "link to r5.snat.example (out) closed: 127.0.0.1 is r5.snat.example (NAT ID 8); "
    "r5.snat.example (NAT ID 5) is configured",
    "wildcard": "link to r6.snat.example (out) closed: 127.0.0.1 is no name (NAT ID 6); "
    "r6.snat.example (NAT ID 6) is configured",
}


@pytest.mark.parametrize("reasons", [IN_REASONS, OUT_REASONS], ids=["listener", "dialler"])
@pytest.mark.parametrize("case", IN_REASONS)
def test_an_impostor_is_refused_with_the_reason(scene: Scene, case: str, reasons: dict[str, str]) -> None:
    poll(lambda: reasons[case] in scene.r1.log(), seconds=10.0, of=scene.daemons)


def test_refusals_are_counted_and_no_impostor_holds_a_link(scene: Scene) -> None:
    def counted() -> bool:
        counters = scene.r1.counters()
        return all(
            counters.get(subject, {}).get(counter, 0) >= least
            for subject in ("listener", "dialler")
            for counter, least in (("unproved", 1), ("not_neighbor", 3))
        )

    poll(counted, seconds=10.0, of=scene.daemons)
    assert scene.r1.counters()["listener"]["accepted"] == 1
    established = [
        link["neighbor"] for link in (scene.r1.group() or {})["links"] if link["state"] == "Establish"
    ]
    assert established == ["r3.snat.example"] * 2
    for impostor in scene.impostors.values():
        assert not [link for link in (impostor.group() or {})["links"] if link["state"] == "Establish"]
        assert not [line for line in impostor.log() if "Traceback" in line or "Unhandled" in line]


def test_the_good_neighbor_is_untouched(scene: Scene) -> None:
    """Neither of its links was lost: a third would have been established in its place."""
    assert scene.r3.counters()["links"]["established"] == 2
    rows = scene.r1.translations()
    assert rows
    poll(lambda: same_rows(scene.r1.translations(), scene.r3.translations()), seconds=5.0, of=scene.daemons)
    assert not [line for line in scene.r1.log() if "Traceback" in line or "Unhandled" in line]
