"""The ``snat`` tool: what each command prints, and its exit status."""

import subprocess
import sys
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from cli.configuration_file import read_configuration
from snat import __version__, lab, pki
from snat.__main__ import DEFAULT_FLOWS, main
from snat.net import kernel_state
from snat.net.host_plan import Hop, HostAddress, HostRoute
from snat.net.kernel_state import KernelState
from snat.net.netlink import Link, Route, Rule
from snat.net.refused import KernelRefused

Output = pytest.CaptureFixture[str]

CONFIGURATION = """\
hostname R1
interface eth0
 ip nat inside
ip nat pool POOL1 203.0.113.10 203.0.113.20 prefix-length 24
ip nat inside source list 1 pool POOL1 overload
access-list 1 permit 10.0.0.0 0.0.0.255
"""


@pytest.fixture
def authority(tmp_path: Path, capsys: Output) -> Path:
    assert main(["pki", "init", str(tmp_path / "pki")]) == 0
    assert "ca.pem" in capsys.readouterr().out
    return tmp_path / "pki"


# pki


def test_pki_issue_prints_the_lines_that_the_device_is_configured_with(
    authority: Path, capsys: Output
) -> None:
    assert (
        main(["pki", "issue", str(authority), "r1.example", "--nat-id", "7", "--address", "192.0.2.1"]) == 0
    )
    lines = capsys.readouterr().out.split("\n", 1)[1]
    configuration, problems = read_configuration(lines, "output")
    assert problems == ()
    assert configuration.trustpoint is not None
    assert Path(configuration.trustpoint.certificate).samefile(authority / "r1.example.pem")
    assert Path(configuration.trustpoint.private_key).samefile(authority / "r1.example.key")
    assert Path(configuration.trustpoint.ca_certificate).samefile(authority / "ca.pem")


def test_pki_revoke_says_what_to_do_with_the_list(authority: Path, capsys: Output) -> None:
    assert main(["pki", "issue", str(authority), "r9.example", "--nat-id", "9"]) == 0
    capsys.readouterr()
    assert main(["pki", "revoke", str(authority), "r9.example"]) == 0
    assert f" crl {authority / 'ca.crl'}" in capsys.readouterr().out
    assert main(["pki", "revoke", str(authority), "r8.example"]) == 1
    assert "r8.example.pem" in capsys.readouterr().err


def test_pki_show_prints_names_and_dates_and_no_key(authority: Path, capsys: Output) -> None:
    main(
        [
            "pki",
            "issue",
            str(authority),
            "r1.example",
            "--nat-id",
            "7",
            "--address",
            "192.0.2.1",
            "--days",
            "9",
        ]
    )
    capsys.readouterr()
    assert main(["pki", "show", str(authority)]) == 0
    told = capsys.readouterr().out
    assert "(authority)" in told
    assert "r1.example, 192.0.2.1" in told
    assert "NAT ID      7\n" in told
    assert "8 days left" in told
    assert "KEY" not in told


def test_pki_show_says_what_has_expired(authority: Path, capsys: Output, monkeypatch: Any) -> None:
    (real,) = pki.show(authority)
    monkeypatch.setattr(pki, "show", lambda path: (replaced(real, days_left=-3),))
    main(["pki", "show", str(authority)])
    assert "EXPIRED 3 days ago" in capsys.readouterr().out


def replaced(summary: pki.CertificateSummary, *, days_left: int) -> pki.CertificateSummary:
    names = {name: getattr(summary, name) for name in summary.__slots__}
    return pki.CertificateSummary(**{**names, "days_left": days_left})


@pytest.mark.parametrize(
    "arguments",
    [
        ["init", "{directory}"],
        ["issue", "{directory}", "*.example", "--nat-id", "1"],
        ["issue", "{directory}", "r1.example", "--nat-id", "0"],
        ["issue", "{directory}", "r1.example", "--nat-id", "1", "--address", "x"],
        ["issue", "{directory}", "r1.example", "--nat-id", "1", "--days", "0"],
        ["show", "{directory}/none"],
    ],
)
def test_a_refusal_of_pki_is_one_line_and_status_1(
    authority: Path, capsys: Output, arguments: list[str]
) -> None:
    assert main(["pki", *(argument.format(directory=authority) for argument in arguments)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("snat: ")
    assert err.count("\n") == 1


def test_pki_issue_replaces_only_by_force(authority: Path, capsys: Output) -> None:
    command = ["pki", "issue", str(authority), "r1.example", "--nat-id", "1"]
    assert [main(command), main(command), main([*command, "--force"])] == [0, 1, 0]
    assert "exists already; give another name, or --force" in capsys.readouterr().err


# check


def test_check_of_a_configuration_in_order(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "r1.conf"
    file.write_text(CONFIGURATION)
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr() == (f"{file}: in order\n", "")


def test_check_tells_file_line_and_caret(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "r1.conf"
    file.write_text(CONFIGURATION.replace("ip nat inside\n", "ip nat sideways\n"))
    assert main(["check", str(file)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    first, line, caret = err.splitlines()[:3]
    assert first.startswith(f"{file}:3:9: ")
    assert line.index("sideways") == caret.index("^")


def test_check_tells_what_verification_finds(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "r1.conf"
    file.write_text(CONFIGURATION.replace("pool POOL1 overload", "pool POOL2 overload"))
    assert main(["check", str(file)]) == 1
    assert f"{file}:5:" in capsys.readouterr().err


def test_a_strict_check_stops_at_the_first_problem(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "r1.conf"
    file.write_text("foo\nhostname R1\nbar\n")
    assert main(["check", str(file)]) == 1
    assert "r1.conf:3:1: " in capsys.readouterr().err
    assert main(["check", "--strict", str(file)]) == 1
    told = capsys.readouterr().err
    assert "r1.conf:1:1: " in told
    assert "r1.conf:3:1: " not in told


def test_check_of_no_file(tmp_path: Path, capsys: Output) -> None:
    assert main(["check", str(tmp_path / "none")]) == 1
    assert "none: no such file or directory; give a file that can be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "told"),
    [(b"hostname R1\n\xff", "byte 12 is not UTF-8"), (bytes((16 << 20) + 1), "longer than 16777216")],
)
def test_check_of_what_is_no_configuration(tmp_path: Path, capsys: Output, data: bytes, told: str) -> None:
    (tmp_path / "x").write_bytes(data)
    assert main(["check", str(tmp_path / "x")]) == 1
    assert told in capsys.readouterr().err


# kernel

STATE = KernelState(
    tuns=(Link(index=9, name="snat-i", group=1001, mtu=1500, kind="tun"),),
    inside=("eth0",),
    rules=(Rule(priority=1001, interface="eth0", table=1001),),
    routes=(Route(destination=IPv4Network("203.0.113.0/24"), table=254, metric=10, device="snat-o"),),
    virtual_addresses=(IPv4Address("10.0.0.1"),),
    proxies=((IPv4Address("203.0.113.10"), "eth1"),),
    guarded=True,
    guard_dropped=3,
    sysctls={"net.ipv4.ip_forward": "0"},
    addresses=(HostAddress("in0", IPv4Interface("10.0.0.1/24")),),
    host_routes=(
        HostRoute(
            prefix=IPv4Network("192.0.2.0/24"),
            distance=7,
            hops=frozenset({Hop("in0", IPv4Address("10.0.0.9")), Hop("out0")}),
        ),
    ),
    clamps={"out0": 1300},
)
EMPTY = KernelState(
    tuns=(),
    inside=(),
    rules=(),
    routes=(),
    virtual_addresses=(),
    proxies=(),
    guarded=False,
    guard_dropped=0,
    sysctls={},
)


def test_kernel_show_prints_a_line_for_each_thing(capsys: Output, monkeypatch: Any) -> None:
    monkeypatch.setattr(kernel_state, "show", lambda: STATE)
    assert main(["kernel", "show"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "tun snat-i mtu 1500",
        "inside interface eth0",
        f"rule {STATE.rules[0]}",
        f"route {STATE.routes[0]}",
        "address 10.0.0.1/24 on in0",
        "ip route 192.0.2.0/24 dev out0, via 10.0.0.9 dev in0 metric 7",
        "MSS of 1300 bytes at most on out0",
        "virtual address 10.0.0.1",
        "ARP proxy for 203.0.113.10 on eth1",
        "sysctl net.ipv4.ip_forward was 0",
        "guard in nft, 3 packets dropped",
    ]


def test_kernel_show_of_nothing(capsys: Output, monkeypatch: Any) -> None:
    monkeypatch.setattr(kernel_state, "show", lambda: EMPTY)
    assert main(["kernel", "show"]) == 0
    assert "Nothing of ours" in capsys.readouterr().out


def test_kernel_clean_tells_what_it_removed(capsys: Output, monkeypatch: Any) -> None:
    cleaned: list[bool] = []
    monkeypatch.setattr(kernel_state, "show", lambda: STATE if not cleaned else EMPTY)
    monkeypatch.setattr(kernel_state, "clean", lambda: cleaned.append(True))
    assert main(["kernel", "clean"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Removed:\ntun snat-i")
    assert said.endswith("\nA daemon runs here, and puts all of it back: end it first.\n")
    assert main(["kernel", "clean"]) == 0
    assert capsys.readouterr().out == "There was nothing to remove.\n"
    assert len(cleaned) == 2


@pytest.mark.parametrize("action", ["show", "clean"])
def test_a_refusal_of_the_kernel_is_one_line_and_status_1(
    action: str, capsys: Output, monkeypatch: Any
) -> None:
    def refuse() -> None:
        raise KernelRefused("not permitted", where="nft", remedy="run as root")

    monkeypatch.setattr(kernel_state, "show", refuse)
    assert main(["kernel", action]) == 1
    assert capsys.readouterr().err == "snat: not permitted (nft): run as root\n"


def test_kernel_guard_is_for_the_interfaces_that_a_configuration_calls_inside(
    tmp_path: Path, capsys: Output, monkeypatch: Any
) -> None:
    stood: list[list[str]] = []
    monkeypatch.setattr(kernel_state, "stand_guard", stood.append)
    file = tmp_path / "r1.conf"
    file.write_text(
        "interface eth0\n ip nat inside\ninterface eth1\n ip nat outside\nno such line\n"
        "interface eth2\n ip nat inside\ninterface eth3\n"
    )
    assert main(["kernel", "guard", str(file)]) == 0
    said = capsys.readouterr()
    assert stood == [["eth0", "eth2"]]
    assert said.out == "Guarded: eth0, eth2\n"
    assert said.err.startswith(f"{file}:5:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such file or directory; nothing is guarded"),
        (b"\xff\xfe", "nothing is guarded"),
        (b"interface eth1\n ip nat outside\n", "no interface is inside; nothing is guarded"),
    ],
)
def test_kernel_guard_says_when_nothing_is_guarded(
    text: bytes | None, said: str, tmp_path: Path, capsys: Output, monkeypatch: Any
) -> None:
    monkeypatch.setattr(kernel_state, "stand_guard", lambda _: pytest.fail("it is not asked"))
    file = tmp_path / "r1.conf"
    if text is not None:
        file.write_bytes(text)
    assert main(["kernel", "guard", str(file)]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"snat: {file}: ")
    assert told.endswith(f"{said}\n")


def test_kernel_guard_that_is_refused(tmp_path: Path, capsys: Output, monkeypatch: Any) -> None:
    def refuse(_inside: list[str]) -> None:
        raise KernelRefused("nft is missing", where="PATH", remedy="apt-get install nftables")

    monkeypatch.setattr(kernel_state, "stand_guard", refuse)
    file = tmp_path / "r1.conf"
    file.write_text("interface eth0\n ip nat inside\n")
    assert main(["kernel", "guard", str(file)]) == 1
    assert capsys.readouterr().err == "snat: nft is missing (PATH): apt-get install nftables\n"


# lab


def test_lab_hands_over_what_was_asked_and_its_status(monkeypatch: Any) -> None:
    asked: list[tuple[str, dict[str, object]]] = []

    def run(topology: str, **options: object) -> int:
        asked.append((topology, options))
        return 1

    monkeypatch.setattr(lab, "run", run)
    assert main(["lab", "none"]) == 1
    assert main(["lab", "failover", "--json", "--flows", "3", "--keep"]) == 1
    assert asked == [
        ("none", {"json": False, "flows": DEFAULT_FLOWS, "keep": False, "faults": ()}),
        ("failover", {"json": True, "flows": 3, "keep": True, "faults": ()}),
    ]


def test_an_interruption_is_no_traceback(capsys: Output, monkeypatch: Any) -> None:
    def interrupt(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(lab, "run", interrupt)
    assert main(["lab", "none"]) == 1
    assert capsys.readouterr().err == "snat: interrupted\n"


# The command line


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["frobnicate"],
        ["pki"],
        ["pki", "issue", "x", "r1.example"],
        ["lab"],
        ["lab", "elsewhere"],
        ["lab", "none", "--flows", "0"],
        ["lab", "none", "--flows", "x"],
        ["kernel", "paint"],
        ["check"],
    ],
)
def test_what_is_not_understood_has_status_2(arguments: list[str], capsys: Output) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert capsys.readouterr().err.startswith("usage: snat")


def test_version(capsys: Output) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"snat {__version__}\n"


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    """``snat --version`` answers at once: no Twisted, no cryptography, no netlink."""
    program = (
        "import sys, snat.__main__ as tool; tool.parser();"
        "print([name for name in ('twisted', 'cryptography', 'pyroute2', 'cli') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert told.stdout == "[]\n"
