"""How a laboratory reads what a router's shell says, in the very form in which the shell says it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.render import plain
from snat.device.status import Endpoint, FeedStatus, GroupStatus, LinkStatus, Translation
from snat.lab.router import Router, mappings, ready, same_rows

LINK = LinkStatus(
    neighbor="r2.snat.example",
    direction="out",
    local_address="192.168.77.1",
    destination_address="192.168.77.2",
    destination_port=15555,
    local_nat_id=1,
    destination_nat_id=2,
    process_id=0,
    mapping_ids=(10,),
    state="Establish",
)
FEED = FeedStatus(
    process_id=0,
    mapping_id=10,
    manager_nat_id=1,
    term=1,
    sequence=4,
    entries=2,
    digest=99,
    synchronised=True,
    verified_age=0.1,
)
GROUP = GroupStatus(
    mode="PRIMARY",
    standing="MANAGE",
    state="READY",
    local_address="192.168.77.1",
    local_nat_id=1,
    mapping_ids=(10,),
    feeds=(FEED,),
    links=(LINK, replace(LINK, direction="in")),
)
ROW = Translation(
    protocol=6,
    inside_global=Endpoint("203.0.113.10", 1025),
    inside_local=Endpoint("10.0.0.100", 40001),
    outside_local=Endpoint("203.0.113.100", 7000),
    outside_global=Endpoint("203.0.113.100", 7000),
    nat_id=1,
    number=1,
    mapping_id=10,
    state="established",
)


def rows(*translations: Translation) -> list[dict[str, Any]]:
    return [plain(each) for each in translations]


def test_a_router_is_ready_that_is_linked_synchronised_and_verified() -> None:
    assert ready(plain(GROUP), standing="MANAGE")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda group: replace(group, standing="CLAIM"),
        lambda group: replace(group, state="CONVERGING"),
        lambda group: replace(group, links=()),
        lambda group: replace(group, links=(LINK, replace(LINK, state="Connect"))),
        lambda group: replace(group, feeds=(replace(FEED, synchronised=False),)),
        lambda group: replace(group, feeds=(replace(FEED, verified_age=None),)),
    ],
)
def test_a_router_is_not_ready_while_anything_is_missing(spoil: Callable[[GroupStatus], GroupStatus]) -> None:
    assert not ready(plain(spoil(GROUP)), standing="MANAGE")


def test_tables_are_equal_in_any_order() -> None:
    other = ROW._replace(number=2)
    assert same_rows(rows(ROW, other), rows(other, ROW))


@pytest.mark.parametrize(
    "change", [{"state": "closing"}, {"nat_id": 2}, {"inside_global": Endpoint("203.0.113.10", 1026)}]
)
def test_tables_differ_in_any_column(change: dict[str, Any]) -> None:
    assert not same_rows(rows(ROW), rows(ROW._replace(**change)))


def test_a_table_that_was_not_told_equals_none() -> None:
    assert not same_rows(None, None)
    assert not same_rows(rows(ROW), None)


def test_mappings_are_those_of_one_protocol() -> None:
    udp = ROW._replace(protocol=17, inside_local=Endpoint("10.0.0.100", 5000))
    assert mappings(rows(ROW, udp), 6) == {"10.0.0.100:40001": "203.0.113.10:1025"}


def test_what_a_router_merged_is_read_from_its_log(tmp_path: Path) -> None:
    router = Router("r1", "end\n", directory=tmp_path)
    (tmp_path / "r1.log").write_text(
        "info] mapping 10: 0 entries of r3.snat.example merged, 0 had keys of ours\n"
        "info] mapping 10: 20 entries of r2.snat.example merged, 1 had keys of ours\n"
    )
    assert router.merged() == "20 entries of r2.snat.example merged, 1 had keys of ours"
    (tmp_path / "r1.log").write_text("info] link established\n")
    assert router.merged() == ""
