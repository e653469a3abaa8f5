"""The files of doc/systemd: every key is one that we know, every value fits it, and what they name exists."""

import argparse
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from snat import __main__ as tool
from snat.net.kernel_plan import TUNS
from snat.tap import DEFAULT_CONTROL, Options

ROOT = Path(__file__).parent.parent
FILES = ROOT / "doc" / "systemd"
PROGRAMS = Path("/opt/snat/bin")
CAPABILITIES = ["CAP_NET_ADMIN", "CAP_NET_RAW"]
"""Of the daemon; doc/operations.md names them, too."""
Sections = Mapping[str, Mapping[str, list[str]]]


def matches(pattern: str) -> Callable[[str], bool]:
    return lambda value: re.fullmatch(pattern, value) is not None


YES_OR_NO = matches("yes|no")
YES = matches("yes")
NO = matches("no")
NUMBER = matches("[0-9]+")
MODE = matches("0[0-7]{3}")
NAME = matches("snat")
TEXT = matches(r"\S.*\S")
PATHS = matches(r"/\S+( /\S+)*")
UNITS = matches(r"[a-z-]+\.(service|target)( [a-z-]+\.(service|target))*")
CAPS = matches("CAP_[A-Z_]+( CAP_[A-Z_]+)*")
COMMAND = matches(r"/\S+( \S+)*")

UNIT = {
    "Description": TEXT,
    "DefaultDependencies": NO,
    "RequiresMountsFor": PATHS,
    "After": UNITS,
    "Before": UNITS,
    "Wants": UNITS,
    "Conflicts": UNITS,
    "StartLimitIntervalSec": NUMBER,
}
HARDENING = {
    **dict.fromkeys(
        (
            "NoNewPrivileges",
            "ProtectHome",
            "PrivateTmp",
            "PrivateDevices",
            "ProtectClock",
            "ProtectHostname",
            "ProtectKernelLogs",
            "ProtectKernelModules",
            "ProtectControlGroups",
            "RestrictNamespaces",
            "RestrictRealtime",
            "RestrictSUIDSGID",
            "LockPersonality",
        ),
        YES,
    ),
    "ProtectSystem": matches("strict"),
    "ProtectProc": matches("invisible"),
    "RestrictAddressFamilies": matches("AF_[A-Z0-9]+( AF_[A-Z0-9]+)*"),
    "SystemCallArchitectures": matches("native"),
    "SystemCallFilter": matches("@system-service"),
    "CapabilityBoundingSet": CAPS,
    "AmbientCapabilities": CAPS,
    "DevicePolicy": matches("closed"),
    "DeviceAllow": matches(r"/dev/\S+ r?w?m?"),
}
SERVICE = {
    "Type": matches("oneshot|exec"),
    "RemainAfterExit": YES,
    "User": NAME,
    "Group": NAME,
    "WorkingDirectory": PATHS,
    "ExecStart": COMMAND,
    "ExecReload": COMMAND,
    "ExecStopPost": matches("-/bin/sh -c '[^']+'"),
    "Restart": matches("always"),
    "RestartSec": NUMBER,
    "TimeoutStopSec": NUMBER,
    "RuntimeDirectory": NAME,
    "RuntimeDirectoryMode": MODE,
    "RuntimeDirectoryPreserve": YES,
    "StateDirectory": NAME,
    "StateDirectoryMode": MODE,
    "ConfigurationDirectory": NAME,
    "ConfigurationDirectoryMode": MODE,
    "ReadWritePaths": PATHS,
    "UMask": MODE,
    "OOMScoreAdjust": matches("-?[0-9]{1,4}"),
    "LimitNOFILE": NUMBER,
    **HARDENING,
}
KNOWN: Mapping[str, Mapping[str, Mapping[str, Callable[[str], bool]]]] = {
    ".service": {"Unit": UNIT, "Service": SERVICE, "Install": {"WantedBy": UNITS}},
    ".network": {"Match": {"Name": TEXT}, "Link": {"Unmanaged": YES}},
    "networkd.conf": {
        "Network": dict.fromkeys(("ManageForeignRoutingPolicyRules", "ManageForeignRoutes"), NO)
    },
}


def known(file: str) -> Mapping[str, Mapping[str, Callable[[str], bool]]]:
    """The sections and keys that a file may have."""
    return KNOWN.get(file) or KNOWN[Path(file).suffix]


def parsed(text: str) -> Sections:
    """systemd.syntax(7), without continued lines: a key may come more than once."""
    sections: dict[str, dict[str, list[str]]] = {}
    here: dict[str, list[str]] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            here = sections.setdefault(line[1:-1], {})
            continue
        key, equals, value = line.partition("=")
        if here is None or not equals or not key.isalnum() or value != value.strip() or line.endswith("\\"):
            raise ValueError(f"line {number}: {line}")
        here.setdefault(key, []).append(value)
    return sections


def unknown(file: str, sections: Sections) -> list[str]:
    """Sections and keys that a file may not have, and values that do not fit their key."""
    return [
        f"[{section}] {key}={value}"
        for section, keys in sections.items()
        for key, values in keys.items()
        for value in values
        if not known(file).get(section, {}).get(key, lambda _: False)(value)
    ]


def sections_of(file: str) -> Sections:
    return parsed((FILES / file).read_text())


def only(sections: Sections, section: str, key: str) -> str:
    (value,) = sections[section][key]
    return value


INI = ["networkd.conf", "snat-guard.service", "snat.network", "snat.service"]


def test_these_are_all_files() -> None:
    assert sorted(path.name for path in FILES.iterdir()) == sorted([*INI, "sysusers.conf"])


@pytest.mark.parametrize("file", INI)
def test_every_key_is_known_and_its_value_fits(file: str) -> None:
    sections = sections_of(file)
    assert unknown(file, sections) == []
    assert set(sections) == set(known(file))
    repeated = [key for keys in sections.values() for key, values in keys.items() if len(values) > 1]
    assert repeated == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[Service]\nProtectSytem=strict\n", ["[Service] ProtectSytem=strict"]),
        ("[Service]\nProtectSystem=full\n", ["[Service] ProtectSystem=full"]),
        ("[Unit]\nRestart=always\n", ["[Unit] Restart=always"]),
        ("[Servce]\nRestart=always\n", ["[Servce] Restart=always"]),
        ("[Service]\nRestart=always\n# Restart=never\n", []),
    ],
)
def test_a_slip_of_the_pen_would_be_seen(text: str, told: list[str]) -> None:
    assert unknown("x.service", parsed(text)) == told


@pytest.mark.parametrize("text", ["Restart=always", "[Service]\nRestart", "[Service]\nA = b", "[S]\nA=b\\"])
def test_so_would_one_in_the_syntax(text: str) -> None:
    with pytest.raises(ValueError, match="line"):
        parsed(text)


# What they name


def test_the_boot_unit_asks_for_what_the_tool_has() -> None:
    program, *words = shlex.split(only(sections_of("snat-guard.service"), "Service", "ExecStart"))
    assert Path(program).parent == PROGRAMS
    assert Path(program).name in scripts()
    options = tool.parser().parse_args(words)
    assert options.command is tool._kernel_guard
    assert options.file == configuration()


def test_the_tool_refuses_what_it_has_not() -> None:
    """The test above can fail."""
    with pytest.raises(SystemExit):
        tool.parser().parse_args(["kernel", "guard"])
    with pytest.raises((SystemExit, argparse.ArgumentError)):
        tool.parser().parse_args(["kernel", "fence", "x"])


def scripts() -> set[str]:
    """The programs that the distribution installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return set(project["scripts"])


def daemon() -> Options:
    """The daemon's own options, as snat.service gives them."""
    program, *words = shlex.split(only(sections_of("snat.service"), "Service", "ExecStart"))
    assert program == str(PROGRAMS / "twistd")
    at = words.index("snat")
    assert words[:at] == ["--nodaemon", "--pidfile="]
    options = Options()
    options.parseOptions(words[at + 1 :])
    return options


def configuration() -> Path:
    return Path(daemon()["config"])


def test_twistd_knows_the_plugin() -> None:
    plugins = [path.read_text() for path in (ROOT / "twisted" / "plugins").glob("*.py")]
    assert any('"snat"' in text for text in plugins)
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert any(one.startswith("twisted") for one in requirements)


def test_the_directories_are_those_that_the_daemon_is_told() -> None:
    service, options = sections_of("snat.service")["Service"], daemon()
    assert options["control"] == DEFAULT_CONTROL
    assert Path(options["control"]).parent == Path("/run") / service["RuntimeDirectory"][0]
    assert Path(options["state-dir"]) == Path("/var/lib") / service["StateDirectory"][0]
    assert configuration().parent == Path("/etc") / service["ConfigurationDirectory"][0]
    assert service["ReadWritePaths"] == [str(configuration().parent)], "write memory writes there"
    assert service["WorkingDirectory"] == [options["state-dir"]]


def test_the_daemon_has_the_rights_that_it_needs_and_no_others() -> None:
    service = sections_of("snat.service")["Service"]
    for key in ("AmbientCapabilities", "CapabilityBoundingSet"):
        assert service[key][0].split() == CAPABILITIES
    privileges = (ROOT / "doc" / "operations.md").read_text().partition("## Privileges")[2]
    assert re.findall(r"CAP_[A-Z_]+", privileges) == CAPABILITIES
    assert service["DeviceAllow"] == ["/dev/net/tun rw"]
    assert service["User"] == service["Group"]
    # What would take from it what it needs.
    assert not {"ProtectKernelTunables", "PrivateDevices", "PrivateNetwork", "PrivateUsers"} & set(service)


def test_the_guard_stands_before_the_network_and_before_the_daemon() -> None:
    guard, router = sections_of("snat-guard.service")["Unit"], sections_of("snat.service")["Unit"]
    assert {"network-pre.target", "snat.service"} <= set(guard["Before"][0].split())
    assert guard["Wants"] == ["network-pre.target"], "it is passive: somebody must want it"
    assert guard["DefaultDependencies"] == ["no"], "else it comes after what it is to be before"
    assert "snat-guard.service" in router["After"][0].split()
    assert "snat-guard.service" in router["Wants"][0].split()
    for unit in (guard, router):
        assert "nftables.service" in unit["After"][0].split(), "that flushes all tables"
    assert set(guard["RequiresMountsFor"][0].split()) == {str(PROGRAMS.parent), str(configuration().parent)}


def test_the_account_is_that_of_the_service() -> None:
    lines = [line for line in (FILES / "sysusers.conf").read_text().splitlines() if line and line[0] != "#"]
    ((kind, name, number, _, home),) = map(shlex.split, lines)
    assert (kind, name, number) == ("u", only(sections_of("snat.service"), "Service", "User"), "-")
    assert home == daemon()["state-dir"]


def test_networkd_leaves_the_tuns_alone() -> None:
    assert only(sections_of("snat.network"), "Match", "Name").split() == list(TUNS)


@pytest.mark.parametrize("file", [*INI, "sysusers.conf"])
def test_operators_are_told_of_each_file_and_each_says_where_it_goes(file: str) -> None:
    assert f"](systemd/{file})" in (ROOT / "doc" / "operations.md").read_text()
    assert re.match(r"# /etc/\S+/\S+\n#\n# [A-Z]", (FILES / file).read_text())


@pytest.mark.parametrize("files", [{}, {"vrrp-ready": "-254"}, {"a-ready": "-254", "b-ready": "-254"}])
def test_after_a_daemon_no_module_makes_this_router_active(tmp_path: Path, files: dict[str, str]) -> None:
    """However it ended: its track files say so, nothing else is touched, and none is made."""
    command = only(sections_of("snat.service"), "Service", "ExecStopPost")
    program, *words = shlex.split(command.removeprefix("-").replace("$$", "$"))
    assert "$" not in command.replace("$$", ""), "systemd would put a variable of its own there"
    others = {"control.sock": "0\n"}
    for name in (*files, *others):
        (tmp_path / name).write_text("0\n")
    subprocess.run([program, *(word.replace("/run/snat", str(tmp_path)) for word in words)], check=True)
    assert {one.name: one.read_text().strip() for one in tmp_path.iterdir()} == files | {"control.sock": "0"}
