"""What the tests of the shell share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.memory import Log, Reactor, certificates


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One authority, and certificates of r1.example, r2.example and r3.example."""
    return certificates(tmp_path_factory.mktemp("pki") / "pki", (1, 2, 3))


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    made = Reactor()
    yield made
    for state in made.states:
        state.close()


@pytest.fixture
def log() -> Iterator[Log]:
    with Log() as entered:
        yield entered
