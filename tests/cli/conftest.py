"""A router as the shell sees it, with data of our own making."""

import pytest

from tests.cli.fake_router import FakeRouter


@pytest.fixture
def router() -> FakeRouter:
    return FakeRouter()
