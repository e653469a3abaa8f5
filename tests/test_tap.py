"""``twistd snat``: its options, and one sentence for whatever keeps it from starting."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import Service
from twisted.python.usage import UsageError

from snat import pki, tap
from snat.lab.capture import bundled_capture
from snat.net.control import ControlSocketError
from snat.net.files import StateDirectory, StateError
from snat.net.refused import KernelRefused
from snat.tap import Options, SnatService

TWISTD = "from twisted.scripts.twistd import run; run()"
LOCAL = """\
hostname R1
ip nat pool P 203.0.113.10 203.0.113.11 prefix-length 24
ip nat inside source list 1 pool P overload
access-list 1 permit 10.0.0.0 0.0.0.255
"""


def twistd(directory: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run ``twistd -n snat`` until it ends by itself, as all of these must."""
    command = [sys.executable, "-P", "-c", TWISTD, "-n", "--pidfile=", "snat", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=directory)


def configured(directory: Path, text: str) -> list[str]:
    """Options for a daemon with this configuration, without privilege."""
    (directory / "r1.conf").write_text(text)
    return ["--config", "r1.conf", "--control", "control", "--pcap", "in.pcap:out.pcap"]


# Options


def parsed(*arguments: str) -> dict[str, Any]:
    options = Options()
    options.parseOptions(list(arguments))
    return dict(options)


def test_the_defaults() -> None:
    options = parsed("--config", "r1.conf")
    assert options["config"] == "r1.conf"
    assert options["control"] == "/run/snat/control.sock"
    assert options["state-dir"] is None
    assert options["pcap"] is None
    assert not options["strict"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give the configuration: --config FILE"),
        (["--config"], "option --config requires argument"),
        (["--config", "c", "--pcap", "in"], "--pcap in: give two paths, IN:OUT"),
        (["--config", "c", "--pcap", ":out"], "give two paths"),
        (["--config", "c", "--pcap", "in:"], "give two paths"),
        (["--config", "c", "--pcap", "x.pcap:./x.pcap"], "give two paths"),
        (["--config", "c", "--nonsense"], "option --nonsense not recognized"),
        (["--config", "c", "more"], "Wrong number of arguments"),
    ],
)
def test_wrong_options_say_what_is_wrong(arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("?", ".")):
        parsed(*arguments)


# What keeps a daemon from starting


def refused(done: "subprocess.CompletedProcess[str]") -> str:
    """What it said, after ``snat:``; status 1 and no traceback."""
    told = done.stderr + done.stdout
    assert done.returncode == 1, told
    assert "Traceback" not in told
    assert told.count("snat: ") == 1
    return told.partition("snat: ")[2]


def test_a_missing_option_is_told_with_the_usage(tmp_path: Path) -> None:
    done = twistd(tmp_path)
    assert done.returncode == 1
    assert "give the configuration: --config FILE" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_configuration_in_a_missing_directory_is_one_sentence(tmp_path: Path) -> None:
    done = twistd(tmp_path, "--config", "none/r1.conf")
    assert refused(done) == "none/r1.conf: its directory does not exist; make it first\n"


def test_a_configuration_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "r1.conf").write_bytes(b"\xff\xfe\x00")
    assert refused(twistd(tmp_path, "--config", "r1.conf")) == "r1.conf: byte 0 is not UTF-8 text\n"


def test_a_bad_line_is_told_with_its_place_and_a_caret(tmp_path: Path) -> None:
    arguments = configured(tmp_path, LOCAL + "ip nat pool Q 203.0.113.999 203.0.113.20 prefix-length 24\n")
    place, line, caret = refused(twistd(tmp_path, *arguments, "--strict")).splitlines()
    assert place.startswith("r1.conf:5:15: ")
    assert line == "  ip nat pool Q 203.0.113.999 203.0.113.20 prefix-length 24"
    assert caret.index("^") == line.index("203.0.113.999")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    arguments = configured(tmp_path, "nonsense\n" + LOCAL.replace("list 1 pool P", "list 2 pool R"))
    said = refused(twistd(tmp_path, *arguments, "--strict"))
    assert "r1.conf:1:1: " in said
    assert "there is no pool R" in said
    assert "there is no access list 2" in said


def group(directory: Path, certificates: Path) -> list[str]:
    name = "r1.example"
    text = f"""\
crypto pki trustpoint SNAT
 ca-certificate {certificates / "ca.pem"}
 certificate {certificates / f"{name}.pem"}
 private-key {certificates / f"{name}.key"}
ip nat Stateful id 1
 primary 127.0.0.1 port 1
  peer 127.0.0.1 nat-id 2 name r2.example
  mapping-id 10
"""
    return configured(directory, text)


def test_a_missing_certificate_is_one_sentence(tmp_path: Path) -> None:
    pki.init(tmp_path / "pki")
    said = refused(twistd(tmp_path, *group(tmp_path, tmp_path / "pki")))
    assert said == f"{tmp_path}/pki/r1.example.pem: No such file or directory; make it with `snat pki`\n"


def test_a_certificate_of_another_router_is_one_sentence(tmp_path: Path) -> None:
    pki.init(tmp_path / "pki")
    pki.issue(tmp_path / "pki", "r1.example", 7)
    said = refused(twistd(tmp_path, *group(tmp_path, tmp_path / "pki")))
    assert "is of r1.example (NAT ID 7), and this router has NAT ID 1" in said


def test_a_state_directory_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    said = refused(twistd(tmp_path, *configured(tmp_path, LOCAL), "--state-dir", "r1.conf/state"))
    assert said == "r1.conf/state: Not a directory; give another --state-dir\n"


def test_a_state_directory_that_another_daemon_has_is_one_sentence(tmp_path: Path) -> None:
    with closing(StateDirectory(tmp_path / "state")) as other:
        other.open()
        before = (tmp_path / "state" / "state.json").read_bytes()
        said = refused(twistd(tmp_path, *configured(tmp_path, LOCAL), "--state-dir", "state"))
        assert said == (
            f"state: another snat daemon uses it (process {os.getpid()}); "
            "stop that one or give another --state-dir\n"
        )
        assert (tmp_path / "state" / "state.json").read_bytes() == before


def test_a_control_socket_without_its_directory_is_one_sentence(tmp_path: Path) -> None:
    said = refused(twistd(tmp_path, *configured(tmp_path, LOCAL), "--control", "none/control"))
    assert "none is not a directory; make it first" in said


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    pki.init(tmp_path / "pki")
    pki.issue(tmp_path / "pki", "r1.example", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        arguments = group(tmp_path, tmp_path / "pki")
        text = (tmp_path / "r1.conf").read_text()
        (tmp_path / "r1.conf").write_text(text.replace("port 1\n", f"port {taken.getsockname()[1]}\n"))
        said = refused(twistd(tmp_path, *arguments))
    assert "Couldn't listen on 127.0.0.1" in said
    assert "Address already in use" in said


@pytest.fixture
def live(tmp_path: Path) -> Iterator[str]:
    """A control socket on which somebody answers."""
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        yield str(path)


def test_a_second_daemon_is_refused_before_it_touches_anything(tmp_path: Path, live: str) -> None:
    (tmp_path / "in.pcap").write_bytes(bundled_capture())
    (tmp_path / "out.pcap").write_bytes(b"what the first daemon wrote")
    said = refused(twistd(tmp_path, *configured(tmp_path, LOCAL)))
    assert "control: another snat daemon answers there; stop it or give another path" in said
    assert (tmp_path / "out.pcap").read_bytes() == b"what the first daemon wrote"
    with socket.socket(socket.AF_UNIX) as still:
        still.connect(live)


# The service


@pytest.mark.parametrize(
    "error",
    [
        KernelRefused("no TUN", where="/dev/net/tun", remedy="modprobe tun"),
        StateError("state.json: full"),
        ControlSocketError("control: taken"),
        OSError(5, "Input/output error"),
    ],
)
def test_what_cannot_be_had_ends_the_process_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    class Refusing(Service):
        def startService(self) -> None:
            raise error

    service = SnatService(tmp_path / "control")
    Refusing().setServiceParent(service)
    with pytest.raises(SystemExit, match="1"):
        service.startService()
    assert capsys.readouterr().err == f"snat: {error}\n"


def test_a_fault_of_ours_is_not_disguised(tmp_path: Path) -> None:
    class Faulty(Service):
        def startService(self) -> None:
            raise LookupError("a fault")

    service = SnatService(tmp_path / "control")
    Faulty().setServiceParent(service)
    with pytest.raises(LookupError):
        service.startService()


def test_a_good_configuration_makes_the_router_and_its_control_socket(tmp_path: Path) -> None:
    """Made, not started: in a process of its own, for it asks for the global reactor."""
    program = (
        "import json, sys; from snat.tap import Options, makeService; options = Options();"
        "options.parseOptions(sys.argv[1:]); service = makeService(options);"
        "print(json.dumps([type(each).__name__ for each in service]))"
    )
    command = [sys.executable, "-P", "-c", program, *configured(tmp_path, LOCAL)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, cwd=tmp_path)
    assert json.loads(done.stdout) == ["RouterService", "TimerService", "TimerService", "ControlSocket"]
    assert list(tmp_path.iterdir()) == [tmp_path / "r1.conf"]


def test_the_default_control_path_is_the_client_s() -> None:
    from cli.terminal.__main__ import DEFAULT_CONTROL

    assert tap.DEFAULT_CONTROL == DEFAULT_CONTROL
