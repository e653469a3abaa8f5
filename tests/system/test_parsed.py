"""What a running daemon says is read by the parsers of ntc_templates; lists are typed, saved, found again."""

from collections.abc import Iterator

import pytest
from ntc_templates.parse import parse_output

from snat.lab.configuration import issue_certificates
from tests.system.daemons import Daemon, made, members, poll, running

READY = 20.0
FLOWS = 30
"""In the bundled capture."""

TYPED = """configure terminal
ip access-list extended WEB
10 permit tcp 10.0.0.0 0.0.0.255 any eq www
20 deny   ip any host 192.0.2.1
exit
ip access-list standard GUESTS
permit 10.0.7.0 0.0.0.255
exit
route-map OUT permit 10
match ip address WEB
match interface out0
exit
ip access-list standard GUESTS
no 10
deny   any
end
copy running-config startup-config

"""


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One that manages, and has the flows of the bundled capture in its table."""
    path = tmp_path_factory.mktemp("parsed")
    one, other = members([("r1", 1, "primary"), ("r2", 2, "backup")])
    issue_certificates(path / "pki", [one, other])
    daemon = made(one, [other], path / "pki", path)
    with running(daemon):
        poll(lambda: len(daemon.translations() or ()) == FLOWS, seconds=READY, of=[daemon])
        yield daemon


def said(router: Daemon, *commands: str) -> str:
    done = router.cli("enable", *commands)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


def parsed(router: Daemon, command: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = parse_output(
        platform="cisco_ios", command=command, data=said(router, command)
    )
    return rows


def test_translations(router: Daemon) -> None:
    rows = parsed(router, "show ip nat translations")
    assert len(rows) == FLOWS
    assert {one["protocol"] for one in rows} == {"tcp", "udp", "icmp"}
    assert {one["inside_global_ip"] for one in rows} <= {f"203.0.113.{last}" for last in range(1, 255)}


def test_version(router: Daemon) -> None:
    (row,) = parsed(router, "show version")
    assert row["hostname"] == "R1"
    assert row["version"]
    assert "minute" in row["uptime"]


def test_interfaces(router: Daemon) -> None:
    rows = {one["interface"]: one for one in parsed(router, "show ip interface brief")}
    assert rows["lo"]["ip_address"] == "127.0.0.1"
    assert (rows["lo"]["status"], rows["lo"]["proto"]) == ("up", "up")


def test_the_clock(router: Daemon) -> None:
    (row,) = parsed(router, "show clock")
    assert row["timezone"] == "UTC"
    assert int(row["year"]) >= 2026


def test_the_log(router: Daemon) -> None:
    rows = parsed(router, "show logging")
    assert ("SNAT", "5", "PROCESS") in {(one["facility"], one["severity"], one["mnemonic"]) for one in rows}


def test_standby_of_a_router_without_groups(router: Daemon) -> None:
    lines = said(router, "show standby brief").splitlines()
    assert lines[-1].split() == [
        "Interface",
        "Grp",
        "Pri",
        "P",
        "State",
        "Active",
        "Standby",
        "Virtual",
        "IP",
    ]


def test_lists_are_typed_shown_and_saved(router: Daemon) -> None:
    said(router, *TYPED.splitlines())
    rows = parsed(router, "show access-lists")
    assert [(one["name"], one["sn"], one["action"]) for one in rows if one["name"] in ("WEB", "GUESTS")] == [
        ("GUESTS", "10", "deny"),
        ("WEB", "10", "permit"),
        ("WEB", "20", "deny"),
    ]
    assert "match interface out0" in said(router, "show running-config")
    assert said(router, "show startup-config").count("route-map OUT permit 10") == 1
    shown = said(router, "show route-map")
    assert "ip address (access-lists): WEB" in shown
