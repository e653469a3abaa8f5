"""Conversations about the start-up file and restarts, and the shows of the system, as IOS words them."""

import json
from dataclasses import replace
from typing import Any

import pytest
from ntc_templates.parse import parse_output

from cli.commands.storing import LOOK
from cli.session import Redirect
from cli.shell import Shell
from cli.when import idle, spelled
from snat.config.model import Configuration
from tests.cli.fake_router import CONFIGURATION, FakeRouter, configuration, converse, output


def privileged(router: FakeRouter) -> Shell:
    return Shell(router, privileged=True, user="admin", line=3)


DESTINATION = "Destination filename [startup-config]? "
BUILT = "Building configuration...\n[OK]\n"
SAVE = "System configuration has been modified. Save? [yes/no]: "
PROCEED = "Proceed with reload? [confirm]"


@pytest.mark.parametrize("answer", ["", "startup-config"])
def test_copy_running_config_startup_config(router: FakeRouter, answer: str) -> None:
    said = converse(privileged(router), "copy run start", answer)
    assert said.text == DESTINATION + BUILT
    assert said.paused == pytest.approx(3 * LOOK)
    assert router.startup.stored == router.running
    assert router.startup.text is not None
    assert configuration(router.startup.text) == router.running
    assert "! Start-up configuration stored at 18:57:38 UTC Mon Oct 19 2015 by admin\n" in router.startup.text


def test_another_destination_is_refused(router: FakeRouter) -> None:
    said = converse(privileged(router), "copy run start", "other")
    assert said.text == f"{DESTINATION}% Only startup-config can be here; say: copy running-config other\n"
    assert router.startup.text is None


@pytest.mark.parametrize("line", ["write", "write memory"])
def test_write_memory_asks_nothing(router: FakeRouter, line: str) -> None:
    assert converse(privileged(router), line).text == BUILT
    assert router.startup.stored == router.running


def test_what_cannot_be_stored_is_told(router: FakeRouter) -> None:
    router.startup.refusal = "/r1.conf: No space left on device; nothing was stored"
    shell = privileged(router)
    assert converse(shell, "write").text == f"Building configuration...\n% {router.startup.refusal}\n"
    assert not shell.ok


CONFLICT = "/r1.conf was changed by another since the daemon read it"


def test_a_file_that_another_changed_is_kept_unless_it_is_confirmed(router: FakeRouter) -> None:
    router.startup.conflicting = CONFLICT
    shell = privileged(router)
    said = converse(shell, "copy run start", "")
    assert (
        said.text == f"{DESTINATION}% {CONFLICT}; see show startup-config, and write memory to overwrite it\n"
    )
    question = f"Warning: {CONFLICT}\nOverwrite the previous start-up configuration? [confirm]"
    assert converse(shell, "write memory", "n").text == question
    assert router.startup.text is None
    assert converse(shell, "write memory", "").text == question + BUILT
    assert router.startup.stored == router.running


@pytest.mark.parametrize("line", ["write erase", "erase startup-config"])
def test_erasing_is_confirmed(router: FakeRouter, line: str) -> None:
    router.startup.text = "hostname R1\n"
    shell = privileged(router)
    question = "Erasing the nvram filesystem will remove all configuration files! Continue? [confirm]"
    assert converse(shell, line, "n").text == question
    assert router.startup.text
    assert converse(shell, line, "").text == f"{question}[OK]\nErase of nvram: complete\n"
    assert router.startup.text is None


def test_a_copy_of_the_user_is_written_by_the_terminal(router: FakeRouter) -> None:
    said = converse(privileged(router), "copy running-config mine.txt")
    assert said.redirects == [Redirect("mine.txt")]
    assert said.text == CONFIGURATION
    router.startup.text = "hostname R1\n"
    said = converse(privileged(router), "copy startup-config mine.txt")
    assert (said.redirects, said.text) == ([Redirect("mine.txt")], "hostname R1\n")


@pytest.mark.parametrize("line", ["copy startup-config running-config", "configure memory"])
def test_the_start_up_file_is_added_to_what_runs(router: FakeRouter, line: str) -> None:
    router.startup.text = "hostname R5\nip nat translation udp-timeout 77\nend\n"
    shell = privileged(router)
    assert converse(shell, line).text == f"{len(router.startup.text)} bytes copied\n"
    assert router.running.hostname == "R5"
    assert router.running.nat.timeouts.udp == 77
    assert router.running.pools == configuration().pools
    assert len(router.applied) == 1
    assert router.startup.last_change is not None


def test_lines_that_cannot_be_added_are_told_and_left_out(router: FakeRouter) -> None:
    router.startup.text = "hostname R5\nnonsense\nip nat inside source list 9 pool POOL1 overload\n"
    shell = privileged(router)
    said = converse(shell, "configure memory").text
    assert said.startswith("% These lines were left out:\nstartup-config:2:1: 'nonsense' is not expected")
    assert "startup-config:3:1: " in said
    assert not shell.ok
    assert router.running == replace(configuration(), hostname="R5")


@pytest.mark.parametrize("line", ["copy startup-config running-config", "copy startup-config x"])
def test_no_start_up_file(router: FakeRouter, line: str) -> None:
    shell = privileged(router)
    assert converse(shell, line).text.endswith("startup-config is not present\n")
    assert not shell.ok


@pytest.mark.parametrize(
    ("verb", "redirect"),
    [
        ("redirect", Redirect("f")),
        ("tee", Redirect("f", tee=True)),
        ("append", Redirect("f", append=True)),
    ],
)
def test_the_output_of_a_show_goes_into_a_file(router: FakeRouter, verb: str, redirect: Redirect) -> None:
    said = converse(privileged(router), f"show clock | {verb} f")
    assert (said.redirects, said.text) == ([redirect], "*18:57:38.347 UTC Mon Oct 19 2015\n")


# --- reload


def saved(router: FakeRouter) -> FakeRouter:
    router.startup.stored = router.running
    return router


def test_reload_is_confirmed(router: FakeRouter) -> None:
    shell = privileged(saved(router))
    assert converse(shell, "reload", "n").text == PROCEED
    assert router.reloads.order is None
    assert converse(shell, "reload", "").text == PROCEED
    assert router.reloads.order == (0.0, "admin", 3)


def test_reload_offers_to_save_first(router: FakeRouter) -> None:
    shell = privileged(router)
    said = converse(shell, "reload", "", "perhaps", "no", "n").text
    assert (
        said == f"{SAVE}% Please answer 'yes' or 'no'.\n{SAVE}% Please answer 'yes' or 'no'.\n{SAVE}{PROCEED}"
    )
    assert router.startup.text is None
    assert converse(shell, "reload", "yes", "y").text == SAVE + BUILT + PROCEED
    assert router.startup.stored == router.running
    assert router.reloads.order is not None


def test_reload_does_not_overwrite_what_another_wrote(router: FakeRouter) -> None:
    router.startup.conflicting = CONFLICT
    said = converse(privileged(router), "reload", "y").text
    assert said.startswith(f"{SAVE}% {CONFLICT}; not reloaded")
    assert (router.startup.text, router.reloads.order) == (None, None)


@pytest.mark.parametrize(
    ("line", "seconds", "told"),
    [
        ("reload in 5", 300.0, "19:02:38 UTC Mon Oct 19 2015 (in 5 minutes)"),
        ("reload in 1:01", 3660.0, "19:58:38 UTC Mon Oct 19 2015 (in 1 hour and 1 minute)"),
        ("reload at 19:00", 141.6525, "19:00:00 UTC Mon Oct 19 2015 (in 2 minutes)"),
        ("reload at 18:57", 86361.6525, "18:57:00 UTC Tue Oct 20 2015 (in 23 hours and 59 minutes)"),
    ],
)
def test_a_reload_for_later(router: FakeRouter, line: str, seconds: float, told: str) -> None:
    shell = privileged(saved(router))
    said = converse(shell, line, "").text
    assert said == (
        f"Reload scheduled for {told} by admin on vty3 (local)\nReload reason: Reload Command\n{PROCEED}"
    )
    assert router.reloads.order is not None
    assert router.reloads.order[0] == pytest.approx(seconds, abs=1e-3)
    assert "Reload scheduled for " in output(shell, "show reload")
    assert output(shell, "reload cancel") == "***\n*** --- SHUTDOWN ABORTED ---\n***\n"
    assert [mnemonic for mnemonic, _ in router.notes] == ["SYS-5-SCHEDULED_RELOAD_CANCELLED"]
    assert output(shell, "show reload") == "No reload is scheduled.\n"
    assert output(shell, "reload cancel") == "% No reload is scheduled\n"


# --- shows


def test_the_heading_of_the_running_configuration(router: FakeRouter) -> None:
    shell = privileged(router)
    assert "Last configuration change" not in output(shell, "show running-config")
    output(shell, "conf t", "hostname R2", "end")
    lines = output(shell, "show running-config").splitlines()
    size = sum(len(line) + 1 for line in lines[4:])
    assert lines[:7] == [
        *("Building configuration...", "", f"Current configuration : {size} bytes", "!"),
        *("! Last configuration change at 18:57:38 UTC Mon Oct 19 2015 by admin", "!", "hostname R2"),
    ]
    assert output(shell, "write terminal") == output(shell, "show running-config brief")


def test_the_defaults_are_exposed(router: FakeRouter) -> None:
    shell = privileged(router)
    output(shell, "conf t", "line vty 0 4", "end")
    assert " exec-timeout 10 0" not in output(shell, "show running-config")
    said = output(shell, "show running-config all")
    assert said.splitlines()[2].startswith("Current configuration with default configurations exposed : ")
    assert "line vty 0 4\n exec-timeout 10 0\n" in said
    assert configuration(said) == router.running


def test_one_interface_and_numbers(router: FakeRouter) -> None:
    shell = privileged(router)
    said = output(shell, "show running-config interface in0").splitlines()
    assert said[2:] == ["Current configuration : 31 bytes", "!", "interface in0", " ip nat inside", "!"]
    assert parse_output(
        platform="cisco_ios", command="show running-config interface in0", data="\n".join(said)
    )
    assert (
        output(shell, "show running-config interface x") == "% There is no interface x in the configuration\n"
    )
    assert output(shell, "show running-config linenum").splitlines()[4] == "     2 : hostname R1"


def test_show_startup_config(router: FakeRouter) -> None:
    shell = privileged(router)
    assert output(shell, "show startup-config") == "startup-config is not present\n"
    assert output(shell, "show startup-config | json") == "null\n"
    router.startup.text = "hostname R1\n"
    assert output(shell, "show startup-config") == "Using 12 out of 16777216 bytes\nhostname R1\n"


def parsed(router: FakeRouter, command: str) -> list[dict[str, Any]]:
    rows = parse_output(platform="cisco_ios", command=command, data=output(privileged(router), command))
    assert isinstance(rows, list)
    return rows


def test_show_version_parses_and_is_honest(router: FakeRouter) -> None:
    router.machine.reload_reason = "Reload Command"
    (row,) = parsed(router, "show version")
    assert {name: row[name] for name in ("version", "release", "hostname", "uptime", "running_image")} == {
        "version": "0.1.0",
        "release": "fc1",
        "hostname": "R1",
        "uptime": "1 day, 2 hours, 5 minutes",
        "running_image": "snatd-0.1.0",
    }
    assert (row["reload_reason"], row["serial"], row["config_register"]) == (
        *("Reload Command", ["4279256517"]),
        "0x2102",
    )
    text = output(privileged(router), "show version")
    assert text.startswith("Open SNAT, command-compatible with Cisco IOS Software, ")
    assert "ystems, Inc" not in text


def test_show_version_of_a_daemon_that_was_started(router: FakeRouter) -> None:
    text = output(privileged(router), "show version")
    assert "System returned to ROM by power-on\n" in text
    assert "Last reload reason" not in text


def test_show_clock_parses(router: FakeRouter) -> None:
    (row,) = parsed(router, "show clock")
    assert row == {
        "time": "18:57:38.347",
        "timezone": "UTC",
        "dayweek": "Mon",
        "month": "Oct",
        "day": "19",
        "year": "2015",
    }
    router.machine.now = replace(router.machine.now, zone="CEST", offset=7200, synchronised=True)
    assert output(privileged(router), "show clock") == "20:57:38.347 CEST Mon Oct 19 2015\n"


def test_show_users_parses(router: FakeRouter) -> None:
    rows = parsed(router, "show users")
    assert [(row["line"], row["user"], row["idle"], row["location"]) for row in rows] == [
        ("1 vty 0", "admin", "00:00:00", "local"),
        ("*  4 vty 3", "eve", "01:06:40", "local"),
    ]


def test_show_hosts_parses(router: FakeRouter) -> None:
    text = output(privileged(router), "show hosts")
    assert text.splitlines()[0] == "Default domain is snat.example"
    router.machine.domain = ""
    assert output(privileged(router), "show hosts").splitlines()[0] == "Default domain is not set"


def test_show_processes_parses(router: FakeRouter) -> None:
    rows = parsed(router, "show processes cpu")
    assert [(row["process_pid"], row["process_name"], row["process_runtime"]) for row in rows] == [
        ("4711", "snatd", "5000"),
        ("4712", "PoolThread-0", "1"),
    ]
    assert (rows[0]["cpu_usage_5_sec"], rows[0]["cpu_interruption_5_sec"]) == ("12", "3")
    text = output(privileged(router), "show processes memory")
    (row,) = parse_output(platform="cisco_ios", command="show processes memory sorted", data=text)
    assert (row["memory_total"], row["memory_used"], row["memory_free"]) == (
        *("8000000000", "3000000000"),
        "5000000000",
    )
    assert (row["process_id"], row["process_holding"]) == (["4711"], ["60000000"])


def test_show_privilege_and_history(router: FakeRouter) -> None:
    shell = privileged(router)
    assert output(shell, "show privilege") == "Current privilege level is 15\n"
    assert output(shell, "disable", "show privilege") == "Current privilege level is 1\n"
    lines = output(shell, "show history").splitlines()
    assert lines == ["  show privilege", "  disable", "  show privilege", "  show history"]


@pytest.mark.parametrize(
    "what",
    [
        *("version", "clock", "users", "hosts", "privilege", "history", "processes", "processes memory"),
        *("reload", "running-config all", "startup-config"),
    ],
)
def test_every_show_has_json(router: FakeRouter, what: str) -> None:
    json.loads(output(privileged(router), f"show {what} | json"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 minutes"),
        (61, "1 minute"),
        (3600, "1 hour, 0 minutes"),
        (86400 * 8, "1 week, 1 day, 0 hours, 0 minutes"),
        (86400 * 366, "1 year, 0 weeks, 1 day, 0 hours, 0 minutes"),
    ],
)
def test_spans_of_time(seconds: float, text: str) -> None:
    assert spelled(seconds) == text


def test_how_long_a_session_is_idle() -> None:
    assert [idle(seconds) for seconds in (0.9, 3661, 86400 * 3 + 3600 * 4)] == [
        "00:00:00",
        "01:01:01",
        "3d04h",
    ]


def test_the_shell_applies_nothing_of_an_empty_configuration() -> None:
    router = FakeRouter(running=Configuration())
    assert converse(privileged(router), "write").text == BUILT
    assert router.startup.text is not None
    assert configuration(router.startup.text) == Configuration()
