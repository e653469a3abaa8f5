"""What a laboratory configures is what the routers' own parser accepts, and means what was meant."""

from pathlib import Path

import pytest

from cli.configuration_file import format_problems, read_configuration
from snat.config.model import Configuration, ConfiguredRole
from snat.lab.configuration import Member, issue_certificates, router_text
from snat.pki import show

R1 = Member(host="r1", nat_id=1, role="primary", address="192.168.77.1")
R2 = Member(host="r2", nat_id=2, role="backup", address="192.168.77.2", port=4711)


def configuration(member: Member, *, virtual_address: bool = True) -> Configuration:
    text = router_text(
        member, (R1, R2), certificates=Path("/run/snat-lab/1/pki"), virtual_address=virtual_address
    )
    read, problems = read_configuration(text, "lab")
    assert not problems, format_problems(problems)
    return read


@pytest.mark.parametrize("member", [R1, R2])
def test_a_member_knows_itself_and_the_other(member: Member) -> None:
    stateful = configuration(member).stateful
    assert stateful is not None
    (group,) = stateful.groups
    (peer,) = group.peers
    other = R2 if member is R1 else R1
    assert (stateful.nat_id, group.role) == (member.nat_id, ConfiguredRole(member.role))
    assert (str(peer.address), peer.nat_id, peer.name) == (other.address, other.nat_id, other.name)


def test_ports_are_the_usual_ones_unless_chosen() -> None:
    stateful = configuration(R1).stateful
    assert stateful is not None
    assert (stateful.groups[0].port, stateful.groups[0].peers[0].port) == (15555, 4711)


def test_the_timers_are_short_enough_for_a_demonstration() -> None:
    stateful = configuration(R1).stateful
    assert stateful is not None
    assert (stateful.groups[0].keepalive, stateful.groups[0].hold_time) == (0.2, 0.6)


@pytest.mark.parametrize(("wanted", "addresses"), [(True, ["10.0.0.1"]), (False, [])])
def test_the_virtual_address_is_there_when_asked_for(wanted: bool, addresses: list[str]) -> None:
    stateful = configuration(R1, virtual_address=wanted).stateful
    assert stateful is not None
    assert [str(each.address) for each in stateful.groups[0].virtual_addresses] == addresses


def test_every_member_gets_a_certificate_with_its_name_and_nat_id(tmp_path: Path) -> None:
    issue_certificates(tmp_path / "pki", (R1, R2))
    issued = {each.path.name: each for each in show(tmp_path / "pki")}
    assert set(issued) == {"ca.pem", "r1.snat.example.pem", "r2.snat.example.pem"}
    assert issued["r2.snat.example.pem"].nat_id == 2
    assert issued["r2.snat.example.pem"].names == ("r2.snat.example", "192.168.77.2")
