"""The traffic programs, on loopback: real connections, no router between them."""

import contextlib
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from snat.lab.download import BLOCK, block
from snat.lab.errors import LabError
from snat.lab.laboratory import within
from snat.lab.measure import Snapshot, longest_gap
from snat.lab.process import Traffic

FLOWS = 5


@contextlib.contextmanager
def running(name: str, *arguments: str, directory: Path) -> Iterator[Traffic]:
    program = Traffic(name, [name, "--address", "127.0.0.1", *arguments], log=directory / f"{name}.log")
    try:
        program.await_start()
        yield program
    finally:
        program.stop()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Traffic, Traffic]]:
    flows = ["--flows", str(FLOWS)]
    with running("server", *flows, directory=tmp_path) as server:
        ports = ["--port", str(server.started["tcp"]), "--udp-port", str(server.started["udp"])]
        with running("client", *ports, *flows, directory=tmp_path) as client:
            yield client, server


def test_connections_carry_numbered_bytes_both_ways(pair: tuple[Traffic, Traffic]) -> None:
    client, server = pair
    assert client.started == {"connected": FLOWS}
    first = Snapshot.of(client.flows(), server.flows())

    def moved() -> bool:
        now = Snapshot.of(client.flows(), server.flows())
        return all(now.progressed_since(first, number) for number in range(1, FLOWS + 1))

    assert within(moved, seconds=10)
    ends = [*client.flows(), *server.flows()]
    assert {(end.fault, end.closed) for end in ends} == {("", "")}
    remotes = {end.flow: end.remote for end in server.flows()}
    assert remotes == {end.flow: end.local for end in client.flows()}


def test_probes_are_answered_with_the_address_that_was_seen(pair: tuple[Traffic, Traffic]) -> None:
    client, _ = pair
    began = time.monotonic()
    assert within(lambda: len(client.probes()["arrivals"]) >= 20, seconds=10)
    probes = client.probes()
    assert probes["outside"] == [probes["local"]]
    assert probes["sent"] >= len(probes["arrivals"])
    assert longest_gap(probes["arrivals"], start=began, end=time.monotonic()) < 5


def test_a_server_that_dies_is_seen_by_every_flow_and_by_the_probes(pair: tuple[Traffic, Traffic]) -> None:
    client, server = pair
    server.kill()
    assert within(lambda: all(end.closed for end in client.flows()), seconds=10)
    answered = len(client.probes()["arrivals"])
    assert within(lambda: client.probes()["sent"] > answered + 20, seconds=10)
    assert len(client.probes()["arrivals"]) <= answered + 1


def test_a_flow_that_cannot_connect_says_so(tmp_path: Path) -> None:
    with running("server", directory=tmp_path) as server:
        port = str(server.started["tcp"])
    with running("client", "--port", port, "--flows", "2", directory=tmp_path) as client:
        assert client.started == {"connected": 0}
        assert {end.closed.startswith("never connected: ") for end in client.flows()} == {True}


def test_a_traffic_program_that_has_ended_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    program = Traffic("client", ["client", "--flows", "0", "--address", "127.0.0.1"], log=tmp_path / "log")
    try:
        with pytest.raises(LabError, match=r"(?s)has ended.*--flows must be"):
            program.await_start()
    finally:
        program.stop()


def test_traffic_ends_by_itself_when_its_time_is_up(tmp_path: Path) -> None:
    with running("server", "--seconds", "0.1", directory=tmp_path) as server:
        assert within(lambda: not server.alive, seconds=10)
        assert "seconds are up" in server.tail()


@pytest.fixture
def downloading(tmp_path: Path) -> Iterator[tuple[Traffic, Traffic]]:
    with running("server", directory=tmp_path) as server:
        ports = ["--port", str(server.started["tcp"]), "--http-port", str(server.started["http"])]
        with running("client", *ports, "--flows", "1", directory=tmp_path) as client:
            assert within(lambda: client.ask("download")["bytes"] > 3 * BLOCK, seconds=10)
            yield client, server


def test_a_download_ends_when_it_is_told_and_both_sides_have_the_same(
    downloading: tuple[Traffic, Traffic],
) -> None:
    client, server = downloading
    assert client.ask("download")["closed"] == ""
    server.ask("finish")
    assert within(lambda: client.ask("download")["closed"] == "finished", seconds=10)
    got = client.ask("download")
    assert got == server.ask("download")
    blocks = b"".join(block(number) for number in range(got["bytes"] // BLOCK))
    assert got["sha256"] == hashlib.sha256(blocks).hexdigest()


def test_a_download_that_is_cut_is_not_what_was_sent(downloading: tuple[Traffic, Traffic]) -> None:
    client, server = downloading
    server.kill()
    assert within(lambda: client.ask("download")["closed"] != "", seconds=10)


@pytest.mark.root
def test_pings_are_answered_and_counted(tmp_path: Path) -> None:
    with running("server", directory=tmp_path) as server:
        ports = ["--port", str(server.started["tcp"])]
        with running("client", *ports, "--flows", "1", "--ping", directory=tmp_path) as client:
            assert within(lambda: client.ask("ping")["answered"] >= 5, seconds=10)
            said = client.ask("ping")
            assert said["answered"] <= said["sent"]
            assert said["local"] == "127.0.0.1:4711"
