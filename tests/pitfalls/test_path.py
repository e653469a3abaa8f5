"""Pitfalls 27 and 28: real routers over a path that is narrow, or slow and lossy."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from snat import pki
from tests.pitfalls.path import ADDRESSES, path
from tests.pitfalls.path import Path as Between
from tests.system.namespaces import Namespace

pytestmark = pytest.mark.root

SECONDS: Final = 15.0
"""A bound, not how long it takes."""


class Member:
    """A router in a process of its own, see :mod:`tests.pitfalls.member`."""

    def __init__(self, nat_id: int, host: Namespace, authority: Path) -> None:
        own, other = ADDRESSES if nat_id == 1 else reversed(ADDRESSES)
        self._process = host.start(
            sys.executable, "-m", "tests.pitfalls.member", str(nat_id), own, other, str(authority)
        )

    def ask(self, command: str) -> dict[str, Any]:
        """Do a command; what the process says of itself then."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        said = self._process.stdout.readline()
        assert said, "it ended"
        return dict(json.loads(said))

    def until(self, **wanted: object) -> dict[str, Any]:
        """Ask until it is so."""
        end = time.monotonic() + SECONDS
        while any((said := self.ask("tell"))[key] != value for key, value in wanted.items()):
            assert time.monotonic() < end, said
            time.sleep(0.01)
        return said


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("path") / "pki"
    pki.init(directory)
    for nat_id in (1, 2):
        pki.issue(directory, f"r{nat_id}.example", nat_id)
    return directory


@pytest.fixture
def hosts() -> Iterator[tuple[Namespace, Namespace, Between]]:
    with path(seed=28) as made:
        yield made


def synchronised(hosts: tuple[Namespace, Namespace, Between], authority: Path) -> tuple[Member, Member]:
    one, other, _ = hosts
    manager, member = Member(1, one, authority), Member(2, other, authority)
    manager.until(standing="MANAGE")
    member.until(standing="LISTEN", synchronised=True)
    return manager, member


@pytest.mark.parametrize("mtu", [1280, 576])
def test_messages_cross_a_path_narrower_than_they_are(
    hosts: tuple[Namespace, Namespace, Between], authority: Path, mtu: int
) -> None:
    """Messages of 16 KiB over interfaces of 1500 bytes and a path of less, as of a tunnel on the way."""
    between = hosts[2]
    between.mtu = mtu
    manager, member = synchronised(hosts, authority)
    loaded = manager.ask("load 5000")
    said = member.until(entries=loaded["entries"], synchronised=True)
    assert said["standing"] == "LISTEN"
    assert between.too_long > 0, "TCP had to learn it"
    assert between.longest <= mtu
    assert between.carried > 5000 * 50 / mtu


def test_adds_are_there_soon_at_loss_and_delay(
    hosts: tuple[Namespace, Namespace, Between], authority: Path
) -> None:
    """50 ms there and back, 1 % of packets lost: what is behind a lost one waits for it, and no longer."""
    between = hosts[2]
    manager, member = synchronised(hosts, authority)
    between.delay, between.loss = 0.025, 0.01
    first, count = manager.ask("tell")["loaded"], 1000
    for each in (manager, member):
        each.ask(f"stamp {first} {count}")
    after = manager.ask(f"add {count} 500")
    member.until(entries=after["entries"])
    entered, applied = (each.ask("stamps")["times"] for each in (manager, member))
    taken = sorted((later - earlier) / 1e9 for earlier, later in zip(entered, applied, strict=True))
    assert between.lost > 0
    assert taken[0] > 0.025, "the path is as slow as that"
    assert taken[count // 2] < 0.1
    assert taken[count * 99 // 100] < 0.4, f"p50 {taken[count // 2]:.3f}, worst {taken[-1]:.3f}"
