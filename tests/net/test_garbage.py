"""When what is old is looked through for garbage."""

import gc
from collections.abc import Iterator

import pytest

from snat.net.garbage import FEW, LONGEST, LOOK, Garbage


class World:
    """A clock, paths, and how often everything was looked through."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.paths = 0
        self.collected = 0
        self.garbage = Garbage(lambda: self.paths, lambda: self.now)

    def saw(self, phase: str, info: dict[str, int]) -> None:
        self.collected += phase == "start" and info["generation"] == 2

    def after(self, seconds: float) -> int:
        """Collections by one look so much later."""
        before, self.now = self.collected, self.now + seconds
        self.garbage.look()
        return self.collected - before


@pytest.fixture
def world() -> Iterator[World]:
    world, thresholds, enabled = World(), gc.get_threshold(), gc.isenabled()
    gc.disable()  # nothing but what is asked for
    gc.callbacks.append(world.saw)
    yield world
    gc.callbacks.remove(world.saw)
    gc.set_threshold(*thresholds)  # what was frozen stays so: conftest has frozen what importing made
    if enabled:
        gc.enable()


def test_nothing_old_is_looked_through_unasked(world: World) -> None:
    young, middle, _ = gc.get_threshold()
    world.garbage.begin()
    assert world.collected == 1
    assert gc.get_threshold() == (young, middle, 2**31 - 1)
    assert gc.get_freeze_count() > 0


def test_with_few_paths_it_is_each_time(world: World) -> None:
    world.paths = FEW
    assert world.after(LOOK) == world.after(LOOK) == 1


def test_with_many_paths_it_is_once_a_day(world: World) -> None:
    world.paths = FEW + 1
    assert [world.after(LOOK) for _ in range(48)] == ([0] * 23 + [1]) * 2
    assert LONGEST == 24 * LOOK
