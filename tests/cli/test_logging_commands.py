"""Commands of the log and of debugging: lines of the configuration, what they mean, and what is shown."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ntc_templates.parse import parse_output

from cli import render_log
from cli.commands import TREE
from cli.commands.configuration import configuration_lines
from cli.commands.logging import FACILITIES, LARGEST_BUFFER, SMALLEST_BUFFER
from cli.configuration_file import read_configuration
from cli.grammar import Fault, LineError
from cli.modes import CONFIG, PRIVILEGED, USER
from cli.session import Path, Place
from cli.shell import Shell
from snat.config.model import Configuration, Level, Logging, Stamp, StampKind, System
from snat.net.trap import FACILITIES as CODES
from snat.status import DebugStatus
from tests.cli.fake_router import LOG, FakeRouter, converse, output

CONFIGURING: Path = (Place(PRIVILEGED), Place(CONFIG))
EXEC: Path = (Place(PRIVILEGED),)

# line as the running configuration prints it, an abbreviation of it, what it changes
LOGGING = [
    ("no logging on", "no logg on", {"on": False}),
    ("logging buffered 8192 debugging", "logg b 8192", {"buffer_size": 8192}),
    ("logging buffered 65536 warnings", "logging buf w", {"buffered": Level.WARNINGS}),
    ("logging buffered 4096 errors", "logg buff 4096 3", {"buffer_size": 4096, "buffered": Level.ERRORS}),
    ("no logging buffered", "no logg bu", {"buffered": None}),
    ("logging console warnings", "logg c w", {"console": Level.WARNINGS}),
    ("logging console emergencies", "logg cons 0", {"console": Level.EMERGENCIES}),
    ("no logging console", "no logging console", {"console": None}),
    ("logging monitor informational", "logg m i", {"monitor": Level.INFORMATIONAL}),
    ("no logging monitor", "no logg m", {"monitor": None}),
    ("logging trap debugging", "logg t d", {"trap": Level.DEBUGGING}),
    ("no logging trap", "no logg t", {"trap": None}),
    ("logging facility local3", "logg f local3", {"facility": "local3"}),
    ("logging host 192.0.2.9", "logg h 192.0.2.9", {"hosts": (IPv4Address("192.0.2.9"),)}),
    ("no service timestamps log", "no serv t l", {"log_stamp": None}),
    ("service timestamps debug uptime", "serv ti d u", {"debug_stamp": Stamp(kind=StampKind.UPTIME)}),
    ("service timestamps log uptime", "serv ti l", {"log_stamp": Stamp(kind=StampKind.UPTIME)}),
    ("service timestamps log datetime", "ser t l d", {"log_stamp": Stamp()}),
    (
        "service timestamps log datetime msec localtime show-timezone",
        "serv t l d show l m",
        {"log_stamp": Stamp(milliseconds=True, localtime=True, show_timezone=True)},
    ),
    ("service sequence-numbers", "serv s", {"sequence_numbers": True}),
]


def configured(**changes: object) -> Configuration:
    return Configuration(system=System(logging=replace(Logging(), **changes)))  # type: ignore[arg-type]


def typed(line: str, configuration: Configuration | None = None) -> Configuration:
    return TREE.edit(TREE.match(CONFIGURING, line), configuration or Configuration())


@pytest.mark.parametrize(("line", "abbreviated", "changes"), LOGGING)
def test_a_line_is_understood_printed_and_read_back(
    line: str, abbreviated: str, changes: dict[str, object]
) -> None:
    made = typed(abbreviated)
    assert made == configured(**changes)
    shown = list(configuration_lines(made))
    assert line in shown
    assert read_configuration("\n".join(shown), "again") == (made, ())


@pytest.mark.parametrize(("line", "_abbreviated", "_changes"), LOGGING)
def test_default_takes_it_back(line: str, _abbreviated: str, _changes: object) -> None:
    assert typed(f"default {line.removeprefix('no ')}", typed(line)) == Configuration()


def test_a_host_may_be_written_without_the_word() -> None:
    made = typed("logging 192.0.2.9")
    assert made == configured(hosts=(IPv4Address("192.0.2.9"),))
    assert typed("logging host 192.0.2.9", made) == made
    assert typed("no logging 192.0.2.9", made) == Configuration()
    assert typed("no logging host 192.0.2.9", made) == Configuration()


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("logging console", {"console": Level.DEBUGGING}),
        ("logging monitor", {"monitor": Level.DEBUGGING}),
        ("logging trap", {"trap": Level.INFORMATIONAL}),
        ("logging buffered", {"buffered": Level.DEBUGGING, "buffer_size": 65536}),
        ("logging on", {"on": True}),
    ],
)
def test_without_a_level_it_is_the_one_of_ios(line: str, changes: dict[str, object]) -> None:
    nothing = configured(on=False, console=None, monitor=None, buffered=None, trap=None)
    assert typed(line, nothing) == configured(
        **{"on": False, "console": None, "monitor": None, "buffered": None, "trap": None} | changes
    )


stamps = st.one_of(
    st.none(),
    st.just(Stamp(kind=StampKind.UPTIME)),
    st.builds(Stamp, milliseconds=st.booleans(), localtime=st.booleans(), show_timezone=st.booleans()),
)
levels = st.one_of(st.none(), st.sampled_from(Level))
settings = st.builds(
    Logging,
    on=st.booleans(),
    console=levels,
    monitor=levels,
    buffered=st.sampled_from(Level),
    buffer_size=st.integers(SMALLEST_BUFFER, LARGEST_BUFFER),
    trap=levels,
    hosts=st.lists(st.sampled_from([IPv4Address(f"192.0.2.{one}") for one in range(1, 9)]), unique=True).map(
        tuple
    ),
    facility=st.sampled_from(FACILITIES),
    log_stamp=stamps,
    debug_stamp=stamps,
    sequence_numbers=st.booleans(),
)


@given(settings)
def test_any_settings_survive_text(made: Logging) -> None:
    configuration = Configuration(system=System(logging=made))
    for hidden in (False, True):
        text = "\n".join(configuration_lines(configuration, hidden=hidden))
        assert read_configuration(text, "test") == (configuration, ())


def test_every_facility_has_a_code() -> None:
    assert set(FACILITIES) == set(CODES)


def test_defaults_are_printed_with_all() -> None:
    hidden = set(configuration_lines(Configuration(), hidden=True))
    assert not any("logging" in line for line in configuration_lines(Configuration()))
    assert {
        "service timestamps debug datetime msec",
        "service timestamps log datetime msec",
        "no service sequence-numbers",
        "logging on",
        "logging buffered 65536 debugging",
        "logging console debugging",
        "logging monitor debugging",
        "logging trap informational",
        "logging facility local7",
    } <= hidden


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (CONFIGURING, "logging"),
        (CONFIGURING, "logging host"),
        (CONFIGURING, "logging facility"),
        (CONFIGURING, "service"),
        (CONFIGURING, "service timestamps"),
        (EXEC, "debug"),
        (EXEC, "debug ip"),
        (EXEC, "no debug"),
        (EXEC, "undebug ip"),
        (EXEC, "terminal no"),
    ],
)
def test_incomplete(path: Path, line: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(path, line)
    assert caught.value.fault is Fault.INCOMPLETE


@pytest.mark.parametrize(
    ("path", "line", "bad"),
    [
        (CONFIGURING, "logging 0255.255.1", "0255.255.1"),  # that of ios-cli.md 3
        (CONFIGURING, "logging buffered 4095", "4095"),
        (CONFIGURING, "logging console 8", "8"),
        (CONFIGURING, "logging trap loud", "loud"),
        (CONFIGURING, "logging host 224.0.0.1", "224.0.0.1"),
        (CONFIGURING, "logging facility local8", "local8"),
        (CONFIGURING, "service timestamps log datetime msec msec", "msec"),
        (CONFIGURING, "service timestamps log uptime msec", "msec"),
        (EXEC, "debug ip nat 200", "200"),
        (EXEC, "debug ip snat 1", "1"),
        (EXEC, "undebug some", "some"),
        (EXEC, "terminal monitor on", "on"),
        ((Place(USER),), "terminal monitor", "monitor"),
        ((Place(USER),), "debug ip nat", "debug"),
    ],
)
def test_invalid_with_the_column_of_the_bad_word(path: Path, line: str, bad: str) -> None:
    with pytest.raises(LineError) as caught:
        TREE.match(path, line)
    assert (caught.value.fault, caught.value.column) == (Fault.INVALID, line.rindex(bad))


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (("conf t", "logging source-interface Loopback0"), "source-interface"),
        (("conf t", "logging rate-limit console 10"), "rate-limit"),
        (("conf t", "logging host 192.0.2.9 vrf green"), "vrf"),
        (("conf t", "logging buffered discriminator D"), "discriminator"),
        (("conf t", "service timestamps log datetime year"), "year"),
        (("debug ip nat sip",), "sip"),
    ],
)
def test_what_is_not_supported_is_said(router: FakeRouter, lines: tuple[str, ...], word: str) -> None:
    assert output(Shell(router, privileged=True), *lines) == f"% Not supported by snat: {word}\n"


# --- sessions


def test_a_session_monitors_until_it_says_otherwise(router: FakeRouter) -> None:
    shell = Shell(router, privileged=True)
    monitored = [shell.session.terminal.monitor]
    for line in ("ter mon", "terminal no monitor"):
        assert output(shell, line) == ""
        monitored.append(shell.session.terminal.monitor)
    assert monitored == [False, True, False]


@pytest.mark.parametrize(("answer", "lines"), [("", ()), ("y", ()), ("n", LOG.lines)])
def test_clear_logging_asks(router: FakeRouter, answer: str, lines: tuple[str, ...]) -> None:
    dialogue = converse(Shell(router, privileged=True), "clear logging", answer)
    assert dialogue.text == "Clear logging buffer [confirm]"
    assert router.log.status().lines == lines


# --- show logging


def test_show_logging(router: FakeRouter) -> None:
    assert output(Shell(router, privileged=True), "show logging") == (
        "Syslog logging: enabled (3 messages dropped, 5 messages rate-limited, 0 flushes, 0 overruns, "
        "xml disabled, filtering disabled)\n"
        "\n"
        "    Console logging: level debugging, 41 messages logged, xml disabled, filtering disabled\n"
        "    Monitor logging: level debugging, 2 messages logged, xml disabled, filtering disabled\n"
        "    Buffer logging:  level debugging, 40 messages logged, xml disabled, filtering disabled\n"
        "    Trap logging: level informational, 7 message lines logged\n"
        "        Logging to 192.0.2.9  (udp port 514),\n"
        "              6 message lines logged, 1 message lines dropped\n"
        "\n"
        "Log Buffer (65536 bytes):\n"
        "\n"
        "*Mar  1 00:00:04.123: %SNAT-5-PROCESS: Id 1, System fully converged\n"
    )


def test_what_is_switched_off_is_disabled() -> None:
    off = replace(LOG, settings=Logging(on=False, console=None), hosts=(), lines=())
    text = "\n".join(render_log.log(off))
    assert text.startswith("Syslog logging: disabled (")
    assert text.count(": disabled") + text.count(":  disabled") == 5


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (
            "*Mar  1 00:00:04.123: %SNAT-5-PROCESS: Id 1, System fully converged",
            {"month": "Mar", "day": "1", "time": "00:00:04.123", "facility": "SNAT", "severity": "5"},
        ),
        (
            "Mar 11 00:00:04 UTC: %SYS-5-CONFIG_I: Configured from console by a on vty0",
            {"day": "11", "time": "00:00:04", "timezone": "UTC", "mnemonic": "CONFIG_I"},
        ),
        (
            "000012: Mar  1 00:00:04.123: %PKI-6-RELOAD: certificates reloaded",
            {"number": "000012", "facility": "PKI", "mnemonic": "RELOAD"},
        ),
        (
            "00:01:02: %IPNAT-6-CREATED: tcp 10.0.0.5:1 203.0.113.1:1 192.0.2.1:80 192.0.2.1:80",
            {"time": "00:01:02", "facility": "IPNAT", "severity": "6", "mnemonic": "CREATED"},
        ),
    ],
)
def test_tools_read_it(line: str, fields: dict[str, str]) -> None:
    data = "\n".join(render_log.log(replace(LOG, lines=(line, line))))
    rows = parse_output(platform="cisco_ios", command="show logging", data=data)
    assert len(rows) == 2
    assert [{key: row[key] for key in fields} for row in rows] == [fields, fields]
    assert rows[0]["message"] == [line.split(": ")[-1]]


# --- debug


def test_debugging_is_answered_as_ios_does(router: FakeRouter) -> None:
    shell = Shell(router, privileged=True)
    assert output(shell, "debug ip nat") == "IP NAT debugging is on\n"
    assert output(shell, "deb ip nat det") == "IP NAT detailed debugging is on\n"
    assert output(shell, "debug ip snat") == "IP SNAT debugging is on\n"
    assert output(shell, "debug ip snat detailed") == "IP SNAT detailed debugging is on\n"
    assert router.debugging.now == DebugStatus(nat=True, nat_detailed=True, snat=True, snat_detailed=True)
    assert output(shell, "show debugging") == (
        "Generic IP:\n"
        "  IP NAT debugging is on\n"
        "  IP NAT detailed debugging is on\n"
        "  IP SNAT debugging is on\n"
        "  IP SNAT detailed debugging is on\n"
    )
    assert output(shell, "no debug ip nat detailed") == "IP NAT detailed debugging is off\n"
    assert output(shell, "undebug ip snat") == "IP SNAT debugging is off\n"
    assert router.debugging.now == DebugStatus(nat=True, snat_detailed=True)
    assert output(shell, "no debug ip nat") == "IP NAT debugging is off\n"
    assert output(shell, "no debug ip snat det") == "IP SNAT detailed debugging is off\n"
    assert output(shell, "show debugging") == ""


@pytest.mark.parametrize("line", ["undebug all", "no debug all", "und a"])
def test_all_debugging_is_turned_off(router: FakeRouter, line: str) -> None:
    router.debugging.now = DebugStatus(nat=True, nat_list="1", snat=True)
    shell = Shell(router, privileged=True)
    assert output(shell, line) == "All possible debugging has been turned off\n"
    assert router.debugging.now == DebugStatus()


def test_debugging_may_be_for_an_access_list(router: FakeRouter) -> None:
    shell = Shell(router, privileged=True)
    assert output(shell, "debug ip nat 1") == "IP NAT debugging is on for access list 1\n"
    assert router.debugging.now == DebugStatus(nat=True, nat_list="1")
    assert output(shell, "show debugging") == "Generic IP:\n  IP NAT debugging is on for access list 1\n"
    assert output(shell, "debug ip nat 2") == "% There is no access list 2\n"
    assert router.debugging.now.nat_list == "1"
    assert output(shell, "debug ip nat") == "IP NAT debugging is on\n"
    assert router.debugging.now.nat_list == ""


def test_show_as_json(router: FakeRouter) -> None:
    shell = Shell(router, privileged=True)
    assert '"nat": false' in output(shell, "show debugging | json")
    assert '"console": 41' in output(shell, "show logging | json")
