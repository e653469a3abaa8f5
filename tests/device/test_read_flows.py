"""What ``show`` and ``debug`` know of flows that gateways read, on a whole device."""

import random

import pytest

from cli.configuration_file import read_configuration
from cli.render_nat import translations as rendered
from snat.device.device import Device
from snat.device.report import translations
from snat.nat.entry import context_of, with_context
from snat.net.debug_text import rewritten
from snat.translate.alg.reading import Rewrite
from tests.packets import tcp
from tests.translate.alg.flow import Connection, carried
from tests.translate.nat import A, Nat, S


@pytest.fixture
def device() -> Device:
    text = (
        "access-list 1 permit 10.0.0.0 0.0.0.255\n"
        "ip nat pool P 203.0.113.1 203.0.113.1 prefix-length 24\n"
        "ip nat inside source list 1 pool P overload\n"
    )
    configuration = read_configuration(text, "test")[0]
    return Device(configuration, incarnation=1, terms={}, ports=random.Random(1), ttl_step=-1, now=1000.0)


def logged_in(device: Device) -> Connection:
    """An FTP client behind it that has opened a door."""
    nat = Nat.__new__(Nat)
    nat.translator, nat.table, nat.now = device.translator, device.table, 1000.0
    flow = Connection(nat).open().log_in()
    flow.say(flow.client, b"PORT 10,0,0,2,156,65\r\n")
    return flow


def shown(device: Device) -> str:
    rows = [row for row in translations(device, verbose_at=1001.0) if row is not None]
    return "\n".join(line for line in rendered(rows) if line is not None)


def test_the_context_is_shown(device: Device) -> None:
    logged_in(device)
    text = shown(device)
    assert "context ftp version 1, begun inside, outward +3, inward +0 bytes" in text
    (expected,) = [row for row in translations(device, verbose_at=1001.0) if row and "expected" in str(row)]
    assert expected.detail is not None
    assert expected.detail.flags == ("expected",)
    assert expected.detail.context == ("expected for 60 s", "from any port")
    assert expected.detail.timeout == 60
    assert expected.detail.left == 59
    assert expected.outside_global is not None
    assert expected.outside_global.address == S


def test_a_context_that_nobody_knows_is_told_by_its_size(device: Device) -> None:
    flow = logged_in(device)
    (control,) = [one for one in device.table.records() if b"ftp" in context_of(one)]
    device.table.add([with_context(control, b"\xee" * 7)])
    assert "context 7 bytes that this version does not know" in shown(device)
    assert carried(flow.nat, flow.server.segment("A"), from_outside=True)
    assert "context 7 bytes" in shown(device)


def test_what_is_written_otherwise_is_told(device: Device) -> None:
    seen: list[Rewrite] = []
    device.watch_rewrites(seen.append)
    logged_in(device)
    lines = [line for one in seen for line in rewritten(one)]
    assert lines == [f"NAT: ftp i: tcp ({A}, 40000) [10,0,0,2,156,65] -> [203,0,113,1,156,65]"]
    device.watch_rewrites(None)
    (line,) = rewritten(seen[0]._replace(before=b"a\x1b[2J\r\n", after=b"x" * 500))
    assert "\x1b" not in line
    assert line.endswith("x" * 120 + "...]")


def test_counters_are_by_gateway(device: Device) -> None:
    flow = logged_in(device)
    counters = device.counters()["gateway ftp"]
    assert counters == {"edit": 1, "message": 6}
    address, port = "203.0.113.1", 40001
    assert carried(flow.nat, tcp(S, 20, address, port), from_outside=True)
